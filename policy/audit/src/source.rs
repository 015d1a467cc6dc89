//! Where the bytes of a bundle's file are: a bundle of a year is larger than what a check holds at once, so
//! that most files are read when they are needed, and read again if they are needed again.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::bundle::MAX_FILE_BYTES;

/// A file of a bundle.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// Given as it is: its place, and its bytes.
    Memory(Arc<(String, Vec<u8>)>),
    /// In a folder.
    File(Arc<Within>, Box<OsStr>),
}

/// A folder, and which part of a bundle its files are.
#[derive(Debug)]
pub(crate) struct Within {
    pub(crate) folder: PathBuf,
    /// None: those beside the parts.
    pub(crate) part: Option<&'static str>,
}

impl Source {
    /// Its place in the bundle, with `/` between the parts.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Memory(file) => file.0.clone(),
            Self::File(within, name) => {
                let name = name.to_string_lossy();
                within.part.map_or_else(|| name.to_string(), |part| format!("{part}/{name}"))
            }
        }
    }

    /// Its bytes, or why it cannot be read.
    pub(crate) fn read(&self) -> Result<Cow<'_, [u8]>, String> {
        let (within, name) = match self {
            Self::Memory(file) => return Ok(Cow::Borrowed(&file.1)),
            Self::File(within, name) => (within, name),
        };
        let file = File::open(within.folder.join(&**name)).map_err(|error| error.to_string())?;
        let length = file.metadata().map_err(|error| error.to_string())?.len();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_FILE_BYTES {
            return Err(format!("{length} bytes, expected at most {MAX_FILE_BYTES}"));
        }
        let mut bytes = Vec::with_capacity(length);
        // One that grows meanwhile is no reason to read without end.
        let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
        file.take(most).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        Ok(Cow::Owned(bytes))
    }
}

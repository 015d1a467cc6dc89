//! The two encodings of files: UTF-8 (RFC 3629) and Latin-1.
//!
//! Latin-1 is read as windows-1252, which gives the C1 control codes of ISO 8859-1 printable
//! meanings and is what such files are in truth (WHATWG Encoding Standard, section 10).

use crate::import::fault::FileFault;

/// How the bytes of a file become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[default]
    Utf8,
    /// ISO 8859-1, read as windows-1252.
    Latin1,
}

/// What the bytes 0x80 to 0x9f mean in windows-1252; `None` where it has no meaning.
#[rustfmt::skip]
const C1: [Option<char>; 32] = [
    Some('€'), None, Some('‚'), Some('ƒ'), Some('„'), Some('…'), Some('†'), Some('‡'),
    Some('ˆ'), Some('‰'), Some('Š'), Some('‹'), Some('Œ'), None, Some('Ž'), None,
    None, Some('‘'), Some('’'), Some('“'), Some('”'), Some('•'), Some('–'), Some('—'),
    Some('˜'), Some('™'), Some('š'), Some('›'), Some('œ'), None, Some('ž'), Some('Ÿ'),
];

impl Encoding {
    /// Appends the text of `bytes`.
    pub(super) fn decode(self, bytes: &[u8], text: &mut String) -> Result<(), FileFault> {
        match self {
            Self::Utf8 => {
                text.push_str(std::str::from_utf8(bytes).map_err(|_| FileFault::NotUtf8)?);
            }
            Self::Latin1 => {
                for byte in bytes {
                    text.push(windows_1252(*byte).ok_or(FileFault::NotLatin1)?);
                }
            }
        }
        Ok(())
    }
}

fn windows_1252(byte: u8) -> Option<char> {
    match byte {
        0x80..=0x9f => C1.get(usize::from(byte) - 0x80).copied().flatten(),
        _ => Some(char::from(byte)),
    }
}

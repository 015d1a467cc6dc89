//! Shims: small libraries in C that are put before glibc in a process under trial (`LD_PRELOAD`), so that
//! a disk or a clock behaves as none does on demand.
//!
//! They are built at run time by `cc`, which every machine with Rust has as its linker, into a folder of
//! the trial's own. What each does, and by which variables it is steered, stands at the head of its source.
//! The programs under trial are the ones that are deployed: nothing of this is built into them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variable by which the loader is told of a library.
pub const PRELOAD: &str = "LD_PRELOAD";

/// A shim's name and source.
#[derive(Debug, Clone, Copy)]
pub struct Shim {
    name: &'static str,
    source: &'static str,
}

/// A disk that fails, fills up, and forgets what was not synced.
pub const DISK: Shim = Shim { name: "disk", source: include_str!("../shim/disk.c") };

/// The folder whose files [`DISK`] rules.
pub const DISK_FOLDER: &str = "REEVE_DISK_FOLDER";

/// The file that tells [`DISK`] what goes wrong.
pub const DISK_CONTROL: &str = "REEVE_DISK_CONTROL";

/// The file to which [`DISK`] appends what was written and what was synced.
pub const DISK_JOURNAL: &str = "REEVE_DISK_JOURNAL";

/// A wall clock that is wrong.
pub const CLOCK: Shim = Shim { name: "clock", source: include_str!("../shim/clock.c") };

/// The file that tells [`CLOCK`] by how much.
pub const CLOCK_CONTROL: &str = "REEVE_CLOCK_CONTROL";

/// Why there is no shim.
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    /// Another system.
    #[error("the {0} shim takes the place of functions of 64-bit Linux, which this is not")]
    OtherSystem(&'static str),
    /// No compiler.
    #[error(
        "the {name} shim is built by cc, which does not start ({reason}); install a C compiler"
    )]
    NoCompiler {
        /// Which shim.
        name: &'static str,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The compiler refuses it.
    #[error("cc does not build the {name} shim: {said}")]
    Refused {
        /// Which shim.
        name: &'static str,
        /// In the compiler's words.
        said: String,
    },
    /// The folder.
    #[error("{}: {reason}", path.display())]
    Folder {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
}

impl Shim {
    /// Builds it in `folder`, and says where it is.
    ///
    /// # Errors
    /// [`ShimError`].
    pub fn build(self, folder: &Path) -> Result<PathBuf, ShimError> {
        let Self { name, source } = self;
        if cfg!(not(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))) {
            return Err(ShimError::OtherSystem(name));
        }
        let (text, library) =
            (folder.join(name).with_extension("c"), folder.join(name).with_extension("so"));
        std::fs::write(&text, source)
            .map_err(|reason| ShimError::Folder { path: text.clone(), reason })?;
        let built = Command::new("cc")
            .args([
                "-O2",
                "-shared",
                "-fPIC",
                "-Wall",
                "-Wextra",
                "-D_GNU_SOURCE",
                "-U_FORTIFY_SOURCE",
            ])
            .arg("-o")
            .args([&library, &text])
            .args(["-ldl", "-lpthread"])
            .output()
            .map_err(|reason| ShimError::NoCompiler { name, reason })?;
        if built.status.success() {
            return Ok(library);
        }
        let said = String::from_utf8_lossy(&built.stderr).trim().to_owned();
        Err(ShimError::Refused { name, said })
    }
}

/// The value of [`PRELOAD`] for several libraries.
#[must_use]
pub fn preload(libraries: &[PathBuf]) -> OsString {
    let names: Vec<_> = libraries.iter().map(|library| library.as_os_str()).collect();
    names.join(std::ffi::OsStr::new(":"))
}

//! Everything that tries this program, in its full counts, one part after the other.
//!
//! A part is one or several commands, each a process of its own; [`parts`] is the only place that names
//! them. What came of each stands in a file ([`record`]): stopped at any moment, a run goes on with the
//! command that it was at, and what passed at the same version is not run again. At the end there is a
//! table for `docs/reliability.md` ([`table`]).

pub mod parts;
pub mod record;
pub mod run;
pub mod table;
pub mod version;
pub mod watch;

use std::path::PathBuf;

/// Why the parts could not be run at all. That one of them failed is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum FullError {
    /// A file or folder.
    #[error("{}: {reason}", path.display())]
    System {
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// Results that nobody of ours wrote.
    #[error("{}: {reason}; move it away, and every part is run anew", path.display())]
    Results {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: serde_json::Error,
    },
    /// Another run.
    #[error("another run is at work in {}; wait for it, or use --dir", .0.display())]
    Busy(PathBuf),
    /// No such part.
    #[error("there is no part {found}; there are {known}")]
    UnknownPart {
        /// What was asked for.
        found: String,
        /// All names.
        known: String,
    },
}

impl FullError {
    fn of(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |reason| Self::System { path, reason }
    }
}

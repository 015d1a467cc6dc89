//! Why a command failed, and the exit code that tells scripts.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::client::ClientError;
use crate::import::ImportError;
use crate::token::TokenError;

/// Exit codes; documented in the help and never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Policy, or a missing right, declined.
    Declined = 3,
    /// The node cannot be reached.
    Unreachable = 4,
    /// Done, and something was found that somebody must look at.
    Findings = 5,
    /// Done, and something that is needed to tell was not there.
    CannotTell = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Declined => 3,
            Exit::Unreachable => 4,
            Exit::Findings => 5,
            Exit::CannotTell => 6,
        })
    }
}

/// Why a command failed. The text says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A file could not be read or written.
    #[error("{doing} {}: {reason}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The output could not be written.
    #[error("the output could not be written: {0}")]
    Output(std::io::Error),
    /// Arguments that do not go together, or do not parse.
    #[error("{0}")]
    Usage(String),
    /// A file has mistakes; each is listed with its place.
    #[error("{0}")]
    Mistakes(String),
    /// What was asked for cannot be done; the text says why and what to do.
    #[error("{0}")]
    Failed(String),
    /// The running node was not reached, or said no.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Access tokens.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The file to import.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Done; these were found.
    #[error("{0}")]
    Findings(String),
    /// Done; so much could not be told.
    #[error("{0}")]
    CannotTell(String),
}

impl CommandError {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::File { .. } | Self::Output(_) | Self::Mistakes(_) | Self::Failed(_) => {
                Exit::Failed
            }
            Self::Token(_) => Exit::Failed,
            Self::Client(ClientError::Unreachable { .. }) => Exit::Unreachable,
            Self::Client(ClientError::Problem(problem)) if matches!(problem.status, 401 | 403) => {
                Exit::Declined
            }
            Self::Client(_) => Exit::Failed,
            Self::Import(_) => Exit::Findings,
            Self::Usage(_) => Exit::Usage,
            Self::Findings(_) => Exit::Findings,
            Self::CannotTell(_) => Exit::CannotTell,
        }
    }
}

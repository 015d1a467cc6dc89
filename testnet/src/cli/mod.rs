//! The subcommands of testnet: arguments in, text out.

pub mod bench;
pub mod demo;
pub mod italy;
pub mod up;

/// Why a command failed, in words.
pub type Failed = Box<dyn std::error::Error>;

/// A runtime for a command.
///
/// # Errors
/// When the system has no threads left.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

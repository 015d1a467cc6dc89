//! The auditor's program: no network, no clock, and nothing written but the page that is asked for.

use std::process::ExitCode;

use clap::Parser;
use reeve_audit::program::{AuditCommand, run};

/// Checks what jurisdictions signed, offline and alone.
#[derive(Debug, Parser)]
#[command(name = "reeve-audit", version)]
struct Arguments {
    #[command(subcommand)]
    command: AuditCommand,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(done) => {
            print(&done.text);
            ExitCode::from(done.exit_code())
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A reader that has gone, such as `head`, is no failure.
fn print(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stdout().write_all(text.as_bytes());
}

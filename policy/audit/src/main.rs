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
            // A reader that has gone, such as `head`, is no failure.
            let _ = done.print(&mut std::io::stdout());
            ExitCode::from(done.exit_code())
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

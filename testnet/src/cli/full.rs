//! `testnet full`: every part, in its full counts; and `watch`, which it runs them by.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use reeve_testnet::full::parts::Part;
use reeve_testnet::full::record::Results;
use reeve_testnet::full::run::{Spec, Told, run as run_parts};
use reeve_testnet::full::table::{failed, markdown, plan, took};
use reeve_testnet::full::version::Version;
use reeve_testnet::full::watch::watch;

use super::Failed;

/// What to run.
#[derive(Debug, Args)]
#[command(
    after_help = "To be run in a clone of the repository, in a release build. Stopped at any moment, it goes on with the\ncommand that it was at; what passed at the same version is not run again. What each command printed\nis kept in the folder.\n\nExamples:\n  cargo run --release -p reeve-testnet -- full --list\n  cargo run --release -p reeve-testnet -- full --data shared/data/italy\n  testnet full --only sim,kills --dir /var/tmp/full\n  testnet full --quick              a little of everything, to see that it works\n\nExit codes: 0 every part passed, or was left out for the reason that is told; 1 one did not."
)]
pub struct Arguments {
    /// Print the parts, their commands and how long they take; run nothing.
    #[arg(long)]
    list: bool,
    /// Only these parts.
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<String>,
    /// Also what passed at this version.
    #[arg(long)]
    again: bool,
    /// A little of everything, to see that it works.
    #[arg(long)]
    quick: bool,
    /// Folder with Italy's published files; default: as `testnet italy`. Without them that part is left
    /// out.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Where results and what the commands printed are kept.
    #[arg(long, value_name = "FOLDER", default_value = "target/full")]
    dir: PathBuf,
}

/// Runs them.
///
/// # Errors
/// When a part failed, or could not be run at all.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let parts = Part::chosen(&arguments.only)?;
    let data = arguments.data.clone().or_else(reeve_examples::italy::data_folder);
    let data = data.as_deref();
    anstream::print!("{}", plan(&parts, arguments.quick, data));
    if arguments.list {
        return Ok(ExitCode::SUCCESS);
    }
    let mut results = Results::open(&arguments.dir)?;
    let version = Version::here()?;
    anstream::println!("Version {version}\n");
    let spec = Spec { quick: arguments.quick, again: arguments.again, data, version };
    run_parts(&parts, &spec, &mut results, tell)?;
    anstream::println!("\nVersion {}:\n", spec.version);
    anstream::print!("{}", markdown(&parts, &results, data));
    let failed = failed(&parts, &results);
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(format!(
        "failed: {}; what they printed is in {}",
        failed.join(", "),
        arguments.dir.display()
    )
    .into())
}

fn tell(told: &Told<'_>) {
    match told {
        Told::LeftOut(part, why) => anstream::println!("{}: left out: {why}", part.name),
        Told::Before(part, record) => {
            anstream::println!("{}: `{}` passed before", part.name, record.command);
        }
        Told::Begins(part, command, log) => {
            anstream::println!("{}: `{command}` begins; it prints to {}", part.name, log.display());
        }
        Told::Ended(part, record) => {
            let (verdict, took) = (record.verdict, took(record.seconds));
            anstream::println!("{}: {verdict:?} in {took}", part.name);
            for figure in &record.figures {
                anstream::println!("    {figure}");
            }
        }
    }
}

/// A command to be watched.
#[derive(Debug, Args)]
pub struct Watched {
    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs it for as long as standard input is open.
///
/// # Errors
/// When it cannot be started.
pub fn run_watched(watched: &Watched) -> Result<ExitCode, Failed> {
    let (program, arguments) = watched.command.split_first().ok_or("no command")?;
    let ended = watch(program, arguments)?;
    let good = ended.is_some_and(|status| status.success());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

//! The testnet command: federations of Reeve nodes on one machine.
#![allow(clippy::disallowed_methods, reason = "a test network measures by the machine's clock")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod cli;

/// Federations of Reeve nodes on this machine: to watch, to try, to measure.
#[derive(Debug, Parser)]
#[command(
    name = "testnet",
    version,
    after_help = "Exit codes: 0 done; 1 failed; 2 wrong usage; 5 figures differ."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A nation, its regions and municipalities live through a synthetic outbreak.
    Demo(cli::demo::Arguments),
    /// Italy's published figures through 129 nodes, day by day.
    Italy(cli::italy::Arguments),
    /// One process per node of a topology file; their folders stay.
    Up(cli::up::Arguments),
    /// Speed, memory and bytes of whole nodes, beside their targets.
    Bench(cli::bench::Arguments),
    /// Federations under virtual time, with faults drawn from seeds.
    Sim(cli::sim::Arguments),
    /// Programs that try to learn what they are not told.
    Attack(cli::attack::Arguments),
    /// Hostile bytes to every decoder and parser, each in a process that is watched.
    Fuzz(cli::fuzz::Arguments),
    /// Processes that are killed or kept away, and what must hold all the same.
    Trial(cli::trial::Arguments),
    /// Fourteen real processes under all kinds of faults, several at a time.
    Chaos(cli::chaos::Arguments),
    /// Writes to a store: started by `trial stores`.
    #[command(hide = true)]
    StoreWorker(cli::stores::WorkerArguments),
    /// Looks at a store: started by `trial stores`.
    #[command(hide = true)]
    StoreCheck(cli::stores::CheckArguments),
    /// All that is tried, in full counts; it goes on where it was stopped.
    Full(cli::full::Arguments),
    /// A command that ends when standard input does.
    #[command(hide = true)]
    Watch(cli::full::Watched),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Demo(arguments) => cli::demo::run(&arguments),
        Command::Italy(arguments) => cli::italy::run(&arguments),
        Command::Up(arguments) => cli::up::run(&arguments),
        Command::Bench(arguments) => cli::bench::run(&arguments),
        Command::Sim(arguments) => cli::sim::run(&arguments),
        Command::Attack(arguments) => cli::attack::run(&arguments),
        Command::Fuzz(arguments) => cli::fuzz::run(&arguments),
        Command::Trial(arguments) => cli::trial::run(&arguments),
        Command::Chaos(arguments) => cli::chaos::run(&arguments),
        Command::StoreWorker(arguments) => cli::stores::write(arguments),
        Command::StoreCheck(arguments) => cli::stores::check(arguments),
        Command::Full(arguments) => cli::full::run(&arguments),
        Command::Watch(watched) => cli::full::run_watched(&watched),
    };
    done.unwrap_or_else(|error| {
        anstream::eprintln!("testnet: {error}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
#[expect(clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use reeve_testnet::full::parts::{PARTS, Program};

    use super::*;

    #[test]
    fn every_command_of_full_is_one_of_this_program() {
        let steps = PARTS.iter().flat_map(|part| part.steps);
        let own: Vec<_> = steps.filter(|step| step.program == Program::Testnet).collect();
        assert!(own.len() > 10, "the search is broken");
        for step in own {
            for quick in [false, true] {
                let words = step.arguments(quick, Some(Path::new("data")));
                let words = core::iter::once(OsString::from("testnet")).chain(words);
                if let Err(error) = Arguments::try_parse_from(words) {
                    panic!("{}: {error}", step.shown(quick));
                }
            }
        }
    }
}

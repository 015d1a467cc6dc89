//! `testnet attack`: programs that try to learn what they are not told.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use reeve_sim::attack::{Defence, Recovered, attack};

use super::Failed;

/// What is attacked.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Persons behind protected figures, by whoever sees all that a superior and two of its subordinates see.
    Disclosure(Disclosure),
}

/// How often, and against what.
#[derive(Debug, Args)]
#[command(after_help = "\
A superior and two of its four subordinates put together every edition of every class that they are told,
their own records, and the program itself. They subtract editions, classes, levels, sums, parts and other
indicators from each other, and tighten what is left until nothing changes. What counts is what they are
sure of, and right about: a row of fewer persons than the floor, or a change of one by fewer.

With --without one defence is left out, and they must find somebody. Most are left out in a build with
the feature `bugs` only:
  cargo run -p reeve-testnet --features bugs -- attack disclosure --without step

Examples:
  testnet attack disclosure
  testnet attack disclosure --federations 2000
  testnet attack disclosure --without overlap

Exit codes: 0 nothing was found, or with --without something; 5 the other way round.")]
struct Disclosure {
    /// How many federations
    #[arg(long, default_value_t = 200)]
    federations: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Leave one defence out
    #[arg(long, value_name = "DEFENCE", value_parser = PossibleValuesParser::new(Defence::ALL.map(Defence::name)))]
    without: Option<String>,
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let What::Disclosure(disclosure) = &arguments.what;
    let name = disclosure.without.as_deref();
    let without =
        name.and_then(|name| Defence::ALL.into_iter().find(|defence| defence.name() == name));
    if let Some(defence) = without.filter(|defence| !defence.can_be_left_out()) {
        let name = defence.name();
        return Err(format!(
            "this build keeps the defence {name:?}; use `cargo run -p reeve-testnet --features \
             bugs -- attack disclosure --without {name}`"
        )
        .into());
    }
    let recovered = attack(disclosure.federations, disclosure.from, without);
    tell(&recovered, without);
    let right = recovered.untrue == 0 && (recovered.found() > 0) == without.is_some();
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::from(5) })
}

fn tell(recovered: &Recovered, without: Option<Defence>) {
    let Recovered { federations, editions, small_rows, rows_found, .. } = recovered;
    let Recovered { small_steps, steps_found, untrue, .. } = recovered;
    let left_out = without.map_or_else(String::new, |it| format!(", without {}", it.name()));
    anstream::println!("{federations} federations, {editions} tables told{left_out}");
    anstream::println!("rows of fewer persons than the floor   {rows_found} found of {small_rows}");
    anstream::println!(
        "changes by fewer persons than that     {steps_found} found of {small_steps}"
    );
    anstream::println!("bounds that do not hold the truth      {untrue}");
}

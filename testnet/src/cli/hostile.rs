//! `testnet trial hostile`: a real node under attack.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use reeve_testnet::bench::machine::Machine;
use reeve_testnet::hostile::attacks::{self, Attack};
use reeve_testnet::hostile::{Bounds, HostileError, HostileSpec, Outcome, play};
use reeve_testnet::processes::Leash;
use serde_json::json;

use super::Failed;
use super::trial::Store;

/// How an attack fared.
#[derive(Debug, Args)]
#[command(after_help = "\
Each attack has a federation of its own. What is out of its bound is named, the folder of that attack is
kept, and the command fails.

Examples:
  testnet trial hostile --list
  testnet trial hostile --attack lengths --attack storage --each-seconds 60")]
pub struct Hostile {
    /// Store engine
    #[arg(long, value_enum, default_value = "redb")]
    engine: Store,
    /// How long each attack lasts, in seconds
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    each_seconds: u64,
    /// How long honest people work before and after it, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    calm_seconds: u64,
    /// One attack, by name; may be given several times; else all
    #[arg(long, value_name = "NAME")]
    attack: Vec<String>,
    /// Say which attacks there are
    #[arg(long)]
    list: bool,
    /// One line of JSON for each attack
    #[arg(long)]
    json: bool,
}

impl Hostile {
    /// Whether only the names are wanted.
    pub(super) fn lists(&self) -> bool {
        self.list
    }

    /// Says which attacks there are.
    pub(super) fn tell_names() {
        for attack in attacks::all() {
            anstream::println!("{:<16} {}", attack.name, attack.what);
        }
    }

    fn chosen(&self) -> Result<Vec<Attack>, Failed> {
        if self.attack.is_empty() {
            return Ok(attacks::all());
        }
        let named = |name: &String| {
            Attack::named(name)
                .ok_or_else(|| format!("there is no attack {name}; --list names them").into())
        };
        self.attack.iter().map(named).collect()
    }

    /// The trial, to be run in a thread of its own.
    pub(super) fn work(
        &self,
        folder: PathBuf,
        leash: Leash,
    ) -> Result<impl FnOnce() -> Result<Vec<Outcome>, HostileError> + use<>, Failed> {
        let attacks = self.chosen()?;
        let json = self.json;
        let spec = HostileSpec {
            folder,
            engine: self.engine.engine(),
            each: Duration::from_secs(self.each_seconds),
            calm: Duration::from_secs(self.calm_seconds),
            bounds: Bounds::default(),
        };
        Ok(move || {
            let mut outcomes = Vec::new();
            for attack in attacks {
                anstream::eprintln!("{}: {}", attack.name, attack.what);
                let outcome = play(&spec, attack, &leash)?;
                for fault in &outcome.faults {
                    anstream::eprintln!("  {fault}");
                }
                if json {
                    anstream::println!("{}", line(&outcome));
                }
                outcomes.push(outcome);
            }
            Ok(outcomes)
        })
    }

    /// Prints the table; whether everything held.
    pub(super) fn tell(&self, outcomes: &[Outcome]) -> bool {
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        let head = [
            "attack",
            "tried",
            "accepted",
            "refused",
            "change ms before",
            "during",
            "after",
            "query ms before",
            "during",
            "after",
            "failed",
            "peak MB",
            "fds",
            "threads",
            "rest s",
            "rest %",
            "store MB",
            "log/s",
            "held",
        ];
        table.set_header(head);
        outcomes.iter().for_each(|outcome| {
            table.add_row(row(outcome));
        });
        let numbers = table.column_iter_mut().skip(1);
        numbers.for_each(|column| column.set_cell_alignment(CellAlignment::Right));
        anstream::println!("{table}");
        let machine = Machine::here();
        anstream::println!(
            "Times are p50/p99; {} s each on {} cores ({}), {} build, load {}",
            self.each_seconds,
            machine.cores,
            machine.cpu,
            machine.profile,
            machine.load
        );
        let held = outcomes.iter().filter(|outcome| outcome.faults.is_empty()).count();
        anstream::println!("{held} of {} attacks held", outcomes.len());
        held == outcomes.len()
    }
}

fn row(outcome: &Outcome) -> Vec<String> {
    let ms = |of: fn(&reeve_testnet::hostile::Noticed, usize) -> Duration| {
        [&outcome.before, &outcome.during, &outcome.after].map(|noticed| {
            format!("{}/{}", of(noticed, 50).as_millis(), of(noticed, 99).as_millis())
        })
    };
    let [change_before, change, change_after] = ms(reeve_testnet::hostile::Noticed::change);
    let [query_before, query, query_after] = ms(reeve_testnet::hostile::Noticed::query);
    let grown = outcome.store.after.saturating_sub(outcome.store.before);
    vec![
        outcome.attack.to_owned(),
        outcome.attempts.to_string(),
        outcome.accepted.to_string(),
        outcome.refused.to_string(),
        change_before,
        change,
        change_after,
        query_before,
        query,
        query_after,
        outcome.during.failed.to_string(),
        (outcome.most.peak_kb / 1_024).to_string(),
        outcome.most.descriptors.to_string(),
        outcome.most.threads.to_string(),
        format!("{:.0}", outcome.rest.after.as_secs_f64()),
        format!("{:.0}", outcome.rest.work),
        (grown / 1_048_576).to_string(),
        format!("{:.1}", outcome.log_lines_per_second),
        if outcome.faults.is_empty() { "yes" } else { "NO" }.to_owned(),
    ]
}

fn line(outcome: &Outcome) -> serde_json::Value {
    let ms = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let noticed = |noticed: &reeve_testnet::hostile::Noticed| {
        json!({
            "changes": noticed.changes.len(),
            "change_p50_ms": ms(noticed.change(50)),
            "change_p99_ms": ms(noticed.change(99)),
            "queries": noticed.queries.len(),
            "query_p50_ms": ms(noticed.query(50)),
            "query_p99_ms": ms(noticed.query(99)),
            "failed": noticed.failed,
        })
    };
    json!({
        "attack": outcome.attack,
        "attempts": outcome.attempts,
        "accepted": outcome.accepted,
        "refused": outcome.refused,
        "lasted_ms": ms(outcome.lasted),
        "before": noticed(&outcome.before),
        "during": noticed(&outcome.during),
        "after": noticed(&outcome.after),
        "memory_before_kb": outcome.at_first.memory_kb,
        "memory_peak_kb": outcome.most.peak_kb,
        "memory_at_rest_kb": outcome.rest.sample.memory_kb,
        "descriptors_before": outcome.at_first.descriptors,
        "descriptors_most": outcome.most.descriptors,
        "descriptors_at_rest": outcome.rest.sample.descriptors,
        "threads_most": outcome.most.threads,
        "rest_after_ms": ms(outcome.rest.after),
        "work_at_rest_percent": outcome.rest.work,
        "store_before": outcome.store.before,
        "store_after": outcome.store.after,
        "store_growing": outcome.rest.growing,
        "log_lines_per_second": outcome.log_lines_per_second,
        "faults": outcome.faults,
    })
}

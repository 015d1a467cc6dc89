//! `testnet bench`: the machine, and each figure beside its target.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use reeve::config::Engine;
use reeve_testnet::bench::{self, BenchError, Extent, Machine, Measure, machine};
use reeve_testnet::processes::Leash;
use serde_json::json;

use super::{Failed, runtime, unless_stopped};

/// What to measure.
#[derive(Debug, Args)]
#[command(
    after_help = "Targets hold for two cores and a release build.\n\nExamples:\n  cargo run --release -p reeve-testnet -- bench\n  testnet bench bytes --quick\n  testnet bench import --json"
)]
pub struct Arguments {
    /// Which benchmark
    #[arg(value_enum, default_value = "all")]
    which: Which,
    /// One JSON document instead of tables
    #[arg(long)]
    json: bool,
    /// A little of everything, to see that it works
    #[arg(long)]
    quick: bool,
    /// Store engine
    #[arg(long, value_parser = ["redb", "sled"], default_value = "redb")]
    engine: String,
}

/// A benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// One after the other
    All,
    /// A long line list into one node, and its restart
    Import,
    /// From a street to the nation, through five processes
    Latency,
    /// What crosses a leaf's border
    Bytes,
    /// 193 days through 129 nodes
    Italy,
    /// Ten million entries of a ledger into a store
    Ledger,
    /// Half of a long line list out of a node, and for how long its store answers nothing
    Retention,
    /// Checking proof bundles: a day of 3,200 jurisdictions, a year of 107 provinces
    Audit,
}

impl Which {
    /// The benchmarks that it stands for.
    fn each(self) -> Vec<Self> {
        match self {
            Self::All => vec![
                Self::Import,
                Self::Latency,
                Self::Bytes,
                Self::Italy,
                Self::Ledger,
                Self::Audit,
                Self::Retention,
            ],
            one => vec![one],
        }
    }
}

/// Runs it.
///
/// # Errors
/// When a federation cannot be raised or stalls.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let before = Machine::here();
    if !arguments.json {
        anstream::println!(
            "{}, {} cores, {} build; load {}",
            before.cpu,
            before.cores,
            before.profile,
            before.load
        );
        if arguments.quick {
            anstream::println!("A quick run: too little to hold against the targets.");
        } else if before.profile == "debug" {
            anstream::println!("A debug build: the targets hold for release builds.");
        }
    }
    // Declared first, removed last: when nothing writes there any more.
    let folder = tempfile::Builder::new().prefix("reeve-bench-").tempdir()?;
    let runtime = runtime()?;
    let leash = Leash::default();
    let mut all = Vec::new();
    for which in arguments.which.each() {
        let here = folder.path().join(format!("{which:?}"));
        std::fs::create_dir(&here)?;
        let work = measure(&here, arguments, which, &leash);
        let measures = runtime.block_on(unless_stopped(&leash, work))?;
        // A benchmark's files are in the way of the next; those that are left are removed at the end.
        let _ = std::fs::remove_dir_all(&here);
        if !arguments.json {
            anstream::println!("\n{}", table(&measures, arguments.quick));
        }
        all.extend(measures);
    }
    let after = machine::load();
    if arguments.json {
        let document = json!({
            "machine": before,
            "load_after": after,
            "quick": arguments.quick,
            "engine": arguments.engine,
            "measures": all,
        });
        anstream::println!("{document:#}");
    } else {
        anstream::println!("\nload at the end: {}", after.unwrap_or_default());
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(
    folder: &Path,
    arguments: &Arguments,
    which: Which,
    leash: &Leash,
) -> Result<Vec<Measure>, BenchError> {
    let extent = if arguments.quick { Extent::Quick } else { Extent::Full };
    let engine = if arguments.engine == "sled" { Engine::Sled } else { Engine::Redb };
    match which {
        Which::All => Ok(Vec::new()),
        Which::Import => bench::import::run(folder, extent, engine).await,
        Which::Latency => {
            let (folder, leash) = (folder.to_owned(), leash.clone());
            let measuring = move || bench::latency::run(&folder, extent, engine, &leash);
            let measured = tokio::task::spawn_blocking(measuring).await;
            measured.map_err(|_| BenchError::Thread("measures latency"))?
        }
        Which::Ledger => {
            let folder = folder.to_owned();
            let measuring = move || bench::ledger::run(&folder, extent, engine);
            let measured = tokio::task::spawn_blocking(measuring).await;
            measured.map_err(|_| BenchError::Thread("measures the ledger"))?
        }
        Which::Retention => bench::retention::run(folder, extent, engine).await,
        Which::Audit => {
            let (folder, leash) = (folder.to_owned(), leash.clone());
            let measuring = move || bench::audit::run(&folder, extent, &leash);
            let measured = tokio::task::spawn_blocking(measuring).await;
            measured.map_err(|_| BenchError::Thread("measures the auditor's program"))?
        }
        Which::Bytes => bench::bytes::run(folder, extent, engine).await,
        Which::Italy => {
            let measures = bench::italy::run(folder, extent, engine).await?;
            Ok(measures.unwrap_or_else(|| {
                anstream::eprintln!(
                    "SKIPPED italy: the folder of published files was not found; see \
                     examples/italy/README.md and REEVE_ITALY_DATA"
                );
                Vec::new()
            }))
        }
    }
}

fn table(measures: &[Measure], quick: bool) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["measured", "figure", "target", ""]);
    for measure in measures {
        let verdict = if quick { String::new() } else { measure.verdict() };
        table.add_row([measure.what.clone(), measure.value_text(), measure.target_text(), verdict]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

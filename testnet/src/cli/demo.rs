//! `testnet demo`: the nation's table, live.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use reeve_testnet::demo::{Demo, DemoSpec, Line};

use super::{Failed, runtime, told_to_stop};

/// Days shown unless asked otherwise: a month.
const DAYS: u32 = 30;

/// What to show.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  testnet demo --regions 4 --municipalities 5 --days 10")]
pub struct Arguments {
    /// Regions of the nation.
    #[arg(long, default_value_t = 3)]
    regions: u32,
    /// Municipalities of each region.
    #[arg(long, default_value_t = 4)]
    municipalities: u32,
    /// Days to show, the last of them today; default: 30, and then it stays until Ctrl-C.
    #[arg(long)]
    days: Option<u32>,
    /// Seconds that a day of the outbreak takes at least.
    #[arg(long, default_value_t = 3)]
    pace: u64,
    /// Seed of the outbreak: the same seed, the same days.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// Runs it.
///
/// # Errors
/// When the federation cannot be raised or stalls.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    runtime()?.block_on(show(arguments))
}

async fn show(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let folder = tempfile::Builder::new().prefix("reeve-demo-").tempdir()?;
    let nodes = 1 + arguments.regions + arguments.regions * arguments.municipalities;
    anstream::println!(
        "Founding a federation of {nodes} nodes (a nation, {} regions, {} municipalities each)\n\
         with keys, certificates and stores in {} ...",
        arguments.regions,
        arguments.municipalities,
        folder.path().display()
    );
    let days = arguments.days.unwrap_or(DAYS);
    let spec = DemoSpec {
        folder: folder.path().to_owned(),
        regions: arguments.regions,
        municipalities: arguments.municipalities,
        seed: arguments.seed,
        days,
        today: jiff::tz::TimeZone::UTC
            .to_datetime(reeve::clock::wall().to_jiff().unwrap_or_default())
            .date(),
    };
    let mut demo = tokio::select! {
        demo = Demo::raise(&spec) => demo?,
        told = told_to_stop() => return Ok(told.map(|()| ExitCode::SUCCESS)?),
    };
    let mut stopped = false;
    for _ in 0..days {
        stopped = tokio::select! {
            shown = day(&mut demo, arguments.pace) => shown.map(|()| false)?,
            told = told_to_stop() => told.map(|()| true)?,
        };
        if stopped {
            break;
        }
    }
    if arguments.days.is_none() && !stopped {
        told_to_stop().await?;
    }
    anstream::println!("\nStopping {nodes} nodes and removing their folder ...");
    demo.stop().await?;
    Ok(ExitCode::SUCCESS)
}

async fn day(demo: &mut Demo, pace: u64) -> Result<(), Failed> {
    let waited = tokio::time::sleep(Duration::from_secs(pace));
    let reached = demo.day().await?;
    let lines = demo.table().await?;
    print(demo, &lines, reached, demo.verified().await?)?;
    waited.await;
    Ok(())
}

fn print(
    demo: &Demo,
    lines: &[Line],
    reached: Option<Duration>,
    verified: u64,
) -> Result<(), Failed> {
    let mut out = anstream::stdout().lock();
    if std::io::stdout().is_terminal() {
        // Home, and clear what is below.
        write!(out, "\x1b[H\x1b[2J")?;
    }
    let top = demo.town().top()?;
    writeln!(out, "{top} on {}: the nation's figures, as its node has signed them\n", demo.date())?;
    writeln!(out, "{}", table(lines))?;
    match reached {
        Some(reached) => writeln!(
            out,
            "\nLast change, from a municipality to the nation's signed figure: {} ms",
            reached.as_millis()
        )?,
        None => writeln!(out, "\nThe last change did not reach the nation within ten seconds")?,
    }
    writeln!(out, "Statements verified so far: {verified}")?;
    writeln!(out, "\nTry in another terminal:")?;
    let home = demo.town().folder(top)?.display().to_string();
    for command in ["situation", "status", "query confirmed_by_day", "query beds_free", "sent"] {
        writeln!(out, "  cargo run -q -p reeve -- --home {home} {command}")?;
    }
    writeln!(out, "Ctrl-C stops the nodes and removes their folder.")?;
    out.flush()?;
    Ok(())
}

fn table(lines: &[Line]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["indicator", "period", "figure", "units", "edition"]);
    for line in lines {
        let (figure, units, edition) = match &line.view {
            None => ("no figure yet".to_owned(), String::new(), String::new()),
            Some(view) => {
                let figure = reeve::api::Figure::of(view, None).headline();
                (figure, view.counts.to_string(), view.edition.to_string())
            }
        };
        table.add_row([line.title.clone(), line.period.to_string(), figure, units, edition]);
    }
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

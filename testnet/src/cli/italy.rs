//! `testnet italy`: one line per day.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::civil::Date;
use reeve::config::Engine;
use reeve_examples::italy::{Published, WINDOW};
use reeve_statement::names::IndicatorId;
use reeve_statement::release::RevisionReason;
use reeve_testnet::evidence::EvidenceError;
use reeve_testnet::italy::{DayReport, Italy, ItalySpec};
use reeve_testnet::restated::{Difference, EveningReport, Level, NotASum, Restating};
use reeve_testnet::stopwatch::now;

use super::{Failed, runtime};

/// What to run.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  testnet italy shared/data/italy\n  testnet italy DATA --floor5 --to 2020-03-31\n  testnet italy DATA --from 2020-02-24 --to 2025-01-08     every day; the known exceptions are told\n  testnet italy DATA --proof BUNDLES --flips 10000     a proof bundle of each day, as an auditor checks it\n  testnet italy DATA --restatements  what was taken back, evening by evening\n  testnet italy DATA --check        only the files: which regions disagree with their provinces"
)]
pub struct Arguments {
    /// Folder with the published files (see examples/italy/README.md); default: REEVE_ITALY_DATA, or
    /// shared/data/italy beside the repository.
    data: Option<PathBuf>,
    /// First day [default: 2020-02-25]
    #[arg(long)]
    from: Option<Date>,
    /// Last day [default: 2020-09-04]
    #[arg(long)]
    to: Option<Date>,
    /// Protect with floor 5 instead of telling exact figures; every bound must then hold the truth.
    #[arg(long)]
    floor5: bool,
    /// Store engine.
    #[arg(long, value_parser = ["redb", "sled"], default_value = "redb")]
    engine: String,
    /// Where the nodes' folders are kept; default: a temporary folder that is removed.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Print days that agree, too.
    #[arg(long, short)]
    verbose: bool,
    /// Play what the publisher took back: first what stood first, then each correction. After each the
    /// nation must know what was published that evening, row by row. Of all days, unless told from when
    /// to when.
    #[arg(long, conflicts_with_all = ["floor5", "check", "proof", "flips"])]
    restatements: bool,
    /// When all days are through, write a proof bundle of each day's national figure into this folder:
    /// what every node has of it, joined; and check it as an auditor does.
    #[arg(long, value_name = "FOLDER")]
    proof: Option<PathBuf>,
    /// Change one bit of one statement of these bundles at random, so many times; none may pass. Without
    /// --proof they are made and not written.
    #[arg(long, value_name = "TIMES", default_value_t = 0)]
    flips: usize,
    /// Only compare the files with each other: provinces and residual rows against each region.
    #[arg(long)]
    check: bool,
}

/// Runs it.
///
/// # Errors
/// When the federation cannot be raised or stalls.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    if arguments.check {
        return check(arguments);
    }
    if arguments.restatements {
        return runtime()?.block_on(restatements(arguments));
    }
    runtime()?.block_on(days(arguments))
}

fn spec(arguments: &Arguments, folder: &Path, window: (Date, Date)) -> ItalySpec {
    ItalySpec {
        data: arguments.data.clone(),
        folder: folder.to_owned(),
        window: (arguments.from.unwrap_or(window.0), arguments.to.unwrap_or(window.1)),
        floor5: arguments.floor5,
        engine: if arguments.engine == "sled" { Engine::Sled } else { Engine::Redb },
    }
}

async fn restatements(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let temporary = tempfile::tempdir()?;
    let folder = arguments.folder.as_deref().unwrap_or(temporary.path());
    let (mut evenings, mut agreeing, mut not_sums) = (0_usize, 0_usize, 0_usize);
    for (level, name) in [(Level::Regions, "regions"), (Level::Provinces, "provinces")] {
        let spec = spec(arguments, &folder.join(name), (Date::MIN, Date::MAX));
        let restating = Restating::raise(&spec, level).await?;
        for date in restating.days(spec.window) {
            for report in restating.day(date).await? {
                evenings += 1;
                agreeing += usize::from(report.agrees());
                not_sums += report.not_sums.len();
                print_evening(&report);
            }
        }
        restating.stop().await?;
    }
    anstream::println!(
        "on {agreeing} of {evenings} evenings the nation knew what was published, row by row"
    );
    anstream::println!(
        "{not_sums} national numbers were published that their regions did not add up to"
    );
    Ok(if agreeing == evenings { ExitCode::SUCCESS } else { ExitCode::from(5) })
}

fn print_evening(report: &EveningReport) {
    let total = IndicatorId::new("totale_casi").ok().and_then(|id| report.nation.get(&id));
    let total = total.or_else(|| report.nation.values().next()).copied().unwrap_or(0);
    let what = match report.at {
        None => "published first".to_owned(),
        Some(at) if report.restated == 0 => format!("restated {at}: the nation's number alone"),
        Some(at) => format!("restated {at}: {} rows, correction", report.restated),
    };
    anstream::println!("{}  total cases {total:>8}  {what}", report.date);
    for NotASum { indicator, figure, published } in &report.not_sums {
        anstream::println!(
            "            {indicator} of the nation was published as {published}; its regions add up to {figure}"
        );
    }
    for Difference { indicator, area, figure, published } in &report.differences {
        anstream::println!(
            "            {indicator} of {area} DIFFERS: {figure}, published {published}"
        );
    }
    for (indicator, reason) in &report.other_reasons {
        let reason = reason.map_or("nothing", RevisionReason::code);
        anstream::println!("            {indicator} was revised for {reason}, EXPECTED correction");
    }
}

fn check(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let folder = arguments.data.clone().or_else(reeve_examples::italy::data_folder);
    let folder = folder.ok_or(reeve_testnet::italy::ItalyError::NoData)?;
    let published = reeve_examples::italy::Published::read(&folder)?;
    let found = published.disagreements();
    for exception in &found {
        anstream::println!(
            "{}  region {}: provinces and residual rows {}, published {}, difference {:+}",
            exception.date,
            exception.region,
            exception.sum,
            exception.published,
            exception.sum - exception.published
        );
    }
    anstream::println!("{} region-days disagree", found.len());
    Ok(if found == published.exceptions { ExitCode::SUCCESS } else { ExitCode::from(5) })
}

async fn days(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let temporary = tempfile::tempdir()?;
    let folder = arguments.folder.as_deref().unwrap_or(temporary.path());
    let spec = spec(arguments, folder, WINDOW);
    let began = now();
    let italy = Italy::raise(&spec).await?;
    anstream::println!(
        "{} nodes stand after {:.1} s",
        italy.town().units().len(),
        began.elapsed().as_secs_f64()
    );
    let days = now();
    let mut summary = Summary::default();
    for date in italy.days(spec.window).collect::<Vec<_>>() {
        let report = italy.day(date).await?;
        summary.add(&report, italy.published());
        if arguments.verbose || !report.agrees() || !report.regions.is_empty() {
            print_day(&report);
        }
    }
    summary.print(days.elapsed());
    let asked = arguments.proof.is_some() || arguments.flips > 0;
    let proven = !asked || prove(&italy, arguments, spec.window).await?;
    italy.stop().await?;
    Ok(if summary.agrees() && proven { ExitCode::SUCCESS } else { ExitCode::from(5) })
}

/// Writes and checks the bundles; whether they pass, and none does that was changed.
async fn prove(italy: &Italy, arguments: &Arguments, window: (Date, Date)) -> Result<bool, Failed> {
    italy.serve().await?;
    if let Some(folder) = &arguments.proof {
        std::fs::create_dir_all(folder)?;
    }
    let dates: Vec<Date> = italy.days(window).collect();
    let (mut pass, mut provinces, mut slowest) = (0, None, Duration::ZERO);
    let (mut flipped, mut unseen) = (0, 0);
    let mut federation = None;
    for (number, date) in dates.iter().enumerate() {
        let evidence = italy.evidence(*date).await?;
        if let Some(folder) = &arguments.proof {
            evidence.write(&folder.join(date.to_string()))?;
        }
        let began = now();
        let audited = evidence.audit()?;
        slowest = slowest.max(began.elapsed());
        pass += usize::from(audited.passes());
        if arguments.verbose || !audited.passes() {
            anstream::println!("{}", audited.report.text());
        }
        provinces = provinces.into_iter().chain([audited.leaves]).min();
        // As many on each day, and one more on the first ones.
        let days = dates.len();
        let times = arguments.flips / days + usize::from(number < arguments.flips % days);
        flipped += times;
        federation = Some(evidence.federation());
        let seed = u64::try_from(number).unwrap_or(0);
        let work = tokio::task::spawn_blocking(move || evidence.flips(times, seed)).await;
        for (file, byte) in work.map_err(|_| EvidenceError::Ended(italy.nation().clone()))?? {
            unseen += 1;
            anstream::println!("{date}: {file} PASSES with byte {byte} changed");
        }
    }
    anstream::println!(
        "{pass} of {} proof bundles pass; each adds the figures of at least {} provinces again, in at most \
         {} ms",
        dates.len(),
        provinces.unwrap_or(0),
        slowest.as_millis()
    );
    if flipped > 0 {
        anstream::println!(
            "{unseen} of {flipped} pass that were changed in one bit of one statement"
        );
    }
    if let (Some(folder), Some(federation)) = (&arguments.proof, federation) {
        let bundle = folder.join("DAY");
        anstream::println!("reeve-audit verify {} --federation {federation}", bundle.display());
    }
    Ok(pass == dates.len() && unseen == 0)
}

fn print_day(report: &DayReport) {
    let published = report.published.map_or_else(|| "nothing".to_owned(), |n| n.to_string());
    let (included, all) = report.included;
    if report.agrees() {
        anstream::println!(
            "{}  nation {} = published {published}   {included} of {all} units   {} ms",
            report.date,
            report.nation,
            report.took.as_millis()
        );
    } else {
        anstream::println!(
            "{}  nation {} DIFFERS from published {published}   {included} of {all} units",
            report.date,
            report.nation
        );
    }
    for (region, (figure, published)) in &report.regions {
        let difference = figure.lo() - published;
        anstream::println!(
            "            region {region}: {figure}, published {published}, difference {difference:+}"
        );
    }
}

#[derive(Default)]
struct Summary {
    days: u32,
    agreeing: u32,
    regions: usize,
    as_listed: u32,
    listed: usize,
    widths: Vec<u64>,
    took: Vec<Duration>,
}

impl Summary {
    fn add(&mut self, report: &DayReport, published: &Published) {
        let exceptions = &published.exceptions;
        self.as_listed += u32::from(report.is_as_listed(exceptions));
        self.listed += exceptions.iter().filter(|listed| listed.date == report.date).count();
        self.days += 1;
        self.agreeing += u32::from(report.agrees());
        self.regions += report.regions.len();
        self.widths.push(report.nation.width());
        self.took.push(report.took);
    }

    /// Whether nothing differs but what the files' own list of exceptions says.
    const fn agrees(&self) -> bool {
        self.as_listed == self.days
    }

    fn print(&self, elapsed: Duration) {
        let middle = |values: &mut Vec<u64>| {
            values.sort_unstable();
            let last = values.last().copied().unwrap_or(0);
            (values.get(values.len() / 2).copied().unwrap_or(0), last)
        };
        let (width, widest) = middle(&mut self.widths.clone());
        let millis = |took: &Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (took, slowest) = middle(&mut self.took.iter().map(millis).collect());
        anstream::println!(
            "{} of {} days agree with the nation's published figure; {} region-days differ",
            self.agreeing,
            self.days,
            self.regions
        );
        anstream::println!(
            "{} days differ otherwise than the {} exceptions that the files list for these days",
            self.days - self.as_listed,
            self.listed
        );
        anstream::println!("width of the nation's bounds: median {width}, widest {widest}");
        anstream::println!(
            "from import to the top: median {took} ms, slowest {slowest} ms; {:.1} s in all",
            elapsed.as_secs_f64()
        );
    }
}

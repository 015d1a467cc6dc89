//! `reeve audit watch`: follows the ledgers of jurisdictions, and cosigns them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use reeve_audit::Verdict;
use reeve_statement::cert::RootList;

use super::identity::{failed, now};
use super::{CommandError, Global, Output, Style, audit_report, files, plain};
use crate::house::{CONFIG_FILE, House};
use crate::watch::{
    Auditor, Code, Finding, Folder, HttpSource, Jurisdiction, Round, Rules, Visited, WatchConfig,
    read_notes, visit,
};

/// Most jurisdictions that are visited at the same time: each waits for its network mostly.
const VISITORS: usize = 8;

/// What to watch.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Reads the ledger of each jurisdiction that the file names, where its node shows it (`[http] ledger`, or with
an auditor's token), and holds it against what was seen before: it must be signed by the unit's node, and go
on from the last checkpoint. What was seen is kept in FOLDER before anything is said. Where a unit turns out
to keep two ledgers, the proof is written there: hand it on, `reeve audit verify` checks it alone.

With an auditor's certificate in the folder of --home (`reeve init`, `reeve request`, and at the unit above
`reeve admit --auditor`) each ledger is cosigned, and the cosignature handed back. Without one: --roots.

Auditors exchange what they have seen with --others: the folder of another auditor, or a copy of what is in
its seen/. A unit that shows two auditors two ledgers is proven within two exchanges.

The report says of each jurisdiction which editions are missing, what was told late, which notices it gave,
which figures it told again with another value, and which requests nothing answers: from the statements that
it shows. What an auditor is shown is for the policy there; else it sees checkpoints alone.

The file, with [[jurisdiction]] for each:
    every_seconds = 60
    late_after_hours = 48
    revision_percent = 20
    [[jurisdiction]]
    unit = \"it/03\"
    ledger = \"http://127.0.0.1:7080\"
    token = \"it-03.token\"               # where it is not open to everybody, and for statements
    statements = true                    # ask for statements too

Examples:
  reeve --home auditor audit watch
  reeve --home auditor audit watch --once --others /mnt/other/seen
  reeve --home auditor audit watch --report
  reeve audit watch watch.toml --roots roots.cbor --folder seen --once --json

Exit codes with --once and --report: 0 every ledger only grew; 5 something is wrong, or editions are
missing; 6 not everything could be checked.")]
pub struct Arguments {
    /// The file of jurisdictions; else watch.toml in the folder of --home
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where to keep what was seen; else watch/ in the folder of --home
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// The federation's roots (roots.cbor), which you have from elsewhere; nothing is cosigned
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// What another auditor has seen; may be given several times
    #[arg(long, value_name = "FOLDER")]
    others: Vec<PathBuf>,
    /// Visit each jurisdiction once
    #[arg(long)]
    once: bool,
    /// Visit nobody: print the standing report of what is kept, on who withholds what
    #[arg(long, conflicts_with_all = ["once", "others"])]
    report: bool,
}

/// By whom and by what is judged.
struct Identity {
    house: Option<House>,
    roots: RootList,
}

impl Identity {
    fn read(arguments: &Arguments, global: &Global) -> Result<Self, CommandError> {
        if let Some(path) = &arguments.roots {
            let roots = RootList::decode(&files::read_bytes(path)?)
                .map_err(|error| CommandError::Mistakes(format!("{}: {error}", path.display())))?;
            return Ok(Self { house: None, roots });
        }
        if !global.home.join(CONFIG_FILE).exists() {
            let text =
                "name the federation's roots with --roots, or an auditor's folder with --home";
            return Err(CommandError::Usage(text.to_owned()));
        }
        let house = House::open(&global.home).map_err(failed)?;
        let roots = house.identity().map_err(failed)?.roots.clone();
        Ok(Self { house: Some(house), roots })
    }

    /// Who cosigns, or why nobody does.
    fn auditor(&self) -> Result<Auditor<'_>, String> {
        let house = self.house.as_ref().ok_or("no auditor's certificate: nothing is cosigned")?;
        let chain = &house.identity().map_err(|error| error.to_string())?.node;
        Auditor::new(house.node_key(), chain, &self.roots, now())
            .map_err(|reason| format!("nothing is cosigned: {reason}"))
    }

    /// Says why nobody cosigns, if that is so and was not said yet.
    fn say_who_cosigns(&self, said: &mut Option<String>, output: &Output) {
        let reason = self.auditor().err();
        if let Some(reason) = reason.as_ref().filter(|reason| said.as_ref() != Some(*reason)) {
            output.note(reason);
        }
        *said = reason;
    }
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let mut identity = Identity::read(arguments, global)?;
    let of_home = |given: &Option<PathBuf>, name: &str| {
        given.clone().unwrap_or_else(|| global.home.join(name))
    };
    let config = WatchConfig::read(&of_home(&arguments.file, "watch.toml")).map_err(failed)?;
    let path = of_home(&arguments.folder, "watch");
    if arguments.report {
        return audit_report::run(&config, &identity.roots, &Folder::look(&path), output);
    }
    let folder = Folder::open(&path).map_err(failed)?;
    let mut silent = None;
    identity.say_who_cosigns(&mut silent, output);
    if arguments.once {
        let notes = notes_of(&arguments.others)?;
        let round = round(&config, &identity, &notes, &folder)?;
        output.show(&round, || describe(&round, &Told::default()))?;
        return match round.verdict {
            Verdict::Pass => Ok(()),
            Verdict::Findings => {
                Err(CommandError::Findings("something is wrong: see above".to_owned()))
            }
            Verdict::CannotTell => {
                Err(CommandError::CannotTell("not everything could be checked".to_owned()))
            }
        };
    }
    let mut told = Told::default();
    loop {
        // A stick that is not there, or a folder that is being replaced, ends nothing.
        let notes = notes_of(&arguments.others).unwrap_or_else(|error| {
            output.note(&error.to_string());
            Vec::new()
        });
        let round = round(&config, &identity, &notes, &folder)?;
        tell(&round, &mut told, output)?;
        std::thread::sleep(Duration::from_secs(config.every_s));
        // Its certificate may have been renewed, or have ended.
        identity = Identity::read(arguments, global).unwrap_or(identity);
        identity.say_who_cosigns(&mut silent, output);
    }
}

fn notes_of(others: &[PathBuf]) -> Result<Vec<String>, CommandError> {
    let mut notes = Vec::new();
    for other in others {
        notes.extend(read_notes(other).map_err(failed)?);
    }
    Ok(notes)
}

/// What was told last of each jurisdiction: what has not changed is not told again.
#[derive(Debug, Default)]
struct Told(std::collections::BTreeMap<String, (Option<u64>, Vec<Finding>)>);

impl Told {
    fn knows(&self, visited: &Visited) -> bool {
        let said = self.0.get(&visited.unit);
        said.is_some_and(|(size, findings)| *size == visited.size && *findings == visited.findings)
    }

    fn remember(&mut self, visited: &Visited) {
        self.0.insert(visited.unit.clone(), (visited.size, visited.findings.clone()));
    }
}

fn tell(round: &Round, told: &mut Told, output: &Output) -> Result<(), CommandError> {
    let news = round.jurisdictions.iter().any(|visited| !told.knows(visited));
    if news && output.is_json() {
        let line = serde_json::to_string(round).map_err(failed)?;
        output.bytes(format!("{line}\n").as_bytes())?;
    } else if news {
        output.bytes(describe(round, told).as_bytes())?;
    }
    round.jurisdictions.iter().for_each(|visited| told.remember(visited));
    Ok(())
}

/// Visits all jurisdictions, a few at a time; the answer is in the order of the file.
fn round(
    config: &WatchConfig,
    identity: &Identity,
    notes: &[String],
    folder: &Folder,
) -> Result<Round, CommandError> {
    let auditor = identity.auditor().ok();
    let rules = Rules { roots: &identity.roots, auditor, others: notes };
    let waiting = Mutex::new(config.jurisdictions.iter().enumerate());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..VISITORS.min(config.jurisdictions.len()) {
            scope.spawn(|| {
                loop {
                    // A visitor that failed holds no lock.
                    let next = waiting.lock().ok().and_then(|mut waiting| waiting.next());
                    let Some((place, jurisdiction)) = next else { return };
                    let visited = visit_one(jurisdiction, &rules, folder);
                    if let Ok(mut done) = done.lock() {
                        done.push((place, visited));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().map_err(failed)?;
    done.sort_by_key(|(place, _)| *place);
    let visited = done.into_iter().map(|(_, visited)| visited);
    Ok(Round::new(now(), visited.collect()))
}

/// What is wrong with one of them keeps nobody from visiting the others.
fn visit_one(jurisdiction: &Jurisdiction, rules: &Rules<'_>, folder: &Folder) -> Visited {
    let Jurisdiction { unit, ledger, token, .. } = jurisdiction;
    match HttpSource::new(ledger, token.as_deref()) {
        Ok(source) => visit(&source, jurisdiction, rules, folder, now())
            .unwrap_or_else(|error| Visited::not_kept(unit, &error)),
        Err(error) => Visited::not_asked(unit, &error.to_string()),
    }
}

fn describe(round: &Round, told: &Told) -> String {
    let mut text = String::new();
    for visited in round.jurisdictions.iter().filter(|visited| !told.knows(visited)) {
        let Visited { unit, term, size, new, statements, cosigned, findings } = visited;
        let state = match (term, size) {
            (Some(term), Some(size)) => format!("term {term}, {size} entries, {new} new"),
            (_, Some(size)) => format!("not reached; {size} entries were seen before"),
            (_, None) => "not reached".to_owned(),
        };
        let cosigned = cosigned.map(|size| format!("; cosigned up to {size}")).unwrap_or_default();
        let shown = match statements {
            0 => String::new(),
            some => format!("; {some} new statements"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}  {state}{shown}{cosigned}", plain(unit));
        for Finding { code, text: what } in findings {
            let _ = writeln!(text, "  {} {}: {}", mark(*code), code.word(), plain(what));
        }
    }
    let verdict = match round.verdict {
        Verdict::Pass => "every ledger only grew",
        Verdict::Findings => "something is wrong",
        Verdict::CannotTell => "not everything could be checked",
    };
    let _ = writeln!(text, "{} {}: {verdict}", plain(&round.at), round.verdict);
    text
}

fn mark(code: Code) -> String {
    match code.verdict() {
        Verdict::Findings => Style::Bad.of("WRONG"),
        Verdict::CannotTell => Style::Doubtful.of("OPEN"),
        Verdict::Pass => Style::Dim.of("NOTE"),
    }
}

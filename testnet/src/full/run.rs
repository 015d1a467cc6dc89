//! Runs what is left to do, step by step.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::Timestamp;

use super::FullError;
use super::parts::{Figures, Part, Program, Step};
use super::record::{Results, StepRecord, Verdict};
use super::version::Version;
use crate::stopwatch::now;

/// How to run.
#[derive(Debug, Clone)]
pub struct Spec<'a> {
    /// Few counts, to see that it works.
    pub quick: bool,
    /// Also what passed at this version.
    pub again: bool,
    /// Italy's published data.
    pub data: Option<&'a Path>,
    /// Version and build.
    pub version: Version,
}

/// What happens, for whoever watches.
#[derive(Debug)]
pub enum Told<'a> {
    /// A part is left out.
    LeftOut(&'a Part, &'static str),
    /// A step passed before.
    Before(&'a Part, &'a StepRecord),
    /// A step begins; what it prints goes to the file.
    Begins(&'a Part, &'a str, &'a Path),
    /// A step ended.
    Ended(&'a Part, &'a StepRecord),
}

/// Whether a step is done for this version.
#[must_use]
pub fn is_done(
    results: &Results,
    part: &Part,
    number: usize,
    step: &Step,
    spec: &Spec<'_>,
) -> bool {
    results.step(part.name, number).is_some_and(|record| {
        record.verdict == Verdict::Passed
            && record.version == spec.version.of(step.program)
            && record.command == step.shown(spec.quick)
    })
}

/// Runs the parts. A step that fails ends its part; the next part is run all the same.
///
/// # Errors
/// [`FullError`], when a step cannot be started or noted.
pub fn run(
    parts: &[&Part],
    spec: &Spec<'_>,
    results: &mut Results,
    mut tell: impl FnMut(&Told<'_>),
) -> Result<(), FullError> {
    for part in parts {
        if let Some(why) = part.left_out(spec.data) {
            tell(&Told::LeftOut(part, why));
            continue;
        }
        for (number, step) in part.steps.iter().enumerate() {
            if !spec.again && is_done(results, part, number, step, spec) {
                if let Some(record) = results.step(part.name, number) {
                    tell(&Told::Before(part, record));
                }
                continue;
            }
            let log = results.folder().join(format!("{}.{}.log", part.name, number + 1));
            let mut record = begun(step, spec, &log);
            results.note(part.name, number, record.clone())?;
            tell(&Told::Begins(part, &record.command, &log));
            finish(step, spec, &mut record)?;
            tell(&Told::Ended(part, &record));
            let failed = record.verdict != Verdict::Passed;
            results.note(part.name, number, record)?;
            if failed {
                break;
            }
        }
    }
    Ok(())
}

fn begun(step: &Step, spec: &Spec<'_>, log: &Path) -> StepRecord {
    StepRecord {
        command: step.shown(spec.quick),
        version: spec.version.of(step.program),
        started: Timestamp::now().strftime("%Y-%m-%d %H:%M").to_string(),
        load: load(),
        seconds: 0.0,
        figures: Vec::new(),
        verdict: Verdict::Stopped,
        log: log.to_owned(),
    }
}

/// Load over the last minute, where the system tells it.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("-").to_owned()
}

/// Runs a step to its end. Its watcher ends it, and all that it started, when this program ends.
fn finish(step: &Step, spec: &Spec<'_>, record: &mut StepRecord) -> Result<(), FullError> {
    let log = File::create(&record.log).map_err(FullError::of(&record.log))?;
    // Progress and errors go beside it: figures are what it printed as its result.
    let beside = record.log.with_extension("err");
    let errors = File::create(&beside).map_err(FullError::of(beside))?;
    let own = std::env::current_exe().map_err(FullError::of("this executable"))?;
    let mut command = Command::new(own);
    command.arg("watch").arg("--").arg(step.executable()?);
    command.args(step.arguments(spec.quick, spec.data));
    command.stdin(Stdio::piped()).stdout(log).stderr(errors);
    if step.program == Program::Cargo && !spec.quick {
        command.env("REEVE_FULL", "1");
    }
    let began = now();
    let mut watcher = command.spawn().map_err(FullError::of("this executable"))?;
    // Held open for as long as this program lives: `wait` would close it.
    let open = watcher.stdin.take();
    let status = watcher.wait().map_err(FullError::of("the watcher"))?;
    drop(open);
    record.seconds = began.elapsed().as_secs_f64();
    record.verdict = if status.success() { Verdict::Passed } else { Verdict::Failed };
    let printed = fs::read(&record.log).map_err(FullError::of(&record.log))?;
    record.figures = figures(step.figures, &String::from_utf8_lossy(&printed));
    Ok(())
}

/// The figures in what a step printed.
fn figures(place: Figures, printed: &str) -> Vec<String> {
    let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    match place {
        Figures::Last(count) => {
            let lines: Vec<String> =
                printed.lines().map(squeezed).filter(|line| !line.is_empty()).collect();
            lines.into_iter().rev().take(count).rev().collect()
        }
        Figures::Tests => {
            let results = || printed.lines().filter_map(|line| line.strip_prefix("test result: "));
            let count = |what: &str| -> u64 { results().filter_map(|it| number(it, what)).sum() };
            let (passed, failed) = (count("passed"), count("failed"));
            vec![format!("{passed} tests passed, {failed} failed")]
        }
    }
}

/// The number before a word of `ok. 12 passed; 0 failed; ...`.
fn number(result: &str, what: &str) -> Option<u64> {
    let words: Vec<&str> = result.split([' ', ';']).collect();
    let at = words.iter().position(|word| *word == what)?;
    words.get(at.checked_sub(1)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_the_last_lines_or_the_sum_of_tests() {
        let printed = "progress\n\n  kills   7 of 9\nlost    none  \n\n";
        assert_eq!(figures(Figures::Last(2), printed), ["kills 7 of 9", "lost none"]);
        let printed = "test result: ok. 12 passed; 0 failed; 0 ignored\nx\n\
            test result: FAILED. 3 passed; 2 failed; 0 ignored\n";
        assert_eq!(figures(Figures::Tests, printed), ["15 tests passed, 2 failed"]);
    }
}

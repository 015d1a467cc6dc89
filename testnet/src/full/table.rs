//! The plan, and the table of what came of it.

use core::fmt::Write as _;
use std::path::Path;

use super::parts::Part;
use super::record::{Results, StepRecord, Verdict};

/// The parts with their commands and about how long each takes.
#[must_use]
pub fn plan(parts: &[&Part], quick: bool, data: Option<&Path>) -> String {
    let mut text = String::new();
    for part in parts {
        let time = if quick { String::new() } else { format!(", about {} min", part.minutes) };
        let _ = writeln!(text, "{}: {}{time}", part.name, part.what);
        match part.left_out(data) {
            Some(why) => {
                let _ = writeln!(text, "    left out: {why}");
            }
            None => {
                for step in part.steps {
                    let _ = writeln!(text, "    {}", step.shown(quick));
                }
            }
        }
    }
    if !quick {
        let here = parts.iter().filter(|part| part.left_out(data).is_none());
        let minutes: u32 = here.map(|part| part.minutes).sum();
        let _ = writeln!(text, "In all about {} h {:02} min.", minutes / 60, minutes % 60);
    }
    text
}

/// What came of the parts, in Markdown.
#[must_use]
pub fn markdown(parts: &[&Part], results: &Results, data: Option<&Path>) -> String {
    let mut text = String::from(
        "| part | command | began (UTC), load | took | figures | verdict |\n|---|---|---|---|---|---|\n",
    );
    for part in parts {
        if let Some(why) = part.left_out(data) {
            let _ = writeln!(text, "| {} | | | | | left out: {why} |", part.name);
            continue;
        }
        for (number, step) in part.steps.iter().enumerate() {
            let Some(record) = results.step(part.name, number) else {
                let shown = step.shown(false);
                let _ = writeln!(text, "| {} | `{shown}` | | | | not run |", part.name);
                continue;
            };
            let _ = writeln!(text, "{}", line(part, record));
        }
    }
    text
}

fn line(part: &Part, record: &StepRecord) -> String {
    let StepRecord { command, started, load, .. } = record;
    let verdict = match record.verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "FAILED",
        Verdict::Stopped => "stopped",
    };
    let figures = record.figures.join("; ").replace('|', "/");
    let took = took(record.seconds);
    let name = part.name;
    format!("| {name} | `{command}` | {started}, {load} | {took} | {figures} | {verdict} |")
}

/// For people: seconds below two minutes, else minutes.
#[must_use]
pub fn took(seconds: f64) -> String {
    if seconds < 120.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}

/// Names of the parts that failed, or were stopped.
#[must_use]
pub fn failed<'a>(parts: &[&'a Part], results: &Results) -> Vec<&'a str> {
    let bad = |part: &&&Part| {
        (0..part.steps.len())
            .filter_map(|number| results.step(part.name, number))
            .any(|record| record.verdict != Verdict::Passed)
    };
    parts.iter().filter(bad).map(|part| part.name).collect()
}

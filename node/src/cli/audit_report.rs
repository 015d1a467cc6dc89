//! The standing report of `reeve audit watch --report`, for people.

use std::fmt::Write as _;

use reeve_audit::Verdict;
use reeve_statement::cert::RootList;

use super::identity::{failed, now};
use super::{CommandError, Output, Style, plain};
use crate::watch::{Folder, Listed, OfJurisdiction, Standing, WatchConfig, standing};

/// Most lines of one kind for each jurisdiction; --json has more.
const LINES: usize = 5;

/// The weekdays, from Monday on.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

pub(super) fn run(
    config: &WatchConfig,
    roots: &RootList,
    folder: &Folder,
    output: &Output,
) -> Result<(), CommandError> {
    let report = standing(config, roots, folder, now()).map_err(failed)?;
    output.show(&report, || describe(&report))?;
    match report.verdict {
        Verdict::Pass => Ok(()),
        Verdict::Findings => {
            Err(CommandError::Findings("something is wrong: see above".to_owned()))
        }
        Verdict::CannotTell => {
            Err(CommandError::CannotTell("not everything could be checked".to_owned()))
        }
    }
}

fn describe(report: &Standing) -> String {
    let mut text = String::new();
    for of_unit in &report.jurisdictions {
        describe_one(&mut text, of_unit, report);
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{} {}", plain(&report.at), report.verdict);
    text
}

fn describe_one(text: &mut String, of_unit: &OfJurisdiction, report: &Standing) {
    let mut line = |what: &str, told: String| {
        let _ = writeln!(text, "  {what:12} {told}");
    };
    line(&Style::Heading.of(&plain(&of_unit.unit)), String::new());
    let reached = of_unit.reached_at.as_deref().unwrap_or("never");
    line("reached", plain(reached));
    if let Some(since) = &of_unit.not_reached_since {
        line("not since", Style::Doubtful.of(&plain(since)));
    }
    for ledger in &of_unit.ledgers {
        let cosigned = ledger.cosigned.map(|size| format!(", cosigned up to {size}"));
        let followed = match ledger.followed {
            0 => String::new(),
            some => format!(", {} statements of {some} entries shown", ledger.shown),
        };
        let (term, size) = (ledger.term, ledger.size);
        let cosigned = cosigned.unwrap_or_default();
        let told = format!("{size} entries{cosigned}{followed}; grew {}", plain(&ledger.grew_at));
        line(&format!("ledger {term}"), told);
        if let Some(since) = &ledger.two_since {
            line("", Style::Bad.of(&format!("TWO LEDGERS, proven {}", plain(since))));
        }
    }
    for found in &of_unit.findings {
        line("found", format!("{}: {}", found.code.word(), plain(&found.text)));
    }
    if of_unit.unreadable > 0 {
        line("damaged", Style::Bad.of(&format!("{} kept statements", of_unit.unreadable)));
    }
    listed(&mut line, "missing", &of_unit.gaps, |gap| {
        format!("{}: editions between {} and {}", plain(&gap.figure), gap.after, gap.next)
    });
    for late in &of_unit.lateness {
        let days = DAYS.iter().zip(late.late_by_weekday).filter(|(_, count)| *count > 0);
        let days: Vec<String> = days.map(|(day, count)| format!("{day} {count}")).collect();
        let days = if days.is_empty() { String::new() } else { format!(" ({})", days.join(", ")) };
        let told = format!(
            "{}: {} of {} periods after more than {} h{days}; in the middle {} h, at most {} h ({})",
            plain(&late.indicator),
            late.late,
            late.told,
            report.late_after_hours,
            late.median_hours,
            late.longest_hours,
            plain(&late.longest)
        );
        line("told", told);
    }
    for (code, count) in &of_unit.notices {
        line("notices", format!("{code}: {count}"));
    }
    listed(&mut line, "revised", &of_unit.revisions, |revised| {
        let reason = revised.reason.as_deref().unwrap_or("no reason");
        format!(
            "{} edition {}: {} to {}, at least {} % ({reason})",
            plain(&revised.figure),
            revised.edition,
            revised.before,
            revised.after,
            revised.percent
        )
    });
    listed(&mut line, "unanswered", &of_unit.unanswered, |open| {
        let indicator = open.indicator.as_deref().unwrap_or("every indicator");
        format!("{} asked for {} at {}", plain(&open.by), plain(indicator), plain(&open.at))
    });
}

fn listed<T>(
    line: &mut impl FnMut(&str, String),
    what: &str,
    all: &Listed<T>,
    tell: impl Fn(&T) -> String,
) {
    for one in all.first.iter().take(LINES) {
        line(what, tell(one));
    }
    let more = all.count.saturating_sub(LINES);
    if more > 0 {
        line("", format!("and {more} more; --json has them"));
    }
}

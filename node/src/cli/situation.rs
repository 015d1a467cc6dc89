//! `reeve situation`: every indicator at a glance, for whoever has the duty.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::civil::Date;
use reeve_statement::completeness::UnitState;

use super::asking::Node;
use super::layout::{SCREEN, fit, left, right, width, wrapped};
use super::texts::{Locale, Text};
use super::threshold::{Thresholds, named};
use super::{CommandError, Global, Output, Style, plain};
use crate::api::{Against, BoundsView, Indication, PopulationView, SinceView, Situation, Stand};
use crate::client::escaped;

/// Units that the text names per state; `--json` names all.
const UNITS_SHOWN: usize = 12;

/// Indicators that the text names together.
const INDICATORS_SHOWN: usize = 4;

/// What units are said to be, those first that somebody must call.
const STATES: [UnitState; 14] = [
    UnitState::Unreachable,
    UnitState::Late,
    UnitState::NeverReported,
    UnitState::NoReport,
    UnitState::Revoked,
    UnitState::Implausible,
    UnitState::OtherDefinition,
    UnitState::Withdrawn,
    UnitState::Declined,
    UnitState::NotAdopted,
    UnitState::Partial,
    UnitState::Awaited,
    UnitState::NotDue,
    UnitState::Left,
];

/// What to look at.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Per indicator, trouble first: how it stands, the figure with its bounds, what has changed since the
period before (for the present state: since the day before) and since the edition before, how many units
and people it includes, how old the newest and the oldest of its data are. Below: who is silent, who declined.

A unit that has not reported adds nothing, and is no zero: while units are missing, a count below its
threshold is `cannot tell`. `*` marks changes between figures that do not include the same units. At a unit
without subordinates this is the unit's own table as it is, as far as policy shows it.

Thresholds that always hold go into thresholds.toml in the node's folder:
  confirmed_by_day = 50
  beds_free = { below = 20 }

Examples:
  reeve situation
  reeve situation --threshold confirmed_by_day=50 --threshold-below beds_free=20
  reeve situation --day 2020-03-01 --json")]
pub struct Arguments {
    /// The day to look at; else the newest period of each indicator that has a figure
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<Date>,
    /// Call it trouble if the figure is at least N; may be given several times
    #[arg(long = "threshold", value_name = "INDICATOR=N", value_parser = named)]
    above: Vec<(String, String)>,
    /// Call it trouble if the figure is less than N
    #[arg(long = "threshold-below", value_name = "INDICATOR=N", value_parser = named)]
    below: Vec<(String, String)>,
    /// The file of thresholds; else thresholds.toml in the node's folder, if it is there
    #[arg(long, value_name = "FILE")]
    thresholds: Option<PathBuf>,
    #[command(flatten)]
    node: Node,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let Arguments { above, below, thresholds, .. } = arguments;
    let thresholds = Thresholds::read(global, thresholds.as_deref(), above, below)?;
    let day = arguments.day.map(|day| format!("?day={}", escaped(&day.to_string())));
    let path = format!("/v1/situation{}", day.unwrap_or_default());
    let mut situation: Situation = arguments.node.client(global)?.get(&path)?;
    thresholds.apply(&mut situation)?;
    output.show(&situation, || describe(&situation, output.locale()))
}

fn describe(situation: &Situation, locale: &Locale) -> String {
    let mut text = heading(situation, locale);
    let lines: Vec<Line> =
        situation.indicators.iter().map(|it| Line::of(it, situation, locale)).collect();
    text.push('\n');
    text.push_str(&table(&lines, locale));
    for part in [silent(situation, locale), notes(situation, locale)] {
        if !part.is_empty() {
            let _ = write!(text, "\n{part}");
        }
    }
    text
}

fn heading(situation: &Situation, locale: &Locale) -> String {
    let at = local(&situation.at, &situation.time_zone);
    let title = format!("{}, {at} ({})", plain(&situation.unit), plain(&situation.time_zone));
    let mut stands: BTreeMap<Stand, u64> = BTreeMap::new();
    for indication in &situation.indicators {
        let count = stands.entry(indication.standing).or_default();
        *count = count.saturating_add(1);
    }
    let stands = stands.iter().map(|(stand, count)| {
        let text = match stand {
            Stand::Alarm => Text::CountAlarm,
            Stand::NotKnown => Text::CountNotKnown,
            Stand::CannotTell => Text::CountCannotTell,
            Stand::Outdated => Text::CountOutdated,
            Stand::Incomplete => Text::CountIncomplete,
            Stand::Complete => Text::CountComplete,
        };
        locale.fill(text, &[&count.to_string()])
    });
    let stands: Vec<String> = stands.collect();
    let count = situation.indicators.len().to_string();
    let label = format!("{}  ", locale.fill(Text::SituationCount, &[&count]));
    let counted = wrapped(&label, &stands, ", ", SCREEN);
    format!("{}\n{counted}\n", Style::Heading.of(&title))
}

/// A moment on the clocks of the unit.
fn local(at: &str, zone: &str) -> String {
    let moment = at.parse::<jiff::Timestamp>().ok();
    let zone = jiff::tz::TimeZone::get(zone).ok();
    match moment.zip(zone) {
        Some((moment, zone)) => {
            let local = moment.to_zoned(zone).datetime();
            format!("{} {:02}:{:02}", local.date(), local.hour(), local.minute())
        }
        None => plain(at),
    }
}

/// One indicator as text.
struct Line {
    stand: Stand,
    word: String,
    title: String,
    period: String,
    /// As under [`HEADINGS`].
    cells: Vec<String>,
    /// The units alone, where there is no figure.
    alone: Option<String>,
}

const HEADINGS: [Text; 6] = [
    Text::HeadFigure,
    Text::HeadSinceDay,
    Text::HeadSinceEdition,
    Text::HeadUnits,
    Text::HeadPeople,
    Text::HeadData,
];

impl Line {
    fn of(indication: &Indication, situation: &Situation, locale: &Locale) -> Self {
        let title = locale.pick(&indication.titles);
        let now = situation.at.parse().ok();
        let age = |at: Option<&String>| age(now?, at?.parse().ok()?, locale);
        let ages = [age(indication.data_touched.as_ref()), age(indication.data_oldest.as_ref())];
        let units = match indication.units.expected {
            0 => "-".to_owned(),
            expected => format!("{}/{expected}", indication.units.included),
        };
        let told = indication.value.map(|it| locale.bounds(it, indication.scale));
        let alone = told.is_none().then(|| units.clone());
        let cells = vec![
            told.unwrap_or_default(),
            change(indication, indication.since_day.as_ref(), locale),
            change(indication, indication.since_edition.as_ref(), locale),
            units,
            people(indication.population.as_ref()),
            match ages {
                [Some(newest), Some(oldest)] if newest != oldest => format!("{newest}-{oldest}"),
                [Some(one), _] | [None, Some(one)] => one,
                [None, None] => "-".to_owned(),
            },
        ];
        Self {
            stand: indication.standing,
            word: word(indication, locale),
            title: plain(title.unwrap_or(&indication.indicator)),
            period: locale.period(&indication.period),
            cells,
            alone,
        }
    }
}

fn word(indication: &Indication, locale: &Locale) -> String {
    let threshold = indication.threshold.as_ref();
    let limit = threshold.map(|it| locale.number(it.value, indication.scale)).unwrap_or_default();
    let answer = threshold.map(|it| it.answer);
    let text = match (indication.standing, answer) {
        (Stand::Alarm, Some(Against::Below)) => Text::AlarmBelow,
        (Stand::Alarm, _) => Text::AlarmAbove,
        (Stand::NotKnown, _) => Text::NotKnown,
        (Stand::CannotTell, _) => Text::CannotTell,
        (Stand::Outdated, _) => Text::Outdated,
        (_, Some(Against::Above)) => Text::FineAbove,
        (_, Some(Against::Below)) => Text::FineBelow,
        (Stand::Incomplete, _) => Text::Incomplete,
        (Stand::Complete, _) => Text::Complete,
    };
    locale.fill(text, &[&limit])
}

fn style(stand: Stand, text: &str) -> String {
    match stand {
        Stand::Alarm | Stand::NotKnown => Style::Bad.of(text),
        Stand::CannotTell | Stand::Outdated | Stand::Incomplete => Style::Doubtful.of(text),
        Stand::Complete => Style::Good.of(text),
    }
}

fn change(indication: &Indication, since: Option<&SinceView>, locale: &Locale) -> String {
    let Some(since) = since else { return "-".to_owned() };
    let Some(change) = since.change else { return "?".to_owned() };
    let mark = if since.same_units { "" } else { "*" };
    let told = format!("{}{mark}", signed(change, indication.scale, locale));
    match &since.reason {
        Some(reason) if (change.lo, change.hi) != (0, 0) => {
            locale.fill(Text::BecauseOf, &[&told, &locale.of_code("reason", reason)])
        }
        _ => told,
    }
}

/// A change as what it is: with its sign, also below zero.
fn signed(BoundsView { lo, hi }: BoundsView, scale: u8, locale: &Locale) -> String {
    let signed = |value: i64| match value {
        0 => "0".to_owned(),
        1.. => format!("+{}", locale.number(value, scale)),
        _ => locale.number(value, scale),
    };
    match lo == hi {
        true => signed(lo),
        false => locale.fill(Text::Interval, &[&signed(lo), &signed(hi)]),
    }
}

fn people(population: Option<&PopulationView>) -> String {
    let Some(population) = population else { return "-".to_owned() };
    match population.percent() {
        Some((least, most)) if least == most => format!("{least}%"),
        Some((least, most)) => format!("{least}-{most}%"),
        None => "?".to_owned(),
    }
}

/// How long ago something was, in its greatest unit of time.
fn age(now: jiff::Timestamp, at: jiff::Timestamp, locale: &Locale) -> Option<String> {
    let seconds = now.as_second().saturating_sub(at.as_second()).max(0);
    let units = [
        (2 * 86_400, 86_400, Text::AgeDays),
        (2 * 3_600, 3_600, Text::AgeHours),
        (60, 60, Text::AgeMinutes),
    ];
    let Some((_, divisor, unit)) = units.into_iter().find(|(from, _, _)| seconds >= *from) else {
        return Some(locale.say(Text::AgeUnderMinute).to_owned());
    };
    Some(locale.fill(unit, &[&seconds.checked_div(divisor)?.to_string()]))
}

/// Two lines per indicator: what it is, and below it the numbers in columns.
fn table(lines: &[Line], locale: &Locale) -> String {
    let words = lines.iter().map(|line| width(&line.word)).max().unwrap_or(0).max(10);
    let columns: Vec<usize> = HEADINGS
        .iter()
        .enumerate()
        .map(|(at, heading)| {
            let told = lines.iter().filter(|line| line.alone.is_none());
            let cells = told.filter_map(|line| line.cells.get(at));
            cells.map(|cell| width(cell)).max().unwrap_or(0).max(width(locale.say(*heading)))
        })
        .collect();
    let row = |cells: &mut dyn Iterator<Item = String>| {
        let cells: Vec<_> =
            cells.zip(&columns).map(|(cell, columns)| right(&cell, *columns)).collect();
        format!("{}  {}", left("", words), cells.join("  "))
    };
    let all = row(&mut HEADINGS.iter().map(|heading| locale.say(*heading).to_uppercase()));
    let wide = width(&all).max(SCREEN.saturating_sub(2));
    let mut text = format!("{}\n", Style::Dim.of(&all));
    for line in lines {
        let room = wide.saturating_sub(words.saturating_add(4)).saturating_sub(width(&line.period));
        let word = style(line.stand, &left(&line.word, words));
        // Of what is not known there are no numbers but those of the units.
        let units = line.alone.as_deref().map(|units| format!("{units}  ")).unwrap_or_default();
        let room = room.saturating_sub(width(&units));
        let title = Style::Heading.of(&left(&fit(&line.title, room), room));
        let _ = writeln!(text, "{word}  {title}  {units}{}", line.period);
        if line.alone.is_none() {
            let _ = writeln!(text, "{}", row(&mut line.cells.iter().cloned()).trim_end());
        }
    }
    text
}

/// Units by state, and those together that it is about in the same indicators.
fn silent(situation: &Situation, locale: &Locale) -> String {
    let mut by_state: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for indication in &situation.indicators {
        for exception in &indication.exceptions {
            let units = by_state.entry(&exception.state).or_default();
            units.entry(&exception.unit).or_default().insert(&indication.indicator);
        }
    }
    let known = STATES.iter().map(|state| state.code());
    let other: Vec<&str> =
        by_state.keys().copied().filter(|code| !known.clone().any(|it| it == *code)).collect();
    let word = |code: &str| locale.of_code("state", code);
    let codes: Vec<&str> = known.chain(other).filter(|code| by_state.contains_key(code)).collect();
    let columns = codes.iter().map(|code| width(&word(code))).max().unwrap_or(0);
    let mut text = String::new();
    for code in codes {
        let mut alike: BTreeMap<&BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
        for (unit, indicators) in by_state.get(code).into_iter().flatten() {
            alike.entry(indicators).or_default().push(unit);
        }
        let mut label = word(code);
        for (indicators, units) in alike {
            let pieces = together(situation, &units, indicators, locale);
            let _ = writeln!(
                text,
                "{}",
                wrapped(&format!("{}  ", left(&label, columns)), &pieces, " ", SCREEN)
            );
            label.clear();
        }
    }
    text
}

/// Units, and after a colon the indicators, unless it is all of them.
fn together(
    situation: &Situation,
    units: &[&str],
    indicators: &BTreeSet<&str>,
    locale: &Locale,
) -> Vec<String> {
    let mut pieces: Vec<String> =
        units.iter().take(UNITS_SHOWN).map(|unit| name(situation, unit, locale)).collect();
    if let Some(more) = units.len().checked_sub(UNITS_SHOWN).filter(|more| *more > 0) {
        pieces.push(locale.fill(Text::AndMore, &[&more.to_string()]));
    }
    let mut about = if indicators.len() == situation.indicators.len() {
        Vec::new()
    } else {
        listed(indicators, locale)
    };
    for list in [&mut pieces, &mut about] {
        let last = list.len().saturating_sub(1);
        for piece in list.iter_mut().take(last) {
            piece.push(',');
        }
    }
    if let Some(last) = pieces.last_mut().filter(|_| !about.is_empty()) {
        last.push(':');
    }
    pieces.extend(about);
    pieces
}

/// Indicators by name, or how many, if they are many.
fn listed(indicators: &BTreeSet<&str>, locale: &Locale) -> Vec<String> {
    if indicators.len() > INDICATORS_SHOWN {
        return vec![locale.fill(Text::IndicatorsOf, &[&indicators.len().to_string()])];
    }
    indicators.iter().map(|it| plain(it)).collect()
}

/// A unit with its name, if that is known here.
fn name(situation: &Situation, unit: &str, locale: &Locale) -> String {
    if unit == "." {
        return locale.say(Text::ThisUnit).to_owned();
    }
    match situation.names.get(unit).and_then(|names| locale.pick(names)) {
        Some(name) => format!("{} {}", plain(unit), plain(name)),
        None => plain(unit),
    }
}

fn notes(situation: &Situation, locale: &Locale) -> String {
    let all = &situation.indicators;
    let mut notes = Vec::new();
    let changes = all.iter().flat_map(|it| [it.since_day.as_ref(), it.since_edition.as_ref()]);
    if changes.flatten().any(|since| since.change.is_some() && !since.same_units) {
        notes.push(locale.say(Text::NoteUnits).to_owned());
    }
    for indication in all {
        for revised in &indication.revised {
            let change = revised.change.map(|it| signed(it, indication.scale, locale));
            let places = [
                plain(&indication.indicator),
                revised.periods.to_string(),
                change.unwrap_or_else(|| "?".to_owned()),
                locale.of_code("reason", &revised.reason),
            ];
            let places: Vec<&str> = places.iter().map(String::as_str).collect();
            notes.push(locale.fill(Text::NoteRevised, &places));
        }
    }
    let unknown = all.iter().filter_map(|it| it.population.as_ref()).map(|it| it.units_unknown);
    if let Some(unknown) = unknown.max().filter(|it| *it > 0) {
        notes.push(locale.fill(Text::NotePopulation, &[&unknown.to_string()]));
    }
    let unnamed = all.iter().fold(0_u64, |sum, it| sum.saturating_add(it.exceptions_unnamed));
    if unnamed > 0 {
        notes.push(locale.fill(Text::NoteUnnamed, &[&unnamed.to_string()]));
    }
    let mut unsent: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for indication in all {
        if let Some(code) = &indication.notice {
            unsent.entry(code).or_default().insert(&indication.indicator);
        }
    }
    for (code, indicators) in unsent {
        let why = format!("{}: ", locale.of_code("notice", code));
        notes.push(wrapped(&why, &listed(&indicators, locale), ", ", SCREEN));
    }
    for indication in all {
        if let Some(day) = &indication.sealed_before {
            notes.push(locale.fill(Text::NoteSealed, &[&plain(&indication.indicator), day]));
        }
    }
    let mut quiet: BTreeMap<&[String], BTreeSet<&str>> = BTreeMap::new();
    for indication in all.iter().filter(|it| !it.silent_sources.is_empty()) {
        quiet.entry(&indication.silent_sources).or_default().insert(&indication.indicator);
    }
    for (sources, indicators) in quiet {
        let sources: Vec<String> = sources.iter().map(|it| plain(it)).collect();
        let about = locale.fill(Text::NoteSources, &[&sources.join(", ")]);
        notes.push(wrapped(&format!("{about} "), &listed(&indicators, locale), ", ", SCREEN));
    }
    if all.iter().any(|it| it.own) {
        notes.push(locale.say(Text::NoteOwn).to_owned());
    }
    if !situation.withheld.is_empty() {
        let withheld = situation.withheld.len().to_string();
        notes.push(locale.fill(Text::NoteWithheld, &[&withheld]));
    }
    notes.iter().map(|note| format!("{}\n", Style::Dim.of(note))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::api::{ExceptionView, indication};

    #[test]
    fn every_silence_has_a_line_of_its_own_in_each_language() {
        let silent: Vec<UnitState> =
            UnitState::ALL.iter().copied().filter(|state| *state != UnitState::Reported).collect();
        let mut told = indication(Some((1, 1)), 2);
        let unit = |state: UnitState| format!("03/016/{}", state.code().replace('_', "-"));
        told.exceptions = silent
            .iter()
            .map(|state| ExceptionView {
                unit: unit(*state),
                state: state.code().to_owned(),
                sources: None,
            })
            .collect();
        let situation = Situation {
            unit: "it".to_owned(),
            is_leaf: false,
            at: "2026-03-05T13:00:00Z".to_owned(),
            time_zone: "UTC".to_owned(),
            indicators: vec![told],
            withheld: Vec::new(),
            names: BTreeMap::new(),
        };
        for tag in ["en", "zh", "it", "de"] {
            let locale = super::super::texts::locale(tag).unwrap();
            let screen = describe(&situation, &locale);
            let mut words = BTreeSet::new();
            for state in &silent {
                let line = screen.lines().find(|line| line.contains(&unit(*state))).unwrap();
                let word = locale.of_code("state", state.code());
                assert!(line.starts_with(&word), "{tag}: {line:?} begins with {word:?}\n{screen}");
                assert!(words.insert(word), "{tag}: {state} looks like another one\n{screen}");
            }
            assert!(!screen.contains("state."), "{screen}");
        }
    }
}

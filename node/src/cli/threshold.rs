//! Thresholds that figures are held against: from the command line, or from a file of this house.
//!
//! ```toml
//! # thresholds.toml
//! confirmed_by_day = 50          # trouble from 50 on
//! beds_free = { below = 20 }     # trouble below 20
//! mean_age_by_week = "61.5"      # decimals as texts
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use reeve_crdt::located::{Entry, Problems, Report, Section, integer_of};
use reeve_statement::names::IndicatorId;

use super::files::read_text;
use super::{CommandError, Global};
use crate::api::Situation;

/// The file that is read unless another one is named; it need not be there.
pub(super) const THRESHOLDS_FILE: &str = "thresholds.toml";

const EXPECTED: &str = "a number such as 50 or \"61.5\", or { below = 20 }";

/// A number that a figure is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Threshold {
    /// The number without its point.
    digits: i64,
    /// How many of the digits stand after the point.
    scale: u8,
    /// Whether it is trouble to be below.
    pub(super) alarm_below: bool,
}

impl Threshold {
    fn parse(text: &str, alarm_below: bool) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let bare = whole.strip_prefix('-').unwrap_or(whole);
        let well_formed = !bare.is_empty()
            && plain(bare)
            && plain(fraction)
            && (fraction.is_empty() != text.contains('.'));
        let digits = format!("{whole}{fraction}").parse().ok().filter(|_| well_formed)?;
        Some(Self { digits, scale: u8::try_from(fraction.len()).ok()?, alarm_below })
    }

    /// Times ten to the scale; none: it has more digits after the point than that, or is too large.
    fn at_scale(self, scale: u8) -> Option<i64> {
        let more = u32::from(scale.checked_sub(self.scale)?);
        self.digits.checked_mul(10_i64.checked_pow(more)?)
    }
}

/// Thresholds by indicator.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Thresholds(BTreeMap<String, Threshold>);

/// `INDICATOR=N` of the command line.
pub(super) fn named(text: &str) -> Result<(String, String), String> {
    let (indicator, number) = text
        .split_once('=')
        .ok_or_else(|| "expected an indicator and a number, such as beds_free=20".to_owned())?;
    IndicatorId::new(indicator).map_err(|error| error.to_string())?;
    let parsed = Threshold::parse(number, false);
    parsed.ok_or_else(|| format!("expected a number such as 50 or 61.5, found {number:?}"))?;
    Ok((indicator.to_owned(), number.to_owned()))
}

impl Thresholds {
    /// Those of the file, and over them those of the command line.
    pub(super) fn read(
        global: &Global,
        file: Option<&Path>,
        above: &[(String, String)],
        below: &[(String, String)],
    ) -> Result<Self, CommandError> {
        let usual = global.home.join(THRESHOLDS_FILE);
        let mut thresholds = match file {
            Some(path) => Self::of_file(path)?,
            None if usual.exists() => Self::of_file(&usual)?,
            None => Self::default(),
        };
        for (named, alarm_below) in [(above, false), (below, true)] {
            for (indicator, number) in named {
                // The command line was parsed before.
                let Some(threshold) = Threshold::parse(number, alarm_below) else { continue };
                thresholds.0.insert(indicator.clone(), threshold);
            }
        }
        Ok(thresholds)
    }

    fn of_file(path: &Path) -> Result<Self, CommandError> {
        Self::parse(&path.to_string_lossy(), &read_text(path)?)
            .map_err(|problems| CommandError::Mistakes(problems.to_string()))
    }

    fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let mut report = Report::new(file, text);
        let Some(table) = report.parse() else { return report.finish(None) };
        let root = Section::root(&table);
        let mut thresholds = BTreeMap::new();
        for (key, entry) in root.entries() {
            if IndicatorId::new(key.text).is_err() {
                report.add(key.span.clone(), key.text, "an indicator", key.text, "");
            }
            if let Some(threshold) = read(&root, key.text, entry, &mut report) {
                thresholds.insert(key.text.to_owned(), threshold);
            }
        }
        report.finish(Some(Self(thresholds)))
    }

    /// Holds the figures against them, and puts trouble first.
    pub(super) fn apply(&self, situation: &mut Situation) -> Result<(), CommandError> {
        for (indicator, threshold) in &self.0 {
            let mut figures = situation.indicators.iter_mut();
            if let Some(figure) = figures.find(|it| it.indicator == *indicator) {
                let value = threshold.at_scale(figure.scale).ok_or_else(|| {
                    CommandError::Usage(format!(
                        "the threshold of {indicator} has more digits than its figure, which has {} \
                         after the point",
                        figure.scale
                    ))
                })?;
                figure.hold_against(value, threshold.alarm_below);
            } else if !situation.withheld.contains(indicator) {
                return Err(CommandError::Usage(format!(
                    "a threshold is given for {indicator}, which is not in the catalogue; `reeve \
                     catalogue show` lists the indicators"
                )));
            }
        }
        situation.sort();
        Ok(())
    }
}

fn read(
    root: &Section<'_>,
    key: &str,
    entry: Entry<'_>,
    report: &mut Report<'_>,
) -> Option<Threshold> {
    if let Some(mut table) = entry.section(&root.path_of(key)) {
        let [above, below] = ["above", "below"].map(|side| table.entry(side));
        let found = match (above, below) {
            (Some(side), None) => number(side, false),
            (None, Some(side)) => number(side, true),
            _ => None,
        };
        table.finish(report);
        if found.is_none() {
            root.wrong(key, entry, EXPECTED, "", report);
        }
        return found;
    }
    let found = number(entry, false);
    if found.is_none() {
        root.wrong(key, entry, EXPECTED, "", report);
    }
    found
}

fn number(entry: Entry<'_>, alarm_below: bool) -> Option<Threshold> {
    match entry.value.as_str() {
        Some(text) => Threshold::parse(text, alarm_below),
        None => Some(Threshold { digits: integer_of(entry.value)?, scale: 0, alarm_below }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::api::{Against, Stand, indication};

    #[test]
    fn numbers_are_exact_at_the_figure_s_scale() {
        let at =
            |text: &str, scale| Threshold::parse(text, false).and_then(|it| it.at_scale(scale));
        assert_eq!(at("50", 0), Some(50));
        assert_eq!(at("-50", 2), Some(-5_000));
        assert_eq!(at("61.5", 1), Some(615));
        assert_eq!(at("61.5", 2), Some(6_150));
        assert_eq!(at("61.5", 0), None, "it has no such digit");
        for bad in
            ["", "-", ".5", "5.", "1e3", "1,000", "+5", "--5", "5.-1", "99999999999999999999"]
        {
            assert_eq!(Threshold::parse(bad, false), None, "{bad}");
        }
    }

    #[test]
    fn a_file_says_which_side_is_trouble() {
        let text = "cases = 50\nbeds = { below = 20 }\nage = \"61.5\"\nmasks = { above = 7 }\n";
        let Thresholds(found) = Thresholds::parse("t.toml", text).unwrap();
        let threshold = |digits, scale, alarm_below| Threshold { digits, scale, alarm_below };
        let expected = [
            ("age", threshold(615, 1, false)),
            ("beds", threshold(20, 0, true)),
            ("cases", threshold(50, 0, false)),
            ("masks", threshold(7, 0, false)),
        ];
        let expected: BTreeMap<String, Threshold> =
            expected.into_iter().map(|(name, it)| (name.to_owned(), it)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_mistake_of_a_file_has_its_place() {
        let text = "cases = \"many\"\nbeds = { under = 20 }\nage = 1.5\n\"No Name\" = 3\n";
        let problems = Thresholds::parse("t.toml", text).unwrap_err().to_string();
        for part in ["t.toml:1:", "t.toml:2:", "t.toml:3:", "t.toml:4:", "under"] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
    }

    #[test]
    fn thresholds_are_held_against_their_figures_only() {
        let mut situation = Situation {
            unit: "it".to_owned(),
            is_leaf: false,
            at: String::new(),
            time_zone: "UTC".to_owned(),
            indicators: vec![indication(Some((3, 3)), 3)],
            withheld: vec!["beds".to_owned()],
            names: BTreeMap::new(),
        };
        let text = "cases = { below = 5 }\nbeds = 3\n";
        Thresholds::parse("t.toml", text).unwrap().apply(&mut situation).unwrap();
        let first = situation.indicators.first().unwrap();
        assert_eq!(first.standing, Stand::Alarm);
        assert_eq!(first.threshold.as_ref().unwrap().answer, Against::Below);
        let wrong = Thresholds::parse("t.toml", "case = 5").unwrap().apply(&mut situation);
        assert!(wrong.unwrap_err().to_string().contains("case"));
        let fine = Thresholds::parse("t.toml", "cases = \"5.5\"").unwrap().apply(&mut situation);
        assert!(fine.unwrap_err().to_string().contains("digits"));
    }
}

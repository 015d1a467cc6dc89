//! In which language people are spoken to.
//!
//! Texts are in `table`, by code; titles and names come with the catalogue and the register, in the
//! languages that their authors gave them. JSON is never translated: it has the codes.
//!
//! A plain table, and no library for messages: it has a few hundred short texts without grammar in
//! them, the compiler refuses one that lacks a language, and nothing is parsed while the program runs.
//! Numbers stand after a colon where a language would bend the words before them.

mod table;

use std::collections::BTreeMap;

use super::CommandError;
use super::output::plain;
use crate::api::{BoundsView, CellView, Figure, Problem, number_text};
use crate::client::ClientError;

pub(super) use table::Text;

/// A language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Chinese,
    Italian,
    German,
}

impl Language {
    #[cfg(test)]
    const ALL: [Self; 4] = [Self::English, Self::Chinese, Self::Italian, Self::German];

    /// The language of a primary tag (BCP 47); others are spoken to in English.
    fn of(primary: &str) -> Self {
        match primary {
            "zh" => Self::Chinese,
            "it" => Self::Italian,
            "de" => Self::German,
            _ => Self::English,
        }
    }

    /// What stands between thousands, and before a fraction.
    const fn marks(self) -> (char, char) {
        match self {
            Self::English | Self::Chinese => (',', '.'),
            Self::Italian | Self::German => ('.', ','),
        }
    }
}

/// The language of one person: that of messages, and the tag by which titles and names are chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale {
    language: Language,
    tag: String,
}

/// Longest language tag (RFC 5646 section 4.4.1).
const TAG_BYTES: usize = 35;

/// Variables that say the language, the strongest first (POSIX.1-2024, section 8.2).
const VARIABLES: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];

impl Locale {
    /// English.
    pub(super) fn english() -> Self {
        Self { language: Language::English, tag: "en".to_owned() }
    }

    /// A tag such as `it`, `zh-Hant` or `de_AT.UTF-8`; none: it is no such tag.
    fn of_tag(text: &str) -> Option<Self> {
        let tag = text.split(['.', '@']).next().unwrap_or(text).replace('_', "-");
        let mut parts = tag.split('-');
        let primary = parts.next()?.to_ascii_lowercase();
        let is_primary = (2..=8).contains(&primary.len())
            && primary.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_part = |part: &str| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let well_formed = tag.len() <= TAG_BYTES && is_primary && parts.all(is_part);
        well_formed.then(|| Self { language: Language::of(&primary), tag })
    }

    /// What the surroundings say: the first of the variables that is set. `C` and `POSIX` say nothing.
    fn of_surroundings(look: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = VARIABLES.iter().filter_map(|name| look(name)).find(|value| !value.is_empty());
        let named = set.filter(|value| !matches!(value.as_str(), "C" | "POSIX"));
        named.and_then(|value| Self::of_tag(&value))
    }

    /// That of the option, else of the surroundings, else the first of the house's languages, else English.
    pub(super) fn chosen(option: Option<&Self>, house: impl Fn() -> Option<String>) -> Self {
        let said = || Self::of_surroundings(|name| std::env::var(name).ok());
        let of_house = || house().and_then(|tag| Self::of_tag(&tag));
        option.cloned().or_else(said).or_else(of_house).unwrap_or_else(Self::english)
    }

    /// A text.
    pub(super) const fn say(&self, text: Text) -> &'static str {
        text.text(self.language)
    }

    /// A text with its places filled.
    pub(super) fn fill(&self, text: Text, places: &[&str]) -> String {
        let mut rest = self.say(text);
        let mut filled = String::with_capacity(rest.len());
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let place = after.split_once('}').and_then(|(number, after)| {
                Some((*places.get(number.parse::<usize>().ok()?)?, after))
            });
            match place {
                Some((place, after)) => {
                    filled.push_str(place);
                    rest = after;
                }
                None => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    /// The text of a code of a group; a code that is not known is shown as it is.
    pub(super) fn of_code(&self, group: &str, word: &str) -> String {
        self.known(group, word).map_or_else(|| plain(word), str::to_owned)
    }

    fn known(&self, group: &str, word: &str) -> Option<&'static str> {
        let is_it = |text: &&Text| {
            text.code().strip_prefix(group).and_then(|it| it.strip_prefix('.')) == Some(word)
        };
        Text::ALL.iter().find(is_it).map(|text| self.say(*text))
    }

    /// One of several titles or names: in the language as it was asked for, in its primary language, in
    /// any other form of that, in English, else the first by tag.
    pub(super) fn pick<'a>(&self, titles: &'a BTreeMap<String, String>) -> Option<&'a str> {
        let primary = self.tag.split('-').next().unwrap_or("en");
        let same = |tag: &str, wanted: &str| tag.eq_ignore_ascii_case(wanted);
        let exact = |wanted: &str| titles.iter().find(|(tag, _)| same(tag, wanted));
        let related =
            || titles.iter().find(|(tag, _)| same(tag.split('-').next().unwrap_or(tag), primary));
        exact(&self.tag)
            .or_else(|| exact(primary))
            .or_else(related)
            .or_else(|| exact("en"))
            .or_else(|| titles.iter().next())
            .map(|(_, title)| title.as_str())
    }

    /// A whole number of units of `10^-scale` as it is written here.
    pub(super) fn number(&self, value: i64, scale: u8) -> String {
        let (thousands, fraction) = self.language.marks();
        let mark = |c| match c {
            ',' => thousands,
            '.' => fraction,
            other => other,
        };
        number_text(value, scale).chars().map(mark).collect()
    }

    /// Both ends of an interval, or the one number.
    pub(super) fn bounds(&self, BoundsView { lo, hi }: BoundsView, scale: u8) -> String {
        if lo == hi {
            return self.number(lo, scale);
        }
        self.fill(Text::Interval, &[&self.number(lo, scale), &self.number(hi, scale)])
    }

    /// The value of a cell of a figure, as [`Figure::value_text`].
    pub(super) fn cell(&self, figure: &Figure, cell: &CellView) -> String {
        match figure.mean(cell) {
            None if figure.measure == "mean" => {
                let sum = self.bounds(cell.value, figure.scale);
                self.fill(Text::SumOverCount, &[&sum, &self.bounds(cell.contributors, 0)])
            }
            None => self.bounds(cell.value, figure.scale),
            Some(mean) => self.number(mean, figure.scale.saturating_add(1)),
        }
    }

    /// A period; all but the present are written alike everywhere.
    pub(super) fn period(&self, period: &str) -> String {
        if period == "now" { self.say(Text::PeriodNow).to_owned() } else { plain(period) }
    }

    /// Yes or no.
    pub(super) const fn yes(&self, yes: bool) -> &'static str {
        self.say(if yes { Text::Yes } else { Text::No })
    }

    /// Why a command failed. What has no code is in English.
    pub(super) fn failure(&self, error: &CommandError) -> String {
        match error {
            CommandError::Client(ClientError::Problem(problem)) => self.problem(problem),
            CommandError::Client(ClientError::Unreachable { address, reason }) => {
                self.fill(Text::ErrorUnreachable, &[&address.to_string(), reason])
            }
            other => other.to_string(),
        }
    }

    fn problem(&self, problem: &Problem) -> String {
        let english = ClientError::Problem(Box::new(problem.clone())).to_string();
        if self.language == Language::English {
            return english;
        }
        let Some(title) = self.known("problem", &problem.code) else { return english };
        let reason = problem.reason.as_deref().and_then(|reason| {
            self.known("declined", reason).or_else(|| self.known("refusal", reason))
        });
        let mut translated = problem.clone();
        translated.title = title.to_owned();
        if let Some(detail) = reason.or_else(|| self.known("detail", &problem.code)) {
            translated.detail = detail.to_owned();
        }
        let determining = core::mem::take(&mut translated.determining);
        let mut text = ClientError::Problem(Box::new(translated)).to_string();
        if !determining.is_empty() {
            let decided = self.fill(Text::DecidedBy, &[&determining.join(", ")]);
            text.push(' ');
            text.push_str(&decided);
        }
        text
    }
}

/// The value of `--lang` and of `REEVE_LANG`. An empty one says nothing.
pub(super) fn locale(text: &str) -> Result<Locale, String> {
    if text.is_empty() {
        return Ok(Locale::chosen(None, || None));
    }
    Locale::of_tag(text)
        .ok_or_else(|| "expected a language such as en, zh, it, de or zh-Hant".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use reeve_protocol::refusal::Refusal;
    use reeve_statement::completeness::UnitState;
    use reeve_statement::notice::NoticeCode;
    use reeve_statement::release::RevisionReason;

    use super::*;

    fn places(text: &str) -> Vec<char> {
        let mut places: Vec<char> =
            text.split('{').skip(1).filter_map(|rest| rest.chars().next()).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    #[test]
    fn every_code_has_every_language() {
        let mut codes = std::collections::BTreeSet::new();
        for text in Text::ALL {
            let code = text.code();
            assert!(codes.insert(code), "{code} twice");
            let well_formed = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
            assert!(code.chars().all(well_formed), "{code}");
            for language in Language::ALL {
                let said = text.text(language);
                assert!(!said.trim().is_empty(), "{code} is silent in {language:?}");
                assert_eq!(said.trim(), said, "{code} in {language:?}");
                assert_eq!(
                    places(said),
                    places(text.text(Language::English)),
                    "{code} in {language:?}"
                );
            }
        }
    }

    #[test]
    fn every_code_of_the_core_has_a_text() {
        let english = Locale::english();
        let chinese = Locale::of_tag("zh").unwrap();
        let mut known = Vec::new();
        known.extend(UnitState::ALL.iter().map(|it| ("state", it.code(), Some(it.text()))));
        known.extend(NoticeCode::ALL.iter().map(|it| ("notice", it.code(), None)));
        known.extend(RevisionReason::ALL.iter().map(|it| ("reason", it.code(), None)));
        known.extend(Refusal::ALL.iter().map(|it| ("refusal", it.label(), Some(it.text()))));
        for word in ["superior", "subordinate", "home"] {
            known.push(("peer", word, None));
        }
        for word in ["superior", "neighbour", "public"] {
            known.push(("class", word, None));
        }
        for (group, word, text) in known {
            let told = english.known(group, word);
            assert!(told.is_some(), "{group}.{word}");
            assert!(text.is_none() || told == text, "{group}.{word}: the core says {text:?}");
            assert_ne!(chinese.known(group, word), told, "{group}.{word}");
        }
        assert_eq!(english.of_code("state", "of_the_future"), "of_the_future");
    }

    #[test]
    fn every_problem_of_the_local_api_has_a_text() {
        // Each problem names its status and then its code.
        let source = include_str!("../../http/fault.rs");
        let codes: Vec<&str> =
            source.split("S::").skip(1).filter_map(|rest| rest.split('"').nth(1)).collect();
        assert!(codes.contains(&"declined") && codes.contains(&"no_space"), "{codes:?}");
        for code in codes {
            assert!(Locale::english().known("problem", code).is_some(), "problem.{code}");
        }
    }

    #[test]
    fn the_language_is_that_of_the_option_else_of_the_surroundings() {
        let of = |set: &[(&str, &str)]| {
            let look = |name: &str| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            Locale::of_surroundings(look).unwrap_or_else(Locale::english).language
        };
        assert_eq!(of(&[]), Language::English);
        assert_eq!(of(&[("LANG", "de_AT.UTF-8")]), Language::German);
        assert_eq!(of(&[("LANG", "de_DE"), ("LC_MESSAGES", "it_IT@euro")]), Language::Italian);
        assert_eq!(of(&[("LC_ALL", "zh_CN.UTF-8"), ("LC_MESSAGES", "it_IT")]), Language::Chinese);
        assert_eq!(of(&[("LC_ALL", ""), ("LANG", "it_IT")]), Language::Italian);
        assert_eq!(of(&[("LC_ALL", "C"), ("LANG", "it_IT")]), Language::English);
        assert_eq!(of(&[("LANG", "C.UTF-8")]), Language::English);
        assert_eq!(of(&[("LANG", "fr_FR.UTF-8")]), Language::English);
        let none = Locale::of_surroundings(|_| Some("C.UTF-8".to_owned()));
        assert_eq!(none, None, "the house is asked then");
        assert_eq!(locale("zh-Hant").unwrap().tag, "zh-Hant");
        for bad in ["1", "it-", "-", "it it", "../etc", "d"] {
            assert!(locale(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn titles_come_in_the_nearest_language_there_is() {
        let titles = |tags: &[&str]| -> BTreeMap<String, String> {
            tags.iter().map(|tag| ((*tag).to_owned(), format!("title {tag}"))).collect()
        };
        let pick = |wanted: &str, tags: &[&str]| {
            let titles = titles(tags);
            Locale::of_tag(wanted).unwrap().pick(&titles).map(str::to_owned)
        };
        let title = |tag: &str| Some(format!("title {tag}"));
        assert_eq!(pick("zh-Hant", &["en", "zh", "zh-Hant"]), title("zh-Hant"));
        assert_eq!(pick("zh-Hant", &["en", "zh"]), title("zh"));
        assert_eq!(pick("zh_CN.UTF-8", &["en", "zh-Hans"]), title("zh-Hans"));
        assert_eq!(pick("fr", &["de", "en", "fr"]), title("fr"));
        assert_eq!(pick("it", &["de", "en"]), title("en"));
        assert_eq!(pick("it", &["de", "zh"]), title("de"));
        assert_eq!(pick("it", &[]), None);
    }

    #[test]
    fn numbers_are_written_as_people_read_them() {
        let bounds = BoundsView { lo: 1_204, hi: 1_212 };
        let said =
            ["en", "zh", "it", "de"].map(|tag| Locale::of_tag(tag).unwrap().bounds(bounds, 0));
        assert_eq!(
            said,
            ["1,204 to 1,212", "1,204 至 1,212", "da 1.204 a 1.212", "1.204 bis 1.212"]
        );
        assert_eq!(Locale::of_tag("de").unwrap().number(-1_234_567, 2), "-12.345,67");
    }

    #[test]
    fn what_is_put_in_is_never_taken_for_a_place() {
        let english = Locale::english();
        assert_eq!(english.fill(Text::Interval, &["{1}", "7"]), "{1} to 7");
        assert_eq!(english.fill(Text::Interval, &["1"]), "1 to {1}");
    }
}

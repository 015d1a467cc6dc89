//! From TOML to [`Schema`]: the file's own tables and the checks that need all kinds at once.
//!
//! Every problem goes to the report; reading goes on so that one run names them all.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use reeve_statement::catalogue::Titles;
use reeve_statement::names::KindId;

use super::kind::{
    FieldType, Kind, MAX_SHARDS, Merge, RECORDS_PER_SHARD, Retention, Subject, Twin, shards_for,
};
use super::{MAX_FIELDS, MAX_KINDS, Schema, closure, parse_field};
use crate::located::{Report, Section, Text, excerpt};

/// Records expected of a kind that does not say: one shard.
const DEFAULT_EXPECTED_RECORDS: u64 = 1_000;

/// Longest language tag (BCP 47 recommends 35).
const MAX_TAG_BYTES: usize = 35;

/// Longest title in bytes, as statements hold it.
const MAX_TITLE_BYTES: usize = reeve_statement::limits::TEXT_BYTES;

/// The rule for names, as messages give it.
const NAME: &str =
    "a name: a lower-case letter, then at most 63 lower-case letters, digits or underscores";

/// A reference of the file with its place, to be checked once all kinds are known.
pub(super) struct Referral {
    pub(super) span: Range<usize>,
    pub(super) path: String,
}

/// A kind with the places of its references.
struct Draft {
    kind: Kind,
    referrals: Vec<Referral>,
}

pub(super) fn schema(report: &mut Report<'_>) -> Option<Schema> {
    let table = report.parse()?;
    let mut root = Section::root(&table);
    let head = head(&mut root, report);
    let drafts = kinds(&mut root, report);
    root.finish(report);
    check_references(&drafts, report);
    let (name, version) = head?;
    let kinds = drafts.into_iter().map(|(id, draft)| (id, Arc::new(draft.kind))).collect();
    Some(Schema { name, version, kinds })
}

fn head(root: &mut Section<'_>, report: &mut Report<'_>) -> Option<(String, u64)> {
    let Some(mut section) = root.section("schema", report) else {
        root.missing("schema", "a table [schema] with name and version", report);
        return None;
    };
    let name = section.required_text("name", "the schema's name", report);
    if let Some(name) = &name
        && KindId::new(name.text).is_err()
    {
        let found = format!("\"{}\"", excerpt(name.text));
        report.add(name.span.clone(), &section.path_of("name"), NAME, found, "");
    }
    let version = section.integer("version", report);
    let version = match version {
        Some((number, span)) => {
            let version = u64::try_from(number).ok().filter(|v| *v > 0);
            if version.is_none() {
                let path = section.path_of("version");
                report.add(span, &path, "1 or more", number.to_string(), "");
            }
            version
        }
        None => {
            section.missing("version", "a whole number, 1 or more", report);
            None
        }
    };
    section.finish(report);
    Some((name?.text.to_owned(), version?))
}

fn kinds(root: &mut Section<'_>, report: &mut Report<'_>) -> BTreeMap<KindId, Draft> {
    let mut drafts = BTreeMap::new();
    for (name, mut section) in root.sections("kind", report) {
        if let Some(id) = kind_id(&name, &section, report)
            && let Some(draft) = kind(&id, &mut section, report)
        {
            section.finish(report);
            drafts.insert(id, draft);
        }
    }
    if drafts.len() > MAX_KINDS {
        let expected = format!("at most {MAX_KINDS} kinds");
        report.add(0..0, "kind", expected, drafts.len().to_string(), "split the schema");
    }
    let built_in = closure::kind().map(|kind| Draft { kind, referrals: Vec::new() });
    drafts.extend(built_in.map(|draft| (draft.kind.id.clone(), draft)));
    drafts
}

fn kind_id(name: &Text<'_>, section: &Section<'_>, report: &mut Report<'_>) -> Option<KindId> {
    if name.text == closure::KIND {
        let found = "the built-in kind `closure`";
        let next = "rename the kind; every schema has `closure` already";
        report.add(name.span.clone(), section.path(), "a kind of your own", found, next);
        return None;
    }
    let id = KindId::new(name.text);
    if id.is_err() {
        let found = format!("\"{}\"", excerpt(name.text));
        report.add(name.span.clone(), section.path(), NAME, found, "rename the kind");
    }
    id.ok()
}

fn kind(id: &KindId, section: &mut Section<'_>, report: &mut Report<'_>) -> Option<Draft> {
    let twins = [("city", Twin::City), ("emergency", Twin::Emergency)];
    let twin = choice(section, "twin", &twins, None, report);
    let merges = [("record", Merge::Record), ("field", Merge::Field)];
    let merge = choice(section, "merge", &merges, Some(Merge::Record), report);
    let subjects = [("person", Subject::Person), ("thing", Subject::Thing)];
    let subject = choice(section, "subject", &subjects, Some(Subject::Thing), report);
    let titles = titles(section, id.as_str(), report);
    let shards = shards_for(expected_records(section, report));
    let retention = retention(section, report);
    let personal = subject == Some(Subject::Person);
    let mut fields = BTreeMap::new();
    let mut referrals = Vec::new();
    for (name, mut section) in section.sections("field", report) {
        let field = parse_field::field(&name, &mut section, personal, &mut referrals, report);
        section.finish(report);
        fields.extend(field.map(|field| (field.id.clone(), field)));
    }
    if fields.is_empty() || fields.len() > MAX_FIELDS {
        let expected = format!("1 to {MAX_FIELDS} fields");
        let found = fields.len().to_string();
        let path = section.path_of("field");
        report.add(section.span(), &path, expected, found, "add [kind.NAME.field.NAME] tables");
    }
    let (id, twin, merge, subject) = (id.clone(), twin?, merge?, subject?);
    let kind = Kind { id, titles, twin, shards, merge, retention, subject, fields };
    Some(Draft { kind, referrals })
}

fn expected_records(section: &mut Section<'_>, report: &mut Report<'_>) -> u64 {
    let Some((number, span)) = section.integer("expected_records", report) else {
        return DEFAULT_EXPECTED_RECORDS;
    };
    let most = MAX_SHARDS.saturating_mul(RECORDS_PER_SHARD);
    match u64::try_from(number) {
        Ok(records) if (1..=most).contains(&records) => records,
        _ => {
            let path = section.path_of("expected_records");
            report.add(span, &path, format!("1 to {most}"), number.to_string(), "");
            DEFAULT_EXPECTED_RECORDS
        }
    }
}

fn retention(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<Retention> {
    let text = section.text("retention", report)?;
    let retention = text.text.parse().ok();
    if retention.is_none() {
        let expected = "a duration of years, months, weeks and days, such as P5Y or P18M";
        let found = format!("\"{}\"", excerpt(text.text));
        report.add(text.span, &section.path_of("retention"), expected, found, "");
    }
    retention
}

/// One of several words; `default` if the key is absent, a problem if there is none.
pub(crate) fn choice<T: Copy>(
    section: &mut Section<'_>,
    key: &'static str,
    choices: &[(&str, T)],
    default: Option<T>,
    report: &mut Report<'_>,
) -> Option<T> {
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    let expected = words.join(" or ");
    let Some(entry) = section.entry(key) else {
        if default.is_none() {
            section.missing(key, &expected, report);
        }
        return default;
    };
    let word = entry.value.as_str();
    let chosen = choices.iter().find(|(w, _)| Some(*w) == word).map(|(_, value)| *value);
    if chosen.is_none() {
        section.wrong(key, entry, &expected, "", report);
    }
    chosen
}

/// A title: one string, or a table of strings by language.
pub(crate) fn titles(section: &mut Section<'_>, default: &str, report: &mut Report<'_>) -> Titles {
    let Some(entry) = section.entry("title") else {
        return Titles(vec![("en".to_owned(), default.to_owned())]);
    };
    if entry.value.is_str() {
        let text = section.text("title", report);
        return Titles(text.map(|t| ("en".to_owned(), t.text.to_owned())).into_iter().collect());
    }
    let Some(languages) = section.section("title", report) else { return Titles::default() };
    let mut titles = Vec::new();
    for (tag, entry) in languages.entries() {
        let is_tag = !tag.text.is_empty()
            && tag.text.len() <= MAX_TAG_BYTES
            && tag.text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        match entry.value.as_str() {
            Some(text) if is_tag && text.len() <= MAX_TITLE_BYTES => {
                titles.push((tag.text.to_owned(), text.to_owned()));
            }
            _ => {
                let expected = format!(
                    "a language tag and a text of at most {MAX_TITLE_BYTES} bytes, such as en = \"Case\""
                );
                languages.wrong(tag.text, entry, &expected, "", report);
            }
        }
    }
    titles.sort();
    Titles(titles)
}

/// The rule of the two twins: nothing dangles, and the city never refers to an emergency.
fn check_references(drafts: &BTreeMap<KindId, Draft>, report: &mut Report<'_>) {
    for draft in drafts.values() {
        let targets = draft.kind.fields.values().filter_map(|field| match &field.field_type {
            FieldType::Reference { kind } => Some((field, kind)),
            _ => None,
        });
        for (field, target) in targets {
            let path = format!("kind.{}.field.{}.kind", draft.kind.id, field.id);
            let place = draft.referrals.iter().find(|r| r.path == path);
            let span = place.map_or(0..0, |r| r.span.clone());
            match drafts.get(target) {
                None => {
                    let names: Vec<&str> = drafts.keys().map(KindId::as_str).collect();
                    let expected = format!("a kind of this schema ({})", names.join(", "));
                    report.add(span, &path, expected, format!("\"{target}\""), "");
                }
                Some(other) if draft.kind.twin == Twin::City && other.kind.twin != Twin::City => {
                    let expected = "a kind of the city twin, because this kind is in the city twin";
                    let found = format!("\"{target}\" of the emergency twin");
                    let next = "turn the reference round: emergency records refer to city records";
                    report.add(span, &path, expected, found, next);
                }
                Some(_) => {}
            }
        }
    }
}

//! Reading `reeve.toml`: every mistake with its place.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;
use reeve_crdt::indicator::Source;
use reeve_crdt::located::{Entry, Problems, Report, Section, Text, excerpt, integer_of};
use reeve_crdt::schema::closure::MAX_SOURCE_BYTES;
use reeve_statement::key::PublicKey;
use reeve_statement::names::KindId;
use reeve_statement::unit::UnitId;

use super::{Config, Engine, FORMAT, Http, Level, Log, Net, Peer, Request, Retention};

/// A list that one key may hold at most: nobody types more addresses, and a slip stays bounded.
const MAX_ITEMS: usize = 64;
/// Shortest and longest time after which a feed is silent, in milliseconds.
const SILENT_MS: std::ops::RangeInclusive<i64> = 60_000..=3_600_000_000;
/// Shortest and longest `redial_ceiling`.
const REDIAL_RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(3_600);

pub(super) fn parse(file: &str, text: &str) -> Result<Config, Problems> {
    let mut report = Report::new(file, text);
    let Some(table) = report.parse() else { return report.finish(None) };
    let mut root = Section::root(&table);
    if !is_known_format(&mut root, &mut report) {
        // What a newer program means by its keys is not guessed at.
        return report.finish(None);
    }
    let unit = unit(&mut root, &mut report);
    // A stand-in, dropped with the whole when the unit is missing: the other keys are judged still.
    let stand_in = unit.clone().or_else(|| UnitId::new("x").ok());
    let config = stand_in.map(|unit| {
        let mut config = Config::new(unit);
        sections(&mut root, &mut config, &mut report);
        config
    });
    root.finish(&mut report);
    report.finish(config.filter(|_| unit.is_some()))
}

/// Whether the file says no newer format than this program reads; one that says nothing has the first.
fn is_known_format(root: &mut Section<'_>, report: &mut Report<'_>) -> bool {
    let Some(entry) = root.entry("format") else { return true };
    let known = 1..=i64::from(FORMAT);
    let format = integer_of(entry.value);
    if format.is_some_and(|format| known.contains(&format)) {
        return true;
    }
    let expected = format!("a format up to {FORMAT}");
    root.wrong(
        "format",
        entry,
        &expected,
        "run the newer program that the file was written for",
        report,
    );
    false
}

fn unit(root: &mut Section<'_>, report: &mut Report<'_>) -> Option<UnitId> {
    let text = root.required_text("unit", "the unit's id, such as \"016\"", report)?;
    match UnitId::new(text.text) {
        Ok(unit) => Some(unit),
        Err(error) => {
            wrong(root, "unit", &text, &error.to_string(), report);
            None
        }
    }
}

fn sections(root: &mut Section<'_>, config: &mut Config, report: &mut Report<'_>) {
    if let Some(text) = root.text("time_zone", report) {
        match jiff::tz::TimeZone::get(text.text) {
            Ok(_) => text.text.clone_into(&mut config.time_zone),
            Err(_) => wrong(root, "time_zone", &text, "an IANA name such as Europe/Rome", report),
        }
    }
    set(&mut config.languages, strings(root, "languages", report));
    within(root, "net", report, |section, report| net(section, &mut config.net, report));
    within(root, "http", report, |section, report| http(section, &mut config.http, report));
    within(root, "store", report, |section, report| {
        let engines = [Engine::Redb, Engine::Sled];
        set(&mut config.store, choice(section, "engine", &engines, Engine::name, report));
    });
    within(root, "twin", report, |section, report| {
        config.schema = section.text("schema", report).map(|text| PathBuf::from(text.text));
        let all = Retention::ALL;
        set(&mut config.retention, choice(section, "retention", &all, Retention::name, report));
    });
    within(root, "policy", report, |section, report| {
        set(&mut config.policy, section.text("file", report).map(|it| PathBuf::from(it.text)));
        set(&mut config.accepted_legal_bases, strings(section, "accepted_legal_bases", report));
        set(&mut config.two_persons, section.boolean("two_persons", report));
    });
    config.sources = sources(root, report);
    within(root, "request", report, |section, report| {
        request(section, &mut config.request, report);
    });
    within(root, "log", report, |section, report| log(section, &mut config.log, report));
    within(root, "superior", report, |it, report| config.superior = peers(it, report));
    within(root, "home", report, |it, report| config.home = peers(it, report));
}

fn sources(root: &mut Section<'_>, report: &mut Report<'_>) -> Vec<Source> {
    let mut sources = Vec::new();
    for (name, mut section) in root.sections("source", report) {
        let source = source(&name, &mut section, report);
        section.finish(report);
        sources.push(source);
    }
    sources
}

fn source(name: &Text<'_>, section: &mut Section<'_>, report: &mut Report<'_>) -> Source {
    let fits = (1..=MAX_SOURCE_BYTES).contains(&name.text.len())
        && !name.text.chars().any(|c| c == '/' || c.is_control());
    if !fits {
        let expected = format!("a name of 1 to {MAX_SOURCE_BYTES} bytes without `/`");
        let found = format!("`{}`", excerpt(name.text));
        report.add(name.span.clone(), section.path(), expected, found, "rename the source");
    }
    let kinds = section.texts("kinds", report).unwrap_or_default();
    let mut known = Vec::new();
    for kind in kinds {
        match KindId::new(kind.text) {
            Ok(kind) => known.push(kind),
            Err(_) => wrong(section, "kinds", &kind, "names of kinds, such as \"case\"", report),
        }
    }
    let from = date(section, "from", report);
    let until = date(section, "until", report);
    let silent_after_ms = silent_after(section, report);
    if silent_after_ms.is_some() && from.is_none() {
        let expected = "the first day that its heartbeats close, such as \"2026-01-01\"";
        section.missing("from", expected, report);
    }
    Source { name: name.text.to_owned(), kinds: known, from, until, silent_after_ms }
}

fn date(section: &mut Section<'_>, key: &'static str, report: &mut Report<'_>) -> Option<Date> {
    let text = section.text(key, report)?;
    let date = text.text.parse().ok();
    if date.is_none() {
        wrong(section, key, &text, "a day such as \"2026-01-01\"", report);
    }
    date
}

fn silent_after(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<i64> {
    let text = section.text("silent_after", report)?;
    let parsed = text.text.parse::<jiff::SignedDuration>().ok();
    let millis = parsed.and_then(|it| i64::try_from(it.as_millis()).ok());
    let millis = millis.filter(|it| SILENT_MS.contains(it));
    if millis.is_none() {
        wrong(section, "silent_after", &text, "a time from 1m to 1000h: \"2h\"", report);
    }
    millis
}

/// Reads one table and then complains of keys in it that nobody asked for.
fn within<'t>(
    root: &mut Section<'t>,
    key: &'static str,
    report: &mut Report<'_>,
    read: impl FnOnce(&mut Section<'t>, &mut Report<'_>),
) {
    if let Some(mut section) = root.section(key, report) {
        read(&mut section, report);
        section.finish(report);
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn net(section: &mut Section<'_>, net: &mut Net, report: &mut Report<'_>) {
    set(&mut net.listen, addresses(section, "listen", report));
    set(&mut net.announce, addresses(section, "announce", report));
    set(&mut net.enrolment, addresses(section, "enrolment", report));
    set(&mut net.announce_enrolment, addresses(section, "announce_enrolment", report));
    set(&mut net.allow_private_addresses, section.boolean("allow_private_addresses", report));
    if let Some(text) = section.text("redial_ceiling", report) {
        let parsed = text.text.parse::<jiff::SignedDuration>().ok();
        let parsed = parsed.and_then(|it| Duration::try_from(it).ok());
        match parsed.filter(|it| REDIAL_RANGE.contains(it)) {
            Some(ceiling) => net.redial_ceiling = ceiling,
            None => {
                wrong(section, "redial_ceiling", &text, "a time from 100ms to 1h: \"60s\"", report);
            }
        }
    }
}

fn http(section: &mut Section<'_>, http: &mut Http, report: &mut Report<'_>) {
    set(&mut http.allow_beyond_loopback, section.boolean("allow_beyond_loopback", report));
    set(&mut http.host_names, strings(section, "host_names", report));
    set(&mut http.ledger, section.boolean("ledger", report));
    let Some(text) = section.text("listen", report) else { return };
    match text.text.parse::<SocketAddr>() {
        Ok(listen) if listen.ip().is_loopback() || http.allow_beyond_loopback => {
            http.listen = listen;
        }
        Ok(_) => report.add(
            text.span.clone(),
            &section.path_of("listen"),
            "a loopback address, such as 127.0.0.1:7400",
            excerpt(text.text),
            "set `allow_beyond_loopback = true` if others shall reach the API",
        ),
        Err(_) => wrong(section, "listen", &text, "an address such as 127.0.0.1:7400", report),
    }
}

fn request(section: &mut Section<'_>, request: &mut Request, report: &mut Report<'_>) {
    let text = |it: Option<Text<'_>>| it.map(|it| it.text.to_owned());
    set(&mut request.purpose, text(section.text("purpose", report)));
    set(&mut request.legal_basis, text(section.text("legal_basis", report)));
}

fn log(section: &mut Section<'_>, log: &mut Log, report: &mut Report<'_>) {
    set(&mut log.level, choice(section, "level", &Level::ALL, Level::name, report));
    set(&mut log.json, section.boolean("json", report));
}

fn choice<T: Copy>(
    section: &mut Section<'_>,
    key: &'static str,
    choices: &[T],
    name: impl Fn(T) -> &'static str,
    report: &mut Report<'_>,
) -> Option<T> {
    let text = section.text(key, report)?;
    let chosen = choices.iter().copied().find(|choice| name(*choice) == text.text);
    if chosen.is_none() {
        let names: Vec<_> = choices.iter().map(|choice| name(*choice)).collect();
        wrong(section, key, &text, &format!("one of {}", names.join(", ")), report);
    }
    chosen
}

fn strings(
    section: &mut Section<'_>,
    key: &'static str,
    report: &mut Report<'_>,
) -> Option<Vec<String>> {
    let texts = section.texts(key, report)?;
    if let Some(beyond) = texts.get(MAX_ITEMS) {
        let expected = format!("at most {MAX_ITEMS} items");
        let found = texts.len().to_string();
        report.add(beyond.span.clone(), &section.path_of(key), expected, found, "");
        return None;
    }
    Some(texts.iter().map(|text| text.text.to_owned()).collect())
}

/// Multiaddresses; whether each can be used is the network's business, but a slip is told here.
fn addresses(
    section: &mut Section<'_>,
    key: &'static str,
    report: &mut Report<'_>,
) -> Option<Vec<String>> {
    let texts = section.texts(key, report)?;
    for text in texts.iter().filter(|text| !text.text.starts_with('/')) {
        let expected = "an address such as /ip4/192.0.2.7/tcp/7401";
        wrong(section, key, text, expected, report);
    }
    Some(texts.iter().map(|text| text.text.to_owned()).collect())
}

fn peers(section: &mut Section<'_>, report: &mut Report<'_>) -> Vec<Peer> {
    let Some(entry) = section.entry("peer") else { return Vec::new() };
    let Some(items) = entry.items() else {
        section.wrong("peer", entry, "tables [[... .peer]]", "", report);
        return Vec::new();
    };
    let path = section.path_of("peer");
    items.iter().filter_map(|item| peer(section, item, &path, report)).collect()
}

fn peer(
    section: &Section<'_>,
    item: &Entry<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<Peer> {
    let Some(mut table) = item.section(path) else {
        section.wrong("peer", *item, "a table with `key` and `addresses`", "", report);
        return None;
    };
    let text = table.required_text("key", "the node's public key in hexadecimal", report);
    let addresses = addresses(&mut table, "addresses", report).unwrap_or_default();
    let key = text.and_then(|text| {
        let bytes = hex::decode(text.text).unwrap_or_default();
        match PublicKey::from_bytes(&bytes) {
            Ok(key) => Some(key),
            Err(error) => {
                let expected = format!("64 hexadecimal digits of a public key ({error})");
                wrong(&table, "key", &text, &expected, report);
                None
            }
        }
    });
    table.finish(report);
    Some(Peer { key: key?, addresses })
}

fn wrong(
    section: &Section<'_>,
    key: &str,
    text: &Text<'_>,
    expected: &str,
    report: &mut Report<'_>,
) {
    let found = format!("\"{}\"", excerpt(text.text));
    report.add(text.span.clone(), &section.path_of(key), expected, found, "");
}

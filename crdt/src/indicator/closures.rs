//! Which periods of which kinds the unit's sources have closed, from records of the built-in kind
//! `closure`.
//!
//! A closure of a week or month closes its days, and the heartbeat of a feed every day before it. A
//! period counts as closed if each of its days is closed by at least one source; it is closed *by* a
//! source if that source alone closed them all. A closure that was withdrawn closes nothing.

use std::collections::BTreeSet;
use std::ops::Bound;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use minicbor::{Decoder, Encoder};
use reeve_statement::names::KindId;
use reeve_statement::period::{Period, Step};
use reeve_statement::release::RevisionReason;
use reeve_statement::time::Timestamp;

use super::key::{Reader, day_bytes, day_of_period, period_of_day, push_text};
use super::paged::{Entry, Paged};
use super::source::{Feed, Source, SourceSaid};
use super::state::Written;
use crate::record::{Fact, days_of};
use crate::schema::Closure;
use crate::schema::closure::KIND;

/// Longest period in days, for walking them.
const LONGEST_PERIOD_DAYS: usize = 31;

/// How many days before a heartbeat are looked at anew at the most, that no earlier one closed.
const HEARTBEAT_DAYS: i32 = 400;

/// What a source said of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Said {
    /// How many records say so: one, but for records that nobody should have written.
    records: i64,
    /// When it was said, in milliseconds since the epoch.
    at: i64,
    /// Why it was said again, as [`RevisionReason`] numbers it, plus one; 0: nothing was said of that.
    reason: u8,
}

impl Said {
    fn is_withdrawn(self) -> bool {
        self.reason() == Some(RevisionReason::Withdrawn)
    }

    fn reason(self) -> Option<RevisionReason> {
        let place = usize::from(self.reason).checked_sub(1)?;
        RevisionReason::ALL.get(place).copied()
    }

    fn of(closure: &Closure) -> (i64, u8) {
        let place = closure
            .reason
            .and_then(|reason| RevisionReason::ALL.iter().position(|known| *known == reason));
        let reason = place.and_then(|place| u8::try_from(place.saturating_add(1)).ok());
        (closure.closed_at.as_millis(), reason.unwrap_or(0))
    }
}

impl Entry for Said {
    fn is_nothing(&self) -> bool {
        self.records == 0
    }

    fn write(&self, e: &mut Encoder<&mut Vec<u8>>) -> Written {
        e.i64(self.records)?.i64(self.at)?.u8(self.reason)?.ok()
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, minicbor::decode::Error> {
        Ok(Self { records: d.i64()?, at: d.i64()?, reason: d.u8()? })
    }
}

/// Closures by kind, source, step and day.
pub(super) struct Closures {
    pub(super) said: Paged<Said>,
    pub(super) sources: Vec<Source>,
    zone: TimeZone,
}

/// How far a period is closed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reported {
    /// Every day is closed by at least one source.
    pub(super) closed: bool,
    /// Sources that closed the whole of it; of the present state those that are no feeds.
    pub(super) sources: u32,
    /// Sources that ever closed a period of the kind.
    pub(super) known: u32,
    /// Sources that are expected to; none: the house declares none for the kind.
    pub(super) expected: Option<u32>,
    /// Of the present state: the feeds that are expected.
    pub(super) feeds: Vec<Feed>,
    /// The last thing that was said of it with a reason, and when.
    pub(super) stated: Option<(Timestamp, RevisionReason)>,
    /// The sources that did not close the whole of it; of the present state none that are feeds.
    pub(super) silent: Vec<String>,
}

impl Closures {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { said: Paged::default(), sources: Vec::new(), zone }
    }

    /// Takes a fact of the kind `closure`; which kinds and periods changed.
    pub(super) fn apply(&mut self, fact: &Fact) -> Vec<(KindId, Period)> {
        if fact.kind.as_str() != KIND {
            return Vec::new();
        }
        let before = fact.before.as_ref().and_then(Closure::from_record);
        let after = fact.after.as_ref().and_then(Closure::from_record);
        let was = before.as_ref().map(|closure| (key_of(closure), Said::of(closure)));
        let is = after.as_ref().map(|closure| (key_of(closure), Said::of(closure)));
        if was == is {
            return Vec::new();
        }
        if let Some((key, _)) = &was {
            self.said.change(key, |said| said.records = said.records.saturating_sub(1));
        }
        if let Some((key, (at, reason))) = is {
            self.said.change(&key, |said| {
                *said = Said { records: said.records.saturating_add(1), at, reason };
            });
        }
        let mut places: Vec<(KindId, Period)> = before
            .iter()
            .chain(after.iter())
            .map(|closure| (closure.kind.clone(), closure.period))
            .collect();
        places.extend(self.beaten(before.as_ref(), after.as_ref()));
        places
    }

    /// The days that the heartbeat of a feed closes, or closed before.
    fn beaten(&self, before: Option<&Closure>, after: Option<&Closure>) -> Vec<(KindId, Period)> {
        let beat = |closure: Option<&Closure>| {
            let closure = closure.filter(|closure| closure.period == Period::Now)?;
            let from = self.feed(&closure.kind, &closure.source)?.from.map_or(i32::MIN, days_of);
            Some((closure.kind.clone(), self.day_of(closure.closed_at.as_millis())?, from))
        };
        let (before, after) = (beat(before), beat(after));
        let Some((kind, newest, from)) = before.iter().chain(after.iter()).max_by_key(|it| it.1)
        else {
            return Vec::new();
        };
        let both = before.as_ref().zip(after.as_ref()).map(|(one, other)| one.1.min(other.1));
        let least = newest.saturating_sub(HEARTBEAT_DAYS).max(*from);
        let days = both.unwrap_or(least).max(least)..*newest;
        days.filter_map(|day| Some((kind.clone(), period_of_day(Step::Day, day)?))).collect()
    }

    /// How far a period of a kind is closed. For [`Period::Now`]: by each source that closed `now`,
    /// or any period that ends on `not_before` or later.
    pub(super) fn reported(
        &self,
        kind: &KindId,
        period: Period,
        not_before: i32,
        today: Date,
    ) -> Reported {
        let sources = self.sources(kind);
        let known = count(sources.len());
        let stated = self.stated(&sources, period);
        let mut expected: Vec<&Source> =
            self.sources.iter().filter(|it| it.reports(kind)).collect();
        expected.retain(|source| source.is_expected(period, today));
        if expected.is_empty() {
            let (closed, sources, silent) =
                self.closed_by_known(kind, &sources, period, not_before);
            return Reported { closed, sources, known, stated, silent, ..Reported::default() };
        }
        let keys: Vec<Vec<u8>> = expected.iter().map(|it| source_key(kind, &it.name)).collect();
        let mut silent = Vec::new();
        let (closed, sources, feeds) = if period == Period::Now {
            let feeds: Vec<Feed> =
                expected.iter().filter_map(|source| self.feed_of(kind, source)).collect();
            // The present state has no end that could be closed: who is no feed needs not close it.
            let acts = count(expected.len().saturating_sub(feeds.len()));
            (acts > 0, acts, feeds)
        } else {
            let days = days(period);
            let closed = days.iter().all(|day| keys.iter().any(|key| self.covers(kind, key, *day)));
            let whole = |key: &Vec<u8>| days.iter().all(|day| self.covers(kind, key, *day));
            let missing = keys.iter().zip(&expected).filter(|(key, _)| !whole(key));
            silent.extend(missing.map(|(_, source)| source.name.clone()));
            (closed, count(keys.len().saturating_sub(silent.len())), Vec::new())
        };
        let expected = Some(count(expected.len()));
        Reported { closed, sources, known, expected, feeds, stated, silent }
    }

    /// The heartbeat of a source, if it is a feed.
    fn feed_of(&self, kind: &KindId, source: &Source) -> Option<Feed> {
        let silent_after_ms = source.silent_after_ms?;
        let heard = self.heartbeat(&source_key(kind, &source.name));
        let heard = heard.map(|said| Timestamp::from_millis(said.at));
        Some(Feed { name: source.name.clone(), heard, silent_after_ms })
    }

    /// What the sources of a kind said last that report today.
    pub(super) fn sources_of(&self, kind: &KindId, today: Date) -> Vec<SourceSaid> {
        let declared: Vec<&Source> = self.sources.iter().filter(|it| it.reports(kind)).collect();
        let said = |name: &str, feed| {
            let key = source_key(kind, name);
            let days = self.said.starting_with(&key).filter_map(|(key_of, said)| {
                let mut reader = Reader(key_of.strip_prefix(key.as_slice()).unwrap_or_default());
                period(&mut reader).filter(|_| said.records > 0 && !said.is_withdrawn())?.last_day()
            });
            let last_day = days.max();
            SourceSaid { kind: kind.clone(), name: name.to_owned(), last_day, feed }
        };
        if declared.is_empty() {
            let known = self.sources(kind);
            let names = known.iter().filter_map(|key| name_of(kind, key));
            return names.map(|name| said(&name, None)).collect();
        }
        let reports = |it: &&&Source| it.is_expected(Period::Day(today), today);
        let today = declared.iter().filter(reports);
        today.map(|source| said(&source.name, self.feed_of(kind, source))).collect()
    }

    /// Where the house declares no sources for the kind, whoever ever closed a period of it is one.
    fn closed_by_known(
        &self,
        kind: &KindId,
        sources: &BTreeSet<Vec<u8>>,
        period: Period,
        not_before: i32,
    ) -> (bool, u32, Vec<String>) {
        let names = |silent: Vec<&Vec<u8>>| -> Vec<String> {
            silent.into_iter().filter_map(|key| name_of(kind, key)).collect()
        };
        if period == Period::Now {
            let (current, silent): (Vec<_>, Vec<_>) =
                sources.iter().partition(|source| self.is_current(source, not_before));
            return (!current.is_empty(), count(current.len()), names(silent));
        }
        let days = days(period);
        let closed = days.iter().all(|day| sources.iter().any(|s| self.covers(kind, s, *day)));
        let (whole, silent): (Vec<_>, Vec<_>) = sources
            .iter()
            .partition(|source| days.iter().all(|day| self.covers(kind, source, *day)));
        (closed, count(whole.len()), names(silent))
    }

    /// The last thing that any source said of a day of the period, or of the present state, with a reason.
    fn stated(
        &self,
        sources: &BTreeSet<Vec<u8>>,
        period: Period,
    ) -> Option<(Timestamp, RevisionReason)> {
        let mut periods: BTreeSet<Period> = days(period)
            .into_iter()
            .flat_map(|day| STEPS.map(|step| period_of_day(step, day)))
            .flatten()
            .collect();
        periods.insert(period);
        let said = sources.iter().flat_map(|source| {
            let of_period = |period: &Period| self.said.get(&closure_key(source, *period)).copied();
            periods.iter().filter_map(of_period).collect::<Vec<_>>()
        });
        said.filter_map(|said| Some((Timestamp::from_millis(said.at), said.reason()?))).max()
    }

    /// The last day of a kind that a source has closed.
    pub(super) fn last_day(&self, kind: &KindId) -> Option<i32> {
        self.of(kind).filter_map(|period| period.last_day().map(days_of)).max()
    }

    /// All periods of a kind that were closed, in no order and possibly more than once.
    pub(super) fn of(&self, kind: &KindId) -> impl Iterator<Item = Period> {
        let prefix = prefix(kind);
        let keys: Vec<&[u8]> = self
            .said
            .from(Bound::Included(prefix.as_slice()))
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(&prefix))
            .collect();
        keys.into_iter().filter_map(move |key| {
            let mut reader = Reader(key);
            reader.text()?;
            reader.text()?;
            period(&mut reader)
        })
    }

    /// The keys of a kind's sources, up to the period.
    fn sources(&self, kind: &KindId) -> BTreeSet<Vec<u8>> {
        let prefix = prefix(kind);
        let mut sources = BTreeSet::new();
        let mut from = prefix.clone();
        while let Some((key, _)) = self.said.from(Bound::Excluded(from.as_slice())).next() {
            let mut reader = Reader(key.strip_prefix(prefix.as_slice()).unwrap_or_default());
            let Some(source) = reader.text() else { break };
            let mut source_key = prefix.clone();
            push_text(&mut source_key, source);
            // Steps are small numbers, so this is past every period of the source.
            from.clone_from(&source_key);
            from.push(u8::MAX);
            sources.insert(source_key);
        }
        sources
    }

    /// Whether a source has closed a day: what it said last of it was not that it withdraws.
    fn covers(&self, kind: &KindId, source: &[u8], day: i32) -> bool {
        let said = STEPS
            .into_iter()
            .filter_map(|step| {
                let key = closure_key(source, period_of_day(step, day)?);
                self.said.get(&key).filter(|said| said.records > 0)
            })
            .max_by_key(|said| said.at);
        match said {
            Some(said) => !said.is_withdrawn(),
            None => self.is_beaten(kind, source, day),
        }
    }

    /// Whether the heartbeat of a feed has closed a day.
    fn is_beaten(&self, kind: &KindId, source: &[u8], day: i32) -> bool {
        let mut feeds = self.sources.iter().filter(|it| it.silent_after_ms.is_some());
        let feed = feeds.find(|it| it.reports(kind) && source_key(kind, &it.name) == source);
        let Some(feed) = feed else { return false };
        let within = feed.from.is_none_or(|from| days_of(from) <= day)
            && feed.until.is_none_or(|until| day <= days_of(until));
        let beat = self.heartbeat(source).and_then(|said| self.day_of(said.at));
        within && beat.is_some_and(|beat| day < beat)
    }

    fn heartbeat(&self, source: &[u8]) -> Option<Said> {
        let said = self.said.get(&closure_key(source, Period::Now)).copied();
        said.filter(|said| said.records > 0 && !said.is_withdrawn())
    }

    fn feed(&self, kind: &KindId, name: &str) -> Option<&Source> {
        let mut feeds = self.sources.iter().filter(|it| it.silent_after_ms.is_some());
        feeds.find(|it| it.name == name && it.reports(kind))
    }

    /// The civil day at this unit of a moment.
    fn day_of(&self, at: i64) -> Option<i32> {
        let moment = Timestamp::from_millis(at).to_jiff()?;
        Some(days_of(self.zone.to_datetime(moment).date()))
    }

    fn is_current(&self, source: &[u8], not_before: i32) -> bool {
        self.said.starting_with(source).any(|(key, said)| {
            let mut reader = Reader(key.strip_prefix(source).unwrap_or_default());
            !said.is_withdrawn()
                && match period(&mut reader) {
                    Some(Period::Now) => true,
                    Some(period) => period.last_day().map(days_of) >= Some(not_before),
                    None => false,
                }
        })
    }
}

/// Steps that have days.
const STEPS: [Step; 3] = [Step::Day, Step::Week, Step::Month];

/// The days of a period; none for now.
pub(super) fn days(period: Period) -> Vec<i32> {
    let (Some(first), Some(last)) = (period.first_day(), period.last_day()) else {
        return Vec::new();
    };
    (days_of(first)..=days_of(last)).take(LONGEST_PERIOD_DAYS).collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn prefix(kind: &KindId) -> Vec<u8> {
    let mut key = Vec::new();
    push_text(&mut key, kind.as_str());
    key
}

fn source_key(kind: &KindId, source: &str) -> Vec<u8> {
    let mut key = prefix(kind);
    push_text(&mut key, source);
    key
}

/// The name of a source, from its key.
fn name_of(kind: &KindId, key: &[u8]) -> Option<String> {
    Reader(key.strip_prefix(prefix(kind).as_slice())?).text().map(str::to_owned)
}

fn closure_key(source: &[u8], period: Period) -> Vec<u8> {
    let mut key = source.to_vec();
    push_period(&mut key, period);
    key
}

fn key_of(closure: &Closure) -> Vec<u8> {
    closure_key(&source_key(&closure.kind, &closure.source), closure.period)
}

fn push_period(key: &mut Vec<u8>, period: Period) {
    key.push(match period.step() {
        Step::Day => 0,
        Step::Week => 1,
        Step::Month => 2,
        Step::Now => 3,
    });
    key.extend(day_bytes(day_of_period(period)));
}

fn period(reader: &mut Reader<'_>) -> Option<Period> {
    let step = match reader.bytes()? {
        [0] => Step::Day,
        [1] => Step::Week,
        [2] => Step::Month,
        [3] => Step::Now,
        _ => return None,
    };
    period_of_day(step, reader.day()?)
}

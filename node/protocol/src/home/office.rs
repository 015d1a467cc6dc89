//! The reporting node's office, kept ready at the other nodes of its home, so that one of them can report
//! in its place: the register, who was admitted, what subordinates said last, the last editions and how
//! they were protected. Records replicate apart, in `replicate`.
//!
//! The reporting node tells every row of its office, and each again when it changes. Another node keeps
//! them as they come, under a prefix of their own, and makes nothing of them. When it is appointed for a
//! later term, it waits until the one before has told everything, which signs nothing any more, and until
//! the home's records were followed; or until neither comes any more, because the other is lost. Then the
//! rows become its own. Between what was told last and a loss lies what the superior and the subordinates
//! still know, and they say it to whoever reports (`report/reconcile`).

use std::collections::{BTreeMap, BTreeSet};

use reeve_policy::disclosure::DisclosureState;
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::digest::Digest;
use reeve_statement::register::Register;

use crate::bugs::Bug;
use crate::effect::{Channel, InboundId, Load, LoadId, Loaded, NodeKey, RequestId, SendFailure};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::report::accept::chunks_of;
use crate::rows::{self, FigureRow, HeardRow, MemberRow};
use crate::trust::{Standing, standing};
use crate::wire::{Blob, CHANGES_BYTES, HomeAnswer, HomeMessage, OFFICE_ROWS, OfficeRow, decode};

/// What belongs to an office, in the order in which it is told and taken over.
const OFFICE: [&[u8]; 11] = [
    rows::META,
    rows::MEMBER,
    rows::HEAD,
    rows::PAST_HEAD,
    rows::WITNESSED,
    rows::EQUIVOCATION,
    rows::DISCLOSURE,
    rows::FIGURE,
    rows::HEARD,
    rows::SEALED,
    rows::LEFT,
];

/// What of [`rows::META`] belongs to it.
const OFFICE_META: [&[u8]; 4] = [rows::REGISTER, b"authority/", rows::IN_FORCE, rows::NEWCOMER];

/// Under [`rows::META`]: the term of the node whose office this store was told last, the term in which it was
/// taken over, and, if there is one, the last that ended before it was; each eight bytes.
pub(crate) const OFFICE_TOLD: &[u8] = b"office";

/// What is known of another node's office.
#[derive(Debug, Default)]
pub(crate) struct Office {
    /// Other nodes of this home that are told of this node's office.
    telling: BTreeMap<NodeKey, Telling>,
    loads: BTreeMap<LoadId, Loading>,
    sent: BTreeMap<RequestId, NodeKey>,
    /// The term of the node whose office was told here last, and the one in which it was taken over.
    told: Option<(u64, u64)>,
    /// The last term of this node that ended before it took the office over.
    passed_over: Option<u64>,
    /// Whether that node has told everything.
    pub(crate) complete: bool,
    /// The last row that was taken over, while they are.
    taking: Option<LoadId>,
}

/// How far another node of the home was told.
#[derive(Debug, Default)]
struct Telling {
    /// The prefix at work and the last row of it that was told; none: all were.
    scan: Option<(usize, Option<Vec<u8>>)>,
    /// Rows that changed since.
    changed: BTreeSet<Vec<u8>>,
    busy: bool,
    /// Whether it heard that nothing more follows.
    ended: bool,
}

#[derive(Debug)]
enum Loading {
    Page(NodeKey),
    Changed(NodeKey, Vec<Vec<u8>>),
}

/// Whether a row belongs to the office.
pub(crate) fn is_office(key: &[u8]) -> bool {
    match key.strip_prefix(rows::META) {
        Some(rest) => OFFICE_META.iter().any(|it| rest.starts_with(it)),
        None => OFFICE.iter().any(|prefix| key.starts_with(prefix)),
    }
}

/// Whether a row may be told: of the office, or of a statement that the office rests on.
fn may_be_told(key: &[u8]) -> bool {
    is_office(key) || key.starts_with(rows::STATEMENT) || key.starts_with(rows::CHUNK)
}

/// The rows of the statement behind what a subordinate said.
fn behind(key: &[u8], value: Option<&Vec<u8>>) -> Vec<Vec<u8>> {
    let heard = value.filter(|_| key.starts_with(rows::HEARD));
    let heard = heard.and_then(|row| from_slice::<HeardRow>("row", row, row.len()).ok());
    let Some(row) = heard else { return Vec::new() };
    let chunks = chunks_of(&row.said.body).into_iter().map(|digest| rows::chunk(&digest));
    core::iter::once(rows::statement(&row.statement)).chain(chunks).collect()
}

impl Node {
    /// A node of this home is there: it is told of the office from the beginning, if this node has one.
    pub(crate) fn begin_office(&mut self, peer: NodeKey) {
        let office = &mut self.home.office;
        office.sent.retain(|_, other| *other != peer);
        office.loads.retain(|_, load| load.peer() != peer);
        if !self.has_office() {
            self.home.office.telling.remove(&peer);
            return self.expect_office(peer);
        }
        self.context.watch_rows(true);
        let telling = Telling { scan: Some((0, None)), ..Telling::default() };
        self.home.office.telling.insert(peer, telling);
        self.expect_office(peer);
        self.tell_office(peer);
    }

    /// Rows of the office were written in this call.
    pub(crate) fn note_office(&mut self) {
        let touched = self.context.take_watched();
        if touched.is_empty() {
            return;
        }
        for telling in self.home.office.telling.values_mut() {
            telling.changed.extend(touched.iter().cloned());
        }
        for peer in self.home.office.telling.keys().copied().collect::<Vec<_>>() {
            self.tell_office(peer);
        }
    }

    /// Tells the next rows, if the ones before were heard.
    pub(crate) fn tell_office(&mut self, peer: NodeKey) {
        let greeted = self.peers.greeted(&peer).is_some();
        let superseded = self.superseded.is_some();
        let Some(telling) = self.home.office.telling.get_mut(&peer) else { return };
        if !greeted {
            self.home.office.telling.remove(&peer);
            return;
        }
        if telling.busy || telling.ended {
            return;
        }
        if let Some((at, after)) = telling.scan.clone() {
            telling.busy = true;
            let prefix = OFFICE.get(at).copied().unwrap_or_default().to_vec();
            let what = Load::Scan { prefix, after, limit: OFFICE_ROWS };
            let load = self.context.load(what);
            self.home.office.loads.insert(load, Loading::Page(peer));
        } else if !telling.changed.is_empty() {
            telling.busy = true;
            let mut keys = Vec::new();
            while keys.len() < OFFICE_ROWS
                && let Some(key) = telling.changed.pop_first()
            {
                keys.push(key);
            }
            let load = self.context.load(Load::Get(keys.clone()));
            self.home.office.loads.insert(load, Loading::Changed(peer, keys));
        } else if superseded {
            telling.busy = true;
            telling.ended = true;
            self.send_office(peer, Vec::new(), true);
        }
    }

    pub(crate) fn on_office_loaded(&mut self, load: LoadId, loaded: Loaded) -> Option<Loaded> {
        if self.home.office.taking == Some(load) {
            self.take_rows_over(loaded);
            return None;
        }
        let Some(loading) = self.home.office.loads.remove(&load) else { return Some(loaded) };
        let peer = loading.peer();
        let telling = self.home.office.telling.get_mut(&peer)?;
        let mut bytes = 0_usize;
        let mut fits = |key: &[u8], value: Option<&Vec<u8>>| {
            bytes = bytes.saturating_add(key.len()).saturating_add(value.map_or(0, Vec::len));
            bytes <= CHANGES_BYTES
        };
        let mut told = Vec::new();
        match (loading, loaded) {
            (Loading::Page(_), Loaded::Rows(page)) => {
                let at = telling.scan.as_ref().map_or(0, |(at, _)| *at);
                let mut more = page.len() >= OFFICE_ROWS;
                let mut last = None;
                for (key, value) in page {
                    if !fits(&key, Some(&value)) && !told.is_empty() {
                        more = true;
                        break;
                    }
                    last = Some(key.clone());
                    told.push((key, Some(value)));
                }
                telling.scan = if more {
                    Some((at, last))
                } else {
                    Some((at.saturating_add(1), None)).filter(|(at, _)| *at < OFFICE.len())
                };
            }
            (Loading::Changed(_, keys), Loaded::Values(values)) => {
                for (key, value) in keys.into_iter().zip(values) {
                    if fits(&key, value.as_ref()) || told.is_empty() {
                        told.push((key, value));
                    } else {
                        telling.changed.insert(key);
                    }
                }
            }
            _ => {}
        }
        // A row that fills more than a frame is told by those who know it first: a subordinate.
        for (key, value) in &told {
            telling.changed.extend(behind(key, value.as_ref()));
        }
        told.retain(|(key, value)| {
            may_be_told(key) && value.as_ref().is_none_or(|it| it.len() <= CHANGES_BYTES)
        });
        if told.is_empty() {
            telling.busy = false;
            self.tell_office(peer);
            return None;
        }
        let row = |(key, value): (Vec<u8>, Option<Vec<u8>>)| OfficeRow {
            key: Blob(key),
            value: value.map(Blob),
        };
        self.send_office(peer, told.into_iter().map(row).collect(), false);
        None
    }

    fn send_office(&mut self, peer: NodeKey, rows: Vec<OfficeRow>, ended: bool) {
        let message = to_vec(&HomeMessage::Office { rows, ended });
        let request = self.context.send(peer, Channel::Home, message);
        self.home.office.sent.insert(request, peer);
    }

    /// Whether it was an answer to what was told of the office.
    pub(crate) fn on_office_told(
        &mut self,
        request: RequestId,
        result: &Result<Vec<u8>, SendFailure>,
    ) -> bool {
        let Some(peer) = self.home.office.sent.remove(&request) else { return false };
        let noted = result
            .as_ref()
            .is_ok_and(|bytes| matches!(decode::<HomeAnswer>(bytes), Ok(HomeAnswer::Noted)));
        if !noted {
            // It is told from the beginning on the next connection.
            self.home.office.telling.remove(&peer);
            self.give_up(peer);
        } else if let Some(telling) = self.home.office.telling.get_mut(&peer) {
            telling.busy = false;
            self.tell_office(peer);
        }
        true
    }

    /// A node of this home that reports is there: its office is waited for, should this one be appointed.
    fn expect_office(&mut self, peer: NodeKey) {
        let term = self.peers.greeted(&peer).and_then(|greeted| greeted.chain.term());
        let Some(term) = term else { return };
        let (told, taken) = self.home.office.told.unwrap_or((0, 0));
        let lacks = self.lacks_office();
        let reports = self.settings.term.is_some_and(|own| own > term) && !lacks;
        if term > told && !reports {
            if lacks && self.settings.term < Some(term) {
                self.home.office.passed_over = self.settings.term;
            }
            self.home.office.complete = false;
            self.keep_office_told(term, taken);
        }
    }

    fn keep_office_told(&mut self, term: u64, taken: u64) {
        self.home.office.told = Some((term, taken));
        let mut row = term.to_be_bytes().to_vec();
        row.extend_from_slice(&taken.to_be_bytes());
        row.extend(self.home.office.passed_over.into_iter().flat_map(u64::to_be_bytes));
        self.context.persist(rows::key(rows::META, &[OFFICE_TOLD]), Some(row));
    }

    pub(crate) fn restore_office_told(&mut self, value: &[u8]) -> Option<()> {
        let (term, taken) = value.split_at_checked(8)?;
        let (taken, passed_over) = taken.split_at_checked(8)?;
        let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes);
        self.home.office.told = Some((number(term)?, number(taken)?));
        if !passed_over.is_empty() {
            self.home.office.passed_over = Some(number(passed_over)?);
        }
        Some(())
    }

    /// Rows of another node's office.
    pub(crate) fn take_office(
        &mut self,
        inbound: InboundId,
        peer: NodeKey,
        office: Vec<OfficeRow>,
        ended: bool,
    ) {
        self.expect_office(peer);
        let term = self.peers.greeted(&peer).and_then(|greeted| greeted.chain.term());
        let told = self.home.office.told.map(|(told, _)| told);
        let waits =
            self.settings.term.is_none() || self.superseded.is_some() || self.lacks_office();
        let newest = term.is_some() && term == told && self.home.office.taking.is_none();
        if self.short {
            return self.context.respond(inbound, to_vec(&HomeAnswer::Refused(Refusal::Busy)));
        }
        if newest && waits {
            self.follow_until = None;
            for OfficeRow { key: Blob(key), value } in office {
                if may_be_told(&key) {
                    let key = rows::key(rows::OFFICE, &[&key]);
                    self.context.persist(key, value.map(|Blob(value)| value));
                }
            }
            self.home.office.complete |= ended;
        }
        self.context.respond(inbound, to_vec(&HomeAnswer::Noted));
    }

    /// Whether this node reports in another's place and has not taken its office over yet.
    pub(crate) fn lacks_office(&self) -> bool {
        let (Some(own), Some((told, taken))) = (self.settings.term, self.home.office.told) else {
            return false;
        };
        own > told && taken <= told
    }

    /// Whether there is an office here to be told of. A node that was passed over before it took one over has
    /// none: what it kept of an earlier one of its own would be news from long ago.
    fn has_office(&self) -> bool {
        let own = self.settings.term;
        own.is_some() && !self.lacks_office() && self.home.office.passed_over != own
    }

    /// Begins to take the office over: rows become this node's own, page by page.
    pub(crate) fn take_over(&mut self) {
        if self.home.office.taking.is_some() {
            return;
        }
        self.context.counters.count("terms", "office_taken");
        self.load_office(None);
    }

    fn load_office(&mut self, after: Option<Vec<u8>>) {
        let what = Load::Scan { prefix: rows::OFFICE.to_vec(), after, limit: OFFICE_ROWS };
        self.home.office.taking = Some(self.context.load(what));
    }

    fn take_rows_over(&mut self, loaded: Loaded) {
        self.home.office.taking = None;
        let Loaded::Rows(page) = loaded else { return };
        let last = page.last().map(|(key, _)| key.clone()).filter(|_| page.len() >= OFFICE_ROWS);
        for (key, value) in page {
            let Some(own) = key.strip_prefix(rows::OFFICE) else { continue };
            if !self.settings.bugs.has(Bug::LeaveTheOffice) {
                self.take_row_over(own, value);
            }
            self.context.persist(key, None);
        }
        if last.is_some() {
            return self.load_office(last);
        }
        let (told, _) = self.home.office.told.unwrap_or_default();
        self.keep_office_told(told, self.settings.term.unwrap_or(0));
        self.note_before(told);
        self.reports.windows.clear();
        self.tell_engine();
        self.publish_allow_list();
        self.end_following();
        let home: Vec<NodeKey> = self.peers.of(Standing::Home).map(|(key, _)| *key).collect();
        for peer in home {
            self.begin_office(peer);
        }
        let below: Vec<NodeKey> =
            self.peers.of(Standing::Subordinate).map(|(key, _)| *key).collect();
        for peer in below {
            self.begin_with_subordinate(peer);
        }
    }

    /// One row of the office becomes this node's own, unless it knows better.
    fn take_row_over(&mut self, key: &[u8], mut value: Vec<u8>) {
        if key.starts_with(rows::MEMBER) {
            let Ok(row) = from_slice::<MemberRow>("row", &value, value.len()) else { return };
            if row.key == self.key || self.trust.member(&row.key).is_some() {
                return;
            }
        } else if key.starts_with(rows::FIGURE) {
            let Ok(mut row) = from_slice::<FigureRow>("row", &value, value.len()) else { return };
            let held = self.reports.figures.get(&row.id);
            if let Some(held) = held {
                let (ours, theirs) = ((held.term, held.edition), (row.term, row.edition));
                if ours > theirs || ours == theirs && held.statement != row.statement {
                    return;
                }
                row.accepted = if ours == theirs { held.accepted } else { row.accepted };
            }
            if self.settings.unit.depth() > 1 && row.accepted < row.edition {
                // What was never accepted is signed again, in this term.
                row.content = Digest::ZERO;
            }
            value = to_vec(&row);
        } else if key.starts_with(rows::DISCLOSURE) {
            let Ok(row) = from_slice::<DisclosureState>("row", &value, value.len()) else { return };
            let figure = (row.indicator().clone(), row.period());
            let held = self.reports.disclosure.get(&figure);
            if held.is_some_and(|held| held.last() >= row.last()) {
                return;
            }
        } else if key == rows::key(rows::META, &[rows::REGISTER]) {
            let Ok(row) = from_slice::<(Digest, Register)>("row", &value, value.len()) else {
                return;
            };
            let held = self.reports.register.as_ref().map(|(_, held)| held.version);
            if held >= Some(row.1.version) {
                return;
            }
        } else if key.starts_with(rows::HEARD) {
            let Ok(row) = from_slice::<HeardRow>("row", &value, value.len()) else { return };
            let held = self.reports.heard.get(&row.id).and_then(|units| units.get(&row.unit));
            if held.is_some_and(|held| (held.row.term, held.row.edition) >= (row.term, row.edition))
            {
                return;
            }
        } else if key.starts_with(rows::HEAD) {
            let Ok(row) = from_slice::<rows::HeadRow>("row", &value, value.len()) else { return };
            let held = self.reports.heads.get(&row.unit);
            if held.is_some_and(|held| (held.term, held.size) >= (row.term, row.size)) {
                return;
            }
        } else if key.starts_with(rows::WITNESSED) {
            let Ok(row) = from_slice::<rows::WitnessedRow>("row", &value, value.len()) else {
                return;
            };
            let held = self.witnessing.witnessed(&row.unit);
            if held.is_some_and(|held| (held.term, held.size) >= (row.term, row.size)) {
                return;
            }
        }
        let kept_only = [rows::PAST_HEAD, rows::STATEMENT, rows::CHUNK];
        let restored = !kept_only.iter().any(|prefix| key.starts_with(prefix));
        if restored && self.restore(key, &value).is_err() {
            return self.context.counters.count("terms", "office_row_refused");
        }
        self.context.persist(key.to_vec(), Some(value));
    }

    /// Another node of this home may have been appointed: this one hears of it, also when it starts.
    pub(crate) fn hear_of_home_terms(&mut self) {
        if let Some(term) = self.others_term() {
            self.hear_of_term(term);
        }
    }

    fn others_term(&self) -> Option<u64> {
        let own = &self.settings.unit;
        let at_home = self.trust.members().filter_map(|(key, verdict)| {
            let chain = verdict.as_ref().ok()?;
            let home = standing(own, chain.unit()) == Some(Standing::Home) && *key != self.key;
            chain.term().filter(|_| home)
        });
        at_home.max()
    }

    /// The latest term that any node of this unit is known to have been appointed for.
    pub(crate) fn home_term(&self) -> Option<u64> {
        let told = self.home.office.told.map(|(told, _)| told);
        self.settings.term.max(self.superseded).max(told).max(self.others_term())
    }
}

impl Loading {
    const fn peer(&self) -> NodeKey {
        match self {
            Self::Page(peer) | Self::Changed(peer, _) => *peer,
        }
    }
}

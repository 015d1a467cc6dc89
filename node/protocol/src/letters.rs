//! Reports without a line: writing letters that a person carries, and taking them.
//!
//! A letter ([`crate::letter`]) holds what would be said to the unit over a connection. Whoever takes one
//! judges its writer as at a hello, and every message in it by the very code of the connection; what would
//! be answered is counted for whoever carried it. Nothing depends on the order in which letters come, and
//! one that comes twice changes nothing: editions, terms, versions and digests say what is news.
//!
//! The one thing that a connection tells and an old letter cannot is that the superior says it *now*. A
//! node that has a line to its superior signs only after it has heard that over it. One that has none
//! signs once its superior has answered a letter of this store: each store draws a mark for each term,
//! which its letters carry and the superior's repeat.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use minicbor::{Decode, Encode};
use reeve_statement::catalogue::Titles;
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::cert::{Chain, VerifiedChain};
use reeve_statement::cose::Signed;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::issuance_entry;
use reeve_statement::statement::FigureId;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use crate::effect::{AskId, InboundId, Load, LoadId, Loaded, NodeKey};
use crate::letter::{LETTER_BYTES, LETTER_VERSION, Letter, Part, Unread};
use crate::local::{Answer, Failure, LetterTaken};
use crate::node::Node;
use crate::peers::Greeted;
use crate::refusal::Refusal;
use crate::report::{FUTURE_MS, chunks_of};
use crate::rows::{self, MemberRow};
use crate::trust::{Standing, standing};
use crate::wire::{Blob, Downward, ReportAnswer, Upward};

/// Most statements in one letter: half of what is verified of one peer at a time.
pub const STATEMENTS: usize = 16;

/// Bytes after which a letter is ended; the statement that reaches it is still in it.
const ENOUGH_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of a letter around its messages.
const AROUND: usize = 256 * 1024;

/// Messages of letters are numbered from here on: drivers number those of connections from 0.
const FIRST_INBOUND: u64 = 1 << 63;

/// After [`rows::META`]: this node's mark.
pub(crate) const MARK: &[u8] = b"letter-mark";

/// After [`rows::META`]: the mark of a subordinate's newest letter, by its unit.
pub(crate) const HEARD_MARK: &[u8] = b"letter-heard/";

/// The mark of this store for a term.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Mark {
    #[n(0)]
    term: u64,
    #[n(1)]
    mark: u64,
    /// Whether the superior has answered it.
    #[n(2)]
    answered: bool,
}

/// The mark of a subordinate's newest letter.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct HeardMark {
    #[n(0)]
    mark: u64,
    #[n(1)]
    written_at: Timestamp,
}

/// Letters that are being written or taken.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    mark: Option<Mark>,
    heard: BTreeMap<UnitId, HeardMark>,
    taking: Option<Taking>,
    next_inbound: u64,
    writing: BTreeMap<LoadId, Writing>,
}

/// A letter whose messages are being judged.
#[derive(Debug)]
struct Taking {
    ask: AskId,
    peer: NodeKey,
    /// Messages that were not answered yet.
    open: BTreeSet<InboundId>,
    /// Whether all were handed over.
    whole: bool,
    chunks: BTreeMap<Digest, Vec<u8>>,
    /// Whether it answers a letter of this store.
    answers: bool,
    taken: LetterTaken,
}

/// A letter that waits for what the store has.
#[derive(Debug)]
struct Writing {
    ask: AskId,
    to: UnitPath,
    figures: Vec<FigureId>,
    /// Whether there are figures after these.
    more: bool,
    /// Once they were loaded.
    statements: Option<Vec<Option<Vec<u8>>>>,
    chunks: Vec<Digest>,
}

/// What a letter means for whoever signs only what its superior knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Over a connection: it is so now.
    Now,
    /// In a letter that answers one of this store.
    Answered,
    /// In any other letter: it was so once.
    Once,
}

fn mark_key() -> Vec<u8> {
    rows::key(rows::META, &[MARK])
}

impl Node {
    pub(crate) fn restore_mark(&mut self, value: &[u8]) -> Option<()> {
        self.letters.mark = Some(from_slice("mark", value, value.len()).ok()?);
        Some(())
    }

    pub(crate) fn restore_heard_mark(&mut self, unit: &[u8], value: &[u8]) -> Option<()> {
        let unit = UnitId::new(core::str::from_utf8(unit).ok()?).ok()?;
        self.letters.heard.insert(unit, from_slice("mark", value, value.len()).ok()?);
        Some(())
    }

    /// Whether this node has a superior that it can dial.
    pub(crate) fn has_line(&self) -> bool {
        self.settings.dial.iter().any(|peer| !self.is_home_member(&peer.key))
    }

    /// Whether this node waits for a letter before it signs.
    pub(crate) fn needs_letter(&self) -> bool {
        let reports = self.settings.term.is_some() && self.settings.unit.depth() > 1;
        reports && !self.has_line() && !self.reports.reconciled
    }

    /// A node without a line goes on signing in the term in which its superior has answered it.
    pub(crate) fn resume_by_letter(&mut self) {
        let answered = self.letters.mark.as_ref().is_some_and(|mark| {
            mark.answered && Some(mark.term) == self.settings.term && !self.has_line()
        });
        self.reports.reconciled |= answered;
    }

    /// The mark of this store in the present term.
    fn own_mark(&mut self) -> u64 {
        let Some(term) = self.settings.term else { return 0 };
        if let Some(held) = self.letters.mark.as_ref().filter(|held| held.term == term) {
            return held.mark;
        }
        let number = term.to_be_bytes();
        let drawn = Digest::of_parts(&[b"reeve-mark/1\0", &self.settings.entropy, &number]);
        let (first, _) = drawn.as_bytes().split_at(8);
        let mark = u64::from_be_bytes(first.try_into().unwrap_or([1; 8])) | 1;
        self.keep_mark(Mark { term, mark, answered: false });
        mark
    }

    fn keep_mark(&mut self, mark: Mark) {
        self.context.persist(mark_key(), Some(to_vec(&mark)));
        self.letters.mark = Some(mark);
    }

    /// How a message was heard.
    pub(crate) fn heard_by(&self, inbound: InboundId) -> Heard {
        match &self.letters.taking {
            Some(taking) if taking.open.contains(&inbound) => {
                if taking.answers {
                    Heard::Answered
                } else {
                    Heard::Once
                }
            }
            _ => Heard::Now,
        }
    }

    /// The superior has said what it holds: whether this node may believe that it is so now.
    pub(crate) fn note_reconciled(&mut self, heard: Heard) {
        match heard {
            Heard::Now => self.reports.reconciled = true,
            Heard::Answered if !self.has_line() => {
                self.reports.reconciled = true;
                if let Some(mark) = self.letters.mark.clone().filter(|mark| !mark.answered) {
                    self.keep_mark(Mark { answered: true, ..mark });
                }
            }
            Heard::Answered | Heard::Once => {}
        }
    }

    /// Figures that changed since an edition that was never told are cut anew before letters are written;
    /// how many wait.
    pub(crate) fn freshen(&mut self) -> usize {
        let reports = &self.reports;
        let changed = reports.unsent.iter().filter(|id| {
            !reports.in_flight.contains(*id)
                && reports.figures.get(*id).is_some_and(|row| row.dirty)
        });
        for id in changed.cloned().collect::<Vec<_>>() {
            self.reports.unsent.remove(&id);
            self.mark_due(id);
        }
        self.reports.due.len()
    }

    /// Writes a letter to the superior or to a subordinate; `after` is where the one before it ended.
    pub(crate) fn write_letter(&mut self, ask: AskId, to: UnitPath, after: Option<&[u8]>) {
        if self.settings.term.is_none() {
            let failure = Failure::Refused(Refusal::NoRight);
            return self.context.reply(ask, Answer::Failed(failure));
        }
        match standing(&self.settings.unit, &to) {
            Some(Standing::Superior) => self.write_up(ask, to, after),
            Some(Standing::Subordinate) if self.is_known_below(&to) => self.write_down(ask, to),
            _ => self.context.reply(ask, Answer::Failed(Failure::NoLetter(to))),
        }
    }

    fn is_known_below(&self, to: &UnitPath) -> bool {
        let members = self.trust.members().filter_map(|(_, verdict)| verdict.as_ref().ok());
        let registered = self.reports.register.iter().flat_map(|(_, register)| &register.entries);
        members.map(VerifiedChain::unit).any(|unit| unit == to)
            || registered.map(|entry| &entry.unit).any(|unit| unit == to.leaf())
            || self.reports.newcomers.contains_key(to.leaf())
    }

    fn write_up(&mut self, ask: AskId, to: UnitPath, after: Option<&[u8]>) {
        let after = after.map(|after| from_slice::<FigureId>("place", after, after.len()));
        let after = match after.transpose() {
            Ok(after) => after.map_or(Bound::Unbounded, Bound::Excluded),
            Err(_) => return self.context.reply(ask, refused(Refusal::Malformed)),
        };
        let term = self.ledger.term();
        let figures = self.reports.figures.range((after, Bound::Unbounded)).map(|(_, row)| row);
        let mut wanted = figures.filter(|row| row.term == term && row.accepted < row.edition);
        let figures: Vec<_> = wanted.by_ref().take(STATEMENTS).map(|row| row.id.clone()).collect();
        let more = wanted.next().is_some();
        let rows = figures.iter().filter_map(|id| self.reports.figures.get(id));
        let keys = rows.map(|row| rows::statement(&row.statement)).collect();
        let load = self.context.load(Load::Get(keys));
        let writing = Writing { ask, to, figures, more, statements: None, chunks: Vec::new() };
        self.letters.writing.insert(load, writing);
    }

    /// Statements, or their chunks, came from the store.
    pub(crate) fn on_letter_loaded(&mut self, load: LoadId, loaded: Loaded) -> Option<Loaded> {
        let Some(mut writing) = self.letters.writing.remove(&load) else { return Some(loaded) };
        let Loaded::Values(values) = loaded else { return None };
        let Some(statements) = writing.statements.take() else {
            let rows = writing.figures.iter().filter_map(|id| self.reports.figures.get(id));
            let chunks = rows.filter_map(|row| row.body.as_ref()).flat_map(chunks_of);
            writing.chunks = chunks.collect();
            writing.statements = Some(values);
            let load =
                self.context.load(Load::Get(writing.chunks.iter().map(rows::chunk).collect()));
            self.letters.writing.insert(load, writing);
            return None;
        };
        let chunks = writing.chunks.iter().copied().zip(values);
        let chunks = chunks.filter_map(|(digest, value)| Some((digest, value?))).collect();
        self.finish_up(&writing, statements, &chunks);
        None
    }

    fn finish_up(
        &mut self,
        writing: &Writing,
        statements: Vec<Option<Vec<u8>>>,
        chunks: &BTreeMap<Digest, Vec<u8>>,
    ) {
        let checkpoint = self.ledger.checkpoint(&self.settings.key);
        let mut parts = vec![Part::Up(Blob(to_vec(&Upward::Head(checkpoint.clone()))))];
        let (mut bytes, mut last, mut more) = (0_usize, None, writing.more);
        for (id, statement) in writing.figures.iter().zip(statements) {
            if bytes >= ENOUGH_BYTES {
                more = true;
                break;
            }
            last = Some(id.clone());
            let row = self.reports.figures.get(id);
            let digests = row.and_then(|row| row.body.as_ref()).map(chunks_of).unwrap_or_default();
            let beside: Option<Vec<_>> = digests.iter().map(|it| chunks.get(it)).collect();
            let (Some(statement), Some(beside)) = (statement, beside) else {
                self.context.counters.count("damaged", "statement");
                continue;
            };
            let length: usize = beside.iter().map(|chunk| chunk.len()).sum();
            if length.saturating_add(bytes).saturating_add(AROUND) > LETTER_BYTES {
                self.context.counters.count("letters", "too_large");
                continue;
            }
            bytes = bytes.saturating_add(length).saturating_add(statement.len());
            parts.extend(beside.into_iter().map(|chunk| Part::Chunk(Blob(chunk.clone()))));
            let statement = Blob(self.without_own_chain(statement));
            let checkpoint = checkpoint.clone();
            parts.push(Part::Up(Blob(to_vec(&Upward::Deliver { statement, checkpoint }))));
            self.hand_over(id);
        }
        let next = last.filter(|_| more).map(|id| to_vec(&id));
        self.reply_letter(writing.ask, writing.to.clone(), 0, parts, next);
    }

    /// The letter tells this node's chain once.
    fn without_own_chain(&self, statement: Vec<u8>) -> Vec<u8> {
        let own = self.settings.chain.leaf_digest();
        let signed = Signed::decode(&statement).ok();
        let signed = signed.filter(|signed| signed.unverified_leaf_digest() == own);
        signed.map_or(statement, |signed| signed.without_chain().to_bytes())
    }

    /// An edition is in a letter: nobody waits for its answer before the next one is cut.
    fn hand_over(&mut self, id: &FigureId) {
        self.reports.unsent.remove(id);
        if self.reports.figures.get(id).is_some_and(|row| row.dirty) {
            self.mark_due(id.clone());
        }
    }

    fn write_down(&mut self, ask: AskId, to: UnitPath) {
        let mut messages = self.distributed();
        if let Some(renewed) = self.renewed_below.get(to.leaf()) {
            messages.push(Downward::Certificate(Blob(renewed.to_cbor())));
        }
        messages.extend(self.held_pages(to.leaf()).into_iter().map(Downward::Have));
        if let Some(request) = self.standing_request(&to)
            && let Some((bytes, size)) = self.request_to(to.clone(), request)
            && (self.settings.unit.depth() == 1 || size <= self.reports.shown)
        {
            messages.push(Downward::Ask(Blob(bytes)));
        }
        let answers = self.letters.heard.get(to.leaf()).map_or(0, |heard| heard.mark);
        let parts = messages.iter().map(|message| Part::Down(Blob(to_vec(message)))).collect();
        self.reply_letter(ask, to, answers, parts, None);
    }

    fn reply_letter(
        &mut self,
        ask: AskId,
        to: UnitPath,
        answers: u64,
        parts: Vec<Part>,
        next: Option<Vec<u8>>,
    ) {
        let letter = Letter {
            version: LETTER_VERSION,
            federation: self.federation,
            chain: self.settings.chain.to_cbor(),
            to,
            written_at: self.context.now().wall,
            mark: self.own_mark(),
            answers,
            parts,
        };
        let letter = letter.seal(&self.settings.key);
        if letter.len() > LETTER_BYTES {
            return self.context.reply(ask, refused(Refusal::OverLimit));
        }
        self.context.counters.count("letters", "written");
        self.context.reply(ask, Answer::Letter { letter, next });
    }

    /// Takes a letter; the ask is answered when every message in it was judged, durably.
    pub(crate) fn take_letter(&mut self, ask: AskId, bytes: &[u8]) {
        if self.letters.taking.is_some() {
            return self.context.reply(ask, refused(Refusal::Busy));
        }
        let (peer, letter) = match self.open_letter(bytes) {
            Ok(opened) => opened,
            Err(refusal) => {
                self.context.counters.count("refused_letters", refusal.label());
                return self.context.reply(ask, refused(refusal));
            }
        };
        let Some((from, standing)) =
            self.peers.greeted(&peer).map(|greeted| (greeted.unit.clone(), greeted.standing))
        else {
            return self.context.reply(ask, refused(Refusal::OutOfPlace));
        };
        let own = self.letters.mark.as_ref().map_or(0, |mark| mark.mark);
        let answers =
            standing == Standing::Superior && letter.answers != 0 && letter.answers == own;
        let taken = LetterTaken {
            from,
            written_at: letter.written_at,
            accepted: 0,
            known: 0,
            refused: Vec::new(),
        };
        let (mut messages, mut chunks) = (Vec::new(), BTreeMap::new());
        for part in letter.parts {
            match part {
                Part::Chunk(Blob(chunk)) => drop(chunks.insert(Digest::of(&chunk), chunk)),
                Part::Up(Blob(message)) if standing == Standing::Subordinate => {
                    messages.push(message);
                }
                Part::Down(Blob(message)) if standing == Standing::Superior => {
                    messages.push(message);
                }
                Part::Up(_) | Part::Down(_) => {}
            }
        }
        // What is held is listed anew in each letter.
        self.reports.inventories.remove(&(peer, true));
        let open = BTreeSet::new();
        self.letters.taking =
            Some(Taking { ask, peer, open, whole: false, chunks, answers, taken });
        for message in messages {
            let number = FIRST_INBOUND.saturating_add(self.letters.next_inbound);
            self.letters.next_inbound = self.letters.next_inbound.saturating_add(1);
            let inbound = InboundId(number);
            if let Some(taking) = &mut self.letters.taking {
                taking.open.insert(inbound);
            }
            self.on_report(inbound, peer, &message);
        }
        if let Some(taking) = &mut self.letters.taking {
            taking.whole = true;
        }
        self.context.counters.count("letters", "taken");
        self.end_letter();
    }

    /// Judges a letter's writer as at a hello.
    fn open_letter(&mut self, bytes: &[u8]) -> Result<(NodeKey, Letter), Refusal> {
        let unread = Unread::decode(bytes).map_err(|_| Refusal::Malformed)?;
        let said = unread.unverified();
        if said.version != LETTER_VERSION {
            return Err(Refusal::OtherVersion);
        }
        if said.federation != self.federation {
            return Err(Refusal::OtherFederation);
        }
        if said.to != self.settings.unit {
            return Err(Refusal::OtherAudience);
        }
        let now = self.context.now().wall;
        if said.written_at.since(now) > FUTURE_MS {
            return Err(Refusal::ClockSkew);
        }
        let presented = Chain::from_cbor(&said.chain).map_err(|_| Refusal::BadChain)?;
        let key = *presented.leaf().key();
        let peer = NodeKey(key.to_bytes());
        let chain = self.trust.verify(&presented, peer, now)?;
        let letter = unread.verify(&key).ok_or(Refusal::BadSignature)?;
        let standing = standing(&self.settings.unit, chain.unit()).ok_or(Refusal::OutOfArea)?;
        if standing == Standing::Home {
            // Records never travel by letter.
            return Err(Refusal::OutOfPlace);
        }
        if !self.is_admitted(&peer) {
            self.admit_by_letter(peer, standing, &chain, &presented)?;
        }
        self.keep_renewed(peer, &chain, &presented);
        self.judge_term(standing, &chain)?;
        if standing == Standing::Subordinate {
            self.note_mark(chain.unit().leaf(), &letter);
        }
        let greeted = Greeted {
            standing,
            unit: chain.unit().clone(),
            chain,
            presented,
            clock_offset: 0,
            // It may have been written before what is held came.
            ledger_floor: (0, 0),
            judged: self.trust.generation(),
            nodes: Digest::ZERO,
        };
        self.peers.by_letter = Some((peer, greeted));
        self.follow_anchors_of(peer);
        Ok((peer, letter))
    }

    /// A subordinate's node whose authority was certified here, and that brings its first letter: over a
    /// connection it would be announced when it joins.
    fn admit_by_letter(
        &mut self,
        key: NodeKey,
        standing: Standing,
        chain: &VerifiedChain,
        presented: &Chain,
    ) -> Result<(), Refusal> {
        let authority = presented.authorities().first();
        let entered = authority.is_some_and(|it| self.issued.contains(&issuance_entry(it.der())));
        if standing != Standing::Subordinate || chain.term().is_none() || !entered {
            return Err(Refusal::UnknownPeer);
        }
        self.enter(chain.unit().leaf().clone(), Titles::default(), None)?;
        let admitted_at = self.context.now().wall;
        let row = MemberRow { key, chain: presented.to_cbor(), admitted_at };
        self.context.persist(rows::key(rows::MEMBER, &[&key.0]), Some(to_vec(&row)));
        self.trust.admit(row, admitted_at);
        self.publish_allow_list();
        Ok(())
    }

    fn note_mark(&mut self, unit: &UnitId, letter: &Letter) {
        let heard = HeardMark { mark: letter.mark, written_at: letter.written_at };
        let held = self.letters.heard.get(unit);
        if held.is_none_or(|held| held.written_at < heard.written_at) {
            let key = rows::key(rows::META, &[HEARD_MARK, unit.as_str().as_bytes()]);
            self.context.persist(key, Some(to_vec(&heard)));
            self.letters.heard.insert(unit.clone(), heard);
        }
    }

    /// The chunks of a statement that came in the same letter; none: it came over a connection.
    pub(crate) fn chunks_beside(
        &self,
        inbound: InboundId,
        missing: &[Digest],
    ) -> Option<Option<BTreeMap<Digest, Vec<u8>>>> {
        let taking = self.letters.taking.as_ref()?;
        if !taking.open.contains(&inbound) {
            return None;
        }
        let found =
            missing.iter().map(|digest| Some((*digest, taking.chunks.get(digest)?.clone())));
        Some(found.collect())
    }

    /// Counts what a message of a letter is answered; whether it was one.
    pub(crate) fn note_letter_answer(&mut self, inbound: InboundId, answer: &ReportAnswer) -> bool {
        let Some(taking) = &mut self.letters.taking else { return false };
        if !taking.open.remove(&inbound) {
            return false;
        }
        match answer {
            ReportAnswer::Accepted | ReportAnswer::Chunk(_) | ReportAnswer::Statement(_) => {
                taking.taken.accepted = taking.taken.accepted.saturating_add(1);
            }
            // Something later was here before: that is no fault of whoever carries letters.
            ReportAnswer::Refused(Refusal::OldEdition | Refusal::OldVersion) => {
                taking.taken.known = taking.taken.known.saturating_add(1);
            }
            ReportAnswer::Refused(refusal) => taking.taken.note_refused(*refusal),
        }
        self.end_letter();
        true
    }

    fn end_letter(&mut self) {
        let done = self.letters.taking.take_if(|taking| taking.whole && taking.open.is_empty());
        if let Some(Taking { ask, peer, taken, .. }) = done {
            self.peers.by_letter.take_if(|(by, _)| *by == peer);
            self.context.reply(ask, Answer::LetterTaken(Box::new(taken)));
        }
    }
}

fn refused(refusal: Refusal) -> Answer {
    Answer::Failed(Failure::Refused(refusal))
}

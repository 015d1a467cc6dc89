//! Expiry: removing records that are older than they may be kept, or one record of a person.
//!
//! Only the node that reports removes, one shard after the other. A shard that holds what must go begins a
//! new epoch: what is kept is written into it again, and the rows of the old one are dropped. New epoch,
//! seal and dropped rows are one commit; a node that stops in between has done whole shards, and expiring
//! again does the others. Expiry is not a change: the figures of periods before the sealed day stand, and
//! later records of them are refused.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::civil::Date;
use reeve_crdt::record::{Fact, Record, RecordId};
use reeve_crdt::schema::{Closure, Kind, Schema};
use reeve_crdt::twin::{Erased, RecordOp, Seal, Shard, ShardId, ShardSeal, SignedSeal};
use reeve_statement::digest::Digest;
use reeve_statement::names::KindId;

use super::seals::count_of;
use super::task::Running;
use super::{QUEUED_TASKS, Task};
use crate::effect::AskId;
use crate::local::{Answer, Expired, Failure};
use crate::node::Node;
use crate::rows;

/// Scheduled expiry moves the sealed day of a kind at least so many days at a time: each time, the kind's
/// shards and the store's files are written anew.
const SCHEDULE_DAYS: i32 = 7;

/// What is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// All records older than the day.
    Before(Date),
    /// One record.
    Record(RecordId),
}

/// An expiry on its way through the shards.
#[derive(Debug)]
pub(crate) struct Expire {
    pub(crate) ask: Option<AskId>,
    /// Kinds still to come.
    pub(crate) kinds: VecDeque<(KindId, Target)>,
    /// Whether nothing is removed, only counted.
    pub(crate) dry: bool,
    /// The next shard of the first kind.
    pub(crate) next: u32,
    /// What was found of each kind.
    pub(crate) found: Vec<Expired>,
    /// Whether the kind's day was sealed already.
    pub(crate) begun: bool,
}

impl Target {
    fn takes(&self, kind: &Kind, id: &RecordId, record: &Record) -> bool {
        match self {
            Self::Before(day) => kind.is_expired(record, *day),
            Self::Record(one) => one == id,
        }
    }
}

impl Expire {
    /// The shard that is at work.
    pub(crate) fn at(&self) -> Option<(KindId, u32)> {
        self.kinds.front().map(|(kind, _)| (kind.clone(), self.next))
    }
}

impl Node {
    /// Whether this node seals for its home: it is the one that reports.
    fn may_seal(&self) -> bool {
        self.settings.term.is_some() && self.superseded.is_none() && !self.is_following()
    }

    /// Somebody of this house has what is too old removed, or asks what that would be.
    pub(crate) fn expire(
        &mut self,
        ask: AskId,
        kind: Option<KindId>,
        before: Option<Date>,
        dry: bool,
    ) {
        match self.kinds_to_expire(kind, before) {
            Ok(kinds) => {
                let ask = Some(ask);
                self.begin_expire(Expire {
                    ask,
                    kinds,
                    dry,
                    next: 0,
                    found: Vec::new(),
                    begun: false,
                });
            }
            Err(failure) => self.context.reply(ask, Answer::Failed(failure)),
        }
    }

    /// Somebody of this house has one record removed.
    pub(crate) fn erase(&mut self, ask: AskId, kind: &KindId, id: RecordId) {
        let schema = self.home.schema.clone();
        let known = schema.as_ref().and_then(|schema| schema.kind(kind.as_str()));
        let failure = match known {
            _ if !self.may_seal() => Failure::NotSealing,
            Some(known) if *kind != self.closure_kind() => {
                let next = known.shard_of(&id);
                let kinds = VecDeque::from([(kind.clone(), Target::Record(id))]);
                let (ask, found) = (Some(ask), Vec::new());
                return self.begin_expire(Expire {
                    ask,
                    kinds,
                    dry: false,
                    next,
                    found,
                    begun: false,
                });
            }
            _ => Failure::UnknownKind(kind.clone()),
        };
        self.context.reply(ask, Answer::Failed(failure));
    }

    fn begin_expire(&mut self, expire: Expire) {
        if let Some(ask) = expire.ask.filter(|_| self.home.queue.len() >= QUEUED_TASKS) {
            let busy = Failure::Busy(self.home.queue.len());
            return self.context.reply(ask, Answer::Failed(busy));
        }
        self.enqueue(Task::Expire(Box::new(expire)));
    }

    fn kinds_to_expire(
        &self,
        kind: Option<KindId>,
        before: Option<Date>,
    ) -> Result<VecDeque<(KindId, Target)>, Failure> {
        if !self.may_seal() {
            return Err(Failure::NotSealing);
        }
        let schema = self.home.schema.as_ref().ok_or(Failure::NoTwin)?;
        let today = self.today();
        if let Some(ahead) = before.filter(|before| *before > today) {
            return Err(Failure::Ahead(ahead));
        }
        let kinds: Vec<&Arc<Kind>> = match &kind {
            None => schema.kinds().filter(|kind| kind.retention.is_some()).collect(),
            Some(kind) => {
                let known = schema.kind(kind.as_str()).filter(|_| *kind != self.closure_kind());
                vec![known.ok_or_else(|| Failure::UnknownKind(kind.clone()))?]
            }
        };
        let day = |kind: &Arc<Kind>| {
            let kept = kind.retention.and_then(|it| it.first_kept(today));
            let day = before.or(kept)?;
            Some((kind.id.clone(), Target::Before(self.sealable_before(&kind.id, day))))
        };
        let kinds: VecDeque<_> = kinds.into_iter().filter_map(day).collect();
        if kinds.is_empty() { Err(Failure::NoRetention) } else { Ok(kinds) }
    }

    /// The day before which a kind is sealed if it is to be before this one; a sealed day never goes back.
    fn sealable_before(&self, kind: &KindId, day: Date) -> Date {
        let today = self.today();
        let day = match &self.home.engine {
            Some(engine) => engine.sealable_before(kind, day, today),
            None => day,
        };
        self.home.seals.before(kind).map_or(day, |held| held.max(day))
    }

    /// Once a day: kinds whose records are kept for a time, if the house lets the node expire them.
    pub(crate) fn review_retention(&mut self) {
        let today = self.today();
        let waits = !self.settings.scheduled_retention
            || self.home.seals.looked == Some(today)
            || self.home.rebuilding > 0
            || self.short
            || self.is_clock_behind()
            || self.home.author.is_none()
            || !self.may_seal();
        if waits {
            return;
        }
        self.home.seals.looked = Some(today);
        let Ok(kinds) = self.kinds_to_expire(None, None) else { return };
        let moves = |(kind, target): &(KindId, Target)| {
            let Target::Before(day) = target else { return false };
            let held = self.home.seals.before(kind);
            let next = held.map(|held| held.saturating_add(jiff::Span::new().days(SCHEDULE_DAYS)));
            next.is_none_or(|next| next <= *day)
        };
        let kinds: VecDeque<_> = kinds.into_iter().filter(moves).collect();
        if !kinds.is_empty() {
            self.context.counters.count("retention", "scheduled");
            let (ask, found) = (None, Vec::new());
            self.begin_expire(Expire { ask, kinds, dry: false, next: 0, found, begun: false });
        }
    }

    /// Records came from another node of the home that are older than what is sealed: they go too.
    pub(super) fn expire_what_came(&mut self, facts: &[Fact]) {
        let Some(schema) = self.home.schema.clone().filter(|_| self.may_seal()) else { return };
        let mut kinds: VecDeque<(KindId, Target)> = VecDeque::new();
        for fact in facts {
            let Some(day) = self.home.seals.before(&fact.kind) else { continue };
            let known = schema.kind(fact.kind.as_str());
            let expired =
                known.zip(fact.after.as_ref()).is_some_and(|(it, r)| it.is_expired(r, day));
            if expired && !kinds.iter().any(|(kind, _)| *kind == fact.kind) {
                self.context.counters.count("late_changes", "refused");
                kinds.push_back((fact.kind.clone(), Target::Before(day)));
            }
        }
        if !kinds.is_empty() {
            let (ask, found) = (None, Vec::new());
            self.begin_expire(Expire { ask, kinds, dry: false, next: 0, found, begun: false });
        }
    }

    /// The shard at work is here: counts what must go, and reads the rows of its epoch if anything does.
    pub(super) fn start_expire(&mut self, schema: &Schema, mut expire: Box<Expire>) {
        let Some((kind, target)) = expire.kinds.front().cloned() else {
            return self.end_expire(*expire, None);
        };
        let Some(known) = schema.kind(kind.as_str()).cloned() else {
            return self.end_expire(*expire, Some(Failure::UnknownKind(kind)));
        };
        if !expire.begun && self.home.rebuilding > 0 {
            // What stands is what the indicators say when they are built.
            return self.home.queue.push_back(Task::Expire(expire));
        }
        if !expire.begun {
            expire.begun = true;
            let before = match &target {
                Target::Before(day) => Some(*day),
                Target::Record(_) => None,
            };
            expire.found.push(Expired {
                kind: kind.clone(),
                before,
                records: 0,
                kept: 0,
                shards: 0,
            });
            if let Some(day) = before.filter(|_| !expire.dry) {
                self.begin_sealing(&kind, day);
            }
        }
        let id = self.home.shard_id(&kind, expire.next);
        let Some(resident) = self.home.resident.get(&id) else {
            return self.end_expire(*expire, Some(Failure::Damaged("shard")));
        };
        let all = count_of(resident.shard.len());
        let gone = resident.shard.iter().filter(|(id, record)| target.takes(&known, id, record));
        let gone = count_of(gone.count());
        if let Some(found) = expire.found.last_mut() {
            found.records = found.records.saturating_add(gone);
            found.kept = found.kept.saturating_add(all.saturating_sub(gone));
            found.shards = found.shards.saturating_add(u32::from(gone > 0));
        }
        if gone == 0 || expire.dry {
            return self.continue_expire(expire, &known);
        }
        self.load_epoch(&id, None);
        self.home.running = Some(Running::reading(Task::Expire(expire)));
    }

    /// From now on, records of a kind that are older than the day are refused.
    fn begin_sealing(&mut self, kind: &KindId, day: Date) {
        if self.home.seals.before(kind).is_some_and(|held| held >= day) {
            return;
        }
        self.seal_before(kind, day);
        let days = day.since(jiff::civil::date(1970, 1, 1)).map(|span| span.get_days());
        let seal = self.seal(kind, days.ok(), None);
        self.keep_seal(seal);
    }

    fn seal(&self, kind: &KindId, before: Option<i32>, shard: Option<ShardSeal>) -> SignedSeal {
        let seal = Seal {
            home: Digest::from_bytes(*self.home.id.as_bytes()),
            kind: kind.clone(),
            before,
            shard,
            term: self.settings.term.unwrap_or(0),
            at: self.context.now().wall,
        };
        SignedSeal::sign(seal, &self.settings.key)
    }

    fn continue_expire(&mut self, mut expire: Box<Expire>, kind: &Kind) {
        expire.next = expire.next.saturating_add(1);
        let one = matches!(expire.kinds.front(), Some((_, Target::Record(_))));
        if one || expire.next >= kind.shards {
            expire.kinds.pop_front();
            (expire.next, expire.begun) = (0, false);
        }
        self.home.queue.push_front(Task::Expire(expire));
    }

    fn end_expire(&mut self, expire: Expire, failure: Option<Failure>) {
        let removed = !expire.dry && expire.found.iter().any(|found| found.shards > 0);
        let one = expire.found.iter().find(|found| found.before.is_none());
        let failure = failure.or_else(|| {
            one.filter(|one| one.records == 0).map(|_| Failure::NotFound("record of that id"))
        });
        if !expire.dry {
            self.rewrite();
            self.tell_seals_to_all();
            self.nudge_home();
        }
        let Some(ask) = expire.ask else { return };
        let answer = failure.map_or(Answer::Expired(expire.found), Answer::Failed);
        if removed {
            self.reply_when_erased(ask, answer);
        } else {
            self.context.reply(ask, answer);
        }
    }

    /// The shard at work begins a new epoch.
    pub(super) fn roll_over(
        &mut self,
        expire: Box<Expire>,
        old: &ShardId,
        rows: &[(Vec<u8>, Vec<u8>)],
    ) {
        let target = expire.kinds.front().map(|(_, target)| target.clone());
        let schema = self.home.schema.clone();
        let known = schema.and_then(|schema| schema.kind(old.kind.as_str()).cloned());
        let (Some(target), Some(known)) = (target, known) else { return };
        let done = self.begin_epoch(&known, &target, old, rows);
        match done {
            Ok(()) => self.continue_expire(expire, &known),
            Err(failure) => self.end_expire(*expire, Some(failure)),
        }
    }

    fn begin_epoch(
        &mut self,
        kind: &Arc<Kind>,
        target: &Target,
        old: &ShardId,
        rows: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<(), Failure> {
        let now = self.context.now().wall;
        let author = self.home.author.clone().filter(|author| {
            self.home.writers.may_write_at(&author.actor().writer, &old.kind, now)
        });
        let author = author.ok_or(Failure::NoWriter)?;
        let resident = self.home.resident.get(old).ok_or(Failure::Damaged("shard"))?;
        let epoch = old.epoch.checked_add(1).ok_or(Failure::Damaged("shard"))?;
        let mut new = Shard::new(self.home.id, Arc::clone(kind), old.index, epoch);
        let (mut kept, mut facts) = (Vec::new(), Vec::new());
        for (id, record) in resident.shard.iter() {
            if target.takes(kind, &id, &record) {
                let (kind, before) = (old.kind.clone(), Some(record));
                facts.push(Fact { kind, id, before, after: None });
            } else {
                let record = kind.validate(record).map_err(|_| Failure::Damaged("record"))?;
                kept.push(RecordOp::Put { id, record });
            }
        }
        let seen = resident.shard.seen();
        let written = new.write(&author, kept, now).map_err(|it| Failure::Write(it.to_string()))?;
        let erased = match target {
            Target::Record(id) => Some(Erased::of(self.draw_salt(old), &old.kind, id)),
            Target::Before(_) => None,
        };
        let removed = u32::try_from(facts.len()).unwrap_or(u32::MAX);
        let kept = new.digest_of_records();
        let shard = ShardSeal { index: old.index, epoch, seen, kept, removed, erased };
        let seal = self.seal(&old.kind, None, Some(shard));
        let changes: Vec<(ShardId, Vec<u8>)> = written
            .changes
            .iter()
            .map(|change| (new.id().clone(), change.as_bytes().to_vec()))
            .collect();
        self.drop_epoch(old, rows);
        self.keep_seal(seal);
        self.give_back(vec![new], &std::collections::BTreeMap::new(), &changes);
        self.log_changes(changes);
        self.take_removed(&facts, erased.is_some());
        self.want_rewriting();
        let label = if erased.is_some() { "erased" } else { "expired" };
        self.context.counters.add("retention", label, u64::from(removed));
        Ok(())
    }

    /// Fresh for each seal: nobody but who has the seal can tell what its tag is of.
    fn draw_salt(&self, old: &ShardId) -> [u8; 16] {
        let number = self.home.log.end.to_be_bytes();
        let at = self.context.now().wall.as_millis().to_be_bytes();
        let (index, epoch) = (old.index.to_be_bytes(), old.epoch.to_be_bytes());
        let entropy = &self.settings.entropy;
        let parts: [&[u8]; 6] = [b"reeve-salt/1\0", entropy, &number, &at, &index, &epoch];
        let digest = Digest::of_parts(&parts);
        let (salt, _) = digest.as_bytes().split_at(16);
        salt.try_into().unwrap_or_default()
    }

    /// Takes operations out that are about sealed periods, and says how many there were.
    pub(super) fn leave_sealed_out(
        &mut self,
        schema: &Schema,
        kind: &KindId,
        ops: &mut Vec<RecordOp>,
    ) -> u64 {
        let mut late = 0_u64;
        if *kind == self.closure_kind() {
            ops.retain(|op| !self.closes_sealed(op));
            return late;
        }
        let (Some(day), Some(known)) = (self.home.seals.before(kind), schema.kind(kind.as_str()))
        else {
            return late;
        };
        let home = &self.home;
        ops.retain(|op| {
            let is_late = match op {
                RecordOp::Put { record, .. } => known.is_expired(record.record(), day),
                RecordOp::Delete { .. } => false,
                RecordOp::SetField { id, field, value } => {
                    let shard = home.shard_of(schema, kind.as_str(), id);
                    let held = shard.and_then(|shard| home.resident.get(&shard)?.shard.get(id));
                    held.is_some_and(|mut record| {
                        match value {
                            Some(value) => drop(record.set(field.clone(), value.clone())),
                            None => drop(record.unset(field.as_str())),
                        }
                        known.is_expired(&record, day)
                    })
                }
            };
            late = late.saturating_add(u64::from(is_late));
            !is_late
        });
        self.context.counters.add("late_changes", "refused", late);
        late
    }

    /// Whether an operation closes a sealed period, or opens it again.
    pub(super) fn closes_sealed(&self, op: &RecordOp) -> bool {
        let RecordOp::Put { record, .. } = op else { return false };
        let Some(closure) = Closure::from_record(record.record()) else { return false };
        let day = self.home.seals.before(&closure.kind);
        day.zip(closure.period.first_day()).is_some_and(|(day, first)| first < day)
    }

    /// The rows of records that were written again are done with.
    pub(super) fn forget_late(&mut self, keys: Vec<Vec<u8>>) {
        for key in keys {
            debug_assert!(key.starts_with(rows::LATE), "a row of a late record");
            self.context.persist(key, None);
        }
    }
}

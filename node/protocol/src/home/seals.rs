//! Seals: which epoch each shard is in, what was removed, and how the nodes of a home agree about it.
//!
//! A seal is an act of the reporting node (`sealers`). It is durable there before another node hears of it, and each
//! node that hears of it removes what the seal removed, durably and out of its files, before it takes or
//! gives any record: nodes whose seals differ tell each other those, and no changes. What a node's own
//! writers wrote too late for the seal to see is written again into the new epoch, after the sealing
//! node's records were followed, unless it is older than what the kind is sealed before, or was erased.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::civil::Date;
use minicbor::{Decode, Encode};
use reeve_crdt::indicator::Sealed;
use reeve_crdt::record::{Fact, Record, RecordId};
use reeve_crdt::schema::{Kind, Schema};
use reeve_crdt::twin::{RecordOp, Seal, ShardId, ShardSeal, SignedChange, SignedSeal, unseen};
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::digest::Digest;
use reeve_statement::names::KindId;

use super::fork::fork_key;
use super::task::{Running, TAIL_PAGE};
use super::{Home, Task, changes_prefix, snapshot_key};
use crate::bugs::Bug;
use crate::effect::{AskId, Channel, Effect, Load, LoadId, Loaded, NodeKey};
use crate::local::Answer;
use crate::node::Node;
use crate::refusal::Refusal;
use crate::rows;
use crate::trust::Standing;
use crate::wire::{Blob, CHANGES_BYTES, DISTRIBUTED, HomeMessage};

/// Under [`rows::META`]: values were removed from the rows, and may still be in the store's files.
pub(crate) const UNERASED: &[u8] = b"unerased";

/// Largest row of what erased records left behind, in bytes.
const LEFT_BYTES: usize = 4 * 1_024;

/// Which seal: a kind, a shard of it (none: the day of the kind), and the epoch that began (for a kind:
/// the day).
type Place = (KindId, Option<u32>, i64);

/// What is known of seals.
#[derive(Debug, Default)]
pub(crate) struct Seals {
    held: BTreeMap<Place, SignedSeal>,
    /// The digest of what is held; none: nothing.
    state: Option<Digest>,
    /// Epochs of the shards that are not in their first.
    epochs: BTreeMap<(KindId, u32), u32>,
    /// What stands of sealed periods.
    pub(crate) sealed: Sealed,
    /// Records that a seal did not see, to be written again; none: deleted.
    late: BTreeMap<(KindId, RecordId), Option<Record>>,
    /// Rewritings of the store's files that are wanted, and how many are done.
    wanted: u64,
    done: u64,
    under_way: Option<u64>,
    /// Answers that wait until the files are rewritten.
    waiting: Vec<(u64, AskId, Answer)>,
    /// Loads of the rows of an epoch that ends.
    pub(super) loads: BTreeSet<LoadId>,
    /// Which state each peer was told.
    told: BTreeMap<NodeKey, Digest>,
    /// The day on which retention was looked after last.
    pub(super) looked: Option<Date>,
}

/// What erased records left behind in one bucket.
#[derive(Encode, Decode)]
struct LeftRow {
    #[n(0)]
    definition: Digest,
    #[cbor(n(1), with = "minicbor::bytes")]
    bucket: Vec<u8>,
    #[n(2)]
    value: i64,
    #[n(3)]
    records: i64,
}

/// A record to be written again.
#[derive(Encode, Decode)]
struct LateRow {
    #[n(0)]
    kind: KindId,
    #[cbor(n(1), with = "reeve_statement::cbor::text")]
    id: String,
    #[cbor(n(2), with = "minicbor::bytes")]
    record: Option<Vec<u8>>,
}

fn place_of(seal: &Seal) -> Place {
    match &seal.shard {
        Some(shard) => (seal.kind.clone(), Some(shard.index), i64::from(shard.epoch)),
        None => (seal.kind.clone(), None, i64::from(seal.before.unwrap_or(i32::MIN))),
    }
}

fn seal_key(place: &Place) -> Vec<u8> {
    let (kind, index, number) = place;
    let index = index.map_or_else(Vec::new, |index| index.to_be_bytes().to_vec());
    rows::key(rows::SEAL, &[kind.as_str().as_bytes(), b"/", &index, &number.to_be_bytes()])
}

fn late_key(kind: &KindId, id: &RecordId) -> Vec<u8> {
    let name = Digest::of_parts(&[kind.as_str().as_bytes(), b"/", id.as_str().as_bytes()]);
    rows::key(rows::LATE, &[name.as_bytes()])
}

impl Seals {
    /// Whether the store's files may still hold what its rows hold no more.
    pub(crate) const fn is_unerased(&self) -> bool {
        self.done < self.wanted
    }

    /// The digest of all seals that are held; none: there are none.
    pub(crate) const fn state(&self) -> Option<Digest> {
        self.state
    }

    fn keep(&mut self, seal: SignedSeal) {
        if let Some(shard) = seal.shard() {
            let epoch = self.epochs.entry((shard.kind, shard.index)).or_default();
            *epoch = shard.epoch.max(*epoch);
        }
        self.held.insert(place_of(seal.seal()), seal);
    }

    fn count(&mut self) {
        let parts: Vec<Digest> =
            self.held.values().map(|seal| Digest::of(seal.as_bytes())).collect();
        let parts: Vec<&[u8]> = parts.iter().map(|digest| digest.as_bytes().as_slice()).collect();
        self.state = (!parts.is_empty()).then(|| Digest::of_parts(&parts));
    }

    /// The day before which each kind is sealed that is.
    pub(crate) fn days(&self) -> Vec<(KindId, Date)> {
        let kinds: BTreeSet<&KindId> = self.held.keys().map(|(kind, ..)| kind).collect();
        let day = |kind: &KindId| Some((kind.clone(), self.before(kind)?));
        kinds.into_iter().filter_map(day).collect()
    }

    /// The day before which a kind is sealed.
    pub(crate) fn before(&self, kind: &KindId) -> Option<Date> {
        self.sealed.of(kind)
    }
}

impl Home {
    /// A shard in the epoch that it is in.
    pub(crate) fn shard_id(&self, kind: &KindId, index: u32) -> ShardId {
        let epoch = self.seals.epochs.get(&(kind.clone(), index)).copied().unwrap_or(0);
        ShardId { kind: kind.clone(), index, epoch }
    }

    /// In which shard a record is.
    pub(crate) fn shard_of(&self, schema: &Schema, kind: &str, id: &RecordId) -> Option<ShardId> {
        let kind = schema.kind(kind)?;
        Some(self.shard_id(&kind.id, kind.shard_of(id)))
    }

    /// Every shard of the schema.
    pub(crate) fn all_shards(&self, schema: &Schema) -> Vec<ShardId> {
        let of = |kind: &Arc<Kind>| {
            let id = kind.id.clone();
            (0..kind.shards).map(move |index| (id.clone(), index)).collect::<Vec<_>>()
        };
        let all = schema.kinds().flat_map(of);
        all.map(|(kind, index)| self.shard_id(&kind, index)).collect()
    }
}

impl Node {
    /// A seal that this node's store holds; counted at the end.
    pub(crate) fn restore_seal(&mut self, value: &[u8]) -> Option<()> {
        let seal = SignedSeal::decode(value, self.home.id).ok()?;
        if let Some(day) = seal.seal().before.and_then(day_of) {
            let kind = seal.seal().kind.clone();
            self.home.seals.sealed.before(&kind, day);
        }
        self.home.seals.keep(seal);
        Some(())
    }

    pub(crate) fn restore_sealed(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (digest, day) = key.strip_prefix(rows::SEALED)?.split_at_checked(32)?;
        let definition = Digest::from_bytes(digest.try_into().ok()?);
        let day = i32::from_be_bytes(day.try_into().ok()?);
        self.home.seals.sealed.keep((definition, day, value.to_vec()));
        Some(())
    }

    pub(crate) fn restore_left(&mut self, value: &[u8]) -> Option<()> {
        let row: LeftRow = from_slice("row", value, LEFT_BYTES).ok()?;
        let left = (row.value, row.records);
        self.home.seals.sealed.restore_left(row.definition, row.bucket, left);
        Some(())
    }

    pub(crate) fn restore_late(&mut self, value: &[u8]) -> Option<()> {
        let row: LateRow = from_slice("row", value, value.len()).ok()?;
        let id = RecordId::new(&row.id).ok()?;
        let schema = self.home.schema.clone()?;
        let Some(kind) = schema.kind(row.kind.as_str()) else { return Some(()) };
        let record = match row.record {
            Some(bytes) => Some(Record::from_cbor(kind, &bytes).ok()?.into_record()),
            None => None,
        };
        self.home.seals.late.insert((row.kind, id), record);
        Some(())
    }

    /// Values were removed before this node stopped, and their bytes may still be there.
    pub(crate) fn restore_unerased(&mut self) {
        self.home.seals.wanted = self.home.seals.done.saturating_add(1);
    }

    /// After everything was restored.
    pub(crate) fn begin_sealed(&mut self) {
        self.home.seals.count();
        self.tell_engine();
        self.rewrite();
    }

    /// The indicators are told what stands.
    pub(crate) fn tell_engine(&mut self) {
        let sealed = Arc::new(self.home.seals.sealed.clone());
        if let Some(engine) = &mut self.home.engine {
            engine.set_sealed(sealed);
        }
    }

    /// Keeps a seal, durably.
    pub(super) fn keep_seal(&mut self, seal: SignedSeal) {
        if *seal.key() == self.settings.key.public() {
            self.note_own_sealer();
        }
        let key = seal_key(&place_of(seal.seal()));
        self.context.persist(key, Some(seal.as_bytes().to_vec()));
        self.home.seals.keep(seal);
        self.home.seals.count();
    }

    /// Seals a kind before a day: the tables of its periods that begin before it stand from now on.
    pub(super) fn seal_before(&mut self, kind: &KindId, day: Date) {
        let today = self.today();
        self.home.seals.sealed.before(kind, day);
        let tables = match &mut self.home.engine {
            Some(engine) => engine.seal(kind, day, today),
            None => Vec::new(),
        };
        for table in tables {
            let (definition, first, bytes) = &table;
            let key = rows::key(rows::SEALED, &[definition.as_bytes(), &first.to_be_bytes()]);
            self.context.persist(key, Some(bytes.clone()));
            self.home.seals.sealed.keep(table);
        }
        self.tell_engine();
        self.persist_pages();
        self.context.counters.count("retention", "sealed");
    }

    /// Facts of records that are removed: what they count for in periods stands.
    pub(super) fn take_removed(&mut self, facts: &[Fact], erased: bool) {
        if !erased {
            return self.take_facts(facts, None);
        }
        let at = self.context.now().wall;
        for fact in facts {
            let Some(engine) = &mut self.home.engine else { return };
            let (dirty, left) = engine.erase(fact, at);
            for left in left {
                let (definition, bucket) = (left.0, left.1.clone());
                let name = Digest::of_parts(&[definition.as_bytes(), &bucket]);
                let (value, records) = self.home.seals.sealed.leave(left);
                let row = to_vec(&LeftRow { definition, bucket, value, records });
                self.context.persist(rows::key(rows::LEFT, &[name.as_bytes()]), Some(row));
            }
            self.mark_touched(dirty.into_iter().collect());
        }
        self.tell_engine();
        self.persist_pages();
    }

    /// Removes all rows of an epoch of a shard: `changes` are those with its changes.
    pub(super) fn drop_epoch(&mut self, id: &ShardId, changes: &[(Vec<u8>, Vec<u8>)]) {
        for (key, _) in changes {
            let position = key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes));
            if let Some(position) = position {
                self.context.persist(rows::numbered(rows::LOG, position), None);
            }
            self.context.persist(key.clone(), None);
        }
        self.context.persist(snapshot_key(id), None);
        let of_shard = self.home.forks.keys().filter(|(shard, _)| shard == id);
        for place in of_shard.cloned().collect::<Vec<_>>() {
            self.context.persist(fork_key(&place.0, &place.1), None);
            self.home.forks.remove(&place);
        }
        self.home.resident.remove(id);
        self.home.waiting.remove(id);
        self.damaged_shards.remove(id);
    }

    /// The store's files are to be rewritten: they hold what the rows no longer do. Until that is done,
    /// nothing is taken from other nodes of the home, and nothing given to them.
    pub(super) fn want_rewriting(&mut self) {
        let seals = &mut self.home.seals;
        seals.wanted = seals.wanted.saturating_add(1);
        self.context.persist(rows::key(rows::META, &[UNERASED]), Some(Vec::new()));
    }

    /// Begins to rewrite the store's files, if that is wanted and not under way.
    pub(super) fn rewrite(&mut self) {
        let seals = &mut self.home.seals;
        if !seals.is_unerased() || seals.under_way.is_some() {
            return;
        }
        seals.under_way = Some(seals.wanted);
        if self.settings.bugs.has(Bug::KeepBytes) {
            return self.on_rewritten();
        }
        self.context.act(Effect::Rewrite);
    }

    /// Answers once the files are rewritten.
    pub(super) fn reply_when_erased(&mut self, ask: AskId, answer: Answer) {
        if self.home.seals.is_unerased() {
            self.home.seals.waiting.push((self.home.seals.wanted, ask, answer));
        } else {
            self.context.reply(ask, answer);
        }
    }

    /// The store's files hold its rows and nothing else.
    pub(crate) fn on_rewritten(&mut self) {
        let seals = &mut self.home.seals;
        let Some(done) = seals.under_way.take() else { return };
        seals.done = done;
        let (ready, waiting): (Vec<_>, Vec<_>) =
            core::mem::take(&mut seals.waiting).into_iter().partition(|it| it.0 <= done);
        seals.waiting = waiting;
        self.context.counters.count("retention", "rewritten");
        if self.home.seals.is_unerased() {
            self.rewrite();
        } else {
            self.context.persist(rows::key(rows::META, &[UNERASED]), None);
            let home: Vec<NodeKey> = self.peers.of(Standing::Home).map(|(key, _)| *key).collect();
            for peer in home {
                self.pull(peer);
            }
        }
        for (_, ask, answer) in ready {
            self.context.reply(ask, answer);
        }
    }

    /// Whether records may go to and come from a node of this home that holds seals of that digest.
    pub(crate) fn agrees(&self, seals: Option<Digest>) -> bool {
        let seals_here = &self.home.seals;
        seals_here.state == seals && !seals_here.is_unerased()
    }

    /// A home peer is told all seals, once for each state of them.
    pub(crate) fn tell_seals(&mut self, peer: NodeKey) {
        let Some(state) = self.home.seals.state else { return };
        if self.home.seals.told.insert(peer, state) == Some(state) {
            return;
        }
        let mut page: Vec<SignedSeal> = Vec::new();
        let mut bytes = 0_usize;
        let all: Vec<SignedSeal> = self.home.seals.held.values().cloned().collect();
        for seal in all {
            let length = seal.as_bytes().len();
            bytes = bytes.saturating_add(length);
            if page.len() >= DISTRIBUTED || (bytes > CHANGES_BYTES && !page.is_empty()) {
                bytes = length;
                self.tell_page(peer, &core::mem::take(&mut page));
            }
            page.push(seal);
        }
        self.tell_page(peer, &page);
    }

    fn tell_page(&mut self, peer: NodeKey, page: &[SignedSeal]) {
        let seals = page.iter().map(|seal| Blob(seal.as_bytes().to_vec())).collect();
        let sealers = self.sealers_of(page.iter());
        self.tell(peer, Channel::Home, to_vec(&HomeMessage::Seals { seals, sealers }));
    }

    /// What peers were told may have been lost on the way.
    pub(crate) fn forget_told_seals(&mut self, peer: Option<NodeKey>) {
        match peer {
            Some(peer) => drop(self.home.seals.told.remove(&peer)),
            None => self.home.seals.told.clear(),
        }
    }

    /// All home peers are told.
    pub(super) fn tell_seals_to_all(&mut self) {
        let home: Vec<NodeKey> = self.peers.of(Standing::Home).map(|(key, _)| *key).collect();
        for peer in home {
            self.tell_seals(peer);
        }
    }

    /// Another node of this home tells of seals.
    pub(crate) fn take_seals(&mut self, peer: NodeKey, seals: &[Blob]) -> Result<(), Refusal> {
        let schema = self.home.schema.clone().ok_or(Refusal::NotFound)?;
        if self.short {
            return Err(Refusal::Busy);
        }
        let mut news: BTreeMap<Place, SignedSeal> = BTreeMap::new();
        for Blob(bytes) in seals {
            let seal = SignedSeal::decode(bytes, self.home.id).map_err(|error| match error {
                reeve_crdt::twin::SealError::BadSignature => Refusal::BadSignature,
                _ => Refusal::Malformed,
            })?;
            let place = place_of(seal.seal());
            let known = schema.kind(place.0.as_str()).ok_or(Refusal::BadChange)?;
            if place.1.is_some_and(|index| index >= known.shards) {
                return Err(Refusal::BadChange);
            }
            let held = self.home.seals.held.get(&place);
            if held.is_none_or(|held| held.order() < seal.order()) {
                self.judge_sealer(&seal)?;
                news.insert(place, seal);
            }
        }
        if news.is_empty() {
            self.pull(peer);
        } else {
            // Days of kinds come first, then the epochs of each shard in order.
            self.enqueue(Task::TakeSeals { peer, seals: news.into_values().collect() });
        }
        Ok(())
    }

    /// Takes the next seals that need no shard; then that shard's rows are read.
    pub(super) fn start_taking(&mut self, peer: NodeKey, mut seals: VecDeque<SignedSeal>) {
        if self.home.rebuilding > 0 {
            // What stands is what the indicators say when they are built.
            return self.home.queue.push_back(Task::TakeSeals { peer, seals });
        }
        while let Some(seal) = seals.pop_front() {
            let Some(shard) = seal.shard() else {
                if let Some(day) = seal.seal().before.and_then(day_of) {
                    let kind = seal.seal().kind.clone();
                    if self.home.seals.before(&kind).is_none_or(|held| held < day) {
                        self.seal_before(&kind, day);
                    }
                }
                self.keep_seal(seal);
                continue;
            };
            let current = self.home.shard_id(&shard.kind, shard.index);
            if shard.epoch < current.epoch {
                self.keep_seal(seal);
                continue;
            }
            if !self.home.resident.contains_key(&current) && !self.damaged_shards.contains(&current)
            {
                // It was not loaded for this task: it begins again with the shard.
                seals.push_front(seal);
                self.home.queue.push_front(Task::TakeSeals { peer, seals });
                return;
            }
            seals.push_front(seal);
            self.load_epoch(&current, None);
            let task = Task::TakeSeals { peer, seals };
            self.home.running = Some(Running::reading(task));
            return;
        }
        self.rewrite();
        self.tell_seals_to_all();
        self.pull(peer);
    }

    /// Reads the rows of the epoch of a shard.
    pub(super) fn load_epoch(&mut self, shard: &ShardId, after: Option<Vec<u8>>) {
        let what = Load::Scan { prefix: changes_prefix(shard), after, limit: TAIL_PAGE };
        let load = self.context.load(what);
        self.home.seals.loads.insert(load);
    }

    /// A page of these came from the store.
    pub(crate) fn on_epoch_loaded(&mut self, load: LoadId, loaded: Loaded) -> Option<Loaded> {
        if !self.home.seals.loads.remove(&load) {
            return Some(loaded);
        }
        let Loaded::Rows(page) = loaded else { return None };
        let Some(running) = &mut self.home.running else { return None };
        let last = page.last().filter(|_| page.len() == TAIL_PAGE).map(|(key, _)| key.clone());
        running.rows.extend(page);
        let shard = match &running.task {
            Task::TakeSeals { seals, .. } => {
                seals.front().and_then(SignedSeal::shard).map(|it| (it.kind, it.index))
            }
            Task::Expire(expire) => expire.at(),
            _ => None,
        };
        let shard = shard.map(|(kind, index)| self.home.shard_id(&kind, index))?;
        if let Some(last) = last {
            self.load_epoch(&shard, Some(last));
            return None;
        }
        let Running { task, rows, .. } = self.home.running.take()?;
        match task {
            Task::TakeSeals { peer, seals } => self.take_seal(peer, seals, &shard, &rows),
            Task::Expire(expire) => self.roll_over(expire, &shard, &rows),
            _ => {}
        }
        self.work();
        None
    }

    /// The epoch of a shard ends, because another node sealed it.
    fn take_seal(
        &mut self,
        peer: NodeKey,
        mut seals: VecDeque<SignedSeal>,
        old: &ShardId,
        rows: &[(Vec<u8>, Vec<u8>)],
    ) {
        let Some((seal, schema)) = seals.pop_front().zip(self.home.schema.clone()) else { return };
        let Some((shard, known)) =
            seal.seal().shard.clone().zip(schema.kind(old.kind.as_str()).cloned())
        else {
            return;
        };
        if let Some(resident) = self.home.resident.remove(old) {
            let resident = resident.shard;
            self.keep_late(&schema, &known, old, &shard, rows, &resident);
            let fact = |(id, record)| Fact {
                kind: old.kind.clone(),
                id,
                before: Some(record),
                after: None,
            };
            let is_erased =
                |fact: &Fact| shard.erased.is_some_and(|tag| tag.is(&fact.kind, &fact.id));
            let (erased, gone): (Vec<Fact>, Vec<Fact>) =
                resident.iter().map(fact).partition(is_erased);
            self.take_removed(&gone, false);
            self.take_removed(&erased, true);
        }
        self.drop_epoch(old, rows);
        self.keep_seal(seal);
        self.want_rewriting();
        self.context.counters.count("retention", "shards_taken");
        self.home.queue.push_front(Task::TakeSeals { peer, seals });
    }

    /// Keeps what this node's own writers wrote too late for a seal to see.
    fn keep_late(
        &mut self,
        schema: &Schema,
        kind: &Kind,
        old: &ShardId,
        seal: &ShardSeal,
        rows: &[(Vec<u8>, Vec<u8>)],
        shard: &reeve_crdt::twin::Shard,
    ) {
        let seal = match seal.epoch.checked_sub(old.epoch) {
            Some(1) => seal.clone(),
            // Two nodes sealed one epoch: of what was written after the other seal this one saw nothing.
            Some(0) => ShardSeal { seen: Vec::new(), ..seal.clone() },
            // The seals of the epochs between are lost: nothing says what they saw.
            _ => return,
        };
        let own = self.settings.key.public().key_id();
        let log =
            rows.iter().filter_map(|(_, value)| SignedChange::from_own_log(value, schema).ok());
        let log: Vec<_> = log.collect();
        let before = self.home.seals.before(&old.kind);
        let back = self.settings.bugs.has(Bug::BringBack);
        for id in unseen(&log, &seal, |change| change.actor().node == own) {
            let record = shard.get(&id);
            let expired =
                record.as_ref().zip(before).is_some_and(|(it, day)| kind.is_expired(it, day));
            let erased = seal.erased.is_some_and(|tag| tag.is(&old.kind, &id));
            if (expired || erased) && !back {
                self.context.counters.count("late_changes", "refused");
                continue;
            }
            let row = LateRow {
                kind: old.kind.clone(),
                id: id.as_str().to_owned(),
                record: record.as_ref().map(Record::to_cbor),
            };
            self.context.persist(late_key(&old.kind, &id), Some(to_vec(&row)));
            self.home.seals.late.insert((old.kind.clone(), id), record);
        }
    }

    /// The sealing node's records were followed: what it did not see is written again.
    pub(crate) fn write_late(&mut self) {
        if self.home.seals.late.is_empty() || self.home.author.is_none() || self.short {
            return;
        }
        let Some(schema) = self.home.schema.clone() else { return };
        let mut by_kind: BTreeMap<KindId, Vec<RecordOp>> = BTreeMap::new();
        let mut keys = Vec::new();
        for ((kind, id), record) in core::mem::take(&mut self.home.seals.late) {
            keys.push(late_key(&kind, &id));
            let op = match record {
                None => Some(RecordOp::Delete { id }),
                Some(record) => {
                    let valid = schema.validate(&kind, record).ok();
                    valid.map(|record| RecordOp::Put { id, record })
                }
            };
            by_kind.entry(kind).or_default().extend(op);
        }
        for (kind, ops) in by_kind {
            self.context.counters.add("late_changes", "written_again", count_of(ops.len()));
            self.home.queue.push_back(Task::Write { ask: None, kind, ops, import: None });
        }
        self.home.queue.push_back(Task::Written { keys });
        self.work();
    }
}

pub(super) fn count_of(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// A day by its number; none beyond the calendar.
pub(super) fn day_of(days: i32) -> Option<Date> {
    let epoch = jiff::civil::date(1970, 1, 1);
    epoch.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

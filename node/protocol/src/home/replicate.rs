//! Replication between the nodes of one home: each pulls the others' logs of signed changes, in the
//! order in which those have them, and takes what it does not have.
//!
//! A change that is refused is counted and passed over; it does not hold up the ones behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reeve_crdt::twin::{ShardId, SignedChange, WritableKinds, WriterDirectory, WriterTerm};
use reeve_statement::cbor::to_vec;
use reeve_statement::cert::{Chain, Role};
use reeve_statement::digest::Digest;
use reeve_statement::key::KeyId;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::effect::{Channel, InboundId, Load, LoadId, Loaded, NodeKey, RequestId, SendFailure};
use crate::home::Task;
use crate::node::Node;
use crate::refusal::Refusal;
use crate::rows;
use crate::trust::Standing;
use crate::wire::{Blob, CHANGES, CHANGES_BYTES, HomeAnswer, HomeMessage, decode};

/// Most certificates of one home's writers that are believed: tens of writers, each renewed every year
/// for decades. A hello names the first of them, and the others follow one by one.
const WRITERS: usize = 1_024;

/// How often a home peer is asked for changes although it did not nudge, in milliseconds.
const PULL_EVERY_MS: u64 = 60 * 1_000;

/// A page of the log being read for a home peer.
#[derive(Debug)]
pub(crate) struct Serving {
    inbound: InboundId,
    peer: NodeKey,
}

impl Serving {
    /// Whether it is read for this peer.
    pub(crate) fn is_for(&self, peer: NodeKey) -> bool {
        self.peer == peer
    }
}

/// Changes being read for a home peer.
#[derive(Debug)]
pub(crate) struct Served {
    positions: Vec<u64>,
    more: bool,
}

impl Node {
    pub(crate) fn begin_with_home(&mut self, peer: NodeKey) {
        // A peer that this node only dials was not known to be of this home before its hello.
        for chain in self.known_writers() {
            self.tell(peer, Channel::Home, to_vec(&HomeMessage::Writer(chain)));
        }
        self.tell_forks(peer);
        self.forget_told_seals(Some(peer));
        self.home.pull_busy.remove(&peer);
        self.pull(peer);
        if let Some(bytes) = self.catalogue_bytes.clone() {
            let message = HomeMessage::Catalogue(Blob(bytes));
            self.tell(peer, Channel::Home, to_vec(&message));
        }
        self.tell_acts(peer);
        self.declare_to_home(peer);
        self.begin_office(peer);
        for list in self.trust.lists().cloned().collect::<Vec<_>>() {
            self.tell(peer, Channel::Home, to_vec(&HomeMessage::List(list)));
        }
    }

    /// The writers that this node knows of: its own first.
    pub(crate) fn known_writers(&self) -> Vec<Blob> {
        let own = self.settings.writer.chain.to_cbor();
        let others = self.home.writer_chains.values().filter(|chain| **chain != own);
        core::iter::once(&own).chain(others).cloned().map(Blob).collect()
    }

    /// The writers that a home peer names are believed as far as their chains go.
    pub(crate) fn take_writers(&mut self, chains: &[Blob]) {
        let mut news = Vec::new();
        let struck: BTreeSet<KeyId> = self.home.writers.struck().map(|(key, _)| *key).collect();
        let mut again = BTreeSet::new();
        for bytes in chains {
            let admitted = Chain::from_cbor(&bytes.0)
                .map_err(|_| Refusal::BadChain)
                .and_then(|chain| self.restore_writer(&chain));
            match admitted {
                Err(refusal) => self.context.counters.count("refused_writers", refusal.label()),
                Ok((leaf, true)) => {
                    let key = rows::key(rows::META, &[b"writer/", leaf.as_bytes()]);
                    self.context.persist(key, Some(bytes.0.clone()));
                    news.push(bytes.clone());
                    if let Ok(chain) = Chain::from_cbor(&bytes.0) {
                        let key = chain.leaf().key().key_id();
                        // What did not count by its other certificate may count by this one.
                        again.extend(struck.contains(&key).then_some(key));
                        self.adopt_writer(&chain);
                    }
                }
                Ok((_, false)) => {}
            }
        }
        if !news.is_empty() {
            self.fill_directory();
            self.after_new_writers(&news);
        }
        if !again.is_empty() {
            self.strike(again);
            self.work();
        }
    }

    /// New writers are told to the other nodes of this home, and changes of theirs that were passed
    /// over are pulled again.
    fn after_new_writers(&mut self, news: &[Blob]) {
        let home: Vec<NodeKey> = self.peers.of(Standing::Home).map(|(key, _)| *key).collect();
        let again = core::mem::take(&mut self.home.passed_over);
        for peer in home {
            for chain in news {
                let message = HomeMessage::Writer(chain.clone());
                self.tell(peer, Channel::Home, to_vec(&message));
            }
            if again {
                self.home.cursors.remove(&peer);
                self.pull(peer);
            }
        }
        if again {
            self.home.cursors.clear();
        }
    }

    /// Believes a writer of this home as far as its chain goes; whether it is new. One that was revoked
    /// or has expired is entered too: what it wrote before counts.
    pub(crate) fn restore_writer(&mut self, chain: &Chain) -> Result<(Digest, bool), Refusal> {
        let verified = self.trust.verify_once(chain)?;
        if verified.role() != Role::Writer || !self.is_of_this_home(chain, verified.unit()) {
            return Err(Refusal::NoRight);
        }
        let digest = verified.leaf_digest();
        let held = self.home.writer_chains.contains_key(&digest);
        if !held && self.home.writer_chains.len() >= WRITERS {
            return Err(Refusal::OverLimit);
        }
        self.home.writer_chains.insert(digest, chain.to_cbor());
        Ok((digest, !held))
    }

    /// Whether a chain is of this home: certified for this unit where it stands, or where it stood before
    /// it moved. Then its authority's key is the same, and no other authority could have certified it.
    pub(crate) fn is_of_this_home(&self, chain: &Chain, unit: &UnitPath) -> bool {
        let own = &self.settings;
        let key = |chain: &Chain| chain.authorities().first().map(|it| it.key().to_bytes());
        *unit == own.unit || (unit.leaf() == own.unit.leaf() && key(chain) == key(&own.chain))
    }

    /// After a list came: what a writer whose certificate was revoked wrote from then on does not count.
    pub(crate) fn review_writers(&mut self) {
        let before: BTreeMap<KeyId, Timestamp> =
            self.home.writers.struck().map(|(key, at)| (*key, at)).collect();
        self.fill_directory();
        let struck = self.home.writers.struck();
        let news: BTreeSet<KeyId> =
            struck.filter(|(key, at)| before.get(key) != Some(at)).map(|(key, _)| *key).collect();
        for _ in &news {
            self.context.counters.count("writer", "revoked");
        }
        self.strike(news);
        self.work();
    }

    /// Fills the directory from the chains of the writers; one without named kinds may write all.
    pub(crate) fn fill_directory(&mut self) {
        let chains = self.home.writer_chains.values().filter_map(|it| Chain::from_cbor(it).ok());
        let own = core::iter::once(self.settings.writer.chain.clone());
        let mut directory = WriterDirectory::new();
        for chain in own.chain(chains) {
            let Ok(writer) = self.trust.verify_once(&chain) else { continue };
            let kinds = writer.writable_kinds();
            let kinds = if kinds.is_empty() {
                WritableKinds::All
            } else {
                WritableKinds::Only(kinds.iter().cloned().chain([self.closure_kind()]).collect())
            };
            let validity = chain.leaf().validity();
            let (from, until) = (validity.not_before, validity.end());
            let struck_at = self.trust.revoked_at(&chain);
            directory.grant(*writer.key(), WriterTerm { kinds, from, until, struck_at });
        }
        self.home.writers = Arc::new(directory);
    }

    pub(super) fn pull(&mut self, peer: NodeKey) {
        if self.home.schema.is_none() {
            return;
        }
        // What was removed is out of this node's files before it takes anything.
        if self.short || self.home.seals.is_unerased() {
            self.home.pull_wanted.insert(peer);
            return;
        }
        if !self.home.pull_busy.insert(peer) {
            self.home.pull_wanted.insert(peer);
            return;
        }
        self.home.pull_wanted.remove(&peer);
        let (life, after) = self.home.cursors.get(&peer).copied().unwrap_or((0, 0));
        let seals = self.home.seals.state();
        let message = to_vec(&HomeMessage::Pull { life, after, seals });
        let request = self.context.send(peer, Channel::Home, message);
        self.home.pulling.insert(request, peer);
    }

    /// Pulls everything again from all home peers: changes that had to wait were dropped.
    pub(crate) fn pull_again(&mut self) {
        self.context.counters.count("changes", "pulled_again");
        self.home.cursors.clear();
        let home: Vec<NodeKey> = self.peers.of(Standing::Home).map(|(key, _)| *key).collect();
        for peer in home {
            self.pull(peer);
        }
    }

    /// Pulls from home peers that did not answer, and now and then from all: a nudge may get lost.
    pub(crate) fn review_pulls(&mut self) {
        let now = self.context.now().monotonic;
        let all = now >= self.home.next_pull;
        if all {
            self.home.next_pull = now.saturating_add(PULL_EVERY_MS);
            self.forget_told_seals(None);
            if core::mem::take(&mut self.home.overflowed) {
                self.home.cursors.clear();
            }
        }
        let home: Vec<NodeKey> = self.peers.of(Standing::Home).map(|(key, _)| *key).collect();
        for peer in home {
            let wanted = all || self.home.pull_wanted.contains(&peer);
            if wanted && !self.home.pull_busy.contains(&peer) {
                self.pull(peer);
            }
        }
    }

    /// Tells the other nodes of this home that there is something to pull.
    pub(crate) fn nudge_home(&mut self) {
        let home: Vec<NodeKey> = self.peers.of(Standing::Home).map(|(key, _)| *key).collect();
        for peer in home {
            self.tell(peer, Channel::Home, to_vec(&HomeMessage::Nudge));
        }
    }

    pub(crate) fn on_home(&mut self, inbound: InboundId, peer: NodeKey, bytes: &[u8]) {
        if self.peers.greeted(&peer).map(|greeted| greeted.standing) != Some(Standing::Home) {
            return self.refuse_home(inbound, peer, Refusal::OutOfPlace);
        }
        match decode::<HomeMessage>(bytes) {
            Err(_) => self.refuse_home(inbound, peer, Refusal::Malformed),
            Ok(HomeMessage::Pull { .. }) if self.is_serving_enough(peer) => {
                self.refuse_home(inbound, peer, Refusal::Busy);
            }
            Ok(HomeMessage::Nudge) => {
                self.context.respond(inbound, to_vec(&HomeAnswer::Noted));
                self.pull(peer);
            }
            Ok(HomeMessage::List(list)) => {
                self.take_list_quietly(list);
                self.context.respond(inbound, to_vec(&HomeAnswer::Noted));
            }
            Ok(HomeMessage::Writer(chain)) => {
                self.take_writers(&[chain]);
                self.context.respond(inbound, to_vec(&HomeAnswer::Noted));
            }
            Ok(HomeMessage::Fork(proof)) => {
                if let Err(refusal) = self.take_fork(&proof.0) {
                    self.context.counters.count("refused_forks", refusal.label());
                }
                self.context.respond(inbound, to_vec(&HomeAnswer::Noted));
            }
            Ok(HomeMessage::Certificate(chain)) => {
                self.take_certificate(&chain.0);
                self.context.respond(inbound, to_vec(&HomeAnswer::Noted));
            }
            Ok(HomeMessage::Adoptions(acts)) => match self.take_acts(peer, &acts) {
                Ok(()) => self.context.respond(inbound, to_vec(&HomeAnswer::Noted)),
                Err(refusal) => self.refuse_home(inbound, peer, refusal),
            },
            Ok(HomeMessage::Declarations(statements)) => {
                self.verify_distributed(statements);
                self.context.respond(inbound, to_vec(&HomeAnswer::Noted));
            }
            Ok(HomeMessage::Catalogue(statement)) => {
                self.verify_distributed(vec![statement]);
                self.context.respond(inbound, to_vec(&HomeAnswer::Noted));
            }
            Ok(HomeMessage::Office { rows, ended }) => self.take_office(inbound, peer, rows, ended),
            Ok(HomeMessage::Seals { seals, sealers }) => {
                self.take_sealers(&sealers);
                match self.take_seals(peer, &seals) {
                    Ok(()) => self.context.respond(inbound, to_vec(&HomeAnswer::Noted)),
                    Err(refusal) => self.refuse_home(inbound, peer, refusal),
                }
            }
            Ok(HomeMessage::Pull { seals, .. }) if !self.agrees(seals) => {
                self.context.counters.count("refused_changes", Refusal::Sealed.label());
                self.context.respond(inbound, to_vec(&HomeAnswer::Refused(Refusal::Sealed)));
                self.tell_seals(peer);
            }
            Ok(HomeMessage::Pull { life, after, .. }) => {
                let after = self.home.log.serve_after(life, after);
                let load = self.context.load(Load::Scan {
                    prefix: rows::LOG.to_vec(),
                    after: Some(rows::numbered(rows::LOG, after)),
                    limit: CHANGES,
                });
                self.home.serving.insert(load, Serving { inbound, peer });
            }
        }
    }

    fn refuse_home(&mut self, inbound: InboundId, peer: NodeKey, refusal: Refusal) {
        self.context.counters.count("refused_changes", refusal.label());
        self.context.respond(inbound, to_vec(&HomeAnswer::Refused(refusal)));
        self.note_fault(peer, refusal);
    }

    /// A page of the log, or the changes behind it, came from the store.
    pub(crate) fn on_served(&mut self, load: LoadId, loaded: Loaded) -> Option<Loaded> {
        let Some(Serving { inbound, peer }) = self.home.serving.remove(&load) else {
            return Some(loaded);
        };
        match loaded {
            Loaded::Rows(log) => {
                let more = log.len() == CHANGES;
                let positions = log.iter().filter_map(|(key, _)| position_of(key)).collect();
                let keys: Vec<Vec<u8>> = log.into_iter().map(|(_, key)| key).collect();
                let load = self.context.load(Load::Get(keys));
                self.home.serving.insert(load, Serving { inbound, peer });
                self.home.served.insert(inbound, Served { positions, more });
            }
            Loaded::Values(values) => {
                if let Some(served) = self.home.served.remove(&inbound) {
                    self.answer_pull(inbound, served, values);
                }
            }
        }
        None
    }

    fn answer_pull(&mut self, inbound: InboundId, served: Served, values: Vec<Option<Vec<u8>>>) {
        let mut changes = Vec::new();
        let mut bytes = 0_usize;
        let mut more = served.more;
        for (position, value) in served.positions.into_iter().zip(values) {
            let Some(value) = value else { continue };
            bytes = bytes.saturating_add(value.len());
            if bytes > CHANGES_BYTES && !changes.is_empty() {
                more = true;
                break;
            }
            changes.push((position, Blob(value)));
        }
        let life = self.home.log.life();
        let answer = HomeAnswer::Changes { life, changes, more };
        self.context.respond(inbound, to_vec(&answer));
    }

    pub(crate) fn on_pulled(&mut self, request: RequestId, result: Result<Vec<u8>, SendFailure>) {
        let Some(peer) = self.home.pulling.remove(&request) else { return };
        let answer = result.ok().and_then(|bytes| decode::<HomeAnswer>(&bytes).ok());
        let Some(HomeAnswer::Changes { life, changes, more }) = answer else {
            self.home.pull_busy.remove(&peer);
            if self.peers.greeted(&peer).is_some() {
                self.home.pull_wanted.insert(peer);
            }
            return;
        };
        let mut incoming = Vec::new();
        let held = self.home.cursors.get(&peer).filter(|(followed, _)| *followed == life);
        let mut end = held.map_or(0, |(_, position)| *position);
        // A page without changes has nothing behind it, whatever the peer says.
        let more = more && !changes.is_empty();
        for (position, Blob(bytes)) in changes {
            end = position;
            match SignedChange::decode(&bytes) {
                Ok(change) if !self.has_shard(change.shard()) => {
                    let shard = change.shard();
                    let current = self.home.shard_id(&shard.kind, shard.index);
                    let ended = shard.epoch < current.epoch;
                    self.note_refused_change(if ended {
                        Refusal::Sealed
                    } else {
                        Refusal::BadChange
                    });
                }
                Ok(change) => incoming.push(change),
                Err(_) => {
                    self.note_refused_change(Refusal::OverLimit);
                    self.note_fault(peer, Refusal::OverLimit);
                }
            }
        }
        if incoming.is_empty() {
            return self.after_merge(peer, (life, end), more, &[]);
        }
        self.enqueue(Task::Merge { peer, changes: incoming, end: (life, end), more });
    }

    /// Whether the schema has a shard; a peer may name any.
    pub(crate) fn has_shard(&self, shard: &ShardId) -> bool {
        let kind = self.home.schema.as_ref().and_then(|schema| schema.kind(shard.kind.as_str()));
        let current = self.home.shard_id(&shard.kind, shard.index);
        shard.epoch == current.epoch && kind.is_some_and(|kind| shard.index < kind.shards)
    }

    pub(super) fn note_refused_change(&mut self, refusal: Refusal) {
        self.context.counters.count("refused_changes", refusal.label());
    }

    /// A page of another node's changes is in: remember how far, and go on.
    pub(crate) fn after_merge(
        &mut self,
        peer: NodeKey,
        end: (u64, u64),
        more: bool,
        refused: &[Refusal],
    ) {
        for refusal in refused {
            self.note_refused_change(*refusal);
        }
        // While changes wait for others the durable cursor stays, so that a restart pulls them again.
        let complete = self.home.waiting.is_empty() && !self.home.overflowed;
        let durable = complete && !self.home.passed_over;
        let moved = self.home.cursors.get(&peer) != Some(&end);
        if durable && moved {
            let mut row = end.0.to_be_bytes().to_vec();
            row.extend_from_slice(&end.1.to_be_bytes());
            self.context.persist(rows::key(rows::CURSOR, &[&peer.0]), Some(row));
        }
        self.home.cursors.insert(peer, end);
        self.home.pull_busy.remove(&peer);
        self.note_followed(peer, !more);
        if !more {
            self.write_late();
        }
        let again = more || self.home.pull_wanted.contains(&peer);
        if again && self.peers.greeted(&peer).is_some() {
            self.pull(peer);
        }
    }
}

fn position_of(key: &[u8]) -> Option<u64> {
    let rest = key.strip_prefix(rows::LOG)?;
    Some(u64::from_be_bytes(rest.try_into().ok()?))
}

//! A shard as bytes of this node's own store, so that it need not be built from its log each time.
//!
//! The cache is never sent and never believed over the log: its bytes name the format and the
//! kind's definition, and when either differs the shard is built again from the log. Whether the
//! bytes are intact is for the store, which keeps a checksum beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use minicbor::decode::Decoder;
use minicbor::encode::{Encoder, Error as EncodeError};
use reeve_statement::digest::Digest;

use super::actor::ActorId;
use super::codec::{ChangeError, Reader};
use super::history::{Clock, Entry, History, Line, Past};
use super::layout::MAX_KEY_BYTES;
use super::register::{Register, Version};
use super::shard::Shard;
use super::{HomeId, MAX_ACTORS};
use crate::schema::Kind;

/// The version of this format; older caches are dropped, not converted.
const VERSION: u8 = 1;

/// Most entries of any list in a cache: a bound for allocation, far above any shard.
const MAX_ENTRIES: usize = 1 << 24;

/// Why a cached shard cannot be used. Build it again from its log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// It is of another format, home, shard or definition of the kind.
    #[error("the cached shard is not this one any more; it is built again from its log")]
    Outdated,
    /// It cannot be read.
    #[error("the cached shard is damaged ({0}); it is built again from its log")]
    Damaged(#[from] ChangeError),
}

impl Shard {
    /// The shard as bytes for [`Shard::load`]. Holds records: only for this node's own store.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let size = self.registers.iter().map(|(key, register)| {
            let values = register.versions().iter().map(|v| v.value.len().saturating_add(20));
            values.fold(key.len().saturating_add(4), usize::saturating_add)
        });
        let mut bytes = Vec::with_capacity(size.fold(256, usize::saturating_add));
        let written = self.write_cache(&mut Encoder::new(&mut bytes));
        debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
        bytes
    }

    /// Reads what [`Shard::save`] wrote for the same home, kind, index and epoch.
    ///
    /// # Errors
    /// [`CacheError`]: build the shard from its log instead.
    pub fn load(
        home: HomeId,
        kind: Arc<Kind>,
        index: u32,
        epoch: u32,
        bytes: &[u8],
    ) -> Result<Self, CacheError> {
        let mut shard = Self::new(home, kind, index, epoch);
        let mut r = Reader(Decoder::new(bytes));
        shard.read_cache(&mut r)?;
        if r.0.position() == bytes.len() {
            Ok(shard)
        } else {
            Err(CacheError::Damaged(r.malformed("the end")))
        }
    }

    fn write_cache(&self, e: &mut Encoder<&mut Vec<u8>>) -> Result<(), EncodeError<Infallible>> {
        e.array(8)?.u8(VERSION)?;
        e.bytes(self.kind.hash().as_bytes())?.bytes(self.history.genesis().as_bytes())?;
        e.array(length(self.history.lines().len()))?;
        for line in self.history.lines() {
            e.array(2)?.bytes(line.actor.as_bytes())?.array(length(line.entries.len()))?;
            for entry in &line.entries {
                write_past(&entry.hash, &entry.past, e)?;
            }
        }
        e.array(length(self.history.heads().len()))?;
        for head in self.history.heads() {
            e.bytes(head.as_bytes())?;
        }
        e.array(length(self.history.cuts().len()))?;
        for (actor, from) in self.history.cuts() {
            e.array(2)?.bytes(actor.as_bytes())?.u64(*from)?;
        }
        e.array(length(self.history.absorbed().len()))?;
        for (hash, past) in self.history.absorbed() {
            write_past(hash, past, e)?;
        }
        e.array(length(self.registers.len()))?;
        for (key, register) in &self.registers {
            let versions = register.versions();
            e.array(2)?.str(key)?.array(length(versions.len()))?;
            for v in versions {
                e.array(4)?.u32(v.counter)?.u32(v.actor)?.u32(v.seq)?.bytes(&v.value)?;
            }
        }
        Ok(())
    }

    fn read_cache(&mut self, r: &mut Reader<'_>) -> Result<(), CacheError> {
        r.exactly(8, "a cached shard")?;
        let version = r.0.u8().ok();
        let kind = r.digest("a kind's hash")?;
        let genesis = r.digest("a genesis")?;
        let same = kind == self.kind.hash() && genesis == self.history.genesis();
        if version != Some(VERSION) || !same {
            return Err(CacheError::Outdated);
        }
        let mut history = History::new(genesis);
        for line in r.list(MAX_ACTORS, "actors", read_line)? {
            history.add_line(line);
        }
        let heads = r.list(MAX_ENTRIES, "heads", |r| r.digest("a head"))?;
        history.set_heads(BTreeSet::from_iter(heads));
        let cuts = r.list(MAX_ACTORS, "cuts", |r| {
            r.exactly(2, "a cut")?;
            Ok((read_actor(r)?, r.uint("a sequence number")?))
        })?;
        cuts.into_iter().for_each(|(actor, from)| history.cut(actor, from));
        let absorbed = r.list(MAX_ENTRIES, "absorbed changes", read_past)?;
        absorbed.into_iter().for_each(|entry| history.absorb(entry.hash, entry.past));
        self.history = history;
        let registers = r.list(MAX_ENTRIES, "keys", read_register)?;
        // Sorted already, which makes this a bulk build.
        self.registers = BTreeMap::from_iter(registers);
        Ok(())
    }
}

fn write_past(
    hash: &Digest,
    past: &Past,
    e: &mut Encoder<&mut Vec<u8>>,
) -> Result<(), EncodeError<Infallible>> {
    let clock = past.clock.entries();
    e.array(3)?.bytes(hash.as_bytes())?.u32(past.last_op)?.array(length(clock.len()))?;
    clock.iter().try_for_each(|seq| e.u32(*seq).map(|_| ()))
}

fn read_past(r: &mut Reader<'_>) -> Result<Entry, ChangeError> {
    r.exactly(3, "a change")?;
    let hash = r.digest("a hash")?;
    let last_op = number(r)?;
    let clock = r.list(MAX_ACTORS, "clock", number)?;
    Ok(Entry { hash, past: Past { clock: Clock::from_entries(clock), last_op } })
}

fn read_line(r: &mut Reader<'_>) -> Result<Line, ChangeError> {
    r.exactly(2, "an actor's changes")?;
    let actor = read_actor(r)?;
    Ok(Line { actor, entries: r.list(MAX_ENTRIES, "changes", read_past)? })
}

fn read_actor(r: &mut Reader<'_>) -> Result<ActorId, ChangeError> {
    ActorId::from_bytes(r.bytes("an actor")?).ok_or_else(|| r.malformed("16 bytes"))
}

fn read_register(r: &mut Reader<'_>) -> Result<(Box<str>, Register), ChangeError> {
    r.exactly(2, "a key")?;
    let key = r.0.str().map_err(|_| r.malformed("a key"))?;
    if key.len() > MAX_KEY_BYTES {
        return Err(r.malformed("a shorter key"));
    }
    let versions = r.list(MAX_ACTORS, "values", |r| {
        r.exactly(4, "a value")?;
        let (counter, actor, seq) = (number(r)?, number(r)?, number(r)?);
        Ok(Version { counter, actor, seq, value: r.bytes("a value")?.into() })
    })?;
    let register = Register::of(versions).ok_or_else(|| r.malformed("a value"))?;
    Ok((key.into(), register))
}

fn number(r: &mut Reader<'_>) -> Result<u32, ChangeError> {
    r.0.u32().map_err(|_| r.malformed("a number of 32 bits"))
}

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

//! The store the node uses: an engine, and above it envelopes, the anchor and the head file.
//!
//! What it promises: a commit that was acknowledged is there after any restart; a value read is the
//! value written at that key; a store that lost rows, went back in time or belongs elsewhere is
//! refused when it is opened. After a failed commit nothing is known for certain, so it stops
//! ([`StoreError::Halted`]) until it is opened again.
//!
//! How thoroughly opening checks: every page and row after an unclean stop, and always while the
//! store is small ([`EngineKind::check_always_below`]). A larger store that was closed in good order
//! opens at once (15 ms with a million rows); its values are still checked as they are read, and a
//! row that vanished meanwhile is found by [`Store::verify`].

use std::io;
use std::path::{Path, PathBuf};

use super::anchor::{ANCHOR_KEY, Anchor, IDENTITY_BYTES, Identity, RESERVED, Tally};
use super::envelope;
use super::error::{KeyName, StoreError};
use super::folder::{Folder, size_of};
use super::guard::guarded;
use super::head::{Head, HeadFile};
use super::image::Taking;
use super::port::{BATCH_LIMIT, Batch, Engine, KEY_LIMIT, Page, ScanLimit, VALUE_LIMIT};
use super::redb::Redb;
use super::rewrite;
use super::room::{Reserve, Room};
use super::sled::Sled;
use super::verify::{VerifyReport, Walk, broken};

/// Below these sizes a store that was closed in good order is checked fully all the same, because
/// it takes a fraction of a second: redb verifies 570 MB in 0.7 to 1.4 s, sled needs a walk over
/// its rows at about 50 MB/s (2 cores, the second figure under load).
const CHECK_REDB_BYTES: u64 = 256 * 1024 * 1024;
const CHECK_SLED_BYTES: u64 = 32 * 1024 * 1024;

/// Rows a full walk takes at a time.
const WALK: ScanLimit = ScanLimit { rows: 4096, bytes: ScanLimit::PAGE_BYTES };

/// Not below any key the store keeps for itself, and below every other key.
const LAST_RESERVED: &[u8] = &[RESERVED, 0xff];

/// Present while an import into this store is under way.
pub(super) const IMPORT_KEY: &[u8] = b"\0import";

/// Which engine keeps the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineKind {
    /// The default.
    #[default]
    Redb,
    /// The hardened sled.
    Sled,
}

impl EngineKind {
    /// The engine's name, as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redb => Redb::NAME,
            Self::Sled => Sled::NAME,
        }
    }

    /// Bytes below which a store is checked fully at every opening.
    pub fn check_always_below(self) -> u64 {
        match self {
            Self::Redb => CHECK_REDB_BYTES,
            Self::Sled => CHECK_SLED_BYTES,
        }
    }
}

/// Where the store is and what keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The store's own folder; made if missing.
    pub folder: PathBuf,
    /// The engine.
    pub engine: EngineKind,
}

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReport {
    /// The engine's name.
    pub engine: &'static str,
    /// Whether the store was made just now.
    pub created: bool,
    /// Whether it had been closed in good order.
    pub clean: bool,
    /// Whether every row was checked.
    pub checked: bool,
    /// Whether an existing store had no readable head file: a loss could not be noticed.
    pub head_missing: bool,
    /// The last commit.
    pub sequence: u64,
    /// How many rows there are.
    pub rows: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// A store; see the module's description.
pub struct Store {
    pub(super) engine: Box<dyn Engine>,
    /// Which one, if it has files.
    kind: Option<EngineKind>,
    anchor: Anchor,
    head: Option<HeadFile>,
    reserve: Option<Reserve>,
    pub(super) halted: bool,
    /// The image that is being taken.
    pub(super) taking: Option<Taking>,
    /// How many were begun.
    pub(super) images: u64,
    // Held for its lock; dropped last, so that the lock outlives the engine's files.
    folder: Option<Folder>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("engine", &self.engine.name())
            .field("sequence", &self.anchor.sequence)
            .field("halted", &self.halted)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in its folder, or makes it.
    pub fn open(config: &StoreConfig) -> Result<(Self, OpenReport), StoreError> {
        Self::open_with(config, false)
    }

    /// Opens a store to be verified: whatever can be opened is, and [`Store::verify`] finds what is
    /// damaged. Opening may write, so this is for copies.
    pub(super) fn open_to_verify(config: &StoreConfig) -> Result<(Self, OpenReport), StoreError> {
        Self::open_with(config, true)
    }

    fn open_with(
        config: &StoreConfig,
        verify_later: bool,
    ) -> Result<(Self, OpenReport), StoreError> {
        let folder = Folder::lock(&config.folder)?;
        let mut reserve = Reserve::new(&config.folder);
        // Where room cannot be measured, a full disk is noticed when a commit fails.
        let _ = reserve.look();
        folder.claim(config.engine.name())?;
        let (mut head_file, head) = HeadFile::open(&folder.head())?;
        let clean = head.is_some_and(|head| head.clean);
        let path = folder.engine(config.engine.name());
        rewrite::settle(&path)?;
        let thorough =
            !verify_later && (!clean || size_of(&path)? < config.engine.check_always_below());
        let engine = open_engine(config.engine, &path, thorough)?;
        let (mut store, mut report) = Self::over(engine, new_identity()?, thorough)?;
        store.compare_with_head(head.as_ref())?;
        head_file.settle(&store.anchor, false)?;
        folder.sync()?;
        report.clean = clean || report.created;
        report.head_missing = head.is_none() && !report.created;
        store.head = Some(head_file);
        store.reserve = Some(reserve);
        store.folder = Some(folder);
        store.kind = Some(config.engine);
        Ok((store, report))
    }

    /// A store over an engine that is open already, without folder and head file: for the
    /// simulator and for tests. A new store gets `identity`; `thorough` walks every row.
    pub fn over(
        engine: Box<dyn Engine>,
        identity: Identity,
        thorough: bool,
    ) -> Result<(Self, OpenReport), StoreError> {
        let name = engine.name();
        let found = guarded(name, "reading the anchor", || read_anchor(engine.as_ref()))?;
        let anchor = found.unwrap_or_else(|| Anchor::empty(identity));
        let mut store = Self {
            engine,
            kind: None,
            anchor,
            head: None,
            reserve: None,
            halted: false,
            taking: None,
            images: 0,
            folder: None,
        };
        if found.is_none() {
            store.write(Batch::new())?;
        }
        store.compare_row_count()?;
        if thorough && !store.engine.check_covers_rows() {
            store.walk()?.require_sound(&store.anchor)?;
        }
        if store.read(IMPORT_KEY)?.is_some() {
            return Err(StoreError::ImportUnfinished);
        }
        let report = OpenReport {
            engine: name,
            created: found.is_none(),
            clean: true,
            checked: thorough,
            head_missing: false,
            sequence: store.anchor.sequence,
            rows: store.anchor.rows,
            bytes: store.size_on_disk()?,
        };
        Ok((store, report))
    }

    /// Applies `batch` as one. `Ok` means durable, and gives the commit's number.
    pub fn commit(&mut self, batch: Batch) -> Result<u64, StoreError> {
        Self::admit(&batch)?;
        self.write(batch)
    }

    /// Whether `batch` would be refused; such a batch must not be grouped with others.
    pub fn admit(batch: &Batch) -> Result<(), StoreError> {
        if batch.bytes() > BATCH_LIMIT {
            return Err(StoreError::BatchTooLarge { bytes: batch.bytes(), limit: BATCH_LIMIT });
        }
        batch.rows().try_for_each(|(key, value)| admit_row(key, value.map_or(0, <[u8]>::len)))
    }

    /// The value at `key`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        admit_key(key)?;
        self.read(key)
    }

    /// The rows whose key starts with `prefix` and is greater than `after`, in key order.
    pub fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: ScanLimit,
    ) -> Result<Page, StoreError> {
        let after = after.max(Some(LAST_RESERVED));
        let wrapped = self.scan_wrapped(prefix, after, limit)?;
        let mut page = Page { rows: Vec::with_capacity(wrapped.rows.len()), next: wrapped.next };
        for (key, value) in wrapped.rows {
            let (payload, _) = envelope::unwrap(&key, value)?;
            page.rows.push((key, payload));
        }
        Ok(page)
    }

    /// Checks the engine's files, every row and the anchor. Damaged rows are reported, not fixed;
    /// an error means that the store as a whole is not what was committed.
    pub fn verify(&mut self) -> Result<VerifyReport, StoreError> {
        self.running()?;
        let engine = &mut self.engine;
        guarded(engine.name(), "checking itself", || engine.check())?;
        let walked = self.walk()?;
        walked.compare(&self.anchor)?;
        Ok(walked.into_report())
    }

    /// Reads every row, whatever the engine or the anchor say of the whole: which rows are as written.
    pub fn survey(&self) -> Result<VerifyReport, StoreError> {
        self.walk().map(Walk::into_report)
    }

    /// Which store this is, for logs and backups.
    pub fn identity(&self) -> Identity {
        self.anchor.identity
    }

    /// The number of the last commit.
    pub fn sequence(&self) -> u64 {
        self.anchor.sequence
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.anchor.rows
    }

    /// The sum of the rows' checksums.
    pub(super) fn sum(&self) -> u128 {
        self.anchor.sum
    }

    /// The engine's name.
    pub fn engine_name(&self) -> &'static str {
        self.engine.name()
    }

    /// Bytes on disk.
    pub fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.engine.size_on_disk()
    }

    /// How much room there is on its disk; none if that cannot be told. Looking gives up the reserve when
    /// there is nothing left, and fills it when there is.
    pub fn room(&mut self) -> Option<Room> {
        self.reserve.as_mut().and_then(|reserve| reserve.look().ok())
    }

    /// Closes the store in good order; the next opening may then skip the full check.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.running()?;
        let engine = self.engine;
        guarded(engine.name(), "closing", || engine.close())?;
        match &mut self.head {
            Some(head) => head.settle(&self.anchor, true),
            None => Ok(()),
        }
    }

    /// Commits a batch that was admitted, or that sets a key of the store's own.
    pub(super) fn write(&mut self, batch: Batch) -> Result<u64, StoreError> {
        self.running()?;
        if batch.is_empty() && self.anchor.sequence > 0 {
            return Ok(self.anchor.sequence);
        }
        // What grows without end is given up; whoever takes it is told.
        self.taking.take_if(|taking| !taking.note(&batch));
        let batch = wrap(batch);
        let mut tally = Tally::new(&self.anchor);
        let engine = &mut self.engine;
        let committed = guarded(engine.name(), "committing", || engine.commit(&batch, &mut tally))
            .and_then(|()| {
                self.anchor = tally.finish();
                self.head.as_mut().map_or(Ok(()), |head| head.remember(&self.anchor))
            });
        self.halted = committed.is_err();
        committed.map(|()| self.anchor.sequence)
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.running()?;
        let value = guarded(self.engine.name(), "reading", || self.engine.get(key))?;
        value.map(|value| envelope::unwrap(key, value).map(|(payload, _)| payload)).transpose()
    }

    fn scan_wrapped(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: ScanLimit,
    ) -> Result<Page, StoreError> {
        self.running()?;
        guarded(self.engine.name(), "scanning", || self.engine.scan(prefix, after, limit))
    }

    /// Which engine keeps the files, and where.
    pub(super) fn place(&self) -> Option<(EngineKind, PathBuf)> {
        let (kind, folder) = (self.kind?, self.folder.as_ref()?);
        Some((kind, folder.engine(kind.name())))
    }

    pub(super) fn running(&self) -> Result<(), StoreError> {
        if self.halted { Err(StoreError::Halted) } else { Ok(()) }
    }

    pub(super) fn compare_row_count(&self) -> Result<(), StoreError> {
        let counted = guarded(self.engine.name(), "counting", || self.engine.row_count())?;
        let expected = self.anchor.rows.saturating_add(1);
        match counted {
            Some(found) if found != expected => Err(broken("rows", expected, found)),
            _ => Ok(()),
        }
    }

    fn compare_with_head(&self, head: Option<&Head>) -> Result<(), StoreError> {
        let Some(head) = head else { return Ok(()) };
        let anchor = &self.anchor;
        if head.identity != anchor.identity {
            return Err(StoreError::ForeignHead);
        }
        let known = match anchor.sequence.checked_sub(head.sequence) {
            None => {
                let acknowledged = head.sequence;
                return Err(StoreError::RolledBack { acknowledged, found: anchor.sequence });
            }
            Some(0) => anchor.digest(),
            Some(1) => anchor.previous,
            Some(_) => return Ok(()),
        };
        if known == head.digest {
            return Ok(());
        }
        Err(broken("history", hex::encode(head.digest), hex::encode(known)))
    }

    /// Reads every row and checks its envelope.
    fn walk(&self) -> Result<Walk, StoreError> {
        let mut walk = Walk::default();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.scan_wrapped(b"", after.as_deref(), WALK)?;
            for (key, value) in page.rows {
                walk.visit(&key, value)?;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(walk),
            }
        }
    }
}

/// Puts every value into its envelope.
fn wrap(batch: Batch) -> Batch {
    let mut wrapped = Batch::new();
    for (key, payload) in batch {
        match payload.map(|payload| envelope::wrap(&key, &payload)) {
            Some(value) => wrapped.put(key, value),
            None => wrapped.delete(key),
        };
    }
    wrapped
}

pub(super) fn open_engine(
    kind: EngineKind,
    path: &Path,
    thorough: bool,
) -> Result<Box<dyn Engine>, StoreError> {
    guarded(kind.name(), "opening", || match kind {
        EngineKind::Redb => Ok(Box::new(Redb::open(path, thorough)?) as Box<dyn Engine>),
        EngineKind::Sled => Ok(Box::new(Sled::open(path)?) as Box<dyn Engine>),
    })
}

/// The anchor; none if the engine holds nothing at all.
fn read_anchor(engine: &dyn Engine) -> Result<Option<Anchor>, StoreError> {
    if let Some(value) = engine.get(ANCHOR_KEY)? {
        let (payload, _) = envelope::unwrap(ANCHOR_KEY, value)?;
        return Anchor::decode(&payload).map(Some);
    }
    match engine.scan(b"", None, ScanLimit::rows(1))?.rows.first() {
        Some(_) => Err(StoreError::AnchorMissing),
        None => Ok(None),
    }
}

fn new_identity() -> Result<Identity, StoreError> {
    let mut identity = [0; IDENTITY_BYTES];
    getrandom::fill(&mut identity).map_err(|error| {
        StoreError::io("drawing an identity for", "the store", io::Error::other(error.to_string()))
    })?;
    Ok(identity)
}

/// Whether a row may be stored.
pub(super) fn admit_row(key: &[u8], bytes: usize) -> Result<(), StoreError> {
    admit_key(key)?;
    if bytes > VALUE_LIMIT {
        let key = KeyName::new(key);
        return Err(StoreError::ValueTooLarge { key, bytes, limit: VALUE_LIMIT });
    }
    Ok(())
}

fn admit_key(key: &[u8]) -> Result<(), StoreError> {
    let why = match key.first() {
        None => "it is empty",
        Some(&RESERVED) => "keys that start with a zero byte belong to the store",
        Some(_) if key.len() > KEY_LIMIT => "it is longer than 1,024 bytes",
        Some(_) => return Ok(()),
    };
    Err(StoreError::KeyRefused { key: KeyName::new(key), why })
}

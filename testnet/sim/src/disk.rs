//! A disk that is played: commits become durable later and in order; a crash loses those that are not.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use reeve_protocol::effect::{Load, Loaded, Row, Ticket};
use reeve_protocol::from_backup::{self, FromBackup};
use reeve_protocol::rows::{self, HeardRow, SentRow};
use reeve_protocol::stored::LedgerCheck;
use reeve_statement::cbor::from_slice;
use reeve_statement::digest::Digest;
use reeve_statement::unit::UnitId;

/// Rows by key.
pub(crate) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// One node's disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) rows: Rows,
    pending: VecDeque<(Ticket, Vec<Row>)>,
    /// An image of some time ago.
    image: Option<Rows>,
    /// The newest rows, while the node runs on an old image.
    put_aside: Option<Rows>,
    /// Places in the ledger of the statements that were issued.
    sent: BTreeMap<Digest, u64>,
    /// Statements whose issue became durable, and that nobody has looked at yet.
    issued: Vec<Digest>,
    /// Until when there is no room, in virtual milliseconds.
    pub(crate) full_until: u64,
    /// How many statements and chunks are kept, the newest ones; none: all of them.
    pub(crate) most: Option<usize>,
    /// Their keys, the oldest first, while not all are kept.
    kept: VecDeque<Vec<u8>>,
    /// Values of records that rows held, and that the files still hold.
    freed: Vec<Vec<u8>>,
    /// Commits that became durable.
    committed: u64,
}

/// Rows that hold records.
const OF_RECORDS: [&[u8]; 4] = [rows::CHANGE, rows::SNAPSHOT, rows::LATE, rows::FORK];

impl Disk {
    /// How many commits were handed out, durable or not.
    pub(crate) fn handed_out(&self) -> u64 {
        self.committed + u64::try_from(self.pending.len()).unwrap()
    }

    pub(crate) const fn committed(&self) -> u64 {
        self.committed
    }

    /// The files hold the rows and nothing else.
    pub(crate) fn rewrite(&mut self) {
        self.freed.clear();
    }

    /// Whether the files hold these bytes.
    pub(crate) fn holds(&self, bytes: &[u8]) -> bool {
        let of_records = OF_RECORDS.iter().flat_map(|prefix| {
            let from = self.rows.range(prefix.to_vec()..);
            from.take_while(move |(key, _)| key.starts_with(prefix)).map(|(_, value)| value)
        });
        let mut held = of_records.chain(&self.freed);
        held.any(|value| value.windows(bytes.len()).any(|part| part == bytes))
    }

    pub(crate) fn persist(&mut self, ticket: Ticket, rows: Vec<Row>) {
        self.pending.push_back((ticket, rows));
    }

    /// The oldest commit that is not durable becomes so.
    pub(crate) fn commit(&mut self) -> Option<Ticket> {
        let (ticket, rows) = self.pending.pop_front()?;
        self.committed += 1;
        for (key, value) in rows {
            let of_records = OF_RECORDS.iter().any(|prefix| key.starts_with(prefix));
            if let Some(old) = self.rows.get(&key).filter(|_| of_records) {
                self.freed.push(old.clone());
            }
            if let Some(row) = value.as_ref().and_then(|value| sent_row(&key, value)) {
                self.sent.insert(row.statement, row.index);
                self.issued.push(row.statement);
            }
            if self.most.is_some() {
                self.make_room(&key);
            }
            match value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
        Some(ticket)
    }

    /// Forgets the oldest statement or chunk, if this is one and there are enough.
    fn make_room(&mut self, key: &[u8]) {
        if !key.starts_with(rows::STATEMENT) && !key.starts_with(rows::CHUNK) {
            return;
        }
        self.kept.retain(|kept| kept != key);
        self.kept.push_back(key.to_vec());
        if self.most.is_some_and(|most| self.kept.len() > most)
            && let Some(oldest) = self.kept.pop_front()
        {
            self.rows.remove(&oldest);
        }
    }

    /// The node is gone. So many of the commits under way reached the disk although nobody heard of it.
    pub(crate) fn crash(&mut self, reached: usize) {
        for _ in 0..reached {
            self.commit();
        }
        self.pending.clear();
    }

    /// Statements whose issue became durable since the last time.
    pub(crate) fn take_issued(&mut self) -> Vec<Digest> {
        core::mem::take(&mut self.issued)
    }

    /// The place in the ledger of a statement that was issued.
    pub(crate) fn place_of(&self, statement: &Digest) -> Option<u64> {
        self.sent.get(statement).copied()
    }

    fn index_sent(&mut self) {
        let rows = self.rows.range(rows::SENT.to_vec()..);
        let rows = rows.filter_map(|(key, value)| sent_row(key, value));
        self.sent = rows.map(|row| (row.statement, row.index)).collect();
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn take_image(&mut self) {
        if self.put_aside.is_none() {
            self.image = Some(self.rows.clone());
        }
    }

    /// How many entries a term's ledger has in the image; none: there is no image.
    pub(crate) fn ledger_of_image(&self, term: u64) -> Option<u64> {
        Some(ledger_size(self.image.as_ref()?, term))
    }

    /// Puts an old image in place of the newest rows; false if there is none.
    pub(crate) fn put_image(&mut self) -> bool {
        match self.image.take() {
            Some(image) if self.put_aside.is_none() => {
                self.put_aside = Some(core::mem::replace(&mut self.rows, image));
                self.index_sent();
                true
            }
            _ => false,
        }
    }

    /// Puts the newest rows back; false if they are in place.
    pub(crate) fn put_back(&mut self) -> bool {
        let newest = self.put_aside.take();
        let found = newest.is_some();
        if let Some(newest) = newest {
            self.rows = newest;
            self.index_sent();
        }
        found
    }

    /// The old image that is in place stays: the newest rows are gone for good.
    pub(crate) fn keep_image(&mut self) {
        self.put_aside = None;
    }

    /// What `reeve restore` writes into a store that it filled from a backup.
    pub(crate) fn begin_anew(&mut self, from: &FromBackup) {
        let log = self.rows.get(&from_backup::log_key()).cloned();
        self.rows.extend(from_backup::begin_anew(log.as_deref(), from));
    }

    pub(crate) const fn has_image(&self) -> bool {
        self.image.is_some()
    }

    pub(crate) const fn is_old(&self) -> bool {
        self.put_aside.is_some()
    }

    /// The statements that the node on this disk holds of a subordinate.
    pub(crate) fn heard_of(&self, unit: &UnitId) -> Vec<Digest> {
        let prefix = rows::key(rows::HEARD, &[unit.as_str().as_bytes(), b"/"]);
        let Loaded::Rows(found) = self.scan(&prefix, None, usize::MAX) else { return Vec::new() };
        let digest = |(_, value): (_, Vec<u8>)| {
            from_slice::<HeardRow>("heard", &value, value.len()).unwrap().statement
        };
        found.into_iter().map(digest).collect()
    }

    /// What a load finds: it sees every commit handed out before it.
    pub(crate) fn load(&self, what: &Load) -> Loaded {
        match what {
            Load::Get(keys) => Loaded::Values(keys.iter().map(|key| self.get(key)).collect()),
            Load::Scan { prefix, after, limit } => self.scan(prefix, after.as_ref(), *limit),
        }
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        for (_, rows) in self.pending.iter().rev() {
            if let Some((_, value)) = rows.iter().rev().find(|(other, _)| other == key) {
                return value.clone();
            }
        }
        self.rows.get(key).cloned()
    }

    fn scan(&self, prefix: &[u8], after: Option<&Vec<u8>>, limit: usize) -> Loaded {
        let from =
            after.map_or(Bound::Included(prefix.to_vec()), |key| Bound::Excluded(key.clone()));
        let mut found: BTreeMap<&[u8], Option<&[u8]>> = self
            .rows
            .range((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(
                limit
                    .saturating_add(self.pending.iter().map(|(_, rows)| rows.len()).sum::<usize>()),
            )
            .map(|(key, value)| (key.as_slice(), Some(value.as_slice())))
            .collect();
        for (key, value) in self.pending.iter().flat_map(|(_, rows)| rows) {
            if key.starts_with(prefix) && after.is_none_or(|after| key > after) {
                found.insert(key, value.as_deref());
            }
        }
        Loaded::Rows(
            found
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_vec(), value?.to_vec())))
                .take(limit)
                .collect(),
        )
    }
}

/// What a row says of a statement that was issued; none: it is another row.
fn sent_row(key: &[u8], value: &[u8]) -> Option<SentRow> {
    let sent = key.starts_with(rows::SENT);
    sent.then(|| from_slice::<SentRow>("sent", value, value.len()).unwrap())
}

/// How many entries a term's ledger has, by its edge among these rows.
fn ledger_size(rows: &Rows, term: u64) -> u64 {
    let size =
        rows.get(&LedgerCheck::edge_key(term)).and_then(|edge| edge.get(..8)?.try_into().ok());
    size.map_or(0, u64::from_be_bytes)
}

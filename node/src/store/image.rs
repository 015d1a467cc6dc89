//! An image of the store while it is written to: for backups.
//!
//! An image is taken piece by piece between commits, so that nobody waits for more than one piece, and by
//! the port alone, so that it is the same for every engine. Rows are read in key order; those that a
//! commit changes behind the place that was reached are noted, and given again afterwards, until there
//! are none. What was given, later rows in the place of earlier ones, then is the store as of its last
//! commit, and the image ends with that commit's number and with what the anchor says of the rows: their
//! count and the sum of their checksums, against which whoever fills a store from it holds the result.
//!
//! Layout: per row the key's and the value's length (4 bytes each, big-endian), the key, the value; a
//! value's length of 2^32 - 1 is a row that was removed again. A key's length of 2^32 - 1 ends it: then
//! follow the commit's number and the count (8 bytes each) and the sum (16 bytes).

use std::collections::BTreeSet;
use std::io::Read;

use super::anchor::RESERVED;
use super::checked::{IMPORT_KEY, Store, admit_row};
use super::error::StoreError;
use super::port::{Batch, KEY_LIMIT, ScanLimit, VALUE_LIMIT};

/// Bytes of a piece: reading them takes some milliseconds.
const PIECE_BYTES: usize = 1024 * 1024;

/// The same at the end, where pieces grow: as much as four groups of commits, so that an image of a store
/// that is written to without a pause comes to its end.
const LAST_PIECES_BYTES: usize = 32 * 1024 * 1024;

/// Rows of a piece.
const PIECE_ROWS: usize = 4096;

/// Bytes of noted keys: some hundred thousand rows changed while one piece was carried away.
const NOTED_BYTES: usize = 64 * 1024 * 1024;

/// Bytes filled in per durable commit.
const FILL_COMMIT_BYTES: usize = 8 * 1024 * 1024;

/// In place of a key's length: the rows end here. In place of a value's: the row was removed.
const NONE: u32 = u32::MAX;

/// An image that is being taken.
#[derive(Debug)]
pub(super) struct Taking {
    number: u64,
    /// The last key that was read in order.
    reached: Option<Vec<u8>>,
    /// Whether all were.
    whole: bool,
    /// Keys behind that place that changed since they were given.
    changed: BTreeSet<Vec<u8>>,
    noted_bytes: usize,
    /// Bytes of the next piece.
    piece_bytes: usize,
}

impl Taking {
    /// Notes what a commit changes; false: it is too much.
    pub(super) fn note(&mut self, batch: &Batch) -> bool {
        // Rows of the store's own belong to no image.
        for (key, _) in batch.rows().filter(|(key, _)| key.first() != Some(&RESERVED)) {
            let behind = self.whole || self.reached.as_deref().is_some_and(|at| key <= at);
            if behind && self.changed.insert(key.to_vec()) {
                self.noted_bytes = self.noted_bytes.saturating_add(key.len());
            }
        }
        self.noted_bytes <= NOTED_BYTES
    }
}

/// A piece of an image.
#[derive(Debug)]
pub struct Piece {
    /// The rows, encoded.
    pub bytes: Vec<u8>,
    /// Whether it is the last one.
    pub last: bool,
}

impl Store {
    /// Begins an image, in the place of one that is under way; its number.
    pub fn begin_image(&mut self) -> u64 {
        self.images = self.images.saturating_add(1);
        self.taking = Some(Taking {
            number: self.images,
            reached: None,
            whole: false,
            changed: BTreeSet::new(),
            noted_bytes: 0,
            piece_bytes: PIECE_BYTES,
        });
        self.images
    }

    /// The next piece of an image.
    ///
    /// # Errors
    /// [`StoreError::ImageLost`]: another one was begun, or too much was written meanwhile.
    pub fn image_piece(&mut self, number: u64) -> Result<Piece, StoreError> {
        let mut taking =
            self.taking.take_if(|taking| taking.number == number).ok_or(StoreError::ImageLost)?;
        let mut bytes = Vec::new();
        while bytes.len() < taking.piece_bytes {
            if let Some(key) = taking.changed.pop_first() {
                taking.noted_bytes = taking.noted_bytes.saturating_sub(key.len());
                put_row(&mut bytes, &key, self.get(&key)?.as_deref());
            } else if taking.whole {
                let (sequence, rows, sum) = (self.sequence(), self.rows(), self.sum());
                bytes.extend(Given::End(Taken { sequence, rows, sum }).encode());
                return Ok(Piece { bytes, last: true });
            } else {
                let limit = ScanLimit { rows: PIECE_ROWS, bytes: PIECE_BYTES };
                let page = self.scan(b"", taking.reached.as_deref(), limit)?;
                for (key, value) in &page.rows {
                    put_row(&mut bytes, key, Some(value));
                }
                taking.whole = page.next.is_none();
                taking.reached = page.next.or(taking.reached);
            }
        }
        if taking.whole {
            taking.piece_bytes = taking.piece_bytes.saturating_mul(2).min(LAST_PIECES_BYTES);
        }
        self.taking = Some(taking);
        Ok(Piece { bytes, last: false })
    }
}

/// Keys and values are bounded far below what a length can say.
fn put_row(bytes: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    let length = |part: &[u8]| u32::try_from(part.len()).unwrap_or(NONE);
    bytes.extend_from_slice(&length(key).to_be_bytes());
    bytes.extend_from_slice(&value.map_or(NONE, length).to_be_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(value.unwrap_or_default());
}

fn bad(found: String) -> StoreError {
    StoreError::BadExport { found }
}

/// An image of a store that nobody else uses, as a stream.
#[derive(Debug)]
pub struct ImageOf {
    store: Store,
    number: u64,
    piece: Piece,
    read: usize,
}

impl ImageOf {
    /// The image of a store.
    pub fn new(mut store: Store) -> Self {
        let number = store.begin_image();
        Self { store, number, piece: Piece { bytes: Vec::new(), last: false }, read: 0 }
    }
}

impl Read for ImageOf {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.read >= self.piece.bytes.len() && !self.piece.last {
            self.piece = self.store.image_piece(self.number).map_err(std::io::Error::other)?;
            self.read = 0;
        }
        let mut left = self.piece.bytes.get(self.read..).unwrap_or_default();
        let read = left.read(into)?;
        self.read = self.read.saturating_add(read);
        Ok(read)
    }
}

/// What an image gives, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// A row; no value: it was removed again.
    Row(Vec<u8>, Option<Vec<u8>>),
    /// The end.
    End(Taken),
}

/// What an image says of itself at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The commit of which it is the image.
    pub sequence: u64,
    /// How many rows the store had.
    pub rows: u64,
    /// The sum of their checksums.
    pub sum: u128,
}

impl Given {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Row(key, value) => put_row(&mut bytes, key, value.as_deref()),
            Self::End(taken) => {
                bytes.extend_from_slice(&NONE.to_be_bytes());
                bytes.extend_from_slice(&taken.sequence.to_be_bytes());
                bytes.extend_from_slice(&taken.rows.to_be_bytes());
                bytes.extend_from_slice(&taken.sum.to_be_bytes());
            }
        }
        bytes
    }

    /// Reads what comes next; lengths are checked before anything is allocated.
    ///
    /// # Errors
    /// [`StoreError::BadExport`], [`StoreError::Io`].
    pub fn read(source: &mut impl Read) -> Result<Self, StoreError> {
        let key_bytes = u32::from_be_bytes(array(source)?);
        if key_bytes == NONE {
            let sequence = u64::from_be_bytes(array(source)?);
            let rows = u64::from_be_bytes(array(source)?);
            let sum = u128::from_be_bytes(array(source)?);
            return Ok(Self::End(Taken { sequence, rows, sum }));
        }
        let value_bytes = u32::from_be_bytes(array(source)?);
        let key = part(source, key_bytes, KEY_LIMIT)?;
        let value = match value_bytes {
            NONE => None,
            length => Some(part(source, length, VALUE_LIMIT)?),
        };
        Ok(Self::Row(key, value))
    }
}

fn array<const N: usize>(source: &mut impl Read) -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    fill(source, &mut bytes)?;
    Ok(bytes)
}

fn part(source: &mut impl Read, length: u32, limit: usize) -> Result<Vec<u8>, StoreError> {
    match usize::try_from(length) {
        Ok(length) if length <= limit => {
            let mut bytes = vec![0; length];
            fill(source, &mut bytes)?;
            Ok(bytes)
        }
        _ => Err(bad(format!("a length of {length} bytes exceeds the limit of {limit}"))),
    }
}

fn fill(source: &mut impl Read, bytes: &mut [u8]) -> Result<(), StoreError> {
    source.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => bad("it ends in the middle".to_owned()),
        _ => StoreError::io("reading", "the image", error),
    })
}

/// Fills an empty store from an image, row by row. A store that was not filled to the end does not open.
#[derive(Debug)]
pub struct Filling {
    store: Store,
    batch: Batch,
}

impl Filling {
    /// Begins to fill a store.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`].
    pub fn begin(store: Store) -> Result<Self, StoreError> {
        if store.rows() != 0 {
            return Err(StoreError::NotEmpty { rows: store.rows() });
        }
        let mut batch = Batch::new();
        batch.put(IMPORT_KEY, b"");
        Ok(Self { store, batch })
    }

    /// Takes a row.
    ///
    /// # Errors
    /// [`StoreError`]: the row is none that a store takes, or it cannot be written.
    pub fn row(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), StoreError> {
        admit_row(&key, value.as_ref().map_or(0, Vec::len))?;
        match value {
            Some(value) => self.batch.put(key, value),
            None => self.batch.delete(key),
        };
        if self.batch.bytes() >= FILL_COMMIT_BYTES {
            self.store.write(std::mem::take(&mut self.batch))?;
        }
        Ok(())
    }

    /// The store, if it is what the image was taken of.
    ///
    /// # Errors
    /// [`StoreError::BadExport`]: it is not.
    pub fn end(mut self, taken: &Taken) -> Result<Store, StoreError> {
        self.batch.delete(IMPORT_KEY);
        self.store.write(self.batch)?;
        let (rows, sum) = (self.store.rows(), self.store.sum());
        if (rows, sum) != (taken.rows, taken.sum) {
            let told = format!(
                "it gives {rows} rows with the checksum sum {sum:032x}, and says that there were {} with \
                 {:032x}",
                taken.rows, taken.sum
            );
            return Err(bad(told));
        }
        Ok(self.store)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::super::memory::{Disk, Memory};
    use super::*;

    fn store() -> Store {
        Store::over(Box::new(Memory::open(&Disk::new())), [7; 16], false).unwrap().0
    }

    fn put(store: &mut Store, key: u32, value: &[u8]) {
        let mut batch = Batch::new();
        batch.put(key.to_string().into_bytes(), value);
        store.commit(batch).unwrap();
    }

    fn filled(image: &[u8]) -> Result<Store, StoreError> {
        let mut source = image;
        let mut filling = Filling::begin(store())?;
        loop {
            match Given::read(&mut source)? {
                Given::Row(key, value) => filling.row(key, value)?,
                Given::End(taken) => return filling.end(&taken),
            }
        }
    }

    fn all(store: &Store) -> Vec<(Vec<u8>, Vec<u8>)> {
        store.scan(b"", None, ScanLimit::rows(100_000)).unwrap().rows
    }

    /// Takes an image, and writes after each piece.
    fn image(store: &mut Store, mut between: impl FnMut(&mut Store, usize)) -> Vec<u8> {
        let number = store.begin_image();
        let mut bytes = Vec::new();
        for round in 0.. {
            let piece = store.image_piece(number).unwrap();
            bytes.extend_from_slice(&piece.bytes);
            if piece.last {
                break;
            }
            between(store, round);
        }
        bytes
    }

    #[test]
    fn an_image_of_a_store_that_is_written_to_is_the_store_as_of_its_end() {
        let mut original = store();
        for key in 0..200 {
            put(&mut original, key, &[1; 50_000]);
        }
        let mut rounds = 0;
        let bytes = image(&mut original, |store, round| {
            rounds = round;
            if round < 20 {
                put(store, 0, &round.to_be_bytes());
                put(store, 199, &round.to_be_bytes());
                put(store, 1_000 + u32::try_from(round).unwrap(), b"new");
                let mut batch = Batch::new();
                batch.delete((round + 1).to_string().into_bytes());
                store.commit(batch).unwrap();
            }
        });
        assert!(rounds > 2, "it took several pieces: {rounds}");
        let copy = filled(&bytes).unwrap();
        assert_eq!(all(&copy), all(&original));
        assert_eq!(copy.sum(), original.sum());
        for cut in [0, 3, 100, bytes.len() / 2, bytes.len() - 1] {
            let error = filled(bytes.get(..cut).unwrap()).unwrap_err();
            assert!(matches!(error, StoreError::BadExport { .. }), "{error}");
        }
    }

    #[test]
    fn an_altered_image_gives_no_store() {
        let mut original = store();
        for key in 0..20 {
            put(&mut original, key, b"value");
        }
        let bytes = image(&mut original, |_, _| {});
        assert_eq!(all(&filled(&bytes).unwrap()), all(&original));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            *bad.get_mut(at).unwrap() ^= 1;
            // The number of the commit is for people; the rest is held against the anchor.
            let number = bytes.len() - 32..bytes.len() - 24;
            assert_eq!(filled(&bad).is_ok(), number.contains(&at), "byte {at}");
        }
        let mut full = store();
        put(&mut full, 1, b"v");
        assert!(matches!(Filling::begin(full), Err(StoreError::NotEmpty { rows: 1 })));
    }

    #[test]
    fn one_image_is_taken_at_a_time() {
        let mut store = store();
        put(&mut store, 1, b"v");
        let first = store.begin_image();
        let second = store.begin_image();
        assert!(matches!(store.image_piece(first), Err(StoreError::ImageLost)));
        assert!(store.image_piece(second).unwrap().last);
        assert!(matches!(store.image_piece(second), Err(StoreError::ImageLost)), "it has ended");
    }
}

//! Export and import: a store's rows as one stream, to change engines or to take away.
//!
//! Format: the magic with a version byte; then per row the key's and the value's length (4 bytes
//! each, big-endian), the key and the value; then a key length of 2^32 - 1, the number of rows
//! (8 bytes) and SHA-256 over everything before. An import goes into an empty store only, and a
//! marker row keeps a half-imported store from ever being opened.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

use super::checked::{IMPORT_KEY, Store, admit_row};
use super::error::StoreError;
use super::port::{Batch, KEY_LIMIT, Row, ScanLimit, VALUE_LIMIT};

/// What an export starts with; the last byte is the format's version.
const MAGIC: &[u8; 8] = b"reevexp\x01";

/// In place of a key's length: the rows end here.
const END: u32 = u32::MAX;

/// Bytes imported per durable commit.
const IMPORT_COMMIT_BYTES: usize = 8 * 1024 * 1024;

/// Rows exported per page.
const EXPORT_PAGE_ROWS: usize = 4096;

/// Writes every row of `store` to `sink` and returns how many there were. Does not sync `sink`.
pub fn export(store: &Store, sink: impl Write) -> Result<u64, StoreError> {
    let mut sink = Hashed::new(sink);
    let failed = |error| StoreError::io("writing", "the export", error);
    sink.write_all(MAGIC).map_err(failed)?;
    let mut rows = 0_u64;
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = store.scan(b"", after.as_deref(), ScanLimit::rows(EXPORT_PAGE_ROWS))?;
        for (key, value) in &page.rows {
            write_row(&mut sink, key, value).map_err(failed)?;
            rows = rows.saturating_add(1);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    sink.write_all(&END.to_be_bytes()).map_err(failed)?;
    sink.write_all(&rows.to_be_bytes()).map_err(failed)?;
    let digest = sink.digest();
    sink.write_all(&digest).and_then(|()| sink.flush()).map_err(failed)?;
    Ok(rows)
}

/// Fills an empty `store` from an export and returns how many rows it had.
pub fn import(store: &mut Store, source: impl Read) -> Result<u64, StoreError> {
    if store.rows() != 0 {
        return Err(StoreError::NotEmpty { rows: store.rows() });
    }
    let mut source = Hashed::new(source);
    if source.array::<8>()? != *MAGIC {
        return Err(bad("it does not start like a reeve export of a format this program reads"));
    }
    let mut batch = Batch::new();
    batch.put(IMPORT_KEY, b"");
    let mut rows = 0_u64;
    while let Some((key, value)) = read_row(&mut source)? {
        admit_row(&key, value.len())?;
        batch.put(key, value);
        rows = rows.saturating_add(1);
        if batch.bytes() >= IMPORT_COMMIT_BYTES {
            store.write(std::mem::take(&mut batch))?;
        }
    }
    check_end(&mut source, rows)?;
    batch.delete(IMPORT_KEY);
    store.write(batch)?;
    match store.rows() {
        found if found == rows => Ok(rows),
        found => Err(bad(format!("it names {rows} rows, but only {found} different keys"))),
    }
}

fn check_end<R: Read>(source: &mut Hashed<R>, rows: u64) -> Result<(), StoreError> {
    let named = u64::from_be_bytes(source.array()?);
    if named != rows {
        return Err(bad(format!("it names {named} rows and holds {rows}")));
    }
    let expected = source.digest();
    if source.array::<32>()? != expected {
        return Err(bad("its SHA-256 does not match; it was altered or damaged"));
    }
    Ok(())
}

fn write_row(sink: &mut impl Write, key: &[u8], value: &[u8]) -> io::Result<()> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(io::Error::other);
    sink.write_all(&length(key)?.to_be_bytes())?;
    sink.write_all(&length(value)?.to_be_bytes())?;
    sink.write_all(key)?;
    sink.write_all(value)
}

fn read_row<R: Read>(source: &mut Hashed<R>) -> Result<Option<Row>, StoreError> {
    let key_bytes = u32::from_be_bytes(source.array()?);
    if key_bytes == END {
        return Ok(None);
    }
    let value_bytes = u32::from_be_bytes(source.array()?);
    let key = source.bytes(key_bytes, KEY_LIMIT)?;
    let value = source.bytes(value_bytes, VALUE_LIMIT)?;
    Ok(Some((key, value)))
}

fn bad(found: impl Into<String>) -> StoreError {
    StoreError::BadExport { found: found.into() }
}

/// A stream that hashes what passes.
struct Hashed<S> {
    stream: S,
    hash: Sha256,
}

impl<S> Hashed<S> {
    fn new(stream: S) -> Self {
        Self { stream, hash: Sha256::new() }
    }

    fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

impl<S: Write> Write for Hashed<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<S: Read> Hashed<S> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn bytes(&mut self, count: u32, limit: usize) -> Result<Vec<u8>, StoreError> {
        match usize::try_from(count) {
            Ok(count) if count <= limit => {
                let mut bytes = vec![0; count];
                self.fill(&mut bytes)?;
                Ok(bytes)
            }
            _ => Err(bad(format!("a length of {count} bytes exceeds the limit of {limit}"))),
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), StoreError> {
        self.stream.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => bad("it ends in the middle"),
            _ => StoreError::io("reading", "the export", error),
        })?;
        self.hash.update(bytes);
        Ok(())
    }
}

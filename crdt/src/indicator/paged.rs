//! An ordered map that is stored in pages: what has changed since it was last stored is written
//! again in pieces of a few kilobytes, never as a whole.
//!
//! A page holds a run of neighbouring entries. Runs are cut when they are written, so a page grows
//! past its size only by one entry. Pages are numbered; a number is the key under which the store
//! keeps it. This module never touches a store.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Bound;

use minicbor::{Decoder, Encoder};

/// Size at which a run is cut, in bytes: small, because one changed entry rewrites its page, and
/// below 4 KiB with the envelope of the store, the value size that every engine takes well.
const CUT_BYTES: usize = 3 * 1024;

/// Largest page that is read, in bytes: far above [`CUT_BYTES`] and the longest entry.
pub(super) const MAX_PAGE_BYTES: usize = 64 * 1024;

/// What stands under a key of a [`Paged`] map.
pub(super) trait Entry: Sized {
    /// Whether it says the same as no entry.
    fn is_nothing(&self) -> bool;
    /// Writes it.
    fn write(
        &self,
        e: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<Infallible>>;
    /// Reads what [`Entry::write`] wrote.
    fn read(d: &mut Decoder<'_>) -> Result<Self, minicbor::decode::Error>;
}

struct Page {
    number: u32,
    dirty: bool,
}

/// The map; see the module.
pub(super) struct Paged<E> {
    entries: BTreeMap<Box<[u8]>, E>,
    /// By the least key that belongs to it. The first page begins at the empty key.
    pages: BTreeMap<Box<[u8]>, Page>,
    next_number: u32,
    gone: Vec<u32>,
}

impl<E> Default for Paged<E> {
    fn default() -> Self {
        let first = (Box::default(), Page { number: 0, dirty: false });
        Self {
            entries: BTreeMap::new(),
            pages: BTreeMap::from([first]),
            next_number: 1,
            gone: Vec::new(),
        }
    }
}

impl<E: Entry> Paged<E> {
    pub(super) fn get(&self, key: &[u8]) -> Option<&E> {
        self.entries.get(key)
    }

    /// Sets an entry, or removes it if it says nothing.
    pub(super) fn set(&mut self, key: &[u8], entry: E) {
        if entry.is_nothing() {
            self.entries.remove(key);
        } else {
            self.entries.insert(key.into(), entry);
        }
        self.mark(key);
    }

    /// Changes an entry in place; one that was not there begins as the default, one that says nothing
    /// afterwards is removed.
    pub(super) fn change(&mut self, key: &[u8], change: impl FnOnce(&mut E))
    where
        E: Default,
    {
        if let Some(entry) = self.entries.get_mut(key) {
            change(entry);
            if entry.is_nothing() {
                self.entries.remove(key);
            }
        } else {
            let mut entry = E::default();
            change(&mut entry);
            if !entry.is_nothing() {
                self.entries.insert(key.into(), entry);
            }
        }
        self.mark(key);
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        if self.entries.remove(key).is_some() {
            self.mark(key);
        }
    }

    /// The entries whose keys begin so, in order.
    pub(super) fn starting_with<'a>(
        &'a self,
        prefix: &'a [u8],
    ) -> impl Iterator<Item = (&'a [u8], &'a E)> {
        self.from(Bound::Included(prefix)).take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// The entries from a bound on, in order.
    pub(super) fn from<'a>(
        &'a self,
        from: Bound<&[u8]>,
    ) -> impl Iterator<Item = (&'a [u8], &'a E)> + use<'a, E> {
        let range = self.entries.range::<[u8], _>((from, Bound::Unbounded));
        range.map(|(key, entry)| (key.as_ref(), entry))
    }

    /// The last entry between two keys, ends included; `from` must not be greater than `to`.
    pub(super) fn last_between(&self, from: &[u8], to: &[u8]) -> Option<(&[u8], &E)> {
        if from > to {
            return None;
        }
        let range = self.entries.range::<[u8], _>((Bound::Included(from), Bound::Included(to)));
        range.map(|(key, entry)| (key.as_ref(), entry)).next_back()
    }

    fn mark(&mut self, key: &[u8]) {
        let range = (Bound::Unbounded, Bound::Included(key));
        if let Some((_, page)) = self.pages.range_mut::<[u8], _>(range).next_back() {
            page.dirty = true;
        }
    }

    /// How many pages the store holds after the next [`Paged::changed_pages`] was written.
    pub(super) fn page_count(&self) -> u32 {
        let empty = u32::from(self.entries.is_empty());
        u32::try_from(self.pages.len()).unwrap_or(u32::MAX).saturating_sub(empty)
    }

    /// The pages that changed since the last call, by number: new content, or `None` for a page to
    /// be deleted. `seal` is written at the start of each.
    pub(super) fn changed_pages(&mut self, seal: &[u8]) -> Vec<(u32, Option<Vec<u8>>)> {
        let mut changed: Vec<_> = self.gone.drain(..).map(|number| (number, None)).collect();
        let dirty: Vec<Box<[u8]>> =
            self.pages.iter().filter(|(_, page)| page.dirty).map(|(key, _)| key.clone()).collect();
        for start in dirty {
            self.cut(&start, seal, &mut changed);
        }
        changed
    }

    /// Writes the run of one page, as several if it has grown.
    fn cut(&mut self, start: &[u8], seal: &[u8], changed: &mut Vec<(u32, Option<Vec<u8>>)>) {
        let runs = self.runs(start);
        let Some(page) = self.pages.get_mut(start) else { return };
        page.dirty = false;
        let number = page.number;
        if runs.is_empty() {
            changed.push((number, None));
            if !start.is_empty() {
                self.pages.remove(start);
            }
            return;
        }
        for (index, run) in runs.into_iter().enumerate() {
            // The first run keeps the page's start, which may lie before its first key.
            let (start, number) =
                if index == 0 { (Box::from(start), number) } else { self.new_page(&run.first) };
            changed.push((number, Some(run.sealed(seal, &start))));
        }
    }

    fn new_page(&mut self, start: &[u8]) -> (Box<[u8]>, u32) {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        self.pages.insert(start.into(), Page { number, dirty: false });
        (start.into(), number)
    }

    /// The entries of the page that begins at `start`, in runs of about [`CUT_BYTES`].
    fn runs(&self, start: &[u8]) -> Vec<Run> {
        let after = (Bound::Excluded(start), Bound::Unbounded);
        let end = self.pages.range::<[u8], _>(after).next().map(|(key, _)| key.as_ref());
        let until = end.map_or(Bound::Unbounded, Bound::Excluded);
        let mut runs: Vec<Run> = Vec::new();
        for (key, entry) in self.entries.range::<[u8], _>((Bound::Included(start), until)) {
            match runs.last_mut() {
                Some(run) if run.body.len() < CUT_BYTES => run.push(key, entry),
                _ => {
                    let mut run = Run { first: key.clone(), body: Vec::new(), entries: 0 };
                    run.push(key, entry);
                    runs.push(run);
                }
            }
        }
        runs
    }

    /// Takes a page as [`Paged::changed_pages`] wrote it, without its seal.
    pub(super) fn load(
        &mut self,
        number: u32,
        d: &mut Decoder<'_>,
    ) -> Result<(), minicbor::decode::Error> {
        let wrong = |reason| Err(minicbor::decode::Error::message(reason));
        let start: Box<[u8]> = d.bytes()?.into();
        let length = d.array()?.unwrap_or(u64::MAX);
        let mut last: Option<Box<[u8]>> = None;
        for _ in 0..length {
            let key: Box<[u8]> = d.bytes()?.into();
            if key < start || last.as_ref().is_some_and(|last| *last >= key) {
                return wrong("keys out of order");
            }
            let entry = E::read(d)?;
            self.entries.insert(key.clone(), entry);
            last = Some(key);
        }
        let page = Page { number, dirty: false };
        let known = self.pages.insert(start.clone(), page);
        if known.is_some_and(|known| !start.is_empty() || known.number != number) {
            return wrong("two pages with one start");
        }
        self.next_number = self.next_number.max(number.saturating_add(1));
        Ok(())
    }
}

/// Neighbouring entries on their way into one page.
struct Run {
    first: Box<[u8]>,
    body: Vec<u8>,
    entries: u64,
}

impl Run {
    fn push<E: Entry>(&mut self, key: &[u8], entry: &E) {
        let mut encoder = Encoder::new(&mut self.body);
        // A vector takes every write.
        let written = encoder.bytes(key).map(|_| ()).and_then(|()| entry.write(&mut encoder));
        debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
        self.entries = self.entries.saturating_add(1);
    }

    fn sealed(self, seal: &[u8], start: &[u8]) -> Vec<u8> {
        let mut page = Vec::with_capacity(self.body.len().saturating_add(64));
        let mut encoder = Encoder::new(&mut page);
        let written = encoder
            .bytes(seal)
            .and_then(|e| e.bytes(start))
            .and_then(|e| e.array(self.entries))
            .map(|_| ());
        debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
        page.extend(self.body);
        page
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq, Default)]
    struct Word(u32);

    impl Entry for Word {
        fn is_nothing(&self) -> bool {
            self.0 == 0
        }
        fn write(
            &self,
            e: &mut Encoder<&mut Vec<u8>>,
        ) -> Result<(), minicbor::encode::Error<Infallible>> {
            e.u32(self.0)?.ok()
        }
        fn read(d: &mut Decoder<'_>) -> Result<Self, minicbor::decode::Error> {
            d.u32().map(Self)
        }
    }

    type Stored = BTreeMap<u32, Vec<u8>>;

    fn store(map: &mut Paged<Word>, stored: &mut Stored) {
        for (number, content) in map.changed_pages(b"seal") {
            match content {
                Some(bytes) => {
                    assert!(bytes.len() <= MAX_PAGE_BYTES);
                    stored.insert(number, bytes);
                }
                None => drop(stored.remove(&number)),
            }
        }
        assert_eq!(stored.len(), usize::try_from(map.page_count()).unwrap());
    }

    fn loaded(stored: &Stored) -> Paged<Word> {
        let mut map = Paged::default();
        for (number, bytes) in stored.iter().rev() {
            let mut d = Decoder::new(bytes);
            assert_eq!(d.bytes().unwrap(), b"seal");
            map.load(*number, &mut d).unwrap();
        }
        map
    }

    proptest! {
        #[test]
        fn what_is_stored_in_pages_is_what_was_there(
            batches in prop::collection::vec(
                prop::collection::vec((0_u16..2_000, 0_u32..3), 0..600), 1..8),
        ) {
            let mut map = Paged::default();
            let mut oracle = BTreeMap::new();
            let mut stored = Stored::new();
            for batch in batches {
                for (key, word) in batch {
                    map.set(&key.to_be_bytes(), Word(word));
                    if word == 0 { oracle.remove(&key); } else { oracle.insert(key, Word(word)); }
                }
                store(&mut map, &mut stored);
                map = loaded(&stored);
                let held: Vec<_> = map.entries.iter().map(|(k, v)| (k.to_vec(), v.clone())).collect();
                let expected: Vec<_> =
                    oracle.iter().map(|(k, v)| (k.to_be_bytes().to_vec(), v.clone())).collect();
                prop_assert_eq!(held, expected);
                prop_assert!(map.changed_pages(b"seal").is_empty());
            }
        }
    }

    #[test]
    fn one_change_rewrites_one_page() {
        let mut map = Paged::default();
        let mut stored = Stored::new();
        for key in 0_u16..5_000 {
            map.set(&key.to_be_bytes(), Word(1));
        }
        store(&mut map, &mut stored);
        assert!(stored.len() > 5);
        map.change(&77_u16.to_be_bytes(), |word| word.0 = 9);
        assert_eq!(map.changed_pages(b"seal").len(), 1);
    }
}

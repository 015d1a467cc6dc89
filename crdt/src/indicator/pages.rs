//! The engine in the store: pages under small keys, a head that says how many there must be.
//!
//! Key: section (1 byte), index (2), page number (4). Section 0 is the head. Every page begins with
//! the engine's seal. What is read is our own, yet bounded and never trusted to be whole.

use minicbor::{Decoder, Encoder};

use super::Engine;
use super::paged::{Entry, MAX_PAGE_BYTES, Paged};
use super::state::Numbers;

/// Longest key of a page, in bytes.
pub const MAX_PAGE_KEY_BYTES: usize = 7;

const HEAD: u8 = 0;
const NUMBERS: u8 = 1;
const TOUCHED: u8 = 2;
const LOOKUP: u8 = 3;
const CLOSURES: u8 = 4;

/// Why stored pages are refused. For each of these the caller rebuilds from the records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Schema, catalogue or time zone changed since the page was written.
    #[error("a page of other definitions; rebuild the indicators from the records")]
    Stale,
    /// The store gave something that was not written so; its fault or ours.
    #[error("a page of indicators is damaged ({reason}); rebuild the indicators from the records")]
    Damaged {
        /// What is wrong.
        reason: String,
    },
    /// Not all pages are there, or none.
    #[error("pages of indicators are missing; rebuild the indicators from the records")]
    Missing,
}

fn damaged(reason: impl ToString) -> PageError {
    PageError::Damaged { reason: reason.to_string() }
}

impl From<minicbor::decode::Error> for PageError {
    fn from(error: minicbor::decode::Error) -> Self {
        damaged(error)
    }
}

/// A store's key and what shall stand there; `None` if nothing.
type Change = (Vec<u8>, Option<Vec<u8>>);

fn page_key(section: u8, index: usize, number: u32) -> Vec<u8> {
    let mut key = vec![section];
    key.extend(u16::try_from(index).unwrap_or(u16::MAX).to_be_bytes());
    key.extend(number.to_be_bytes());
    key
}

fn drain<E: Entry>(
    map: &mut Paged<E>,
    (section, index): (u8, usize),
    seal: &[u8],
    changes: &mut Vec<Change>,
) -> u32 {
    let changed = map.changed_pages(seal).into_iter();
    changes.extend(changed.map(|(number, page)| (page_key(section, index, number), page)));
    map.page_count()
}

impl Engine {
    /// What changed in the store since the last call: new content of a key (at most 64 KiB), or `None`
    /// where a key goes. Written in one batch with the facts, the stored state is always of one moment.
    pub fn changed_pages(&mut self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut changes = Vec::new();
        let seal = *self.seal.as_bytes();
        let mut counts = Vec::new();
        for (index, state) in self.states.iter_mut().enumerate() {
            let place = (NUMBERS, index);
            counts.push(match &mut state.numbers {
                Numbers::Sums(map) => drain(map, place, &seal, &mut changes),
                Numbers::Extremes(map) => drain(map, place, &seal, &mut changes),
                Numbers::Readings(map) => drain(map, place, &seal, &mut changes),
            });
            counts.push(drain(&mut state.touched, (TOUCHED, index), &seal, &mut changes));
        }
        for (index, lookup) in self.lookups.0.iter_mut().enumerate() {
            counts.push(drain(&mut lookup.records, (LOOKUP, index), &seal, &mut changes));
        }
        counts.push(drain(&mut self.closures.said, (CLOSURES, 0), &seal, &mut changes));
        let head = head(&seal, &counts);
        if self.stored_head.as_ref() != Some(&head) {
            changes.push((page_key(HEAD, 0, 0), Some(head.clone())));
            self.stored_head = Some(head);
        }
        changes
    }

    /// Takes a page of the store into a new engine; the order does not matter.
    ///
    /// # Errors
    /// [`PageError`]; the engine is then of no further use.
    pub fn load_page(&mut self, key: &[u8], page: &[u8]) -> Result<(), PageError> {
        if page.len() > MAX_PAGE_BYTES {
            return Err(damaged("too long"));
        }
        let mut d = Decoder::new(page);
        if d.bytes()? != self.seal.as_bytes() {
            return Err(PageError::Stale);
        }
        let &[section, index_high, index_low, a, b, c, e] = key else {
            return Err(damaged("a key of another length"));
        };
        let index = usize::from(u16::from_be_bytes([index_high, index_low]));
        let number = u32::from_be_bytes([a, b, c, e]);
        if section == HEAD {
            self.loaded_head = Some(page.to_vec());
            return Ok(());
        }
        self.load_into(section, index, number, &mut d)?;
        if d.position() == page.len() { Ok(()) } else { Err(damaged("bytes are left over")) }
    }

    fn load_into(
        &mut self,
        section: u8,
        index: usize,
        number: u32,
        d: &mut Decoder<'_>,
    ) -> Result<(), PageError> {
        let unknown = || damaged("a key of an unknown section");
        let state = self.states.get_mut(index);
        match section {
            NUMBERS => match &mut state.ok_or_else(unknown)?.numbers {
                Numbers::Sums(map) => map.load(number, d)?,
                Numbers::Extremes(map) => map.load(number, d)?,
                Numbers::Readings(map) => map.load(number, d)?,
            },
            TOUCHED => state.ok_or_else(unknown)?.touched.load(number, d)?,
            LOOKUP => {
                let lookup = self.lookups.0.get_mut(index).ok_or_else(unknown)?;
                lookup.records.load(number, d)?;
            }
            CLOSURES => self.closures.said.load(number, d)?,
            _ => return Err(unknown()),
        }
        Ok(())
    }

    /// Checks that all pages were loaded.
    ///
    /// # Errors
    /// [`PageError::Missing`] if not; also if nothing was ever stored.
    pub fn finish_loading(&mut self) -> Result<(), PageError> {
        let head = head(self.seal.as_bytes(), &self.page_counts());
        if self.loaded_head.take() != Some(head.clone()) {
            return Err(PageError::Missing);
        }
        self.stored_head = Some(head);
        Ok(())
    }

    /// Pages per map, in the order of [`Engine::changed_pages`].
    fn page_counts(&self) -> Vec<u32> {
        let of_state = |state: &super::State| {
            let numbers = match &state.numbers {
                Numbers::Sums(map) => map.page_count(),
                Numbers::Extremes(map) => map.page_count(),
                Numbers::Readings(map) => map.page_count(),
            };
            [numbers, state.touched.page_count()]
        };
        let lookups = self.lookups.0.iter().map(|lookup| lookup.records.page_count());
        let closures = core::iter::once(self.closures.said.page_count());
        self.states.iter().flat_map(of_state).chain(lookups).chain(closures).collect()
    }
}

/// The head: how many pages each map has.
fn head(seal: &[u8], counts: &[u32]) -> Vec<u8> {
    let mut head = Vec::new();
    let written = Encoder::new(&mut head).bytes(seal).and_then(|e| e.encode(counts)).map(|_| ());
    debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
    head
}

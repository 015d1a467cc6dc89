//! Mutations of inputs: small, seeded, the same for the same seed.
//!
//! What tends to break decoders: flipped bits, numbers at their limits, lengths that lie, parts that
//! are cut, doubled, moved, or taken from another input, and words of the format in the wrong place.

use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::INPUT_BYTES;

/// Most mutations of one input.
const AT_ONCE: u32 = 6;
/// Longest part that is inserted or copied at once, in bytes.
const PART: usize = 512;
/// Bytes at which lengths, counts and signs change their form: in CBOR, DER, UTF-8 and text.
const BYTES: [u8; 22] = [
    0x00, 0x01, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1f, 0x20, 0x30, 0x3b, 0x5b, 0x5f, 0x7b, 0x7f, 0x80,
    0x82, 0x9b, 0xbf, 0xf6, 0xfb, 0xff,
];
/// Numbers at the limits of their types.
const NUMBERS: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// A source of mutated inputs.
#[derive(Debug)]
pub struct Mutator {
    random: ChaCha8Rng,
    words: &'static [&'static str],
}

impl Mutator {
    /// The same mutations for the same seed.
    #[must_use]
    pub fn new(seed: u64, words: &'static [&'static str]) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), words }
    }

    /// One of the inputs, mutated.
    #[must_use]
    pub fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = corpus.choose(&mut self.random).cloned().unwrap_or_default();
        for _ in 0..self.random.random_range(1..=AT_ONCE) {
            self.mutate(&mut bytes, corpus);
        }
        bytes.truncate(INPUT_BYTES);
        bytes
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        match self.random.random_range(0..11) {
            0 | 1 => self.flip(bytes),
            2 => self.set(bytes, |random| BYTES[random.random_range(0..BYTES.len())]),
            3 => self.set(bytes, rand::Rng::random),
            4 => self.number(bytes),
            5 => self.length(bytes),
            6 => drop(bytes.drain(self.range(bytes.len()))),
            7 => {
                let part = bytes[self.range(bytes.len())].to_vec();
                self.insert(bytes, &part);
            }
            8 => {
                if let Some(other) = corpus.choose(&mut self.random) {
                    let part = other[self.range(other.len())].to_vec();
                    if self.random.random_bool(0.5) {
                        self.insert(bytes, &part);
                    } else {
                        self.overwrite(bytes, &part);
                    }
                }
            }
            9 => match self.words.choose(&mut self.random) {
                Some(word) => self.insert(bytes, word.as_bytes()),
                None => self.flip(bytes),
            },
            _ => {
                let cut = self.random.random_range(0..=bytes.len());
                bytes.truncate(cut);
            }
        }
    }

    /// A part of so many bytes, of bounded length.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.random.random_range(0..=length);
        let part = self.random.random_range(0..=(length - start).min(PART));
        start..start + part
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        let bit = self.random.random_range(0..8);
        self.change(bytes, |byte, _| byte ^ (1 << bit));
    }

    fn set(&mut self, bytes: &mut [u8], to: impl FnOnce(&mut ChaCha8Rng) -> u8) {
        self.change(bytes, |_, random| to(random));
    }

    fn change(&mut self, bytes: &mut [u8], to: impl FnOnce(u8, &mut ChaCha8Rng) -> u8) {
        let place = self.random.random_range(0..bytes.len().max(1));
        if let Some(byte) = bytes.get_mut(place) {
            *byte = to(*byte, &mut self.random);
        }
    }

    /// A number at a limit, in two to eight bytes and either order.
    fn number(&mut self, bytes: &mut Vec<u8>) {
        let number = NUMBERS[self.random.random_range(0..NUMBERS.len())];
        let width = [2, 4, 8][self.random.random_range(0..3)];
        let written = if self.random.random_bool(0.7) {
            number.to_be_bytes()[8 - width..].to_vec()
        } else {
            number.to_le_bytes()[..width].to_vec()
        };
        self.overwrite(bytes, &written);
    }

    /// A length or count that is a little more or less than it was.
    fn length(&mut self, bytes: &mut [u8]) {
        let by = self.random.random_range(1..=4);
        let more = self.random.random_bool(0.5);
        self.change(
            bytes,
            |byte, _| if more { byte.wrapping_add(by) } else { byte.wrapping_sub(by) },
        );
    }

    fn insert(&mut self, bytes: &mut Vec<u8>, part: &[u8]) {
        let place = self.random.random_range(0..=bytes.len());
        bytes.splice(place..place, part.iter().copied());
    }

    fn overwrite(&mut self, bytes: &mut Vec<u8>, part: &[u8]) {
        let place = self.random.random_range(0..=bytes.len());
        let end = place.saturating_add(part.len()).min(bytes.len());
        bytes.splice(place..end, part.iter().copied());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs() {
        let corpus = [b"one input".to_vec(), vec![0x82, 0x01, 0x43, 1, 2, 3], Vec::new()];
        let run = |seed| {
            let mut mutator = Mutator::new(seed, &["word"]);
            (0..2_000).map(|_| mutator.next(&corpus)).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        let different: BTreeSet<_> = run(1).into_iter().chain(run(2)).collect();
        assert!(different.len() > 2_000, "only {} different inputs of 4,000", different.len());
    }
}

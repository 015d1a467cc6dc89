//! Damaged files: every change either shows nowhere or is an error.

use std::fs;
use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::place::{Place, fill, folder_of, open_and_verify};

/// Every file of the store, and how damage is done to it.
fn damage(
    place: &Place,
    seed: u64,
    trials: usize,
    mut hurt: impl FnMut(&mut ChaCha8Rng, &mut Vec<u8>),
) {
    let mut store = place.open();
    let rows = fill(&mut store);
    store.close().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let files = files_below(&folder_of(place));
    let mut noticed = 0;
    for trial in 0..trials {
        let hurt_place = place.snapshot();
        let file = &files[random.random_range(0..files.len())];
        let path = folder_of(&hurt_place).join(file);
        let mut bytes = fs::read(&path).unwrap();
        if bytes.is_empty() {
            continue;
        }
        hurt(&mut random, &mut bytes);
        fs::write(&path, bytes).unwrap();
        match open_and_verify(&hurt_place) {
            Ok(found) => assert!(found == rows, "trial {trial}: {} lies silently", file.display()),
            Err(_) => noticed += 1,
        }
    }
    assert!(noticed > 0, "no trial damaged anything that is in use");
}

/// Files that carry data; `lock` is empty, `engine` is checked by name, `head` has its own test.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::metadata(&path).unwrap().len() > 100 {
                found.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Trials per damage test; `REEVE_DAMAGE_TRIALS` asks for more.
fn trials() -> usize {
    std::env::var("REEVE_DAMAGE_TRIALS").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

fn flip(random: &mut ChaCha8Rng, bytes: &mut [u8]) {
    let at = random.random_range(0..bytes.len());
    bytes[at] ^= 1 << random.random_range(0..8);
}

fn cut(random: &mut ChaCha8Rng, bytes: &mut Vec<u8>) {
    let keep = random.random_range(0..bytes.len());
    bytes.truncate(keep);
}

fn blank(random: &mut ChaCha8Rng, bytes: &mut [u8]) {
    let start = random.random_range(0..bytes.len()) / 4096 * 4096;
    let end = (start + 4096).min(bytes.len());
    bytes[start..end].fill(0);
}

#[test]
fn redb_never_hides_a_flipped_bit() {
    damage(&Place::redb(), 1, trials(), |random, bytes| flip(random, bytes));
}

#[test]
fn redb_never_hides_a_truncation() {
    damage(&Place::redb(), 2, trials(), cut);
}

#[test]
fn redb_never_hides_a_blank_page() {
    damage(&Place::redb(), 3, trials(), |random, bytes| blank(random, bytes));
}

#[test]
fn sled_never_hides_a_flipped_bit() {
    damage(&Place::sled(), 4, trials(), |random, bytes| flip(random, bytes));
}

#[test]
fn sled_never_hides_a_truncation() {
    damage(&Place::sled(), 5, trials(), cut);
}

#[test]
fn sled_never_hides_a_blank_page() {
    damage(&Place::sled(), 6, trials(), |random, bytes| blank(random, bytes));
}

#[test]
fn memory_never_hides_a_flipped_bit_or_a_lost_row() {
    let place = Place::memory();
    fill(&mut place.open());
    for row in 0..61 {
        let Place::Disk(flipped) = place.snapshot() else { panic!() };
        assert!(flipped.flip_bit(row, 70));
        assert!(open_and_verify(&Place::Disk(flipped)).is_err(), "row {row}");
        let Place::Disk(lost) = place.snapshot() else { panic!() };
        assert!(lost.lose_row(row));
        assert!(open_and_verify(&Place::Disk(lost)).is_err(), "row {row}");
    }
}

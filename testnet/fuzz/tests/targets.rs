//! The seeds themselves: what the program's own encoders make upsets no target.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use reeve_fuzz::{INPUT_BYTES, TARGETS};

#[test]
fn every_target_takes_its_own_seeds() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for seed in seeds.iter().chain([&Vec::new()]) {
            assert!(seed.len() <= INPUT_BYTES);
            (target.run)(seed);
        }
    }
}

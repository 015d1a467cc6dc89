//! Attacks on a node's protocols, by their numbers in docs/reliability.md: what a hostile subordinate,
//! a curious superior, a thief of keys or an administrator can try, against the core itself.
//!
//! Samples by default; `REEVE_FULL=1` for the full counts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../../../../testnet/tests/counts/mod.rs"]
mod counts;
#[path = "../world/mod.rs"]
mod world;

mod counting;
mod differencing;
mod ledger;
mod replayed;
mod restored;
mod revoked;
mod times;
mod versions;

use jiff::ToSpan as _;
use jiff::civil::Date;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use reeve_protocol::NodeKey;
use reeve_protocol::rows::{HEARD, HeardRow};
use reeve_protocol::wire::HelloAnswer;
use world::World;
use world::hostile::Hostile;

/// Chance that is the same on every run.
fn chance(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A day of its own for every number.
fn day(number: usize) -> String {
    let first: Date = "1990-01-01".parse().unwrap();
    first.checked_add(i64::try_from(number).unwrap().days()).unwrap().to_string()
}

/// Connects and greets.
fn greet(world: &mut World, peer: &Hostile, host: NodeKey) {
    peer.connect(world, host);
    let answer = peer.hello(world, host);
    assert!(matches!(answer, HelloAnswer::Welcome(_)), "{answer:?}");
}

/// What a node holds durably of its subordinates' figures.
fn held(world: &World, at: NodeKey) -> Vec<HeardRow> {
    let rows = world.sites[&at].rows.range(HEARD.to_vec()..);
    let rows = rows.take_while(|(key, _)| key.starts_with(HEARD));
    rows.map(|(_, value)| reeve_statement::cbor::from_slice("row", value, value.len()).unwrap())
        .collect()
}

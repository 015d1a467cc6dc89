//! Short forms of the attacks on a real node; `testnet trial hostile` runs all of them, for longer, and
//! holds honest people's waiting against a bound. Here time is not judged: the machine may be busy.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use reeve::config::Engine;
use reeve_testnet::hostile::attacks::{self, Attack};
use reeve_testnet::hostile::{Bounds, HostileSpec, Outcome, play};
use reeve_testnet::processes::Leash;

/// Plays an attack for a moment: the node survives it, honest changes arrive, memory, descriptors,
/// threads, store and log stay within their bounds, and it comes to rest.
fn survived(name: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let spec = HostileSpec {
        folder: folder.path().to_owned(),
        engine: Engine::Redb,
        each: Duration::from_secs(3),
        calm: Duration::from_millis(300),
        bounds: Bounds {
            honest: None,
            // Programs that are not optimized, beside all other tests.
            rest: Duration::from_secs(60),
            work_at_rest: 30.0,
            ..Bounds::default()
        },
    };
    let outcome = play(&spec, Attack::named(name).unwrap(), &Leash::default()).unwrap();
    assert!(outcome.faults.is_empty(), "{name}: {:?}", outcome.faults);
    assert!(outcome.attempts > 0, "{name} did something");
    outcome
}

/// THREATS row 25.
#[test]
fn attack_25_a_writer_who_never_pauses_holds_nobody_else_up() {
    assert!(survived("writes").accepted > 0);
}

/// THREATS row 26: sockets that say nothing take the places of strangers, and those only.
#[test]
fn attack_26_a_crowd_of_strangers_is_held_off() {
    let outcome = survived("tcp-loris");
    assert!(outcome.most.descriptors < 300, "{:?}", outcome.most);
    assert!(outcome.refused > 0);
}

/// THREATS row 27.
#[test]
fn attack_27_a_thousand_half_open_streams_of_four_gigabytes_take_no_memory() {
    let outcome = survived("lengths");
    let grown = outcome.most.peak_kb.saturating_sub(outcome.at_first.peak_kb);
    assert!(grown < 64 * 1024, "{grown} kB");
    assert_eq!(outcome.accepted, 0);
}

/// THREATS row 28: whoever forges is barred, and the work that forging causes ends with that.
#[test]
fn attack_28_a_flood_of_forged_signatures_is_cut_off() {
    assert_eq!(survived("bad-signatures").accepted, 0);
}

/// THREATS row 29.
#[test]
fn attack_29_a_flood_of_large_figures_stops_at_the_quota() {
    assert!(survived("storage").accepted > 0, "what is within the quota is taken");
}

/// THREATS row 30: documents that would take a hundred times their length are refused unparsed.
#[test]
fn attack_30_documents_that_nest_and_swell_are_refused_unparsed() {
    assert_eq!(survived("http-bombs").accepted, 0);
}

/// THREATS row 31.
#[test]
fn attack_31_a_home_node_that_hands_over_garbage_without_end_harms_nobody() {
    survived("garbage-changes");
}

#[test]
fn six_hundred_slow_clients_do_not_shut_the_api() {
    let outcome = survived("http-heads");
    // One that meets a full house as its slowest client is closed too, and asks again.
    let (failed, asked) = (outcome.during.failed, outcome.during.queries.len());
    assert!(
        usize::try_from(failed).unwrap() * 10 <= asked,
        "{failed} failed, {asked} were answered"
    );
}

#[test]
fn attacks_have_names_of_their_own() {
    let mut names: Vec<&str> = attacks::all().iter().map(|attack| attack.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), count >= 30), (count, true));
    assert!(Attack::named("no such attack").is_none());
}

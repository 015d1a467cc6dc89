//! The attack on disclosure: it finds nothing, and something as soon as a defence is left out. Those of
//! the policy crate are left out in a build with the feature `bugs` only:
//! `cargo test -p reeve-sim --features bugs --test attack`. `REEVE_FULL=1` for the full count.

use reeve_sim::attack::{Defence, attack};

#[path = "../../tests/counts/mod.rs"]
mod counts;
use counts::count;

#[test]
fn an_attacker_who_sees_everything_that_is_told_finds_nobody() {
    let federations = u64::try_from(count(60, 2_000)).unwrap_or(u64::MAX);
    let recovered = attack(federations, 0, None);
    println!("{recovered:?}");
    assert_eq!(recovered.untrue, 0, "{recovered:?}");
    assert_eq!(recovered.found(), 0, "{recovered:?}");
    let much = 10 * federations;
    assert!(recovered.small_rows > much && recovered.small_steps > much, "{recovered:?}");
}

#[test]
fn without_any_one_defence_it_finds_somebody() {
    for defence in Defence::ALL.into_iter().filter(|defence| defence.can_be_left_out()) {
        let recovered = attack(60, 0, Some(defence));
        println!("{}: {recovered:?}", defence.name());
        assert!(recovered.found() > 0, "without {}: {recovered:?}", defence.name());
    }
}

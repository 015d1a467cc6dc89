//! The checks can fail: each deliberate fault of the core is found. Built with the feature `bugs` only:
//! `cargo test -p reeve-sim --features bugs --test bugs`.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use reeve_protocol::bugs::{Bug, Bugs};
use reeve_sim::{Plan, Sim, Size};

/// Seeds within which a fault must be found.
const SEEDS: u64 = 200;

fn is_found(bug: Bug) {
    let found = (0..SEEDS).find_map(|seed| {
        let mut plan = Plan::of(seed, Size::SMALL);
        if bug == Bug::SignUnasked {
            // Old images are rare among the drawn faults; this one needs them.
            plan.faults.old_images = 1_000;
            plan.faults.crashes = plan.faults.crashes.max(3);
        }
        let report = Sim::with(plan, false, Bugs::with(bug)).run();
        report.violation.map(|violation| (seed, violation))
    });
    match found {
        Some((seed, violation)) => println!("{bug:?}: seed {seed}: {violation}"),
        None => panic!("{bug:?} is not found within {SEEDS} seeds"),
    }
}

/// One test per fault, so that they run side by side.
macro_rules! found {
    ($($test:ident $bug:ident),* $(,)?) => {
        $(#[test]
        fn $test() {
            is_found(Bug::$bug);
        })*

        #[test]
        fn every_fault_has_a_test() {
            assert_eq!(Bug::ALL, [$(Bug::$bug),*]);
        }
    };
}

found! {
    speaks_early SpeakEarly,
    reuses_an_edition ReuseEdition,
    takes_an_older_one TakeOlder,
    forgets_that_a_figure_changed LoseDirty,
    forgets_the_floor ForgetFloor,
    does_not_listen_to_lists KeepRevoked,
    signs_unasked SignUnasked,
    forgets_its_ledger ForgetLedger,
    ignores_deletes IgnoreDeletes,
    accepts_and_keeps_nothing AcceptUnkept,
    never_sends_again NeverResend,
    takes_silence_for_acceptance SilenceIsAcceptance,
    leaves_one_out LeaveOneOut,
}

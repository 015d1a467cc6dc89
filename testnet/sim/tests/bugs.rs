//! The checks can fail: each deliberate fault of the core is found. Built with the feature `bugs` only:
//! `cargo test -p reeve-sim --features bugs --test bugs`.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use reeve_protocol::bugs::{Bug, Bugs};
use reeve_sim::{Faults, Plan, Sim, Size};

/// Seeds within which a fault must be found.
const SEEDS: u64 = 200;

/// What a fault needs to show is rare among the drawn runs: it is made sure of.
fn provoke(bug: Bug, plan: &mut Plan) {
    let last = plan.units.last().cloned();
    match bug {
        Bug::SignUnasked | Bug::ForgetLedger => {
            plan.faults.old_images = 1_000;
            plan.faults.crashes = plan.faults.crashes.max(3);
        }
        Bug::BelieveLedgers | Bug::TakeTwice => plan.hostile.extend(last),
        Bug::TakeForOthers => plan.hostile = plan.leaves().cloned().collect(),
        Bug::VerifyAll => {
            plan.hostile.extend(last);
            plan.faults.compute_ms = 500;
        }
        Bug::IgnoreEnds | Bug::NeverSignAnew => {
            plan.expiring = last.filter(|unit| Some(unit) != plan.revoked.as_ref());
            plan.trouble_ms = plan.trouble_ms.max(15_000);
            plan.writes_per_second = 20;
        }
        Bug::KeepRevoked => {
            plan.revoked = last.filter(|unit| !plan.homes.contains_key(unit));
            plan.rounds = 2;
        }
        Bug::FollowOlder => plan.faults.catalogues = 500,
        Bug::NoticeIsZero | Bug::LeaveNoticesOut | Bug::ChangeInSilence => {
            plan.faults.policies = 300;
        }
        Bug::SendEndedTerm | Bug::NeverSignAgain => {
            plan.hostile.clear();
            plan.restored = last.filter(|unit| !plan.homes.contains_key(unit));
            plan.trouble_ms = plan.trouble_ms.max(25_000);
            plan.faults.delay_ms = 2_000;
        }
        Bug::SendUnadopted => plan.faults.adoptions = 100,
        Bug::OutliveDeclarations | Bug::ForgetTold => {
            plan.faults.declarations = 300;
            plan.trouble_ms = plan.trouble_ms.max(20_000);
        }
        Bug::ForgetCalendar => plan.faults.calendars = 300,
        Bug::TellSteps | Bug::TellClassesApart | Bug::TellAtOnce | Bug::TellAllTheSame => {
            plan.faults = Faults { classes: 1, declarations: 0, clock_jumps: 0, ..plan.faults };
            plan.faults.far_clock_jumps = 0;
            plan.hostile.clear();
            plan.restored = None;
            plan.trouble_ms = plan.trouble_ms.max(30_000);
            plan.writes_per_second = 20;
        }
        Bug::ForgetSuccession => {
            plan.trouble_ms = plan.trouble_ms.max(25_000);
            plan.rekey(plan.units[1].clone());
        }
        Bug::KeepReporting | Bug::LeaveTheOffice => {
            plan.by_force = false;
            plan.trouble_ms = plan.trouble_ms.max(25_000);
            plan.hand_over(plan.units[0].clone());
        }
        Bug::ExpectForEver | Bug::ForgetUnits => {
            plan.faults.registers = 500;
            plan.trouble_ms = plan.trouble_ms.max(10_000);
        }
        Bug::OneSourceIsEnough | Bug::EveryRevisionIsAnUpdate => plan.faults.sources = 300,
        Bug::CosignUnchecked => {
            plan.hostile.extend(last);
            plan.trouble_ms = plan.trouble_ms.max(40_000);
            plan.writes_per_second = 20;
        }
        Bug::KeepBytes | Bug::BringBack => {
            plan.hostile.clear();
            (plan.revoked, plan.expiring, plan.restored, plan.handed) = (None, None, None, None);
            plan.homes.extend(last.clone().map(|unit| (unit, 2)));
            plan.expires = last;
            plan.rounds = 1;
        }
        Bug::FreezeOlder => {
            plan.faults.bulletins = 1_000;
            plan.trouble_ms = plan.trouble_ms.max(10_000);
        }
        Bug::ForgetCosignature => plan.faults.auditors = 1_000,
        Bug::BelieveLateHello => {
            plan.hostile.clear();
            plan.by_force = false;
            plan.trouble_ms = plan.trouble_ms.max(25_000);
            plan.faults.delay_ms = 2_000;
            plan.faults.partitions = 200;
            plan.hand_over(plan.units[1].clone());
        }
        Bug::StandStill => plan.faults.crashes = plan.faults.crashes.max(3),
        _ => {}
    }
}

fn is_found(bug: Bug) {
    let found = (0..SEEDS).find_map(|seed| {
        let mut plan = Plan::of(seed, Size::SMALL);
        provoke(bug, &mut plan);
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
    counts_silence_as_zero SilenceIsZero,
    counts_a_notice_as_zero NoticeIsZero,
    claims_too_much OverClaim,
    believes_ledgers BelieveLedgers,
    takes_statements_for_others TakeForOthers,
    takes_two_for_one TakeTwice,
    ignores_ends IgnoreEnds,
    follows_an_older_catalogue FollowOlder,
    verifies_all VerifyAll,
    leaves_notices_out LeaveNoticesOut,
    stands_still_at_the_top StandStill,
    never_signs_anew NeverSignAnew,
    sends_what_is_not_adopted SendUnadopted,
    sends_what_an_ended_term_signed SendEndedTerm,
    never_signs_again_in_a_new_term NeverSignAgain,
    outlives_declarations OutliveDeclarations,
    forgets_what_was_told ForgetTold,
    forgets_the_calendar ForgetCalendar,
    tells_every_step TellSteps,
    tells_classes_apart TellClassesApart,
    tells_at_once TellAtOnce,
    tells_all_classes_the_same TellAllTheSame,
    keeps_reporting KeepReporting,
    leaves_the_office LeaveTheOffice,
    forgets_successions ForgetSuccession,
    expects_for_ever ExpectForEver,
    forgets_units_that_ended ForgetUnits,
    takes_one_source_for_all OneSourceIsEnough,
    calls_every_revision_an_update EveryRevisionIsAnUpdate,
    cosigns_unchecked CosignUnchecked,
    keeps_bytes KeepBytes,
    brings_back BringBack,
    freezes_an_older_edition FreezeOlder,
    changes_its_policy_in_silence ChangeInSilence,
    forgets_what_decided ForgetPolicies,
    forgets_a_cosignature ForgetCosignature,
    believes_a_late_hello BelieveLateHello,
}

//! Makes a failing run small: whatever can be left out while the same invariant still breaks, is.

use std::collections::BTreeSet;

use crate::plan::{Faults, Plan};
use crate::sim::Sim;

/// Most runs that are spent on one failure.
const RUNS: usize = 200;

/// The smallest run found in which the same invariant breaks; the plan itself if it does not break any.
#[must_use]
pub fn minimise(plan: &Plan) -> Plan {
    let Some(invariant) = broken(plan) else { return plan.clone() };
    let mut smallest = plan.clone();
    let mut runs = 0;
    loop {
        let mut smaller = None;
        for candidate in candidates(&smallest) {
            runs += 1;
            if runs > RUNS {
                return smallest;
            }
            if broken(&candidate) == Some(invariant) {
                smaller = Some(candidate);
                break;
            }
        }
        match smaller {
            Some(found) => smallest = found,
            None => return smallest,
        }
    }
}

fn broken(plan: &Plan) -> Option<&'static str> {
    Sim::new(plan.clone(), false).run().violation.map(|violation| violation.invariant)
}

/// Plans with one thing less.
fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut found = Vec::new();
    let mut with = |change: &dyn Fn(&mut Plan)| {
        let mut candidate = plan.clone();
        change(&mut candidate);
        if candidate != *plan {
            found.push(candidate);
        }
    };
    with(&|plan| plan.rounds = 1);
    with(&|plan| plan.hostile.clear());
    with(&|plan| plan.homes.clear());
    with(&|plan| plan.revoked = None);
    with(&|plan| plan.expiring = None);
    with(&|plan| plan.restored = None);
    with(&|plan| plan.handed = None);
    with(&|plan| plan.rekeyed = None);
    with(&|plan| plan.expires = None);
    let faults: &[fn(&mut Faults)] = &[
        |faults| faults.full_disks = 0,
        |faults| faults.far_clock_jumps = 0,
        |faults| faults.compute_ms = 0,
        |faults| faults.loss = 0,
        |faults| faults.duplicates = 0,
        |faults| faults.crashes = 0,
        |faults| faults.failed_commits = 0,
        |faults| faults.old_images = 0,
        |faults| faults.partitions = 0,
        |faults| faults.clock_jumps = 0,
        |faults| faults.catalogues = 0,
        |faults| faults.policies = 0,
        |faults| faults.adoptions = 0,
        |faults| faults.declarations = 0,
        |faults| faults.calendars = 0,
        |faults| faults.classes = 0,
        |faults| faults.short_of_space = 0,
        |faults| faults.begins_anew = 0,
        |faults| faults.registers = 0,
        |faults| faults.sources = 0,
        |faults| faults.bulletins = 0,
        |faults| faults.delay_ms = faults.delay_ms.min(5),
    ];
    for fault in faults {
        with(&|plan| fault(&mut plan.faults));
    }
    with(&|plan| plan.faults.commit_ms = plan.faults.commit_ms.min(5));
    with(&|plan| plan.trouble_ms = (plan.trouble_ms / 2).max(2_000));
    with(&|plan| plan.writes_per_second = (plan.writes_per_second / 2).max(1));
    let leaves: BTreeSet<_> = plan.leaves().cloned().collect();
    for leaf in leaves.iter().filter(|_| plan.units.len() > 2) {
        with(&|plan| {
            plan.units.retain(|unit| unit != leaf);
            plan.homes.remove(leaf);
            plan.hostile.remove(leaf);
            for chosen in [
                &mut plan.revoked,
                &mut plan.expiring,
                &mut plan.restored,
                &mut plan.handed,
                &mut plan.rekeyed,
                &mut plan.expires,
            ] {
                *chosen = chosen.take().filter(|unit| unit != leaf);
            }
        });
    }
    found
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::candidates;
    use crate::plan::{Plan, Size};

    #[test]
    fn a_smaller_plan_chooses_among_the_units_that_it_has() {
        let mut smaller = 0;
        for seed in 0..100 {
            for plan in candidates(&Plan::of(seed, Size::SMALL)) {
                let chosen = [
                    &plan.revoked,
                    &plan.expiring,
                    &plan.restored,
                    &plan.handed,
                    &plan.rekeyed,
                    &plan.expires,
                ];
                let chosen = chosen.into_iter().flatten();
                for unit in chosen.chain(&plan.hostile).chain(plan.homes.keys()) {
                    assert!(
                        plan.units.contains(unit),
                        "seed {seed} chooses {unit} of {:?}",
                        plan.units
                    );
                }
                smaller += 1;
            }
        }
        assert!(smaller > 1_000, "{smaller}");
    }
}

//! Registers that change: units merge, split, are renamed, end, and go from one superior to another.
//!
//! Units that go to another superior keep their node where it is: what it takes to join elsewhere is tried
//! by the core's own tests. Here it is the registers that must agree, whatever happens meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use rand::Rng;
use reeve_policy::authz::Role;
use reeve_protocol::local::Question;
use reeve_protocol::register::RegisterAct;
use reeve_protocol::rows;
use reeve_statement::catalogue::Titles;
use reeve_statement::cbor::from_slice;
use reeve_statement::digest::Digest;
use reeve_statement::period::Period;
use reeve_statement::register::{Register, RegisterEntry};
use reeve_statement::unit::{UnitId, UnitPath};

use crate::invariants::{
    invariant_a_register_forgets_nobody, invariant_one_superior_expects_each_unit,
};
use crate::known::Known;
use crate::model::DAYS;
use crate::setup::REPORTING;
use crate::sim::Sim;

/// First days of what is new.
const FROM: [&str; 3] = ["2026-02-28", "2026-03-01", "2026-03-02"];

impl Sim {
    /// Somebody changes the register of some superior.
    pub(crate) fn change_some_register(&mut self) {
        if !self.chance(self.plan.faults.registers) {
            return;
        }
        let superiors = self.superiors();
        let unit = superiors[self.random.random_range(0..superiors.len())].clone();
        let at = self.key_of(&unit, REPORTING);
        // Nobody signs on an image that is about to be put aside.
        if !self.is_up(at) || self.disks[&at].is_old() {
            return;
        }
        if let Some(act) = self.draw_act(&unit) {
            self.send_ask(at, Role::Operator, Question::ChangeRegister(act));
        }
    }

    fn superiors(&self) -> Vec<UnitPath> {
        let units = &self.plan.units;
        let superior = |unit: &&UnitPath| units.iter().any(|other| other.is_child_of(unit));
        units.iter().filter(superior).cloned().collect()
    }

    fn draw_act(&mut self, superior: &UnitPath) -> Option<RegisterAct> {
        let units = self.plan.units.iter().filter(|unit| unit.is_child_of(superior));
        let units: Vec<UnitId> = units.map(|unit| unit.leaf().clone()).collect();
        let mut one = || units[self.random.random_range(0..units.len())].clone();
        let (unit, into) = (one(), one());
        let from: Date = FROM[self.random.random_range(0..FROM.len())].parse().unwrap();
        let new: UnitId = format!("n{}", self.random.random_range(0..1_000_000)).parse().unwrap();
        let names = vec![("en".to_owned(), format!("Unit {new}"))];
        Some(match self.random.random_range(0..6) {
            0 => RegisterAct::End { unit, from },
            1 => RegisterAct::Reopen { unit },
            2 => RegisterAct::Rename { unit, names, from: Some(from) },
            3 => RegisterAct::Merge { units: vec![unit], into, names: Titles(names), from },
            4 => {
                let into = vec![(new, Titles(names))];
                RegisterAct::Split { unit, into, stays: true, from }
            }
            _ => {
                let others = self.superiors();
                let to = others[self.random.random_range(0..others.len())].clone();
                // A unit goes to a superior that can be believed, and to none below itself.
                let known = self.plan.restored.as_ref() != Some(&to) && to != *superior;
                (known && !to.units().contains(&unit)).then_some(())?;
                RegisterAct::Move { unit, to, from }
            }
        })
    }

    /// The register that a unit's disk holds, and the digest of its statement.
    fn register_of(&self, unit: &UnitPath) -> Option<(Digest, Register)> {
        let disk = &self.disks[&self.reporter(unit)];
        let row = disk.rows.get(&rows::key(rows::META, &[rows::REGISTER]))?;
        Some(from_slice("register", row, row.len()).unwrap())
    }

    /// In quiet, every unit that was let go is taken where it was to go; whether one is on its way.
    pub(crate) fn finish_moves(&mut self) -> bool {
        if self.plan.faults.registers == 0 {
            return false;
        }
        let mut moving = false;
        for superior in self.superiors() {
            let Some((digest, register)) = self.register_of(&superior) else { continue };
            let key = self.reporter(&superior);
            let statement = self.disks[&key].rows.get(&rows::statement(&digest)).cloned();
            for (unit, to) in self.on_their_way(&superior, &register) {
                moving = true;
                // The paper may have been signed under a certificate that has ended: it is asked for again.
                let last = register.last_of(&unit).and_then(|entry| entry.valid_to);
                if let Some(from) = last.and_then(|last| last.0.tomorrow().ok()) {
                    let act = RegisterAct::Move { unit: unit.clone(), to: to.clone(), from };
                    self.send_ask(key, Role::Operator, Question::ChangeRegister(act));
                }
                if let Some(statement) = statement.clone() {
                    let at = self.reporter(&to);
                    self.send_ask(at, Role::Operator, Question::ReceiveUnit { unit, statement });
                }
            }
        }
        moving
    }

    /// Units that a superior let go and that are not where they went yet, where that one can sign.
    fn on_their_way(&self, superior: &UnitPath, theirs: &Register) -> Vec<(UnitId, UnitPath)> {
        let units: BTreeSet<&UnitId> = theirs.entries.iter().map(|it| &it.unit).collect();
        let gone = units.into_iter().filter_map(|unit| {
            let to = theirs.last_of(unit)?.went_to.clone()?;
            let here = self.register_of(&to);
            let taken = here.is_some_and(|(_, register)| {
                let from = |entry: &RegisterEntry| entry.came_from.as_ref() == Some(superior);
                register.last_of(unit).is_some_and(from)
            });
            let sound = self.is_sound_up(&to) && self.is_sound_up(superior);
            (sound && !taken).then(|| (unit.clone(), to))
        });
        gone.collect()
    }

    /// Whether a unit's superior expects it for a day: what it says of other days is not asked for.
    pub(crate) fn is_expected(&self, unit: &UnitPath, day: &str) -> bool {
        let Some(above) = unit.parent().filter(|_| self.plan.faults.registers > 0) else {
            return true;
        };
        let register = self.register_of(&above);
        register.is_none_or(|(_, it)| expects(&it, unit.leaf(), day))
    }

    /// A register became durable.
    pub(crate) fn observe_register(&mut self, known: &Known, register: &Register) {
        let before = register.previous.and_then(|digest| self.seen.registers.get(&digest));
        let unit = &known.statement.issuer;
        let found = before
            .map_or(Ok(()), |before| invariant_a_register_forgets_nobody(before, register, unit));
        self.violated("a_register_forgets_nobody", found);
    }

    /// The registers agree: each unit that is in one, on each day.
    pub(crate) fn check_registers(&mut self) {
        if self.plan.faults.registers == 0 {
            return;
        }
        let superiors = self.superiors();
        let sound = superiors.iter().filter(|unit| self.is_sound_up(unit));
        // Whoever was restored has forgotten whom it let go.
        let sound = sound.filter(|unit| self.plan.restored.as_ref() != Some(*unit));
        let registers: BTreeMap<UnitPath, Register> =
            sound.filter_map(|unit| Some((unit.clone(), self.register_of(unit)?.1))).collect();
        let all = registers.values().flat_map(|register| &register.entries);
        let units: BTreeSet<UnitId> = all.map(|entry| entry.unit.clone()).collect();
        for unit in units {
            for day in DAYS {
                let found = invariant_one_superior_expects_each_unit(&registers, &unit, day);
                self.violated("one_superior_expects_each_unit", found);
            }
        }
    }
}

/// Whether a register expects a unit for a day.
pub(crate) fn expects(register: &Register, unit: &UnitId, day: &str) -> bool {
    let day: Date = day.parse().unwrap();
    let holds = |entry: &RegisterEntry| entry.is_expected(Period::Day(day), day);
    register.entries.iter().any(|entry| entry.unit == *unit && holds(entry))
}

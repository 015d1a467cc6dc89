//! What a seed draws: the shape of the federation, its faults, who is hostile.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reeve_statement::unit::UnitPath;
use serde::{Deserialize, Serialize};

/// How long a node takes to be founded, about, in milliseconds.
const FOUNDING_MS: u64 = 1_050;

/// How long the founding of a federation takes beside its nodes, about, in milliseconds.
const PUBLISHING_MS: u64 = 3_000;

/// How large a federation may be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Levels, the top included.
    pub levels: usize,
    /// Jurisdictions in all.
    pub units: usize,
}

impl Size {
    /// A size that runs in about a second.
    pub const SMALL: Self = Self { levels: 4, units: 12 };
}

/// How often what goes wrong, in events per thousand, and by how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Frames lost, of 1,000.
    pub loss: u32,
    /// Frames that arrive twice, of 1,000.
    pub duplicates: u32,
    /// Longest way of a frame, in milliseconds; the shortest is 1.
    pub delay_ms: u64,
    /// Longest time until a commit is durable, in milliseconds.
    pub commit_ms: u64,
    /// Longest time that a job takes on its worker, in milliseconds; jobs overtake each other.
    pub compute_ms: u64,
    /// Crashes, of 1,000 effects.
    pub crashes: u32,
    /// Commits that fail, of 1,000: the node stops, as a driver must.
    pub failed_commits: u32,
    /// Restarts on an older image of the disk, of 1,000; the newest is put back afterwards.
    pub old_images: u32,
    /// Disks that fill up, of 1,000 seconds: every commit fails until there is room again.
    pub full_disks: u32,
    /// Partitions begun, of 1,000 seconds; one direction or both.
    pub partitions: u32,
    /// Greatest error of a wall clock, in milliseconds.
    pub skew_ms: i64,
    /// Clock jumps, of 1,000 seconds.
    pub clock_jumps: u32,
    /// Clocks that jump back further than a node tolerates, of 1,000 seconds.
    pub far_clock_jumps: u32,
    /// New versions of the catalogue, of 1,000 seconds.
    pub catalogues: u32,
    /// Homes that decline everything for a while, of 1,000 seconds.
    pub policies: u32,
    /// Proposals that are adopted somewhere, of 1,000 seconds; 0: every home adopts everything.
    pub adoptions: u32,
    /// Emergencies declared or ended, of 1,000 seconds; 0: no home's policy knows of any.
    pub declarations: u32,
    /// Days off that superiors give or take, of 1,000 seconds; 0: every day is due.
    pub calendars: u32,
    /// 1: homes tell neighbours and everybody of persons, too; 0: their superiors alone.
    pub classes: u32,
    /// Nodes that run short of space, of 1,000 seconds: until there is some again, they take and sign
    /// nothing.
    pub short_of_space: u32,
    /// Whether the unit that is restored begins anew, as `reeve restore` lets it; 0: its store was copied.
    pub begins_anew: u32,
    /// Units merged, split, renamed, moved or ended, of 1,000 seconds.
    pub registers: u32,
    /// Closures that say why they are said again, of 1,000; 0: each home has one source and says nothing.
    pub sources: u32,
    /// Bulletins that somebody publishes, of 1,000 seconds.
    pub bulletins: u32,
    /// Visits of auditors, of 1,000 seconds; 0: there is no auditor.
    pub auditors: u32,
}

/// A run, drawn from a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// Units, the top first, superiors before subordinates.
    pub units: Vec<UnitPath>,
    /// Nodes per home; 1 where nothing is said.
    pub homes: BTreeMap<UnitPath, u8>,
    /// Units whose reporting node is hostile.
    pub hostile: BTreeSet<UnitPath>,
    /// A unit whose reporting node is revoked half-way.
    pub revoked: Option<UnitPath>,
    /// A unit whose node's certificate ends in the first time of trouble, and is renewed in time or late.
    pub expiring: Option<UnitPath>,
    /// A unit that is restored from a backup which is older than what its superior saw, for good.
    pub restored: Option<UnitPath>,
    /// A unit whose reporting is handed over to the second node of its home; once, or there and back.
    pub handed: Option<UnitPath>,
    /// Whether its reporting node is lost for good then.
    pub by_force: bool,
    /// A unit whose authority gets another key, and all below it other certificates.
    pub rekeyed: Option<UnitPath>,
    /// A unit whose home removes its oldest records at the end.
    pub expires: Option<UnitPath>,
    /// What goes wrong.
    pub faults: Faults,
    /// Times of trouble, each followed by quiet and a check of everything.
    pub rounds: u32,
    /// Length of a time of trouble, in milliseconds.
    pub trouble_ms: u64,
    /// Records written, changed or deleted per second, in all.
    pub writes_per_second: u32,
}

impl Plan {
    /// Draws a run.
    #[must_use]
    pub fn of(seed: u64, size: Size) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let units = draw_units(&mut random, size);
        let mut plan = Self {
            seed,
            homes: BTreeMap::new(),
            hostile: BTreeSet::new(),
            revoked: None,
            expiring: None,
            restored: None,
            handed: None,
            by_force: false,
            rekeyed: None,
            expires: None,
            faults: draw_faults(&mut random),
            rounds: random.random_range(1..=3),
            trouble_ms: random.random_range(5_000..=30_000),
            writes_per_second: random.random_range(1..=20),
            units,
        };
        plan.draw_roles(&mut random);
        plan.draw_consent();
        plan.draw_calendars();
        plan.draw_hand_over();
        plan.draw_storage();
        plan.draw_registers();
        plan.draw_expiry();
        plan.draw_rekeying();
        plan.draw_bulletins();
        plan.draw_auditors();
        plan
    }

    /// A run without any fault: for scale, and to see the rest work.
    #[must_use]
    pub fn calm(seed: u64, units: Vec<UnitPath>) -> Self {
        let faults = Faults { delay_ms: 5, commit_ms: 5, ..Faults::default() };
        Self {
            seed,
            units,
            homes: BTreeMap::new(),
            hostile: BTreeSet::new(),
            revoked: None,
            expiring: None,
            restored: None,
            handed: None,
            by_force: false,
            rekeyed: None,
            expires: None,
            faults,
            rounds: 1,
            trouble_ms: 10_000,
            writes_per_second: 10,
        }
    }

    fn draw_roles(&mut self, random: &mut ChaCha8Rng) {
        let leaves: Vec<UnitPath> = self.leaves().cloned().collect();
        for leaf in &leaves {
            match random.random_range(0..100) {
                0..10 => drop(self.homes.insert(leaf.clone(), 2)),
                10..15 => drop(self.homes.insert(leaf.clone(), 3)),
                _ => {}
            }
        }
        if random.random_bool(0.3) {
            let most = self.units.len() / 3;
            for _ in 0..random.random_range(1..=most.max(1)) {
                let unit = &self.units[random.random_range(1..self.units.len())];
                self.hostile.insert(unit.clone());
            }
        }
        if random.random_bool(0.2) && leaves.len() > 1 {
            let leaf = &leaves[random.random_range(0..leaves.len())];
            self.homes.remove(leaf);
            self.revoked = Some(leaf.clone());
        }
        let mut some = |chance: f64, units: &[UnitPath]| {
            let unit = &units[random.random_range(1..units.len())];
            random.random_bool(chance).then(|| unit.clone())
        };
        let free = |unit: &UnitPath, taken: &Option<UnitPath>| taken.as_ref() != Some(unit);
        self.expiring = some(0.25, &self.units).filter(|unit| free(unit, &self.revoked));
        self.restored = some(0.2, &self.units).filter(|unit| {
            let above = unit.parent().is_some_and(|above| self.is_honest(&above));
            let alone = !self.homes.contains_key(unit) && self.is_honest(unit);
            above && alone && free(unit, &self.revoked) && free(unit, &self.expiring)
        });
    }

    /// Drawn apart, so that what each seed drew before stays as it was.
    fn draw_consent(&mut self) {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ 0xc045e27);
        let mut some = |most: u32| {
            if random.random_bool(0.5) { random.random_range(1..=most) } else { 0 }
        };
        self.faults.adoptions = some(700);
        self.faults.declarations = some(300);
        self.faults.classes = some(1);
    }

    /// Drawn apart, too.
    fn draw_registers(&mut self) {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ 0x4e61_57e4);
        if random.random_bool(0.5) {
            self.faults.registers = random.random_range(1..=200);
        }
    }

    /// Drawn apart, too.
    fn draw_bulletins(&mut self) {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ 0xb011_e714);
        if random.random_bool(0.3) {
            self.faults.bulletins = random.random_range(1..=800);
        }
    }

    /// Drawn apart, too.
    fn draw_auditors(&mut self) {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ 0xa0d1_7025);
        if random.random_bool(0.3) {
            self.faults.auditors = random.random_range(1..=1_000);
        }
    }

    /// Drawn apart, too.
    fn draw_calendars(&mut self) {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ 0xca1e_17da);
        if random.random_bool(0.5) {
            self.faults.calendars = random.random_range(1..=500);
        }
        if random.random_bool(0.3) {
            self.faults.sources = random.random_range(1..=500);
        }
    }

    /// Drawn apart, too.
    fn draw_hand_over(&mut self) {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ 0x4a2d0);
        if !random.random_bool(0.3) {
            return;
        }
        let unit = self.units[random.random_range(0..self.units.len())].clone();
        self.by_force = random.random_bool(0.4);
        self.hand_over(unit);
    }

    /// Plans a unit's hand-over, if nothing else that its term depends on is planned there.
    pub fn hand_over(&mut self, unit: UnitPath) {
        let related = |other: &UnitPath| {
            *other == unit || other.is_child_of(&unit) || unit.is_child_of(other)
        };
        let mut planned = [&self.revoked, &self.expiring, &self.restored].into_iter().flatten();
        if planned.any(related) || self.hostile.iter().any(related) {
            return;
        }
        self.homes.entry(unit.clone()).or_insert(2);
        self.handed = Some(unit);
    }

    /// A home of several nodes of which nothing else is planned, if there is one.
    fn draw_expiry(&mut self) {
        let planned = [&self.revoked, &self.expiring, &self.restored, &self.handed];
        let planned: Vec<&UnitPath> = planned.into_iter().flatten().collect();
        let free = |unit: &&UnitPath| !planned.iter().any(|other| other.is_within(unit));
        let several = self.leaves().filter(|unit| self.homes.contains_key(*unit));
        let found = several.filter(free).find(|unit| self.is_honest(unit)).cloned();
        self.expires = found;
    }

    /// Drawn apart, too.
    fn draw_rekeying(&mut self) {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ 0x5ec7e7);
        if random.random_bool(0.3) {
            let unit = self.units[random.random_range(0..self.units.len())].clone();
            self.rekey(unit);
        }
    }

    /// Plans another key for a unit's authority, if no certificate at or below it is to end, to be revoked
    /// or to be made for another node, and nobody lies there.
    pub fn rekey(&mut self, unit: UnitPath) {
        let planned = [&self.revoked, &self.expiring, &self.restored, &self.handed];
        let below = |other: &UnitPath| other.is_within(&unit);
        if !planned.into_iter().flatten().any(below) && !self.hostile.iter().any(below) {
            self.rekeyed = Some(unit);
        }
    }

    fn draw_storage(&mut self) {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ 0x5707a6e);
        let mut some = |most: u32| {
            if random.random_bool(0.5) { random.random_range(1..=most) } else { 0 }
        };
        self.faults.short_of_space = some(100);
        self.faults.begins_anew = some(1);
    }

    /// The middle of the first time of trouble, about: milliseconds after the beginning.
    pub(crate) fn middle_of_trouble(&self) -> i64 {
        let nodes: u64 = self
            .units
            .iter()
            .map(|unit| u64::from(self.homes.get(unit).copied().unwrap_or(1)))
            .sum();
        i64::try_from(nodes * FOUNDING_MS + PUBLISHING_MS + self.trouble_ms / 2).unwrap()
    }

    /// Units without subordinates.
    pub fn leaves(&self) -> impl Iterator<Item = &UnitPath> {
        self.units.iter().filter(|unit| !self.units.iter().any(|other| other.is_child_of(unit)))
    }

    /// Whether neither the unit nor anyone between it and the top is hostile.
    #[must_use]
    pub fn is_honest(&self, unit: &UnitPath) -> bool {
        !self.hostile.iter().any(|hostile| unit.is_within(hostile))
    }
}

fn draw_units(random: &mut ChaCha8Rng, size: Size) -> Vec<UnitPath> {
    let mut units: Vec<UnitPath> = vec!["top".parse().unwrap()];
    let count = random.random_range(3..=size.units.max(3));
    while units.len() < count {
        let above = &units[random.random_range(0..units.len())];
        if above.depth() < size.levels {
            let name = format!("{above}/u{}", units.len());
            units.push(name.parse().unwrap());
        }
    }
    units
}

fn draw_faults(random: &mut ChaCha8Rng) -> Faults {
    // Each fault is absent in half of the runs, so that faults are also met alone.
    let mut some = |most: u32| {
        if random.random_bool(0.5) { random.random_range(0..=most) } else { 0 }
    };
    Faults {
        loss: some(300),
        duplicates: some(500),
        crashes: some(4),
        failed_commits: some(4),
        old_images: some(200),
        partitions: some(100),
        clock_jumps: some(50),
        far_clock_jumps: some(40),
        full_disks: some(60),
        compute_ms: u64::from(some(100)),
        catalogues: some(100),
        policies: some(100),
        delay_ms: u64::from(some(2_000)).max(2),
        commit_ms: u64::from(some(200)).max(2),
        skew_ms: i64::from(some(60_000)),
        ..Faults::default()
    }
}

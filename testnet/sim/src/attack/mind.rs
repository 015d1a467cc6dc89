//! What the attacker works out: of every place at every time the numbers that are still possible.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::bounds::Bounds;
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::table::{Area, RowKey, Table};

use super::stage::{COLLUDING, LEAVES, Place, SEXES, Scene, Told};
use super::{Defence, Recovered};

/// More persons than any history here has in a place.
const MOST: i64 = 400;

/// How often everything is tightened at the most: it ends when nothing changes.
const ROUNDS: usize = 20;

type Possible = BTreeSet<i64>;

/// So many persons in these places together, at one time.
struct Sum {
    time: usize,
    places: Vec<Place>,
    bounds: Bounds,
}

pub(super) struct Mind<'a> {
    scene: &'a Scene,
    /// Which classes' editions it sees, finest first.
    classes: Vec<RecipientClass>,
    /// The least floor that it is told anything under.
    floor: i64,
    /// Whether single events are told one by one.
    single: bool,
    possible: Vec<BTreeMap<Place, Possible>>,
    sums: Vec<Sum>,
}

fn row(table: &Table, sex: usize) -> (Option<Bounds>, Bounds) {
    let key = RowKey { area: Area::own(), dims: vec![SEXES[sex].to_owned()] };
    let listed = table.rows.get(&key).map(|cell| cell.contributors);
    let hidden = table.unlisted.get(&Area::own()).map(|hidden| hidden.each.contributors);
    (listed, listed.or(hidden).unwrap_or(Bounds::ZERO))
}

impl<'a> Mind<'a> {
    /// The superior sees every class's editions; the two subordinates alone what neighbours and everybody
    /// are told.
    pub(super) fn new(scene: &'a Scene, superior: bool, without: Option<Defence>) -> Self {
        let classes = RecipientClass::ALL.into_iter().skip(usize::from(!superior)).collect();
        let floor = i64::from(scene.floors[usize::from(!superior)]);
        let single = without == Some(Defence::Window);
        Self { scene, classes, floor, single, possible: Vec::new(), sums: Vec::new() }
    }

    /// Works out what it can, and counts what it is sure of.
    pub(super) fn think(mut self, all: &mut Recovered) {
        if self.floor <= 1 {
            // It is entitled to everything.
            return;
        }
        self.begin();
        self.read(all);
        self.reason();
        for _ in 0..ROUNDS {
            let tighter = self.add_up() | self.follow();
            if !tighter {
                break;
            }
        }
        self.count(all);
    }

    /// Nothing is known but what the two subordinates hold themselves.
    fn begin(&mut self) {
        for truth in &self.scene.truth {
            let known = truth.iter().map(|(place, count)| {
                let own = place.0 < COLLUDING;
                (*place, if own { [*count].into() } else { (0..=MOST).collect() })
            });
            self.possible.push(known.collect());
        }
    }

    /// Takes what it is told at its word.
    fn read(&mut self, all: &mut Recovered) {
        for (time, told) in self.scene.told.iter().enumerate() {
            for told in told.iter().filter(|told| self.classes.contains(&told.class)) {
                all.editions += 1;
                for sex in 0..SEXES.len() {
                    let bounds = row(&told.table, sex).1;
                    let sum = Sum { time, places: places_of(told, sex), bounds };
                    let truth: i64 =
                        sum.places.iter().map(|place| self.scene.truth[time][place]).sum();
                    all.untrue += u64::from(!bounds.contains(truth));
                    self.sums.push(sum);
                }
            }
        }
        self.add_up();
    }

    /// It knows the program: what the finest class was told exactly before says what a held or hidden
    /// row cannot be. That holds where what it sees is computed from the table itself.
    fn reason(&mut self) {
        let finest = self.classes[0];
        let number = RecipientClass::ALL.iter().position(|class| *class == finest).unwrap();
        let from_table = self.scene.floors[..number].iter().all(|floor| *floor == 1);
        if !from_table {
            return;
        }
        let step = i64::from(self.scene.steps[number]);
        let mut marks: BTreeMap<Place, BTreeSet<i64>> = BTreeMap::new();
        for (time, told) in self.scene.told.iter().enumerate() {
            let own = told.iter().filter(|told| told.class == finest && told.day.is_some());
            for told in own.filter(|told| told.leaf.is_some()) {
                for sex in 0..SEXES.len() {
                    let [place] = places_of(told, sex)[..] else { continue };
                    let known = marks.entry(place).or_default();
                    let listed = row(&told.table, sex).0;
                    if let Some(exact) = listed.filter(|bounds| bounds.is_exact()) {
                        known.insert(exact.lo());
                        continue;
                    }
                    let held = listed.map(|bounds| bounds.hi() - (step - 1));
                    let held = held.filter(|mark| known.contains(mark));
                    // A row is held at the least mark that it is near.
                    let not_near = |number: &i64| {
                        let below = held.unwrap_or(i64::MAX);
                        known
                            .iter()
                            .filter(|mark| **mark < below)
                            .all(|mark| (number - mark).abs() >= step)
                    };
                    self.narrow(time, place, not_near);
                }
            }
        }
    }

    /// Leaves out what cannot be, unless nothing would be left: then a defence is left out, and the
    /// program does something else.
    fn narrow(&mut self, time: usize, place: Place, may: impl Fn(&i64) -> bool) -> bool {
        let Some(possible) = self.possible[time].get_mut(&place) else { return false };
        let left: Possible = possible.iter().copied().filter(may).collect();
        let tighter = !left.is_empty() && left.len() < possible.len();
        if tighter {
            *possible = left;
        }
        tighter
    }

    /// What all places of a sum but one can be at the least and at the most bounds that one.
    fn add_up(&mut self) -> bool {
        let mut tighter = false;
        for sum in std::mem::take(&mut self.sums) {
            let ends = |place: &Place| {
                let possible = &self.possible[sum.time][place];
                (*possible.first().unwrap(), *possible.last().unwrap())
            };
            let each: Vec<(i64, i64)> = sum.places.iter().map(ends).collect();
            let least: i64 = each.iter().map(|(lo, _)| lo).sum();
            let most: i64 = each.iter().map(|(_, hi)| hi).sum();
            for (place, (lo, hi)) in sum.places.iter().zip(each) {
                let from = sum.bounds.lo() - (most - hi);
                let to = sum.bounds.hi() - (least - lo);
                tighter |= self.narrow(sum.time, *place, |number| (from..=to).contains(number));
            }
            self.sums.push(sum);
        }
        tighter
    }

    /// Where single events are told one by one, a number differs by one at the most from that before.
    fn follow(&mut self) -> bool {
        let mut tighter = false;
        let times = self.possible.len();
        for (time, other) in (1..times)
            .map(|time| (time, time - 1))
            .chain((1..times).rev().map(|time| (time - 1, time)))
        {
            if !self.single {
                return false;
            }
            let places: Vec<Place> = self.possible[time].keys().copied().collect();
            for place in places {
                let beside = self.possible[other][&place].clone();
                let near = |number: &i64| (number - 1..=number + 1).any(|it| beside.contains(&it));
                tighter |= self.narrow(time, place, near);
            }
        }
        tighter
    }

    /// What it is sure of, and is right about.
    fn count(&self, all: &mut Recovered) {
        let small = |number: i64| (1..self.floor).contains(&number);
        let sure = |time: usize, place: &Place| {
            let possible = &self.possible[time][place];
            let truth = self.scene.truth[time][place];
            (possible.len() == 1 && possible.contains(&truth)).then_some(truth)
        };
        for place in self.scene.truth[0].keys().filter(|place| place.0 >= COLLUDING) {
            let mut numbers: BTreeSet<i64> = BTreeSet::new();
            let mut steps: BTreeSet<(i64, i64)> = BTreeSet::new();
            for time in 0..self.scene.truth.len() {
                let truth = self.scene.truth[time][place];
                all.small_rows += u64::from(small(truth));
                if let Some(number) = sure(time, place) {
                    all.rows_found += u64::from(small(number));
                    let before = numbers.iter().filter(|before| small((number - **before).abs()));
                    steps.extend(before.map(|before| (*before, number)));
                    numbers.insert(number);
                }
                let before = time.checked_sub(1).map(|before| self.scene.truth[before][place]);
                let stepped = before.is_some_and(|before| small((truth - before).abs()));
                all.small_steps += u64::from(stepped);
            }
            // One that starts or ends at nobody is a row that was found, or none.
            all.steps_found +=
                u64::try_from(steps.iter().filter(|(a, b)| *a > 0 && *b > 0).count())
                    .unwrap_or(u64::MAX);
        }
    }
}

/// The places that make up a row.
fn places_of(told: &Told, sex: usize) -> Vec<Place> {
    let leaves = told.leaf.map_or(0..LEAVES, |leaf| leaf..leaf + 1);
    let days = told.day.map_or(0..super::stage::DAYS.len(), |day| day..day + 1);
    leaves.flat_map(|leaf| days.clone().map(move |day| (leaf, day, sex))).collect()
}

//! The outbreak: who is infected when and where, and the events that follow in each municipality.
//!
//! New infections of a day come from those of three to nine days ago, in the municipality and, for a
//! small part, in its neighbours; contacts fall once measures begin. Everything is integer arithmetic
//! in thousandths.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;

use super::chance::Chance;
use super::city::City;
use super::course::{Course, Day, Places};
use super::event::Event;
use super::topology::{Municipality, Topology};

/// Of a thousand infections that a person causes: how many so many days after the person's own.
const GENERATION: [(usize, u64); 7] =
    [(3, 80), (4, 180), (5, 240), (6, 200), (7, 150), (8, 100), (9, 50)];

/// Thousandths of infections per infected person: before measures, then falling by the day, to a
/// least.
const CONTACTS: u64 = 2_900;
const CONTACTS_FALL: u64 = 70;
const CONTACTS_LEAST: u64 = 600;

/// First day of measures.
const MEASURES: u64 = 50;

/// People grow careful: with one infection a day per so many residents, they halve their contacts.
const CAREFUL: u64 = 700;

/// Of a thousand infections that a neighbour's infected cause: how many happen here.
const ACROSS: u64 = 120;

/// Persons infected from outside in the first municipality on each of the first days.
const ARRIVALS: u64 = 4;
const ARRIVAL_DAYS: usize = 4;

/// Of a thousand infections: noticed and reported.
const REPORTED: u64 = 600;

/// Chance of a day, in thousandths of its expectation.
const NOISE: (i64, i64) = (750, 1_250);

/// What happens to a case on a day.
#[derive(Debug, Clone, Copy)]
enum Step {
    Put(usize),
    PutDuplicate(usize),
    DeleteDuplicate(usize),
}

/// One municipality's state.
#[derive(Debug, Clone)]
struct Home {
    population: u64,
    neighbours: Vec<usize>,
    chance: Chance,
    city: City,
    set_up: Vec<Event>,
    infected: Vec<u64>,
    courses: Vec<Course>,
    agenda: BTreeMap<Day, Vec<Step>>,
}

/// A synthetic outbreak in the municipalities of a topology, from a seed.
///
/// ```
/// use reeve_examples::epidemic::{Outbreak, Topology};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let topology = Topology::nation("atlantis", 2, 3)?;
/// let mut outbreak = Outbreak::new(7, &topology, "2026-03-02".parse()?);
/// for (municipality, events) in topology.municipalities().iter().zip(outbreak.day(0)) {
///     println!("{}: {} changes", municipality.path, events.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Outbreak {
    start: Date,
    homes: Vec<Home>,
    days: Vec<Vec<Vec<Event>>>,
}

impl Outbreak {
    /// The outbreak of a seed, whose day 0 is `start`.
    #[must_use]
    pub fn new(seed: u64, topology: &Topology, start: Date) -> Self {
        let streams = 1_u64..;
        let homes = topology.municipalities().iter().zip(streams);
        let homes = homes.map(|(municipality, stream)| Home::new(seed, stream, municipality));
        Self { start, homes: homes.collect(), days: Vec::new() }
    }

    /// The date of a day.
    #[must_use]
    pub fn date(&self, day: u32) -> Date {
        self.start.saturating_add(i64::from(day).days())
    }

    /// What changed on a day: one list per municipality, in the topology's order. Day 0 also sets up
    /// the city twins. The same day of the same seed is the same, in whatever order days are asked.
    pub fn day(&mut self, day: u32) -> &[Vec<Event>] {
        let at = usize::try_from(day).unwrap_or(usize::MAX);
        while self.days.len() <= at {
            let events = self.next_day();
            self.days.push(events);
        }
        self.days.get(at).map_or(&[], Vec::as_slice)
    }

    fn next_day(&mut self) -> Vec<Vec<Event>> {
        let number = self.days.len();
        let pressure: Vec<u64> = self.homes.iter().map(Home::pressure).collect();
        let day = Day::try_from(number).unwrap_or(Day::MAX);
        let contacts = contacts(u64::try_from(number).unwrap_or(u64::MAX));
        let date = self.start.saturating_add(day.days());
        let homes = self.homes.iter_mut().enumerate();
        homes
            .map(|(at, home)| {
                let arrivals = if at == 0 && number < ARRIVAL_DAYS { ARRIVALS } else { 0 };
                home.infect(day, &pressure, at, contacts, arrivals);
                home.events(day, self.start, date)
            })
            .collect()
    }
}

/// Thousandths of infections per infected person on a day.
fn contacts(day: u64) -> u64 {
    let fall = day.saturating_sub(MEASURES).saturating_mul(CONTACTS_FALL);
    CONTACTS.saturating_sub(fall).max(CONTACTS_LEAST)
}

impl Home {
    fn new(seed: u64, stream: u64, municipality: &Municipality) -> Self {
        let mut chance = Chance::new(seed, stream);
        let (city, set_up) = City::build(&mut chance, municipality.population);
        Self {
            population: u64::from(municipality.population),
            neighbours: municipality.neighbours.clone(),
            chance,
            city,
            set_up,
            infected: Vec::new(),
            courses: Vec::new(),
            agenda: BTreeMap::new(),
        }
    }

    /// Thousandths of infections that today follow from the earlier ones, at one each.
    fn pressure(&self) -> u64 {
        let ago = |days: usize| {
            let at = self.infected.len().checked_sub(days)?;
            self.infected.get(at).copied()
        };
        GENERATION.iter().map(|(days, weight)| ago(*days).unwrap_or(0) * weight).sum()
    }

    fn infect(&mut self, day: Day, pressure: &[u64], own: usize, contacts: u64, arrivals: u64) {
        let of = |at: usize| pressure.get(at).copied().unwrap_or(0);
        let across: u64 = self.neighbours.iter().map(|at| of(*at)).sum();
        let total = of(own).saturating_add(across * ACROSS / 1_000);
        let so_far: u64 = self.infected.iter().sum();
        let open = self.population.saturating_sub(so_far);
        let noise = self.chance.between(NOISE.0, NOISE.1).unsigned_abs();
        // Thousandths: by contacts, by chance, by how many can still be infected.
        let careless = self.population * 1_000 / (self.population + total * CAREFUL / 1_000);
        let contacts = contacts * careless / 1_000;
        let expected = total * contacts / 1_000 * noise / 1_000 * open / self.population;
        let infections = (self.chance.whole(expected) + arrivals).min(open);
        self.infected.push(infections);
        let reported = self.chance.whole(infections * REPORTED);
        for _ in 0..reported {
            self.fall_ill(day);
        }
    }

    /// Draws a person's course and puts its days on the agenda.
    fn fall_ill(&mut self, day: Day) {
        let City { districts, hospitals, .. } = &self.city;
        let course = Course::draw(&mut self.chance, day, Places { districts, hospitals });
        let number = self.courses.len();
        for change in course.changes() {
            self.agenda.entry(change).or_default().push(Step::Put(number));
        }
        if let Some(duplicate) = course.duplicate {
            let put = self.agenda.entry(duplicate.entered).or_default();
            put.push(Step::PutDuplicate(number));
            let delete = self.agenda.entry(duplicate.deleted).or_default();
            delete.push(Step::DeleteDuplicate(number));
        }
        self.courses.push(course);
    }

    fn events(&mut self, day: Day, start: Date, date: Date) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.set_up);
        let City { districts, hospitals, .. } = &self.city;
        let places = Places { districts, hospitals };
        let steps = self.agenda.remove(&day).unwrap_or_default();
        let case = |step| case_event(step, &self.courses, day, start, places);
        events.extend(steps.into_iter().filter_map(case));
        let (in_hospital, at_home) = self.burden(day);
        events.extend(self.city.day(&mut self.chance, date, &in_hospital, at_home));
        events
    }

    /// Cases in each hospital, and confirmed cases at home.
    fn burden(&self, day: Day) -> (Vec<i64>, i64) {
        let mut in_hospital = vec![0; self.city.hospitals.len()];
        let stays = self.courses.iter().filter_map(|course| course.stay.as_ref());
        for stay in stays.filter(|stay| (stay.from..stay.until).contains(&day)) {
            if let Some(cases) = in_hospital.get_mut(stay.hospital) {
                *cases += 1;
            }
        }
        let at_home = self.courses.iter().filter(|course| course.is_at_home(day)).count();
        (in_hospital, i64::try_from(at_home).unwrap_or(i64::MAX))
    }
}

fn case_event(
    step: Step,
    courses: &[Course],
    day: Day,
    start: Date,
    places: Places<'_>,
) -> Option<Event> {
    let put = |number: usize, id: String| {
        let fields = courses.get(number)?.fields(day, start, places);
        Some(Event::put("case", id, fields))
    };
    match step {
        Step::Put(number) => put(number, format!("c{number:06}")),
        Step::PutDuplicate(number) => put(number, format!("c{number:06}-b")),
        Step::DeleteDuplicate(number) => Some(Event {
            kind: "case",
            id: format!("c{number:06}-b"),
            change: super::event::Change::Delete,
        }),
    }
}

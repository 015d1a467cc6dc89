//! A municipality's city twin and what the emergency uses of it: facilities with their beds, stocks,
//! teams and isolation places.

use jiff::civil::Date;

use super::chance::Chance;
use super::event::{Event, Fields};

/// Residents per district, hospital and clinic, rounded up.
const PER_DISTRICT: u32 = 8_000;
const PER_HOSPITAL: u32 = 30_000;
const PER_CLINIC: u32 = 15_000;

/// Beds per thousand residents, and how many per thousand beds are taken in ordinary times.
const BEDS: u32 = 4;
const BEDS_TAKEN: u32 = 700;

const ZONES: [&str; 5] = ["centre", "north", "east", "south", "west"];
const HEALTH_DISTRICTS: [&str; 3] = ["north", "centre", "south"];

/// Age bands of the schema, and of a thousand residents how many are in each.
const RESIDENTS: [(&str, u32); 5] =
    [("0-17", 160), ("18-39", 270), ("40-64", 350), ("65-79", 150), ("80+", 70)];

const ROLES: [&str; 4] = ["tracing", "testing", "transport", "care"];

/// Items of a stock, with how much a site uses per day and how much a delivery brings.
const ITEMS: [(&str, i64, i64); 3] =
    [("mask_ffp2", 60, 900), ("mask_surgical", 200, 2_500), ("oxygen", 8, 120)];

/// Of a thousand sites: how many count an item on a day, and how many get a delivery.
const COUNTED: u32 = 900;
const DELIVERED: u32 = 90;

/// Of a thousand teams: how many begin or end their duty on a day.
const ROSTER: u32 = 150;

#[derive(Debug, Clone)]
struct Hospital {
    beds: i64,
    /// Taken by others than cases.
    taken: i64,
    fields: Fields,
}

#[derive(Debug, Clone)]
struct Stock {
    site: String,
    item: &'static str,
    use_per_day: i64,
    delivery: i64,
    quantity: i64,
}

#[derive(Debug, Clone)]
struct Team {
    id: String,
    fields: Fields,
    on_duty: bool,
}

/// The things of one municipality.
#[derive(Debug, Clone)]
pub(super) struct City {
    pub(super) districts: Vec<String>,
    pub(super) hospitals: Vec<String>,
    wards: Vec<Hospital>,
    stocks: Vec<Stock>,
    teams: Vec<Team>,
    isolation: Fields,
    rooms: i64,
}

impl City {
    /// The city of so many residents, and the events that set it up.
    pub(super) fn build(chance: &mut Chance, population: u32) -> (Self, Vec<Event>) {
        let mut events = Vec::new();
        let districts = districts(population, chance, &mut events);
        residents(population, &districts, &mut events);
        let (hospitals, wards) = hospitals(population, &districts, &mut events);
        let clinics = clinics(population, &districts, &mut events);
        let stocks = hospitals.iter().chain(&clinics).flat_map(|site| stocks(site, chance));
        let stocks = stocks.collect();
        let teams = teams(population, &hospitals, chance);
        let rooms = i64::from(population / 500);
        let isolation = isolation(&districts, rooms);
        (Self { districts, hospitals, wards, stocks, teams, isolation, rooms }, events)
    }

    /// What changes on a day, given the cases in each hospital and those at home.
    pub(super) fn day(
        &mut self,
        chance: &mut Chance,
        date: Date,
        in_hospital: &[i64],
        at_home: i64,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for ((id, ward), cases) in self.hospitals.iter().zip(&mut self.wards).zip(in_hospital) {
            events.extend(ward.count(id, *cases));
        }
        for stock in &mut self.stocks {
            events.extend(stock.count(chance, date));
        }
        for team in &mut self.teams {
            events.extend(team.roster(chance));
        }
        events.extend(self.rooms_free(at_home));
        events
    }

    /// One in ten of the cases at home cannot isolate there.
    fn rooms_free(&mut self, at_home: i64) -> Option<Event> {
        let free = (self.rooms - at_home / 10).max(0);
        changed(&mut self.isolation, "rooms_free", free)
            .then(|| Event::put("isolation_place", "i1", self.isolation.clone()))
    }
}

/// Sets a number, and whether that changed anything.
fn changed(fields: &mut Fields, name: &'static str, number: i64) -> bool {
    let before = fields.insert(name, number.into());
    before != Some(number.into())
}

impl Hospital {
    fn count(&mut self, id: &str, cases: i64) -> Option<Event> {
        let free = (self.beds - self.taken - cases).max(0);
        changed(&mut self.fields, "beds_free", free)
            .then(|| Event::put("facility", id, self.fields.clone()))
    }
}

impl Stock {
    /// The day's use and delivery; a record of the count if somebody counted.
    fn count(&mut self, chance: &mut Chance, date: Date) -> Option<Event> {
        let used = chance.between(self.use_per_day / 2, self.use_per_day * 2);
        let delivered = if chance.happens(DELIVERED) { self.delivery } else { 0 };
        self.quantity = (self.quantity - used).max(0) + delivered;
        let fields = Fields::from([
            ("site", self.site.as_str().into()),
            ("item", self.item.into()),
            ("quantity", self.quantity.into()),
            ("counted_on", date.into()),
        ]);
        let id = format!("{}-{}-{date}", self.site, self.item);
        chance.happens(COUNTED).then(|| Event::put("supply_stock", id, fields))
    }
}

impl Team {
    fn roster(&mut self, chance: &mut Chance) -> Option<Event> {
        let first = !self.fields.contains_key("on_duty");
        let turns = chance.happens(ROSTER);
        self.on_duty ^= turns;
        self.fields.insert("on_duty", self.on_duty.into());
        (first || turns).then(|| Event::put("team", self.id.as_str(), self.fields.clone()))
    }
}

fn districts(population: u32, chance: &mut Chance, events: &mut Vec<Event>) -> Vec<String> {
    let count = population.div_ceil(PER_DISTRICT);
    let zones = ZONES.iter().cycle();
    (1..=count)
        .zip(zones)
        .map(|(number, zone)| {
            let area = chance.between(80, 900);
            let fields = Fields::from([
                ("name", format!("District {number}").into()),
                ("zone", (*zone).into()),
                ("area", format!("{}.{:02}", area / 100, area % 100).into()),
            ]);
            let id = format!("d{number}");
            events.push(Event::put("district", id.as_str(), fields));
            id
        })
        .collect()
}

fn residents(population: u32, districts: &[String], events: &mut Vec<Event>) {
    let share = population / u32::try_from(districts.len()).unwrap_or(1).max(1);
    for district in districts {
        for (band, permille) in RESIDENTS {
            let fields = Fields::from([
                ("district", district.as_str().into()),
                ("age_band", band.into()),
                ("residents", (i64::from(share) * i64::from(permille) / 1_000).into()),
            ]);
            events.push(Event::put("population_group", format!("{district}-{band}"), fields));
        }
    }
}

fn facility(kind: &'static str, name: String, district: Option<&String>) -> Fields {
    let mut fields =
        Fields::from([("name", name.into()), ("type", kind.into()), ("open", true.into())]);
    if let Some(district) = district {
        fields.insert("district", district.as_str().into());
    }
    fields
}

fn hospitals(
    population: u32,
    districts: &[String],
    events: &mut Vec<Event>,
) -> (Vec<String>, Vec<Hospital>) {
    let count = population.div_ceil(PER_HOSPITAL);
    let beds = i64::from((population / count.max(1) * BEDS).div_ceil(1_000));
    let places = districts.iter().cycle().zip(HEALTH_DISTRICTS.iter().cycle());
    (1..=count)
        .zip(places)
        .map(|(number, (district, health_district))| {
            let mut fields = facility("hospital", format!("Hospital {number}"), Some(district));
            let taken = beds * i64::from(BEDS_TAKEN) / 1_000;
            fields.insert("health_district", (*health_district).into());
            fields.insert("beds", beds.into());
            fields.insert("beds_free", (beds - taken).into());
            let id = format!("h{number}");
            events.push(Event::put("facility", id.as_str(), fields.clone()));
            (id, Hospital { beds, taken, fields })
        })
        .unzip()
}

fn clinics(population: u32, districts: &[String], events: &mut Vec<Event>) -> Vec<String> {
    let places = districts.iter().rev().cycle();
    (1..=population.div_ceil(PER_CLINIC))
        .zip(places)
        .map(|(number, district)| {
            let fields = facility("clinic", format!("Clinic {number}"), Some(district));
            let id = format!("k{number}");
            events.push(Event::put("facility", id.as_str(), fields));
            id
        })
        .collect()
}

fn stocks(site: &str, chance: &mut Chance) -> Vec<Stock> {
    let stock = |(item, use_per_day, delivery): (&'static str, i64, i64)| {
        let quantity = chance.between(delivery, delivery * 3);
        Stock { site: site.to_owned(), item, use_per_day, delivery, quantity }
    };
    ITEMS.into_iter().map(stock).collect()
}

fn teams(population: u32, hospitals: &[String], chance: &mut Chance) -> Vec<Team> {
    let count = (population / 5_000).max(4);
    let bases = hospitals.iter().cycle();
    (1..=count)
        .zip(ROLES.iter().cycle())
        .zip(bases)
        .map(|((number, role), base)| {
            let fields = Fields::from([
                ("name", format!("Team {number}").into()),
                ("role", (*role).into()),
                ("members", chance.between(2, 8).into()),
                ("base", base.as_str().into()),
            ]);
            Team { id: format!("t{number}"), fields, on_duty: chance.happens(600) }
        })
        .collect()
}

/// Its `rooms_free` comes with the first day.
fn isolation(districts: &[String], rooms: i64) -> Fields {
    let mut fields =
        Fields::from([("name", "Hostel".into()), ("rooms", rooms.into()), ("open", true.into())]);
    if let Some(district) = districts.first() {
        fields.insert("district", district.as_str().into());
    }
    fields
}

//! One person's course: from symptoms over the report and its result to recovery or death, with what
//! goes wrong on paper meanwhile. Days count from the outbreak's first day.

use jiff::ToSpan;
use jiff::civil::Date;

use super::chance::Chance;
use super::event::Fields;

/// Day of an outbreak; negative before its first.
pub(super) type Day = i64;

/// The ages of cases: least, most, weight, and per thousand of them how many are admitted to a
/// hospital and how many of those die.
const AGES: [(i64, i64, u32, u32, u32); 5] = [
    (0, 17, 12, 10, 5),
    (18, 39, 32, 40, 15),
    (40, 64, 33, 120, 60),
    (65, 79, 15, 320, 200),
    (80, 101, 8, 450, 350),
];

/// Of a thousand reported cases: confirmed by the result.
const CONFIRMED: u32 = 820;

/// Of a thousand records: late, wrong at first, entered twice.
const LATE: u32 = 80;
const WRONG: u32 = 30;
const TWICE: u32 = 15;

/// The sources of reports and their weights.
const SOURCES: [(&str, u32); 3] = [("laboratory", 5), ("clinic", 3), ("tracing", 2)];

const SEXES: [&str; 2] = ["female", "male"];

/// What was typed in wrongly, until someone notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// Ten years more or less.
    Age,
    /// The other sex.
    Sex,
    /// A report filed under the day after.
    Date,
}

/// A stay in a hospital.
#[derive(Debug, Clone)]
pub(super) struct Stay {
    /// Number of the hospital in its municipality.
    pub(super) hospital: usize,
    pub(super) from: Day,
    pub(super) until: Day,
}

/// A second record of the same case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Duplicate {
    pub(super) entered: Day,
    pub(super) deleted: Day,
}

/// The whole course, drawn in advance.
#[derive(Debug, Clone)]
pub(super) struct Course {
    age: i64,
    sex: &'static str,
    onset: Day,
    pub(super) reported: Day,
    /// When the record first appears: later than the report if that was late.
    pub(super) entered: Day,
    resulted: Day,
    confirmed: bool,
    pub(super) stay: Option<Stay>,
    ended: Day,
    died: bool,
    mistake: Option<(Mistake, Day)>,
    pub(super) duplicate: Option<Duplicate>,
    district: usize,
    source: &'static str,
}

/// What the course refers to in the city twin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) districts: &'a [String],
    pub(super) hospitals: &'a [String],
}

impl Course {
    /// The course of a person infected on a day, in a municipality with so many districts and
    /// hospitals.
    pub(super) fn draw(chance: &mut Chance, infected: Day, places: Places<'_>) -> Self {
        let (age, admitted, dying) = person(chance);
        let sex = chance.one(&SEXES).copied().unwrap_or("female");
        let onset = infected + chance.between(2, 7);
        let reported = onset + chance.between(0, 3);
        let late = if chance.happens(LATE) { chance.between(2, 9) } else { 0 };
        let resulted = reported + chance.between(1, 3);
        let confirmed = chance.happens(CONFIRMED);
        let in_hospital = confirmed && chance.happens(admitted);
        let died = in_hospital && chance.happens(dying);
        let ended = resulted + chance.between(8, 22);
        let stay = in_hospital.then(|| {
            let hospital = drawn_position(chance, places.hospitals.len());
            let from = resulted + chance.between(0, 2);
            let until = if died { ended } else { ended - chance.between(0, 3) };
            Stay { hospital, from, until }
        });
        let entered = reported + late;
        let source = SOURCES.get(chance.weighted(&SOURCES.map(|(_, weight)| weight)));
        Self {
            age,
            sex,
            onset,
            reported,
            entered,
            resulted,
            confirmed,
            stay,
            ended,
            died,
            mistake: mistake(chance, entered),
            duplicate: duplicate(chance, entered),
            district: drawn_position(chance, places.districts.len()),
            source: source.map_or("laboratory", |(source, _)| source),
        }
    }

    /// The days, from its first entry on, on which the record changes.
    pub(super) fn changes(&self) -> Vec<Day> {
        let noticed = self.mistake.map(|(_, day)| day);
        let stay = self.stay.iter().flat_map(|stay| [stay.from, stay.until]);
        let end = self.confirmed.then_some(self.ended);
        let mut days: Vec<Day> = [self.entered, self.resulted]
            .into_iter()
            .chain(stay)
            .chain(end)
            .chain(noticed)
            .filter(|day| *day >= self.entered)
            .collect();
        days.sort_unstable();
        days.dedup();
        days
    }

    /// Whether the person is a confirmed case at home on a day.
    pub(super) fn is_at_home(&self, day: Day) -> bool {
        self.confirmed
            && (self.resulted..self.ended).contains(&day)
            && !self.stay.as_ref().is_some_and(|stay| (stay.from..stay.until).contains(&day))
    }

    /// The record as it stands on a day, if `start` is day 0.
    pub(super) fn fields(&self, day: Day, start: Date, places: Places<'_>) -> Fields {
        let date = |day: Day| start.saturating_add(day.days());
        let wrong = self.mistake.filter(|(_, noticed)| day < *noticed).map(|(mistake, _)| mistake);
        let age = if wrong == Some(Mistake::Age) { mistaken_age(self.age) } else { self.age };
        let reported = self.reported + i64::from(wrong == Some(Mistake::Date));
        let sex = if wrong == Some(Mistake::Sex) { other_sex(self.sex) } else { self.sex };
        let mut fields = Fields::from([
            ("status", self.status(day).into()),
            ("age", age.into()),
            ("sex", sex.into()),
            ("onset_on", date(self.onset).into()),
            ("reported_on", date(reported).into()),
            ("source", self.source.into()),
        ]);
        if let Some(district) = places.districts.get(self.district) {
            fields.insert("district", district.as_str().into());
        }
        if let Some(stay) = self.stay.as_ref().filter(|stay| stay.from <= day) {
            fields.insert("admitted_on", date(stay.from).into());
            if let Some(hospital) = places.hospitals.get(stay.hospital) {
                fields.insert("hospital", hospital.as_str().into());
            }
            if stay.until <= day {
                fields.insert("discharged_on", date(stay.until).into());
            }
        }
        if self.status(day) == "died" {
            fields.insert("died_on", date(self.ended).into());
        }
        if self.source == "tracing" {
            fields.insert("note", "contact of a known case".into());
        }
        fields
    }

    fn status(&self, day: Day) -> &'static str {
        match (day >= self.resulted, self.confirmed, day >= self.ended, self.died) {
            (false, ..) => "suspected",
            (true, false, ..) => "discarded",
            (true, true, false, _) => "confirmed",
            (true, true, true, false) => "recovered",
            (true, true, true, true) => "died",
        }
    }
}

fn person(chance: &mut Chance) -> (i64, u32, u32) {
    let band = AGES.get(chance.weighted(&AGES.map(|(_, _, weight, ..)| weight)));
    let (least, most, _, admitted, dying) = band.copied().unwrap_or((0, 0, 0, 0, 0));
    (chance.between(least, most), admitted, dying)
}

fn drawn_position(chance: &mut Chance, count: usize) -> usize {
    let last = i64::try_from(count.saturating_sub(1)).unwrap_or(0);
    usize::try_from(chance.between(0, last)).unwrap_or(0)
}

fn mistake(chance: &mut Chance, entered: Day) -> Option<(Mistake, Day)> {
    let mistakes = [Mistake::Age, Mistake::Sex, Mistake::Date];
    let mistake = chance.one(&mistakes).copied()?;
    let noticed = entered + chance.between(1, 8);
    chance.happens(WRONG).then_some((mistake, noticed))
}

fn duplicate(chance: &mut Chance, entered: Day) -> Option<Duplicate> {
    let again = entered + chance.between(0, 2);
    let deleted = again + chance.between(1, 6);
    chance.happens(TWICE).then_some(Duplicate { entered: again, deleted })
}

const fn mistaken_age(age: i64) -> i64 {
    if age < 50 { age + 10 } else { age - 10 }
}

fn other_sex(sex: &str) -> &'static str {
    if sex == "female" { "male" } else { "female" }
}

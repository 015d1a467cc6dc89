//! A long line list, for benchmarks: cases of one large city over a year, without an outbreak behind
//! them. A million rows are 64 MB.

use std::io::{self, BufWriter, Write};

use jiff::ToSpan;
use jiff::civil::Date;

use super::chance::Chance;
use super::event::{Event, Fields};
use super::files::{CASE, write_csv};

/// Days over which the cases spread, and what may follow the last of them.
const DAYS: i64 = 366;
const AFTER: i64 = 40;

/// Hospitals and districts of the city.
const HOSPITALS: i64 = 12;

/// Rows between two flushes, in bytes.
const BUFFER: usize = 256 * 1024;

/// The draws of this list under a seed; municipalities use those from 1 on.
const STREAM: u64 = 0;

/// Writes a line list of `cases` cases as `case.mapping.toml` reads it, the same for the same seed.
/// The earliest are reported on `first_day`; hospitals are those of [`facilities_csv`].
///
/// # Errors
/// What the writer says.
pub fn cases_csv(writer: impl Write, cases: u32, seed: u64, first_day: Date) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER, writer);
    let header: Vec<&str> = CASE.iter().map(|(name, _)| *name).collect();
    writeln!(out, "{}", header.join(","))?;
    let dates: Vec<String> =
        (0..DAYS + AFTER).map(|day| first_day.saturating_add(day.days()).to_string()).collect();
    let mut chance = Chance::new(seed, STREAM);
    for number in 0..cases {
        // In the order of their reports, as a line list grows.
        let reported = i64::from(number) * DAYS / i64::from(cases);
        row(&mut out, number, reported, &dates, &mut chance)?;
    }
    out.flush()
}

fn row(
    out: &mut impl Write,
    number: u32,
    reported: i64,
    dates: &[String],
    chance: &mut Chance,
) -> io::Result<()> {
    let date = |day: i64| {
        let at = usize::try_from(day.max(0)).unwrap_or(0);
        dates.get(at).map_or("", String::as_str)
    };
    let statuses = ["recovered", "recovered", "recovered", "confirmed", "suspected", "discarded"];
    let status = chance.one(&statuses).copied().unwrap_or_default();
    let in_hospital = status == "recovered" && chance.happens(120);
    let died = in_hospital && chance.happens(150);
    let status = if died { "died" } else { status };
    let sex = if chance.happens(520) { 'F' } else { 'M' };
    let age = chance.between(0, 101);
    let onset = reported - chance.between(0, 6);
    write!(out, "n{number:07},{status},{age},{sex},{},{},", date(onset), date(reported))?;
    if in_hospital {
        let admitted = reported + chance.between(0, 6);
        let left = admitted + chance.between(3, 30);
        let hospital = chance.between(1, HOSPITALS);
        let death = if died { date(left) } else { "" };
        write!(out, "{},{},{death},h{hospital},", date(admitted), date(left))?;
    } else {
        out.write_all(b",,,,")?;
    }
    writeln!(out, ",laboratory,")
}

/// Writes the hospitals to which [`cases_csv`] refers, as `facility.mapping.toml` reads them.
///
/// # Errors
/// What the writer says.
pub fn facilities_csv(writer: impl Write) -> io::Result<()> {
    let health_districts = ["north", "centre", "south"].into_iter().cycle();
    let events: Vec<Event> = (1..=HOSPITALS)
        .zip(health_districts)
        .map(|(number, health_district)| {
            let fields = Fields::from([
                ("name", format!("Hospital {number}").into()),
                ("type", "hospital".into()),
                ("health_district", health_district.into()),
                ("beds", 900.into()),
                ("beds_free", (30 * number).into()),
                ("open", true.into()),
            ]);
            Event::put("facility", format!("h{number}"), fields)
        })
        .collect();
    let mut holdings = super::Holdings::default();
    holdings.apply(&events);
    write_csv("facility", holdings.of("facility"), writer)
}

//! The CSV files that a municipality's offices would export each night, as the pack's mappings read
//! them: whole lists, but for stocks, which are the counts of the day.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::event::{Event, FieldValue, Fields, Holdings};
use super::outbreak::Outbreak;
use super::topology::Topology;

/// What is in a column: the record's id, or a field.
type Column = (&'static str, Option<&'static str>);

/// The columns of a kind's file.
fn columns(kind: &str) -> &'static [Column] {
    match kind {
        "district" => &[
            ("id", None),
            ("name", Some("name")),
            ("zone", Some("zone")),
            ("area_km2", Some("area")),
        ],
        "facility" => &[
            ("id", None),
            ("name", Some("name")),
            ("type", Some("type")),
            ("district", Some("district")),
            ("health_district", Some("health_district")),
            ("beds", Some("beds")),
            ("beds_free", Some("beds_free")),
            ("open", Some("open")),
        ],
        "population_group" => &[
            ("district", Some("district")),
            ("age", Some("age_band")),
            ("residents", Some("residents")),
        ],
        "case" => CASE,
        "supply_stock" => &[
            ("site", Some("site")),
            ("item", Some("item")),
            ("date", Some("counted_on")),
            ("quantity", Some("quantity")),
        ],
        "team" => &[
            ("id", None),
            ("name", Some("name")),
            ("role", Some("role")),
            ("members", Some("members")),
            ("on_duty", Some("on_duty")),
            ("base", Some("base")),
        ],
        "isolation_place" => &[
            ("id", None),
            ("name", Some("name")),
            ("district", Some("district")),
            ("rooms", Some("rooms")),
            ("rooms_free", Some("rooms_free")),
            ("open", Some("open")),
        ],
        _ => &[],
    }
}

/// The columns of the line list.
pub(super) const CASE: &[Column] = &[
    ("number", None),
    ("status", Some("status")),
    ("age", Some("age")),
    ("sex", Some("sex")),
    ("onset", Some("onset_on")),
    ("reported", Some("reported_on")),
    ("admitted", Some("admitted_on")),
    ("discharged", Some("discharged_on")),
    ("died", Some("died_on")),
    ("hospital", Some("hospital")),
    ("district", Some("district")),
    ("source", Some("source")),
    ("note", Some("note")),
];

/// Writes records of a kind as the CSV file that its mapping reads.
///
/// # Errors
/// What the writer says.
pub fn write_csv<'a>(
    kind: &str,
    records: impl IntoIterator<Item = (&'a str, &'a Fields)>,
    writer: impl Write,
) -> io::Result<()> {
    let columns = columns(kind);
    let mut file = csv::Writer::from_writer(writer);
    file.write_record(columns.iter().map(|(header, _)| header))?;
    for (id, fields) in records {
        file.write_record(columns.iter().map(|(_, field)| cell(*field, id, fields)))?;
    }
    file.flush()
}

/// A cell: offices write F and M, yes and no.
fn cell(field: Option<&'static str>, id: &str, fields: &Fields) -> String {
    let Some(field) = field else { return id.to_owned() };
    match (field, fields.get(field)) {
        (_, None) => String::new(),
        ("sex", Some(FieldValue::Text(sex))) => {
            sex.chars().take(1).map(|letter| letter.to_ascii_uppercase()).collect()
        }
        (_, Some(FieldValue::Boolean(yes))) => if *yes { "yes" } else { "no" }.to_owned(),
        (_, Some(value)) => value.to_string(),
    }
}

/// A folder with one folder per municipality, named by its unit id, and in it one file per kind and
/// day: `r1-m1/case-2026-03-02.csv`.
#[derive(Debug)]
pub struct Folder {
    homes: Vec<(PathBuf, Holdings)>,
    next: u32,
}

impl Folder {
    /// Makes the folders below `at`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(at: &Path, topology: &Topology) -> io::Result<Self> {
        let mut homes = Vec::new();
        for municipality in topology.municipalities() {
            let folder = at.join(municipality.path.leaf().as_str());
            fs::create_dir_all(&folder)?;
            homes.push((folder, Holdings::default()));
        }
        Ok(Self { homes, next: 0 })
    }

    /// Writes the files of the next day, in all municipalities, and gives its number.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write_day(&mut self, outbreak: &mut Outbreak) -> io::Result<u32> {
        let day = self.next;
        let date = outbreak.date(day);
        let lists = outbreak.day(day);
        for ((folder, holdings), events) in self.homes.iter_mut().zip(lists) {
            holdings.apply(events);
            for (kind, _) in super::MAPPINGS {
                let path = folder.join(format!("{kind}-{date}.csv"));
                let file = BufWriter::new(File::create(path)?);
                match kind {
                    "supply_stock" => write_csv(kind, counts(events), file)?,
                    _ => write_csv(kind, holdings.of(kind), file)?,
                }
            }
        }
        self.next = day.saturating_add(1);
        Ok(day)
    }
}

/// The stocks counted in these events.
fn counts(events: &[Event]) -> impl Iterator<Item = (&str, &Fields)> {
    events.iter().filter(|event| event.kind == "supply_stock").filter_map(|event| {
        match &event.change {
            super::event::Change::Put(fields) => Some((event.id.as_str(), fields)),
            super::event::Change::Delete => None,
        }
    })
}

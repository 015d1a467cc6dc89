//! The packs' mappings read the packs' files, by the import that a node uses.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use reeve::import::{ImportOptions, Input, Mapping, Mode, check};
use reeve_crdt::schema::Schema;
use reeve_examples::epidemic::{Folder, Outbreak, Topology, cases_csv, facilities_csv};
use reeve_examples::{epidemic, italy};

/// Days written: some of them before the first case, some with stays in hospital.
const DAYS: u32 = 30;

fn schema() -> Schema {
    Schema::parse("schema.toml", epidemic::SCHEMA).unwrap()
}

fn mapping(kind: &str) -> Mapping {
    let (_, text) = epidemic::MAPPINGS.into_iter().find(|(name, _)| *name == kind).unwrap();
    Mapping::parse(&format!("{kind}.mapping.toml"), text, &schema()).unwrap()
}

/// Records of a file, none of which may be bad, and the periods it closes.
fn accepted(path: &Path, mapping: &Mapping) -> (u64, usize) {
    let options = ImportOptions { allow_empty_snapshot: true, ..ImportOptions::default() };
    let checked = check(&Input::File(path.to_owned()), mapping, &options).unwrap();
    let summary = checked.summary();
    assert_eq!((summary.rejected, summary.skipped), (0, 0), "{summary:?}");
    assert_eq!(summary.unused_columns, Vec::<String>::new());
    let batches: u64 =
        checked.batches().unwrap().map(|b| u64::try_from(b.unwrap().puts.len()).unwrap()).sum();
    assert_eq!(batches, summary.accepted);
    (batches, checked.shares().values().map(|share| share.closes.len()).sum())
}

#[test]
fn every_file_of_the_outbreak_is_read_whole_and_closes_its_day() {
    let at = tempfile::tempdir().unwrap();
    let topology = Topology::nation("atlantis", 1, 2).unwrap();
    let mut outbreak = Outbreak::new(11, &topology, "2026-03-02".parse().unwrap());
    let mut folder = Folder::create(at.path(), &topology).unwrap();
    for day in 0..DAYS {
        folder.write_day(&mut outbreak).unwrap();
        for (kind, _) in epidemic::MAPPINGS {
            let file = at.path().join(format!("r1-m1/{kind}-{}.csv", outbreak.date(day)));
            let rows = std::fs::read_to_string(&file).unwrap().lines().count() - 1;
            let (records, closed) = accepted(&file, &mapping(kind));
            assert_eq!((records, closed), (u64::try_from(rows).unwrap(), 1), "{kind} {day}");
        }
    }
}

#[test]
fn the_long_line_list_is_read_whole() {
    let at = tempfile::tempdir().unwrap();
    let cases = at.path().join("case-2026-12-31.csv");
    let first_day = "2026-01-01".parse().unwrap();
    cases_csv(std::fs::File::create(&cases).unwrap(), 5_000, 1, first_day).unwrap();
    assert_eq!(accepted(&cases, &mapping("case")), (5_000, 1));
    let facilities = at.path().join("facility-2026-12-31.csv");
    facilities_csv(std::fs::File::create(&facilities).unwrap()).unwrap();
    assert_eq!(accepted(&facilities, &mapping("facility")), (12, 1));
}

#[test]
fn italys_rows_go_to_provinces_and_as_residuals_to_their_region() {
    let schema = Schema::parse("schema.toml", italy::SCHEMA).unwrap();
    let mapping = Mapping::parse("mapping.toml", italy::MAPPING, &schema).unwrap();
    assert!(mapping.names_units() && mapping.mode() == Mode::Upsert);
    let at = tempfile::tempdir().unwrap();
    let file = at.path().join("province_daily.csv");
    let text = "date,region_id,region_code_as_published,province_code,total_cases\n\
                2020-06-25,03,03,016,13000\n2020-06-25,03,03,888,7\n2020-06-25,03,03,988,0\n\
                2020-06-25,21,04,881,3\n";
    std::fs::write(&file, text).unwrap();
    let checked = check(&Input::File(file), &mapping, &ImportOptions::default()).unwrap();
    let mut read = Vec::new();
    for batch in checked.batches().unwrap() {
        let batch = batch.unwrap();
        for put in batch.puts {
            let place = put.record.record().get("place").and_then(|place| place.as_text());
            read.push((
                batch.unit.as_ref().unwrap().to_string(),
                put.id.as_str().to_owned(),
                place.unwrap_or("province").to_owned(),
            ));
        }
    }
    read.sort();
    let expected = [
        ("016", "2020-06-25/016", "province"),
        ("03", "2020-06-25/888", "out-of-region"),
        ("03", "2020-06-25/988", "being-defined"),
        ("21", "2020-06-25/881", "out-of-region"),
    ];
    let expected = expected.map(|(unit, id, place)| (unit.into(), id.into(), place.into()));
    assert_eq!(read, Vec::from(expected));
    assert!(checked.shares().values().all(|share| share.closes.len() == 1));
}

/// The mapping's units are those of the published list, where the machine has it.
#[test]
fn italys_mapping_agrees_with_the_published_list_of_units() {
    let Some(folder) = italy::data_folder() else { return };
    let schema = Schema::parse("schema.toml", italy::SCHEMA).unwrap();
    let mapping = Mapping::parse("mapping.toml", italy::MAPPING, &schema).unwrap();
    let published = italy::Published::read(&folder).unwrap();
    let at = tempfile::tempdir().unwrap();
    let file = at.path().join("day.csv");
    std::fs::write(&file, published.day_csv(italy::WINDOW.1, None)).unwrap();
    let checked = check(&Input::File(file), &mapping, &ImportOptions::default()).unwrap();
    assert_eq!(checked.shares().len(), 107 + 21);
    for batch in checked.batches().unwrap() {
        let batch = batch.unwrap();
        for put in batch.puts {
            let (_, code) = put.id.as_str().split_once('/').unwrap();
            let source = published.sources.get(code).unwrap();
            assert_eq!(batch.unit.as_ref(), Some(&source.unit));
            let place = put.record.record().get("place").and_then(|place| place.as_text());
            assert_eq!(place, source.place.residual());
        }
    }
}

//! Imports as a user makes them: a schema, a mapping, a file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::io::Write;
use std::sync::Arc;

use proptest::prelude::*;
use reeve_crdt::record::{Record, RecordId};
use reeve_crdt::schema::Schema;
use reeve_statement::digest::Digest;
use reeve_statement::unit::UnitId;

use super::*;

mod attacks;
mod refused;
mod twice;

pub(super) const SCHEMA: &str = r#"
[schema]
name = "test"
version = 1
[kind.case]
twin = "emergency"
subject = "person"
[kind.case.field.reported_on]
type = "date"
required = true
[kind.case.field.sex]
type = "enum"
values = ["female", "male"]
[kind.case.field.age]
type = "integer"
min = 0
max = 120
[kind.case.field.dose]
type = "decimal"
scale = 2
min = "0"
max = "100"
[kind.case.field.seen_at]
type = "timestamp"
[kind.case.field.note]
type = "text"
max = 400
"#;

const MAPPING: &str = r#"
kind = "case"
mode = "append"
id = ["number"]
[field.reported_on]
column = "date"
[field.sex]
column = "sex"
values = { M = "male", F = "female", "?" = "unset" }
[field.age]
column = "age"
[closes]
column = "date"
"#;

pub(super) fn schema() -> Schema {
    Schema::parse("schema.toml", SCHEMA).unwrap()
}

pub(super) fn mapping(text: &str) -> Mapping {
    Mapping::parse("mapping.toml", text, &schema()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn memory(bytes: impl AsRef<[u8]>) -> Input {
    Input::Memory { name: "cases.csv".to_owned(), bytes: Arc::from(bytes.as_ref()) }
}

fn run(text: &str, bytes: impl AsRef<[u8]>) -> Result<Checked, ImportError> {
    check(&memory(bytes), &mapping(text), &ImportOptions::default())
}

fn refused(text: &str, bytes: impl AsRef<[u8]>) -> ImportError {
    run(text, bytes).err().expect("the file is refused")
}

fn puts(checked: &Checked) -> Vec<(Option<String>, String, Record)> {
    let mut all = Vec::new();
    for batch in checked.batches().unwrap() {
        let batch = batch.unwrap();
        assert!(batch.puts.len() <= BATCH_RECORDS);
        for put in batch.puts {
            let unit = batch.unit.as_ref().map(ToString::to_string);
            all.push((unit, put.id.as_str().to_owned(), put.record.into_record()));
        }
    }
    all
}

fn closed(checked: &Checked) -> Vec<String> {
    checked.share(None).unwrap().closes.iter().map(ToString::to_string).collect()
}

fn text_of(record: &Record, field: &str) -> Option<String> {
    let schema = schema();
    let kind = schema.kind("case").unwrap();
    Some(record.get(field)?.to_text(&kind.field(field).unwrap().field_type))
}

const GOOD: &str = "number,date,sex,age\n1,2020-03-01,M,40\n2,2020-03-02,?,\n";

#[test]
fn a_good_file_becomes_records_and_closures() {
    let checked = run(MAPPING, GOOD).unwrap();
    let summary = checked.summary();
    assert_eq!((summary.rows, summary.accepted, summary.rejected), (2, 2, 0));
    assert_eq!(checked.digest(), Digest::of(GOOD.as_bytes()));
    let puts = puts(&checked);
    assert_eq!(puts[0].1, "1");
    assert_eq!(text_of(&puts[0].2, "sex").as_deref(), Some("male"));
    assert_eq!(text_of(&puts[0].2, "age").as_deref(), Some("40"));
    assert_eq!(puts[1].2.len(), 1);
    assert_eq!(closed(&checked), ["2020-03-01", "2020-03-02"]);
    assert_eq!(checked.mapping().source(), "case");
    assert!(checked.sweep(None).is_none());
    let json = serde_json::to_value(summary).unwrap();
    assert_eq!(json["units"][0]["periods_closed"], 2);
}

#[test]
fn gzip_and_line_ends_and_the_mark_change_nothing_but_the_digest() {
    let plain = puts(&run(MAPPING, GOOD).unwrap());
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(GOOD.as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    for bytes in [
        gz.clone(),
        [gz.clone(), Vec::new()].concat(),
        GOOD.replace('\n', "\r\n").into_bytes(),
        GOOD.trim_end().as_bytes().to_vec(),
        GOOD.replace('\n', "\n\n").into_bytes(),
        format!("\u{feff}{GOOD}").into_bytes(),
    ] {
        let checked = run(MAPPING, &bytes).unwrap();
        assert_eq!(checked.digest(), Digest::of(&bytes));
        assert_eq!(puts(&checked), plain);
    }
    let cut = &gz[..gz.len() - 6];
    assert!(matches!(*refused(MAPPING, cut).fault, FileFault::Gzip(_)));
}

#[test]
fn ndjson_reads_as_the_same_csv_does() {
    let text =
        MAPPING.replace("[field.reported_on]", "[file]\nformat = \"ndjson\"\n[field.reported_on]");
    let lines = concat!(
        "{\"number\": 1, \"date\": \"2020-03-01\", \"sex\": \"M\", \"age\": 40, \"x\": {\"y\": [1]}}\n\n",
        "{\"age\": null, \"number\": \"2\", \"date\": \"2020-03-02\", \"s\\u0065x\": \"\\u003f\"}\r\n",
    );
    let checked = run(&text, lines).unwrap();
    assert_eq!(puts(&checked), puts(&run(MAPPING, GOOD).unwrap()));
    assert!(checked.summary().unused_columns.is_empty());
}

#[test]
fn latin_1_is_read_when_the_mapping_says_so() {
    let text = MAPPING
        .replace("[field.reported_on]", "[file]\nencoding = \"latin-1\"\n[field.reported_on]")
        .replace("[closes]", "[field.note]\ncolumn = \"note\"\n[closes]");
    let file = b"number,date,sex,age,note\n1,2020-03-01,M,4,Mal\xe9 \x80\n";
    let puts = puts(&run(&text, file).unwrap());
    assert_eq!(text_of(&puts[0].2, "note").as_deref(), Some("Malé €"));
    let undefined = b"number,date,sex,age,note\n1,2020-03-01,M,4,\x81\n";
    assert!(matches!(*refused(&text, undefined).fault, FileFault::NotLatin1));
}

#[test]
fn dates_decimals_filters_and_constants_follow_the_mapping() {
    let text = r#"
kind = "case"
mode = "upsert"
id = ["area", "n"]
id_separator = "-"
[file]
delimiter = ";"
[field.reported_on]
column = "when"
format = "%d/%m/%Y"
[field.seen_at]
column = "at"
format = "%Y-%m-%d %H:%M%z"
[field.dose]
column = "dose"
decimal_comma = true
empty = "0.5"
[field.sex]
constant = "female"
[field.age]
column = "age"
values = { unknown = "unset" }
other = "keep"
[only]
area = ["a", "b", "a-1"]
n = { not = "9" }
[closes]
period = "2020-W10"
"#;
    let file = "area;n;when;at;dose;age\n\
                a;1;01/03/2020;2020-03-01 10:30+0100;1,25;unknown\n\
                b;2;02/03/2020;;;7\n\
                c;3;nonsense;;;\n\
                a;9;nonsense;;;\n\
                a;1;03/03/2020;;1.5;\n";
    let checked = run(text, file).unwrap();
    let summary = checked.summary();
    assert_eq!((summary.rows, summary.skipped, summary.accepted, summary.repeated), (5, 2, 3, 1));
    let puts = puts(&checked);
    assert_eq!(puts[0].1, "a-1");
    assert_eq!(text_of(&puts[0].2, "dose").as_deref(), Some("1.25"));
    assert_eq!(text_of(&puts[0].2, "seen_at").as_deref(), Some("2020-03-01T09:30:00.000Z"));
    assert_eq!(text_of(&puts[0].2, "age"), None);
    assert_eq!(text_of(&puts[1].2, "dose").as_deref(), Some("0.50"));
    assert_eq!(text_of(&puts[2].2, "reported_on").as_deref(), Some("2020-03-03"));
    assert_eq!(summary.units[0].first_period.as_deref(), Some("2020-W10"));
    let twice =
        refused(text, "area;n;when;at;dose;age\na;1-1;01/03/2020;;;\na-1;1;01/03/2020;;;\n")
            .to_string();
    assert!(twice.contains("holds the separator `-`"), "{twice}");
}

#[test]
fn columns_without_a_header_have_numbers() {
    let text = r#"
kind = "case"
mode = "append"
id = ["1"]
[file]
header = false
[field.reported_on]
column = "3"
"#;
    let puts = puts(&run(text, "1,x,2020-03-01\n2,x,2020-03-02\n").unwrap());
    assert_eq!(puts.len(), 2);
    let error = refused(text, "1,x\n").to_string();
    assert!(error.contains("cases.csv:1: column `3`"), "{error}");
}

const SNAPSHOT: &str = r#"
kind = "case"
mode = "snapshot"
id = ["n"]
[field.reported_on]
column = "date"
[field.sex]
column = "sex"
[unit]
column = "unit"
values = { "879" = "13" }
[snapshot]
scope = ["reported_on"]
"#;

#[test]
fn a_snapshot_deletes_what_its_scope_covers_and_it_lacks() {
    let file = "n,date,sex,unit\n1,2020-03-01,male,03\n2,2020-03-02,male,03\n3,2020-03-01,,879\n";
    let checked = run(SNAPSHOT, file).unwrap();
    let units: Vec<_> = checked.shares().filter_map(|(unit, _)| Some(unit?.to_string())).collect();
    assert_eq!(units, ["03", "13"]);
    let record = |day: &str| {
        let file = format!("n,date,sex,unit\n9,{day},female,03\n");
        puts(&run(SNAPSHOT, file).unwrap()).remove(0).2
    };
    let missing = |unit: &str, id: &str, day: &str| {
        let unit = UnitId::new(unit).unwrap();
        let sweep = checked.sweep(Some(&unit));
        sweep.is_some_and(|sweep| sweep.removes(&RecordId::new(id).unwrap(), &record(day)))
    };
    assert!(missing("03", "7", "2020-03-01"), "in scope and not in the file");
    assert!(!missing("03", "1", "2020-03-01"), "in the file");
    assert!(missing("03", "3", "2020-03-01"), "an id of another unit");
    assert!(!missing("03", "7", "2020-03-05"), "out of scope");
    assert!(!missing("13", "7", "2020-03-02"), "a day of another unit");
    assert!(!missing("05", "7", "2020-03-01"), "a unit without rows");
    let whole = SNAPSHOT.replace("[snapshot]\nscope = [\"reported_on\"]", "");
    let checked = run(&whole, file).unwrap();
    let unit = UnitId::new("03").unwrap();
    let id = RecordId::new("7").unwrap();
    let sweep = checked.sweep(Some(&unit)).unwrap();
    assert!(sweep.removes(&id, &record("2020-03-05")), "no scope, so all");
}

#[test]
fn a_snapshot_allows_no_rejects_and_no_emptiness_by_accident() {
    let options = ImportOptions { max_rejects: 9, ..ImportOptions::default() };
    let bad = memory("n,date,sex,unit\n1,2020-03-01,x,03\n");
    let error = check(&bad, &mapping(SNAPSHOT), &options).err().unwrap();
    assert!(matches!(*error.fault, FileFault::TooManyRejects { allowed: 0, .. }));
    let empty = memory("n,date,sex,unit\n");
    let error = check(&empty, &mapping(SNAPSHOT), &options).err().unwrap();
    assert!(matches!(*error.fault, FileFault::EmptySnapshot));
    let options = ImportOptions { allow_empty_snapshot: true, ..options };
    assert!(check(&empty, &mapping(SNAPSHOT), &options).is_ok());
    let text = SNAPSHOT.replace("scope = [\"reported_on\"]", "allow_empty = true");
    assert!(run(&text, "n,date,sex,unit\n").is_ok());
}

#[test]
fn a_nil_report_closes_the_period_of_its_name() {
    let text = MAPPING
        .replace("column = \"date\"\n", "")
        .replace("[closes]", "[closes]\nfile_name = \"cases-%Y-%m-%d.csv\"");
    let text = text.replace("[field.reported_on]", "[field.reported_on]\ncolumn = \"date\"");
    let file = |name: &str| Input::Memory {
        name: name.to_owned(),
        bytes: Arc::from(b"number,date,sex,age\n".as_slice()),
    };
    let options = ImportOptions::default();
    for name in ["cases-2020-03-01.csv", "cases-2020-03-01.csv.gz"] {
        let checked = check(&file(name), &mapping(&text), &options).unwrap();
        assert_eq!(closed(&checked), ["2020-03-01"]);
        assert!(puts(&checked).is_empty());
    }
    let error = check(&file("cases.csv"), &mapping(&text), &options).err().unwrap();
    assert!(matches!(*error.fault, FileFault::FileName { .. }));
    let closes = ["2020-04".parse().unwrap()].into();
    let options = ImportOptions { closes, ..options };
    let checked = check(&file("cases.csv"), &mapping(&text), &options).unwrap();
    assert_eq!(checked.summary().units[0].last_period.as_deref(), Some("2020-04"));
}

#[test]
fn rows_of_many_units_come_in_batches_per_unit_in_their_order() {
    let mut file = String::from("n,date,sex,unit\n");
    for n in 0..4_500 {
        file.push_str(&format!("{n},2020-03-01,,u{}\n", n % 2));
    }
    let checked = run(SNAPSHOT, &file).unwrap();
    let batches: Vec<_> = checked.batches().unwrap().map(Result::unwrap).collect();
    let sizes: Vec<_> = batches.iter().map(|batch| batch.puts.len()).collect();
    assert_eq!(sizes, [1_000, 1_000, 1_000, 1_000, 250, 250]);
    let ids: Vec<usize> = batches
        .iter()
        .filter(|batch| batch.unit.as_ref().unwrap().as_str() == "u1")
        .flat_map(|batch| batch.puts.iter().map(|put| put.id.as_str().parse().unwrap()))
        .collect();
    assert_eq!(ids, (0..4_500).filter(|n| n % 2 == 1).collect::<Vec<_>>());
}

proptest! {
    /// What a CSV writer writes is what the records hold, whatever the text.
    #[test]
    fn csv_round_trip(rows in prop::collection::vec(("[^\\x00]{0,40}", 0_i64..=120), 1..30)) {
        let text = r#"
kind = "case"
mode = "append"
id = ["id"]
[field.reported_on]
constant = "2020-03-01"
[field.note]
column = "note"
[field.age]
column = "age"
"#;
        let clean = |note: &str| note.chars().filter(|c| !c.is_control()).collect::<String>();
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.write_record(["note", "id", "age"]).unwrap();
        for (id, (note, age)) in rows.iter().enumerate() {
            let note = format!("{}\n\"", clean(note));
            writer.write_record([note, id.to_string(), age.to_string()]).unwrap();
        }
        let checked = run(text, writer.into_inner().unwrap()).unwrap();
        let puts = puts(&checked);
        prop_assert_eq!(puts.len(), rows.len());
        for ((_, _, record), (note, age)) in puts.iter().zip(&rows) {
            let note = format!("{}\n\"", clean(note));
            let (held, count) = (text_of(record, "note"), text_of(record, "age"));
            prop_assert_eq!(held.as_deref(), Some(note.trim()));
            prop_assert_eq!(count, Some(age.to_string()));
        }
    }
}

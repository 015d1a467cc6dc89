//! Imports as a user makes them: a schema, a mapping, a file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use reeve_crdt::record::{Record, RecordId};
use reeve_crdt::schema::Schema;
use reeve_statement::digest::Digest;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitId;

use super::*;

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
    let closures = checked.closures(None, Timestamp::from_millis(7));
    let periods: Vec<_> = closures.iter().map(|closure| closure.period.to_string()).collect();
    assert_eq!(periods, ["2020-03-01", "2020-03-02"]);
    assert_eq!(closures[0].file_hash, Some(checked.digest()));
    assert_eq!(closures[0].source, "case");
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
fn bad_json_rows_are_rejected_with_their_place() {
    let text =
        MAPPING.replace("[field.reported_on]", "[file]\nformat = \"ndjson\"\n[field.reported_on]");
    let deep = format!("{{\"x\": {}{}}}", "[".repeat(64), "]".repeat(64));
    for (line, reason) in [
        ("[1]", "expected a JSON object"),
        ("{\"number\": 1", "malformed at byte"),
        ("{\"number\": 1} x", "malformed at byte"),
        ("{\"number\": {\"a\": 1}, \"date\": \"2020-03-01\"}", "found an object or a list"),
        ("{\"number\": 1, \"number\": 2, \"date\": \"2020-03-01\"}", "stands twice"),
        (&deep, "nested more than 64 deep"),
        ("{\"number\": 1}", "required"),
        ("{\"date\": \"2020-03-01\"}", "part of the record's id and is empty"),
    ] {
        let error = refused(&text, format!("\n{line}\n")).to_string();
        assert!(error.contains(reason) && error.contains("line 2"), "{line}: {error}");
    }
}

#[test]
fn faults_of_the_file_name_their_place() {
    let head = "number,date,sex,age,note\n";
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "the file is empty"),
        (b"\xef\xbb\xbf".to_vec(), "the file is empty"),
        (b"\n\n".to_vec(), "the file is empty"),
        (b"\xff\xfen\0u\0".to_vec(), "UTF-16"),
        (b"PK\x03\x04xyz".to_vec(), "spreadsheet"),
        (
            [head.as_bytes(), b"1,2020-03-01,M,40,a\0b\n"].concat(),
            "cases.csv:2: column `note`: found a NUL",
        ),
        (
            [head.as_bytes(), b"1,2020-03-01,M,40,Mal\xe9\n"].concat(),
            "cases.csv:2: column `note`: found bytes that are not UTF-8; this looks like Latin-1",
        ),
        (
            format!("{head}1,2020-03-01,M,40,\"open\n2,2020").into_bytes(),
            "cases.csv:2: a quotation mark",
        ),
        (
            format!("{head}<<<<<<< HEAD\n1,2020-03-01,M,40,\n").into_bytes(),
            "cases.csv:2: found a merge marker",
        ),
        (
            format!("{head}1,2020-03-01,M,40,\n=======\n").into_bytes(),
            "cases.csv:3: found a merge marker",
        ),
        (format!("{head}>>>>>>> theirs\n").into_bytes(), "cases.csv:2: found a merge marker"),
        (b"number;date;sex;age\n".to_vec(), "the cells seem to be separated by ';'"),
        (
            b"Number,date,sex,age\n".to_vec(),
            "column `number`: the mapping needs this column and the header has no such name among its 4; is `Number` meant?",
        ),
        (b"number,date,sex,age,age\n".to_vec(), "column `age`: the header names this column twice"),
        (format!("number{}\n", ",".repeat(1_000)).into_bytes(), "more than 1000 columns"),
    ];
    for (bytes, expected) in cases {
        let error = refused(MAPPING, &bytes).to_string();
        assert!(error.contains(expected), "{error}\nlacks: {expected}");
    }
}

#[test]
fn a_header_without_the_column_shows_no_value() {
    let error = refused(MAPPING, "CANARY-1,2020-03-01,M,40\n").to_string();
    assert!(!error.contains("CANARY"), "{error}");
}

#[test]
fn bad_rows_are_refused_with_line_column_and_reason_and_without_value() {
    for (row, line, expected) in [
        ("3,2020-03-01,M", 3, "expected 4 columns, found 3"),
        ("3,2020-03-01,M,1,x", 3, "expected 4 columns, found 5"),
        ("3,2021-02-29,M,1", 3, "column `date`"),
        ("3,2020-03-01,X9,1", 3, "column `sex`, field `sex`: expected one of the 2 values"),
        ("3,2020-03-01,M,133", 3, "column `age`, field `age`: expected a number from 0 to 120"),
        ("3,2020-03-01,M,99999999999999999999", 3, "expected a whole number"),
        (",2020-03-01,M,1", 3, "column `number`: the cell is part of the record's id and is empty"),
        ("1,2020-03-09,M,1", 3, "the id stands already in line 2"),
        ("1,2020-03-01,M,40", 3, "the id stands already in line 2"),
    ] {
        let file = format!("number,date,sex,age\n1,2020-03-01,M,40\n{row}\n");
        let error = refused(MAPPING, file).to_string();
        assert!(error.contains("nothing was imported"), "{error}");
        assert!(
            error.contains(&format!("line {line}")) && error.contains(expected),
            "{row}: {error}"
        );
        assert!(!error.contains("133") && !error.contains("X9"), "{error}");
    }
}

#[test]
fn rejects_go_to_a_file_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rejects.csv");
    std::os::unix::fs::symlink("/dev/full", folder.path().join("rejects.csv.partial")).unwrap();
    let file = "number,date,sex,age\n1,2020-03-01,=cmd(),200\n2,2020-03-02,M,1\n";
    let options = ImportOptions {
        max_rejects: 1,
        reject_file: Some(path.clone()),
        ..ImportOptions::default()
    };
    let checked = check(&memory(file), &mapping(MAPPING), &options).unwrap();
    assert_eq!((checked.summary().rejected, checked.summary().accepted), (1, 1));
    assert_eq!(puts(&checked).len(), 1);
    let periods = &checked.shares()[&None].closes;
    assert_eq!(periods.len(), 1, "a bad row closes nothing");
    let written = std::fs::read_to_string(&path).unwrap();
    let mut lines = written.lines();
    assert_eq!(lines.next(), Some("line,column,field,value,reason"));
    assert!(lines.next().unwrap().starts_with("2,age,age,200,"), "{written}");
    assert!(lines.next().unwrap().starts_with("2,sex,sex,'=cmd(),"), "{written}");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let text = serde_json::to_string(checked.summary()).unwrap();
    assert!(!text.contains("cmd"), "{text}");
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
area = ["a", "b"]
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
    let twice = refused(text, "area;n;when;at;dose;age\na;1-1;01/03/2020;;;\n").to_string();
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
    let units: Vec<_> = checked.shares().keys().flatten().map(ToString::to_string).collect();
    assert_eq!(units, ["03", "13"]);
    let record = |day: &str| {
        let file = format!("n,date,sex,unit\n9,{day},female,03\n");
        puts(&run(SNAPSHOT, file).unwrap()).remove(0).2
    };
    let missing = |unit: &str, id: &str, day: &str| {
        let unit = UnitId::new(unit).unwrap();
        checked.is_missing(Some(&unit), &RecordId::new(id).unwrap(), &record(day))
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
    assert!(checked.is_missing(Some(&unit), &id, &record("2020-03-05")), "no scope, so all");
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
        let closes: Vec<_> =
            checked.shares()[&None].closes.iter().map(ToString::to_string).collect();
        assert_eq!(closes, ["2020-03-01"]);
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

fn on_disk(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// Rows of 600 bytes, so that a few thousand are several blocks.
fn cases(count: usize) -> String {
    let mut file = String::from("number,date,sex,age,unused\n");
    let unused = "x".repeat(580);
    for n in 0..count {
        file.push_str(&format!("{n},2020-03-{:02},M,{},{unused}\n", n % 28 + 1, n % 100));
    }
    file
}

#[test]
fn a_file_that_changes_between_the_passes_is_not_imported() {
    let content = cases(4_000);
    for (at, with) in
        [(content.len() - 2, "y"), (content.find("-01").unwrap(), "-02"), (content.len(), "x\n")]
    {
        let (_folder, path) = on_disk("cases.csv", content.as_bytes());
        let checked =
            check(&Input::File(path.clone()), &mapping(MAPPING), &ImportOptions::default());
        let checked = checked.unwrap();
        let mut changed = content.clone();
        changed.replace_range(at..(at + with.len()).min(changed.len()), with);
        std::fs::write(&path, changed).unwrap();
        let outcome: Result<Vec<_>, _> = checked.batches().and_then(Iterator::collect);
        let error = outcome.expect_err("noticed");
        assert!(matches!(*error.fault, FileFault::Changed), "{error}");
    }
    let (_folder, path) = on_disk("cases.csv", content.as_bytes());
    let checked = check(&Input::File(path.clone()), &mapping(MAPPING), &ImportOptions::default());
    let checked = checked.unwrap();
    let shorter = &content[..content.len() / 2];
    std::fs::write(&path, shorter).unwrap();
    let outcome: Result<Vec<_>, _> = checked.batches().and_then(Iterator::collect);
    assert!(matches!(*outcome.err().unwrap().fault, FileFault::Changed));
}

#[test]
fn a_file_renamed_into_place_does_no_harm() {
    let (folder, path) = on_disk("cases.csv", GOOD.as_bytes());
    let checked = check(&Input::File(path.clone()), &mapping(MAPPING), &ImportOptions::default());
    let checked = checked.unwrap();
    let other = folder.path().join("other.csv");
    std::fs::write(&other, "number,date,sex,age\n").unwrap();
    std::fs::rename(&other, &path).unwrap();
    assert_eq!(puts(&checked).len(), 2);
}

#[test]
fn only_regular_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for (path, missing) in [(folder.path().to_owned(), false), (folder.path().join("x"), true)] {
        let outcome = check(&Input::File(path), &mapping(MAPPING), &ImportOptions::default());
        let fault = *outcome.err().unwrap().fault;
        assert!(matches!(fault, FileFault::Open(_)) == missing, "{fault}");
    }
}

#[test]
fn bombs_are_refused_within_the_limits() {
    let head = b"number,date,sex,age\n".to_vec();
    let long_line = [head.clone(), vec![b'x'; 50 << 20]].concat();
    let long_quote = [head.clone(), b"\"".to_vec(), b"x\n".repeat(25 << 20)].concat();
    let columns = [head.clone(), vec![b','; 50 << 20]].concat();
    for (bytes, wanted) in
        [(long_line, "longer than"), (long_quote, "longer than"), (columns, "1000 columns")]
    {
        let error = refused(MAPPING, &bytes).to_string();
        assert!(error.contains(wanted) && error.starts_with("cases.csv:2: "), "{error}");
    }
    let json =
        MAPPING.replace("[field.reported_on]", "[file]\nformat = \"ndjson\"\n[field.reported_on]");
    let error = refused(&json, vec![b'{'; 50 << 20]).to_string();
    assert!(error.contains("longer than"), "{error}");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gz.write_all(&head).unwrap();
    gz.write_all(&vec![b'\n'; 24 << 20]).unwrap();
    let gz = gz.finish().unwrap();
    assert!(gz.len() < 1 << 20);
    assert!(matches!(*refused(MAPPING, &gz).fault, FileFault::Bomb));
}

#[test]
fn progress_is_told_in_both_passes() {
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let options = ImportOptions {
        progress: Arc::new(move |pass: Pass, read: u64, total: u64| {
            log.lock().unwrap().push((pass, read, total));
        }),
        ..ImportOptions::default()
    };
    let content = cases(4_000);
    let checked = check(&memory(&content), &mapping(MAPPING), &options).unwrap();
    assert_eq!(puts(&checked).len(), 4_000);
    let told = told.lock().unwrap();
    let total = content.len() as u64;
    assert_eq!(told.iter().filter(|step| **step == (Pass::Check, total, total)).count(), 1);
    assert_eq!(told.last(), Some(&(Pass::Import, total, total)));
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

//! Files that are wrong: each is refused with its place, and nothing of it is imported.

use super::federation::Federation;
use super::files::{UPSERT, append};
use super::import::{import, own_rows};

const HEAD: &str = "number,date,sex,age\nb1,2022-01-01,F,40\n";

/// The file is refused with this place, and none of its good rows is there.
#[track_caller]
fn refused(name: &str, content: impl AsRef<[u8]>, told: &[&str]) {
    let said = import(name, content, &append(), &[]);
    said.fails(5, &[&[name], told].concat());
    assert_eq!(own_rows("2022-01-01"), [], "{name} left something behind");
    let status = Federation::shared().town.reeve(&["status", "--json"]).json();
    assert_eq!(status["interrupted_imports"].as_array().unwrap().len(), 0, "{name}: {status}");
}

#[test]
fn bytes_of_latin_1() {
    let bytes = [HEAD.as_bytes(), b"b2,2022-01-01,f\xe9minin,4\n"].concat();
    refused("latin1.csv", bytes, &[":3: column `sex`", "not UTF-8", "encoding = \"latin-1\""]);
}

#[test]
fn merge_markers() {
    refused(
        "merge.csv",
        format!("{HEAD}<<<<<<< HEAD\nb2,2022-01-01,F,1\n"),
        &[":3", "merge marker"],
    );
}

#[test]
fn short_rows() {
    refused(
        "short.csv",
        format!("{HEAD}b2,2022-01-01\n"),
        &["line 3", "expected 4 columns, found 2"],
    );
}

#[test]
fn ids_that_stand_twice() {
    refused("twice.csv", format!("{HEAD}b1,2022-01-01,M,1\n"), &["line 3", "already in line 2"]);
}

#[test]
fn numbers_out_of_range() {
    let file = format!("{HEAD}b2,2022-01-01,F,121\n");
    refused("range.csv", file, &["line 3", "column `age`", "from 0 to 120"]);
}

#[test]
fn dates_that_do_not_exist() {
    let file = format!("{HEAD}b2,2022-02-29,F,1\n");
    refused("date.csv", file, &["line 3", "column `date`", "a date that exists"]);
}

#[test]
fn values_that_are_none_of_the_enum() {
    let file = format!("{HEAD}b2,2022-01-01,X,1\n");
    refused("enum.csv", file, &["line 3", "column `sex`", "one of the 2 values"]);
}

#[test]
fn empty_files() {
    refused("empty.csv", "", &["the file is empty", "header line only"]);
}

#[test]
fn damaged_gzip() {
    refused("cut.csv.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01", &["gzip"]);
}

#[test]
fn a_file_that_is_not_there() {
    let federation = Federation::shared();
    let mapping = federation.write("none.toml", UPSERT);
    let file = federation.path("none.csv");
    let arguments = ["import", &file, "--mapping", &mapping];
    federation.town.reeve(&arguments).fails(5, &["none.csv", "cannot open"]);
}

#[test]
fn bad_rows_can_be_left_out_and_go_to_a_file_with_their_values() {
    let file = "number,date,sex,age\nr1,2022-03-01,F,40\nr2,2022-03-01,=1+1,1\nr3,2022-03-01,M\n";
    import("reject.csv", file, UPSERT, &["--max-rejects", "1"])
        .fails(5, &["2 rows are bad, 1 allowed"]);
    assert_eq!(own_rows("2022-03-01"), []);
    let rejects = Federation::shared().path("rejects.csv");
    let more = ["--max-rejects", "2", "--rejects", &rejects];
    let said = import("reject.csv", file, UPSERT, &more).fails(5, &["2 rows were left out"]);
    assert!(said.out.contains("1 inserted") && !said.out.contains("=1+1"), "{said:?}");
    assert_eq!(own_rows("2022-03-01"), [("female".to_owned(), 1)]);
    let written = std::fs::read_to_string(rejects).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines[0], "line,column,field,value,reason");
    assert!(lines[1].starts_with("3,sex,sex,'=1+1,"), "{written}");
    assert!(lines[2].starts_with("4,") && lines[2].contains("expected 4 columns"), "{written}");
}

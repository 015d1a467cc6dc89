//! Files that are refused, and what is said of them.

use super::*;

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
    assert_eq!(closed(&checked), ["2020-03-02"], "a bad row closes nothing");
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

proptest! {
    /// Whatever the bytes, a file is read or refused, and both passes agree on what it holds.
    #[test]
    fn any_bytes_are_read_or_refused(
        pieces in prop::collection::vec(
            prop_oneof![
                Just(b"1,2020-03-01,M,4".to_vec()),
                Just(b"\n".to_vec()),
                Just(b"\r\n".to_vec()),
                Just(b"{\"number\":\"2\",\"date\":\"2020-03-02\"}".to_vec()),
                Just(b"\"".to_vec()),
                Just(b",".to_vec()),
                prop::collection::vec(any::<u8>(), 0..6),
            ],
            0..40,
        ),
        json in any::<bool>(),
        latin in any::<bool>(),
    ) {
        let format = if json { "ndjson" } else { "csv" };
        let encoding = if latin { "latin-1" } else { "utf-8" };
        let text = MAPPING.replace(
            "[field.reported_on]",
            &format!("[file]\nformat = \"{format}\"\nencoding = \"{encoding}\"\n[field.reported_on]"),
        );
        let head: &[u8] = if json { b"" } else { b"number,date,sex,age\n" };
        let file = [head, &pieces.concat()].concat();
        let options = ImportOptions { max_rejects: u64::MAX, ..ImportOptions::default() };
        if let Ok(checked) = check(&memory(&file), &mapping(&text), &options) {
            let summary = checked.summary();
            prop_assert_eq!(summary.rows, summary.accepted + summary.rejected);
            prop_assert_eq!(puts(&checked).len() as u64, summary.accepted);
        }
    }
}

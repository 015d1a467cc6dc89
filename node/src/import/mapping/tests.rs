//! What a mapping may not say, and where it says it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::import::tests::schema;

const GOOD: &str = r#"kind = "case"
mode = "append"
id = ["n"]
[field.reported_on]
column = "d"
"#;

fn problems(text: &str) -> String {
    Mapping::parse("m.toml", text, &schema()).expect_err(text).to_string()
}

#[test]
fn the_smallest_mapping_has_sensible_defaults() {
    let mapping = Mapping::parse("m.toml", GOOD, &schema()).unwrap();
    assert_eq!(mapping.format, Format::Csv { delimiter: b',', header: true });
    assert_eq!((mapping.source(), mapping.mode()), ("case", Mode::Append));
    assert!(!mapping.names_units());
}

#[test]
fn every_problem_names_its_line_and_what_would_do() {
    for (extra, expected) in [
        (
            "[field.colour]\ncolumn = \"x\"\n",
            "m.toml:6:8: field.colour: expected a field of kind case",
        ),
        ("[field.sex]\n", "m.toml:6:1: field.sex: expected either `column` or `constant`"),
        (
            "[field.sex]\ncolumn = \"x\"\nconstant = \"male\"\n",
            "expected either `column` or `constant`",
        ),
        (
            "[field.sex]\nconstant = \"m\"\n",
            "m.toml:7:12: field.sex.constant: expected one of the 2 values",
        ),
        ("[field.sex]\ncolumn = \"x\"\nvalues = { M = \"m\" }\n", "field.sex.values.M"),
        ("[field.sex]\ncolumn = \"x\"\nempty = \"none\"\n", "field.sex.empty"),
        (
            "[field.sex]\ncolumn = \"x\"\nformat = \"%Y\"\n",
            "no format, because the field's type is enum",
        ),
        ("[field.sex]\ncolumn = \"x\"\nother = \"drop\"\n", "one of keep, unset, reject"),
        ("[field.sex]\ncolumn = \"x\"\ncolour = 1\n", "found the unknown key `colour`"),
        ("[field.age]\ncolumn = \"x\"\nempty = 500\n", "expected a number from 0 to 120"),
        ("[field.age]\ncolumn = \"x\"\ndecimal_comma = true\n", "no decimal comma"),
        ("[field.age]\ncolumn = \" x\"\n", "a column's name without blanks"),
        (
            "[field.seen_at]\ncolumn = \"x\"\nformat = \"%Y-%m-%d\"\n",
            "a format that tells date, hour",
        ),
        ("[file]\nformat = \"xml\"\n", "m.toml:7:10: file.format: expected one of csv, ndjson"),
        ("[file]\ndelimiter = \"ab\"\n", "one ASCII character"),
        ("[file]\nencoding = \"utf-16\"\n", "one of utf-8, latin-1"),
        ("[file]\nformat = \"ndjson\"\ndelimiter = \";\"\n", "found the unknown key `delimiter`"),
        ("[file]\nheader = false\n", "a column's number"),
        ("[only]\nx = 5\n", "m.toml:7:5: only.x: expected a text, a list of texts"),
        ("[only]\nx = { is = \"a\" }\n", "only.x: expected a text, a list of texts"),
        ("[unit]\ncolumn = \"u\"\nvalues = { \"1\" = \"UP\" }\n", "expected a unit id"),
        ("[closes]\n", "expected either `column`"),
        ("[closes]\nperiod = \"2020\"\n", "expected a period: 2020-03-01"),
        ("[closes]\nfile_name = \"cases.csv\"\n", "a format that tells a day"),
        ("[closes]\ncolumn = \"x\"\nstep = \"year\"\n", "one of day, week, month"),
        ("[snapshot]\nscope = [\"reported_on\"]\n", "[snapshot] with `mode = \"snapshot\"` only"),
        ("[snapshot]\nscope = [\"age\"]\n", "a field that this mapping maps"),
        ("[extra]\n", "found the unknown key `extra`"),
        ("kind = \n", "expected TOML"),
    ] {
        let found = problems(&format!("{GOOD}{extra}"));
        assert!(found.contains(expected), "{extra}\n{found}\nlacks: {expected}");
    }
    for (old, new, expected) in [
        (
            "kind = \"case\"",
            "kind = \"cas\"",
            "m.toml:1:8: kind: expected one of case, found \"cas\"",
        ),
        ("kind = \"case\"", "kind = \"closure\"", "expected one of case"),
        ("mode = \"append\"\n", "", "mode: expected append, upsert or snapshot, found nothing"),
        ("mode = \"append\"", "mode = \"add\"", "one of append, upsert, snapshot"),
        ("id = [\"n\"]", "id = []", "1 to 8 columns"),
        ("id = [\"n\"]", "id = \"n\"", "a list of strings"),
        (
            "[field.reported_on]\ncolumn = \"d\"\n",
            "",
            "a rule for the required field `reported_on`",
        ),
        ("id = [\"n\"]", "id = [\"n\"]\nsource = \"a/b\"", "bytes without `/`"),
        ("id = [\"n\"]", "id = [\"n\"]\nid_separator = \"\"", "visible text"),
    ] {
        let found = problems(&GOOD.replace(old, new));
        assert!(found.contains(expected), "{new}\n{found}\nlacks: {expected}");
    }
}

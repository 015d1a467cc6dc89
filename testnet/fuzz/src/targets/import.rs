//! Files of an import: CSV, NDJSON, gzip, in every encoding that a mapping may name.

use std::sync::{Arc, OnceLock};

use reeve::import::{BATCH_RECORDS, ImportOptions, Input, Mapping, check};
use reeve_crdt::schema::Schema;

const SCHEMA: &str = r#"
[schema]
name = "t"
version = 1
[kind.case]
twin = "emergency"
field.status = { type = "enum", values = ["suspected", "confirmed", "closed"], required = true }
field.age = { type = "integer", min = 0, max = 130 }
field.dose = { type = "decimal", scale = 2, min = "-1.00", max = "99.99" }
field.reported_on = { type = "date" }
field.seen_at = { type = "timestamp" }
field.note = { type = "text", max = 200 }
"#;

/// What stands in the mapping before the fields: the file's form, by the input's first byte.
const FORMS: [&str; 6] = [
    "",
    "[file]\nformat = \"ndjson\"\n",
    "[file]\ndelimiter = \";\"\nencoding = \"latin-1\"\n",
    "[file]\nheader = false\n",
    "[file]\nformat = \"ndjson\"\nencoding = \"latin-1\"\n",
    "[file]\ndelimiter = \"\\t\"\n",
];

const FIELDS: &str = r#"
[field.status]
column = "status"
values = { C = "confirmed", S = "suspected" }
other = "keep"
[field.age]
column = "age"
[field.dose]
column = "dose"
decimal_comma = true
[field.reported_on]
column = "day"
format = "%d/%m/%Y"
[field.seen_at]
column = "seen"
[field.note]
column = "note"
[only]
kind = { not = ["test"] }
[closes]
column = "day"
format = "%d/%m/%Y"
"#;

/// Without a header, columns are numbers.
const COLUMNS: [(&str, &str); 8] = [
    ("status", "1"),
    ("age", "2"),
    ("dose", "3"),
    ("day", "4"),
    ("seen", "5"),
    ("note", "6"),
    ("\nkind", "\n7"),
    ("id", "8"),
];

/// A mapping of each form and mode.
fn mappings() -> &'static [Mapping] {
    static MAPPINGS: OnceLock<Vec<Mapping>> = OnceLock::new();
    MAPPINGS.get_or_init(|| {
        let schema = Schema::parse("t.toml", SCHEMA).unwrap();
        let of = |(number, form): (usize, &&str)| {
            let mode = ["upsert", "append", "snapshot"][number % 3];
            let mut fields = FIELDS.to_owned();
            let mut id = "id".to_owned();
            if form.contains("header = false") {
                for (name, column) in COLUMNS.iter().filter(|(name, _)| !name.starts_with('\n')) {
                    fields = fields.replace(
                        &format!("column = \"{name}\""),
                        &format!("column = \"{column}\""),
                    );
                }
                fields = fields.replace("\nkind = ", "\n7 = ");
                "8".clone_into(&mut id);
            }
            let text =
                format!("kind = \"case\"\nmode = \"{mode}\"\nid = [\"{id}\"]\n{form}{fields}");
            match Mapping::parse("mapping.toml", &text, &schema) {
                Ok(mapping) => mapping,
                Err(problems) => panic!("{problems}"),
            }
        };
        FORMS.iter().enumerate().map(of).collect()
    })
}

/// A file, whose first byte chooses the mapping: it is refused as a whole, or both passes agree on
/// every record, and no message holds a value of the file.
pub fn file(bytes: &[u8]) {
    let Some((form, content)) = bytes.split_first() else { return };
    let Some(mapping) = mappings().get(usize::from(*form) % FORMS.len()) else { return };
    let input = Input::Memory { name: "file".to_owned(), bytes: Arc::from(content) };
    let options = ImportOptions { max_rejects: u64::MAX, ..ImportOptions::default() };
    let checked = match check(&input, mapping, &options) {
        Ok(checked) => checked,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let summary = checked.summary();
    assert_eq!(summary.rows, summary.skipped + summary.accepted + summary.rejected);
    let mut records = 0_u64;
    for batch in checked.batches().expect("bytes that were read once") {
        let batch = batch.expect("bytes that did not change");
        assert!((1..=BATCH_RECORDS).contains(&batch.puts.len()));
        for put in &batch.puts {
            assert_eq!(put.record.kind(), &mapping.kind().id);
        }
        records += u64::try_from(batch.puts.len()).unwrap();
    }
    assert_eq!(records, summary.accepted, "the passes differ");
    let _ = checked.sweep(None);
}

/// Seeds of [`file`].
pub fn file_seeds() -> Vec<Vec<u8>> {
    let header = "id,status,age,dose,day,seen,note,kind\n";
    let rows = "1,C,40,\"1,50\",28/02/2026,2026-03-01T12:00:00Z,\"a \"\"note\"\"\",x\n\
                2,S,,,01/03/2026,,,test\n3,closed,7,0,01/03/2026,,=1+1,x\n";
    let csv = format!("{header}{rows}");
    let json = "{\"id\":1,\"status\":\"C\",\"age\":40,\"dose\":\"1,50\",\"day\":\"28/02/2026\",\"other\":{\"a\":[1]}}\n\
                {\"id\":\"2\",\"status\":\"S\",\"day\":\"01/03/2026\",\"note\":\"\\u00e8\"}\n";
    let of = |form: u8, text: &str| [&[form], text.as_bytes()].concat();
    let bare = "C,40,1,28/02/2026,,note,x,1\n";
    let latin =
        [&[2_u8], csv.replace(',', ";").as_bytes(), b"4;C;1;1;01/03/2026;;\xe8;x\n"].concat();
    // The smallest gzip file: stored, not compressed.
    let stored = |text: &str| {
        let length = u16::try_from(text.len()).unwrap();
        let mut bytes = vec![0, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1];
        bytes.extend(length.to_le_bytes());
        bytes.extend((!length).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend([0; 8]);
        bytes
    };
    vec![
        of(0, &csv),
        of(1, json),
        latin,
        of(3, bare),
        of(5, &csv.replace(',', "\t")),
        stored(&csv),
        of(0, "id,status\r\n\"1\r\n\",C\r\n"),
    ]
}

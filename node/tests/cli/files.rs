//! The files that a municipality's people write.

pub const PASSPHRASE: &str = "correct horse battery staple";

pub const SCHEMA: &str = r#"
[schema]
name = "town"
version = 1

[kind.case]
twin = "emergency"
subject = "person"
expected_records = 1000

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

[kind.case.field.note]
type = "text"
max = 100

[kind.stock]
twin = "emergency"
merge = "field"

[kind.stock.field.site]
type = "enum"
values = ["=1+1", "north"]
required = true

[kind.stock.field.beds]
type = "integer"
min = 0
max = 1000
required = true
"#;

pub const CATALOGUE: &str = r#"
[catalogue]
version = 1

[indicator.cases]
title = { en = "Cases by day and sex", it = "Casi per giorno e sesso", zh = "按日期和性别的病例" }
kind = "case"
period = { field = "reported_on", step = "day" }
group_by = ["sex"]
measure = "count"
basis = "residence"
floor = { superior = 5 }

[indicator.beds]
title = "Beds by site"
kind = "stock"
period = { step = "now" }
group_by = ["site"]
measure = "sum(beds)"
basis = "treatment"

[indicator.exact_cases]
title = "Cases by day, for people at home only"
kind = "case"
where = { age = { set = true } }
period = { field = "reported_on", step = "day" }
measure = "count"
basis = "residence"
floor = {}
"#;

/// A file's rows replace what the same ids said before.
pub const UPSERT: &str = r#"
kind = "case"
mode = "upsert"
id = ["number"]
source = "health-office"

[field.reported_on]
column = "date"

[field.sex]
column = "sex"
values = { F = "female", M = "male" }

[field.age]
column = "age"

[closes]
column = "date"
"#;

/// A file's rows are new.
pub fn append() -> String {
    UPSERT.replace("\"upsert\"", "\"append\"")
}

/// A file is the full state of the days in it.
pub fn snapshot() -> String {
    format!(
        "{}\n[snapshot]\nscope = [\"reported_on\"]\n",
        UPSERT.replace("\"upsert\"", "\"snapshot\"")
    )
}

/// As [`UPSERT`], one JSON object per line.
pub fn ndjson() -> String {
    UPSERT.replace("[field.reported_on]", "[file]\nformat = \"ndjson\"\n\n[field.reported_on]")
}

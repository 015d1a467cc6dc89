//! The schema and catalogue of the tests: every measure, filter, dimension and step.

use reeve_statement::catalogue::Catalogue;

use super::super::*;
use crate::record::Value;
use crate::schema::Closure;

pub(super) const ZONE: &str = "Europe/Rome";

pub(super) const SCHEMA: &str = r#"
[schema]
name = "test"
version = 1

[kind.hospital]
twin = "city"
[kind.hospital.field.district]
type = "enum"
values = ["north", "south"]
[kind.hospital.field.public]
type = "boolean"

[kind.visit]
twin = "emergency"
[kind.visit.field.on]
type = "date"
[kind.visit.field.seen_at]
type = "timestamp"
[kind.visit.field.state]
type = "enum"
values = ["open", "closed", "lost"]
[kind.visit.field.place]
type = "enum"
values = ["out-of-region", "unassigned"]
[kind.visit.field.age]
type = "integer"
min = 0
max = 9
[kind.visit.field.age_band]
type = "band"
values = ["young", "middle", "old"]
[kind.visit.field.weight]
type = "integer"
min = -9223372036854775808
max = 9223372036854775807
[kind.visit.field.cost]
type = "decimal"
scale = 1
min = "-2.0"
max = "2.0"
[kind.visit.field.urgent]
type = "boolean"
[kind.visit.field.hospital]
type = "reference"
kind = "hospital"
[kind.visit.field.note]
type = "text"

[kind.stock]
twin = "emergency"
[kind.stock.field.item]
type = "enum"
values = ["mask", "bed"]
[kind.stock.field.site]
type = "reference"
kind = "hospital"
[kind.stock.field.counted_on]
type = "date"
[kind.stock.field.counted_at]
type = "timestamp"
[kind.stock.field.amount]
type = "integer"
min = 0
max = 100
"#;

pub(super) const CATALOGUE: &str = r#"
[catalogue]
version = 1

[indicator.visits_by_day]
title = "Visits"
kind = "visit"
basis = "report"
period = { field = "on", step = "day" }
group_by = ["state"]
measure = "count"

[indicator.seen_by_day]
kind = "visit"
basis = "report"
period = { field = "seen_at", step = "day" }
measure = "count"

[indicator.visits_now]
kind = "visit"
basis = "report"
period = { step = "now" }
measure = "count"
residual = "place"
group_by = ["urgent", { field = "age", bands = [{ to = 2 }, { label = "mid", from = 3, to = 6 }, { from = 7 }] }]
where = { any = [{ age = { at_least = 3 } }, { urgent = true }, { not = { state = "open" } }] }

[indicator.by_district]
kind = "visit"
basis = "treatment"
period = { field = "on", step = "day" }
group_by = ["hospital.district", "hospital.public"]
measure = "count"
where = { state = { in = ["open", "lost"] }, age = { less = 8 } }

[indicator.by_hospital]
kind = "visit"
basis = "treatment"
period = { field = "on", step = "week" }
group_by = ["hospital"]
measure = "sum(age)"
where = { all = [{ hospital = { set = true } }, { note = { set = false } }] }
contributors = "value"

[indicator.weight_by_month]
kind = "visit"
basis = "report"
period = { field = "on", step = "month" }
measure = "sum(weight)"

[indicator.cost_by_week]
kind = "visit"
basis = "report"
period = { field = "seen_at", step = "week" }
group_by = ["age_band"]
measure = "mean(cost)"
residual = "place"
where = { cost = { greater = "-1.5", at_most = "1.5" }, seen_at = { at_least = "2020-03-22T00:00:00Z" } }

[indicator.least_cost]
kind = "visit"
basis = "report"
period = { field = "on", step = "day" }
group_by = ["urgent", "hospital.district"]
measure = "min(cost)"

[indicator.greatest_age]
kind = "visit"
basis = "report"
period = { step = "now" }
measure = "max(age)"
where = { on = { between = ["2020-03-22", "2020-04-05"] }, age_band = { at_least = "middle" } }

[indicator.stock_by_day]
kind = "stock"
basis = "report"
period = { field = "counted_on", step = "day" }
group_by = ["item"]
measure = "latest-sum(amount)"
latest = { by = ["item", "site"], at = "counted_on", max_age = "2d" }

[indicator.stock_by_week]
kind = "stock"
basis = "report"
period = { field = "counted_at", step = "week" }
group_by = ["site.district"]
measure = "latest-sum(amount)"
latest = { by = ["site"], at = "counted_at", max_age = "9d" }
where = { amount = { at_most = 6 } }

[indicator.stock_now]
kind = "stock"
basis = "report"
period = { step = "now" }
measure = "latest-sum(amount)"
latest = { by = ["item", "site"], at = "counted_at", max_age = "2d" }
contributors = "value"
"#;

pub(super) fn schema() -> Schema {
    Schema::parse("schema.toml", SCHEMA).unwrap()
}

pub(super) fn catalogue() -> Catalogue {
    catalogue_with(None)
}

/// The same with days that end at this hour.
pub(super) fn catalogue_with(cut_off: Option<u8>) -> Catalogue {
    let cut_off = cut_off.map(|hour| format!("version = 1\ncut_off = {hour}"));
    let text = CATALOGUE.replacen("version = 1", cut_off.as_deref().unwrap_or("version = 1"), 1);
    match crate::catalogue::parse("catalogue.toml", &text, &schema()) {
        Ok(catalogue) => catalogue,
        Err(problems) => unreachable!("{problems}"),
    }
}

pub(super) fn id(text: &str) -> RecordId {
    RecordId::new(text).unwrap()
}

/// A record of a kind from texts.
pub(super) fn record(kind: &str, values: &[(&str, &str)]) -> Record {
    let schema = schema();
    let kind = schema.kind(kind).unwrap();
    let value = |(name, text): &(&str, &str)| {
        let field = kind.field(name).unwrap();
        (field.id.clone(), Value::parse(&field.field_type, text).unwrap())
    };
    values.iter().map(value).collect()
}

pub(super) fn fact(
    kind: &str,
    name: &str,
    before: Option<&Record>,
    after: Option<&Record>,
) -> Fact {
    Fact {
        kind: kind.parse().unwrap(),
        id: id(name),
        before: before.cloned(),
        after: after.cloned(),
    }
}

/// The fact that a source closed a period of a kind.
pub(super) fn closure(source: &str, kind: &str, period: &str) -> Fact {
    let closure = Closure {
        source: source.to_owned(),
        kind: kind.parse().unwrap(),
        period: period.parse().unwrap(),
        closed_at: Timestamp::from_seconds(0),
        file_hash: None,
        reason: None,
    };
    let id = closure.id().unwrap();
    Fact { kind: CLOSURE.parse().unwrap(), id, before: None, after: Some(closure.to_record()) }
}

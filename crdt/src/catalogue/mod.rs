//! Catalogues: from the TOML file that a person writes to the signed form, checked against a schema.
//!
//! [`parse`] reports every problem with file, line, column, key, what was expected, what was found
//! and what to do. It fills in what the schema knows (closed domains, declared ranges, decimal
//! places, whether the kind is personal), so that the signed form is complete by itself. It never
//! reads a file, never signs, and never looks at a record.
//!
//! # The catalogue file
//!
//! ```toml
//! [catalogue]
//! version = 3                          # required: 1 or more; raise it with every change
//! cut_off = 18                         # hour from 1 to 23; default: midnight; see Period
//!
//! [indicator.confirmed_by_day]         # at most 1,000; name: letter, then letters, digits, _
//! title      = { en = "Confirmed cases by report date, age band and sex" }  # or one string
//! kind       = "case"                  # required: a kind of the schema
//! where      = { status = "confirmed" }  # default: every record; see below
//! period     = { field = "reported_on", step = "day" }   # required; see below
//! group_by   = ["age_band", "sex"]     # default: no dimensions; at most 8; see below
//! measure    = "count"                 # required; see below
//! area_depth = 2                       # 0 to 15, default 1: levels down that a roll-up keeps apart
//! residual   = "residence_known"       # an enum field; its value names the residual of the area
//! basis      = "residence"             # required: residence | report | treatment
//! floor      = { public = 11, neighbour = 5, superior = 1 }  # see below
//! legal_basis = "Infectious Disease Act, s. 7"  # required where a personal floor is 1
//! contributors = "records"             # records (default) | value; see below
//! presence   = "hidden"                # hidden (default) | told: may an absent row be told?
//! expected_within = "36h"              # hours or days (2d) after a period's end; default: no deadline
//! due        = "working"               # every (default) | working | ["mon", "thu"]; see below
//! ```
//!
//! **Period.** `step` is `day`, `week` (ISO 8601, from Monday), `month` or `now`. The first three
//! need `field`, a date or timestamp of the kind; a timestamp counts for the day it has in the unit's
//! time zone, a record where the field is not set counts nowhere. `now` has no field. With a `cut_off`
//! in the header days end at that hour of the unit's clock: a timestamp at or after it counts for the
//! next day. Dates are days already and are not moved.
//!
//! **Due.** A period without a day that is due is expected of nobody: who reports nothing of it is
//! `not due`. `working` are the days that each unit works, as its superior's register says (else
//! Monday to Friday), without its holidays; named days of the week are due but for its holidays. A
//! deadline that falls on another day moves to the next day that is due.
//!
//! **Measures.** `count`; `sum(field)`, `mean(field)`, `min(field)`, `max(field)` of an integer or
//! decimal field, over the records where it is set; `min` and `max` not on personal kinds.
//! `latest-sum(field)` is for stocks and needs
//! `latest = { by = ["site", "item"], at = "counted_at", max_age = "3d" }`: of the records that share
//! the values of `by`, only the latest in `at` counts (of equal ones that with the greatest id), and
//! only if its day is at most `max_age` before the last day of the period (for `now`: before today).
//! Its period field, if any, is `at`.
//!
//! **Contributors** are what the floors count: each record that counts (for `sum`, `mean` and the
//! like: where the field is set), or with `value`, where a record stands for as many persons as its
//! field says, the summed field itself: then the measure is `sum` or `latest-sum` of an integer whose
//! declared `min` is not negative.
//!
//! **Where.** A table; several keys all hold. An unset field satisfies no comparison.
//!
//! | form | holds if |
//! |---|---|
//! | `{ status = "confirmed" }` | equal |
//! | `{ status = { in = ["confirmed", "probable"] } }` | equal to one of them, at most 256 |
//! | `{ age = { at_least = 65 } }`, `at_most`, `greater`, `less` | so compared; integers, decimals, dates, timestamps, bands |
//! | `{ age = { at_least = 18, less = 65 } }` | both |
//! | `{ age = { between = [18, 64] } }` | within, ends included |
//! | `{ died_on = { set = true } }` | the field is set; with `false`: not set |
//! | `{ not = { ... } }` | the filter does not hold |
//! | `{ any = [{ ... }, { ... }] }` | at least one holds |
//! | `{ all = [{ ... }, { ... }] }` | all hold |
//!
//! Constants have the type of the field: whole numbers; decimals as numbers or strings; dates and
//! timestamps (RFC 3339) as strings or TOML dates; an enum's or band's value from its list. Numbers
//! lie in the field's declared range. A filter nests at most 16 deep.
//!
//! **Dimensions.** Closed domains only, and not more than 10,000 combinations, each domain being one
//! larger for "not set":
//!
//! | form | rows by |
//! |---|---|
//! | `"sex"` | an enum, band or boolean field |
//! | `{ field = "age", bands = [{ label = "0-17", to = 17 }, { from = 18 }] }` | bands over a number, which together cover its declared range and do not overlap; `label` may be left out |
//! | `"hospital.district"` | a closed field of the record that a reference names; not if its kind is personal |
//! | `"hospital"` | that record itself; not if its kind is personal |
//!
//! **Residual.** Every value of the field must be a unit id (lower-case letters, digits, hyphens).
//!
//! **Floors** are the fewest contributors of a told cell, per class of recipients; 1 is exact. They
//! never fall from `superior` to `neighbour` to `public`. On a personal kind `floor` is required, and
//! a class that it leaves out is told nothing ([`NEVER`]); on others a class left out has floor 1.
//!
//! **Overlap.** Two indicators of one personal kind that are cut differently (`where`, `period`,
//! `group_by`, `residual`, `latest`) can be subtracted from each other. They are refused for each
//! class that is told both, unless both are exact for it (floor 1), or no record can be in both
//! because a field must have different values (or be set in one and not in the other). Equal cuts
//! with different measures are allowed where the same persons stand behind each row (the same field is
//! measured, or one that is required) and the floors are equal.

use reeve_statement::catalogue::{Catalogue, CutOff, Indicator};

use crate::located::{Problems, Report, Section};
use crate::schema::{FieldType, Schema};

mod constant;
mod dimension;
mod filter;
mod floors;
mod indicator;
mod measure;
mod overlap;

pub use floors::NEVER;

/// Reads a catalogue from the text of a TOML file and checks it against a schema; `file` is its name
/// in messages.
///
/// # Errors
/// Every problem of the file with its place, for whoever wrote it.
pub fn parse(file: &str, text: &str, schema: &Schema) -> Result<Catalogue, Problems> {
    let mut report = Report::new(file, text);
    let catalogue = read(schema, &mut report);
    report.finish(catalogue)
}

fn read(schema: &Schema, report: &mut Report<'_>) -> Option<Catalogue> {
    let table = report.parse()?;
    let mut root = Section::root(&table);
    let (version, cut_off) = header(&mut root, report);
    let mut indicators = indicator::indicators(&mut root, schema, report);
    root.finish(report);
    overlap::check(&indicators, schema, report);
    indicators.sort_by(|a, b| a.indicator.id.cmp(&b.indicator.id));
    let mut indicators: Vec<Indicator> =
        indicators.into_iter().map(|draft| draft.indicator).collect();
    for indicator in indicators.iter_mut().filter(|it| puts_moments_into_days(it, schema)) {
        indicator.cut_off = cut_off;
    }
    Some(Catalogue { version: version?, schema: schema.hash(), indicators })
}

/// Whether a cut-off hour bears on it: dates are days already, and the present has no days.
fn puts_moments_into_days(indicator: &Indicator, schema: &Schema) -> bool {
    let kind = schema.kind(indicator.kind.as_str());
    let field = indicator.period_field.as_ref().and_then(|field| kind?.field(field.as_str()));
    field.is_some_and(|field| matches!(field.field_type, FieldType::Timestamp))
}

/// Reads `[catalogue]`: version and cut-off hour.
fn header(root: &mut Section<'_>, report: &mut Report<'_>) -> (Option<u64>, Option<CutOff>) {
    let Some(mut section) = root.section("catalogue", report) else {
        root.missing("catalogue", "a table [catalogue] with version", report);
        return (None, None);
    };
    let version = version(&mut section, report);
    let cut_off = cut_off(&mut section, report);
    section.finish(report);
    (version, cut_off)
}

fn cut_off(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<CutOff> {
    section.entry("cut_off")?;
    let (number, span) = section.integer("cut_off", report)?;
    let cut_off = u8::try_from(number).ok().and_then(CutOff::new);
    if cut_off.is_none() {
        let path = section.path_of("cut_off");
        let next = "leave it out if days end at midnight";
        report.add(span, &path, "an hour from 1 to 23", number.to_string(), next);
    }
    cut_off
}

fn version(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<u64> {
    let number = section.integer("version", report);
    match number {
        Some((number, span)) => {
            let version = u64::try_from(number).ok().filter(|version| *version > 0);
            if version.is_none() {
                let path = section.path_of("version");
                report.add(span, &path, "1 or more", number.to_string(), "");
            }
            version
        }
        None => {
            section.missing("version", "a whole number, 1 or more", report);
            None
        }
    }
}

#[cfg(test)]
mod tests;

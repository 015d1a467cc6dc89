//! The catalogue's reader against texts that are right and texts that are wrong.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use reeve_statement::catalogue::{
    Band, Contributors, Dimension, Filter, Floors, Indicator, Measure, Scalar,
};
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::period::Step;

use super::*;

const SCHEMA: &str = r#"
[schema]
name = "small"
version = 1

[kind.district]
twin = "city"
[kind.district.field.zone]
type = "enum"
values = ["north", "south"]
[kind.district.field.name]
type = "text"

[kind.case]
twin = "emergency"
subject = "person"
[kind.case.field.status]
type = "enum"
values = ["suspected", "confirmed", "recovered"]
[kind.case.field.age]
type = "integer"
min = 0
max = 120
[kind.case.field.age_band]
type = "band"
values = ["0-17", "18-64", "65+"]
[kind.case.field.where_from]
type = "enum"
values = ["out-of-region", "unassigned"]
[kind.case.field.reported_on]
type = "date"
[kind.case.field.seen_at]
type = "timestamp"
[kind.case.field.died_on]
type = "date"
[kind.case.field.vaccinated]
type = "boolean"
[kind.case.field.note]
type = "text"
[kind.case.field.district]
type = "reference"
kind = "district"
[kind.case.field.infected_by]
type = "reference"
kind = "case"

[kind.stock]
twin = "emergency"
[kind.stock.field.item]
type = "enum"
values = ["mask", "bed"]
[kind.stock.field.amount]
type = "integer"
min = 0
max = 1000000
[kind.stock.field.price]
type = "decimal"
scale = 2
min = "0.00"
max = "99.99"
[kind.stock.field.counted_at]
type = "timestamp"
[kind.stock.field.counted_on]
type = "date"
[kind.stock.field.big_a]
type = "integer"
min = 0
max = 200
"#;

fn schema() -> Schema {
    Schema::parse("schema.toml", SCHEMA).unwrap()
}

fn read_text(body: &str) -> Result<Catalogue, Problems> {
    parse("c.toml", &format!("[catalogue]\nversion = 1\n{body}"), &schema())
}

/// An indicator over cases with these further lines.
fn case(name: &str, lines: &str) -> String {
    let mut text = format!("[indicator.{name}]\nkind = \"case\"\nbasis = \"residence\"\n");
    let defaults = [
        ("measure", "measure = \"count\""),
        ("period", "period = { field = \"reported_on\", step = \"day\" }"),
        ("floor", "floor = { superior = 5 }"),
    ];
    for (key, line) in defaults {
        if !lines.lines().any(|l| l.split('=').next().is_some_and(|k| k.trim() == key)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    format!("{text}{lines}\n")
}

fn stock(name: &str, lines: &str) -> String {
    format!("[indicator.{name}]\nkind = \"stock\"\nbasis = \"report\"\n{lines}\n")
}

fn one(text: &str) -> Indicator {
    let catalogue = match read_text(text) {
        Ok(catalogue) => catalogue,
        Err(problems) => unreachable!("{problems}"),
    };
    assert_eq!(
        from_slice::<Catalogue>("catalogue", &to_vec(&catalogue), 1 << 20).unwrap(),
        catalogue
    );
    catalogue.indicators.into_iter().next().unwrap()
}

fn filter(condition: &str) -> Filter {
    one(&case("x", &format!("where = {condition}"))).filter
}

/// The only problem of a file, as people see it.
fn problem(text: &str) -> String {
    let problems = read_text(text).unwrap_err();
    assert_eq!(problems.iter().count(), 1, "{problems}");
    problems.to_string()
}

#[test]
fn the_example_of_the_format_is_read_whole() {
    let indicator = one(r#"
[indicator.confirmed_by_day]
title = { en = "Confirmed", it = "Confermati" }
kind = "case"
where = { status = "confirmed" }
period = { field = "reported_on", step = "day" }
group_by = ["age_band", "vaccinated", "district.zone", { field = "age", bands = [{ to = 17 }, { from = 18 }] }]
measure = "count"
area_depth = 2
residual = "where_from"
basis = "residence"
floor = { public = 11, neighbour = 5, superior = 1 }
legal_basis = "Infectious Disease Act, s. 7"
presence = "told"
expected_within = "36h"
"#);
    assert!(indicator.personal && indicator.presence_told);
    assert_eq!(indicator.title.text("it"), Some("Confermati"));
    assert_eq!(indicator.step, Step::Day);
    assert_eq!(indicator.filter, Filter::Equal("status".parse().unwrap(), text("confirmed")));
    assert_eq!(indicator.floors, Floors { superior: 1, neighbour: 5, public: 11 });
    assert_eq!((indicator.scale, indicator.record_range), (0, Some((1, 1))));
    assert_eq!((indicator.area_depth, indicator.expected_within_hours), (2, Some(36)));
    assert_eq!(indicator.combinations(), Some(4 * 3 * 3 * 3));
    let band = |label: &str, lo, hi| Band { label: label.to_owned(), lo, hi };
    let bands = vec![band("up to 17", None, Some(17)), band("18+", Some(18), None)];
    let expected = Dimension::Band { field: "age".parse().unwrap(), bands };
    assert_eq!(indicator.group_by.last(), Some(&expected));
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let indicator = one(&stock("x", "measure = \"sum(price)\"\nperiod = { step = \"now\" }"));
    assert_eq!(indicator.floors, Floors { superior: 1, neighbour: 1, public: 1 });
    assert_eq!((indicator.scale, indicator.record_range), (2, Some((0, 9_999))));
    assert_eq!(indicator.filter, Filter::everything());
    assert_eq!((indicator.area_depth, indicator.residual), (1, None));
    assert_eq!(indicator.title.text("en"), Some("x"));
    assert_eq!(one(&case("x", "")).floors.public, NEVER);
    assert_eq!(indicator.contributors, Contributors::Records);
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

#[test]
fn every_form_of_filter_is_read() {
    let id = |name: &str| name.parse().unwrap();
    let int = Scalar::Integer;
    let bands =
        |labels: &[&str]| Filter::In(id("age_band"), labels.iter().map(|l| text(l)).collect());
    let day = || text("2020-03-01");
    let cases = [
        ("{ status = { equal = \"confirmed\" } }", Filter::Equal(id("status"), text("confirmed"))),
        (
            "{ status = { in = [\"recovered\", \"confirmed\", \"recovered\"] } }",
            Filter::In(id("status"), vec![text("confirmed"), text("recovered")]),
        ),
        ("{ age = { at_least = 65 } }", Filter::AtLeast(id("age"), int(65))),
        ("{ age = { at_most = 65 } }", Filter::AtMost(id("age"), int(65))),
        ("{ age = { less = 65 } }", Filter::Less(id("age"), int(65))),
        ("{ age = { greater = 65 } }", Filter::Greater(id("age"), int(65))),
        ("{ age = { between = [18, 64] } }", Filter::Between(id("age"), int(18), int(64))),
        ("{ age_band = { at_least = \"18-64\" } }", bands(&["18-64", "65+"])),
        ("{ age_band = { less = \"65+\" } }", bands(&["0-17", "18-64"])),
        ("{ age_band = { between = [\"0-17\", \"18-64\"] } }", bands(&["0-17", "18-64"])),
        ("{ died_on = { set = true } }", Filter::IsSet(id("died_on"))),
        ("{ died_on = { set = false } }", Filter::Not(Box::new(Filter::IsSet(id("died_on"))))),
        ("{ vaccinated = true }", Filter::Equal(id("vaccinated"), Scalar::Boolean(true))),
        ("{ reported_on = { less = 2020-03-01 } }", Filter::Less(id("reported_on"), day())),
        ("{ reported_on = { less = \"2020-03-01\" } }", Filter::Less(id("reported_on"), day())),
        (
            "{ seen_at = { less = \"2020-03-01T01:00:00+01:00\" } }",
            Filter::Less(id("seen_at"), text("2020-03-01T00:00:00.000Z")),
        ),
        (
            "{ not = { any = [{ age = 1 }, { all = [{ age = 2 }] }] } }",
            Filter::Not(Box::new(Filter::Any(vec![
                Filter::Equal(id("age"), int(1)),
                Filter::All(vec![Filter::Equal(id("age"), int(2))]),
            ]))),
        ),
        (
            "{ age = { at_least = 18, less = 65 }, district = \"d1\" }",
            Filter::All(vec![
                Filter::All(vec![
                    Filter::AtLeast(id("age"), int(18)),
                    Filter::Less(id("age"), int(65)),
                ]),
                Filter::Equal(id("district"), text("d1")),
            ]),
        ),
    ];
    for (written, expected) in cases {
        assert_eq!(filter(written), expected, "{written}");
    }
}

#[test]
fn a_stock_is_read() {
    let latest = "latest = { by = [\"item\"], at = \"counted_at\", max_age = \"3d\" }";
    let lines =
        format!("measure = \"latest-sum(amount)\"\nperiod = {{ step = \"now\" }}\n{latest}");
    let expected = Measure::LatestSum {
        field: "amount".parse().unwrap(),
        by: vec!["item".parse().unwrap()],
        at: "counted_at".parse().unwrap(),
        max_age_days: 3,
    };
    assert_eq!(one(&stock("x", &lines)).measure, expected);
    let counted = one(&stock("x", &format!("{lines}\ncontributors = \"value\"")));
    assert_eq!((counted.contributors, counted.record_range), (Contributors::Value, Some((1, 1))));
    let other = format!(
        "measure = \"latest-sum(amount)\"\nperiod = {{ field = \"counted_on\", step = \"day\" }}\n{latest}"
    );
    assert!(problem(&stock("x", &other)).contains("expected the period's field `counted_on`"));
}

#[test]
fn a_problem_names_place_expectation_finding_and_way_out() {
    let shown = problem(&case("x", "where = { status = \"confirmd\" }"));
    assert_eq!(
        shown,
        "c.toml:9:20: indicator.x.where.status: expected one of the values (suspected, confirmed, \
         recovered) of the field `status`, found the string \"confirmd\"; write a value that the \
         schema allows"
    );
}

#[test]
fn what_a_catalogue_may_not_say() {
    let now = "measure = \"count\"\nperiod = { step = \"now\" }\n";
    let bands = |bands: &str| format!("group_by = [{{ field = \"age\", bands = {bands} }}]");
    let deep = format!("where = {}{{ age = 1 }}{}", "{ not = ".repeat(16), " }".repeat(16));
    let cases = [
        (case("x", "colour = 1"), "unknown key `colour`"),
        (case("X", ""), "a name of lower-case"),
        (case("x", "area_depth = 16"), "expected 0 to 15 levels, found 16"),
        (case("x", "where = { colour = 1 }"), "expected a field of the kind `case` (age, age_band"),
        (case("x", "where = { age = 121 }"), "a whole number from 0 to 120"),
        (case("x", "where = { age = \"1\" }"), "a whole number from 0 to 120"),
        (case("x", "where = { age = { over = 1 } }"), "expected one of equal, in"),
        (case("x", "where = { status = { less = \"confirmed\" } }"), "has no order"),
        (case("x", "where = { note = { at_least = \"a\" } }"), "has no order"),
        (case("x", "where = { age = { between = [64, 18] } }"), "swap them"),
        (case("x", "where = { age = { in = [] } }"), "1 to 256 constants"),
        (case("x", "where = { any = [] }"), "1 to 256 tables"),
        (case("x", "where = {}"), "an empty table"),
        (case("x", "where = { reported_on = \"2021-02-29\" }"), "a date such as"),
        (case("x", &deep), "nested at most 16 deep"),
        (case("x", "group_by = [\"note\"]"), "whose domain is open"),
        (case("x", "group_by = [\"age\"]"), "use { field = \"age\", bands = [...] }"),
        (case("x", "group_by = [\"infected_by\"]"), "a kind that is not personal"),
        (case("x", "group_by = [\"infected_by.status\"]"), "a kind that is not personal"),
        (case("x", "group_by = [\"district.name\"]"), "whose domain is open"),
        (case("x", "group_by = [\"status.zone\"]"), "a reference before the point"),
        (case("x", "group_by = [\"status\", \"status\"]"), "each dimension once"),
        (
            case("x", &format!("group_by = [{}]", "\"status\", ".repeat(9))),
            "a list of at most 8 dimensions, found 9",
        ),
        (case("x", &bands("[{ to = 17 }, { from = 19 }]")), "no band for 18 to 18"),
        (case("x", &bands("[{ from = 1 }]")), "no band for 0 to 0"),
        (case("x", &bands("[{ to = 17 }]")), "no band for 18 to 120"),
        (case("x", &bands("[{ to = 18 }, { from = 18 }]")), "numbers in common"),
        (case("x", &bands("[{ to = 17, label = \"a\" }, { from = 18, label = \"a\" }]")), "twice"),
        (case("x", "measure = \"sum(status)\""), "an integer or decimal field"),
        (case("x", "measure = \"median(age)\""), "expected count, sum(field)"),
        (case("x", "measure = \"max(age)\""), "no min or max on a personal kind"),
        (case("x", "measure = \"latest-sum(age)\""), "add `latest = ...`"),
        (case("x", "contributors = \"value\""), "only with the sum or latest-sum"),
        (case("x", "residual = \"age\""), "an enum field"),
        (case("x", "residual = \"missing\""), "expected a field of the kind"),
        (case("x", "presence = \"maybe\""), "hidden or told"),
        (case("x", "expected_within = \"36\""), "hours or days"),
        (case("x", "floor = { superior = 1 }"), "name the law in `legal_basis`"),
        (case("x", "floor = { superior = 0 }"), "1 or more contributors"),
        (case("x", "floor = { superior = 5, neighbour = 3 }"), "do not fall"),
        (case("x", "floor = { superior = 5, everybody = 9 }"), "unknown key `everybody`"),
        (case("x", "period = { step = \"day\" }"), "add `field = ...`"),
        (case("x", "period = { field = \"reported_on\", step = \"now\" }"), "remove the field"),
        (case("x", "period = { field = \"age\", step = \"day\" }"), "a date or timestamp field"),
        (case("x", "period = { field = \"age\", step = \"year\" }"), "day or week or month or now"),
        (stock("x", &format!("{now}kind2 = 1")), "unknown key `kind2`"),
        (stock("x", &now.replace("count", "max(item)")), "an integer or decimal field"),
        ("[indicator.x]\nkind = \"town\"\nbasis = \"report\"".to_owned(), "a kind of the schema"),
        ("".to_owned(), "1 to 1000 tables [indicator.NAME]"),
    ];
    for (written, expected) in cases {
        let shown = problem(&written);
        assert!(shown.starts_with("c.toml:") && shown.contains(expected), "{written}\n{shown}");
    }
}

#[test]
fn an_enum_that_does_not_name_residuals_is_refused() {
    let written = SCHEMA.replace("\"out-of-region\"", "\"Out of region\"");
    let schema = Schema::parse("schema.toml", &written).unwrap();
    let file = format!("[catalogue]\nversion = 1\n{}", case("x", "residual = \"where_from\""));
    let shown = parse("c.toml", &file, &schema).unwrap_err().to_string();
    assert!(shown.contains("values of `where_from` that are unit ids"), "{shown}");
}

#[test]
fn a_table_that_could_exceed_its_limit_is_refused() {
    let bands: Vec<String> = (0..=120).map(|n| format!("{{ from = {n}, to = {n} }}")).collect();
    let bands = format!("{{ field = \"age\", bands = [{}] }}", bands.join(", "));
    let lines = format!(
        "group_by = [\"status\", \"age_band\", \"vaccinated\", \"district.zone\", {bands}]"
    );
    let shown = problem(&case("x", &lines));
    assert!(shown.contains("at most 10000 combinations") && shown.contains("17568"), "{shown}");
}

#[test]
fn overlapping_personal_indicators_are_refused_per_class() {
    let pair = |first: &str, second: &str| format!("{}{}", case("a", first), case("b", second));
    let law = "legal_basis = \"Act\"\nfloor = { superior = 1 }\n";
    let exact = |lines: &str| format!("{law}{lines}");
    let refused = [
        pair("", "where = { status = \"confirmed\" }"),
        pair("", "group_by = [\"status\"]"),
        pair("", "period = { field = \"reported_on\", step = \"week\" }"),
        pair("", "residual = \"where_from\""),
        pair(&exact(""), "group_by = [\"status\"]"),
        pair("where = { status = \"confirmed\" }", "where = { age = { less = 18 } }"),
        pair(
            "where = { any = [{ status = \"confirmed\" }] }",
            "where = { status = \"suspected\" }",
        ),
    ];
    let explained = [
        ("week of `b` less all but one day of `a`", refused[2].clone()),
        ("how many of `a` are not in `b`", refused[0].clone()),
        ("the rows of `a` added up, less all but one of the rows of `b`", refused[1].clone()),
        ("how many persons lack the field", pair("", "measure = \"mean(age)\"")),
        ("the same persons at different floors", pair("", "floor = { superior = 7 }")),
    ];
    for (words, written) in explained {
        let shown = problem(&written);
        assert!(shown.contains(words), "{written}\n{shown}");
    }
    for written in refused {
        let shown = problem(&written);
        assert!(shown.contains("an overlap with `a` for superior"), "{written}\n{shown}");
        assert!(shown.contains("indicator.b: ") && !shown.contains("public ("), "{shown}");
    }
    let allowed = [
        pair(&exact(""), &exact("group_by = [\"status\"]")),
        pair("measure = \"sum(age)\"", "measure = \"mean(age)\""),
        pair("", "group_by = [\"status\"]\nfloor = {}"),
        pair("where = { status = \"confirmed\" }", "where = { status = \"suspected\" }"),
        pair(
            "where = { status = { in = [\"confirmed\", \"recovered\"] }, age = 1 }",
            "where = { status = \"suspected\" }\ngroup_by = [\"age_band\"]",
        ),
        pair("where = { died_on = { set = true } }", "where = { died_on = { set = false } }"),
    ];
    for written in allowed {
        assert!(read_text(&written).is_ok(), "{written}\n{}", read_text(&written).unwrap_err());
    }
    let public = "floor = { superior = 1, neighbour = 1, public = 11 }\nlegal_basis = \"Act\"\n";
    let shown = problem(&pair(public, &format!("{public}group_by = [\"status\"]")));
    assert!(shown.contains("for public (floors 11 and 11)"), "{shown}");
}

#[test]
fn a_cut_off_is_an_hour_and_bears_on_moments_only() {
    let seen = case("seen", "period = { field = \"seen_at\", step = \"day\" }\nfloor = {}");
    let with = |header: &str, text: &str| read_text(&format!("{header}\n{text}"));
    let cut = with("cut_off = 18", &format!("{seen}{}", case("reported", ""))).unwrap();
    let cut_offs: Vec<_> =
        cut.indicators.iter().map(|it| (it.id.as_str(), it.cut_off.map(|it| it.hour()))).collect();
    assert_eq!(cut_offs, [("reported", None), ("seen", Some(18))]);
    assert_eq!(from_slice::<Catalogue>("catalogue", &to_vec(&cut), 1 << 20), Ok(cut));
    for hour in ["0", "24", "-1"] {
        let told = with(&format!("cut_off = {hour}"), &seen).unwrap_err().to_string();
        assert!(told.contains("c.toml:3:") && told.contains("an hour from 1 to 23"), "{told}");
    }
    assert!(with("cut_off = \"18:00\"", &seen).is_err());
}

#[test]
fn what_is_due_is_every_day_working_days_or_days_of_the_week() {
    use reeve_statement::calendar::{DueDays, Weekdays};
    let first = |it: Catalogue| it.indicators.first().and_then(|first| first.due_days);
    let due = |line: &str| read_text(&case("it", line)).map(first);
    assert_eq!(due("").unwrap(), None);
    assert_eq!(due("due = \"every\"").unwrap(), None);
    assert_eq!(due("due = \"working\"").unwrap(), Some(DueDays::Working));
    let days = Weekdays::of_names(["mon", "thu"]).unwrap();
    assert_eq!(due("due = [\"thu\", \"mon\"]").unwrap(), Some(DueDays::On(days)));
    for bad in ["\"weekly\"", "[]", "[\"monday\"]", "[1]", "5"] {
        let told = due(&format!("due = {bad}")).unwrap_err().to_string();
        assert!(told.contains("due") && told.contains("working"), "{told}");
    }
}

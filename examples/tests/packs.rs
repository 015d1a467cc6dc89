//! The packs' files, read by the parsers that a node uses.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use reeve_crdt::schema::Schema;
use reeve_examples::{epidemic, italy};
use reeve_policy::authz::PolicySet;
use reeve_statement::catalogue::{Catalogue, Contributors, RecipientClass};

fn schema(text: &str) -> Schema {
    Schema::parse("schema.toml", text).unwrap_or_else(|problems| panic_with(&problems))
}

fn catalogue(text: &str, schema: &Schema) -> Catalogue {
    reeve_crdt::catalogue::parse("catalogue.toml", text, schema)
        .unwrap_or_else(|problems| panic_with(&problems))
}

#[expect(clippy::panic, reason = "a test fails by panicking, with the file's problems")]
fn panic_with(problems: &dyn std::fmt::Display) -> ! {
    panic!("{problems}")
}

#[test]
fn the_epidemic_pack_fits_together() {
    let schema = schema(epidemic::SCHEMA);
    let catalogue = catalogue(epidemic::CATALOGUE, &schema);
    assert!(catalogue.indicators.len() >= 10);
    let large = self::schema(&epidemic::schema_expecting(1_000_000));
    assert_eq!(large.kind("case").unwrap().shards, 1_024);
    for (kind, _) in epidemic::MAPPINGS {
        assert!(schema.kind(kind).is_some(), "{kind}");
    }
}

#[test]
fn one_case_figure_is_for_others_than_superiors() {
    let schema = schema(epidemic::SCHEMA);
    let catalogue = catalogue(epidemic::CATALOGUE, &schema);
    let never = reeve_crdt::catalogue::NEVER;
    let told: Vec<&str> = catalogue
        .indicators
        .iter()
        .filter(|i| i.personal && i.floors.of(RecipientClass::Neighbour) != never)
        .map(|i| i.id.as_str())
        .collect();
    assert_eq!(told, ["confirmed_by_day"]);
}

#[test]
fn the_epidemic_policy_is_valid_and_raises_no_finding() {
    let set = PolicySet::parse(epidemic::POLICY, "policy.cedar")
        .unwrap_or_else(|faults| panic_with(&faults));
    let findings: Vec<String> = set.check().iter().map(|finding| format!("{finding:?}")).collect();
    assert_eq!(findings, Vec::<String>::new());
}

#[test]
fn italy_counts_persons_by_the_value_in_both_catalogues() {
    let schema = schema(italy::SCHEMA);
    for (text, floor) in [(italy::CATALOGUE, 1), (italy::CATALOGUE_FLOOR5, 5)] {
        let catalogue = catalogue(text, &schema);
        let total = catalogue.find(&"total_cases".parse().unwrap()).unwrap();
        assert_eq!(total.contributors, Contributors::Value);
        assert_eq!(total.record_range, Some((1, 1)));
        assert!(total.personal && total.residual.is_some());
        assert_eq!(total.floors.superior, floor);
    }
}

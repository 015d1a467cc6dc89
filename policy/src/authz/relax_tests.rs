//! Relaxations: permits that hold only under a declaration, in place of stricter ones.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use reeve_statement::digest::Digest;

use super::*;
use crate::fixture::{cases, pull};

const STRICT: &str = r#"
@id("figures") @min_cell("11")
permit (principal is Unit, action, resource is Indicator)
when { principal.relation == Relation::"superior" };

@id("not-to-neighbours")
forbid (principal is Unit, action, resource is Indicator)
when { principal.relation == Relation::"neighbour" };
"#;

const RELAXATION: &str = r#"
@id("emergency") @supersedes("figures") @min_cell("5")
permit (principal is Unit, action, resource is Indicator)
when { principal.relation == Relation::"superior" && context.response_level <= 2 };

@id("help-beside") @supersedes("not-to-neighbours, figures") @min_cell("5")
permit (principal is Unit, action, resource is Indicator)
when { principal.relation == Relation::"neighbour" && context.response_level == 1 };
"#;

fn set(text: &str) -> PolicySet {
    PolicySet::parse(text, "node.cedar").unwrap()
}

fn asked(peer: &str, level: u8) -> Question {
    let mut question = pull(peer, cases());
    question.circumstances.response_level = level;
    if level > 0 {
        question.circumstances.declarations = vec![Digest::of(b"declaration")];
    }
    question
}

#[test]
fn a_relaxation_holds_under_a_declaration_and_in_place_of_what_it_names() {
    let set = set(&format!("{STRICT}{RELAXATION}"));
    let floor = |level| {
        let permit = set.decide(&asked("it/03", level)).into_result().unwrap();
        (permit.floor(), permit.is_relaxed(), permit.decision().declarations.len())
    };
    assert_eq!(floor(0), (11, false, 0));
    assert_eq!(floor(1), (5, true, 1));
    assert_eq!(floor(2), (5, true, 1));
    assert_eq!(floor(3), (11, false, 0), "the level that it names is not declared");
    for (level, permitted) in [(0, false), (1, true), (2, false)] {
        let decision = set.decide(&asked("it/03/015", level));
        assert_eq!(decision.permit().is_some(), permitted, "level {level}: {decision}");
    }
    let told = set.explain(&asked("it/03", 1)).to_string();
    assert!(told.contains("only under a declaration, in place of figures"), "{told}");
    assert!(told.contains("at response level 1"), "{told}");
    assert_eq!(set.check(), []);
}

#[test]
fn a_relaxation_says_nothing_without_a_declaration_whatever_its_conditions() {
    let always = r#"@id("always") @supersedes("figures") @min_cell("1")
permit (principal is Unit, action, resource is Indicator);"#;
    let set = set(&format!("{STRICT}{always}"));
    assert_eq!(set.decide(&asked("it/03", 0)).into_result().unwrap().floor(), 11);
    assert!(set.decide(&asked("fr/11", 0)).permit().is_none());
    assert_eq!(set.decide(&asked("it/03", 9)).into_result().unwrap().floor(), 1);
    let findings: Vec<String> = set.check().iter().map(ToString::to_string).collect();
    assert!(findings.iter().any(|it| it.contains("every declared level")), "{findings:?}");
}

#[test]
fn what_a_relaxation_cannot_supersede_is_a_mistake_of_the_file() {
    let with = |text: &str| {
        let faults = PolicySet::parse(&format!("{STRICT}{RELAXATION}{text}"), "node.cedar");
        faults.unwrap_err().to_string()
    };
    let permit = "permit (principal is Unit, action, resource is Indicator);";
    for (text, part) in [
        (format!(r#"@id("a") @supersedes("figure") @min_cell("1") {permit}"#), "\"figure\""),
        (format!(r#"@id("a") @supersedes("") @min_cell("1") {permit}"#), "ids of policies"),
        (format!(r#"@id("a") @supersedes("emergency") @min_cell("1") {permit}"#), "without a decl"),
        (format!(r#"@id("a") @supersedes("a") @min_cell("1") {permit}"#), "without a decl"),
        (
            r#"@id("a") @supersedes("figures") forbid (principal, action, resource);"#.to_owned(),
            "a forbid relaxes nothing",
        ),
    ] {
        let told = with(&text);
        assert!(told.contains(part) && told.contains("node.cedar:"), "{text}: {told}");
    }
}

#[test]
fn a_relaxation_that_errs_is_a_decline() {
    let errs = r#"@id("errs") @supersedes("figures") @min_cell("1")
permit (principal is Unit, action, resource is Indicator)
when { context.response_level - 9223372036854775807 - principal.level - 9 < 0 };"#;
    let set = set(&format!("{STRICT}{errs}"));
    assert!(set.decide(&asked("it/03", 0)).permit().is_some(), "it is not asked");
    let declined = set.decide(&asked("it/03", 1));
    assert!(declined.permit().is_none(), "{declined}");
}

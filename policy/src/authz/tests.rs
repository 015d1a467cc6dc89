//! Policies as an officer writes them, and what comes of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use super::*;
use crate::fixture::{beds, cases, person, pull};
use reeve_statement::catalogue::{Floors, RecipientClass};
use reeve_statement::statement::Onward;

fn set(text: &str) -> PolicySet {
    PolicySet::parse(text, "node.cedar").unwrap()
}

fn declined(set: &PolicySet, question: &Question) -> Reason {
    match set.decide(question) {
        Decision::Permit(permit) => panic!("permitted by {:?}", permit.determining()),
        Decision::Decline(refusal) => refusal.reason().clone(),
    }
}

fn local(role: Role, action: Action, resource: Resource) -> Question {
    let circumstances = Circumstances::default();
    Question { principal: Principal::Person(person(role)), action, resource, circumstances }
}

fn node() -> Resource {
    Resource::Node("it/03/016".parse().unwrap())
}

fn kind(id: &str) -> Resource {
    Resource::Kind { id: id.parse().unwrap(), personal: true }
}

#[test]
fn the_default_policy_has_no_findings() {
    let set = PolicySet::of_new_node().unwrap();
    assert_eq!(set.check(), []);
    assert_eq!(set.hash(), reeve_statement::digest::Digest::of(DEFAULT_POLICY.as_bytes()));
}

#[test]
fn by_default_only_the_superior_gets_figures_and_at_its_floor() {
    let set = PolicySet::of_new_node().unwrap();
    let permit = set.decide(&pull("it/03", cases())).into_result().unwrap();
    assert_eq!(permit.floor(), 1);
    assert_eq!(permit.determining(), ["superior-figures"]);
    assert_eq!(permit.onward(), Onward::Aggregate);
    assert!(permit.covers(&cases()) && !permit.covers(&beds()));

    let mut strict = cases();
    strict.floors.superior = 7;
    assert_eq!(set.decide(&pull("it/03", strict)).into_result().unwrap().floor(), 7);
    for other in ["it", "it/03/015", "it/03/016/01", "fr/11", "it/0"] {
        assert_eq!(declined(&set, &pull(other, cases())), Reason::NotPermitted, "{other}");
    }
}

#[test]
fn a_class_without_a_floor_is_told_nothing_and_explain_says_never() {
    let set = set(r#"@id("all") @min_cell("1") permit (principal is Unit, action, resource);"#);
    let mut quiet = cases();
    (quiet.floors.neighbour, quiet.floors.public) = (Floors::NEVER, Floors::NEVER);
    let mut silent = beds();
    silent.floors = Floors { superior: Floors::NEVER, ..quiet.floors };
    for (peer, indicator, class) in [
        ("it/03/015", quiet.clone(), RecipientClass::Neighbour),
        ("fr/11", quiet.clone(), RecipientClass::Public),
        ("it/03", silent, RecipientClass::Superior),
    ] {
        let question = pull(peer, indicator);
        assert_eq!(declined(&set, &question), Reason::NeverTold { class }, "{peer}");
        let told = set.explain(&question).to_string();
        assert!(told.contains("never told to class") && told.contains("floor: never"), "{told}");
        assert!(!told.contains("4294967295"), "{told}");
    }
    assert_eq!(set.decide(&pull("it/03", quiet)).into_result().unwrap().floor(), 1);
}

#[test]
fn the_own_table_is_shown_as_it_is_or_not_at_all() {
    let look = |set: &PolicySet, role: Role, own: bool| {
        let mut look = local(role, Action::Query, Resource::Indicator(Box::new(cases())));
        let mut person = person(role);
        (person.areas, person.indicators) = (Scope::All, Scope::All);
        look.principal = Principal::Person(person);
        look.circumstances.area = Some("it/03/016".parse().unwrap());
        look.circumstances.own = own;
        set.decide(&look)
    };
    let default = PolicySet::of_new_node().unwrap();
    for (role, may) in [
        (Role::Operator, true),
        (Role::Viewer, true),
        (Role::Writer, false),
        (Role::Auditor, false),
    ] {
        assert_eq!(look(&default, role, true).permit().is_some(), may, "{role:?}");
    }
    let careful = set(&format!(
        "{DEFAULT_POLICY}\n@id(\"no-own\") forbid (principal is Person, action == Action::\"query\", \
         resource) when {{ context.own && principal.role == Role::\"viewer\" }};"
    ));
    assert!(look(&careful, Role::Viewer, true).permit().is_none());
    assert!(look(&careful, Role::Viewer, false).permit().is_some());
    for condition in ["@min_cell(\"5\")", "@min_step(\"5\")", "@rounding(\"10\")"] {
        let set = set(&format!(
            "@id(\"viewers\") {condition} permit (principal is Person, action == \
             Action::\"query\", resource is Indicator);"
        ));
        let Decision::Decline(refusal) = look(&set, Role::Viewer, true) else {
            panic!("shown as it is in spite of {condition}")
        };
        let expected = Reason::OwnUnderConditions { policy: "viewers".to_owned() };
        assert_eq!(refusal.reason(), &expected);
        assert!(look(&set, Role::Viewer, false).permit().is_some());
    }
}

#[test]
fn a_personal_figure_at_floor_one_needs_a_law() {
    let set = PolicySet::of_new_node().unwrap();
    let lawless = reeve_statement::catalogue::Indicator { legal_basis: None, ..cases() };
    assert_eq!(declined(&set, &pull("it/03", lawless)), Reason::NoLegalBasis);
    let stock = reeve_statement::catalogue::Indicator { legal_basis: None, ..beds() };
    assert_eq!(set.decide(&pull("it/03", stock)).into_result().unwrap().floor(), 1);
}

#[test]
fn a_unit_lies_in_every_unit_above_it() {
    let set = set(r#"@id("region") @min_cell("5")
        permit (principal in Unit::"it/03", action == Action::"pull", resource in Kind::"case");"#);
    for (path, permitted) in
        [("it/03", true), ("it/03/015", true), ("it/030", false), ("it", false)]
    {
        assert_eq!(set.decide(&pull(path, cases())).permit().is_some(), permitted, "{path}");
    }
    assert_eq!(declined(&set, &pull("it/03", beds())), Reason::NotPermitted);
}

#[test]
fn the_strictest_of_all_determining_permits_and_of_the_indicator_binds() {
    let set = set(r#"
        @id("a") @min_cell("3") @onward("anyone") @retention("90d")
        permit (principal, action, resource is Indicator) when { principal is Unit };
        @id("b") @min_cell("9") @rounding("10")
        permit (principal is Unit, action == Action::"pull", resource);
    "#);
    let permit = set.decide(&pull("it/03", cases())).into_result().unwrap();
    assert_eq!(permit.determining(), ["a", "b"]);
    assert_eq!((permit.floor(), permit.rounding()), (9, 10));
    assert_eq!(set.decide(&pull("fr/11", cases())).into_result().unwrap().floor(), 11);
    let decision = permit.decision();
    assert_eq!(decision.conditions.retention_days, Some(90));
    assert_eq!(decision.policy_set, set.hash());
}

#[test]
fn a_doubtful_annotation_declines_and_is_found() {
    for (annotation, line) in [
        ("@min_cel(\"5\")", 3),
        ("@min_cell(\"five\")", 3),
        ("@min_cell(\"5\")\n@min_stepp(\"2\")", 4),
        ("@min_cell(\"5\")\n@window(\"60\")", 4),
    ] {
        let text = format!(
            "// who\n@id(\"x\")\n{annotation}\npermit (principal == Unit::\"it/03\", \
             action == Action::\"pull\", resource);"
        );
        let set = set(&text);
        assert!(set.decide(&pull("it/03", cases())).permit().is_none(), "{annotation}");
        let grave: Vec<_> = set.check().into_iter().filter(|f| f.weight == Weight::Grave).collect();
        assert!(grave.iter().any(|f| f.place.line == line), "{annotation}: {grave:?}");
    }
    let bare = set("@id(\"x\")\npermit (principal == Unit::\"it/03\", action, resource);");
    assert!(matches!(declined(&bare, &pull("it/03", cases())), Reason::NoFloor { .. }));
    assert!(bare.decide(&pull("it/03", beds())).permit().is_some());
}

#[test]
fn a_forbid_that_errs_declines_instead_of_being_skipped() {
    // Overflow is the error that strict validation cannot exclude.
    let set = set(r#"
        @id("yes") @min_cell("1") permit (principal is Unit, action, resource);
        @id("no") forbid (principal is Unit, action == Action::"pull", resource)
        when { principal.level + 9223372036854775807 > 0 };
    "#);
    assert!(matches!(declined(&set, &pull("it/03", cases())), Reason::Evaluation(_)));
}

#[test]
fn a_forbid_wins_and_is_named() {
    let set = set(r#"
        @id("yes") @min_cell("1") permit (principal is Unit, action, resource);
        @id("old") forbid (principal is Unit, action == Action::"pull", resource) when {
          context has period && context.period has first_day &&
          context.period.first_day < datetime("2021-01-01")
        };
    "#);
    let reason = declined(&set, &pull("it/03", cases()));
    assert_eq!(reason, Reason::Forbidden(vec!["old".into()]));
    let mut later = pull("it/03", cases());
    later.circumstances.period = Some("2021-W10".parse().unwrap());
    assert!(set.decide(&later).permit().is_some());
    later.circumstances.period = Some("now".parse().unwrap());
    assert!(set.decide(&later).permit().is_some());
}

#[test]
fn faults_name_file_and_line() {
    let fault = |text: &str| PolicySet::parse(text, "node.cedar").unwrap_err().to_string();
    for (text, start) in [
        ("\n\npermit (principal, action);", "node.cedar:3: "),
        ("permit (principal, action, resource);\n\n\npermit (", "node.cedar:4: "),
        (
            "\n@id(\"a\")\npermit (principal is Unit, action, resource)\nwhen { principal.lvl > 1 };",
            "node.cedar:4: policy \"a\" does not fit",
        ),
        ("permit (principal == Unite::\"it\", action, resource);", "node.cedar:1: policy"),
        (
            "permit (principal is Unit, action, resource)\nwhen { principal.relation == \
          Relation::\"superiour\" };",
            "node.cedar:2: policy \"line-1\"",
        ),
        (
            "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") forbid (principal, action, \
          resource);",
            "node.cedar:2: @id(\"a\") is already",
        ),
        ("permit (principal == ?principal, action, resource);", "node.cedar:1: "),
    ] {
        let told = fault(text);
        assert!(told.starts_with(start), "{text}\n gives {told}");
    }
    assert!(fault(&"/".repeat(2 * 1024 * 1024)).starts_with("node.cedar: expected at most"));
}

#[test]
fn local_roles_do_what_the_default_says() {
    let set = PolicySet::of_new_node().unwrap();
    let may = |question: &Question| set.decide(question).permit().is_some();
    let table = [
        (Role::Operator, Action::ManageTokens, node(), true),
        (Role::Operator, Action::Import, kind("case"), true),
        (Role::Operator, Action::ReadRecord, kind("case"), false),
        (Role::Operator, Action::WriteRecord, kind("case"), false),
        (Role::Writer, Action::WriteRecord, kind("case"), false),
        (Role::Writer, Action::ManageTokens, node(), false),
        (Role::Writer, Action::ReadSent, node(), false),
        (Role::Viewer, Action::ReadSent, node(), false),
        (Role::Viewer, Action::ReadStatus, node(), true),
        (Role::Auditor, Action::ReadSent, node(), true),
        (Role::Auditor, Action::ReadLedger, node(), true),
        (Role::Auditor, Action::ReadRecord, kind("case"), false),
        (Role::Auditor, Action::ChangePolicy, node(), false),
    ];
    for (role, action, resource, permitted) in table {
        assert_eq!(may(&local(role, action, resource)), permitted, "{role:?} {action}");
    }
    let mut writer = person(Role::Writer);
    writer.kinds = Scope::Only(BTreeSet::from(["case".parse().unwrap()]));
    let mut write = local(Role::Writer, Action::WriteRecord, kind("case"));
    write.principal = Principal::Person(writer);
    assert!(may(&write));
    write.resource = kind("team");
    assert!(!may(&write));
}

#[test]
fn a_viewer_sees_its_indicators_in_its_areas() {
    let set = PolicySet::of_new_node().unwrap();
    let mut viewer = person(Role::Viewer);
    viewer.indicators = Scope::Only(BTreeSet::from([cases().id]));
    viewer.areas = Scope::Only(BTreeSet::from(["it/03".parse().unwrap()]));
    let mut look = local(Role::Viewer, Action::Query, Resource::Indicator(Box::new(cases())));
    look.principal = Principal::Person(viewer);
    for (area, permitted) in
        [("it/03", true), ("it/03/016", true), ("it", false), ("it/030", false)]
    {
        look.circumstances.area = Some(area.parse().unwrap());
        assert_eq!(set.decide(&look).permit().is_some(), permitted, "{area}");
    }
    look.circumstances.area = Some("it/03".parse().unwrap());
    look.resource = Resource::Indicator(Box::new(beds()));
    assert_eq!(declined(&set, &look), Reason::NotPermitted);
}

#[test]
fn a_question_that_does_not_fit_is_declined() {
    let set = set("@id(\"all\") @min_cell(\"1\") permit (principal, action, resource);");
    let mut odd = pull("it/03", cases());
    odd.resource = node();
    assert!(matches!(declined(&set, &odd), Reason::Question(_)));
    // A look without an area is not a look everywhere.
    let look = local(Role::Operator, Action::Query, Resource::Indicator(Box::new(cases())));
    assert!(matches!(declined(&set, &look), Reason::Question(_)));
}

#[test]
fn every_action_of_the_schema_can_be_asked_and_no_other() {
    let schema: cedar_policy::Schema = SCHEMA.parse().unwrap();
    let of_schema: BTreeSet<String> =
        schema.actions().map(|uid| uid.id().unescaped().to_owned()).collect();
    let of_code = Action::ALL.iter().map(|action| action.name().to_owned()).collect();
    assert_eq!(of_schema, of_code);
}

#[test]
fn explain_names_policies_conditions_and_floor() {
    let set = PolicySet::of_new_node().unwrap();
    let told = set.explain(&pull("it/03", cases())).to_string();
    for part in ["superior-figures", "default.cedar:5", "floor", "Infectious Disease Act, s. 7"] {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
    let told = set.explain(&pull("fr/11", cases()));
    assert!(told.to_string().contains("not met: permit \"superior-figures\""), "{told}");
    assert_eq!(told.fired, []);
}

#[test]
fn preview_tells_only_what_changes() {
    let old = PolicySet::of_new_node().unwrap();
    let new = set(&format!(
        "{DEFAULT_POLICY}\n@id(\"neighbours\") @min_cell(\"5\") permit (principal is Unit, action \
         == Action::\"pull\", resource) when {{ principal.relation == Relation::\"neighbour\" }};"
    ));
    let questions = [pull("it/03", cases()), pull("it/03/015", cases()), pull("fr/11", cases())];
    let differences = old.preview(&new, &questions);
    assert_eq!(differences.len(), 1);
    assert!(differences.iter().all(|d| d.before.question.contains("it/03/015")));
    assert_eq!(old.preview(&old, &questions), []);
}

#[test]
fn a_remembered_answer_is_the_one_that_would_be_given() {
    let set = PolicySet::of_new_node().unwrap();
    let decider = Decider::new(set.clone());
    let mut questions = Vec::new();
    for path in ["it", "it/03", "it/03/015", "fr/11"] {
        for indicator in [cases(), beds()] {
            for floor in 1..=6 {
                let mut indicator = indicator.clone();
                indicator.floors.superior = floor;
                questions.push(pull(path, indicator));
            }
        }
    }
    assert_eq!(questions.len(), 48);
    // More than are remembered; near and far repetitions, and back to the first.
    let near =
        questions.iter().zip(questions.iter().skip(1)).flat_map(|(one, next)| [one, next, one]);
    for question in questions.iter().chain(near).chain(questions.iter().rev()) {
        assert_eq!(decider.decide(question), set.decide(question), "{question}");
    }
    let permitted = questions.iter().filter(|it| set.decide(it).into_result().is_ok()).count();
    assert!(permitted > 0 && permitted < questions.len());
}

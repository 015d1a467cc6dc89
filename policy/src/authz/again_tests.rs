//! What is kept of a question is answered as the question was.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use reeve_statement::catalogue::Floors;
use reeve_statement::digest::Digest;

use super::ask::ask;
use super::*;
use crate::fixture::{beds, cases, person, pull};

const RELAXED: &str = r#"
@id("emergency") @supersedes("superior-figures") @min_cell("3") @window("10s")
permit (principal is Unit, action, resource is Indicator)
when { principal.relation == Relation::"superior" && context.response_level == 1 };

@id("neighbours") @min_cell("7") @retention("30d")
permit (principal is Unit, action, resource is Indicator)
when {
  principal.relation == Relation::"neighbour" && context has period && context.period.step == Step::"day"
};

@id("not-at-night")
forbid (principal is Unit, action, resource)
when { context has legal_basis && context.legal_basis == "none" };
"#;

fn questions() -> Vec<Question> {
    let mut all = Vec::new();
    for peer in ["it/03", "it", "it/03/015", "it/03/016/01", "fr"] {
        for indicator in [cases(), beds()] {
            for level in [0, 1, 2] {
                let mut asked = pull(peer, indicator.clone());
                asked.circumstances.response_level = level;
                all.push(asked.clone());
                asked.action = Action::Subscribe;
                asked.circumstances.period = Some("now".parse().unwrap());
                asked.circumstances.legal_basis = Some("none".to_owned());
                all.push(asked.clone());
                asked.circumstances.period = None;
                asked.circumstances.legal_basis = Some("\"Act\", s. 7 \u{4e00}\n".to_owned());
                all.push(asked);
            }
        }
    }
    let mut never = cases();
    never.floors.superior = Floors::NEVER;
    never.legal_basis = None;
    all.push(pull("it/03", never));
    all
}

#[test]
fn a_kept_question_is_answered_as_it_was() {
    let text = format!("{DEFAULT_POLICY}{RELAXED}");
    let set = PolicySet::parse(&text, "policy.cedar").unwrap();
    let (mut permitted, mut declined) = (0, 0);
    for question in questions() {
        let kept = KeptQuestion::parse(&question.kept().unwrap()).unwrap();
        let (asked, again) = (ask(&question, &set.schema).unwrap(), kept.asked(&set).unwrap());
        assert_eq!(asked.request.to_string(), again.request.to_string());
        assert!(asked.entities.deep_eq(&again.entities), "{question}");
        let told = set.decide(&question);
        let decision = match &told {
            Decision::Permit(permit) => permit.decision(),
            Decision::Decline(refusal) => refusal.decision(),
        };
        let again = set.decide_again(&kept).unwrap();
        assert_eq!((again.permitted, &again.decision), (told.permit().is_some(), &decision));
        assert_eq!(again.differences(again.permitted, &decision), Vec::<String>::new());
        match told.permit() {
            Some(_) => permitted += 1,
            None => declined += 1,
        }
        // What took part says the same alone, without anything that is not plain Cedar.
        let alone = PolicySet::parse(&again.effective.replace("@supersedes", "@note"), "alone");
        let alone = alone.unwrap().decide_again(&kept).unwrap();
        assert_eq!(alone.decision.determining, decision.determining, "{question}");
    }
    assert!(permitted > 10 && declined > 10, "{permitted} and {declined}");
}

#[test]
fn another_answer_is_told_from_the_one_that_was_given() {
    let set = PolicySet::of_new_node().unwrap();
    let question = pull("it/03", cases());
    let told = set.decide(&question).into_result().unwrap().decision();
    let kept = KeptQuestion::parse(&question.kept().unwrap()).unwrap();
    let found = |text: &str, permitted, told: &_| {
        let set = PolicySet::parse(text, "policy.cedar").unwrap();
        set.decide_again(&kept).unwrap().differences(permitted, told).join("; ")
    };
    assert_eq!(found(DEFAULT_POLICY, true, &told), "");
    assert!(found("", true, &told).contains("again it is declined (no policy permits it)"));
    assert!(found(DEFAULT_POLICY, false, &told).contains("told as declined"));
    let strict = DEFAULT_POLICY.replace("@min_cell(\"1\")", "@min_cell(\"5\")");
    assert!(found(&strict, true, &told).contains("floor 1 was told, 5 is demanded"));
    let renamed = DEFAULT_POLICY.replace("superior-figures", "figures");
    assert!(found(&renamed, true, &told).contains("decided by [figures]"));
    // Stricter than demanded is no difference: a sum keeps what was demanded of its parts.
    let mut stricter = told;
    stricter.conditions.floor = 11;
    assert_eq!(found(DEFAULT_POLICY, true, &stricter), "");
    stricter.conditions.window_seconds = 1;
    assert!(found(DEFAULT_POLICY, true, &stricter).contains("a window of 1 s"));
}

#[test]
fn only_questions_about_figures_are_kept() {
    let question = pull("it/03", cases());
    let who = Principal::Person(person(Role::Operator));
    assert_eq!(Question { principal: who, ..question.clone() }.kept(), None);
    assert_eq!(Question { action: Action::Query, ..question.clone() }.kept(), None);
    let node = Resource::Node("it".parse().unwrap());
    assert_eq!(Question { resource: node, ..question.clone() }.kept(), None);
    let text = question.kept().unwrap();
    assert!(text.contains(&Digest::of(SCHEMA.as_bytes()).to_string()) && text.len() < 2_048);
}

#[test]
fn what_is_no_kept_question_is_refused() {
    let text = pull("it/03", cases()).kept().unwrap();
    let fault = |from: &str, to: &str| {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        KeptQuestion::parse(&changed)
            .and_then(|kept| PolicySet::of_new_node().unwrap().decide_again(&kept))
            .unwrap_err()
            .to_string()
    };
    assert!(fault("reeve-question/1", "reeve-question/2").contains("reeve-question/2"));
    assert!(fault("\"schema\":\"", "\"schema\":\"x").contains("schema"));
    assert!(fault("\"pull\"", "\"query\"").contains("action"));
    assert!(fault("\"id\":\"superior\"", "\"id\":\"boss\"").contains("principal"));
    assert!(fault("\"response_level\":0", "\"response_level\":256").contains("context"));
    assert!(fault("\"purpose\":", "\"porpoise\":").contains("schema"));
    assert!(fault("\"auditor\":false", "\"auditor\":false,\"rank\":1").contains("schema"));
    assert!(fault("{", "[").contains("not JSON"));
    let long = format!("{text}{}", " ".repeat(again::MAX_QUESTION_BYTES));
    assert!(matches!(KeptQuestion::parse(&long), Err(AgainFault::TooLong(_))));
}

#[test]
fn a_policy_set_is_read_under_the_schema_that_decided() {
    let older = SCHEMA.replace("auditor: Bool,", "auditor: Bool,\n  seat?: Seat,");
    let older = format!("{older}\nentity Seat;\n");
    let seat = "@id(\"s\") @min_cell(\"1\") permit (principal is Unit, action, resource is Indicator)\n\
                when { principal has seat && principal.seat == Seat::\"x\" };";
    assert!(PolicySet::parse(seat, "policy.cedar").is_err());
    let set = PolicySet::parse_under(seat, "policy.cedar", &older).unwrap();
    let kept = KeptQuestion::parse(&pull("it/03", cases()).kept().unwrap()).unwrap();
    assert!(!set.decide_again(&kept).unwrap().permitted);
    assert!(PolicySet::parse_under(seat, "policy.cedar", "entity").is_err());
}

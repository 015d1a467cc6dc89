//! Policies that err: Cedar passes over a policy whose evaluation fails, so an erring forbid would
//! permit. Generated sets, held against a decision by hand; some by default, 500 with `REEVE_FULL=1`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{DEFAULT_POLICY, Decision, PolicySet, Reason};
use crate::fixture::{cases, pull};

/// A condition, and what it comes to: none if its evaluation fails.
struct Condition {
    text: String,
    value: Option<bool>,
}

/// Conditions that are well typed for every peer that pulls, and fail when they are evaluated.
const ERRING: [&str; 5] = [
    "principal.level + 9223372036854775807 > 0",
    "principal.level * 4611686018427387904 * 4 > 0",
    "-9223372036854775808 - principal.level < 0",
    "resource.floors.public * 9223372036854775807 != 0",
    "context.response_level - 9223372036854775807 - principal.level - 9 < 0",
];
const TRUE: [&str; 4] = [
    "principal.level > 0",
    "context.purpose like \"*control\"",
    "resource.floors.neighbour >= resource.floors.superior",
    "principal in Unit::\"it\"",
];

fn condition(random: &mut ChaCha8Rng, depth: u32) -> Condition {
    let leaf = |text: &str, value| Condition { text: format!("({text})"), value };
    match random.random_range(0..if depth == 0 { 3 } else { 7 }) {
        0 => leaf(ERRING[random.random_range(0..ERRING.len())], None),
        1 => leaf(TRUE[random.random_range(0..TRUE.len())], Some(true)),
        2 => leaf("principal.level < 0", Some(false)),
        3 => {
            let inner = condition(random, depth - 1);
            Condition { text: format!("(!{})", inner.text), value: inner.value.map(|it| !it) }
        }
        4 => {
            let [test, yes, no] = [0; 3].map(|_| condition(random, depth - 1));
            let value = test.value.and_then(|it| if it { yes.value } else { no.value });
            Condition {
                text: format!("(if {} then {} else {})", test.text, yes.text, no.text),
                value,
            }
        }
        which => {
            let (left, right) = (condition(random, depth - 1), condition(random, depth - 1));
            let (sign, decides) = if which == 5 { ("&&", false) } else { ("||", true) };
            let value =
                left.value.and_then(|it| if it == decides { Some(it) } else { right.value });
            Condition { text: format!("({} {sign} {})", left.text, right.text), value }
        }
    }
}

/// A set of up to five policies, and what should come of it.
fn policies(random: &mut ChaCha8Rng) -> (String, Option<bool>) {
    let (mut text, mut values) = (String::new(), Vec::new());
    for number in 0..random.random_range(1..=5) {
        let permits = random.random_bool(0.6);
        let when = condition(random, 3);
        let effect = if permits { "@min_cell(\"1\")\npermit" } else { "forbid" };
        let clause = if random.random_bool(0.8) { "when" } else { "unless" };
        let value = if clause == "when" { when.value } else { when.value.map(|it| !it) };
        text += &format!(
            "@id(\"p{number}\")\n{effect} (principal is Unit, action == Action::\"pull\", resource is \
             Indicator)\n{clause} {{ {} }};\n",
            when.text
        );
        values.push((permits, value));
    }
    if values.iter().any(|(_, value)| value.is_none()) {
        return (text, None);
    }
    let says =
        |effect| values.iter().any(|(permits, value)| *permits == effect && *value == Some(true));
    (text, Some(says(true) && !says(false)))
}

#[test]
fn attack_32_no_policy_set_permits_with_an_error() {
    let full = std::env::var_os("REEVE_FULL").is_some_and(|it| it == "1");
    let count = if full { 500 } else { 60 };
    let (mut erred, mut permitted) = (0, 0);
    let mut random = ChaCha8Rng::seed_from_u64(32);
    for number in 0..count {
        let (text, expected) = policies(&mut random);
        // The validator may find that a condition is never true, which makes the set no worse.
        let Ok(set) = PolicySet::parse(&text, "generated.cedar") else { continue };
        for peer in ["it/03", "it", "it/03/015", "it/03/016/01"] {
            match (set.decide(&pull(peer, cases())), expected) {
                (Decision::Permit(_), Some(true)) => permitted += 1,
                (Decision::Decline(refusal), None) => {
                    assert!(matches!(refusal.reason(), Reason::Evaluation(_)), "{number}: {text}");
                    erred += 1;
                }
                (Decision::Decline(_), Some(false)) => {}
                (decision, expected) => panic!("{number}: {expected:?}, {decision:?}:\n{text}"),
            }
        }
    }
    assert!(erred > count && permitted > count / 8, "{erred} erred, {permitted} permitted");
}

/// The policy of a new node with characters changed: whatever still parses permits a superior's pull by
/// policies that evaluated, or not at all.
#[test]
fn attack_32_an_altered_policy_permits_nothing_that_erred() {
    let full = std::env::var_os("REEVE_FULL").is_some_and(|it| it == "1");
    let count = if full { 500 } else { 40 };
    const SIGNS: [&str; 8] =
        ["==", "!=", "&&", "||", "!", "permit", "forbid", "9223372036854775807"];
    let mut random = ChaCha8Rng::seed_from_u64(33);
    let mut parsed = 0;
    for _ in 0..count {
        let mut text = DEFAULT_POLICY.to_owned();
        for _ in 0..random.random_range(1..=2) {
            let from = SIGNS[random.random_range(0..SIGNS.len())];
            let to = SIGNS[random.random_range(0..SIGNS.len())];
            let places: Vec<usize> = text.match_indices(from).map(|(at, _)| at).collect();
            if places.is_empty() {
                continue;
            }
            let at = places[random.random_range(0..places.len())];
            text.replace_range(at..at + from.len(), to);
        }
        let Ok(set) = PolicySet::parse(&text, "altered.cedar") else { continue };
        parsed += 1;
        for peer in ["it/03", "it", "fr/11"] {
            let question = pull(peer, cases());
            if let Decision::Permit(permit) = set.decide(&question) {
                assert!(permit.floor() >= 1 && !permit.determining().is_empty());
                let fired = set.explain(&question);
                assert!(matches!(fired.decision, Decision::Permit(_)), "{text}");
            }
        }
    }
    assert!(parsed * 10 > count, "only {parsed} of {count} still parse");
}

//! `reeve history` and `reeve query --as-of`: what was told of a figure, and when.

use serde_json::{Value, json};

use super::federation::eventually;
use super::situation::{cases, federation};

const DAY: &str = "2022-06-01";

#[test]
fn what_was_told_at_a_moment_can_be_asked_later() {
    cases(DAY, "hista", 7);
    let federation = federation();
    let query = ["query", "cases", "--period", DAY, "--json"];
    let first = federation.nation.reeve(&query).json();
    let total = |lo: i64, hi: i64| json!({ "lo": lo, "hi": hi });
    assert_eq!(first["total"]["value"], total(16, 20));
    // As many again.
    cases(DAY, "histb", 7);
    eventually("the nation has the later figure", || {
        federation.nation.reeve(&query).json()["total"]["value"] == total(32, 36)
    });

    let history = ["history", "cases", "--period", DAY];
    let told = federation.nation.reeve(&[&history[..], &["--json"]].concat()).json();
    let editions: Vec<&Value> = told["editions"].as_array().unwrap().iter().collect();
    let numbers: Vec<u64> = editions.iter().map(|it| it["edition"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (1..=numbers.len() as u64).rev().collect();
    assert_eq!((numbers, &told["missing_up_to"]), (expected, &Value::Null), "{told}");
    assert_eq!(editions[0]["total"]["value"], total(32, 36));
    let earlier = editions.iter().find(|it| it["statement"] == first["statement"]).unwrap();
    assert_eq!(earlier["total"]["value"], total(16, 20));
    let text = federation.nation.reeve(&history).ok().out;
    for part in ["32 to 36", "16 to 20", "1 of 1", &first["statement"].as_str().unwrap()[..12]] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let chinese = federation.nation.reeve(&[&history[..], &["--lang", "zh"]].concat()).ok().out;
    assert!(chinese.contains("原因"), "{chinese}");

    // The very moment of an edition is its first.
    let at = earlier["issued_at"].as_str().unwrap();
    let then = federation.nation.reeve(&[&query[..], &["--as-of", at]].concat()).json();
    assert_eq!(then["statement"], first["statement"]);
    assert_eq!((&then["rows"], &then["total"]), (&first["rows"], &first["total"]));
    let area = federation.nation.reeve(&[&query[..], &["--as-of", at, "--area", "zz/03"]].concat());
    area.fails(1, &["zz/03 is not in"]);

    let before = ["query", "cases", "--period", DAY, "--as-of", "2001-01-01T00:00:00Z"];
    federation.nation.reeve(&before).fails(1, &["nothing was known", "the first edition is of"]);
    let vague = ["query", "cases", "--as-of", "2022-06-02"];
    federation.nation.reeve(&vague).fails(2, &["with its offset"]);
    federation.nation.reeve(&["history", "nothing_such"]).fails(1, &["nothing_such"]);
}

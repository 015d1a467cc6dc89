//! The synthetic outbreak: deterministic, plausible, and written as the packs describe.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Change, Event, FieldValue, Fields, Folder, Holdings, Outbreak, Topology, cases_csv,
    facilities_csv, write_csv,
};

const DAYS: u32 = 90;

fn topology() -> Topology {
    Topology::nation("atlantis", 3, 4).unwrap()
}

fn outbreak(seed: u64) -> Outbreak {
    Outbreak::new(seed, &topology(), "2026-03-02".parse().unwrap())
}

fn text<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    match fields.get(name) {
        Some(FieldValue::Text(text)) => Some(text),
        _ => None,
    }
}

/// What each municipality holds after all days.
fn holdings(outbreak: &mut Outbreak) -> Vec<Holdings> {
    let mut all = vec![Holdings::default(); topology().municipalities().len()];
    for day in 0..DAYS {
        for (holdings, events) in all.iter_mut().zip(outbreak.day(day)) {
            holdings.apply(events);
        }
    }
    all
}

#[test]
fn the_same_seed_is_the_same_outbreak_in_whatever_order() {
    let (mut forth, mut back) = (outbreak(1), outbreak(1));
    for day in (0..DAYS).rev() {
        back.day(day);
    }
    for day in 0..DAYS {
        assert_eq!(forth.day(day), back.day(day));
    }
    let mut other = outbreak(2);
    assert!((0..DAYS).any(|day| other.day(day) != forth.day(day)));
}

#[test]
fn files_of_the_same_seed_are_the_same_bytes() {
    let write = || {
        let mut bytes = Vec::new();
        cases_csv(&mut bytes, 1_000, 3, "2026-01-01".parse().unwrap()).unwrap();
        facilities_csv(&mut bytes).unwrap();
        for (holdings, (kind, _)) in holdings(&mut outbreak(3)).iter().zip(super::MAPPINGS) {
            write_csv(kind, holdings.of(kind), &mut bytes).unwrap();
        }
        bytes
    };
    assert_eq!(write(), write());
}

#[test]
fn it_grows_moves_on_and_is_brought_down() {
    let mut outbreak = outbreak(4);
    let mut first_case = BTreeMap::new();
    let mut new_by_day = Vec::new();
    for day in 0..DAYS {
        let mut seen = 0;
        for (home, events) in outbreak.day(day).iter().enumerate() {
            let cases = events.iter().filter(|event| event.kind == "case").count();
            seen += cases;
            if cases > 0 {
                first_case.entry(home).or_insert(day);
            }
        }
        new_by_day.push(seen);
    }
    assert_eq!(first_case.len(), topology().municipalities().len(), "it reaches everybody");
    assert!(first_case[&0] < 12, "{first_case:?}");
    assert!(first_case[&11] > first_case[&3] && first_case[&3] > first_case[&0], "{first_case:?}");
    let week = |from: usize| new_by_day[from..from + 7].iter().sum::<usize>();
    assert!(week(10) * 3 < week(28), "{new_by_day:?}");
    assert!(week(83) * 3 < week(52) * 2, "{new_by_day:?}");
}

#[test]
fn shares_are_plausible() {
    let all = holdings(&mut outbreak(5));
    let cases: Vec<&Fields> =
        all.iter().flat_map(|holdings| holdings.of("case").map(|(_, fields)| fields)).collect();
    let permille = |of: &[&str]| {
        let with = |fields: &&&Fields| of.contains(&text(fields, "status").unwrap());
        cases.iter().filter(with).count() * 1_000 / cases.len()
    };
    assert!((1_000..100_000).contains(&cases.len()), "{}", cases.len());
    assert!((700..900).contains(&permille(&["confirmed", "recovered", "died"])));
    assert!((5..60).contains(&permille(&["died"])), "{}", permille(&["died"]));
    let admitted = cases.iter().filter(|case| case.contains_key("admitted_on")).count();
    assert!((50..250).contains(&(admitted * 1_000 / cases.len())), "{admitted}");
}

#[test]
fn dates_follow_each_other_and_nothing_dangles() {
    for holdings in holdings(&mut outbreak(6)) {
        let facilities: BTreeSet<&str> = holdings.of("facility").map(|(id, _)| id).collect();
        let districts: BTreeSet<&str> = holdings.of("district").map(|(id, _)| id).collect();
        for (_, case) in holdings.of("case") {
            let date = |name| text(case, name);
            assert!(date("onset_on") <= date("reported_on"));
            assert!(date("admitted_on").is_none() || date("reported_on") <= date("admitted_on"));
            assert!(
                date("discharged_on").is_none() || date("admitted_on") <= date("discharged_on")
            );
            assert_eq!(date("died_on").is_some(), date("status") == Some("died"));
            assert!(districts.contains(text(case, "district").unwrap()));
            assert!(text(case, "hospital").is_none_or(|hospital| facilities.contains(hospital)));
        }
        for (_, stock) in holdings.of("supply_stock") {
            assert!(facilities.contains(text(stock, "site").unwrap()));
        }
    }
}

/// What happened to records over all days: how often something was late, changed back in time, or
/// deleted.
#[test]
fn it_has_late_reports_corrections_and_deleted_duplicates() {
    let mut outbreak = outbreak(7);
    let (mut late, mut corrected, mut deleted) = (0, 0, 0);
    let mut known: BTreeMap<(usize, String), Fields> = BTreeMap::new();
    for day in 0..DAYS {
        let date = outbreak.date(day).to_string();
        for (home, events) in outbreak.day(day).iter().enumerate() {
            for Event { id, change, .. } in events.iter().filter(|event| event.kind == "case") {
                let key = (home, id.clone());
                match change {
                    Change::Put(fields) => {
                        let reported = text(fields, "reported_on").unwrap();
                        match known.insert(key, fields.clone()) {
                            Some(before) => {
                                corrected += usize::from(
                                    ["age", "sex", "reported_on"]
                                        .iter()
                                        .any(|name| before.get(name) != fields.get(name)),
                                );
                            }
                            None => late += usize::from(reported < date.as_str()),
                        }
                    }
                    Change::Delete => {
                        assert!(known.remove(&key).is_some(), "only what was there is deleted");
                        deleted += 1;
                    }
                }
            }
        }
    }
    assert!(late > 50 && corrected > 20 && deleted > 10, "{late} {corrected} {deleted}");
}

#[test]
fn beds_and_masks_move_with_the_outbreak() {
    let all = holdings(&mut outbreak(8));
    for holdings in &all {
        let beds: Vec<_> =
            holdings.of("facility").filter_map(|(_, f)| f.get("beds_free")).collect();
        assert!(!beds.is_empty());
        assert!(holdings.of("supply_stock").count() > 300);
        assert!(holdings.of("team").all(|(_, team)| team.contains_key("on_duty")));
        assert_eq!(holdings.of("isolation_place").count(), 1);
    }
    let set_up = outbreak(8);
    let changed = |day| {
        let mut outbreak = set_up.clone();
        outbreak.day(day).iter().flatten().filter(|event| event.kind == "facility").count()
    };
    assert!(changed(50) > 0, "beds are taken and freed");
}

#[test]
fn a_folder_has_one_file_per_kind_and_day() {
    let at = tempfile::tempdir().unwrap();
    let mut outbreak = outbreak(9);
    let mut folder = Folder::create(at.path(), &topology()).unwrap();
    assert_eq!(folder.write_day(&mut outbreak).unwrap(), 0);
    assert_eq!(folder.write_day(&mut outbreak).unwrap(), 1);
    let home = at.path().join("r1-m1");
    assert_eq!(std::fs::read_dir(&home).unwrap().count(), 14);
    let facilities = std::fs::read_to_string(home.join("facility-2026-03-03.csv")).unwrap();
    let first = facilities.lines().next().unwrap();
    assert_eq!(first, "id,name,type,district,health_district,beds,beds_free,open");
    let stocks = std::fs::read_to_string(home.join("supply_stock-2026-03-03.csv")).unwrap();
    assert!(stocks.lines().skip(1).all(|line| line.contains(",2026-03-03,")));
}

#[test]
fn a_large_city_expects_more_cases() {
    assert!(super::schema_expecting(1_000_000).contains("expected_records = 1000000 "));
}

//! The auditor's sums can fail: each way in which a release may claim what it did not hear.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::bounds::Cell;
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::chunk::Part;
use reeve_statement::completeness::{Exception, Manifest};
use reeve_statement::names::IndicatorId;
use reeve_statement::notice::Notice;
use reeve_statement::release::{Conditions, Decision, Sources};
use reeve_statement::statement::{Audience, Onward, Statement, VERSION};
use reeve_statement::table::{Area, RowKey};
use reeve_statement::time::Timestamp;

use super::*;
use crate::invariants::invariant_a_catalogue_never_goes_back;
use crate::registry::{NOON, Registry};

/// A sum of one unit that has reported, one that has not in full, one that declined and a silent one.
struct Case {
    sum: Known,
    inputs: BTreeMap<Digest, Rc<Known>>,
    expected: BTreeSet<UnitId>,
}

fn id(unit: &str) -> UnitId {
    UnitId::new(unit).unwrap()
}

fn statement(issuer: &str, body: Body) -> Statement {
    Statement {
        version: VERSION,
        federation: Registry::new().roots.federation(),
        issuer: issuer.parse().unwrap(),
        term: 1,
        audience: Audience::Federation,
        onward: Onward::Anyone,
        issued_at: Timestamp::from_millis(NOON),
        valid_until: None,
        witnessed: None,
        body,
    }
}

fn release(table: Table, counts: Counts, manifest: Manifest) -> Release {
    Release {
        class: RecipientClass::Superior,
        indicator: IndicatorId::new("cases").unwrap(),
        definition: Digest::of(b"definition"),
        period: "2026-03-01".parse().unwrap(),
        edition: 1,
        previous: None,
        reason: None,
        request: None,
        table: Part::Inline(table),
        own: None,
        counts,
        manifest: Part::Inline(manifest),
        inputs_root: Digest::ZERO,
        manifest_root: Digest::ZERO,
        sources: Sources::default(),
        data_touched: None,
        decision: Decision {
            policy_set: Digest::ZERO,
            determining: Vec::new(),
            conditions: Conditions::default(),
            declarations: Vec::new(),
            adoption: None,
            asked: None,
        },
        commitment: None,
        register: None,
        catalogue_version: 1,
    }
}

fn known(issuer: &str, body: Body) -> Known {
    let statement = statement(issuer, body);
    let digest = Digest::of(issuer.as_bytes());
    Known::of(statement, digest, |_| None).unwrap()
}

fn row(units: &[&str], cases: i64) -> (RowKey, Cell) {
    let area = Area { units: units.iter().map(|unit| id(unit)).collect(), residual: None };
    (RowKey { area, dims: Vec::new() }, Cell::exact(cases, cases))
}

fn table(rows: Vec<(RowKey, Cell)>) -> Table {
    Table { rows: rows.into_iter().collect(), ..Table::default() }
}

fn leaf(unit: &str, cases: i64, state: UnitState) -> Known {
    let mut manifest = Manifest::default();
    if state != UnitState::Reported {
        manifest.exceptions.push(Exception { units: Vec::new(), state, sources: None });
    }
    let of_leaf = release(table(vec![row(&[], cases)]), Counts::one(state), manifest);
    known(&format!("top/{unit}"), Body::Release(Box::new(of_leaf)))
}

fn declined(unit: &str) -> Known {
    let notice = Notice {
        class: RecipientClass::Superior,
        indicator: IndicatorId::new("cases").unwrap(),
        definition: None,
        period: Some("2026-03-01".parse().unwrap()),
        edition: 1,
        previous: None,
        code: NoticeCode::Declined,
        request: None,
        decision: None,
    };
    known(&format!("top/{unit}"), Body::Notice(notice))
}

fn entry(unit: &str, state: UnitState, statement: Option<Digest>) -> ManifestEntry {
    let told = u64::from(statement.is_some());
    let counts = Counts::one(state);
    ManifestEntry { unit: id(unit), state, statement, term: told, edition: told, counts }
}

fn case() -> Case {
    let full = leaf("full", 3, UnitState::Reported);
    let part = leaf("part", 4, UnitState::Partial);
    let no = declined("no");
    let direct = vec![
        entry("full", UnitState::Reported, Some(full.digest)),
        entry("no", UnitState::Declined, Some(no.digest)),
        entry("part", UnitState::Partial, Some(part.digest)),
        entry("still", UnitState::Late, None),
    ];
    let except = |unit, state| Exception { units: vec![id(unit)], state, sources: None };
    let exceptions = vec![
        except("no", UnitState::Declined),
        Exception { units: vec![id("part")], state: UnitState::Partial, sources: None },
        except("still", UnitState::Late),
    ];
    let mut counts = Counts::default();
    direct.iter().for_each(|entry| counts.merge(&entry.counts));
    let manifest = Manifest { direct, exceptions, unnamed: 0 };
    let rows = table(vec![row(&["full"], 3), row(&["part"], 4)]);
    let mut sum = release(rows, counts, manifest);
    (sum.inputs_root, sum.manifest_root) = roots(&sum.manifest.inline().unwrap().direct);
    let sum = known("top", Body::Release(Box::new(sum)));
    let inputs = [full, part, no].map(|known| (known.digest, Rc::new(known))).into();
    Case { sum, inputs, expected: ["full", "no", "part", "still"].map(id).into() }
}

impl Case {
    fn is_earned(&self) -> bool {
        let received = |digest: &Digest| self.inputs.get(digest).cloned();
        let named = (self.expected.clone(), BTreeSet::new());
        invariant_completeness_is_earned(&self.sum, &named, &|_| false, &received).is_ok()
    }

    fn is_sum(&self) -> bool {
        let received = |digest: &Digest| self.inputs.get(digest).cloned();
        invariant_a_figure_is_the_sum_of_its_inputs(&self.sum, &|_| false, &received).is_ok()
    }

    fn release(&mut self) -> &mut Release {
        match &mut self.sum.statement.body {
            Body::Release(release) => release,
            other => panic!("{other:?}"),
        }
    }

    /// Claims a state for a unit everywhere where it stands.
    fn claim(&mut self, unit: &str, state: UnitState) {
        let manifest = &mut self.sum.manifest;
        let entry = manifest.direct.iter_mut().find(|entry| entry.unit == id(unit)).unwrap();
        entry.state = state;
        entry.counts = Counts::one(state);
        manifest.exceptions.retain(|it| it.units != [id(unit)]);
        let mut counts = Counts::default();
        manifest.direct.iter().for_each(|entry| counts.merge(&entry.counts));
        self.release().counts = counts;
    }
}

#[test]
fn an_honest_sum_is_one() {
    let case = case();
    assert!(case.is_earned() && case.is_sum());
    assert!(invariant_the_roots_are_of_the_inputs(&case.sum).is_ok());
}

#[test]
fn silence_that_counts_as_a_report_is_found() {
    let mut case = case();
    case.claim("still", UnitState::Reported);
    assert!(!case.is_earned());
}

#[test]
fn a_notice_that_counts_as_a_report_is_found() {
    for state in [UnitState::Reported, UnitState::Partial, UnitState::NoReport] {
        let mut case = case();
        case.claim("no", state);
        assert!(!case.is_earned(), "{state}");
    }
}

#[test]
fn a_part_that_counts_as_the_whole_is_found() {
    let mut case = case();
    case.claim("part", UnitState::Reported);
    assert!(!case.is_earned());
}

#[test]
fn a_statement_that_never_came_is_found() {
    let mut case = case();
    case.inputs.remove(&Digest::of(b"top/full"));
    assert!(!case.is_earned() && !case.is_sum());
}

#[test]
fn a_statement_of_another_period_or_unit_is_found() {
    let mut case = case();
    let mut other = leaf("full", 3, UnitState::Reported);
    if let Body::Release(release) = &mut other.statement.body {
        release.period = "2026-02-28".parse().unwrap();
    }
    case.inputs.insert(other.digest, Rc::new(other));
    assert!(!case.is_earned());
    let mut case = self::case();
    let mut other = leaf("full", 3, UnitState::Reported);
    other.statement.issuer = "top/part".parse().unwrap();
    case.inputs.insert(other.digest, Rc::new(other));
    assert!(!case.is_earned());
}

#[test]
fn whoever_is_left_out_is_found() {
    let mut case = case();
    case.sum.manifest.direct.pop();
    case.sum.manifest.exceptions.pop();
    let mut counts = Counts::default();
    case.sum.manifest.direct.iter().for_each(|entry| counts.merge(&entry.counts));
    case.release().counts = counts;
    assert!(!case.is_earned());
}

#[test]
fn counts_and_exceptions_that_do_not_add_up_are_found() {
    let mut case = case();
    case.release().counts.add(UnitState::Reported, 1);
    assert!(!case.is_earned());
    let mut case = self::case();
    case.sum.manifest.exceptions.pop();
    assert!(!case.is_earned());
}

#[test]
fn a_table_that_is_not_the_sum_is_found() {
    let mut case = case();
    case.sum.table.rows.extend([row(&["part"], 5)]);
    assert!(!case.is_sum());
    let mut case = self::case();
    case.sum.table.rows.extend([row(&["still"], 0)]);
    assert!(!case.is_sum(), "nobody spoke of that row");
}

#[test]
fn roots_of_other_inputs_are_found() {
    let mut case = case();
    case.release().inputs_root = Digest::ZERO;
    assert!(invariant_the_roots_are_of_the_inputs(&case.sum).is_err());
    let mut case = self::case();
    case.sum.manifest.direct.swap(0, 2);
    assert!(invariant_the_roots_are_of_the_inputs(&case.sum).is_err());
}

#[test]
fn a_catalogue_that_goes_back_is_found() {
    let (mut followed, unit) = (BTreeMap::new(), "top".parse().unwrap());
    let mut case = case();
    let mut follow = |version| {
        case.release().catalogue_version = version;
        let release = case.sum.release().unwrap();
        invariant_a_catalogue_never_goes_back(&mut followed, &unit, release).is_ok()
    };
    assert!(follow(1) && follow(3) && follow(3) && !follow(2));
}

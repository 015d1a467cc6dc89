//! Indicators and questions for the tests of this crate.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use reeve_statement::bounds::Cell;
use reeve_statement::catalogue::{
    Basis, Contributors, Dimension, Filter, Floors, Indicator, Measure, RecipientClass, Titles,
};
use reeve_statement::cbor::to_vec;
use reeve_statement::chunk::Part;
use reeve_statement::completeness::{Counts, Manifest, UnitState};
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::period::{Period, Step};
use reeve_statement::release::{Release, Sources};
use reeve_statement::statement::{Audience, Body, Onward, Statement};
use reeve_statement::table::{RowKey, Table};
use reeve_statement::time::Timestamp;

use crate::authz::{
    Action, Circumstances, Peer, Permit, Person, PolicySet, Principal, Question, Relation,
    Resource, Role, Scope,
};
use crate::disclosure::Input;

/// A personal count by sex, floors 1, 5 and 11, on a named law.
pub(crate) fn cases() -> Indicator {
    Indicator {
        id: "confirmed_by_day".parse().unwrap(),
        title: Titles(vec![("en".into(), "Confirmed cases".into())]),
        kind: "case".parse().unwrap(),
        personal: true,
        filter: Filter::everything(),
        step: Step::Day,
        period_field: Some("reported_on".parse().unwrap()),
        group_by: vec![Dimension::Field {
            field: "sex".parse().unwrap(),
            values: vec!["f".into(), "m".into()],
        }],
        measure: Measure::Count,
        scale: 0,
        area_depth: 2,
        residual: None,
        basis: Basis::Residence,
        floors: Floors { superior: 1, neighbour: 5, public: 11 },
        legal_basis: Some("Infectious Disease Act, s. 7".into()),
        presence_told: false,
        expected_within_hours: None,
        record_range: None,
        contributors: Contributors::Records,
        cut_off: None,
        due_days: None,
    }
}

/// A stock, not about persons.
pub(crate) fn beds() -> Indicator {
    Indicator {
        id: "free_beds".parse().unwrap(),
        kind: "stock".parse().unwrap(),
        personal: false,
        measure: Measure::Sum("free".parse().unwrap()),
        record_range: Some((0, 2_000)),
        ..cases()
    }
}

pub(crate) fn peer(own: &str, path: &str) -> Principal {
    let path = path.parse().unwrap();
    let relation = Relation::between(&own.parse().unwrap(), &path);
    Principal::Unit(Peer { path, relation, auditor: false })
}

pub(crate) fn person(role: Role) -> Person {
    Person {
        name: "desk".into(),
        role,
        kinds: Scope::Only(BTreeSet::new()),
        areas: Scope::Only(BTreeSet::new()),
        indicators: Scope::Only(BTreeSet::new()),
    }
}

/// A pull of `indicator` from it/03/016 by `path`.
pub(crate) fn pull(path: &str, indicator: Indicator) -> Question {
    Question {
        principal: peer("it/03/016", path),
        action: Action::Pull,
        resource: Resource::Indicator(Box::new(indicator)),
        circumstances: Circumstances {
            purpose: "epidemic control".into(),
            period: Some("2020-03-01".parse().unwrap()),
            ..Circumstances::default()
        },
    }
}

pub(crate) fn period() -> Period {
    "2020-03-01".parse().unwrap()
}

/// Leave for the superior to have `indicator`, by the default policy.
pub(crate) fn permit(indicator: &Indicator) -> Permit {
    static SET: LazyLock<PolicySet> = LazyLock::new(|| PolicySet::of_new_node().unwrap());
    SET.decide(&pull("it/03", indicator.clone())).into_result().unwrap()
}

/// Rows of (area, dimension value, count).
pub(crate) fn table(rows: &[(&str, &str, i64)]) -> Table {
    let mut table = Table::default();
    for (area, value, count) in rows {
        let key = RowKey { area: area.parse().unwrap(), dims: vec![(*value).to_owned()] };
        table.rows.insert(key, Cell::exact(*count, *count));
    }
    table
}

/// What `issuer` would have released of `indicator`, with this table as it stands.
pub(crate) fn input(issuer: &str, indicator: &Indicator, table: &Table) -> Input {
    let permit = permit(indicator);
    let mut decision = permit.decision();
    if permit.floor() > 1 {
        decision.conditions.min_step = permit.floor().max(permit.min_step());
    }
    let release = Release {
        class: RecipientClass::Superior,
        indicator: indicator.id.clone(),
        definition: indicator.definition(),
        period: period(),
        edition: 1,
        previous: None,
        reason: None,
        request: None,
        table: Part::Inline(table.clone()),
        own: None,
        counts: Counts::one(UnitState::Reported),
        manifest: Part::Inline(Manifest::default()),
        inputs_root: Digest::ZERO,
        manifest_root: Digest::ZERO,
        sources: Sources { reported: 1, expected: 1 },
        data_touched: None,
        decision,
        commitment: None,
        register: None,
        catalogue_version: 1,
    };
    received(issuer, release)
}

/// A release as its superior holds it.
pub(crate) fn received(issuer: &str, release: Release) -> Input {
    let statement = Statement {
        version: reeve_statement::statement::VERSION,
        federation: FederationId(Digest::ZERO),
        issuer: issuer.parse().unwrap(),
        term: 1,
        audience: Audience::Class(RecipientClass::Superior),
        onward: Onward::Aggregate,
        issued_at: Timestamp::default(),
        valid_until: None,
        witnessed: None,
        body: Body::Release(Box::new(release)),
    };
    Input::read(&statement, Digest::of(&to_vec(&statement)), |_| None).unwrap()
}

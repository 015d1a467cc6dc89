//! Indicators and questions for the tests of this crate.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use reeve_statement::catalogue::{
    Basis, Contributors, Dimension, Filter, Floors, Indicator, Measure, Titles,
};
use reeve_statement::period::Step;

use crate::authz::{
    Action, Circumstances, Peer, Person, Principal, Question, Relation, Resource, Role, Scope,
};

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

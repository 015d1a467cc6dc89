//! Statements of every kind for tests, always the same.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{Envelope, STATEMENT_TYPE, Signed, Verifier};
use crate::bounds::{Bounds, Cell};
use crate::bulletin::{Bulletin, Frozen};
use crate::catalogue::{Catalogue, RecipientClass, Titles};
use crate::cbor;
use crate::cert::testing::{DAY_MILLIS, Line, NOW};
use crate::cert::{Chain, CrlSet};
use crate::chunk::Part;
use crate::completeness::{Counts, Manifest, UnitState};
use crate::digest::Digest;
use crate::key::SecretKey;
use crate::names::IndicatorId;
use crate::notice::{Notice, NoticeCode};
use crate::register::{Day, Declaration, Population, Register, RegisterEntry};
use crate::release::{Conditions, Decision, Release, Sources};
use crate::request::Request;
use crate::statement::{Audience, Body, FigureId, Onward, Statement, VERSION};
use crate::table::{Area, RowKey, Table};

/// A small release of `it/03/016`, with all that a release carries.
pub(super) fn release() -> Body {
    let area = Area { units: vec!["016".parse().unwrap()], ..Area::default() };
    let row = |dim: &str| RowKey { area: area.clone(), dims: vec![dim.to_owned()] };
    let hidden = Bounds::between(0, 4).unwrap();
    let table = Table {
        rows: [
            (row("0-17"), Cell::exact(12, 12)),
            (row("18-64"), Cell { value: hidden, contributors: hidden }),
        ]
        .into(),
        ..Table::default()
    };
    let decision = Decision {
        policy_set: Digest::of(b"policies"),
        determining: vec!["superior-pulls".to_owned()],
        conditions: Conditions { floor: 5, ..Conditions::default() },
        declarations: Vec::new(),
        adoption: None,
        asked: None,
    };
    Body::Release(Box::new(Release {
        class: RecipientClass::Superior,
        indicator: IndicatorId::new("confirmed_by_day").unwrap(),
        definition: Digest::of(b"definition"),
        period: "2026-02-28".parse().unwrap(),
        edition: 1,
        previous: None,
        reason: None,
        request: None,
        table: Part::Inline(table),
        own: None,
        counts: Counts::one(UnitState::Reported),
        manifest: Part::Inline(Manifest::default()),
        inputs_root: crate::ledger::empty_root(),
        manifest_root: crate::ledger::empty_root(),
        sources: Sources { reported: 1, expected: 1 },
        data_touched: Some(NOW.plus_millis(-1)),
        decision,
        commitment: None,
        register: None,
        catalogue_version: 1,
    }))
}

pub(super) fn request() -> Body {
    Body::Request(Request {
        class: RecipientClass::Superior,
        indicators: Vec::new(),
        from: None,
        to: None,
        subscribe: true,
        purpose: "epidemic control".to_owned(),
        legal_basis: "Infectious Disease Act, s. 7".to_owned(),
        response_level: 1,
        catalogue_version: 1,
        calendar: None,
    })
}

pub(super) fn notice() -> Body {
    Body::Notice(Notice {
        class: RecipientClass::Superior,
        indicator: IndicatorId::new("confirmed_by_day").unwrap(),
        definition: Some(Digest::of(b"definition")),
        period: Some("2026-02-28".parse().unwrap()),
        edition: 1,
        previous: None,
        code: NoticeCode::NotAdopted,
        request: None,
        decision: None,
    })
}

pub(super) fn catalogue() -> Body {
    let schema = Digest::of(b"schema");
    Body::Catalogue(Catalogue { version: 1, schema, indicators: Vec::new() })
}

pub(super) fn register() -> Body {
    let day = |text: &str| Some(Day(text.parse().unwrap()));
    let moved = RegisterEntry {
        names: Titles(vec![("en".to_owned(), "Mill Town".to_owned())]),
        valid_to: day("2026-02-24"),
        population: Some(Population { persons: 1_204, year: 2025, source: "Census".to_owned() }),
        time_zone: Some("Europe/Rome".to_owned()),
        went_to: Some("it/05".parse().unwrap()),
        ..RegisterEntry::new("a".parse().unwrap())
    };
    let merged = RegisterEntry {
        valid_from: day("2026-02-25"),
        predecessors: vec!["b".parse().unwrap(), "c".parse().unwrap()],
        came_from: Some("it/05".parse().unwrap()),
        ..RegisterEntry::new("d".parse().unwrap())
    };
    let previous = Some(Digest::of(b"register 1"));
    Body::Register(Register { version: 2, previous, entries: vec![moved, merged], calendar: None })
}

pub(super) fn declaration() -> Body {
    Body::Declaration(Declaration {
        id: "2026-1".to_owned(),
        level: 1,
        legal_basis: "Emergency Act, s. 2".to_owned(),
        area: "it/03/016".parse().unwrap(),
        from: NOW,
        until: NOW.plus_millis(DAY_MILLIS),
        ended: false,
    })
}

pub(super) fn frozen(indicator: &str, edition: u64) -> Frozen {
    let figure = FigureId {
        indicator: IndicatorId::new(indicator).unwrap(),
        period: Some("2026-02-28".parse().unwrap()),
        class: RecipientClass::Public,
    };
    Frozen { figure, edition, statement: Digest::of(indicator.as_bytes()) }
}

pub(super) fn bulletin() -> Body {
    let figures = vec![frozen("confirmed_by_day", 2), frozen("beds_free", 1)];
    Body::Bulletin(Bulletin::new("Noon".to_owned(), figures).unwrap())
}

pub(super) fn statement(line: &Line, body: Body) -> Statement {
    Statement {
        version: VERSION,
        federation: line.roots.federation(),
        issuer: "it/03/016".parse().unwrap(),
        term: 1,
        audience: Audience::Unit("it/03".parse().unwrap()),
        onward: Onward::Aggregate,
        issued_at: NOW.plus_millis(123),
        valid_until: None,
        witnessed: None,
        body,
    }
}

pub(super) fn verifier(line: &Line) -> Verifier {
    Verifier::new(line.roots.clone(), CrlSet::default())
}

/// Signs what `sign` would refuse to sign.
pub(super) fn sign_anyway(statement: &Statement, secret: &SecretKey, chain: &Chain) -> Signed {
    let payload = cbor::to_vec(statement);
    let unit = chain.leaf().claims().unwrap().unit.clone();
    let digest = chain.leaf_digest();
    let at = statement.issued_at;
    let envelope = Envelope::sign(STATEMENT_TYPE, payload, &unit, at, secret, digest);
    Signed(envelope.with_chain(chain))
}

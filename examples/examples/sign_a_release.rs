//! From keys to a figure that anyone entitled can check offline: a federation's root, two
//! authorities, a node; a decision of the node's policy; a release, signed; its verification by
//! somebody who holds the root list alone.
//!
//! Run it: `cargo run -p reeve-examples --example sign_a_release`

use std::collections::BTreeSet;
use std::error::Error;

use reeve_crdt::catalogue;
use reeve_crdt::schema::Schema;
use reeve_examples::epidemic;
use reeve_policy::authz::{
    Action, Circumstances, Peer, Permit, PolicySet, Principal, Question, Relation, Resource,
};
use reeve_policy::disclosure::{
    DisclosureState, Edition, OwnPart, OwnTable, Released, disclose, roll_up,
};
use reeve_statement::bounds::Cell;
use reeve_statement::catalogue::Indicator;
use reeve_statement::cert::{
    Actions, AuthorityGrant, Chain, CrlSet, Domain, Issuer, NodeGrant, RootList, Serial, Stamp,
    Validity, issue_root,
};
use reeve_statement::cose::{Signed, Verifier, sign};
use reeve_statement::digest::Digest;
use reeve_statement::key::SecretKey;
use reeve_statement::period::Period;
use reeve_statement::release::Sources;
use reeve_statement::statement::{Audience, Body, Statement, VERSION};
use reeve_statement::table::{Area, RowKey, Table};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

/// 2026-03-04 at 06:00, UTC. Nothing in the libraries reads a clock.
const NOW: Timestamp = Timestamp::from_seconds(1_772_604_000);

/// How long certificates are valid around [`NOW`], in milliseconds: half a year either way.
const HALF_A_YEAR: i64 = 180 * 24 * 3_600 * 1_000;

/// A key for a name. Real keys come from the operating system's randomness: `reeve init`.
fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(Digest::of(name.as_bytes()).as_bytes())
}

/// A serial number for a name, which is drawn as well, and the validity.
fn stamp(name: &str) -> Stamp {
    let mut serial = [0; 16];
    for (to, from) in serial.iter_mut().zip(Digest::of(name.as_bytes()).as_bytes()) {
        *to = *from;
    }
    let not_before = NOW.plus_millis(-HALF_A_YEAR);
    let not_after = NOW.plus_millis(HALF_A_YEAR);
    Stamp { serial: Serial::from_random(serial), validity: Validity { not_before, not_after } }
}

/// The federation's root list, and a node of `it/03` with its chain.
fn federation() -> Result<(RootList, SecretKey, Chain), Box<dyn Error>> {
    let root_key = key("root");
    let root = issue_root(&Domain::new("reeve.example")?, &root_key, &stamp("root"))?;
    let authority = |unit: &str, level: &str, levels_below| -> Result<_, Box<dyn Error>> {
        let (unit, level) = (UnitId::new(unit)?, level.to_owned());
        let key = key(unit.as_str()).public();
        Ok(AuthorityGrant { unit, level, key, actions: Actions::all(), levels_below })
    };
    let issuer = Issuer::new(&root, &root_key)?;
    let nation = issuer.authority(&authority("it", "nation", 2)?, &stamp("it"))?;
    let nation_key = key("it");
    let issuer = Issuer::new(&nation, &nation_key)?;
    let region = issuer.authority(&authority("03", "region", 1)?, &stamp("03"))?;
    let (region_key, node_key) = (key("03"), key("node"));
    let grant = NodeGrant {
        label: "1".to_owned(),
        key: node_key.public(),
        actions: Actions::of_node(),
        term: Some(1),
    };
    let node = Issuer::new(&region, &region_key)?.node(&grant, &stamp("node"))?;
    let roots = RootList::genesis(std::slice::from_ref(&root))?;
    Ok((roots, node_key, Chain::new(node, vec![region, nation])?))
}

/// What the node's policy says to its superior's question.
fn ask(own: &UnitPath, indicator: &Indicator, period: Period) -> Result<Permit, Box<dyn Error>> {
    let policies = PolicySet::parse(epidemic::POLICY, "policy.cedar")?;
    let path = own.parent().ok_or("the nation has no superior")?;
    let relation = Relation::between(own, &path);
    let question = Question {
        principal: Principal::Unit(Peer { path, relation, auditor: false }),
        action: Action::Pull,
        resource: Resource::Indicator(Box::new(indicator.clone())),
        circumstances: Circumstances {
            purpose: "epidemic control".to_owned(),
            period: Some(period),
            ..Circumstances::default()
        },
    };
    println!("{}", policies.explain(&question));
    let decision = policies.decide(&question);
    Ok(decision.permit().ok_or("the policy declines")?.clone())
}

/// The home's own counts, as the indicator engine would yield them.
fn own_table() -> Table {
    let row = |age: &str, sex: &str, cases| {
        let dims = vec![age.to_owned(), sex.to_owned()];
        (RowKey { area: Area::own(), dims }, Cell::exact(cases, cases))
    };
    let rows = [row("40-64", "female", 12), row("40-64", "male", 9), row("80+", "female", 2)];
    Table { rows: rows.into(), ..Table::default() }
}

/// Table and permit become a release; there is no other way to one.
fn release(
    own: &UnitPath,
    permit: &Permit,
    indicator: &Indicator,
    period: Period,
) -> Result<Released, Box<dyn Error>> {
    let state = DisclosureState::new(indicator.id.clone(), period);
    let (table, areas) = (own_table(), BTreeSet::from([Area::own()]));
    let table = OwnTable { table: &table, areas: &areas, combinations: None };
    let disclosed = disclose(permit, indicator, period, &table, &state)?;
    let sources = Sources { reported: 1, expected: 1 };
    let part = OwnPart::Table { table: &disclosed, sources, touched: Some(NOW) };
    let figure = roll_up(permit, indicator, period, own, part, &[], &state)?;
    println!("completeness: {}", figure.counts());
    let edition = Edition { edition: 1, catalogue_version: 1, ..Edition::default() };
    Ok(Released::new(permit, figure, edition)?)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let own: UnitPath = "it/03".parse()?;
    let period: Period = "2026-03-03".parse()?;
    let schema = Schema::parse("schema.toml", epidemic::SCHEMA)?;
    let catalogue = catalogue::parse("catalogue.toml", epidemic::CATALOGUE, &schema)?;
    let indicator = catalogue.find(&"confirmed_by_day".parse()?).ok_or("not in the catalogue")?;

    let (roots, node_key, chain) = federation()?;
    let permit = ask(&own, indicator, period)?;
    let released = release(&own, &permit, indicator, period)?;
    let onward = released.onward();
    let statement = Statement {
        version: VERSION,
        federation: roots.federation(),
        issuer: own,
        term: 1,
        audience: Audience::Class(released.release().class),
        onward,
        issued_at: NOW,
        valid_until: None,
        witnessed: None,
        body: released.into_body().0,
    };
    let bytes = sign(&statement, &node_key, &chain)?.to_bytes();
    println!("signed: {} bytes of COSE_Sign1", bytes.len());

    // From here on: anybody with the bytes and the federation's root list, without a network.
    let verifier = Verifier::new(roots, CrlSet::default());
    let verified = Signed::decode(&bytes)?.verify(&verifier, NOW)?;
    println!("signed by a node of {}", verified.signer().unit());
    if let Body::Release(release) = &verified.statement().body {
        let table = release.table.inline().ok_or("the table travels beside the statement")?;
        println!("{} on {}: {}", release.indicator, release.period, table.total()?.value);
    }

    // One changed bit anywhere, and there is nothing to read.
    let mut altered = bytes;
    if let Some(last) = altered.last_mut() {
        *last ^= 1;
    }
    match Signed::decode(&altered)?.verify(&verifier, NOW) {
        Ok(_) => Err("an altered statement was accepted".into()),
        Err(error) => {
            println!("altered: {error}");
            Ok(())
        }
    }
}

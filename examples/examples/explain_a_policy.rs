//! What a policy would answer, and why, before anybody asks: the pack's policy for a superior, a
//! neighbour and a stranger; then what a stricter policy would change.
//!
//! Run it: `cargo run -p reeve-examples --example explain_a_policy`

use std::error::Error;

use reeve_crdt::catalogue;
use reeve_crdt::schema::Schema;
use reeve_examples::epidemic;
use reeve_policy::authz::{
    Action, Circumstances, Peer, PolicySet, Principal, Question, Relation, Resource,
};
use reeve_statement::catalogue::Indicator;
use reeve_statement::unit::UnitPath;

/// The unit whose policy is asked.
const OWN: &str = "atlantis/r1/r1-m1";

/// Its superior, a neighbour, and a unit of another region.
const PEERS: [&str; 3] = ["atlantis/r1", "atlantis/r1/r1-m2", "atlantis/r2/r2-m1"];

fn question(peer: &str, indicator: &Indicator) -> Result<Question, Box<dyn Error>> {
    let own: UnitPath = OWN.parse()?;
    let path: UnitPath = peer.parse()?;
    let relation = Relation::between(&own, &path);
    Ok(Question {
        principal: Principal::Unit(Peer { path, relation, auditor: false }),
        action: Action::Pull,
        resource: Resource::Indicator(Box::new(indicator.clone())),
        circumstances: Circumstances {
            purpose: "epidemic control".to_owned(),
            period: Some("2026-03-03".parse()?),
            ..Circumstances::default()
        },
    })
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let schema = Schema::parse("schema.toml", epidemic::SCHEMA)?;
    let catalogue = catalogue::parse("catalogue.toml", epidemic::CATALOGUE, &schema)?;
    let policies = PolicySet::parse(epidemic::POLICY, "policy.cedar")?;
    let mut questions = Vec::new();
    for id in ["confirmed_by_day", "deaths_by_day", "beds_free"] {
        let indicator = catalogue.find(&id.parse()?).ok_or("not in the catalogue")?;
        for peer in PEERS {
            questions.push(question(peer, indicator)?);
        }
    }
    for question in &questions {
        println!("{}\n", policies.explain(question));
    }

    let stricter = epidemic::POLICY.replace("@min_cell(\"5\")", "@min_cell(\"20\")");
    let stricter = PolicySet::parse(&stricter, "stricter.cedar")?;
    println!("A stricter policy would change:");
    for difference in policies.preview(&stricter, &questions) {
        let (before, after) = (difference.before.effect(), difference.after.effect());
        println!("{}\n  before: {before}\n  after:  {after}", difference.before.question);
    }
    Ok(())
}

//! What people write: schemas, catalogues, mappings, configurations, tokens, policies, names.

use std::path::Path;
use std::sync::OnceLock;

use reeve::config::Config;
use reeve::import::Mapping;
use reeve::net::NodeAddress;
use reeve::token::{Secret, Token, Tokens};
use reeve_crdt::indicator::Engine;
use reeve_crdt::record::RecordId;
use reeve_crdt::schema::{Retention, Schema};
use reeve_policy::authz::{
    Action, Circumstances, Decision, KeptQuestion, Peer, Person, PolicySet, Principal, Question,
    Relation, Resource, Role, Scope,
};
use reeve_statement::catalogue::Catalogue;
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::cert::{Domain, Serial, dns_name};
use reeve_statement::digest::Digest;
use reeve_statement::limits::STATEMENT_BYTES;
use reeve_statement::names::{FieldId, IndicatorId, KindId};
use reeve_statement::period::{Period, Step};
use reeve_statement::table::Area;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use super::text;
use crate::house::{NOW, catalogue, path, schema};

const MAPPINGS: [&str; 3] = [
    include_str!("../../../../examples/epidemic/case.mapping.toml"),
    include_str!("../../../../examples/epidemic/supply_stock.mapping.toml"),
    include_str!("../../../../examples/epidemic/district.mapping.toml"),
];

/// A problem is shown with its place, whatever the file holds.
fn shown(problems: &reeve_crdt::located::Problems) {
    assert!(problems.iter().next().is_some(), "refused without a reason");
    for problem in problems.iter() {
        assert!(problem.line >= 1 && problem.column >= 1);
    }
    assert!(!problems.to_string().is_empty());
}

/// A schema in TOML: refused with places, or the same each time it is read.
pub fn schema_text(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match Schema::parse("schema.toml", text) {
        Ok(schema) => {
            let again = Schema::parse("schema.toml", text).unwrap();
            assert_eq!(schema.hash(), again.hash());
            for kind in schema.kinds() {
                assert!(kind.shards >= 1);
                let id = RecordId::new("1").unwrap();
                assert!(kind.shard_of(&id) < kind.shards);
            }
        }
        Err(problems) => shown(&problems),
    }
}

/// Seeds of [`schema_text`].
pub fn schema_seeds() -> Vec<Vec<u8>> {
    let italy = include_str!("../../../../examples/italy/schema.toml");
    let small = "[schema]\nname = \"t\"\nversion = 1\n[kind.case]\ntwin = \"emergency\"\n\
                 field.age = { type = \"integer\", min = 0, max = 130 }\n";
    [crate::house::SCHEMA, italy, small].map(|text| text.as_bytes().to_vec()).into()
}

/// A catalogue in TOML against a schema: refused with places, or indicators that a node can compute,
/// send in a statement and read back.
pub fn catalogue_text(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match reeve_crdt::catalogue::parse("catalogue.toml", text, schema()) {
        Ok(catalogue) => {
            let bytes = to_vec(&catalogue);
            let read: Catalogue = from_slice("catalogue", &bytes, STATEMENT_BYTES * 64).unwrap();
            assert_eq!(read, catalogue, "a catalogue that cannot be sent");
            Engine::new(schema(), &catalogue, "Europe/Rome").expect("indicators fit the schema");
        }
        Err(problems) => shown(&problems),
    }
}

/// Seeds of [`catalogue_text`].
pub fn catalogue_seeds() -> Vec<Vec<u8>> {
    let small = "[catalogue]\nversion = 1\n[indicator.cases]\nkind = \"case\"\nbasis = \"report\"\n\
                 period = { field = \"reported_on\", step = \"day\" }\nmeasure = \"count\"\n\
                 where = { any = [{ status = \"confirmed\" }, { not = { age = { less = 8 } } }] }\n";
    [crate::house::CATALOGUE, small].map(|text| text.as_bytes().to_vec()).into()
}

/// The mapping of an import against a schema.
pub fn mapping(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match Mapping::parse("mapping.toml", text, schema()) {
        Ok(mapping) => {
            assert!(schema().kind(mapping.kind().id.as_str()).is_some());
            assert!((1..=48).contains(&mapping.source().len()));
        }
        Err(problems) => shown(&problems),
    }
}

/// Seeds of [`mapping`].
pub fn mapping_seeds() -> Vec<Vec<u8>> {
    MAPPINGS.map(|text| text.as_bytes().to_vec()).into()
}

/// The configuration of a node, and its file of tokens: what parses prints, and parses equal again.
pub fn config(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match Config::parse("reeve.toml", text) {
        Ok(config) => {
            let printed = config.to_toml();
            let again = Config::parse("reeve.toml", &printed);
            assert_eq!(again.as_ref(), Ok(&config), "what we print does not parse:\n{printed}");
        }
        Err(problems) => shown(&problems),
    }
    if let Ok(tokens) = Tokens::parse(Path::new("tokens.toml"), text) {
        assert!(tokens.entries().iter().all(|token| token.person().is_ok()));
        let nobody = tokens.person(text, NOW);
        assert!(nobody.is_err(), "a token whose secret is its own file");
    }
}

/// Seeds of [`config`].
pub fn config_seeds() -> Vec<Vec<u8>> {
    let config = Config::new("03".parse().unwrap());
    let key = crate::house::key("superior").public();
    let addresses = vec!["/ip4/192.0.2.1/tcp/7401".to_owned()];
    let peer = reeve::config::Peer { key, addresses };
    let with_peers = config.to_toml() + &Config::superior_entry(&peer) + &Config::home_entry(&peer);
    let secret = Secret::of(&[7; 32]);
    let token = Token::new("clinic", Role::Writer, &secret, NOW);
    let Token { name, sha256, role, made, .. } = token;
    let tokens = format!(
        "[[token]]\nname = \"{name}\"\nsha256 = \"{sha256}\"\nrole = \"{role}\"\nkinds = [\"case\"]\n\
         areas = [\"it/03\"]\nmade = \"{made}\"\nexpires = \"2027-01-01T00:00:00Z\"\n"
    );
    [config.to_toml(), with_peers, tokens].map(String::into_bytes).into()
}

/// Questions that every policy is asked: peers about figures, persons about everything.
fn questions() -> &'static [Question] {
    static QUESTIONS: OnceLock<Vec<Question>> = OnceLock::new();
    QUESTIONS.get_or_init(|| {
        let circumstances = Circumstances {
            purpose: "epidemic control".to_owned(),
            legal_basis: Some("Infectious Disease Act, s. 7".to_owned()),
            period: Some("2026-02-28".parse().unwrap()),
            ..Circumstances::default()
        };
        let mut questions = Vec::new();
        for relation in [Relation::Superior, Relation::Neighbour, Relation::Other] {
            for indicator in catalogue().indicators.iter().take(3) {
                let peer = Peer { path: path("it/03"), relation, auditor: false };
                questions.push(Question {
                    principal: Principal::Unit(peer),
                    action: Action::Pull,
                    resource: Resource::Indicator(Box::new(indicator.clone())),
                    circumstances: circumstances.clone(),
                });
            }
        }
        for role in [Role::Operator, Role::Viewer] {
            let person = Person {
                name: "somebody".to_owned(),
                role,
                kinds: Scope::All,
                areas: Scope::All,
                indicators: Scope::All,
            };
            let node = Resource::Node(path("it/03"));
            let kind = Resource::Kind { id: KindId::new("case").unwrap(), personal: true };
            for (action, resource) in [(Action::ChangePolicy, node), (Action::ReadRecord, kind)] {
                let circumstances = Circumstances::default();
                let principal = Principal::Person(person.clone());
                questions.push(Question { principal, action, resource, circumstances });
            }
        }
        questions
    })
}

/// A policy file: refused with places, or one that answers every question alike each time, also one that
/// was kept, names what it decided by, and never permits a figure below the indicator's floor.
pub fn policy(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let set = match PolicySet::parse(text, "policy.cedar") {
        Ok(set) => set,
        Err(faults) => {
            assert!(!faults.0.is_empty() && !faults.to_string().is_empty());
            return;
        }
    };
    for question in questions() {
        let decision = set.decide(question);
        assert_eq!(set.decide(question), decision, "two answers to one question");
        if let Some(kept) = question.kept() {
            let again = set.decide_again(&KeptQuestion::parse(&kept).unwrap()).unwrap();
            let told = match &decision {
                Decision::Permit(permit) => permit.decision(),
                Decision::Decline(refusal) => refusal.decision(),
            };
            let (found, permitted) = (&again.decision, decision.permit().is_some());
            assert_eq!(
                (found.determining.len(), again.permitted),
                (told.determining.len(), permitted)
            );
            assert!(again.differences(permitted, &told).is_empty(), "another answer afterwards");
        }
        let Decision::Permit(permit) = decision else { continue };
        assert!(!permit.determining().is_empty(), "permitted by nothing");
        assert_eq!(permit.policy_set(), Digest::of(text.as_bytes()));
        if let (Resource::Indicator(indicator), Some(class)) = (&question.resource, permit.class())
        {
            let least = indicator.floors.of(class);
            assert!(!indicator.personal || permit.floor() >= least, "a figure below its floor");
        }
    }
    let _ = set.explain(&questions()[0]);
}

/// Seeds of [`policy`].
pub fn policy_seeds() -> Vec<Vec<u8>> {
    let strict = r#"@id("superior-pulls")
@min_cell("5")
@round("5")
permit (principal is Unit, action in [Action::"pull"], resource is Indicator)
when { principal.relation == Relation::"superior" && principal.level + 9 > context.response_level };
"#;
    let pack = include_str!("../../../../examples/epidemic/policy.cedar");
    [reeve_policy::authz::DEFAULT_POLICY, pack, strict].map(|it| it.as_bytes().to_vec()).into()
}

/// What parses prints the same, and parses equal again.
fn stands<T>(text: &str)
where
    T: std::str::FromStr + std::fmt::Display + PartialEq + std::fmt::Debug,
{
    if let Ok(value) = text.parse::<T>() {
        let printed = value.to_string();
        let again = printed.parse::<T>().ok();
        assert_eq!(again.as_ref(), Some(&value), "{text:?} prints as {printed:?}");
    }
}

/// Names, periods, times, areas, addresses, digests.
pub fn names(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    stands::<UnitId>(text);
    stands::<UnitPath>(text);
    stands::<Period>(text);
    stands::<Timestamp>(text);
    stands::<Digest>(text);
    stands::<KindId>(text);
    stands::<FieldId>(text);
    stands::<IndicatorId>(text);
    stands::<NodeAddress>(text);
    stands::<Domain>(text);
    stands::<Area>(text);
    let _ = text.parse::<Retention>();
    if let Some(serial) = Serial::from_hex(text) {
        assert_eq!(Serial::from_hex(&serial.to_string()), Some(serial));
    }
    if let (Ok(unit), Ok(domain)) = (text.parse::<UnitPath>(), Domain::new("reeve.example"))
        && let Ok(name) = dns_name(&unit, &domain)
    {
        assert!(name.len() <= 253 && name.ends_with(".reeve.example"));
    }
    if let Ok(period) = text.parse::<Period>() {
        period_stands(period);
    }
}

fn period_stands(period: Period) {
    let (Some(first), Some(last)) = (period.first_day(), period.last_day()) else { return };
    assert!(first <= last);
    let next = period.next();
    if next != period && next.first_day().is_some() {
        assert_eq!(last.tomorrow().ok(), next.first_day(), "a gap after {period}");
    }
    for step in [Step::Day, Step::Week, Step::Month] {
        let of = Period::of(step, first);
        assert!(of.first_day().is_some_and(|day| day <= first));
    }
}

/// Seeds of [`names`].
pub fn name_seeds() -> Vec<Vec<u8>> {
    [
        "it/03/016",
        "2026-02-28",
        "2026-W09",
        "2026-02",
        "now",
        "2026-03-01T12:00:00.000Z",
        "03/016+out-of-region",
        "confirmed_by_day",
        "/ip4/192.0.2.1/tcp/7401/p2p/12D3KooWGzBRs2pYKDoUjUfnuDbNbFmkjNzVhPLYiGXUx9vEkbYU",
        "/dns4/node.example/udp/7401/quic-v1",
        "reeve.example",
        "9999-12-31",
        "-9999-01-01",
        "5y",
        "00:ff:a0",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

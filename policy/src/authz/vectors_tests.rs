//! Published decisions: files that this and every later version must judge the same way.
//!
//! `testdata/decisions-v1` holds `good_` decisions and `bad_<why>` ones, each as `reeve audit decision -o` writes it,
//! and the roots that their statements are verified by. They are made below from fixed seeds and compared byte for
//! byte; another Cedar decides them again in `.ci/node`. After a deliberate change run the first test once with
//! `REEVE_BLESS=1` to write them anew.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use reeve_statement::bounds::Cell;
use reeve_statement::cert::{
    Actions, AuthorityGrant, Chain, CrlSet, Domain, Issuer, NodeGrant, RootList, Serial, Stamp,
    Validity, issue_root,
};
use reeve_statement::cose::{Signed, Verifier, sign};
use reeve_statement::digest::Digest;
use reeve_statement::key::SecretKey;
use reeve_statement::notice::{Notice, NoticeCode};
use reeve_statement::release::{Decision as Told, Sources};
use reeve_statement::statement::{Audience, Body, Onward, Statement, VERSION};
use reeve_statement::table::{Area, RowKey, Table};
use reeve_statement::time::Timestamp;

use super::again::told;
use super::*;
use crate::disclosure::{DisclosureState, Edition, OwnPart, OwnTable, Released, disclose, roll_up};
use crate::fixture::{cases, period, pull};

/// 2020-03-02 at 12:00, UTC.
const NOW: Timestamp = Timestamp::from_seconds(1_583_150_400);

const OWN: &str = "it/03/016";

type Files = BTreeMap<&'static str, Vec<u8>>;

/// What a house adds to the policy of a new node: a forbid, and a relaxation.
const MORE: &str = r#"
@id("only-for-the-epidemic")
forbid (
  principal is Unit,
  action in [Action::"pull", Action::"subscribe"],
  resource is Indicator
) unless { context.purpose == "epidemic control" };

@id("emergency")
@supersedes("superior-figures, only-for-the-epidemic")
@min_cell("3")
@window("10s")
permit (
  principal is Unit,
  action in [Action::"pull", Action::"subscribe"],
  resource is Indicator
) when { principal.relation == Relation::"superior" && context.response_level >= 1 };
"#;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/decisions-v1")
}

fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(Digest::of(name.as_bytes()).as_bytes())
}

fn stamp(name: &str) -> Stamp {
    let half_a_year = 180 * 24 * 3_600 * 1_000;
    let serial: [u8; 16] = Digest::of(name.as_bytes()).as_bytes()[..16].try_into().unwrap();
    let (not_before, not_after) = (NOW.plus_millis(-half_a_year), NOW.plus_millis(half_a_year));
    Stamp { serial: Serial::from_random(serial), validity: Validity { not_before, not_after } }
}

/// The roots, and a node of it/03/016 with its chain.
fn federation() -> (RootList, SecretKey, Chain) {
    let root = issue_root(&Domain::new("reeve.example").unwrap(), &key("root"), &stamp("root"));
    let root = root.unwrap();
    let roots = RootList::genesis(std::slice::from_ref(&root)).unwrap();
    let (mut above, mut above_key, mut chain) = (root, key("root"), Vec::new());
    for (unit, level, levels_below) in
        [("it", "nation", 2), ("03", "region", 1), ("016", "town", 0)]
    {
        let grant = AuthorityGrant {
            unit: unit.parse().unwrap(),
            level: level.to_owned(),
            key: key(unit).public(),
            actions: Actions::all(),
            levels_below,
        };
        let issuer = Issuer::new(&above, &above_key);
        let authority = issuer.unwrap().authority(&grant, &stamp(unit)).unwrap();
        (above, above_key) = (authority.clone(), key(unit));
        chain.insert(0, authority);
    }
    let grant = NodeGrant {
        label: "1".to_owned(),
        key: key("node").public(),
        actions: Actions::of_node(),
        term: Some(1),
    };
    let node = Issuer::new(&above, &above_key).unwrap().node(&grant, &stamp("node")).unwrap();
    (roots, key("node"), Chain::new(node, chain).unwrap())
}

/// Signs what a policy set decided, changed by `change`.
fn signed(policy: &PolicySet, asked: &Question, change: impl FnOnce(&mut Told)) -> (Vec<u8>, Told) {
    let digest = Digest::of(asked.kept().unwrap().as_bytes());
    let mut body = match policy.decide(asked) {
        Decision::Permit(permit) => released(&permit, digest),
        Decision::Decline(refusal) => Body::Notice(Notice {
            class: reeve_statement::catalogue::RecipientClass::Superior,
            indicator: cases().id,
            definition: Some(cases().definition()),
            period: Some(period()),
            edition: 1,
            previous: None,
            code: NoticeCode::Declined,
            request: None,
            decision: Some(Told { asked: Some(digest), ..refusal.decision() }),
        }),
    };
    let decision = match &mut body {
        Body::Release(release) => &mut release.decision,
        Body::Notice(notice) => notice.decision.as_mut().unwrap(),
        other => panic!("{other:?}"),
    };
    change(decision);
    let decision = decision.clone();
    let (roots, key, chain) = federation();
    let statement = Statement {
        version: VERSION,
        federation: roots.federation(),
        issuer: OWN.parse().unwrap(),
        term: 1,
        audience: Audience::Unit("it/03".parse().unwrap()),
        onward: Onward::Aggregate,
        issued_at: NOW,
        valid_until: None,
        witnessed: None,
        body,
    };
    (sign(&statement, &key, &chain).unwrap().to_bytes(), decision)
}

fn released(permit: &Permit, asked: Digest) -> Body {
    let (indicator, unit) = (cases(), OWN.parse().unwrap());
    let row = |sex: &str, cases| {
        let key = RowKey { area: Area::own(), dims: vec![sex.to_owned()] };
        (key, Cell::exact(cases, cases))
    };
    let table = Table { rows: [row("f", 12), row("m", 20)].into(), ..Table::default() };
    let state = DisclosureState::new(indicator.id.clone(), period());
    let areas = BTreeSet::from([Area::own()]);
    let own = OwnTable { table: &table, areas: &areas, combinations: None };
    let disclosed = disclose(permit, &indicator, period(), &own, &state).unwrap();
    let sources = Sources { reported: 1, expected: 1 };
    let part = OwnPart::Table { table: &disclosed, sources, touched: Some(NOW) };
    let figure = roll_up(permit, &indicator, period(), &unit, part, &[], &state).unwrap();
    let edition =
        Edition { edition: 1, catalogue_version: 1, asked: Some(asked), ..Edition::default() };
    Released::new(permit, figure, edition).unwrap().into_body().0
}

/// A decision as `reeve audit decision -o` writes it.
fn files(policy: &str, asked: &Question, change: impl FnOnce(&mut Told)) -> Files {
    let set = PolicySet::parse(policy, "policy.cedar").unwrap();
    let (statement, decision) = signed(&set, asked, change);
    let document = asked.kept().unwrap();
    let kept = KeptQuestion::parse(&document).unwrap();
    let again = set.decide_again(&kept).unwrap();
    let permitted = set.decide(asked).permit().is_some();
    let decision = format!("{:#}\n", told(permitted, &decision));
    let mut files = Files::from([
        ("statement.cose", statement),
        ("roots.cbor", federation().0.encode()),
        ("policy.cedar", policy.as_bytes().to_vec()),
        ("schema.cedarschema", SCHEMA.as_bytes().to_vec()),
        ("asked.json", document.into_bytes()),
        ("decision.json", decision.into_bytes()),
    ]);
    files.extend(again.plain(&kept).map(|(name, text)| (name, text.into_bytes())));
    files
}

fn asked(purpose: &str, level: u8) -> Question {
    let mut question = pull("it/03", cases());
    question.circumstances.purpose = purpose.to_owned();
    question.circumstances.response_level = level;
    question.circumstances.legal_basis = Some("Infectious Disease Act, s. 7".to_owned());
    question
}

fn other(mut files: Files, name: &str, from: &str, to: &str) -> Files {
    let file = files.get_mut(name).unwrap();
    let text = String::from_utf8(file.clone()).unwrap();
    let changed = text.replace(from, to);
    assert_ne!(text, changed, "{name}");
    *file = changed.into_bytes();
    files
}

/// Name and files; of a bad one how what is wrong with it begins.
fn vectors() -> Vec<(&'static str, Files, &'static str)> {
    let policy = format!("{DEFAULT_POLICY}{MORE}");
    let epidemic = || asked("epidemic control", 0);
    let good = |question: &Question| files(&policy, question, |_| {});
    let forged = |question: &Question, change: fn(&mut Told)| files(&policy, question, change);
    vec![
        ("good_permitted", good(&epidemic()), ""),
        ("good_declined", good(&asked("tourism", 0)), ""),
        ("good_under_a_declaration", good(&asked("tourism", 1)), ""),
        (
            "bad_other_policy",
            other(good(&epidemic()), "policy.cedar", "@min_cell(\"3\")", "@min_cell(\"2\")"),
            "policy.cedar",
        ),
        (
            "bad_other_question",
            other(good(&epidemic()), "asked.json", "epidemic control", "tourism"),
            "asked.json",
        ),
        (
            "bad_other_schema",
            other(good(&epidemic()), "schema.cedarschema", "1 is exact", "0 is exact"),
            "schema.cedarschema",
        ),
        (
            "bad_other_answer",
            answered_otherwise(&policy),
            "told as permitted; decided again it is declined",
        ),
        (
            "bad_other_policies_named",
            forged(&epidemic(), |told| told.determining = vec!["emergency".to_owned()]),
            "told as decided by [emergency]",
        ),
        (
            "bad_lower_floor",
            forged(&asked("tourism", 1), |told| told.conditions.floor = 1),
            "floor 1 was told, 3 is demanded",
        ),
    ]
}

/// A figure that was told although the policy that it names declines it.
fn answered_otherwise(policy: &str) -> Files {
    let question = asked("tourism", 0);
    let lenient = PolicySet::parse(DEFAULT_POLICY, "policy.cedar").unwrap();
    let named = Digest::of(policy.as_bytes());
    let (statement, decision) = signed(&lenient, &question, |told| told.policy_set = named);
    let mut files = files(policy, &question, |_| {});
    let decision = format!("{:#}\n", told(true, &decision));
    files.extend([("statement.cose", statement), ("decision.json", decision.into_bytes())]);
    files
}

#[test]
fn published_decisions_are_as_they_were() {
    let bless = std::env::var_os("REEVE_BLESS").is_some();
    let mut names = BTreeSet::new();
    for (name, files, _) in vectors() {
        let at = folder().join(name);
        if bless {
            std::fs::create_dir_all(&at).unwrap();
            files.iter().for_each(|(file, bytes)| std::fs::write(at.join(file), bytes).unwrap());
        }
        for (file, bytes) in &files {
            let found = std::fs::read(at.join(file)).unwrap();
            assert!(found == *bytes, "{name}/{file} is another one");
        }
        assert_eq!(std::fs::read_dir(&at).unwrap().count(), files.len(), "{name}");
        names.insert(name.to_owned());
    }
    let found = std::fs::read_dir(folder()).unwrap();
    let found: BTreeSet<_> =
        found.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, names);
}

#[test]
fn published_decisions_are_judged_as_their_names_say() {
    for (name, files, why) in vectors() {
        let verifier = Verifier::new(federation().0, CrlSet::default());
        let verified = Signed::decode(&files["statement.cose"]).unwrap().verify(&verifier, NOW);
        let (permitted, decision) = match verified.unwrap().into_statement().body {
            Body::Release(release) => (true, release.decision),
            Body::Notice(notice) => (false, notice.decision.unwrap()),
            other => panic!("{other:?}"),
        };
        let text = |file: &str| core::str::from_utf8(&files[file]).unwrap();
        let kept = KeptQuestion::parse(text("asked.json")).unwrap();
        let digests = [
            ("policy.cedar", decision.policy_set),
            ("asked.json", decision.asked.unwrap()),
            ("schema.cedarschema", kept.schema()),
        ];
        let differs = |(file, digest): &&(&str, Digest)| Digest::of(&files[*file]) != *digest;
        let found = match digests.iter().find(differs) {
            Some((file, _)) => (*file).to_owned(),
            None => {
                let set = PolicySet::parse_under(
                    text("policy.cedar"),
                    "policy",
                    text("schema.cedarschema"),
                );
                let again = set.unwrap().decide_again(&kept).unwrap();
                again.differences(permitted, &decision).join("; ")
            }
        };
        assert!(found.starts_with(why) && found.is_empty() == why.is_empty(), "{name}: {found}");
    }
}

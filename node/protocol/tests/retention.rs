//! Retention in a home of several nodes: what is removed is removed everywhere, stays away whatever node
//! was absent or put back, and figures stand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use reeve_crdt::record::{Record, RecordId, Value};
use reeve_crdt::schema::Schema;
use reeve_crdt::twin::{HomeId, RecordOp, Seal, SignedSeal};
use reeve_policy::authz::Role;
use reeve_protocol::NodeKey;
use reeve_protocol::effect::Channel;
use reeve_protocol::local::{Answer, Expired, Failure, ImportMode, Question};
use reeve_protocol::refusal::Refusal;
use reeve_protocol::wire::{Blob, HelloAnswer, HomeAnswer, HomeMessage, decode};
use reeve_sim::registry::{Registry, node_key};
use reeve_statement::cbor::to_vec;
use reeve_statement::digest::Digest;
use reeve_statement::names::KindId;
use world::hostile::Hostile;
use world::{CATALOGUE, SCHEMA, World, operator, person, unit};

/// The world begins on 2026-03-02.
const OLD: &str = "2025-11-03";
const NEW: &str = "2026-02-20";
const CUT: &str = "2026-01-01";

/// What a record says that must go.
const SECRET: &str = "wormwood-quillback";

fn case_kind() -> KindId {
    KindId::new("case").unwrap()
}

fn home(nodes: usize) -> (World, NodeKey, Vec<NodeKey>) {
    let mut world = World::new();
    let nation = world.add("it");
    let mut keys = vec![world.add("it/03")];
    world.publish_catalogue(nation, "it", CATALOGUE);
    for label in ["2", "3"].iter().take(nodes - 1) {
        keys.push(world.add_node("it/03", label, None));
    }
    world.pass(1_000);
    (world, nation, keys)
}

fn op(world: &World, id: &str, day: &str, note: &str) -> RecordOp {
    let kind = world.schema.kind("case").unwrap();
    let mut record = Record::new();
    for (name, text) in [("reported_on", day), ("sex", "f"), ("note", note)] {
        let field = kind.field(name).unwrap();
        record.set(field.id.clone(), Value::parse(&field.field_type, text).unwrap());
    }
    RecordOp::Put { id: RecordId::new(id).unwrap(), record: kind.validate(record).unwrap() }
}

fn put(world: &mut World, at: NodeKey, id: &str, day: &str, note: &str) {
    let op = op(world, id, day, note);
    let answer = world.write(at, vec![op]);
    assert!(matches!(answer, Answer::Written(_)), "{answer:?}");
}

/// Eight cases of the old day and eight of the new one, spread over the shards; both days are closed.
fn fill(world: &mut World, at: NodeKey) {
    for n in 0..8 {
        put(world, at, &format!("old-{n}"), OLD, &format!("{SECRET}-{n}"));
        put(world, at, &format!("new-{n}"), NEW, "stays");
    }
    for day in [OLD, NEW] {
        world.period_closed(at, day);
    }
    world.pass(2_000);
}

fn expire(world: &mut World, at: NodeKey, before: &str, dry: bool) -> Vec<Expired> {
    let before = Some(before.parse().unwrap());
    let what = Question::Expire { kind: Some(case_kind()), before, dry };
    match world.ask(at, operator(), what) {
        Answer::Expired(found) => found,
        other => panic!("{other:?}"),
    }
}

fn ids(world: &mut World, at: NodeKey) -> Vec<String> {
    let (mut all, mut shard, mut shards) = (Vec::new(), 0, 1);
    while shard < shards {
        let what = Question::Records { kind: case_kind(), shard };
        let Answer::Records { records, shards: count } = world.ask(at, person(Role::Writer), what)
        else {
            panic!("no records");
        };
        all.extend(records.into_iter().map(|(id, _)| id.as_str().to_owned()));
        (shards, shard) = (count, shard + 1);
    }
    all.sort();
    all
}

fn new_ids() -> Vec<String> {
    (0..8).map(|n| format!("new-{n}")).collect()
}

#[track_caller]
fn invariant_is_gone(world: &World, nodes: &[NodeKey], bytes: &str) {
    for node in nodes {
        let site = &world.sites[node];
        let holds = |value: &[u8]| value.windows(bytes.len()).any(|it| it == bytes.as_bytes());
        let rows = site.rows.iter().filter(|(_, value)| holds(value));
        let rows: Vec<_> = rows.map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect();
        assert!(!site.holds(bytes.as_bytes()), "{bytes} is in a file of {node}, rows {rows:?}");
    }
}

#[test]
fn expired_records_leave_every_node_and_figures_stand() {
    let (mut world, nation, nodes) = home(2);
    fill(&mut world, nodes[0]);
    assert_eq!(ids(&mut world, nodes[1]).len(), 16);
    let edition = world.figure(nation, OLD).unwrap().edition;
    assert_eq!(world.total(nation, OLD), Some(8));
    for node in &nodes {
        assert!(world.sites[node].holds(SECRET.as_bytes()), "it is there before");
    }
    let found = expire(&mut world, nodes[0], CUT, true);
    assert_eq!((found[0].records, found[0].kept), (8, 8));
    assert_eq!(ids(&mut world, nodes[0]).len(), 16, "nothing is removed by looking");
    let found = expire(&mut world, nodes[0], CUT, false);
    assert_eq!((found[0].records, found[0].kept), (8, 8));
    invariant_is_gone(&world, &nodes[..1], SECRET);
    world.pass(3_000);
    invariant_is_gone(&world, &nodes, SECRET);
    for node in &nodes {
        assert_eq!(ids(&mut world, *node), new_ids());
        assert_eq!(world.total(*node, NEW), Some(8));
    }
    // Again removes nothing, and the node that does not report removes nothing at all.
    assert_eq!(expire(&mut world, nodes[0], CUT, false)[0].records, 0);
    let what = Question::Expire { kind: None, before: None, dry: false };
    let answer = world.ask(nodes[1], operator(), what);
    assert!(matches!(answer, Answer::Failed(Failure::NotSealing)), "{answer:?}");
    for (label, term) in [("1", Some(1)), ("2", None)] {
        world.restart("it/03", label, term);
        world.pass(3_000);
    }
    for node in &nodes {
        assert_eq!(ids(&mut world, *node), new_ids());
    }
    let figure = world.figure(nation, OLD).unwrap();
    assert_eq!((figure.edition, world.total(nation, OLD)), (edition, Some(8)));
    // Records go on to flow both ways.
    put(&mut world, nodes[1], "from-the-second", NEW, "later");
    put(&mut world, nodes[0], "from-the-first", NEW, "later");
    world.pass(3_000);
    for node in &nodes {
        assert_eq!(ids(&mut world, *node).len(), 10);
    }
    assert_eq!(world.total(nation, NEW), Some(10));
}

#[test]
fn what_comes_late_is_refused_and_counted() {
    let (mut world, nation, nodes) = home(1);
    fill(&mut world, nodes[0]);
    expire(&mut world, nodes[0], CUT, false);
    let late = op(&world, "late", OLD, "late");
    let fresh = op(&world, "fresh", NEW, "fresh");
    let answer = world.write(nodes[0], vec![late.clone(), fresh.clone()]);
    assert!(matches!(&answer, Answer::Failed(Failure::Sealed { late: 1, .. })), "{answer:?}");
    assert_eq!(world.counter(nodes[0], "late_changes", "refused"), 1);
    let close = Question::Close {
        kind: case_kind(),
        source: "other".to_owned(),
        periods: vec![OLD.parse().unwrap()],
        reason: None,
    };
    let answer = world.ask(nodes[0], person(Role::Writer), close);
    assert!(matches!(answer, Answer::Failed(Failure::Sealed { .. })), "{answer:?}");
    // An import goes on without them, and says so.
    let (kind, file) = (case_kind(), Digest::of(b"file"));
    let (name, mode) = ("file.csv".to_owned(), ImportMode::Replace);
    let begin = Question::BeginImport { kind: kind.clone(), file, name, mode };
    let Answer::Begun(import) = world.ask(nodes[0], person(Role::Writer), begin) else {
        panic!("no import");
    };
    let write = Question::Write { kind, ops: vec![late, fresh], import: Some(import) };
    assert!(matches!(world.ask(nodes[0], person(Role::Writer), write), Answer::Written(_)));
    let end = Question::EndImport {
        import,
        source: "registry".to_owned(),
        closes: vec![OLD.parse().unwrap(), NEW.parse().unwrap()],
        reason: None,
        sweep: None,
    };
    let Answer::Ended(row) = world.ask(nodes[0], person(Role::Writer), end) else {
        panic!("no end");
    };
    assert_eq!((row.refused, row.inserted, row.unchanged), (Some(1), 1, 0));
    world.pass(2_000);
    assert_eq!((world.total(nation, OLD), world.total(nation, NEW)), (Some(8), Some(9)));
}

#[test]
fn a_node_that_was_away_erases_before_it_exchanges_records() {
    let (mut world, nation, nodes) = home(2);
    fill(&mut world, nodes[0]);
    world.set_down(nodes[1], true);
    // It goes on alone: a change of an old record, a new one that is too old, and two that may stay.
    put(&mut world, nodes[1], "old-3", OLD, &format!("{SECRET}-again"));
    put(&mut world, nodes[1], "alone-old", OLD, &format!("{SECRET}-alone"));
    put(&mut world, nodes[1], "alone-new", NEW, "stays too");
    put(&mut world, nodes[1], "new-5", NEW, "changed alone");
    let delete = RecordOp::Delete { id: RecordId::new("new-6").unwrap() };
    assert!(matches!(world.write(nodes[1], vec![delete]), Answer::Written(_)));
    expire(&mut world, nodes[0], CUT, false);
    put(&mut world, nodes[0], "meanwhile", NEW, "stays");
    // For two months it takes nothing and gives nothing.
    world.pass_over(60 * 24 * 3_600 * 1_000);
    let sent = world.wire.len();
    world.set_down(nodes[1], false);
    // When it has anything of what it missed, nothing of what had to go is there any more.
    for _ in 0..10_000 {
        let has_news = world.sites[&nodes[1]].holds(b"meanwhile");
        if has_news {
            invariant_is_gone(&world, &nodes[1..], SECRET);
            break;
        }
        world.steps(1);
    }
    world.pass(130_000);
    invariant_is_gone(&world, &nodes, SECRET);
    let frames = world.wire[sent..].iter();
    let tells = |frame: &&Vec<u8>| frame.windows(SECRET.len()).any(|it| it == SECRET.as_bytes());
    assert_eq!(frames.filter(tells).count(), 0, "nothing of it was sent");
    let mut expected = new_ids();
    expected.retain(|id| id != "new-6");
    expected.extend(["alone-new".to_owned(), "meanwhile".to_owned()]);
    expected.sort();
    for node in &nodes {
        assert_eq!(ids(&mut world, *node), expected);
        assert!(world.sites[node].holds(b"changed alone"));
    }
    assert_eq!(world.counter(nodes[1], "late_changes", "refused"), 2);
    assert_eq!((world.total(nation, OLD), world.total(nation, NEW)), (Some(8), Some(9)));
}

fn erase(world: &mut World, at: NodeKey, id: &str) -> Answer {
    let id = RecordId::new(id).unwrap();
    world.ask(at, operator(), Question::Erase { kind: case_kind(), id })
}

#[test]
fn one_record_is_erased_everywhere_and_nobody_brings_it_back() {
    let (mut world, nation, nodes) = home(2);
    for n in 0..8 {
        put(&mut world, nodes[0], &format!("person-{n}"), NEW, &format!("{SECRET}-{n}"));
    }
    world.period_closed(nodes[0], NEW);
    world.pass(2_000);
    let edition = world.figure(nation, NEW).unwrap().edition;
    world.set_down(nodes[1], true);
    put(&mut world, nodes[1], "person-3", NEW, &format!("{SECRET}-3-changed"));
    put(&mut world, nodes[1], "person-4", NEW, &format!("{SECRET}-4-changed"));
    let answer = erase(&mut world, nodes[0], "nobody");
    assert!(matches!(answer, Answer::Failed(Failure::NotFound(_))), "{answer:?}");
    let answer = erase(&mut world, nodes[0], "person-3");
    assert!(matches!(answer, Answer::Expired(_)), "{answer:?}");
    invariant_is_gone(&world, &nodes[..1], "person-3");
    world.set_down(nodes[1], false);
    world.pass(130_000);
    for text in [format!("{SECRET}-3"), "person-3".to_owned()] {
        invariant_is_gone(&world, &nodes, &text);
    }
    for node in &nodes {
        assert_eq!(ids(&mut world, *node).len(), 7);
        assert!(world.sites[node].holds(format!("{SECRET}-4-changed").as_bytes()));
    }
    let figure = world.figure(nation, NEW).unwrap();
    assert_eq!((figure.edition, world.total(nation, NEW)), (edition, Some(8)), "it stands");
    // Also when everything is counted anew, for another catalogue.
    let nation_catalogue = CATALOGUE.replace("version = 1", "version = 2").replace(
        "[indicator.cases]",
        "[indicator.all]\ntitle = \"All\"\nkind = \"case\"\nperiod = { field = \"reported_on\", \
         step = \"day\" }\nmeasure = \"count\"\nbasis = \"residence\"\nfloor = { superior = 1 }\n\
         [indicator.cases]",
    );
    world.publish_catalogue(nation, "it", &nation_catalogue);
    world.pass(5_000);
    assert_eq!(world.total(nation, NEW), Some(8), "counted anew");
}

#[test]
fn a_sealed_period_has_the_figures_of_the_definitions_that_were_in_force() {
    let (mut world, nation, nodes) = home(1);
    fill(&mut world, nodes[0]);
    expire(&mut world, nodes[0], CUT, false);
    let catalogue = CATALOGUE.replace("version = 1", "version = 2").replace(
        "[indicator.cases]",
        "[indicator.all]\ntitle = \"All\"\nkind = \"case\"\nperiod = { field = \"reported_on\", \
         step = \"day\" }\nmeasure = \"count\"\nbasis = \"residence\"\nfloor = { superior = 1 }\n\
         [indicator.cases]",
    );
    world.publish_catalogue(nation, "it", &catalogue);
    world.pass(5_000);
    world.restart("it/03", "1", Some(1));
    world.pass(5_000);
    assert_eq!((world.total(nation, OLD), world.total(nation, NEW)), (Some(8), Some(8)));
    let own = |world: &mut World, indicator: &str, day: &str| {
        let indicator = reeve_statement::names::IndicatorId::new(indicator).unwrap();
        let what = Question::OwnFigure { indicator, period: day.parse().unwrap() };
        match world.ask(nodes[0], operator(), what) {
            Answer::OwnFigure(view) => view.map(|view| view.table.rows.len()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(own(&mut world, "cases", OLD), Some(1));
    assert_eq!(own(&mut world, "all", NEW), Some(1));
    assert_eq!(own(&mut world, "all", OLD), None, "nobody counted it when it could be counted");
}

#[test]
fn a_node_that_stops_on_the_way_goes_on() {
    for steps in 0..60 {
        let (mut world, nation, nodes) = home(1);
        fill(&mut world, nodes[0]);
        let before = Some(CUT.parse().unwrap());
        let what = Question::Expire { kind: Some(case_kind()), before, dry: false };
        world.send_ask(nodes[0], operator(), what);
        world.steps(steps);
        world.restart_now("it/03", "1", Some(1));
        world.pass(1_000);
        expire(&mut world, nodes[0], CUT, false);
        world.pass(2_000);
        invariant_is_gone(&world, &nodes, SECRET);
        assert_eq!(ids(&mut world, nodes[0]), new_ids(), "{steps} steps");
        let totals = (world.total(nation, OLD), world.total(nation, NEW));
        assert_eq!(totals, (Some(8), Some(8)), "{steps} steps");
    }
}

#[test]
fn a_store_that_is_put_back_hears_from_its_home_what_must_go() {
    let (mut world, _, nodes) = home(2);
    fill(&mut world, nodes[0]);
    let image: BTreeMap<Vec<u8>, Vec<u8>> = world.sites[&nodes[1]].rows.clone();
    expire(&mut world, nodes[0], CUT, false);
    world.pass(3_000);
    invariant_is_gone(&world, &nodes, SECRET);
    let has = |value: &Vec<u8>| value.windows(SECRET.len()).any(|it| it == SECRET.as_bytes());
    assert!(image.values().any(has), "the copy has it");
    let settings = world.settings(&unit("it/03"), "2", None);
    world.kill(nodes[1]);
    assert_eq!(world.start(settings, image), nodes[1]);
    world.pass(130_000);
    invariant_is_gone(&world, &nodes, SECRET);
    assert_eq!(ids(&mut world, nodes[1]), new_ids());
}

#[test]
fn a_new_node_of_the_home_begins_where_the_others_are() {
    let (mut world, nation, mut nodes) = home(1);
    fill(&mut world, nodes[0]);
    expire(&mut world, nodes[0], CUT, false);
    erase(&mut world, nodes[0], "new-2");
    nodes.push(world.add_node("it/03", "2", None));
    world.pass(5_000);
    put(&mut world, nodes[1], "theirs", NEW, "stays");
    world.pass(5_000);
    for node in &nodes {
        assert_eq!(ids(&mut world, *node).len(), 8);
    }
    assert_eq!(world.total(nation, NEW), Some(9), "eight of before, one of them erased, and one");
}

#[test]
fn records_expire_by_themselves_as_the_schema_says() {
    let mut world = World::new();
    let schema =
        SCHEMA.replace("expected_records = 4000", "expected_records = 4000\nretention = \"P3M\"");
    world.schema = Arc::new(Schema::parse("schema.toml", &schema).unwrap());
    let nation = world.add("it");
    let town = world.add("it/03");
    world.publish_catalogue(nation, "it", CATALOGUE);
    world.pass(1_000);
    fill(&mut world, town);
    assert_eq!(ids(&mut world, town).len(), 16, "nothing is removed unless the house lets it");
    world.scheduled_retention = true;
    world.restart("it/03", "1", Some(1));
    world.pass(5_000);
    assert_eq!(ids(&mut world, town), new_ids());
    invariant_is_gone(&world, &[town], SECRET);
    // Three months later the others go too.
    world.pass_over(90 * 24 * 3_600 * 1_000);
    world.pass(5_000);
    assert_eq!(ids(&mut world, town), Vec::<String>::new());
    assert_eq!((world.total(nation, OLD), world.total(nation, NEW)), (Some(8), Some(8)));
}

/// A day of the year that the world plays, which begins on 2026-03-02.
fn day_of(number: i32) -> String {
    let first = jiff::civil::date(2026, 3, 2);
    first.checked_add(jiff::Span::new().days(number)).unwrap().to_string()
}

#[test]
fn a_node_that_was_away_for_a_year_erases_before_it_exchanges_records() {
    let mut world = World::new();
    world.registry = Registry::lasting("root", 800);
    let schema =
        SCHEMA.replace("expected_records = 4000", "expected_records = 4000\nretention = \"P3M\"");
    world.schema = Arc::new(Schema::parse("schema.toml", &schema).unwrap());
    world.scheduled_retention = true;
    let nation = world.add("it");
    let mut nodes = vec![world.add("it/03")];
    world.publish_catalogue(nation, "it", CATALOGUE);
    nodes.extend(["2", "3"].map(|label| world.add_node("it/03", label, None)));
    world.pass(2_000);
    let (first, away) = (nodes[0], nodes[2]);
    let said = |n: i32, whose: &str| format!("{whose}-{n:03}-quillback");
    put(&mut world, first, "c0", &day_of(0), &said(0, "home"));
    world.pass(2_000);
    assert_eq!(ids(&mut world, away), ["c0"]);
    world.set_down(away, true);
    let sent = world.wire.len();
    // Day by day: the home writes every week, the node that is away every month, and hears of nothing. The
    // others are started again now and then.
    for n in 1..=365 {
        world.pass_over(24 * 3_600 * 1_000);
        if n % 7 == 0 {
            put(&mut world, first, &format!("c{n}"), &day_of(n), &said(n, "home"));
            world.period_closed(first, &day_of(n - 1));
        }
        if n % 30 == 0 {
            put(&mut world, away, &format!("a{n}"), &day_of(n), &said(n, "alone"));
        }
        if n % 91 == 0 {
            world.restart("it/03", "1", Some(1));
            world.restart("it/03", "2", None);
        }
    }
    world.pass(2_000);
    let Answer::Status(status) = world.ask(first, operator(), Question::Status) else {
        panic!("no status");
    };
    let [(_, sealed)] = status.sealed.as_slice() else { panic!("{:?}", status.sealed) };
    let kept = |n: i32| day_of(n).parse::<jiff::civil::Date>().unwrap() >= *sealed;
    let oldest = (0..=365).find(|n| kept(*n)).unwrap();
    assert!((365 - 92 - 8..=365 - 89).contains(&oldest), "three months, and a week: {oldest}");
    let written = |n: &i32| n % 7 == 0;
    let gone: Vec<i32> = (0..oldest).filter(written).collect();
    assert!(gone.len() > 35, "{gone:?}");
    for n in &gone {
        invariant_is_gone(&world, &nodes[..2], &said(*n, "home"));
    }
    assert!(world.sites[&away].holds(said(0, "home").as_bytes()), "it has not heard of it");
    assert!(world.sites[&away].holds(said(30, "alone").as_bytes()));

    world.set_down(away, false);
    // When it has anything of what it missed, nothing of what had to go is there any more.
    let last = said(364, "home");
    for _ in 0..20_000 {
        if world.sites[&away].holds(last.as_bytes()) {
            break;
        }
        world.steps(1);
    }
    assert!(world.sites[&away].holds(last.as_bytes()));
    for n in &gone {
        invariant_is_gone(&world, &nodes[2..], &said(*n, "home"));
    }
    world.pass(130_000);
    let alone: Vec<i32> = (1..=365).filter(|n| n % 30 == 0).collect();
    for n in alone.iter().filter(|n| !kept(**n)) {
        invariant_is_gone(&world, &nodes, &said(*n, "alone"));
        let told = |frame: &&Vec<u8>| {
            let text = said(*n, "alone");
            frame.windows(text.len()).any(|it| it == text.as_bytes())
        };
        assert_eq!(world.wire[sent..].iter().filter(told).count(), 0, "{n} was sent");
    }
    let mut expected: Vec<String> =
        (oldest..=365).filter(written).map(|n| format!("c{n}")).collect();
    expected.extend(alone.iter().filter(|n| kept(**n)).map(|n| format!("a{n}")));
    expected.sort();
    for node in &nodes {
        assert_eq!(ids(&mut world, *node), expected);
    }
    // What it knew alone counts from now on where it is not sealed; the figures of sealed days stand.
    assert_eq!(world.total(nation, &day_of(7)), Some(1));
    assert_eq!(world.total(nation, &day_of(360)), Some(1));
}

/// What a seal says that nobody in this house decided: every case goes.
fn forged(world: &World, term: u64, label: &str) -> Vec<u8> {
    let federation = world.registry.roots.federation();
    let home = HomeId::of(&federation, unit("it/03").leaf());
    let seal = Seal {
        home: Digest::from_bytes(*home.as_bytes()),
        kind: case_kind(),
        before: Some(20_500),
        shard: None,
        term,
        at: world.time().wall,
    };
    SignedSeal::sign(seal, &node_key(&unit("it/03"), label)).as_bytes().to_vec()
}

#[test]
fn only_a_node_that_was_appointed_for_the_term_seals() {
    let (mut world, _, nodes) = home(1);
    fill(&mut world, nodes[0]);
    // A node of the home, admitted like any other, that was never appointed to report.
    let path = unit("it/03");
    let chain = world.registry.node(&path, "rogue", None);
    let rogue =
        Hostile { path: path.clone(), label: "rogue".to_owned(), term: 0, chain, ledger: 1 };
    world.hostile.insert(rogue.key());
    assert!(matches!(world.ask(nodes[0], operator(), rogue.admission()), Answer::Done));
    rogue.connect(&mut world, nodes[0]);
    let hello = rogue.hello(&mut world, nodes[0]);
    assert!(matches!(hello, HelloAnswer::Welcome(_)), "{hello:?}");
    let tell = |world: &mut World, seal: Vec<u8>, sealers: Vec<Vec<u8>>| {
        let sealers = sealers.into_iter().map(Blob).collect();
        let message = HomeMessage::Seals { seals: vec![Blob(seal)], sealers };
        let answer = rogue.frame(world, nodes[0], Channel::Home, to_vec(&message));
        world.pass(2_000);
        decode::<HomeAnswer>(&answer).unwrap()
    };
    let right = HomeAnswer::Refused(Refusal::NoRight);
    let own = rogue.chain.to_cbor();
    let reporter = world.registry.node(&path, "1", Some(1)).to_cbor();
    let elsewhere = world.registry.node(&unit("it/05"), "rogue", Some(9)).to_cbor();
    for (term, sealers) in [
        (1, vec![]),
        (1, vec![own.clone()]),
        (9, vec![own, elsewhere]),
        // The chain of somebody who may, and the key of somebody who may not.
        (1, vec![reporter]),
    ] {
        let seal = forged(&world, term, "rogue");
        assert_eq!(tell(&mut world, seal, sealers), right, "term {term}");
        assert_eq!(ids(&mut world, nodes[0]).len(), 16, "nothing is removed");
    }
    // One that the authority appointed is believed, whoever brings its word.
    let later = world.registry.node(&path, "later", Some(7)).to_cbor();
    let seal = forged(&world, 7, "later");
    assert_eq!(tell(&mut world, seal, vec![later]), HomeAnswer::Noted);
    let Answer::Status(status) = world.ask(nodes[0], operator(), Question::Status) else {
        panic!("no status");
    };
    assert_eq!(status.sealed.len(), 1);
}

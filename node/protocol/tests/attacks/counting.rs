//! Attack 9: the same record counted twice. Every record has a bucket of its own, so that each cell of
//! the nation's figure must be 0 or 1, whatever was repeated on the way.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use rand::Rng as _;
use rand::seq::SliceRandom as _;
use reeve_crdt::record::{Record, RecordId, Value};
use reeve_crdt::schema::Schema;
use reeve_crdt::twin::RecordOp;
use reeve_policy::authz::Role;
use reeve_protocol::NodeKey;
use reeve_protocol::local::{Answer, Question};
use reeve_statement::names::KindId;

use crate::counts::count;
use crate::world::{World, person, unit};
use crate::{chance, day};

const LEAVES: [&str; 3] = ["it/03/016", "it/03/015", "it/05/023"];

/// Records of one request.
const BATCH: usize = 200;

/// Values of the two dimensions.
fn sides() -> (usize, usize) {
    (count(12, 30), count(15, 30))
}

fn values(letter: &str, many: usize) -> String {
    let mut text = String::new();
    for number in 0..many {
        let _ = write!(text, "\"{letter}{number}\", ");
    }
    text
}

fn schema() -> String {
    let (a, b) = sides();
    format!(
        "[schema]\nname = \"buckets\"\nversion = 1\n[kind.case]\ntwin = \"emergency\"\n\
         [kind.case.field.reported_on]\ntype = \"date\"\nrequired = true\n\
         [kind.case.field.a]\ntype = \"enum\"\nvalues = [{}]\n\
         [kind.case.field.b]\ntype = \"enum\"\nvalues = [{}]\n",
        values("a", a),
        values("b", b)
    )
}

/// Areas are not told apart: a record counted in two of them would show as 2.
const CATALOGUE: &str = r#"
[catalogue]
version = 1
[indicator.cases]
title = { en = "Buckets" }
kind = "case"
period = { field = "reported_on", step = "day" }
group_by = ["a", "b"]
measure = "count"
area_depth = 0
basis = "residence"
floor = { public = 1, neighbour = 1, superior = 1 }
"#;

/// A record's bucket.
type Bucket = (String, String);

fn put(world: &World, on: &str, (a, b): &Bucket) -> RecordOp {
    let kind = world.schema.kind("case").unwrap();
    let mut record = Record::new();
    for (name, text) in [("reported_on", on), ("a", a), ("b", b)] {
        let field = kind.field(name).unwrap();
        record.set(field.id.clone(), Value::parse(&field.field_type, text).unwrap());
    }
    let id = RecordId::new(&format!("{on}-{a}-{b}")).unwrap();
    RecordOp::Put { id, record: kind.validate(record).unwrap() }
}

fn at(world: &World, path: &str) -> NodeKey {
    world.places[&(unit(path), "1".to_owned())]
}

/// Writes until it is acknowledged; the answer is lost now and then, and so is the node.
fn write(
    world: &mut World,
    path: &str,
    on: &str,
    buckets: &[Bucket],
    random: &mut rand_chacha::ChaCha8Rng,
) {
    loop {
        let leaf = at(world, path);
        let ops = buckets.iter().map(|bucket| put(world, on, bucket)).collect();
        let what = Question::Write { kind: KindId::new("case").unwrap(), ops, import: None };
        let ask = world.send_ask(leaf, person(Role::Writer), what);
        match random.random_range(0..6) {
            0 => {
                world.steps(random.random_range(0..20));
                world.restart_now(path, "1", Some(1));
                world.settle();
            }
            1 => {
                // Its superior dies meanwhile.
                world.steps(random.random_range(0..20));
                let above = unit(path).parent().unwrap().to_string();
                world.restart_now(&above, "1", Some(1));
                world.pass(100);
            }
            _ => world.pass(60),
        }
        let answer = world.sites.get_mut(&leaf).unwrap().answers.remove(&ask);
        let acknowledged = matches!(answer, Some(Answer::Written(_)));
        // The client may not have heard it.
        if acknowledged && random.random_bool(0.8) {
            return;
        }
    }
}

#[test]
fn attack_09_every_bucket_is_counted_once_whatever_is_repeated() {
    let mut world = World::new();
    world.schema = Arc::new(Schema::parse("schema.toml", &schema()).unwrap());
    for path in ["it", "it/03", "it/05"].iter().chain(&LEAVES) {
        world.add(path);
    }
    let nation = at(&world, "it");
    world.publish_catalogue(nation, "it", CATALOGUE);
    let mut random = chance(9);
    let (a, b) = sides();
    let mut left = count(300, 20_000);
    for number in 0.. {
        let on = day(number);
        let mut buckets: Vec<Bucket> =
            (0..a).flat_map(|a| (0..b).map(move |b| (format!("a{a}"), format!("b{b}")))).collect();
        buckets.shuffle(&mut random);
        // A tenth stays empty.
        buckets.truncate((buckets.len() * 9 / 10).min(left));
        left -= buckets.len();
        for batch in buckets.chunks(BATCH) {
            let path = LEAVES[random.random_range(0..LEAVES.len())];
            write(&mut world, path, &on, batch, &mut random);
        }
        world.pass(5_000);
        let table = world.figure(nation, &on).unwrap().table;
        let counted: BTreeMap<Bucket, i64> = table
            .rows
            .iter()
            .map(|(key, cell)| {
                assert!(cell.value.is_exact() && key.area.units.is_empty());
                ((key.dims[0].clone(), key.dims[1].clone()), cell.value.lo())
            })
            .collect();
        let expected: BTreeMap<Bucket, i64> =
            buckets.into_iter().map(|bucket| (bucket, 1)).collect();
        assert_eq!(counted, expected, "{on}");
        if left == 0 {
            return;
        }
    }
}

//! Random concurrent edits on two and three nodes, exchanged in random order with duplicates.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::record::Fact;
use crate::twin::{Document, ForkProof, merge};

/// What happens in a run.
#[derive(Debug, Clone)]
enum Event {
    /// A node writes to a record.
    Write { node: usize, record: usize, what: What },
    /// A node gets some of the changes that others made, in some order.
    Deliver { node: usize, seed: u64 },
    /// A node is restarted from its cache.
    Restart { node: usize },
}

#[derive(Debug, Clone)]
enum What {
    Put(usize, Option<i64>),
    Delete,
    Set(usize, Option<i64>),
}

/// One node with everything it knows about the shards of a kind.
struct Node {
    author: Author,
    shards: Vec<Shard>,
    log: Vec<VerifiedChange>,
    /// What the facts say the records are: the oracle for before and after.
    told: BTreeMap<RecordId, Record>,
}

impl Node {
    fn new(name: &str, seed: u8, shards: u32) -> Self {
        let shards = (0..shards).map(|index| shard(name, index)).collect();
        Self { author: author(seed), shards, log: Vec::new(), told: BTreeMap::new() }
    }

    fn hear(&mut self, facts: Vec<Fact>) {
        for Fact { id, before, after, .. } in facts {
            assert_ne!(before, after);
            assert_eq!(self.told.remove(&id), before);
            self.told.extend(after.map(|after| (id, after)));
        }
    }

    fn write(&mut self, op: RecordOp) {
        let index = self.shards[0].kind().shard_of(op.id());
        let shard = &mut self.shards[usize::try_from(index).unwrap()];
        let edits_nothing = matches!(op, RecordOp::SetField { .. }) && shard.get(op.id()).is_none();
        if edits_nothing {
            return;
        }
        let written = shard.write(&self.author, vec![op], at(7)).unwrap();
        self.log.extend(all_received(&written));
        self.hear(written.facts);
    }

    fn take(&mut self, changes: Vec<VerifiedChange>) {
        for shard in &mut self.shards {
            let mine = changes.iter().filter(|c| c.signed().shard() == shard.id()).cloned();
            let merged = merge(shard, mine.collect(), &directory());
            assert!(merged.refused.is_empty(), "{:?}", merged.refused);
            self.log.extend(merged.applied);
            let facts = merged.facts;
            for Fact { id, before, after, .. } in facts {
                assert_eq!(self.told.remove(&id), before);
                self.told.extend(after.map(|after| (id, after)));
            }
        }
    }

    fn records(&self) -> BTreeMap<RecordId, Record> {
        self.shards.iter().flat_map(Shard::iter).collect()
    }
}

fn operation(kind_name: &str, record: usize, what: &What) -> RecordOp {
    const STATUS: [&str; 3] = ["suspected", "confirmed", "closed"];
    let name = format!("r{record}");
    match (kind_name, what) {
        (_, What::Delete) => delete(&name),
        ("case", What::Put(n, age) | What::Set(n, age)) => {
            put("case", &name, case(STATUS[n % 3], *age))
        }
        (_, What::Put(n, size)) => {
            let place = size.map(|size| format!("p{size}"));
            put("team", &name, team(STATUS[n % 3], size.unwrap_or(0), place.as_deref()))
        }
        (_, What::Set(0, size)) => set(&name, "size", Some(Value::Integer(size.unwrap_or(0)))),
        (_, What::Set(1, size)) => set(&name, "name", Some(Value::Text(format!("{size:?}")))),
        (_, What::Set(_, size)) => {
            set(&name, "place", size.map(|size| Value::Text(format!("p{size}"))))
        }
    }
}

/// A permutation of a list with some members left out and some twice.
fn shuffled(changes: &[VerifiedChange], seed: u64) -> Vec<VerifiedChange> {
    use rand::seq::SliceRandom as _;
    use rand::{Rng as _, SeedableRng as _};
    let mut chance = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut some: Vec<VerifiedChange> = Vec::new();
    for change in changes {
        for _ in 0..chance.random_range(0..3) {
            some.push(change.clone());
        }
    }
    some.shuffle(&mut chance);
    some
}

fn run(kind_name: &str, nodes: usize, events: &[Event]) {
    let shards = kind(kind_name).shards;
    let mut network: Vec<Node> =
        (1..).take(nodes).map(|seed| Node::new(kind_name, seed, shards)).collect();
    for event in events {
        match event {
            Event::Write { node, record, what } => {
                network[node % nodes].write(operation(kind_name, *record, what));
            }
            Event::Deliver { node, seed } => {
                let all: Vec<VerifiedChange> =
                    network.iter().flat_map(|node| node.log.clone()).collect();
                network[node % nodes].take(shuffled(&all, *seed));
            }
            Event::Restart { node } => {
                for shard in &mut network[node % nodes].shards {
                    let (kind, id) = (Arc::clone(shard.kind()), shard.id().clone());
                    let bytes = shard.save();
                    *shard = Shard::load(home(), kind, id.index, id.epoch, &bytes).unwrap();
                }
            }
        }
    }
    let all: Vec<VerifiedChange> = network.iter().flat_map(|node| node.log.clone()).collect();
    for node in &mut network {
        node.take(all.clone());
    }
    for node in &network {
        assert_eq!(node.records(), network[0].records());
        assert_eq!(node.told, node.records());
        for (shard, first) in node.shards.iter().zip(&network[0].shards) {
            assert_eq!(shard.heads(), first.heads());
            assert_eq!(shard.entries(), first.entries());
            let log: Vec<VerifiedChange> =
                node.log.iter().filter(|c| c.signed().shard() == shard.id()).cloned().collect();
            let document = Document::of(shard, &log).unwrap();
            assert_eq!(document.entries(), shard.entries());
            assert_eq!(document.heads(), shard.heads().iter().copied().collect::<Vec<_>>());
        }
        let kind = kind(kind_name);
        assert!(node.records().into_values().all(|record| kind.validate(record).is_ok()));
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let number = proptest::option::of(0i64..5);
    let what = prop_oneof![
        3 => (0usize..3, number.clone()).prop_map(|(n, age)| What::Put(n, age)),
        1 => Just(What::Delete),
        3 => (0usize..3, number).prop_map(|(n, age)| What::Set(n, age)),
    ];
    prop_oneof![
        6 => (0usize..3, 0usize..6, what)
            .prop_map(|(node, record, what)| Event::Write { node, record, what }),
        3 => (0usize..3, any::<u64>()).prop_map(|(node, seed)| Event::Deliver { node, seed }),
        1 => (0usize..3).prop_map(|node| Event::Restart { node }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whole_records_converge(
        nodes in 2usize..=3,
        events in proptest::collection::vec(any_event(), 0..60),
    ) {
        run("case", nodes, &events);
    }

    #[test]
    fn fields_converge(
        nodes in 2usize..=3,
        events in proptest::collection::vec(any_event(), 0..60),
    ) {
        run("team", nodes, &events);
    }

    /// A writer forks; the honest ones see different branches, build on them, and converge.
    #[test]
    fn nodes_converge_after_a_fork(
        before in 0usize..3,
        branches in proptest::collection::vec((0usize..3, 0usize..4), 2..10),
        honest in proptest::collection::vec((0usize..2, 0usize..4), 0..10),
    ) {
        let mut nodes = [shard("team", 0), shard("team", 0)];
        let mut logs: [Vec<VerifiedChange>; 2] = [Vec::new(), Vec::new()];
        let mut forked = [shard("team", 0), shard("team", 0)];
        let op = |record: usize, n: usize| {
            put("team", &format!("r{record}"), team("x", i64::try_from(n).unwrap(), None))
        };
        for n in 0..before {
            for branch in 0..2 {
                let written = forked[branch].write(&author(3), vec![op(n, n)], at(1)).unwrap();
                for change in all_received(&written) {
                    nodes[branch].apply(&change).unwrap();
                    logs[branch].push(change);
                }
            }
        }
        // Both branches differ from their first change on, by the time at which they were made.
        for (n, (record, value)) in branches.iter().enumerate() {
            let ops = vec![op(*record, 10 + value + n)];
            let branch = n % 2;
            let time = at(i64::try_from(branch).unwrap());
            for change in all_received(&forked[branch].write(&author(3), ops, time).unwrap()) {
                nodes[branch].apply(&change).unwrap();
                logs[branch].push(change);
            }
        }
        for (n, (node, record)) in honest.iter().enumerate() {
            let writer = author(u8::try_from(node + 1).unwrap());
            let written = nodes[*node].write(&writer, vec![op(*record, 50 + n)], at(9)).unwrap();
            logs[*node].extend(all_received(&written));
        }
        let forker = author(3).id();
        let seq = u64::try_from(before + 1).unwrap();
        let of_fork = |log: &[VerifiedChange]| {
            let found = log.iter().find(|c| {
                c.signed().actor().id() == forker && c.signed().seq() == seq
            });
            found.unwrap().signed().clone()
        };
        let proof = ForkProof::new(secret(3).public(), of_fork(&logs[0]), of_fork(&logs[1]));
        let proof = ForkProof::from_bytes(&proof.unwrap().to_bytes()).unwrap();
        let fork = proof.verify(&schema()).unwrap();
        for n in 0..2 {
            let mut told = records(&nodes[n]);
            for fact in nodes[n].cut_off(&fork, &logs[n]).unwrap() {
                prop_assert_eq!(told.remove(&fact.id), fact.before);
                told.extend(fact.after.map(|after| (fact.id, after)));
            }
            prop_assert_eq!(told, records(&nodes[n]));
        }
        for n in 0..2 {
            let mut theirs = logs[1 - n].clone();
            theirs.sort_by_key(|change| change.body().start_op);
            for change in theirs {
                match nodes[n].apply(&change) {
                    Ok(_) => {}
                    Err(crate::twin::ApplyError::CutOff { .. }) => drop(nodes[n].absorb(&change).unwrap()),
                    Err(error) => panic!("{error}"),
                }
            }
        }
        prop_assert_eq!(nodes[0].entries(), nodes[1].entries());
        prop_assert_eq!(nodes[0].heads(), nodes[1].heads());
        let saved = Shard::load(home(), kind("team"), 0, 0, &nodes[0].save()).unwrap();
        prop_assert_eq!(saved.save(), nodes[0].save());
        prop_assert!(saved.is_empty() || saved.cuts().contains_key(&forker));
    }
}

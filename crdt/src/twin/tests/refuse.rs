//! What is wrong is refused for its own reason, and the honest changes go on.

use std::collections::BTreeSet;

use super::*;
use crate::twin::change::{Body, KeyOp};
use crate::twin::{
    Applied, ApplyError, ChangeError, Document, DocumentError, ForkError, ForkProof, VerifyError,
    WriteError, WriterTerm, automerge, codec, merge,
};

/// A change with one field of its body altered and signed again by its writer.
fn altered(change: &SignedChange, seed: u8, alter: impl FnOnce(&mut Body)) -> SignedChange {
    let mut body = received(change).body().clone();
    alter(&mut body);
    sealed(&body, seed)
}

/// The same, with the hash made right for what it says.
fn rehashed(change: &SignedChange, seed: u8, alter: impl FnOnce(&mut Body)) -> SignedChange {
    altered(change, seed, |body| {
        alter(body);
        body.head.hash = automerge::hash_of(&automerge::change(body));
    })
}

fn sealed(body: &Body, seed: u8) -> SignedChange {
    let bytes = codec::encode(body);
    let signature = secret(seed).sign(&codec::to_be_signed(&bytes));
    SignedChange::decode(&codec::seal(&bytes, &signature)).unwrap()
}

fn verified(change: SignedChange) -> Result<VerifiedChange, VerifyError> {
    change.verify(&directory(), &schema())
}

/// A shard of cases with one change of writer 1.
fn one_case() -> (Shard, SignedChange) {
    let mut shard = shard("case", 0);
    let ops = vec![put("case", &case_id(0), case("suspected", Some(40)))];
    let written = shard.write(&author(1), ops, at(1)).unwrap();
    (shard, written.changes[0].clone())
}

#[test]
fn a_signature_that_does_not_hold() {
    let (_, change) = one_case();
    let mut refused = 0;
    for bit in 0..change.as_bytes().len() * 8 {
        let mut bytes = change.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let verdict = SignedChange::decode(&bytes).map(verified);
        assert!(!matches!(verdict, Ok(Ok(_))), "bit {bit}");
        refused += usize::from(matches!(verdict, Ok(Err(VerifyError::BadSignature(_)))));
    }
    assert!(refused > 1_000);
    let forged = altered(&change, 2, |_| {});
    let writer = author(1).actor().writer;
    assert_eq!(verified(forged).unwrap_err(), VerifyError::BadSignature(writer));
}

#[test]
fn a_writer_who_is_unknown_or_may_not_write_the_kind() {
    let (_, change) = one_case();
    let writer = author(1).actor().writer;
    let mut writers = directory();
    writers.remove(&writer);
    let unknown = change.clone().verify(&writers, &schema()).unwrap_err();
    assert_eq!(unknown, VerifyError::UnknownWriter(writer));
    let teams = WritableKinds::Only(BTreeSet::from(["team".parse().unwrap()]));
    writers.insert(secret(1).public(), teams);
    let kind = kind("case").id.clone();
    let refused = change.verify(&writers, &schema()).unwrap_err();
    assert_eq!(refused, VerifyError::NotPermitted { writer, kind });
}

#[test]
fn a_change_over_the_limits() {
    let (_, change) = one_case();
    let error = SignedChange::decode(&vec![0; 64 * 1024 + 1]).unwrap_err();
    assert_eq!(error, ChangeError::TooLong { found: 64 * 1024 + 1 });
    let op = received(&change).body().ops[0].clone();
    let many = rehashed(&change, 1, |body| {
        let op = |n| KeyOp { key: format!("{n:04}").into(), value: None, ..op.clone() };
        body.ops = (0..1_001).map(op).collect();
    });
    let limit = ChangeError::OverLimit { what: "operations", limit: 1_000, found: 1_001 };
    assert_eq!(verified(many).unwrap_err(), VerifyError::Change(limit));
    // A list that announces more than it has allocates nothing.
    let lie = [&[0x82, 0x5b, 0x7f][..], &[0xff; 7]].concat();
    assert!(matches!(SignedChange::decode(&lie), Err(ChangeError::Malformed { .. })));
}

#[test]
fn records_that_do_not_belong() {
    let (_, change) = one_case();
    let elsewhere = (0..).map(|n| format!("case {n}"));
    let mut elsewhere = elsewhere.filter(|text| kind("case").shard_of(&id(text)) != 0);
    let elsewhere = elsewhere.next().unwrap();
    let layout = |alter: &dyn Fn(&mut Body)| {
        let error = verified(rehashed(&change, 1, alter)).unwrap_err();
        assert!(matches!(error, VerifyError::Layout { .. }), "{error}");
        error.to_string()
    };
    assert!(layout(&|b| b.ops[0].key = elsewhere.as_str().into()).contains("belongs to shard"));
    assert!(layout(&|b| b.ops[0].key = "".into()).contains("found 0 bytes"));
    assert!(layout(&|b| b.ops = vec![]).contains("ascending"));
    assert!(layout(&|b| b.ops = vec![b.ops[0].clone(), b.ops[0].clone()]).contains("ascending"));
    let too_old = case("suspected", Some(131)).to_cbor();
    let shown = layout(&|b| b.ops[0].value = Some(too_old.as_slice().into()));
    assert!(shown.contains("field `age`: expected a number from 0 to 130"), "{shown}");
    assert!(!shown.contains("131"));
    let unset = Record::new().to_cbor();
    assert!(layout(&|b| b.ops[0].value = Some(unset.as_slice().into())).contains("`status`"));
    let other_kind = rehashed(&change, 1, |b| b.head.shard.kind = "ghost".parse().unwrap());
    assert!(matches!(verified(other_kind), Err(VerifyError::UnknownKind(_))));
    let other_shard = rehashed(&change, 1, |b| b.head.shard.index = 4);
    assert!(matches!(verified(other_shard), Err(VerifyError::UnknownShard { found: 4, .. })));
}

/// A change of fields may neither make an incomplete record nor break a complete one.
#[test]
fn fields_that_leave_a_record_incomplete() {
    let mut shard = shard("team", 0);
    let ops = vec![put("team", "t", team("a", 1, None))];
    let made = shard.write(&author(1), ops, at(1)).unwrap().changes[0].clone();
    let ops = vec![set("t", "size", Some(Value::Integer(2)))];
    let edited = shard.write(&author(1), ops, at(2)).unwrap().changes[0].clone();
    let layout = |change: &SignedChange, alter: &dyn Fn(&mut Body)| {
        matches!(verified(rehashed(change, 1, alter)), Err(VerifyError::Layout { .. }))
    };
    assert!(layout(&made, &|b| drop(b.ops.remove(1))));
    assert!(layout(&made, &|b| b.ops[0].value = None));
    assert!(layout(&made, &|b| b.ops[0].value = Some(Box::from([0]))));
    assert!(layout(&edited, &|b| b.ops[0].value = None));
    assert!(layout(&edited, &|b| b.ops[0].key = "t\u{1f}colour".into()));
    assert!(layout(&edited, &|b| b.ops[0].value = Some(Box::from([0x18, 0x02]))));
    assert!(!layout(&edited, &|_| {}));
}

#[test]
fn counters_and_lists_that_no_honest_writer_makes() {
    let (_, change) = one_case();
    type Alter = fn(&mut Body);
    let alters: [(&str, Alter); 8] = [
        ("sequence", |b| b.head.seq = 0),
        ("sequence", |b| b.head.seq = u64::MAX),
        ("counters", |b| b.start_op = 0),
        ("counters", |b| b.start_op = u64::from(u32::MAX) + 1),
        ("dependencies", |b| b.deps.clear()),
        ("dependencies", |b| b.deps = vec![Digest::ZERO, Digest::ZERO]),
        ("actors", |b| b.others = vec![b.head.actor.id()]),
        ("predecessors", |b| {
            b.ops[0].preds = vec![crate::twin::change::Pred { counter: 9, actor: 0 }];
        }),
    ];
    for (what, alter) in alters {
        let error = verified(altered(&change, 1, alter)).unwrap_err();
        assert!(error.to_string().contains(what), "{what}: {error}");
    }
}

#[test]
fn a_hash_that_is_not_that_of_the_content() {
    let (_, change) = one_case();
    let mut peer = shard("case", 0);
    let wrong = verified(altered(&change, 1, |body| body.time += 1)).unwrap();
    assert!(matches!(peer.apply(&wrong), Err(ApplyError::Hash { seq: 1, .. })));
    assert!(matches!(peer.apply(&received(&change)), Ok(Applied::New(_))));
}

#[test]
fn a_change_that_does_not_follow() {
    let (mut shard_one, first) = one_case();
    let mut peer = shard("case", 0);
    peer.apply(&received(&first)).unwrap();
    let ops = vec![put("case", &case_id(1), case("closed", None))];
    let second = shard_one.write(&author(1), ops, at(2)).unwrap().changes[0].clone();
    let skips = verified(rehashed(&second, 1, |body| body.head.seq = 3)).unwrap();
    assert!(matches!(peer.apply(&skips), Err(ApplyError::Order { expected: 2, found: 3, .. })));
    let leaps = verified(rehashed(&second, 1, |body| body.start_op = 77)).unwrap();
    assert!(matches!(peer.apply(&leaps), Err(ApplyError::Order { expected: 2, found: 77, .. })));
    let other = received(&second);
    let mut wrong_shard = shard("case", 1);
    assert!(matches!(wrong_shard.apply(&other), Err(ApplyError::OtherShard { .. })));
    assert!(matches!(peer.apply(&other), Ok(Applied::New(_))));
    assert_eq!(peer.apply(&other), Ok(Applied::Known));
}

#[test]
fn a_change_of_another_home_has_no_past_here() {
    let (_, change) = one_case();
    let elsewhere = HomeId::of(&FederationId(Digest::of(b"f")), &"a2".parse().unwrap());
    let mut elsewhere = Shard::new(elsewhere, kind("case"), 0, 0);
    let error = elsewhere.apply(&received(&change)).unwrap_err();
    assert!(matches!(error, ApplyError::Missing(missing) if missing.len() == 1));
}

#[test]
fn changes_wait_for_what_they_depend_on() {
    let (mut shard_one, first) = one_case();
    let mut peer = shard("case", 0);
    let ops = vec![delete(&case_id(0))];
    let second = shard_one.write(&author(1), ops, at(2)).unwrap().changes[0].clone();
    assert_eq!(peer.apply(&received(&second)), Err(ApplyError::Missing(vec![first.hash()])));
    let merged = merge(&mut peer, vec![received(&second)], &directory());
    assert_eq!(merged.missing, BTreeSet::from([first.hash()]));
    let again = [merged.waiting, vec![received(&first)]].concat();
    let merged = merge(&mut peer, again, &directory());
    assert_eq!((merged.applied.len(), merged.waiting.len()), (2, 0));
    assert_eq!(peer.heads(), shard_one.heads());
}

#[test]
fn a_fork_is_proved_and_cut_off_and_the_honest_go_on() {
    let (mut one, first) = one_case();
    let rival = rehashed(&first, 1, |body| body.time += 1);
    let offered = verified(rival.clone()).unwrap();
    let error = one.apply(&offered).unwrap_err();
    let ApplyError::Fork { held, offered: evidence } = error else { panic!("{error}") };
    assert_eq!((held, &*evidence), (first.hash(), &rival));

    let key = secret(1).public();
    let fork = ForkProof::new(key, first.clone(), rival.clone()).unwrap();
    let fork = fork.verify(&schema()).unwrap();
    assert_eq!((fork.seq(), fork.actor()), (1, author(1).id()));
    let ops = vec![put("case", &case_id(1), case("closed", None))];
    let honest = one.write(&author(2), ops.clone(), at(2)).unwrap();
    let log = [vec![received(&first)], all_received(&honest)].concat();
    let facts = one.cut_off(&fork, &log).unwrap();
    assert_eq!((facts.len(), facts[0].after.as_ref()), (1, None));
    assert_eq!(one.len(), 1);
    assert!(matches!(one.apply(&received(&first)), Err(ApplyError::CutOff { from: 1, .. })));
    assert!(matches!(one.write(&author(1), ops, at(3)), Err(WriteError::CutOff(_))));
    let ops = vec![put("case", &case_id(2), case("closed", None))];
    assert_eq!(one.write(&author(2), ops, at(4)).unwrap().changes.len(), 1);
}

#[test]
fn what_is_no_fork_proves_none() {
    let (mut one, first) = one_case();
    let ops = vec![delete(&case_id(0))];
    let second = one.write(&author(1), ops, at(2)).unwrap().changes[0].clone();
    let key = secret(1).public();
    let no_fork = Err(ForkError::NoFork);
    assert_eq!(ForkProof::new(key, first.clone(), first.clone()), no_fork);
    assert_eq!(ForkProof::new(key, first.clone(), second), no_fork);
    let rival = rehashed(&first, 1, |body| body.time += 1);
    let other = secret(2).public();
    let error = ForkProof::new(other, first.clone(), rival).unwrap_err();
    assert_eq!(error, ForkError::OtherKey);
    let forged = rehashed(&first, 2, |body| body.time += 1);
    let framed = ForkProof::new(key, first, forged).unwrap();
    let error = framed.verify(&schema()).unwrap_err();
    assert!(matches!(error, ForkError::Change(VerifyError::BadSignature(_))));
}

/// Shards do not go by predecessors, so a false one deceives nobody; only a document would.
#[test]
fn a_false_predecessor_harms_no_shard() {
    let (mut one, first) = one_case();
    let ops = vec![put("case", &case_id(1), case("closed", None))];
    let second = one.write(&author(1), ops, at(2)).unwrap().changes[0].clone();
    let pred = crate::twin::change::Pred { counter: 1, actor: 0 };
    let lie = verified(rehashed(&second, 1, |body| body.ops[0].preds = vec![pred])).unwrap();
    let mut peer = shard("case", 0);
    peer.apply(&received(&first)).unwrap();
    peer.apply(&lie).unwrap();
    assert_eq!(records(&peer), records(&one));
    let log = [received(&first), lie];
    let error = Document::of(&peer, &log).unwrap_err();
    assert!(matches!(error, DocumentError::Predecessor { seq: 2, .. }));
}

/// THREATS: what peers send reaches logs through errors and `Debug`; records must not.
#[test]
fn no_record_shows_in_errors_or_debug() {
    const CANARY: &str = "CANARY-51c0";
    let mut shard = shard("team", 0);
    let ops = vec![put("team", CANARY, team(CANARY, 1, Some(CANARY)))];
    let written = shard.write(&author(1), ops, at(1)).unwrap();
    let change = received(&written.changes[0]);
    let ops = vec![delete(CANARY), set(CANARY, "size", None)];
    let error = shard.write(&author(1), ops, at(2)).unwrap_err();
    let late = rehashed(&written.changes[0], 1, |body| body.head.seq = 2);
    let late = verified(late).unwrap();
    let refused = shard.apply(&late).unwrap_err();
    let merged = merge(&mut shard, vec![late], &directory());
    let shown =
        format!("{change:?} {written:?} {error} {error:?} {refused} {refused:?} {merged:?}");
    assert!(!shown.contains(CANARY), "{shown}");
}

#[test]
fn writes_that_do_not_fit() {
    let mut cases = shard("case", 0);
    let (mut elsewhere, mut n) = (String::new(), 0);
    while elsewhere.is_empty() || kind("case").shard_of(&id(&elsewhere)) == 0 {
        elsewhere = format!("x{n}");
        n += 1;
    }
    let mut refuse = |op: RecordOp| cases.write(&author(1), vec![op], at(1)).unwrap_err();
    let wrong_shard = refuse(put("case", &elsewhere, case("closed", None)));
    assert!(matches!(wrong_shard, WriteError::OtherShard { found: 0, .. }));
    let wrong_kind = refuse(put("team", &case_id(0), team("a", 1, None)));
    assert!(matches!(wrong_kind, WriteError::OtherKind { .. }));
    let whole = refuse(set(&case_id(0), "age", None));
    assert!(matches!(whole, WriteError::WholeRecords(_)));
    let mut teams = shard("team", 0);
    let mut refuse = |op: RecordOp| teams.write(&author(1), vec![op], at(1)).unwrap_err();
    assert_eq!(refuse(set("nobody", "size", None)), WriteError::NoSuchRecord);
    teams.write(&author(1), vec![put("team", "t", team("a", 1, None))], at(1)).unwrap();
    let mut refuse = |op: RecordOp| teams.write(&author(1), vec![op], at(1)).unwrap_err();
    assert!(matches!(refuse(set("t", "size", None)), WriteError::Field(_)));
    assert!(matches!(refuse(set("t", "x", None)), WriteError::Field(_)));
    assert!(matches!(refuse(set("t", "size", Some(Value::Integer(100)))), WriteError::Field(_)));
}

/// The writer of seed 2 may write from 10 on, and was struck off at 20.
fn terms() -> WriterDirectory {
    let mut writers = directory();
    writers.remove(&secret(2).public().key_id());
    let (kinds, struck_at) = (WritableKinds::All, Some(at(20)));
    let term = WriterTerm { kinds, from: at(10), until: at(100), struck_at };
    writers.grant(secret(2).public(), term);
    writers
}

#[test]
fn changes_count_by_the_time_they_carry_whenever_they_come() {
    let (mut one, first) = one_case();
    let write = |shard: &mut Shard, seed: u8, n: usize, time: i64| {
        let ops = vec![put("case", &case_id(n), case("closed", None))];
        received(&shard.write(&author(seed), ops, at(time)).unwrap().changes[0])
    };
    let good = write(&mut one, 2, 1, 19);
    let late = write(&mut one, 2, 2, 20);
    let backdated = write(&mut one, 2, 3, 15);
    let honest = write(&mut one, 1, 4, 30);
    let log = vec![received(&first), good.clone(), late.clone(), backdated, honest];
    // One node hears of the revocation first and gets the changes afterwards.
    let mut other = shard("case", 0);
    let merged = merge(&mut other, log.clone(), &terms());
    assert_eq!((merged.applied.len(), merged.absorbed, merged.refused.len()), (5, 2, 0));
    let again = merge(&mut other, log.clone(), &terms());
    assert!(again.applied.is_empty(), "what does not count is logged once");
    // The other one has them already.
    let cuts = BTreeMap::from([(author(2).id(), late.signed().seq())]);
    let facts = one.recut(&cuts, &log, &[]).unwrap();
    assert_eq!(facts.len(), 2);
    assert_eq!(records(&one), records(&other));
    assert_eq!((one.len(), one.heads()), (3, other.heads()));
    assert!(one.get(&id(&case_id(1))).is_some() && one.get(&id(&case_id(4))).is_some());
    // Undone when the revocation was not of this certificate after all.
    one.recut(&BTreeMap::new(), &log, &[]).unwrap();
    assert_eq!(one.len(), 5);
    // Before its certificate began, and after it ended, nothing is believed or held against it.
    for time in [9, 100] {
        let change = write(&mut shard("case", 0), 2, 1, time).signed().clone();
        let error = change.verify(&terms(), &schema()).unwrap_err();
        assert!(matches!(error, VerifyError::OutOfTime(_)), "{error}");
    }
}

//! An auditor, with all that a federation leaves behind: what is honest passes, and nothing else does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reeve_audit::{
    Bundle, Code, EQUIVOCATION_FORMAT, EquivocationFile, FIGURE, LedgerProof, Report, Rules, Trust,
    Verdict, roots as manifest_roots, verify, verify_equivocation,
};
use reeve_sim::registry::{Registry, node_key};
use reeve_sim::{Plan, Sim, Size};
use reeve_statement::bounds::Bounds;
use reeve_statement::bulletin::{Bulletin, Frozen};
use reeve_statement::cert::{RootList, dns_name};
use reeve_statement::completeness::UnitState;
use reeve_statement::cose::{Signed, Verified, Verifier, sign};
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::Checkpoint;
use reeve_statement::ledger::cosignature::{WitnessName, claimed_witnesses, cosign};
use reeve_statement::release::Release;
use reeve_statement::statement::{Audience, Body, Statement};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

type Files = Vec<(String, Vec<u8>)>;

fn units() -> Vec<UnitPath> {
    ["top", "top/a", "top/b", "top/a/x", "top/a/y", "top/b/z"]
        .map(|it| it.parse().unwrap())
        .to_vec()
}

fn calm() -> Files {
    let (report, files) = Sim::new(Plan::calm(3, units()), false).run_for_audit();
    assert_eq!(report.violation, None);
    files
}

fn check(files: &Files) -> Report {
    checked(files, false)
}

fn checked(files: &Files, require_witness: bool) -> Report {
    let mut bundle = Bundle::default();
    for (place, bytes) in files {
        bundle.add(place, bytes).unwrap();
    }
    let roots = files.iter().find(|(place, _)| place == reeve_audit::ROOTS).unwrap();
    let trust = Trust::Roots(Box::new(RootList::decode(&roots.1).unwrap()));
    verify(&bundle, &Rules { trust, require_lists: true, require_witness })
}

#[test]
fn what_an_honest_federation_leaves_passes() {
    let report = check(&calm());
    println!("{}", report.text());
    assert_eq!(report.verdict, Verdict::Pass, "{:#?}", report.findings);
    assert!(report.counted.in_ledger > 10 && report.counted.sums > 10, "{:?}", report.counted);
    let figure = report.figures.iter().find(|figure| figure.parts.len() == 2).unwrap();
    assert!(figure.parts.iter().any(|region| region.parts.len() == 2), "down to the leaves");
}

/// Whatever went wrong on the way, what honest units signed in the end holds together.
#[test]
fn what_trouble_leaves_has_no_findings() {
    let mut checked = 0;
    for seed in 0..60 {
        let plan = Plan::of(seed, Size::SMALL);
        // Liars are found; revoked and restored units leave gaps that are meant to be seen, and one whose
        // certificate ended leaves what it signed before it was renewed.
        let seen = [&plan.revoked, &plan.restored, &plan.expiring].into_iter().any(Option::is_some);
        if !plan.hostile.is_empty() || seen {
            continue;
        }
        let (report, files) = Sim::new(plan, false).run_for_audit();
        assert_eq!(report.violation, None);
        let report = check(&files);
        assert_ne!(report.verdict, Verdict::Findings, "seed {seed}: {:#?}", report.findings);
        checked += 1;
        if checked == 8 {
            break;
        }
    }
    assert_eq!(checked, 8);
}

/// The label of a unit's reporting node in the simulator.
const REPORTING: &str = "1";

/// How often a byte of a statement is changed at random; `REEVE_FULL` asks for more.
const FLIPS: usize = 200;

fn roots(files: &Files) -> RootList {
    let (_, bytes) = files.iter().find(|(place, _)| place == reeve_audit::ROOTS).unwrap();
    RootList::decode(bytes).unwrap()
}

/// The statement of a digest.
fn opened(files: &Files, digest: Digest) -> (Verified, Signed) {
    let place = format!("statements/{digest}.cose");
    let (_, bytes) = files.iter().find(|(it, _)| *it == place).unwrap();
    let signed = Signed::decode(bytes).unwrap();
    let verifier = Verifier::new(roots(files), Default::default());
    let at = signed.unverified_issued_at();
    (signed.clone().verify(&verifier, at).unwrap(), signed)
}

/// The one of the top's figures that both regions are in, and its statement.
fn figure(files: &Files) -> (Digest, Statement) {
    let (_, text) = files.iter().find(|(place, _)| place == FIGURE).unwrap();
    let text = core::str::from_utf8(text).unwrap();
    let digests = text.lines().map(|line| line.parse::<Digest>().unwrap());
    let all = digests.map(|digest| (digest, opened(files, digest).0.into_statement()));
    let sum = |statement: &Statement| {
        matches!(&statement.body, Body::Release(release)
        if !inline(release).0.is_empty() && release.edition > 1
            && inline(release).1.direct.iter().all(|entry| entry.state.is_included()))
    };
    all.into_iter().find(|(_, statement)| sum(statement)).expect("a figure of all leaves")
}

type Rows =
    std::collections::BTreeMap<reeve_statement::table::RowKey, reeve_statement::bounds::Cell>;

fn inline(release: &Release) -> (&Rows, &reeve_statement::completeness::Manifest) {
    (&release.table.inline().unwrap().rows, release.manifest.inline().unwrap())
}

/// Signs a statement in the name of its unit, as the unit itself could, under the chain of `like`.
fn signed(files: &Files, like: Digest, statement: &Statement) -> (Digest, Vec<u8>) {
    let chain = opened(files, like).1.unverified_chain().unwrap().unwrap();
    let signed = sign(statement, &node_key(&statement.issuer, REPORTING), &chain).unwrap();
    (signed.digest(), signed.to_bytes())
}

/// The top says something else, as its own node would sign it: what is found?
fn top_says(change: impl FnOnce(&mut Statement, &mut Release)) -> BTreeSet<Code> {
    let mut files = calm();
    let (digest, mut statement) = figure(&files);
    let Body::Release(mut release) = statement.body.clone() else { panic!("a release") };
    change(&mut statement, &mut release);
    statement.body = Body::Release(release);
    let (changed, bytes) = signed(&files, digest, &statement);
    files.push((format!("statements/{changed}.cose"), bytes));
    files.retain(|(place, _)| place != FIGURE && *place != format!("statements/{digest}.cose"));
    files.push((FIGURE.to_owned(), changed.to_string().into_bytes()));
    codes(&files)
}

fn codes(files: &Files) -> BTreeSet<Code> {
    let report = check(files);
    println!("{}", report.text());
    let wrong = report.findings.iter().filter(|it| it.code.verdict() == Verdict::Findings);
    wrong.map(|it| it.code).collect()
}

fn rooted(
    release: &mut Release,
    change: impl FnOnce(&mut reeve_statement::completeness::Manifest),
) {
    let mut manifest = release.manifest.inline().unwrap().clone();
    change(&mut manifest);
    (release.inputs_root, release.manifest_root) = manifest_roots(&manifest.direct);
    release.manifest = reeve_statement::chunk::Part::of(manifest).unwrap().0;
}

#[test]
fn a_wrong_digit_is_named() {
    let found = top_says(|_, release| {
        let mut table = release.table.inline().unwrap().clone();
        let cell = table.rows.values_mut().next().unwrap();
        cell.value = Bounds::exact(cell.value.lo() + 1);
        release.table = reeve_statement::chunk::Part::of(table).unwrap().0;
    });
    assert_eq!(found, BTreeSet::from([Code::WrongSum]));
}

#[test]
fn a_unit_left_out_is_named() {
    let found = top_says(|_, release| rooted(release, |manifest| drop(manifest.direct.pop())));
    assert!(found.contains(&Code::MissingUnit) && found.contains(&Code::WrongSum), "{found:?}");
    assert!(!found.contains(&Code::WrongRoots), "{found:?}");
}

#[test]
fn completeness_that_was_changed_is_named() {
    let found = top_says(|_, release| release.counts.add(UnitState::Reported, 1));
    assert_eq!(found, BTreeSet::from([Code::WrongCompleteness]));
    let found = top_says(|_, release| release.manifest_root = Digest::ZERO);
    assert_eq!(found, BTreeSet::from([Code::WrongRoots]));
}

#[test]
fn a_gap_in_the_editions_is_named() {
    let found = top_says(|_, release| release.edition += 5);
    assert_eq!(found, BTreeSet::from([Code::EditionGap]));
    let found = top_says(|_, release| release.previous = None);
    assert_eq!(found, BTreeSet::from([Code::EditionGap]));
}

#[test]
fn a_certificate_that_had_ended_is_named() {
    let found = top_says(|statement, _| {
        statement.issued_at = statement.issued_at.plus_millis(400 * 86_400_000);
    });
    assert_eq!(found, BTreeSet::from([Code::StaleCertificate]));
}

#[test]
fn a_statement_for_another_recipient_is_named() {
    let mut files = calm();
    let (digest, statement) = figure(&files);
    let Body::Release(release) = &statement.body else { panic!("a release") };
    let region = inline(release).1.direct[0].statement.unwrap();
    let mut said = opened(&files, region).0.into_statement();
    said.audience = Audience::Unit("top/b".parse().unwrap());
    let (other, bytes) = signed(&files, region, &said);
    files.push((format!("statements/{other}.cose"), bytes));
    let mut release = release.clone();
    rooted(&mut release, |manifest| manifest.direct[0].statement = Some(other));
    let statement = Statement { body: Body::Release(release), ..statement };
    let (changed, bytes) = signed(&files, digest, &statement);
    files.push((format!("statements/{changed}.cose"), bytes));
    files.retain(|(place, _)| place != FIGURE);
    files.push((FIGURE.to_owned(), changed.to_string().into_bytes()));
    let found = codes(&files);
    assert!(found.contains(&Code::WrongAudience), "{found:?}");
    // Both versions are in the bundle: the region and the top told two people two things.
    assert!(found.contains(&Code::TwoEditions), "{found:?}");
}

#[test]
fn a_register_that_shrank_is_named() {
    let mut files = calm();
    let (digest, statement) = figure(&files);
    let Body::Release(release) = &statement.body else { panic!("a release") };
    let named = release.register.unwrap();
    let mut register = opened(&files, named).0.into_statement();
    let Body::Register(list) = &mut register.body else { panic!("a register") };
    list.version += 1;
    list.entries.pop();
    register.issued_at = register.issued_at.plus_millis(1_000);
    let (shorter, bytes) = signed(&files, named, &register);
    files.push((format!("statements/{shorter}.cose"), bytes));
    let mut release = release.clone();
    release.register = Some(shorter);
    let statement = Statement { body: Body::Release(release), ..statement };
    let (changed, bytes) = signed(&files, digest, &statement);
    files.push((format!("statements/{changed}.cose"), bytes));
    files.retain(|(place, _)| place != FIGURE);
    files.push((FIGURE.to_owned(), changed.to_string().into_bytes()));
    let found = codes(&files);
    assert!(
        found.contains(&Code::RegisterShrank) && found.contains(&Code::UnknownUnit),
        "{found:?}"
    );
}

#[test]
fn a_ledger_with_two_roots_is_named() {
    let files = calm();
    let (digest, statement) = figure(&files);
    let place = format!("ledger/{digest}.tlog-proof");
    let at = files.iter().position(|(it, _)| *it == place).unwrap();
    let proof: LedgerProof = core::str::from_utf8(&files[at].1).unwrap().parse().unwrap();
    let mut forked = files.clone();
    let mut head = Checkpoint::parse_unverified(&proof.checkpoint).unwrap();
    head.root = Digest::of(b"another");
    let checkpoint = head.sign(&node_key(&statement.issuer, REPORTING));
    forked[at].1 = LedgerProof { checkpoint, ..proof.clone() }.to_string().into_bytes();
    assert_eq!(codes(&forked), BTreeSet::from([Code::LedgerForked, Code::NotInLedger]));
    // Whoever has both can hand on the proof alone.
    let report = check(&forked);
    let [proof_of_two] = report.equivocations.as_slice() else { panic!("{report:?}") };
    let judged = verify_equivocation(proof_of_two, &roots(&forked));
    assert_eq!(
        (judged.verdict, &proof_of_two.unit),
        (Verdict::Findings, &statement.issuer.to_string())
    );
    let mut moved = files;
    moved[at].1 = LedgerProof { index: proof.index ^ 1, ..proof }.to_string().into_bytes();
    assert_eq!(codes(&moved), BTreeSet::from([Code::NotInLedger]));
}

/// A statement of the top's subordinate, by place of its file, that is in a cosigned checkpoint.
fn witnessed(files: &Files) -> (usize, LedgerProof, Statement) {
    let (_, statement) = figure(files);
    let Body::Release(release) = &statement.body else { panic!("a release") };
    let direct = inline(release).1.direct.iter().filter_map(|entry| entry.statement);
    let mut found = direct.filter_map(|digest| {
        let place = format!("ledger/{digest}.tlog-proof");
        let at = files.iter().position(|(it, _)| *it == place)?;
        let proof: LedgerProof = core::str::from_utf8(&files[at].1).unwrap().parse().unwrap();
        let cosigned = !claimed_witnesses(&proof.checkpoint).unwrap().is_empty();
        cosigned.then(|| (at, proof, opened(files, digest).0.into_statement()))
    });
    found.next_back().expect("a witnessed part")
}

/// A checkpoint with the cosignature of the top's node of another time.
fn cosigned_at(note: &str, at: Timestamp) -> String {
    let (text, lines) = note.rsplit_once("\n\n").unwrap();
    let ledger = lines.lines().next().unwrap();
    let note = format!("{text}\n\n{ledger}\n");
    let top: UnitPath = "top".parse().unwrap();
    let name = WitnessName::of(&dns_name(&top, Registry::new().roots.domain()).unwrap()).unwrap();
    let line = cosign(&note, &name, &node_key(&top, REPORTING), at).unwrap();
    format!("{note}{line}")
}

#[test]
fn who_witnessed_a_figure_is_told_and_may_be_required() {
    let files = calm();
    let report = check(&files);
    assert!(report.counted.witnessed > 5, "{:?}", report.counted);
    let figure = report.figures.iter().find(|figure| figure.parts.len() == 2).unwrap();
    assert!(figure.witnessed.is_empty(), "the top has nobody above it");
    let by: BTreeSet<&str> =
        figure.parts.iter().flat_map(|it| &it.witnessed).map(|it| it.by.as_str()).collect();
    assert_eq!(by, BTreeSet::from(["top"]));
    assert!(report.findings.iter().any(|it| it.code == Code::NotWitnessed));
    assert_eq!(report.verdict, Verdict::Pass);
    let strict = checked(&files, true);
    assert_eq!(strict.verdict, Verdict::CannotTell);
    assert!(strict.findings.iter().any(|it| it.code == Code::WitnessRequired));
    // Without the witnesses' chains nobody vouches for anything.
    let mut alone = files;
    alone.retain(|(place, _)| !place.starts_with("witnesses/"));
    assert_eq!(check(&alone).counted.witnessed, 0);
}

#[test]
fn a_cosignature_of_something_else_is_named() {
    let mut files = calm();
    let (at, proof, _) = witnessed(&files);
    let (_, cosignature) = proof.checkpoint.trim_end().rsplit_once(' ').unwrap();
    // A letter of the signature, behind the key's name and the time.
    let place = cosignature.len() / 2;
    let letter = if cosignature.as_bytes()[place] == b'A' { "B" } else { "A" };
    let mut altered = cosignature.to_owned();
    altered.replace_range(place..=place, letter);
    let checkpoint = proof.checkpoint.replace(cosignature, &altered);
    files[at].1 = LedgerProof { checkpoint, ..proof }.to_string().into_bytes();
    assert_eq!(codes(&files), BTreeSet::from([Code::BadCosignature]));
}

#[test]
fn a_date_that_a_witness_contradicts_is_named() {
    const FAR: i64 = 10 * 60_000;
    let files = calm();
    let (at, proof, statement) = witnessed(&files);
    // A witness has seen it long before it is dated.
    let mut postdated = files.clone();
    let checkpoint = cosigned_at(&proof.checkpoint, statement.issued_at.plus_millis(-FAR));
    postdated[at].1 = LedgerProof { checkpoint, ..proof.clone() }.to_string().into_bytes();
    assert_eq!(codes(&postdated), BTreeSet::from([Code::WitnessTime]));
    // A witness has seen the ledger without it, long after it is dated.
    let mut backdated = files;
    let origin = Checkpoint::parse_unverified(&proof.checkpoint).unwrap().origin;
    let without = backdated.iter_mut().find(|(place, note)| {
        let note = core::str::from_utf8(note).unwrap_or_default();
        place.starts_with("checkpoints/")
            && Checkpoint::parse_unverified(note)
                .is_ok_and(|it| it.origin == origin && it.size <= proof.index)
    });
    let (_, note) = without.expect("an earlier checkpoint of the same ledger");
    let text = core::str::from_utf8(note).unwrap();
    *note = cosigned_at(text, statement.issued_at.plus_millis(FAR)).into_bytes();
    assert_eq!(codes(&backdated), BTreeSet::from([Code::WitnessTime]));
}

/// A unit tells its superior one ledger and an auditor another: what one of them has kept is enough.
#[test]
fn what_was_seen_before_is_held_against_what_is_shown_now() {
    let mut files = calm();
    let report = check(&files);
    let (_, _, statement) = witnessed(&files);
    let kept = report.checkpoints.iter().map(|note| Checkpoint::parse_unverified(note).unwrap());
    let unit = statement.issuer.leaf().as_str();
    let mut of_unit = kept.filter(|it| it.origin.as_str().starts_with(unit));
    let head = of_unit.next().expect("a checkpoint of the unit");
    let other = Checkpoint { root: Digest::of(b"another"), ..head };
    let note = other.sign(&node_key(&statement.issuer, REPORTING));
    files.push(("checkpoints/kept.note".to_owned(), note.into_bytes()));
    assert_eq!(codes(&files), BTreeSet::from([Code::LedgerForked]));
    let report = check(&files);
    let [proof] = report.equivocations.as_slice() else { panic!("{report:?}") };
    assert_eq!(verify_equivocation(proof, &roots(&files)).verdict, Verdict::Findings);
    // Nobody else can have signed it.
    let last = files.pop().unwrap();
    let forged = Checkpoint::parse_unverified(core::str::from_utf8(&last.1).unwrap()).unwrap();
    let note = forged.sign(&node_key(&"top".parse().unwrap(), REPORTING));
    files.push((last.0, note.into_bytes()));
    assert_eq!(codes(&files), BTreeSet::from([Code::BadSignature]));
}

/// The statement that the figures stand on, and two roots that its node signed.
fn two_ledgers(files: &Files) -> EquivocationFile {
    let (_, proof, statement) = witnessed(files);
    let head = Checkpoint::parse_unverified(&proof.checkpoint).unwrap();
    let other = Checkpoint { root: Digest::of(b"another"), ..head };
    let (digest, _) = figure(files);
    let part = opened(files, digest).0;
    let Body::Release(release) = &part.statement().body else { panic!("a release") };
    let direct = inline(release).1.direct.iter().filter_map(|entry| entry.statement);
    let mut said = direct.map(|digest| opened(files, digest));
    let (_, signed) = said.find(|(it, _)| it.statement().issuer == statement.issuer).unwrap();
    EquivocationFile {
        format: EQUIVOCATION_FORMAT.to_owned(),
        unit: statement.issuer.to_string(),
        term: statement.term,
        one: proof.checkpoint,
        other: other.sign(&node_key(&statement.issuer, REPORTING)),
        chain: signed.unverified_chain().unwrap().unwrap().to_pem(),
        found_at: None,
    }
}

#[test]
fn the_proof_of_two_ledgers_stands_alone_and_accuses_nobody_else() {
    let files = calm();
    let (file, roots) = (two_ledgers(&files), roots(&files));
    let judge = |file: &EquivocationFile| verify_equivocation(file, &roots).verdict;
    assert_eq!(judge(&file), Verdict::Findings);
    let others = [
        EquivocationFile { unit: "top/b/z".to_owned(), ..file.clone() },
        EquivocationFile { term: file.term + 1, ..file.clone() },
        EquivocationFile { other: file.one.clone(), ..file.clone() },
        EquivocationFile { other: file.other.replacen("\n\n", "\nmore\n\n", 1), ..file.clone() },
        EquivocationFile { chain: String::new(), ..file.clone() },
        EquivocationFile { format: "reeve-equivocation/2".to_owned(), ..file.clone() },
    ];
    for other in &others {
        assert_eq!(judge(other), Verdict::CannotTell, "{other:?}");
    }
}

#[test]
fn no_change_of_a_byte_passes() {
    let files = calm();
    let statements: Vec<usize> = files
        .iter()
        .enumerate()
        .filter(|(_, (place, _))| place.starts_with("statements/"))
        .map(|(at, _)| at)
        .collect();
    let flips = if std::env::var_os("REEVE_FULL").is_some() { 10_000 } else { FLIPS };
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let needed = needed(&files);
    for _ in 0..flips {
        let at = statements[random.random_range(0..statements.len())];
        let mut changed = files.clone();
        let bytes = &mut changed[at].1;
        let byte = random.random_range(0..bytes.len());
        bytes[byte] ^= 1 << random.random_range(0..8);
        let report = check(&changed);
        let part_of = needed.iter().any(|digest| files[at].0.contains(&digest.to_string()));
        // Statements that no figure stands on are read too, so even there a change is found.
        assert_ne!(report.verdict, Verdict::Pass, "byte {byte} of {} ({part_of})", files[at].0);
    }
}

/// Digests of the statements that the figures stand on.
fn needed(files: &Files) -> BTreeSet<Digest> {
    fn below(tree: &reeve_audit::Tree, all: &mut BTreeSet<Digest>) {
        all.insert(tree.statement.parse().unwrap());
        tree.parts.iter().for_each(|part| below(part, all));
    }
    let mut all = BTreeSet::new();
    check(files).figures.iter().for_each(|tree| below(tree, &mut all));
    all
}

/// A calm federation in which somebody publishes all the time, and the newest bulletin of its top.
fn publishing() -> (Files, Digest, Statement, Bulletin) {
    let mut plan = Plan::calm(3, units());
    plan.faults.bulletins = 1_000;
    plan.trouble_ms = 60_000;
    let (report, files) = Sim::new(plan, false).run_for_audit();
    assert_eq!(report.violation, None);
    let (_, text) = files.iter().find(|(place, _)| place == FIGURE).unwrap();
    let digests =
        core::str::from_utf8(text).unwrap().lines().map(|it| it.parse::<Digest>().unwrap());
    let opened = digests.map(|digest| (digest, opened(&files, digest).0.into_statement()));
    let bulletins = opened.filter(|(_, it)| matches!(it.body, Body::Bulletin(_)));
    let (digest, statement) = bulletins.max_by_key(|(_, it)| it.issued_at).expect("a bulletin");
    let Body::Bulletin(bulletin) = statement.body.clone() else { panic!("a bulletin") };
    (files, digest, statement, bulletin)
}

/// The top publishes something else later: what is found?
fn top_publishes(change: impl Fn(&Files, &mut Frozen)) -> BTreeSet<Code> {
    let (mut files, digest, mut statement, bulletin) = publishing();
    let mut figures = bulletin.figures().to_vec();
    change(&files, &mut figures[0]);
    statement.body = Body::Bulletin(Bulletin::new("Another".to_owned(), figures).unwrap());
    statement.issued_at = statement.issued_at.plus_millis(1);
    let (changed, bytes) = signed(&files, digest, &statement);
    files.push((format!("statements/{changed}.cose"), bytes));
    files.retain(|(place, _)| place != FIGURE);
    files.push((FIGURE.to_owned(), changed.to_string().into_bytes()));
    codes(&files)
}

#[test]
fn a_bulletin_is_what_its_issuer_had_signed_last() {
    let (mut files, digest, _, bulletin) = publishing();
    let report = check(&files);
    assert_eq!(report.verdict, Verdict::Pass, "{:#?}", report.findings);
    assert!(!report.bulletins.is_empty() && !report.figures.is_empty());
    let shown = report.bulletins.iter().find(|it| it.statement == digest.to_string()).unwrap();
    assert_eq!(shown.figures.len(), bulletin.figures().len());
    assert!(shown.figures.iter().all(|it| it.total.is_some()), "{shown:?}");
    let revised = |it: &reeve_audit::Published| it.figures.iter().any(|it| it.revised.is_some());
    assert!(report.bulletins.iter().any(revised), "some figure was revised since");
    let (text, page) = (report.text(), report.html());
    assert!(text.contains(&format!("bulletin {:?}", bulletin.title())), "{text}");
    assert!(
        text.contains("revised since by edition") && page.contains("<h2>Bulletin: At "),
        "{text}"
    );

    // What it names, and its place in the ledger, are asked for if they are not there.
    let named = bulletin.figures()[0].statement;
    files.retain(|(place, _)| place != FIGURE && !place.contains(&named.to_string()));
    files.retain(|(place, _)| *place != format!("ledger/{digest}.tlog-proof"));
    files.push((FIGURE.to_owned(), digest.to_string().into_bytes()));
    let report = check(&files);
    let found: BTreeSet<Code> = report.findings.iter().map(|it| it.code).collect();
    assert_eq!(report.verdict, Verdict::CannotTell);
    assert!(found.contains(&Code::NoFrozen) && found.contains(&Code::NoLedgerProof), "{found:?}");
}

#[test]
fn a_bulletin_that_names_something_else_is_named() {
    assert_eq!(top_publishes(|_, _| ()), BTreeSet::new(), "what is frozen again is right");
    let wrong = BTreeSet::from([Code::BadBulletin]);
    assert_eq!(top_publishes(|_, frozen| frozen.edition += 1), wrong, "another edition");
    let day = |frozen: &mut Frozen| frozen.figure.period = Some("2019-01-01".parse().unwrap());
    assert_eq!(top_publishes(|_, frozen| day(frozen)), wrong, "another day");
    // A unit's own word and the nation's are two things.
    let below = top_publishes(|files, frozen| {
        let (verified, _) = opened(files, frozen.statement);
        let Body::Release(release) = &verified.statement().body else { panic!("a release") };
        let inputs = inline(release).1.direct.iter().filter_map(|entry| entry.statement);
        frozen.statement = inputs.min().expect("an input");
    });
    assert!(below.contains(&Code::BadBulletin), "{below:?}");
}

#[test]
fn a_bulletin_of_figures_that_had_been_revised_is_named() {
    let found = top_publishes(|files, frozen| {
        // The edition before the one that stood last.
        let (verified, _) = opened(files, frozen.statement);
        let Body::Release(release) = &verified.statement().body else { panic!("a release") };
        let before = release.previous.expect("an edition before");
        let edition = frozen.edition - 1;
        *frozen = Frozen { figure: frozen.figure.clone(), edition, statement: before };
    });
    assert_eq!(found, BTreeSet::from([Code::BadBulletin]));
}

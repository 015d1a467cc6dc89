//! Published proof bundles: one that passes, and others of which each is wrong in one way.
//!
//! They lie in `policy/statement/testdata/v1/bundles/` for whoever writes another verifier, and are made
//! here from names and nothing random, to be compared byte by byte. After a deliberate change of the
//! format run this file's tests once with `REEVE_BLESS=1` to write them anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use reeve_audit::{
    Bundle, Code, PROOFS, RECEIPTS, ROOTS, Report, Rules, STATEMENTS, Trust, Verdict, verify,
};
use reeve_sim::registry::{NOON, Registry, stamp};
use reeve_sim::specimen::{Files, Pen, Specimen, place};
use reeve_statement::bounds::Bounds;
use reeve_statement::cert::{
    Action, Actions, Certificate, Chain, Crl, Issuer, NodeGrant, RootList,
};
use reeve_statement::chunk::Part;
use reeve_statement::completeness::{Counts, Manifest, UnitState};
use reeve_statement::cose::Signed;
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::period::Period;
use reeve_statement::release::Release;
use reeve_statement::statement::{Audience, Body, Statement};
use reeve_statement::table::Table;
use reeve_statement::unit::UnitPath;

/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy/statement/testdata/v1/bundles")
}

fn unit(path: &str) -> UnitPath {
    path.parse().unwrap()
}

fn day() -> Period {
    "2026-03-01".parse().unwrap()
}

/// A nation, a region with two provinces, and one that declines to report.
fn nation() -> Specimen {
    let units = ["it", "it/03", "it/05", "it/03/016", "it/03/017"].map(unit);
    Specimen::new(&units, &["female".to_owned(), "male".to_owned()])
}

fn release(statement: &mut Statement) -> &mut Release {
    let Body::Release(release) = &mut statement.body else { panic!("a release") };
    release
}

fn table(release: &mut Release, change: impl FnOnce(&mut Table)) {
    let mut table = release.table.inline().unwrap().clone();
    change(&mut table);
    release.table = Part::of(table).unwrap().0;
}

/// Another manifest, with the roots and counts that belong to it.
fn manifest(release: &mut Release, change: impl FnOnce(&mut Manifest)) {
    let mut manifest = release.manifest.inline().unwrap().clone();
    change(&mut manifest);
    (release.inputs_root, release.manifest_root) = reeve_audit::roots(&manifest.direct);
    let mut counts = Counts::default();
    manifest.direct.iter().for_each(|entry| counts.merge(&entry.counts));
    release.counts = counts;
    release.manifest = Part::of(manifest).unwrap().0;
}

/// What is as it should be, up to the nation's second edition, which `change` has the last word on.
fn told(mut paper: Specimen, change: impl FnOnce(&mut Statement)) -> (Specimen, [Digest; 2]) {
    for leaf in ["it/03/017", "it/03/016", "it/03"] {
        paper.tell(&unit(leaf), day(), |_| {});
    }
    paper.witness(&unit("it/03"));
    close(paper, change)
}

/// The nation's first edition, `it/05`'s notice, and the nation's second.
fn close(mut paper: Specimen, change: impl FnOnce(&mut Statement)) -> (Specimen, [Digest; 2]) {
    let first = paper.tell(&unit("it"), day(), |_| {});
    paper.decline(&unit("it/05"), day());
    let second = paper.tell(&unit("it"), day(), change);
    (paper, [first, second])
}

fn bundle((paper, about): (Specimen, [Digest; 2])) -> Files {
    paper.bundle(&about)
}

fn nation_says(change: impl FnOnce(&mut Statement)) -> Files {
    bundle(told(nation(), change))
}

/// The region's figure, with something else in it, and everything above made from that.
fn region_says(change: impl FnOnce(&mut Statement)) -> Files {
    let mut paper = nation();
    paper.tell(&unit("it/03/017"), day(), |_| {});
    paper.tell(&unit("it/03/016"), day(), |_| {});
    paper.tell(&unit("it/03"), day(), change);
    bundle(close(paper, |_| {}))
}

fn wrong_digit() -> Files {
    nation_says(|it| {
        table(release(it), |table| {
            let cell = table.rows.values_mut().next().unwrap();
            cell.value = Bounds::exact(cell.value.lo() + 1);
        });
    })
}

/// The region leaves a province out, of its sum and of whom it names.
fn missing_child() -> Files {
    region_says(|it| {
        let gone = unit("it/03/017");
        manifest(release(it), |manifest| manifest.direct.retain(|it| it.unit != *gone.leaf()));
        table(release(it), |table| {
            table.rows.retain(|key, _| key.area.units.first() != Some(gone.leaf()));
        });
    })
}

/// The nation says that everybody has reported.
fn changed_completeness() -> Files {
    nation_says(|it| {
        let mut counts = Counts::default();
        counts.add(UnitState::Reported, release(it).counts.total());
        release(it).counts = counts;
    })
}

/// The nation signs a register without `it/05`, and counts by it.
fn shrunk_roster() -> Files {
    let (mut paper, [first, _]) = told(nation(), |_| {});
    paper.register(&unit("it"), 2, &[unit("it/03").leaf().clone()]);
    let second = paper.tell(&unit("it"), day(), |it| {
        manifest(release(it), |manifest| {
            manifest.direct.retain(|it| it.state.is_included());
            manifest.exceptions.clear();
        });
    });
    paper.bundle(&[first, second])
}

/// What the region made for another recipient is added all the same.
fn swapped_audience() -> Files {
    region_says(|it| it.audience = Audience::Unit(unit("it/05")))
}

fn edition_gap() -> Files {
    nation_says(|it| release(it).edition += 1)
}

/// The region tells the nation one thing and keeps another as the same edition.
fn told_twice() -> Files {
    let (mut paper, about) = told(nation(), |_| {});
    paper.tell(&unit("it/03"), day(), |it| {
        let release = release(it);
        (release.edition, release.previous, release.reason) = (1, None, None);
        table(release, |table| drop(table.rows.pop_last()));
    });
    paper.bundle(&about)
}

/// The region's authority makes itself a node of a province of its own, which did not report.
fn forged_certificate() -> Files {
    let (mut paper, province) = (nation(), unit("it/03/016"));
    let pen = paper.pen(&province).clone();
    let (superior, above) = paper.registry.authority(&unit("it/03"));
    let forged =
        reissued(pen.chain.leaf(), &superior, &paper.registry.authority_key(&unit("it/03")));
    let chain = Chain::new(forged, [vec![superior], above].concat()).unwrap();
    paper.take_pen(&province, Pen { chain, ..pen });
    bundle(told(paper, |_| {}))
}

/// The nation signs under a certificate that ended before.
fn stale_certificate() -> Files {
    nation_says(|it| it.issued_at = it.issued_at.plus_millis(400 * DAY_MS))
}

/// A province's node was revoked before it signed.
fn revoked_certificate() -> Files {
    revoked_at(|_| NOON)
}

/// Others had the key of a province's node from the second on after it signed by its own date, and before
/// anybody saw what it had signed.
fn exposed_before_witness() -> Files {
    revoked_at(|dated| dated + 1_000)
}

/// The key of a province's node comes into other hands, at a time by the date of what it signed, and is revoked.
fn revoked_at(at: impl FnOnce(i64) -> i64) -> Files {
    let (paper, about) = told(nation(), |_| {});
    let province = unit("it/03/016");
    let signed = place(STATEMENTS, paper.ledger(&province)[0]);
    let signed = Signed::decode(&paper.bundle(&about)[&signed]).unwrap();
    let at = at(signed.unverified_issued_at().as_millis());
    let list = paper.registry.clone().revoke(&province, "1", 2, at);
    let list = Crl::from_der(&list.list).unwrap().to_pem().into_bytes();
    let mut files = paper.bundle(&about);
    let issuer = Crl::from_pem(core::str::from_utf8(&list).unwrap()).unwrap().issuer_key_id();
    let of_issuer = |bytes: &[u8]| {
        let text = core::str::from_utf8(bytes).unwrap();
        Crl::from_pem(text).unwrap().issuer_key_id() == issuer
    };
    let lists = files.iter_mut().filter(|(place, _)| place.starts_with("revocation/"));
    *lists.map(|(_, bytes)| bytes).find(|bytes| of_issuer(bytes)).unwrap() = list;
    files
}

/// The nation keeps two ledgers: one that holds its first edition, one that holds its second.
fn forked_ledger() -> Files {
    let (paper, about) = told(nation(), |_| {});
    let mut files = paper.bundle(&about);
    let mut other = paper.ledger(&unit("it")).to_vec();
    *other.last_mut().unwrap() = Digest::of(b"what others were told");
    let proof = paper.proof(&unit("it"), &other, 0);
    files.insert(place(RECEIPTS, about[0]), paper.receipt(&unit("it"), &proof).encode());
    files.insert(place(PROOFS, about[0]), proof.to_string().into_bytes());
    files
}

/// A proof of another place in the ledger.
fn moved_entry() -> Files {
    let (paper, about) = told(nation(), |_| {});
    let mut files = paper.bundle(&about);
    let proof = paper.proof(&unit("it"), paper.ledger(&unit("it")), 0);
    let receipt = paper.receipt(&unit("it"), &proof).encode();
    files.insert(place(PROOFS, about[1]), proof.to_string().into_bytes());
    files.insert(place(RECEIPTS, about[1]), receipt);
    files
}

/// A receipt of the nation's statement, with another hash beside its way to the root.
fn altered_receipt() -> Files {
    let (paper, about) = told(nation(), |_| {});
    let mut files = paper.bundle(&about);
    let mut proof = paper.proof(&unit("it"), paper.ledger(&unit("it")), 1);
    proof.path.hashes = vec![Digest::of(b"another entry")];
    let receipt = paper.receipt(&unit("it"), &proof).encode();
    files.insert(place(RECEIPTS, about[1]), receipt);
    files
}

/// One letter of what a province signed.
fn altered_statement() -> Files {
    let (paper, about) = told(nation(), |_| {});
    let place = place(STATEMENTS, paper.ledger(&unit("it/03/016"))[0]);
    let mut files = paper.bundle(&about);
    let bytes = files.get_mut(&place).unwrap();
    let at = bytes.windows(6).position(|part| part == b"female").unwrap();
    bytes[at] = b'F';
    files
}

/// One letter of the root that the nation's node signed.
fn altered_checkpoint() -> Files {
    let (paper, about) = told(nation(), |_| {});
    let mut files = paper.bundle(&about);
    let proof = files.get_mut(&place(PROOFS, about[1])).unwrap();
    let text = core::str::from_utf8(proof).unwrap();
    let note = text.find("it.reeve.test/ledger").unwrap();
    let root = note + text[note..].lines().take(2).map(|line| line.len() + 1).sum::<usize>();
    proof[root] = if proof[root] == b'A' { b'B' } else { b'A' };
    files
}

/// One letter of a cosignature of the region's ledger.
fn altered_cosignature() -> Files {
    /// From the end of a proof, within the signature that is its last line.
    const WITHIN: usize = 20;
    let (paper, about) = told(nation(), |_| {});
    let mut files = paper.bundle(&about);
    let proof = files.get_mut(&place(PROOFS, paper.ledger(&unit("it/03"))[0])).unwrap();
    let at = proof.len() - WITHIN;
    proof[at] = if proof[at] == b'A' { b'B' } else { b'A' };
    files
}

/// The nation cosigns under a certificate that lets it report, and not audit.
fn unentitled_witness() -> Files {
    let (mut paper, nation) = (nation(), unit("it"));
    let pen = paper.pen(&nation).clone();
    let (authority, above) = paper.registry.authority(&nation);
    let grant = NodeGrant {
        label: "1".to_owned(),
        key: pen.key.public(),
        actions: Actions::of_node().iter().filter(|action| *action != Action::Audit).collect(),
        term: Some(1),
    };
    let signer = paper.registry.authority_key(&nation);
    let issuer = Issuer::new(&authority, &signer).unwrap();
    let leaf = issuer.node(&grant, &stamp("unentitled witness")).unwrap();
    let chain = Chain::new(leaf, [vec![authority], above].concat()).unwrap();
    paper.take_pen(&nation, Pen { chain, ..pen });
    bundle(told(paper, |_| {}))
}

/// A province dates what it signs an hour before the region saw its ledger without it.
fn backdated() -> Files {
    let (mut paper, province) = (nation(), unit("it/03/016"));
    paper.tell(&province, "2026-02-28".parse().unwrap(), |_| {});
    paper.witness(&province);
    paper.tell(&unit("it/03/017"), day(), |_| {});
    paper.tell(&province, day(), |it| it.issued_at = it.issued_at.plus_millis(-DAY_MS / 24));
    paper.tell(&unit("it/03"), day(), |_| {});
    bundle(close(paper, |_| {}))
}

/// A province's statement is not there.
fn left_out() -> Files {
    let (paper, about) = told(nation(), |_| {});
    let mut files = paper.bundle(&about);
    files.remove(&place(STATEMENTS, paper.ledger(&unit("it/03/016"))[0])).unwrap();
    files
}

/// Of another federation, with the same names and other keys.
fn other_federation() -> Files {
    let mut files = nation_says(|_| {});
    let others = Registry::rooted_in("others").roots;
    files.insert(ROOTS.to_owned(), others.encode());
    files.insert("roots.pem".to_owned(), others.to_pem().into_bytes());
    files
}

/// Every bundle, and what is found in it.
fn bundles() -> Vec<(&'static str, Files, &'static [Code])> {
    vec![
        ("good_day", nation_says(|_| {}), &[]),
        ("bad_wrong_digit", wrong_digit(), &[Code::WrongSum]),
        ("bad_missing_child", missing_child(), &[Code::MissingUnit]),
        ("bad_changed_completeness", changed_completeness(), &[Code::WrongCompleteness]),
        ("bad_shrunk_roster", shrunk_roster(), &[Code::RegisterShrank]),
        ("bad_swapped_audience", swapped_audience(), &[Code::WrongAudience]),
        ("bad_edition_gap", edition_gap(), &[Code::EditionGap]),
        ("bad_told_twice", told_twice(), &[Code::TwoEditions]),
        ("bad_forged_certificate", forged_certificate(), &[Code::OutOfArea]),
        ("bad_stale_certificate", stale_certificate(), &[Code::StaleCertificate]),
        ("bad_revoked_certificate", revoked_certificate(), &[Code::Revoked]),
        ("bad_exposed_before_witness", exposed_before_witness(), &[Code::NotBeforeCompromise]),
        ("bad_forked_ledger", forked_ledger(), &[Code::LedgerForked]),
        ("bad_moved_entry", moved_entry(), &[Code::NotInLedger, Code::BadReceipt]),
        ("bad_altered_receipt", altered_receipt(), &[Code::BadReceipt]),
        ("bad_altered_statement", altered_statement(), &[Code::BadSignature]),
        ("bad_altered_checkpoint", altered_checkpoint(), &[Code::NotInLedger]),
        ("bad_altered_cosignature", altered_cosignature(), &[Code::BadCosignature]),
        ("bad_unentitled_witness", unentitled_witness(), &[Code::BadCosignature]),
        ("bad_backdated", backdated(), &[Code::WitnessTime]),
        ("bad_left_out", left_out(), &[Code::NoInput]),
        ("bad_other_federation", other_federation(), &[Code::OtherFederation]),
    ]
}

/// The same certificate signed by another authority, which our issuing code refuses to do: the issuer's
/// name and key identifier replaced in the DER, and signed anew.
fn reissued(
    leaf: &Certificate,
    by: &Certificate,
    signer: &reeve_statement::key::SecretKey,
) -> Certificate {
    /// Place of the issuer's name among the fields of a certificate (RFC 5280 section 4.1).
    const ISSUER: usize = 3;
    /// And of the subject's.
    const SUBJECT: usize = 5;
    let fields = |it: &Certificate| -> Vec<Vec<u8>> {
        let signed = items(inside(it.der()))[0];
        items(inside(signed)).into_iter().map(<[u8]>::to_vec).collect()
    };
    let mut changed = fields(leaf);
    changed[ISSUER] = fields(by).swap_remove(SUBJECT);
    let (old, new) = (leaf.authority_key_id(), by.key().key_id());
    let extensions = changed.last_mut().unwrap();
    let at = extensions.windows(20).position(|part| part == old.as_bytes()).unwrap();
    extensions[at..at + 20].copy_from_slice(new.as_bytes());
    let signed = sequence(&changed.concat());
    let algorithm = items(inside(leaf.der()))[1].to_vec();
    let signature = [&[0x03, 0x41, 0x00], &signer.sign(&signed).as_bytes()[..]].concat();
    Certificate::from_der(&sequence(&[signed, algorithm, signature].concat())).unwrap()
}

/// Where the content of a DER item begins, and where it ends.
fn extent(item: &[u8]) -> (usize, usize) {
    let long = usize::from(item[1] & 0x7f);
    if item[1] < 0x80 {
        return (2, 2 + long);
    }
    let length = item[2..2 + long].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    (2 + long, 2 + long + length)
}

/// The content of the first DER item.
fn inside(der: &[u8]) -> &[u8] {
    let (begins, ends) = extent(der);
    &der[begins..ends]
}

/// DER items that stand one after the other.
fn items(mut der: &[u8]) -> Vec<&[u8]> {
    let mut items = Vec::new();
    while !der.is_empty() {
        let (item, rest) = der.split_at(extent(der).1);
        items.push(item);
        der = rest;
    }
    items
}

/// A sequence of more than 255 bytes.
fn sequence(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82], &length[..], content].concat()
}

#[test]
fn published_bundles_are_what_they_were() {
    let made: BTreeMap<PathBuf, Vec<u8>> = bundles()
        .into_iter()
        .flat_map(|(name, files, _)| {
            files.into_iter().map(move |(place, bytes)| (Path::new(name).join(place), bytes))
        })
        .collect();
    if std::env::var_os("REEVE_BLESS").is_some() {
        let _ = fs::remove_dir_all(folder());
        for (place, bytes) in &made {
            let path = folder().join(place);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    for (place, bytes) in &made {
        let held = fs::read(folder().join(place)).unwrap_or_default();
        assert!(held == *bytes, "{} is not what is made now", place.display());
    }
    assert_eq!(count(&folder()), made.len(), "files that nothing makes");
}

fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
}

fn check(name: &str, federation: FederationId) -> Report {
    check_folder(&folder().join(name), federation)
}

fn check_folder(folder: &Path, federation: FederationId) -> Report {
    let mut bundle = Bundle::default();
    bundle.read_folder(folder).unwrap();
    let trust = Trust::Federation(federation);
    verify(&bundle, &Rules { trust, require_lists: true, require_witness: false })
}

/// What docs/verify.md says to type, and what it says comes out.
#[test]
fn the_document_shows_what_an_auditor_sees() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify.md");
    let document = fs::read_to_string(document).unwrap();
    let federation = nation().registry.roots.federation();
    for (name, after) in [("good_day", "The first answers"), ("bad_wrong_digit", "and the second")]
    {
        let command = format!("reeve-audit verify {name} --federation {federation}\n");
        assert!(document.contains(&command), "expected {command}");
        let shown = document.split_once(after).unwrap().1.split_once("```text\n").unwrap().1;
        let shown = shown.split_once("```").unwrap().0;
        assert_eq!(shown, check(name, federation).text(), "{name}");
    }
}

#[test]
fn each_published_bundle_is_judged_as_its_name_says() {
    let roots = fs::read(folder().join("good_day").join(ROOTS)).unwrap();
    let federation = RootList::decode(&roots).unwrap().federation();
    for (name, _, codes) in bundles() {
        let report = check(name, federation);
        println!("{name}\n{}", report.text());
        let grave = report.findings.iter().filter(|it| it.code.verdict() == report.verdict);
        let found: BTreeSet<Code> = grave.map(|it| it.code).collect();
        let wanted: BTreeSet<Code> = codes.iter().copied().collect();
        if wanted.is_empty() {
            assert_eq!((report.verdict, report.counted.sums), (Verdict::Pass, 6), "{name}");
        } else {
            assert_eq!(found, wanted, "{name}: {:#?}", report.findings);
            assert_ne!(report.verdict, Verdict::Pass, "{name}");
        }
    }
}

/// What others saw before the key came into other hands stays as it was signed.
#[test]
fn what_was_witnessed_before_a_key_was_exposed_stays() {
    let roots = fs::read(folder().join("good_day").join(ROOTS)).unwrap();
    let federation = RootList::decode(&roots).unwrap().federation();
    for (later, stays) in [(0, false), (1_000, false), (DAY_MS, true)] {
        let folder = tempfile::tempdir().unwrap();
        for (place, bytes) in revoked_at(|dated| dated + later) {
            let path = folder.path().join(place);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let report = check_folder(folder.path(), federation);
        assert_eq!(report.verdict == Verdict::Pass, stays, "{later} ms later: {}", report.text());
        let notes = report.findings.iter().filter(|it| it.code == Code::RevokedLater);
        let texts: Vec<&str> = notes.map(|it| it.text.as_str()).collect();
        assert_eq!(!texts.is_empty(), stays, "{texts:?}");
        assert!(texts.iter().all(|text| text.contains("it/03 saw it")), "{texts:?}");
    }
}

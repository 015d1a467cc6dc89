//! Signed statements, what they say, and the tables and ledger proofs around them.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use minicbor::Decoder;
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::cert::{CrlSet, RootList};
use reeve_statement::chunk::Part;
use reeve_statement::completeness::Manifest;
use reeve_statement::cose::{Signed, Verifier, sign};
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};
use reeve_statement::ledger::cosignature::{
    WitnessName, claimed_witnesses, cosign, verify_cosignature,
};
use reeve_statement::ledger::receipt::{Receipt, SignedRoot};
use reeve_statement::ledger::{
    ConsistencyProof, InclusionProof, verify_consistency, verify_inclusion,
};
use reeve_statement::limits::STATEMENT_BYTES;
use reeve_statement::statement::{Audience, Body, Onward, Statement, VERSION};
use reeve_statement::table::Table;
use reeve_statement::time::Timestamp;

use super::text;
use crate::house::{NOW, house, key, path};

/// The statement crate's golden vectors: those that verify, and some that almost do.
const GOOD: [&[u8]; 6] = [
    include_bytes!("../../../../policy/statement/testdata/v1/good_release.cbor"),
    include_bytes!("../../../../policy/statement/testdata/v1/good_notice.cbor"),
    include_bytes!("../../../../policy/statement/testdata/v1/good_request.cbor"),
    include_bytes!("../../../../policy/statement/testdata/v1/good_catalogue.cbor"),
    include_bytes!("../../../../policy/statement/testdata/v1/good_register.cbor"),
    include_bytes!("../../../../policy/statement/testdata/v1/good_declaration.cbor"),
];
const BAD: [&[u8]; 4] = [
    include_bytes!("../../../../policy/statement/testdata/v1/bad_without_chain.cbor"),
    include_bytes!("../../../../policy/statement/testdata/v1/bad_out_of_area.cbor"),
    include_bytes!("../../../../policy/statement/testdata/v1/bad_content_type.cbor"),
    include_bytes!("../../../../policy/statement/testdata/v1/bad_payload_key_twice.cbor"),
];
const ROOTS: &[u8] = include_bytes!("../../../../policy/statement/testdata/v1/roots.cbor");

/// The golden federation's verifier, and the names of the statements that were really signed.
fn golden() -> &'static (Verifier, BTreeSet<Digest>) {
    static GOLDEN: OnceLock<(Verifier, BTreeSet<Digest>)> = OnceLock::new();
    GOLDEN.get_or_init(|| {
        let verifier = Verifier::new(RootList::decode(ROOTS).unwrap(), CrlSet::default());
        let signed = GOOD.map(|bytes| Signed::decode(bytes).unwrap().digest());
        (verifier, signed.into())
    })
}

/// A signed statement: what decodes encodes to the same bytes, and what verifies was signed by a unit
/// of the federation.
pub fn statement(bytes: &[u8]) {
    let Ok(signed) = Signed::decode(bytes) else { return };
    assert_eq!(signed.to_bytes(), bytes, "a second encoding of an envelope");
    assert_eq!(signed.clone().without_chain().digest(), signed.digest());
    let (verifier, known) = golden();
    let digest = signed.digest();
    if let Ok(verified) = signed.clone().verify(verifier, NOW) {
        assert!(known.contains(&digest), "accepted what was never signed");
        assert_eq!(verified.statement().issuer, *verified.signer().unit());
    }
}

/// Seeds of [`statement`].
pub fn statement_seeds() -> Vec<Vec<u8>> {
    let bare = |bytes: &&[u8]| Signed::decode(bytes).unwrap().without_chain().to_bytes();
    GOOD.iter().chain(&BAD).map(|it| it.to_vec()).chain(GOOD.iter().take(2).map(bare)).collect()
}

/// The payload of a golden vector.
fn payload(golden: &[u8]) -> Vec<u8> {
    let mut d = Decoder::new(golden);
    d.tag().unwrap();
    d.array().unwrap();
    d.bytes().unwrap();
    d.skip().unwrap();
    d.bytes().unwrap().to_vec()
}

/// What a statement says, signed by a node that may: it has one encoding, and survives being signed,
/// sent, verified and added up.
pub fn payload_of_statement(bytes: &[u8]) {
    let Ok(mut statement) = from_slice::<Statement>("statement", bytes, STATEMENT_BYTES) else {
        return;
    };
    assert_eq!(to_vec(&statement), bytes, "a second encoding of a statement");
    if let Body::Release(release) = &statement.body {
        if let Part::Inline(table) = &release.table {
            add_up(table);
        }
        assert!(release.counts.included() <= release.counts.total());
    }
    let unit = path("it/03/016");
    statement.issuer = unit.clone();
    statement.version = VERSION;
    statement.issued_at = statement.issued_at.max(NOW);
    statement.federation = house().roots.federation();
    let (secret, chain) = house().node(&unit, "fuzz", Some(statement.term));
    let Ok(signed) = sign(&statement, &secret, &chain) else { return };
    let received = Signed::decode(&signed.to_bytes()).expect("what we signed decodes");
    match received.verify(&house().verifier(), NOW) {
        Ok(verified) => assert_eq!(*verified.statement(), statement),
        // Nodes are not entitled to everything.
        Err(error) => assert!(
            matches!(error, reeve_statement::cose::VerifyError::NotEntitled { .. }),
            "{error}"
        ),
    }
}

fn add_up(table: &Table) {
    if let Ok(total) = table.total() {
        assert!(total.value.lo() <= total.value.hi());
        let doubled = table.rows.values().chain(table.rows.values());
        let _ = doubled.copied().try_fold(total, reeve_statement::bounds::Cell::checked_add);
    }
}

/// Seeds of [`payload_of_statement`].
pub fn payload_seeds() -> Vec<Vec<u8>> {
    let statement = Statement {
        version: VERSION,
        federation: house().roots.federation(),
        issuer: path("it"),
        term: 1,
        audience: Audience::Federation,
        onward: Onward::Anyone,
        issued_at: NOW,
        valid_until: None,
        witnessed: None,
        body: Body::Catalogue(crate::house::catalogue().clone()),
    };
    GOOD.iter().map(|bytes| payload(bytes)).chain([to_vec(&statement)]).collect()
}

/// Parts that travel beside a statement, as chunks: whatever a peer sends for a digest, what is joined
/// is what was announced.
pub fn chunks(bytes: &[u8]) {
    let (list, chunk) = bytes.split_at(bytes.len().min(256));
    if let Ok(part) = from_slice::<Part<Table>>("part", list, STATEMENT_BYTES) {
        assert_eq!(to_vec(&part), list);
        let joined =
            part.join("table", |digest| (Digest::of(chunk) == *digest).then(|| chunk.to_vec()));
        if let Ok(table) = joined {
            add_up(&table);
        }
    }
    for whole in [bytes, chunk] {
        if let Ok(table) = from_slice::<Table>("table", whole, STATEMENT_BYTES) {
            assert_eq!(to_vec(&table), whole);
            let (part, chunks) = Part::of(table.clone()).expect("a table that was read fits");
            let find =
                |digest: &Digest| chunks.iter().find(|it| Digest::of(it) == *digest).cloned();
            assert_eq!(part.join("table", find).unwrap(), table);
        }
        if let Ok(manifest) = from_slice::<Manifest>("manifest", whole, STATEMENT_BYTES) {
            assert_eq!(to_vec(&manifest), whole);
        }
    }
}

/// Seeds of [`chunks`].
pub fn chunk_seeds() -> Vec<Vec<u8>> {
    let statement: Statement = from_slice("statement", &payload(GOOD[0]), STATEMENT_BYTES).unwrap();
    let Body::Release(release) = &statement.body else { unreachable!("the first vector") };
    let Part::Inline(table) = &release.table else { unreachable!("a small table") };
    let Part::Inline(manifest) = &release.manifest else { unreachable!("a small manifest") };
    vec![to_vec(table), to_vec(manifest), to_vec(&release.table)]
}

/// A checkpoint, a receipt, and proofs of inclusion and consistency: what parses prints the same, only the right
/// key's checkpoint verifies, and no proof proves what is not so.
pub fn ledger(bytes: &[u8]) {
    if let Some(note) = text(bytes) {
        let origin = Origin::of("016.03.it.reeve.example", 1).unwrap();
        if let Ok(checkpoint) = Checkpoint::parse_unverified(note) {
            assert!(note.starts_with(&checkpoint.text()));
        }
        if let Ok(checkpoint) = Checkpoint::verify(note, &origin, &key("ledger").public()) {
            assert_eq!((checkpoint.size, checkpoint.root), (7, Digest::of(b"root")));
        }
        let cosigned = verify_cosignature(note, &witness(), &key("witness").public());
        if let Ok(Some(at)) = cosigned {
            assert_eq!(at, COSIGNED_AT);
            assert_eq!(claimed_witnesses(note).unwrap().first(), Some(&witness().to_string()));
        }
    }
    if let Ok(receipt) = Receipt::decode(bytes) {
        assert_eq!(receipt.encode(), bytes);
        let origin = Origin::of("016.03.it.reeve.example", 1).unwrap();
        let verified = receipt.verify(&Digest::of(b"entry"), &origin, &key("ledger").public());
        assert!(verified.is_err_and(|error| !error.to_string().is_empty()), "nobody signed that");
    }
    // Two sizes, then hashes: a proof that leads to a root that nobody made proves nothing.
    let Some((head, rest)) = bytes.split_at_checked(16) else { return };
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    let (index, size) = (number(&head[..8]), number(&head[8..]));
    let hashes: Vec<Digest> =
        rest.chunks_exact(32).map(|hash| Digest::from_bytes(hash.try_into().unwrap())).collect();
    let (leaf, root) = (Digest::of(b"leaf"), Digest::of(b"a root that nobody made"));
    let proof = InclusionProof { hashes: hashes.clone() };
    assert!(verify_inclusion(&leaf, index, size, &root, &proof).is_err());
    let proof = ConsistencyProof { hashes };
    if index != size && index != 0 {
        assert!(verify_consistency(index, size, &leaf, &root, &proof).is_err());
    } else {
        let _ = verify_consistency(index, size, &leaf, &root, &proof);
    }
}

/// When the seed's checkpoint was cosigned.
const COSIGNED_AT: Timestamp = Timestamp::from_seconds(1_772_366_400);

fn witness() -> WitnessName {
    WitnessName::of("03.it.reeve.example").unwrap()
}

/// Seeds of [`ledger`].
pub fn ledger_seeds() -> Vec<Vec<u8>> {
    let origin = Origin::of("016.03.it.reeve.example", 1).unwrap();
    let note = Checkpoint { origin, size: 7, root: Digest::of(b"root") }.sign(&key("ledger"));
    let proof = |index: u64, size: u64, hashes: usize| {
        let mut bytes = [index.to_le_bytes(), size.to_le_bytes()].concat();
        bytes.resize(16 + 32 * hashes, 0x5a);
        bytes
    };
    let root = SignedRoot::sign(
        &Origin::of("016.03.it.reeve.example", 1).unwrap(),
        7,
        &Digest::of(b"root"),
        &key("ledger"),
    );
    let receipt = root.receipt(3, InclusionProof { hashes: vec![Digest::of(b"hash"); 3] });
    let line = cosign(&note, &witness(), &key("witness"), COSIGNED_AT).unwrap();
    let cosigned = format!("{note}{line}");
    vec![
        note.into_bytes(),
        cosigned.into_bytes(),
        receipt.encode(),
        proof(3, 7, 3),
        proof(6, 7, 2),
        proof(1 << 40, 1 << 41, 41),
    ]
}

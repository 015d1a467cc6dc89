//! Golden vectors: files that this and every later version must judge the same way.
//!
//! `testdata/v1` holds `good_` statements and `bad_<why>` ones, the root list and the revocation list
//! they are judged by, all at 2026-03-01T12:00:00Z. They are made from fixed seeds below and compared
//! byte for byte; after a deliberate change of the format, before its release, run the first test once
//! with `REEVE_BLESS=1` to write them anew.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::samples::{
    bulletin, catalogue, declaration, notice, register, release, request, sign_anyway, statement,
};
use super::{Envelope, STATEMENT_TYPE, Signed, Verifier, VerifyError, sign, sign_bytes};
use crate::cbor;
use crate::cert::testing::{DAY_MILLIS, DOMAIN, Line, NOW, key, line, line_in, reissued_by, stamp};
use crate::cert::{Actions, Chain, Crl, CrlSet, Reason, Revocation, RootList, Validity};
use crate::digest::{Digest, FederationId};
use crate::key::SecretKey;
use crate::statement::{Body, Statement};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/v1")
}

/// What all vectors are made from.
struct Bench {
    line: Line,
    node: SecretKey,
    chain: Chain,
}

impl Bench {
    fn new() -> Self {
        let line = line("it/03/016");
        let (node, chain) = line.node_with("1", Actions::all(), &stamp("golden node"));
        Self { line, node, chain }
    }

    fn statement(&self, body: Body) -> Statement {
        statement(&self.line, body)
    }

    fn signed(&self, body: Body) -> Vec<u8> {
        sign(&self.statement(body), &self.node, &self.chain).unwrap().to_bytes()
    }

    fn changed(&self, change: impl FnOnce(&mut Statement)) -> Vec<u8> {
        let mut statement = self.statement(release());
        change(&mut statement);
        sign_anyway(&statement, &self.node, &self.chain).to_bytes()
    }

    /// Signed under a certificate with other properties.
    fn under(&self, secret: &SecretKey, chain: &Chain, body: Body) -> Vec<u8> {
        sign_anyway(&self.statement(body), secret, chain).to_bytes()
    }

    /// The payload's bytes replaced before signing.
    fn payload(&self, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
        let statement = self.statement(request());
        let payload = change(cbor::to_vec(&statement));
        let (issuer, at, leaf) = (&statement.issuer, statement.issued_at, self.chain.leaf_digest());
        let envelope = Envelope::sign(STATEMENT_TYPE, payload, issuer, at, &self.node, leaf);
        envelope.with_chain(&self.chain).to_bytes()
    }

    fn revoked_chain(&self) -> (SecretKey, Chain) {
        self.line.node("revoked")
    }

    fn list(&self) -> Crl {
        let serial = self.revoked_chain().1.leaf().serial().clone();
        let revocation = Revocation { at: NOW, reason: Reason::KeyCompromise, since: None };
        let revoked = BTreeMap::from([(serial, revocation)]);
        self.line.issuer().crl(1, NOW, NOW.plus_millis(30 * DAY_MILLIS), &revoked).unwrap()
    }
}

fn good(bench: &Bench) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("good_release", bench.signed(release())),
        ("good_notice", bench.signed(notice())),
        ("good_request", bench.signed(request())),
        ("good_catalogue", bench.signed(catalogue())),
        ("good_register", bench.signed(register())),
        ("good_declaration", bench.signed(declaration())),
        ("good_bulletin", bench.signed(bulletin())),
    ]
}

/// Name, bytes, and how the refusal begins (its variants, outermost first).
fn bad(bench: &Bench) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    [bad_envelopes(bench), bad_statements(bench), bad_bulletins(bench), bad_signers(bench)].concat()
}

fn bad_envelopes(bench: &Bench) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = bench.signed(release());
    let cut = good[..good.len() - 1].to_vec();
    let longer = [good.as_slice(), &[0]].concat();
    let untagged = good[1..].to_vec();
    let mut altered = bench.signed(request());
    let place = altered.windows(8).position(|part| part == b"epidemic").unwrap();
    altered[place] = b'E';
    let mut signature = good.clone();
    *signature.last_mut().unwrap() ^= 1;
    // The same signed array with a length in two bytes where one does.
    let long_form = [&[0xd2, 0x98, 0x04], &good[2..]].concat();
    let unit = "it/03/016".parse().unwrap();
    let leaf = bench.chain.leaf_digest();
    let change = sign_bytes(super::CHANGE_TYPE, b"change".to_vec(), &unit, NOW, &bench.node, leaf);
    let bare = Signed::decode(&good).unwrap().without_chain().to_bytes();
    vec![
        ("bad_truncated", cut, "Envelope(Malformed"),
        ("bad_bytes_left_over", longer, "Envelope(Malformed"),
        ("bad_without_tag", untagged, "Envelope(Malformed"),
        ("bad_long_form_length", long_form, "Envelope(NotCanonical"),
        ("bad_content_type", change, "Envelope(ContentType"),
        ("bad_without_chain", bare, "NoChain"),
        ("bad_altered_payload", altered, "BadSignature"),
        ("bad_altered_signature", signature, "BadSignature"),
    ]
}

fn bad_statements(bench: &Bench) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let other_time = {
        let statement = bench.statement(release());
        let (payload, leaf) = (cbor::to_vec(&statement), bench.chain.leaf_digest());
        let at = NOW.plus_millis(DAY_MILLIS);
        Envelope::sign(STATEMENT_TYPE, payload, &statement.issuer, at, &bench.node, leaf)
            .with_chain(&bench.chain)
            .to_bytes()
    };
    // The version, 1, as a float and as an integer in two bytes; the map's first entry again.
    let float = |payload: Vec<u8>| [&payload[..2], &[0xf9, 0x3c, 0x00], &payload[3..]].concat();
    let long = |payload: Vec<u8>| [&payload[..2], &[0x18, 0x01], &payload[3..]].concat();
    let twice = |payload: Vec<u8>| [&[payload[0] + 1], &payload[1..3], &payload[1..]].concat();
    let elsewhere = FederationId(Digest::of(b"elsewhere"));
    let before = bench.chain.leaf().validity().not_before.plus_millis(-1);
    vec![
        ("bad_federation", bench.changed(|it| it.federation = elsewhere), "WrongFederation"),
        ("bad_issuer", bench.changed(|it| it.issuer = "it/03/017".parse().unwrap()), "WrongIssuer"),
        ("bad_term", bench.changed(|it| it.term = 2), "WrongTerm"),
        ("bad_version", bench.changed(|it| it.version = 2), "Version"),
        ("bad_issued_at", other_time, "IssuedAtDiffers"),
        ("bad_backdated", bench.changed(|it| it.issued_at = before), "BeforeCertificate"),
        ("bad_payload_float", bench.payload(float), "Payload(Malformed"),
        ("bad_payload_long_form_integer", bench.payload(long), "Payload(NotCanonical"),
        ("bad_payload_key_twice", bench.payload(twice), "Payload(NotCanonical"),
    ]
}

/// What breaks the rules of a bulletin, or is of a kind that this version does not know, is no statement.
fn bad_bulletins(bench: &Bench) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let signed = |change: &dyn Fn(&mut Vec<u8>)| {
        let statement = bench.statement(bulletin());
        let mut payload = cbor::to_vec(&statement);
        change(&mut payload);
        let (issuer, at) = (&statement.issuer, statement.issued_at);
        let leaf = bench.chain.leaf_digest();
        let envelope = Envelope::sign(STATEMENT_TYPE, payload, issuer, at, &bench.node, leaf);
        envelope.with_chain(&bench.chain).to_bytes()
    };
    let replace = |payload: &mut Vec<u8>, what: &[u8], by: &[u8]| {
        let place = payload.windows(what.len()).position(|part| part == what).unwrap();
        payload.splice(place..place + what.len(), by.iter().copied());
    };
    // The body's code and the array around the bulletin; its first figure's name, which sorts first.
    let unknown =
        signed(&|payload| replace(payload, &[0x82, 9, 0x81, 0xa2], &[0x82, 6, 0x81, 0xa2]));
    let order = signed(&|payload| replace(payload, b"beds_free", b"zeds_free"));
    let title = signed(&|payload| replace(payload, b"\x64Noon", b"\x60"));
    vec![
        ("bad_kind", unknown, "Payload(Malformed"),
        ("bad_bulletin_order", order, "Payload(Malformed"),
        ("bad_bulletin_title", title, "Payload(Malformed"),
    ]
}

fn bad_signers(bench: &Bench) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let line = &bench.line;
    let (reporter, no_catalogue) =
        line.node_with("2", [super::Action::Report].into_iter().collect(), &stamp("g2"));
    let mut old = stamp("g3");
    old.validity = Validity {
        not_before: NOW.plus_millis(-2 * DAY_MILLIS),
        not_after: NOW.plus_millis(-DAY_MILLIS),
    };
    let (late, expired) = line.node_with("3", Actions::all(), &old);
    let mut new = stamp("g4");
    new.validity.not_before = NOW.plus_millis(DAY_MILLIS);
    let (early, not_yet) = line.node_with("4", Actions::all(), &new);
    let (writer, writers) = line.writer("health", &["case"]);
    let (thief, revoked) = bench.revoked_chain();
    let (stranger, strangers) = line_in("other.example", "it/03/016").node("1");
    let thief_of_name = key("thief");
    let by_thief = {
        let leaf = bench.chain.leaf_digest();
        let statement = bench.statement(release());
        let payload = cbor::to_vec(&statement);
        let (issuer, at) = (&statement.issuer, statement.issued_at);
        Envelope::sign(STATEMENT_TYPE, payload, issuer, at, &thief_of_name, leaf)
            .with_chain(&bench.chain)
            .to_bytes()
    };
    vec![
        ("bad_not_entitled", bench.under(&reporter, &no_catalogue, catalogue()), "NotEntitled"),
        ("bad_expired", bench.under(&late, &expired, release()), "Chain(Expired"),
        ("bad_not_yet_valid", bench.under(&early, &not_yet, release()), "Chain(NotYetValid"),
        ("bad_revoked", bench.under(&thief, &revoked, release()), "Chain(Revoked"),
        ("bad_writer", bench.under(&writer, &writers, request()), "WrongRole"),
        (
            "bad_other_federation_s_chain",
            bench.under(&stranger, &strangers, release()),
            "Chain(WrongFederation",
        ),
        ("bad_key", by_thief, "KeyId"),
        ("bad_out_of_area", by_neighbour(bench), "Chain(OutOfArea"),
        ("bad_superior_s_node", by_superior(bench), "Chain(WrongIssuerUnit"),
    ]
}

/// A node of `it/03/016` certified by the authority of `it/04`.
fn by_neighbour(bench: &Bench) -> Vec<u8> {
    forged_by(bench, &line("it/04"))
}

/// A node of `it/03/016` certified by the authority of `it/03`.
fn by_superior(bench: &Bench) -> Vec<u8> {
    forged_by(bench, &line("it/03"))
}

fn forged_by(bench: &Bench, line: &Line) -> Vec<u8> {
    let chain = reissued_by(line, bench.chain.leaf());
    bench.under(&bench.node, &chain, release())
}

/// Every file of the folder with its content.
fn files(bench: &Bench) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::from([
        ("roots.cbor".to_owned(), bench.line.roots.encode()),
        ("roots.pem".to_owned(), bench.line.roots.to_pem().into_bytes()),
        ("revoked.crl.pem".to_owned(), bench.list().to_pem().into_bytes()),
    ]);
    files.extend(good(bench).into_iter().map(|(name, bytes)| (format!("{name}.cbor"), bytes)));
    files.extend(bad(bench).into_iter().map(|(name, bytes, _)| (format!("{name}.cbor"), bytes)));
    files
}

fn judge(verifier: &Verifier, bytes: &[u8]) -> Result<Digest, VerifyError> {
    Signed::decode(bytes)?.verify(verifier, NOW).map(|verified| verified.digest())
}

/// A verifier from the files alone, as an auditor has it.
fn verifier_from_files() -> Verifier {
    let read = |name: &str| std::fs::read(folder().join(name)).unwrap();
    let roots = RootList::decode(&read("roots.cbor")).unwrap();
    let list = Crl::from_pem(&String::from_utf8(read("revoked.crl.pem")).unwrap()).unwrap();
    let issuer = key(&format!("016.03.it.{DOMAIN}")).public();
    let mut lists = CrlSet::default();
    lists.insert(list, &issuer).unwrap();
    Verifier::new(roots, lists)
}

#[test]
fn vectors_are_what_they_were() {
    let made = files(&Bench::new());
    if std::env::var_os("REEVE_BLESS").is_some() {
        std::fs::create_dir_all(folder()).unwrap();
        for (name, bytes) in &made {
            std::fs::write(folder().join(name), bytes).unwrap();
        }
    }
    for (name, bytes) in &made {
        let held = std::fs::read(folder().join(name)).unwrap_or_default();
        assert!(held == *bytes, "{name} differs from what is made now: did the format change?");
    }
    // Its folder `bundles` is made and judged by the simulator's tests.
    let held = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap());
    let files = held.filter(|entry| entry.file_type().unwrap().is_file());
    let names = files.map(|entry| entry.file_name().into_string().unwrap());
    let unknown: Vec<_> = names.filter(|name| !made.contains_key(name)).collect();
    assert!(unknown.is_empty(), "files that nothing makes: {unknown:?}");
}

#[test]
fn good_vectors_verify() {
    let verifier = verifier_from_files();
    for (name, _) in good(&Bench::new()) {
        let bytes = std::fs::read(folder().join(format!("{name}.cbor"))).unwrap();
        judge(&verifier, &bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn bad_vectors_are_refused_for_their_own_reason() {
    let verifier = verifier_from_files();
    for (name, _, expected) in bad(&Bench::new()) {
        let bytes = std::fs::read(folder().join(format!("{name}.cbor"))).unwrap();
        let Err(error) = judge(&verifier, &bytes) else { panic!("{name} was accepted") };
        let shown = format!("{error:?}");
        assert!(shown.starts_with(expected), "{name}: expected {expected}, found {shown}");
    }
}

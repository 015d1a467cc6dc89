//! The real `openssl` on what this module makes: it must accept the good and refuse the bad.
//!
//! Where there is no openssl, each test says loudly that it was skipped.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::testing::{DAY_MILLIS, Line, NOW, forge, key, line, with_authority_key};
use super::{CertificateRequest, Chain, Claims, Issuer, Reason, Revocation, verify_chain};
use crate::key::file;

/// A folder with files for one call of openssl.
struct Bench(TempDir);

impl Bench {
    /// None, said loudly, when there is no openssl.
    fn new(test: &str) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("SKIPPED {test}: no `openssl` on this machine, nothing was compared with it");
            return None;
        }
        Some(Self(tempfile::tempdir().unwrap()))
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path: PathBuf = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Whether openssl succeeded, and all it printed.
    fn openssl(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new("openssl").args(arguments).output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
    }

    /// The command line of docs/operate.md, at the moment of the tests.
    fn verify(&self, line: &Line, chain: &Chain, more: &[&str]) -> (bool, String) {
        let root = self.file("root.pem", &line.roots.to_pem());
        let authorities = self.file("authorities.pem", &chain.authorities_pem());
        let leaf = self.file("leaf.pem", &chain.leaf().to_pem());
        let at = NOW.as_seconds().to_string();
        let mut arguments = vec!["verify", "-x509_strict", "-attime", &at, "-CAfile", &root];
        if !chain.authorities().is_empty() {
            arguments.extend(["-untrusted", &authorities]);
        }
        arguments.extend(more);
        arguments.push(&leaf);
        self.openssl(&arguments)
    }
}

fn lists(line: &Line, revoked: &BTreeMap<super::Serial, Revocation>) -> String {
    let next = NOW.plus_millis(DAY_MILLIS);
    let lowest = line.authorities.len() - 1;
    let list = |(index, (key, certificate))| {
        let issuer: Issuer<'_> = Issuer::new(certificate, key).unwrap();
        let none = BTreeMap::new();
        let revoked = if index == lowest { revoked } else { &none };
        issuer.crl(1, NOW.plus_millis(-DAY_MILLIS), next, revoked).unwrap().to_pem()
    };
    line.authorities
        .iter()
        .map(|(key, certificate)| (key, certificate))
        .enumerate()
        .map(list)
        .collect()
}

#[test]
fn openssl_accepts_good_chains_strictly() {
    let Some(bench) = Bench::new("good chains") else { return };
    for path in ["it", "it/03/016", "a/b/c/d/e/f/g/h", "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p"] {
        let line = line(path);
        let (accepted, printed) = bench.verify(&line, &line.node("1").1, &[]);
        assert!(accepted, "{path}: {printed}");
        let (accepted, printed) = bench.verify(&line, &line.writer("health", &["case"]).1, &[]);
        assert!(accepted, "{path}: {printed}");
        let (accepted, printed) =
            bench.verify(&line, &line.node("1").1, &["-purpose", "sslclient"]);
        assert!(accepted, "{path}: {printed}");
    }
}

#[test]
fn openssl_refuses_a_certificate_for_another_area_as_we_do() {
    let Some(bench) = Bench::new("name constraint") else { return };
    let (own, other) = (line("it/03"), line("it/04"));
    let (signer, issuer) = own.authorities.last().unwrap();
    let forged =
        forge(issuer, signer, other.node("1").1.leaf(), |it| with_authority_key(it, issuer));
    let chain = own.with_leaf(super::Certificate::from_der(&forged).unwrap());
    let (accepted, printed) = bench.verify(&own, &chain, &[]);
    assert!(!accepted && printed.contains("permitted subtree violation"), "{printed}");
    assert!(verify_chain(&chain, &own.roots, &super::CrlSet::default(), NOW).is_err());
}

#[test]
fn openssl_reads_our_revocation_lists() {
    let Some(bench) = Bench::new("revocation lists") else { return };
    let line = line("it/03/016");
    let (_, chain) = line.node("1");
    let none = bench.file("none.pem", &lists(&line, &BTreeMap::new()));
    let check = ["-crl_check_all", "-CRLfile", &none];
    let (accepted, printed) = bench.verify(&line, &chain, &check);
    assert!(accepted, "{printed}");
    let revocation = Revocation { at: NOW, reason: Reason::KeyCompromise, since: None };
    let revoked = BTreeMap::from([(chain.leaf().serial().clone(), revocation)]);
    let one = bench.file("one.pem", &lists(&line, &revoked));
    let (accepted, printed) = bench.verify(&line, &chain, &["-crl_check_all", "-CRLfile", &one]);
    assert!(!accepted && printed.contains("certificate revoked"), "{printed}");
    let since = Some(NOW.plus_millis(-3_600_000));
    let revoked =
        BTreeMap::from([(chain.leaf().serial().clone(), Revocation { since, ..revocation })]);
    let list = line.issuer().crl(2, NOW, NOW.plus_millis(DAY_MILLIS), &revoked).unwrap();
    let dated = bench.file("dated.pem", &list.to_pem());
    let (_, printed) = bench.openssl(&["crl", "-in", &dated, "-noout", "-text"]);
    assert!(printed.contains("Invalidity Date"), "{printed}");
}

#[test]
fn openssl_shows_what_a_person_looks_for() {
    let Some(bench) = Bench::new("certificate text") else { return };
    let leaf = bench.file("leaf.pem", &line("it/03/016").node("1").1.leaf().to_pem());
    let (_, printed) = bench.openssl(&["x509", "-in", &leaf, "-noout", "-text"]);
    for expected in
        ["CN = 016 node 1", "DNS:016.03.it.reeve.example", "ED25519", "1.3.6.1.4.1.32473.1.2.1"]
    {
        assert!(printed.contains(expected), "{expected} not in {printed}");
    }
}

#[test]
fn openssl_checks_our_applications() {
    let Some(bench) = Bench::new("applications") else { return };
    let claims = Claims::authority("it/03/016".parse().unwrap(), "municipality");
    let request = CertificateRequest::create(&key("016"), &claims).unwrap();
    let request = bench.file("request.pem", &request.to_pem());
    let (accepted, printed) = bench.openssl(&["req", "-in", &request, "-verify", "-noout"]);
    assert!(accepted && printed.to_lowercase().contains("verify ok"), "{printed}");
}

#[test]
fn openssl_opens_our_key_files() {
    let Some(bench) = Bench::new("key files") else { return };
    let secret = key("authority");
    let plain = bench.file("plain.pem", &file::to_pem(&secret).unwrap());
    let nonce = file::FileNonce { salt: [1; 16], iv: [2; 16] };
    let encrypted = file::to_encrypted_pem(&secret, b"correct horse", &nonce).unwrap();
    let encrypted = bench.file("encrypted.pem", &encrypted);
    let public = |arguments: &[&str]| {
        let all = [["pkey", "-in"].as_slice(), arguments, &["-noout", "-text"]].concat();
        bench.openssl(&all)
    };
    let expected = hex::encode(secret.public().to_bytes());
    for arguments in [vec![plain.as_str()], vec![&encrypted, "-passin", "pass:correct horse"]] {
        let (opened, printed) = public(&arguments);
        let digits: String = printed.chars().filter(char::is_ascii_hexdigit).collect();
        assert!(opened && digits.contains(&expected), "{printed}");
    }
    assert!(!public(&[&encrypted, "-passin", "pass:wrong"]).0);
}

#[test]
fn we_read_what_openssl_encrypts() {
    let Some(bench) = Bench::new("openssl's key files") else { return };
    let secret = key("authority");
    let plain = bench.file("plain.pem", &file::to_pem(&secret).unwrap());
    for more in [vec!["-scrypt"], vec!["-v2", "aes-256-cbc"]] {
        let mut arguments = vec!["pkcs8", "-topk8", "-in", &plain, "-passout", "pass:x y"];
        arguments.extend(more);
        let (made, text) = bench.openssl(&arguments);
        assert!(made, "{text}");
        let opened = file::from_encrypted_pem(&text, b"x y").unwrap();
        assert_eq!(opened.public(), secret.public());
    }
}

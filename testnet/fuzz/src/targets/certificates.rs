//! Certificates, chains, revocation lists, root lists, applications and key files.

use std::sync::OnceLock;

use reeve_statement::cert::claims::Claims;
use reeve_statement::cert::{
    Certificate, CertificateRequest, Chain, Crl, CrlSet, RootList, issuer_of_list, verify_chain,
};
use reeve_statement::key::file::{self, Cost, FileNonce};

use super::text;
use crate::house::{DAY_MS, House, NOW, house, key, path};

/// Every key that the house certified.
fn known_keys() -> &'static [[u8; 32]] {
    static KEYS: OnceLock<Vec<[u8; 32]>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let names = ["authority it", "authority it/03", "authority it/03/016"];
        let leaves = ["node it/03/016 1", "node it/03 1", "node it 1", "writer it/03/016 health"];
        names.iter().chain(&leaves).map(|name| key(name).public().to_bytes()).collect()
    })
}

/// A chain in CBOR or PEM: one encoding, and believed only for a key that was certified.
pub fn chain(bytes: &[u8]) {
    if let Ok(chain) = Chain::from_cbor(bytes) {
        assert_eq!(chain.to_cbor(), bytes, "a second encoding of a chain");
        judge(&chain);
    }
    if let Some(chain) = text(bytes).and_then(|text| Chain::from_pem(text).ok()) {
        let again = Chain::from_pem(&chain.to_pem()).expect("what we print parses");
        assert_eq!(again, chain);
        judge(&chain);
    }
    if let Ok(certificate) = Certificate::from_der(bytes) {
        assert_eq!(certificate.der(), bytes);
        let again = Certificate::from_pem(&certificate.to_pem()).expect("what we print parses");
        assert_eq!(again, certificate);
        // As a leaf below the house's authorities: neighbours, superiors and strangers are refused.
        for unit in ["it", "it/03", "it/03/016"] {
            let above = house().above(&path(unit));
            judge(&Chain::new(certificate.clone(), above).unwrap());
        }
    }
}

fn judge(chain: &Chain) {
    for at in [NOW, NOW.plus_millis(-400 * DAY_MS), NOW.plus_millis(400 * DAY_MS)] {
        let verified = verify_chain(chain, &house().roots, &CrlSet::default(), at);
        if let Ok(verified) = verified {
            assert_eq!(at, NOW, "valid out of its time");
            let key = verified.key().to_bytes();
            assert!(known_keys().contains(&key), "a key that nobody certified");
            assert_eq!(verified.unit(), &chain.leaf().claims().unwrap().unit);
        }
    }
}

/// Seeds of [`chain`].
pub fn chain_seeds() -> Vec<Vec<u8>> {
    let unit = path("it/03/016");
    let node = house().node(&unit, "1", Some(1)).1;
    let writer = house().writer(&unit, "health", &["case"]).1;
    let higher = house().node(&path("it/03"), "1", None).1;
    let chains = [&node, &writer, &higher, &house().authority_chain(&unit)];
    let mut seeds: Vec<Vec<u8>> = chains.iter().map(|chain| chain.to_cbor()).collect();
    seeds.push(node.to_pem().into_bytes());
    seeds.push(node.leaf().der().to_vec());
    seeds.push(writer.leaf().der().to_vec());
    seeds.push(house().authority(&unit).der().to_vec());
    seeds
}

/// Revocation lists, root lists, applications: one encoding, and only the issuer's own signature counts.
pub fn lists(bytes: &[u8]) {
    if let Ok(list) = Crl::from_der(bytes) {
        assert_eq!(list.der(), bytes);
        let again = Crl::from_pem(&list.to_pem()).expect("what we print parses");
        assert_eq!(again.der(), bytes);
        insert(&list);
    }
    if let Some(list) = text(bytes).and_then(|text| Crl::from_pem(text).ok()) {
        insert(&list);
    }
    if let Ok(roots) = RootList::decode(bytes) {
        assert_eq!(roots.encode(), bytes, "a second encoding of a root list");
        let genesis = &house().roots;
        if genesis.accept(&roots).is_ok() {
            let successor = successor(house());
            assert_eq!(roots.encode(), successor.encode(), "a root list that nobody signed");
        }
    }
    let requests = [
        CertificateRequest::from_der(bytes).ok(),
        text(bytes).and_then(|text| CertificateRequest::from_pem(text).ok()),
    ];
    for request in requests.into_iter().flatten() {
        let again = CertificateRequest::from_pem(&request.to_pem()).expect("what we print parses");
        assert_eq!(again.der(), request.der());
        // An application is signed by the key that it is for.
        assert_eq!(request.key(), &key("applicant").public(), "an application without its key");
    }
}

fn insert(list: &Crl) {
    let mut lists = CrlSet::default();
    for unit in ["it", "it/03", "it/03/016"] {
        let unit = path(unit);
        let issuer = house().authority(&unit);
        if lists.insert(list.clone(), issuer.key()).is_ok() {
            let own = house().list(&unit, &format!("node {unit} 1"), list.number());
            assert_eq!(list.der(), own, "a list that nobody signed");
        }
        let chain = house().authority_chain(&unit);
        let _ = issuer_of_list(list, Some(&chain), &house().roots, &lists, NOW);
    }
    let _ = verify_chain(&house().node(&path("it"), "1", None).1, &house().roots, &lists, NOW);
}

fn successor(house: &House) -> RootList {
    house.roots.successor(house.roots.roots(), &key("root")).unwrap()
}

/// Seeds of [`lists`].
pub fn list_seeds() -> Vec<Vec<u8>> {
    let unit = path("it/03/016");
    let list = house().list(&unit, "node it/03/016 1", 1);
    let claims = Claims::node(unit.clone(), "level", Some(1));
    let request = CertificateRequest::create(&key("applicant"), &claims).unwrap();
    let kinds = vec!["case".parse().unwrap()];
    let writer = Claims::writer(unit, "level", kinds);
    let writer = CertificateRequest::create(&key("applicant"), &writer).unwrap();
    vec![
        Crl::from_der(&list).unwrap().to_pem().into_bytes(),
        list,
        house().roots.encode(),
        successor(house()).encode(),
        request.der().to_vec(),
        writer.to_pem().into_bytes(),
    ]
}

/// Most iterations that a hostile key file may cost a person: see [`Cost`].
pub fn key_file(bytes: &[u8]) {
    if let Ok(key) = file::from_der(bytes) {
        let der = file::to_der(&key).expect("a key is written");
        assert_eq!(file::from_der(&der).unwrap().public(), key.public());
    }
    let Some(text) = text(bytes) else { return };
    let _ = file::kind(text);
    let _ = file::from_pem(text);
    let _ = file::from_encrypted_pem(text, b"passphrase");
}

/// Seeds of [`key_file`].
pub fn key_file_seeds() -> Vec<Vec<u8>> {
    let secret = key("a file");
    let nonce = FileNonce { salt: [1; 16], iv: [2; 16] };
    let encrypted = file::to_encrypted_pem_at(&secret, b"passphrase", &nonce, Cost::NONE).unwrap();
    vec![
        file::to_der(&secret).unwrap().to_vec(),
        file::to_pem(&secret).unwrap().as_bytes().to_vec(),
        encrypted.as_bytes().to_vec(),
    ]
}

//! Good chains of every length, and each way a chain can be bad with its own refusal.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::str::FromStr as _;

use x509_cert::name::Name;

use super::*;
use crate::cert::testing::{
    DAY_MILLIS, DOMAIN, Line, NOW, forge, key, line, line_in, replace, stamp, with_authority_key,
};
use crate::cert::{
    Action, Actions, AuthorityGrant, Claims, Issuer, NodeGrant, Reason, Revocation, StaleRule,
    build,
};
use crate::cert::{CertificateError, Crl};

fn check(line: &Line, chain: &Chain) -> Result<VerifiedChain, ChainError> {
    verify_chain(chain, &line.roots, &CrlSet::default(), NOW)
}

#[test]
fn a_good_chain_says_who_and_what() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let verified = check(&line, &chain).unwrap();
    assert_eq!(verified.unit().to_string(), "it/03/016");
    assert_eq!(verified.role(), Role::Node);
    assert_eq!(verified.key(), &secret.public());
    assert!(verified.actions().contains(Action::Report));
    assert!(!verified.actions().contains(Action::Declare));
    assert_eq!(verified.term(), Some(1));
    assert_eq!(verified.leaf_digest(), chain.leaf_digest());
    assert_eq!(chain.leaf().dns_name(), "016.03.it.reeve.example");
    assert_eq!(chain.leaf().subject(), "CN=016 node 1,O=reeve.example");
    assert_eq!(verified.federation(), line.roots.federation());
}

#[test]
fn every_length_up_to_sixteen_levels_holds() {
    let mut path = "a0".to_owned();
    for depth in 1..=16 {
        let line = line(&path);
        let (_, chain) = line.node("1");
        assert_eq!(check(&line, &chain).unwrap().unit().depth(), depth);
        path = format!("{path}/a{depth}");
    }
}

#[test]
fn a_writer_carries_its_kinds() {
    let line = line("it/03");
    let (_, chain) = line.writer("health", &["stock", "case"]);
    let verified = check(&line, &chain).unwrap();
    assert_eq!(verified.role(), Role::Writer);
    let kinds: Vec<_> = verified.writable_kinds().iter().map(KindId::as_str).collect();
    assert_eq!(kinds, ["case", "stock"]);
}

#[test]
fn an_authority_verifies_for_its_own_lists() {
    let line = line("it/03");
    let mut above = line.above();
    let leaf = above.remove(0);
    let verified = check(&line, &Chain::new(leaf, above).unwrap()).unwrap();
    assert_eq!(verified.role(), Role::Authority);
}

#[test]
fn chains_travel_as_cbor_and_pem() {
    let (_, chain) = line("it/03/016").node("1");
    assert_eq!(Chain::from_cbor(&chain.to_cbor()).unwrap(), chain);
    assert_eq!(Chain::from_pem(&chain.to_pem()).unwrap(), chain);
    let mut longer = chain.to_cbor();
    longer.push(0);
    assert_eq!(Chain::from_cbor(&longer), Err(ChainError::Cbor));
}

#[test]
fn sizes_are_checked_before_parsing() {
    let one = vec![0u8; 10];
    let error = Chain::from_ders(&vec![one; 18]).unwrap_err();
    assert_eq!(error, ChainError::TooLong { found: 18, allowed: 17 });
    let error = Chain::from_ders(&[vec![0x30; 4097]]).unwrap_err();
    assert!(matches!(
        error,
        ChainError::Malformed { position: 0, error: CertificateError::TooLong { found: 4097 } }
    ));
    assert_eq!(Chain::from_ders::<Vec<u8>>(&[]), Err(ChainError::Empty));
}

#[test]
fn time_has_two_ends() {
    let line = line("it/03");
    let (_, chain) = line.node("1");
    let validity = chain.leaf().validity();
    let at = |moment| verify_chain(&chain, &line.roots, &CrlSet::default(), moment);
    assert!(at(validity.not_before).is_ok());
    assert!(matches!(at(validity.not_before.plus_millis(-1)), Err(ChainError::NotYetValid { .. })));
    assert!(at(validity.not_after.plus_millis(999)).is_ok());
    let error = at(validity.end()).unwrap_err();
    assert!(matches!(error, ChainError::Expired { .. }), "{error}");
    assert_eq!(at(NOW).unwrap().valid_until(), validity.end());
}

#[test]
fn another_federation_is_named() {
    let (_, chain) = line("it/03").node("1");
    let other = line_in("other.example", "it/03");
    let error = check(&other, &chain).unwrap_err();
    assert!(matches!(error, ChainError::WrongFederation { .. }), "{error}");
}

#[test]
fn a_superior_cannot_make_a_node_of_its_subordinate() {
    let parent = line("it/03");
    let child = line("it/03/016");
    let (_, genuine) = child.node("1");
    let (signer, issuer) = parent.authorities.last().unwrap();
    let forged = forge(issuer, signer, genuine.leaf(), |leaf| with_authority_key(leaf, issuer));
    let chain = parent.with_leaf(Certificate::from_der(&forged).unwrap());
    let error = check(&parent, &chain).unwrap_err();
    assert!(matches!(&error, ChainError::WrongIssuerUnit { role: Role::Node, .. }), "{error}");
    assert!(error.to_string().contains("of the identical unit"), "{error}");
}

#[test]
fn a_level_cannot_be_skipped() {
    let parent = line("it");
    let (_, genuine) = line("it/03").subordinate("016", |_| {});
    let (signer, issuer) = parent.authorities.last().unwrap();
    let forged = forge(issuer, signer, &genuine, |it| with_authority_key(it, issuer));
    let chain = parent.with_leaf(Certificate::from_der(&forged).unwrap());
    let error = check(&parent, &chain).unwrap_err();
    assert!(matches!(error, ChainError::WrongIssuerUnit { role: Role::Authority, .. }), "{error}");
}

#[test]
fn an_area_cannot_be_left() {
    let (own, other) = (line("it/03"), line("it/04"));
    let (_, genuine) = other.node("1");
    let (signer, issuer) = own.authorities.last().unwrap();
    let forged = forge(issuer, signer, genuine.leaf(), |leaf| with_authority_key(leaf, issuer));
    let chain = own.with_leaf(Certificate::from_der(&forged).unwrap());
    let error = check(&own, &chain).unwrap_err();
    let expected = ChainError::OutOfArea {
        name: "04.it.reeve.example".to_owned(),
        permitted: "03.it.reeve.example".to_owned(),
    };
    assert_eq!(error, expected);
}

#[test]
fn a_sibling_with_the_same_ending_is_out_of_area() {
    let own = line("cn/3001");
    let (_, genuine) = line("cn/44-3001").node("1");
    let (signer, issuer) = own.authorities.last().unwrap();
    let forged = forge(issuer, signer, genuine.leaf(), |leaf| with_authority_key(leaf, issuer));
    let chain = own.with_leaf(Certificate::from_der(&forged).unwrap());
    assert!(matches!(check(&own, &chain), Err(ChainError::OutOfArea { .. })));
}

#[test]
fn a_node_cannot_issue() {
    let line = line("it/03");
    let (node_key, chain) = line.node("1");
    assert!(Issuer::new(chain.leaf(), &node_key).is_err());
    let forged = forge(chain.leaf(), &node_key, chain.leaf(), |leaf| {
        with_authority_key(leaf, chain.leaf());
    });
    let mut above = vec![chain.leaf().clone()];
    above.extend(line.above());
    let chain = Chain::new(Certificate::from_der(&forged).unwrap(), above).unwrap();
    assert!(matches!(check(&line, &chain), Err(ChainError::WrongIssuer { .. })));
}

#[test]
fn path_lengths_bind() {
    let mut line = line("it");
    let low = line.subordinate("03", |grant| grant.levels_below = 0);
    line.authorities.push(low);
    let grant = AuthorityGrant {
        unit: "016".parse().unwrap(),
        level: "x".to_owned(),
        key: key("016").public(),
        actions: Actions::all(),
        levels_below: 0,
    };
    assert!(line.issuer().authority(&grant, &stamp("016")).is_err());
    let (_, template) = crate::cert::testing::line("it/03").subordinate("016", |_| {});
    let (signer, issuer) = line.authorities.last().unwrap();
    let forged = forge(issuer, signer, &template, |_| {});
    let forged = Certificate::from_der(&forged).unwrap();
    let chain = Chain::new(forged, line.above()).unwrap();
    assert!(matches!(check(&line, &chain), Err(ChainError::TooDeep { .. })));
}

#[test]
fn a_missing_or_shuffled_authority_is_seen() {
    let line = line("it/03/016");
    let (_, chain) = line.node("1");
    let mut above = line.above();
    above.remove(1);
    let gap = Chain::new(chain.leaf().clone(), above).unwrap();
    assert!(matches!(check(&line, &gap), Err(ChainError::WrongIssuer { .. })));
    let mut above = line.above();
    above.swap(0, 1);
    let shuffled = Chain::new(chain.leaf().clone(), above).unwrap();
    assert!(matches!(check(&line, &shuffled), Err(ChainError::WrongIssuer { .. })));
    let mut above = line.above();
    above.push(line.authorities[0].1.clone());
    let with_root = Chain::new(chain.leaf().clone(), above).unwrap();
    assert!(matches!(check(&line, &with_root), Err(ChainError::RootInChain { .. })));
}

#[test]
fn actions_narrow_down_the_chain() {
    let mut line = line("it");
    let only_report: Actions = [Action::Report].into_iter().collect();
    let low = line.subordinate("03", |grant| grant.actions = only_report.clone());
    line.authorities.push(low);
    let (_, chain) = line.node_with("1", Actions::all(), &stamp("n"));
    assert_eq!(check(&line, &chain).unwrap().actions(), &only_report);
}

#[test]
fn a_signature_by_another_key_is_refused() {
    let line = line("it/03");
    let (_, chain) = line.node("1");
    let issuer = &line.authorities.last().unwrap().1;
    let forged = forge(issuer, &key("thief"), chain.leaf(), |_| {});
    let chain = line.with_leaf(Certificate::from_der(&forged).unwrap());
    assert!(matches!(check(&line, &chain), Err(ChainError::BadSignature { .. })));
}

#[test]
fn every_flipped_bit_of_a_leaf_is_refused() {
    let line = line("it/03");
    let (_, chain) = line.node("1");
    let der = chain.leaf().der();
    for bit in 0..der.len() * 8 {
        let mut flipped = der.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let Ok(leaf) = Certificate::from_der(&flipped) else { continue };
        assert!(check(&line, &line.with_leaf(leaf)).is_err(), "bit {bit}");
    }
}

#[test]
fn weak_keys_are_refused() {
    let line = line("it/03");
    let (_, chain) = line.node("1");
    let (signer, issuer) = line.authorities.last().unwrap();
    let forged = forge(issuer, signer, chain.leaf(), |leaf| {
        leaf.key.subject_public_key = der::asn1::BitString::from_bytes(&[0; 32]).unwrap();
    });
    let ders = [forged.as_slice(), issuer.der()];
    let error = Chain::from_ders(&ders).unwrap_err();
    assert!(matches!(error, ChainError::WeakKey { position: 0, .. }), "{error}");
}

#[test]
fn names_must_be_one_plain_dns_name_that_agrees_with_the_claims() {
    let line = line("it/03");
    let (_, chain) = line.node("1");
    let (signer, issuer) = line.authorities.last().unwrap();
    let oid = <x509_cert::ext::pkix::SubjectAltName as der::oid::AssociatedOid>::OID;
    for name in ["*.03.it.reeve.example", "03.IT.reeve.example", "x..reeve.example", ""] {
        let forged = forge(issuer, signer, chain.leaf(), |leaf| {
            let name = build::alternative_name(name).unwrap();
            replace(leaf, build::extension(oid, false, &name).unwrap());
        });
        assert_eq!(Certificate::from_der(&forged), Err(CertificateError::Name), "{name}");
    }
    let forged = forge(issuer, signer, chain.leaf(), |leaf| {
        let name = build::alternative_name("016.03.it.reeve.example").unwrap();
        replace(leaf, build::extension(oid, false, &name).unwrap());
    });
    let error = Certificate::from_der(&forged).unwrap_err();
    assert!(matches!(error, CertificateError::NameDiffers { .. }), "{error}");
    let forged = forge(issuer, signer, chain.leaf(), |leaf| {
        let mut names = build::alternative_name("03.it.reeve.example").unwrap();
        names.0.push(build::dns("04.it.reeve.example").unwrap());
        replace(leaf, build::extension(oid, false, &names).unwrap());
    });
    assert_eq!(Certificate::from_der(&forged), Err(CertificateError::Name));
}

#[test]
fn a_certificate_without_claims_or_with_unknown_critical_parts_is_refused() {
    let line = line("it/03");
    let (_, chain) = line.node("1");
    let (signer, issuer) = line.authorities.last().unwrap();
    let forged = forge(issuer, signer, chain.leaf(), |leaf| {
        let extensions = leaf.extensions.as_mut().unwrap();
        extensions.retain(|it| it.extn_id != crate::cert::claims::CLAIMS_OID);
    });
    assert!(matches!(Certificate::from_der(&forged), Err(CertificateError::Profile(_))));
    let forged = forge(issuer, signer, chain.leaf(), |leaf| {
        let oid = der::asn1::ObjectIdentifier::new_unwrap("1.2.3.4");
        let value = der::asn1::OctetString::new(vec![1]).unwrap();
        replace(leaf, build::extension(oid, true, &value).unwrap());
    });
    assert!(matches!(
        Certificate::from_der(&forged),
        Err(CertificateError::UnknownCritical { .. })
    ));
}

#[test]
fn a_look_alike_root_is_another_federation() {
    let line = line("it/03");
    let thief = key("thief");
    let (_, chain) = line.node("1");
    let top = &line.authorities[1].1;
    let forged = forge(&line.authorities[0].1, &thief, top, |_| {});
    let forged = Certificate::from_der(&forged).unwrap();
    let mut above = line.above();
    *above.last_mut().unwrap() = forged;
    let chain = Chain::new(chain.leaf().clone(), above).unwrap();
    assert!(matches!(check(&line, &chain), Err(ChainError::BadSignature { .. })));
    assert!(Name::from_str(&format!("CN={DOMAIN} root")).is_ok());
}

#[test]
fn revoked_certificates_are_refused_with_reason_and_date() {
    let line = line("it/03");
    let (_, chain) = line.node("1");
    let serial = chain.leaf().serial().clone();
    let revocation = Revocation { at: NOW, reason: Reason::KeyCompromise, since: None };
    let revoked = BTreeMap::from([(serial.clone(), revocation)]);
    let next = NOW.plus_millis(DAY_MILLIS);
    let list = line.issuer().crl(2, NOW, next, &revoked).unwrap();
    let issuer = *line.issuer().certificate().key();
    let mut lists = CrlSet::default();
    assert!(lists.insert(list.clone(), &issuer).unwrap());
    assert!(!lists.insert(list, &issuer).unwrap());
    let error = verify_chain(&chain, &line.roots, &lists, NOW).unwrap_err();
    let expected = ChainError::Revoked {
        subject: "CN=03 node 1,O=reeve.example".to_owned(),
        serial,
        reason: Reason::KeyCompromise,
        at: NOW,
    };
    assert_eq!(error, expected);
    let (_, other) = line.node("2");
    verify_chain(&other, &line.roots, &lists, NOW).unwrap();
}

#[test]
fn lists_degrade_by_the_declared_bound() {
    let line = line("it/03");
    let (_, chain) = line.node("1");
    let issuer = *line.issuer().certificate().key();
    let next = NOW.plus_millis(DAY_MILLIS);
    let rule = StaleRule { overdue_millis: 2 * DAY_MILLIS, require_lists: false };
    let mut lists = CrlSet::new(rule);
    lists.insert(line.issuer().crl(1, NOW, next, &BTreeMap::new()).unwrap(), &issuer).unwrap();
    let at = |moment| verify_chain(&chain, &line.roots, &lists, moment);
    let end = NOW.plus_millis(3 * DAY_MILLIS);
    assert_eq!(at(NOW).unwrap().valid_until(), end);
    assert!(at(end.plus_millis(-1)).is_ok());
    assert!(matches!(at(end), Err(ChainError::StaleList { .. })));
    let strict = CrlSet::new(StaleRule { overdue_millis: 0, require_lists: true });
    let error = verify_chain(&chain, &line.roots, &strict, NOW).unwrap_err();
    assert!(matches!(error, ChainError::NoList { .. }));
}

#[test]
fn lists_only_move_forward_and_only_by_their_issuer() {
    let line = line("it/03");
    let issuer = *line.issuer().certificate().key();
    let next = NOW.plus_millis(DAY_MILLIS);
    let list = |number, revoked| line.issuer().crl(number, NOW, next, &revoked).unwrap();
    let mut lists = CrlSet::default();
    lists.insert(list(2, BTreeMap::new()), &issuer).unwrap();
    let error = lists.insert(list(1, BTreeMap::new()), &issuer).unwrap_err();
    assert_eq!(error, crate::cert::CrlError::Older { held: 2, found: 1 });
    let revocation = Revocation { at: NOW, reason: Reason::Unspecified, since: None };
    let other = BTreeMap::from([(stamp("x").serial, revocation)]);
    let error = lists.insert(list(2, other), &issuer).unwrap_err();
    assert!(matches!(error, crate::cert::CrlError::Equivocation { .. }));
    let thief = key("thief").public();
    let error = lists.insert(list(3, BTreeMap::new()), &thief).unwrap_err();
    assert!(matches!(error, crate::cert::CrlError::OtherIssuer { .. }));
}

#[test]
fn roots_issue_authorities_only() {
    let line = line("it");
    let (root_key, root) = &line.authorities[0];
    let grant = NodeGrant {
        label: "1".to_owned(),
        key: key("n").public(),
        actions: Actions::none(),
        term: None,
    };
    assert!(Issuer::new(root, root_key).unwrap().node(&grant, &stamp("n")).is_err());
    assert!(Issuer::new(root, &key("other")).is_err());
}

#[test]
fn a_root_list_is_succeeded_by_its_own_roots_only() {
    use crate::cert::{Domain, RootList, RootListError, issue_root};
    let line = line("it");
    let domain = Domain::new(DOMAIN).unwrap();
    let new_root = issue_root(&domain, &key("second root"), &stamp("second root")).unwrap();
    let both = [line.authorities[0].1.clone(), new_root.clone()];
    let next = line.roots.successor(&both, &line.root_key).unwrap();
    assert_eq!(next.federation(), line.roots.federation());
    assert_eq!(RootList::decode(&next.encode()).unwrap(), next);
    line.roots.accept(&next).unwrap();
    let third = next.successor(&[new_root], &key("second root")).unwrap();
    assert_eq!(third.federation(), line.roots.federation());
    assert!(matches!(line.roots.accept(&third), Err(RootListError::Number { .. })));
    assert_eq!(line.roots.successor(&both, &key("thief")), Err(RootListError::Unsigned));
    let mut bytes = next.encode();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let altered = RootList::decode(&bytes).unwrap();
    assert_eq!(line.roots.accept(&altered), Err(RootListError::Unsigned));
}

#[test]
fn applications_prove_possession() {
    use crate::cert::{CertificateRequest, RequestError};
    let claims = Claims::authority("it/03/016".parse().unwrap(), "municipality");
    let request = CertificateRequest::create(&key("016"), &claims).unwrap();
    let read = CertificateRequest::from_pem(&request.to_pem()).unwrap();
    assert_eq!((read.key(), read.claims()), (&key("016").public(), &claims));
    let mut der = request.der().to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    assert_eq!(CertificateRequest::from_der(&der), Err(RequestError::NotProven));
}

/// Certificates of two federations and several areas, and the chains that are genuine among them.
fn pool() -> (Line, Vec<Certificate>, Vec<Vec<usize>>) {
    let own = line("it/03/016");
    let (mut certificates, mut genuine) = (Vec::new(), Vec::new());
    let lines = [&own, &line("it/04/017"), &line_in("other.example", "it/03/016")];
    for (number, line) in lines.into_iter().enumerate() {
        let first = certificates.len();
        certificates.extend(line.above());
        certificates.push(line.authorities[0].1.clone());
        certificates.push(line.node("1").1.leaf().clone());
        certificates.push(line.writer("health", &["case"]).1.leaf().clone());
        if number < 2 {
            let above: Vec<_> = (first..first + 3).collect();
            genuine.extend((0..3).map(|start| above[start..].to_vec()));
            genuine.extend([4, 5].map(|leaf| [vec![first + leaf], above.clone()].concat()));
        }
    }
    (own, certificates, genuine)
}

proptest::proptest! {
    /// Loops, gaps, mixtures of areas and federations, leaves as issuers, depth up to the limit.
    #[test]
    fn only_genuine_chains_are_accepted(
        tries in proptest::collection::vec(proptest::collection::vec(0usize..18, 1..17), 40),
    ) {
        let (own, certificates, genuine) = pool();
        // Both areas hang from the same root, and each genuine chain must still be accepted.
        for picks in genuine.iter().chain(&tries) {
            let mut picked = picks.iter().map(|pick| certificates[*pick].clone());
            let chain = Chain::new(picked.next().unwrap(), picked.collect()).unwrap();
            let shares_top = |it: &Vec<usize>| {
                let digests = |picks: &[usize]| -> Vec<_> {
                    picks.iter().map(|pick| certificates[*pick].digest()).collect()
                };
                digests(it) == digests(picks)
            };
            let expected = genuine.iter().any(shares_top);
            proptest::prop_assert_eq!(check(&own, &chain).is_ok(), expected, "{:?}", picks);
        }
    }
}

#[test]
fn a_list_tells_since_when_a_key_was_in_other_hands() {
    let line = line("it/03");
    let (_, chain) = line.node("1");
    let serial = chain.leaf().serial().clone();
    let hour = NOW.plus_millis(-3_600_000);
    for (since, begins) in [(None, NOW), (Some(hour), hour), (Some(NOW.plus_millis(1_000)), NOW)] {
        let revocation = Revocation { at: NOW, reason: Reason::KeyCompromise, since };
        let revoked = BTreeMap::from([(serial.clone(), revocation)]);
        let list = line.issuer().crl(2, NOW, NOW.plus_millis(DAY_MILLIS), &revoked).unwrap();
        let read = Crl::from_der(list.der()).unwrap();
        assert_eq!(read.revoked(), &revoked);
        assert_eq!(read.revoked()[&serial].begins(), begins);
    }
}

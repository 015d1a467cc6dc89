//! Seals: what they say is what was signed, and no record is named.

use reeve_statement::digest::Digest;
use reeve_statement::key::SecretKey;
use reeve_statement::names::KindId;
use reeve_statement::time::Timestamp;

use super::super::{Erased, HomeId, Seal, SealError, Seen, ShardSeal, SignedSeal};
use super::home;
use crate::record::RecordId;

fn kind() -> KindId {
    KindId::new("case").unwrap()
}

fn sealed(home: HomeId) -> SignedSeal {
    let id = RecordId::new("person-4711").unwrap();
    let shard = ShardSeal {
        index: 3,
        epoch: 1,
        seen: vec![Seen { actor: [5; 16], changes: 9 }],
        kept: Digest::of(b"kept"),
        removed: 1,
        erased: Some(Erased::of([7; 16], &kind(), &id)),
    };
    let seal = Seal {
        home: Digest::from_bytes(*home.as_bytes()),
        kind: kind(),
        before: None,
        shard: Some(shard),
        term: 2,
        at: Timestamp::from_seconds(1),
    };
    SignedSeal::sign(seal, &SecretKey::from_seed(&[9; 32]))
}

#[test]
fn a_seal_is_read_back_and_an_altered_one_is_refused() {
    let seal = sealed(home());
    assert_eq!(SignedSeal::decode(seal.as_bytes(), home()), Ok(seal.clone()));
    for at in 0..seal.as_bytes().len() {
        let mut bad = seal.as_bytes().to_vec();
        bad[at] ^= 1;
        assert!(SignedSeal::decode(&bad, home()).is_err(), "byte {at}");
    }
    let federation = reeve_statement::digest::FederationId(Digest::of(b"other"));
    let other = HomeId::of(&federation, &reeve_statement::unit::UnitId::new("09").unwrap());
    assert_eq!(SignedSeal::decode(seal.as_bytes(), other), Err(SealError::OtherHome));
}

#[test]
fn a_record_is_known_again_by_its_tag_and_not_named() {
    let seal = sealed(home());
    let erased = seal.seal().shard.as_ref().unwrap().erased.unwrap();
    assert!(erased.is(&kind(), &RecordId::new("person-4711").unwrap()));
    assert!(!erased.is(&kind(), &RecordId::new("person-4712").unwrap()));
    let bytes = seal.as_bytes();
    assert!(!bytes.windows(11).any(|part| part == b"person-4711"));
}

//! Which key each authority around this node has: this unit's, those above it, those of its subordinates.
//!
//! A superior could certify any key as a subordinate's authority. So a node remembers the key by which it
//! met an authority, and believes another one only if the certificate says how it followed: handed on by
//! a signature of the old key, or replaced by an act of the superior, with its reason (the certificate is
//! that act; it stands in the superior's ledger). Every change is kept and shown.

use minicbor::{Decode, Encode};
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::cert::{Certificate, Chain, Followed, Role};
use reeve_statement::key::PublicKey;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::bugs::Bug;
use crate::node::Node;
use crate::refusal::Refusal;
use crate::rows;
use crate::wire::Blob;

/// Under [`rows::META`]: what is known of an authority, by its unit.
pub(crate) const KNOWN: &[u8] = b"known-authority/";

/// Most keys of one authority that are remembered beside the present one.
const PAST_KEYS: usize = 16;

/// What is known of an authority.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct KnownAuthority {
    #[n(0)]
    unit: UnitPath,
    #[cbor(n(1), with = "minicbor::bytes")]
    key: [u8; 32],
    /// The keys that it had before, the newest first.
    #[n(2)]
    past: Vec<Blob>,
    #[n(3)]
    change: Option<KeyChange>,
}

/// The last change of an authority's key that this node noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct KeyChange {
    /// How the new key followed.
    #[n(0)]
    pub way: Followed,
    /// When this node noticed.
    #[n(1)]
    pub noticed_at: Timestamp,
}

/// An authority whose key changed, as `reeve status` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityStatus {
    /// Its unit.
    pub unit: UnitPath,
    /// Its key now.
    pub key: [u8; 32],
    /// The key before.
    pub previous: Vec<u8>,
    /// How it changed.
    pub change: KeyChange,
}

/// A change that a chain shows.
struct News {
    unit: UnitPath,
    key: [u8; 32],
    way: Option<Followed>,
}

/// The authorities in a chain.
fn authorities(chain: &Chain) -> impl Iterator<Item = (&Certificate, &UnitPath)> {
    chain.certificates().filter_map(|it| {
        let claims = it.claims().filter(|claims| claims.role == Role::Authority)?;
        Some((it, &claims.unit))
    })
}

impl Node {
    /// What a chain shows that is news of authorities.
    fn judge_authorities(&self, chain: &Chain) -> Result<Vec<News>, Refusal> {
        let mut news = Vec::new();
        for (certificate, unit) in authorities(chain) {
            let key = certificate.key().to_bytes();
            let way = match self.authorities.get(unit.leaf()) {
                None => None,
                Some(known) if known.key == key => continue,
                // Who was away shows the old key until it is given its new certificates.
                Some(known) if known.past.iter().any(|past| past.0 == key) => continue,
                Some(_) if self.settings.bugs.has(Bug::ForgetSuccession) => {
                    return Err(Refusal::OtherAuthority);
                }
                Some(known) => {
                    let known = PublicKey::from_bytes(&known.key);
                    let known = known.map_err(|_| Refusal::OtherAuthority)?;
                    let followed = certificate.follows(&known);
                    Some(followed.map_err(|_| Refusal::OtherAuthority)?)
                }
            };
            news.push(News { unit: unit.clone(), key, way });
        }
        Ok(news)
    }

    /// Whether a chain's authorities have the keys that are known of them, or others that followed those.
    pub(crate) fn knows_authorities(&self, chain: &Chain) -> bool {
        self.judge_authorities(chain).is_ok()
    }

    /// Believes a verified chain's authorities, as far as their keys are known or followed.
    pub(crate) fn follow_authorities(&mut self, chain: &Chain) -> Result<(), Refusal> {
        for news in self.judge_authorities(chain)? {
            self.keep_authority(news);
        }
        Ok(())
    }

    /// This node's own chain is what its people gave it: whatever it shows is believed at the start.
    pub(crate) fn follow_own_authorities(&mut self) {
        let chain = self.settings.chain.clone();
        if self.follow_authorities(&chain).is_ok() {
            return;
        }
        for (certificate, unit) in authorities(&chain) {
            let (unit, key) = (unit.clone(), certificate.key().to_bytes());
            self.keep_authority(News { unit, key, way: None });
        }
    }

    fn keep_authority(&mut self, news: News) {
        let News { unit, key, way } = news;
        let held = self.authorities.get(unit.leaf());
        let mut past = held.map(|held| held.past.clone()).unwrap_or_default();
        if let Some(held) = held.filter(|held| held.key != key) {
            past.insert(0, Blob(held.key.to_vec()));
            past.truncate(PAST_KEYS);
        }
        let noticed_at = self.context.now().wall;
        let change = way.map(|way| KeyChange { way, noticed_at });
        let change = change.or(held.and_then(|held| held.change));
        if way.is_some() {
            self.context.counters.count("authorities", "key_followed");
        }
        let leaf = unit.leaf().clone();
        let known = KnownAuthority { unit, key, past, change };
        let row = rows::key(rows::META, &[KNOWN, leaf.as_str().as_bytes()]);
        self.context.persist(row, Some(to_vec(&known)));
        self.authorities.insert(leaf, known);
    }

    pub(crate) fn restore_authority(&mut self, value: &[u8]) -> Option<()> {
        let known: KnownAuthority = from_slice("authority", value, value.len()).ok()?;
        self.authorities.insert(known.unit.leaf().clone(), known);
        Some(())
    }

    /// Whether one of the keys that this unit's authority has or had signed a certificate.
    pub(crate) fn is_of_own_authority(&self, certificate: &Certificate) -> bool {
        let Some(known) = self.authorities.get(self.settings.unit.leaf()) else { return false };
        let keys = core::iter::once(known.key.as_slice());
        let mut keys = keys.chain(known.past.iter().map(|past| past.0.as_slice()));
        keys.any(|key| PublicKey::from_bytes(key).is_ok_and(|key| certificate.is_signed_by(&key)))
    }

    /// Authorities whose keys changed.
    pub(crate) fn view_authorities(&self) -> Vec<AuthorityStatus> {
        let changed = self.authorities.values().filter_map(|known| {
            let (change, previous) = (known.change?, known.past.first()?);
            let (unit, key) = (known.unit.clone(), known.key);
            Some(AuthorityStatus { unit, key, previous: previous.0.clone(), change })
        });
        changed.collect()
    }
}

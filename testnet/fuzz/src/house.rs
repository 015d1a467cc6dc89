//! A small federation for the targets: keys and certificates made from names, always the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use reeve_crdt::schema::Schema;
use reeve_statement::catalogue::Catalogue;
use reeve_statement::cert::name::Domain;
use reeve_statement::cert::{
    Actions, AuthorityGrant, Certificate, Chain, CrlSet, Issuer, NodeGrant, Reason, Revocation,
    RootList, Serial, Stamp, Validity, WriterGrant, issue_root,
};
use reeve_statement::cose::Verifier;
use reeve_statement::digest::Digest;
use reeve_statement::key::SecretKey;
use reeve_statement::names::KindId;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

/// 2026-03-01T12:00:00Z: the moment at which everything here happens, and at which the golden
/// vectors of the statement crate are valid.
pub const NOW: Timestamp = Timestamp::from_seconds(1_772_366_400);

/// A day, in milliseconds.
pub const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// Most chains that are remembered: an input may name any term.
const REMEMBERED: usize = 256;

/// The schema of every target that needs one: that of the pack `epidemic`.
pub const SCHEMA: &str = include_str!("../../../examples/epidemic/schema.toml");
/// Its catalogue.
pub const CATALOGUE: &str = include_str!("../../../examples/epidemic/catalogue.toml");

/// 32 bytes that a name stands for.
#[must_use]
pub fn seed(name: &str) -> [u8; 32] {
    *Digest::of(name.as_bytes()).as_bytes()
}

/// A key that is always the same for a name.
#[must_use]
pub fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(&seed(name))
}

/// A serial number that is always the same for a name, valid for a year around [`NOW`].
#[must_use]
pub fn stamp(name: &str) -> Stamp {
    let mut serial = [0; 16];
    serial.copy_from_slice(&seed(name)[..16]);
    serial[0] &= 0x7f;
    let not_before = NOW.plus_millis(-180 * DAY_MS);
    let not_after = NOW.plus_millis(180 * DAY_MS);
    Stamp { serial: Serial::from_random(serial), validity: Validity { not_before, not_after } }
}

/// The federation: a root, and a line of authorities `it`, `it/03`, `it/03/016`.
pub struct House {
    /// Its roots.
    pub roots: RootList,
    root: Certificate,
    /// From the top: the units and their authorities' certificates.
    authorities: Vec<(UnitPath, Certificate)>,
    /// Chains that were made before, by the name of their key and what they grant.
    made: Mutex<BTreeMap<String, Chain>>,
}

/// The one house of this process.
pub fn house() -> &'static House {
    static HOUSE: OnceLock<House> = OnceLock::new();
    HOUSE.get_or_init(House::new)
}

/// The schema, parsed once.
pub fn schema() -> &'static Arc<Schema> {
    static SCHEMA_OF: OnceLock<Arc<Schema>> = OnceLock::new();
    SCHEMA_OF.get_or_init(|| Arc::new(Schema::parse("schema.toml", SCHEMA).unwrap()))
}

/// The catalogue, parsed once.
pub fn catalogue() -> &'static Catalogue {
    static PARSED: OnceLock<Catalogue> = OnceLock::new();
    PARSED.get_or_init(|| {
        reeve_crdt::catalogue::parse("catalogue.toml", CATALOGUE, schema()).unwrap()
    })
}

/// A path that is known to be one.
#[must_use]
pub fn path(text: &str) -> UnitPath {
    text.parse().unwrap()
}

impl House {
    fn new() -> Self {
        let domain = Domain::new("reeve.example").unwrap();
        let root = issue_root(&domain, &key("root"), &stamp("root")).unwrap();
        let roots = RootList::genesis(std::slice::from_ref(&root)).unwrap();
        let mut house = Self { roots, root, authorities: Vec::new(), made: Mutex::default() };
        for (levels_below, text) in [(8, "it"), (7, "it/03"), (6, "it/03/016")] {
            let unit = path(text);
            let grant = AuthorityGrant {
                unit: unit.leaf().clone(),
                level: "level".to_owned(),
                key: key(&format!("authority {unit}")).public(),
                actions: Actions::all(),
                levels_below,
            };
            let above = unit.parent();
            let signer =
                key(&above.as_ref().map_or("root".to_owned(), |it| format!("authority {it}")));
            let issuer = match &above {
                None => &house.root,
                Some(above) => house.authority(above),
            };
            let made = Issuer::new(issuer, &signer).unwrap();
            let made = made.authority(&grant, &stamp(&format!("a {unit}"))).unwrap();
            house.authorities.push((unit, made));
        }
        house
    }

    /// The certificate of a unit's authority.
    #[must_use]
    pub fn authority(&self, unit: &UnitPath) -> &Certificate {
        &self.authorities.iter().find(|(found, _)| found == unit).unwrap().1
    }

    /// The authorities of a unit and of those above it, nearest first.
    #[must_use]
    pub fn above(&self, unit: &UnitPath) -> Vec<Certificate> {
        let at = |(found, _): &&(UnitPath, Certificate)| unit.is_within(found);
        self.authorities.iter().filter(at).rev().map(|(_, it)| it.clone()).collect()
    }

    /// The chain of a unit's authority.
    #[must_use]
    pub fn authority_chain(&self, unit: &UnitPath) -> Chain {
        let mut above = self.above(unit);
        let leaf = above.remove(0);
        Chain::new(leaf, above).unwrap()
    }

    /// A node of a unit and its key.
    #[must_use]
    pub fn node(&self, unit: &UnitPath, label: &str, term: Option<u64>) -> (SecretKey, Chain) {
        let name = format!("node {unit} {label}");
        let grant = NodeGrant {
            label: label.to_owned(),
            key: key(&name).public(),
            actions: Actions::of_node(),
            term,
        };
        let chain = self.made(format!("{name} {term:?}"), unit, |issuer| {
            issuer.node(&grant, &stamp(&name)).unwrap()
        });
        (key(&name), chain)
    }

    /// A writer of a unit and its key; of all kinds if none is named.
    #[must_use]
    pub fn writer(&self, unit: &UnitPath, label: &str, kinds: &[&str]) -> (SecretKey, Chain) {
        let name = format!("writer {unit} {label}");
        let grant = WriterGrant {
            label: label.to_owned(),
            key: key(&name).public(),
            actions: Actions::all(),
            kinds: kinds.iter().map(|kind| KindId::new(kind).unwrap()).collect(),
        };
        let chain = self.made(format!("{name} {kinds:?}"), unit, |issuer| {
            issuer.writer(&grant, &stamp(&name)).unwrap()
        });
        (key(&name), chain)
    }

    /// A chain by the unit's authority, made once.
    fn made(
        &self,
        name: String,
        unit: &UnitPath,
        make: impl FnOnce(&Issuer<'_>) -> Certificate,
    ) -> Chain {
        let mut made = self.made.lock().unwrap();
        if made.len() >= REMEMBERED {
            made.clear();
        }
        let chain = made.entry(name).or_insert_with(|| {
            let signer = key(&format!("authority {unit}"));
            let leaf = make(&Issuer::new(self.authority(unit), &signer).unwrap());
            Chain::new(leaf, self.above(unit)).unwrap()
        });
        chain.clone()
    }

    /// A list by a unit's authority that revokes the certificate of a name.
    #[must_use]
    pub fn list(&self, unit: &UnitPath, revoked: &str, number: u64) -> Vec<u8> {
        let signer = key(&format!("authority {unit}"));
        let issuer = Issuer::new(self.authority(unit), &signer).unwrap();
        let revocation = Revocation { at: NOW, reason: Reason::KeyCompromise, since: None };
        let revoked = [(stamp(revoked).serial, revocation)].into();
        let next = NOW.plus_millis(30 * DAY_MS);
        issuer.crl(number, NOW, next, &revoked).unwrap().der().to_vec()
    }

    /// Whoever believes this federation's roots.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier::new(self.roots.clone(), CrlSet::default())
    }
}

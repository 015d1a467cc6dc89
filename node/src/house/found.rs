//! Making houses: a federation's first, a subordinate's, a home's further node, and one that will
//! join. The command line and test networks use the same functions.

use std::path::Path;

use reeve_crdt::schema::Schema;
use reeve_policy::authz::DEFAULT_POLICY;
use reeve_statement::catalogue::Titles;
use reeve_statement::cert::{Certificate, Chain, Domain, Role, RootList};
use reeve_statement::key::SecretKey;
use reeve_statement::key::file::{self, Cost};
use reeve_statement::names::KindId;
use reeve_statement::unit::UnitId;

use super::authority::{Authority, Root};
use super::clerk::Clerk;
use super::error::HouseError;
use super::identity::Identity;
use super::passphrase::Passphrase;
use super::records::Admission;
use super::renewal::label_of;
use super::{CONFIG_FILE, House, files};
use crate::config::Config;

/// Label of a unit's first node and of its writer.
const FIRST_LABEL: &str = "1";
/// The reporting term of a unit that never reported.
pub(crate) const FIRST_TERM: u64 = 1;

/// What a new house is made of.
#[derive(Debug, Clone)]
pub struct UnitSpec {
    /// Its configuration.
    pub config: Config,
    /// Name of the unit's level, such as `municipality`; used when its authority is certified.
    pub level: String,
    /// Text of `schema.toml`; none: the node keeps no records.
    pub schema: Option<String>,
    /// Text of `policy.cedar`; none: the default policy.
    pub policy: Option<String>,
    /// Protects the authority key.
    pub passphrase: Passphrase,
    /// How much work a guess at the passphrase takes.
    pub cost: Cost,
}

impl UnitSpec {
    /// A new unit with the default configuration and policy, and no schema.
    pub fn new(unit: UnitId, level: &str, passphrase: Passphrase) -> Self {
        Self {
            config: Config::new(unit),
            level: level.to_owned(),
            schema: None,
            policy: None,
            passphrase,
            cost: Cost::STANDARD,
        }
    }
}

/// Makes the folder of a node that will join: its keys and its configuration.
///
/// # Errors
/// When something is there already, the schema or policy is refused, or a file cannot be written.
pub fn begin(folder: &Path, spec: &UnitSpec, clerk: &mut Clerk<'_>) -> Result<House, HouseError> {
    let keys = Keys::draw(clerk)?;
    write(folder, spec, &keys, clerk)?;
    House::open(folder)
}

/// Makes the folder of a further node that will join its home: without an authority key, so
/// `spec.passphrase` and `spec.level` are not used.
///
/// # Errors
/// As [`begin`].
pub fn begin_home_node(
    folder: &Path,
    spec: &UnitSpec,
    clerk: &mut Clerk<'_>,
) -> Result<House, HouseError> {
    let (node, writer) = (clerk.entropy().secret_key()?, clerk.entropy().secret_key()?);
    write_common(folder, spec, &node, &writer)?;
    House::open(folder)
}

/// Makes the first house of a new federation, with the federation's root key.
///
/// # Errors
/// As [`begin`].
pub fn found_federation(
    folder: &Path,
    domain: &Domain,
    spec: &UnitSpec,
    clerk: &mut Clerk<'_>,
) -> Result<(House, Authority), HouseError> {
    let root = Root::genesis(domain, clerk)?;
    let keys = Keys::draw(clerk)?;
    let unit = &spec.config.unit;
    let chain = root.first_unit(unit, &spec.level, keys.authority.public(), clerk)?;
    check(folder, spec)?;
    files::make_folder(&folder.join(files::KEYS))?;
    write_encrypted(&folder.join(files::ROOT_KEY), root.key(), spec, clerk)?;
    write(folder, spec, &keys, clerk)?;
    let authority = chain.leaf().clone();
    let founded = settle(folder, root.roots(), keys, chain, clerk)?;
    founded.0.record_issued(&authority)?;
    Ok(founded)
}

/// Makes the house of a unit directly below `superior`, with everything that joining would have
/// brought, and has the superior admit it.
///
/// # Errors
/// As [`begin`], and when the superior may not certify a further level.
pub fn found_subordinate(
    superior: (&House, &Authority),
    folder: &Path,
    spec: &UnitSpec,
    names: Titles,
    clerk: &mut Clerk<'_>,
) -> Result<(House, Authority), HouseError> {
    let (above, issuer) = superior;
    let mut spec = spec.clone();
    spec.config.superior.push(above.as_peer());
    let keys = Keys::draw(clerk)?;
    let unit = &spec.config.unit;
    let chain = issuer.subordinate(unit, &spec.level, keys.authority.public(), clerk)?;
    write(folder, &spec, &keys, clerk)?;
    above.record_issued(chain.leaf())?;
    let (house, authority) = settle(folder, &above.identity()?.roots, keys, chain, clerk)?;
    above.record_admission(&Admission {
        chain: house.identity()?.node.to_cbor(),
        names,
        time_zone: Some(house.config().time_zone.clone()),
    })?;
    Ok((house, authority))
}

/// Makes the house of a further node of a home, without the authority key and without a term, and
/// has the home's first node admit it. `spec.passphrase` and `spec.level` are not used.
///
/// # Errors
/// As [`begin`].
pub fn found_home_node(
    first: (&House, &Authority),
    folder: &Path,
    label: &str,
    spec: &UnitSpec,
    clerk: &mut Clerk<'_>,
) -> Result<House, HouseError> {
    let (first, authority) = first;
    let mut spec = spec.clone();
    spec.config.home.push(first.as_peer());
    let mut house = begin_home_node(folder, &spec, clerk)?;
    let (node, writer) = (house.node_key().public(), house.writer_key().public());
    let identity = Identity {
        roots: first.identity()?.roots.clone(),
        authority: authority.chain().clone(),
        node: authority.node(label, node, None, clerk)?,
        writer: authority.writer(label, writer, &house.kinds()?, clerk)?,
    };
    first.record_issued(identity.node.leaf())?;
    first.record_issued(identity.writer.leaf())?;
    first.record_admission(&Admission::to_home(&identity.node))?;
    house.record_admission(&Admission::to_home(&first.identity()?.node))?;
    house.enter(identity)?;
    Ok(house)
}

impl House {
    /// Issues new certificates for this house's own node and writer, with the same keys and term, and
    /// enters them. The running node takes the new chain with `Question::Renew`.
    ///
    /// # Errors
    /// When the node has not joined, or a file cannot be written.
    pub fn renew(
        &mut self,
        authority: &Authority,
        clerk: &mut Clerk<'_>,
    ) -> Result<&Identity, HouseError> {
        let identity = self.identity()?;
        let (roots, term) = (identity.roots.clone(), identity.term()?);
        let renewed = own_certificates(self, &roots, authority, term, clerk)?;
        self.enter(renewed)?;
        self.identity()
    }

    /// Appoints this house's own node for a reporting term, with the same key, and enters its new
    /// certificate. The running node takes the new chain with `Question::Renew`.
    ///
    /// # Errors
    /// When the node has not joined, or a file cannot be written.
    pub fn appoint(
        &mut self,
        authority: &Authority,
        term: u64,
        clerk: &mut Clerk<'_>,
    ) -> Result<&Identity, HouseError> {
        let key = self.node_key().public();
        let node = authority.node(&self.own_label(), key, Some(term), clerk)?;
        self.record_issued(node.leaf())?;
        let appointed = Identity { node, ..self.identity()?.clone() };
        self.enter(appointed)?;
        self.identity()
    }
}

impl House {
    /// The label of this house's node: what its certificate says, if it has one.
    fn own_label(&self) -> String {
        let identity = self.identity().ok();
        let label = identity.and_then(|identity| label_of(identity.node.leaf()));
        label.unwrap_or(FIRST_LABEL).to_owned()
    }

    /// Appoints another node of this home for a reporting term, by its label, with the same key. Records
    /// what it issues, here and for the core to pass on.
    ///
    /// # Errors
    /// When no node with this label was certified here, it was revoked, or a file cannot be written.
    pub fn appoint_other(
        &self,
        authority: &Authority,
        label: &str,
        term: u64,
        clerk: &mut Clerk<'_>,
    ) -> Result<Chain, HouseError> {
        let issuer = authority.key().public().key_id();
        let found = self.last_issued(&issuer, label)?;
        let is_node = |it: &&Certificate| it.claims().is_some_and(|it| it.role == Role::Node);
        let held = found.iter().find(is_node);
        let held = held.ok_or_else(|| HouseError::NoSuchNode { label: label.to_owned() })?;
        let chain = authority.node(label, *held.key(), Some(term), clerk)?;
        self.record_issued(chain.leaf())?;
        self.record_renewal(&chain)?;
        Ok(chain)
    }

    /// The latest reporting term that this unit's authority is known here to have appointed a node for.
    ///
    /// # Errors
    /// When the node has not joined, or a file cannot be read.
    pub fn last_term(&self) -> Result<Option<u64>, HouseError> {
        let identity = self.identity()?;
        let unit = identity.unit()?;
        let issued = self.issued()?;
        let claims = issued.iter().filter_map(Certificate::claims);
        let appointed = claims.filter(|claims| claims.unit == *unit).filter_map(|it| it.term);
        Ok(appointed.max().max(identity.term()?))
    }
}

/// Issues a unit's own certificates once its authority is certified, and enters them.
fn settle(
    folder: &Path,
    roots: &RootList,
    keys: Keys,
    chain: Chain,
    clerk: &mut Clerk<'_>,
) -> Result<(House, Authority), HouseError> {
    let mut house = House::open(folder)?;
    let authority = Authority::new(keys.authority, chain)?;
    let identity = own_certificates(&house, roots, &authority, Some(FIRST_TERM), clerk)?;
    house.enter(identity)?;
    Ok((house, authority))
}

/// Issues certificates for a house's own node and writer, and keeps a record of them.
pub(crate) fn own_certificates(
    house: &House,
    roots: &RootList,
    authority: &Authority,
    term: Option<u64>,
    clerk: &mut Clerk<'_>,
) -> Result<Identity, HouseError> {
    let kinds: Vec<KindId> = house.kinds()?;
    let (node, writer) = (house.node_key().public(), house.writer_key().public());
    let label = house.own_label();
    let identity = Identity {
        roots: roots.clone(),
        authority: authority.chain().clone(),
        node: authority.node(&label, node, term, clerk)?,
        writer: authority.writer(&label, writer, &kinds, clerk)?,
    };
    house.record_issued(identity.node.leaf())?;
    house.record_issued(identity.writer.leaf())?;
    Ok(identity)
}

/// The keys of a new house.
struct Keys {
    authority: SecretKey,
    node: SecretKey,
    writer: SecretKey,
}

impl Keys {
    fn draw(clerk: &mut Clerk<'_>) -> Result<Self, HouseError> {
        let entropy = clerk.entropy();
        Ok(Self {
            authority: entropy.secret_key()?,
            node: entropy.secret_key()?,
            writer: entropy.secret_key()?,
        })
    }
}

/// Writes a new house with an authority key. The configuration comes last: without it there is no
/// house, and what an interrupted attempt left is never taken for one.
fn write(
    folder: &Path,
    spec: &UnitSpec,
    keys: &Keys,
    clerk: &mut Clerk<'_>,
) -> Result<(), HouseError> {
    check(folder, spec)?;
    files::make_folder(&folder.join(files::KEYS))?;
    write_encrypted(&folder.join(files::AUTHORITY_KEY), &keys.authority, spec, clerk)?;
    write_common(folder, spec, &keys.node, &keys.writer)
}

fn write_common(
    folder: &Path,
    spec: &UnitSpec,
    node: &SecretKey,
    writer: &SecretKey,
) -> Result<(), HouseError> {
    check(folder, spec)?;
    files::make_folder(&folder.join(files::KEYS))?;
    files::write_new(&folder.join(files::NODE_KEY), file::to_pem(node)?.as_bytes())?;
    files::write_new(&folder.join(files::WRITER_KEY), file::to_pem(writer)?.as_bytes())?;
    let mut config = spec.config.clone();
    if let Some(schema) = &spec.schema {
        files::write_new(&folder.join(files::SCHEMA), schema.as_bytes())?;
        config.schema = Some(files::SCHEMA.into());
    }
    let policy = spec.policy.as_deref().unwrap_or(DEFAULT_POLICY);
    files::write_new(&folder.join(&config.policy), policy.as_bytes())?;
    files::write_new(&folder.join(CONFIG_FILE), config.to_toml().as_bytes())
}

/// Refuses before anything is written.
fn check(folder: &Path, spec: &UnitSpec) -> Result<(), HouseError> {
    let path = folder.join(CONFIG_FILE);
    if path.exists() {
        return Err(HouseError::Exists { path });
    }
    if let Some(schema) = &spec.schema {
        Schema::parse(files::SCHEMA, schema).map_err(HouseError::Schema)?;
    }
    if let Some(policy) = &spec.policy {
        let name = spec.config.policy.to_string_lossy();
        reeve_policy::authz::PolicySet::parse(policy, &name).map_err(HouseError::Policy)?;
    }
    Ok(())
}

fn write_encrypted(
    path: &Path,
    key: &SecretKey,
    spec: &UnitSpec,
    clerk: &mut Clerk<'_>,
) -> Result<(), HouseError> {
    let nonce = clerk.entropy().file_nonce()?;
    let text = file::to_encrypted_pem_at(key, spec.passphrase.as_bytes(), &nonce, spec.cost)?;
    files::write_new(path, text.as_bytes())
}

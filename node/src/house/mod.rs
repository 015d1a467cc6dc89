//! The folder of one node: configuration, keys, certificates, and what they were issued for.
//!
//! | file | what it holds |
//! |---|---|
//! | `reeve.toml` | the configuration ([`crate::config`]) |
//! | `keys/authority.key` | the unit's authority key, encrypted (PKCS#8); absent on a home's further nodes |
//! | `keys/authority.next.key` | the key that the authority applied for, encrypted, until its certificate is there |
//! | `keys/root.key` | the federation's root key, encrypted; on the founder's node only |
//! | `keys/node.key`, `keys/writer.key` | the operational keys, plain, for this node's user only |
//! | `certificates/{authority,node,writer}.pem` | chains, leaf first, without the root |
//! | `roots.cbor`, `roots.pem` | the federation's root list; the same for openssl |
//! | `crls/` | revocation lists, each with its issuer's chain |
//! | `issued/` | every certificate that this authority issued to others |
//! | `admitted/` | nodes to be admitted by the core when it starts |
//! | `renewed/` | renewed certificates to be passed on by the core when it starts |
//! | `policy.cedar`, `schema.toml`, `store/`, `tokens.toml` | as their names say |
//!
//! Everything is written with fsync, for its user only, and never over something else. This module
//! reads no clock and keeps no key longer than its caller; times and chance come in ([`Clerk`]).

mod authority;
mod clerk;
mod custody;
mod entropy;
mod error;
mod files;
mod found;
mod identity;
mod kept;
mod lists;
mod passphrase;
mod records;
mod rekey;
mod renewal;
mod report;
mod settings;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use reeve_crdt::schema::Schema;
use reeve_policy::authz::PolicySet;
use reeve_statement::key::{SecretKey, file};
use reeve_statement::names::KindId;
use reeve_statement::unit::UnitPath;

use crate::config::{Config, Peer};

pub use authority::{Authority, Root};
pub use clerk::{Clerk, Lifetimes};
pub use custody::{
    CustodyError, LEAST_NEEDED, MOST_SHARES, OpenShare, Share, check_together, combine, split,
};
pub use entropy::{Entropy, EntropyError};
pub use error::HouseError;
pub use files::MAX_FILE_BYTES;
pub(crate) use files::{make_folder, replace as replace_file};
pub(crate) use found::{FIRST_TERM, own_certificates};
pub use found::{
    UnitSpec, begin, begin_home_node, found_federation, found_home_node, found_subordinate,
};
pub use identity::Identity;
pub use kept::{Kept, is_key, put_kept, put_keys};
pub use lists::{Grounds, HeldList};
pub use passphrase::{
    CREDENTIAL, Passphrase, PassphraseError, PassphraseSource, new_passphrase, read_passphrase,
};
pub use records::Admission;
pub use rekey::{KeyApplication, Rekeyed};
pub use report::{CertificateReport, CertificateView, ListView};

/// The name of the configuration file.
pub const CONFIG_FILE: &str = "reeve.toml";

/// The folder of one node, read and checked.
#[derive(Debug)]
pub struct House {
    folder: PathBuf,
    config: Config,
    node_key: SecretKey,
    writer_key: SecretKey,
    identity: Option<Identity>,
}

impl House {
    /// Opens a folder that `reeve init` made.
    ///
    /// # Errors
    /// [`HouseError`]: not such a folder, a mistake in the configuration, a key that others can
    /// read, certificates that do not belong to the keys.
    pub fn open(folder: &Path) -> Result<Self, HouseError> {
        let path = folder.join(CONFIG_FILE);
        if !path.exists() {
            return Err(HouseError::NotAHouse { folder: folder.to_owned() });
        }
        let text = files::read_text(&path)?;
        let config = Config::parse(&path.to_string_lossy(), &text).map_err(HouseError::Config)?;
        let node_key = read_key(&folder.join(files::NODE_KEY))?;
        let writer_key = read_key(&folder.join(files::WRITER_KEY))?;
        let identity = Identity::read(folder)?;
        if let Some(identity) = &identity {
            identity.check(folder, &config.unit, &node_key, &writer_key)?;
        }
        Ok(Self { folder: folder.to_owned(), config, node_key, writer_key, identity })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The key of this node.
    pub fn node_key(&self) -> &SecretKey {
        &self.node_key
    }

    /// The key of this node's writer.
    pub fn writer_key(&self) -> &SecretKey {
        &self.writer_key
    }

    /// The certificates of this node.
    ///
    /// # Errors
    /// [`HouseError::NotJoined`] before `reeve join`.
    pub fn identity(&self) -> Result<&Identity, HouseError> {
        self.identity
            .as_ref()
            .ok_or_else(|| HouseError::NotJoined { unit: self.config.unit.clone() })
    }

    /// Whether this node has its certificates.
    pub fn has_joined(&self) -> bool {
        self.identity.is_some()
    }

    /// Whether this folder holds the unit's authority key.
    pub fn has_authority_key(&self) -> bool {
        self.folder.join(files::AUTHORITY_KEY).exists()
    }

    /// Opens the unit's authority key.
    ///
    /// # Errors
    /// When this node has none or has not joined, or the passphrase is wrong.
    pub fn authority(&self, passphrase: &Passphrase) -> Result<Authority, HouseError> {
        let identity = self.identity()?;
        let key = self.authority_key(passphrase)?;
        Authority::new(key, identity.authority.clone()).map_err(HouseError::Issue)
    }

    /// Opens the unit's authority key, certified or not.
    ///
    /// # Errors
    /// When this node has none, or the passphrase is wrong.
    pub fn authority_key(&self, passphrase: &Passphrase) -> Result<SecretKey, HouseError> {
        let path = self.folder.join(files::AUTHORITY_KEY);
        if !path.exists() {
            return Err(HouseError::NoAuthorityKey { unit: self.config.unit.clone() });
        }
        read_encrypted(&path, passphrase)
    }

    /// Opens the federation's root key, which may lie anywhere.
    ///
    /// # Errors
    /// When the file cannot be read, the passphrase is wrong, or the key is none of the roots'.
    pub fn root(&self, path: &Path, passphrase: &Passphrase) -> Result<Root, HouseError> {
        Root::of(read_encrypted(path, passphrase)?, &self.identity()?.roots)
    }

    /// The schema of the twins; none: this node keeps no records.
    ///
    /// # Errors
    /// When the file cannot be read or is not a schema.
    pub fn schema(&self) -> Result<Option<Schema>, HouseError> {
        Ok(self.schema_text()?.map(|(schema, _)| schema))
    }

    /// The schema of the twins with the text of its file.
    ///
    /// # Errors
    /// As [`House::schema`].
    pub fn schema_text(&self) -> Result<Option<(Schema, String)>, HouseError> {
        let Some(name) = &self.config.schema else { return Ok(None) };
        let path = self.folder.join(name);
        let text = files::read_text(&path)?;
        let schema = Schema::parse(&path.to_string_lossy(), &text).map_err(HouseError::Schema)?;
        Ok(Some((schema, text)))
    }

    /// The kinds of the schema: what this node's writer may change.
    ///
    /// # Errors
    /// As [`House::schema`].
    pub fn kinds(&self) -> Result<Vec<KindId>, HouseError> {
        let schema = self.schema()?;
        Ok(schema.iter().flat_map(Schema::kinds).map(|kind| kind.id.clone()).collect())
    }

    /// The policy set.
    ///
    /// # Errors
    /// When the file cannot be read or is not a policy set.
    pub fn policy(&self) -> Result<PolicySet, HouseError> {
        let path = self.folder.join(&self.config.policy);
        let text = files::read_text(&path)?;
        PolicySet::parse(&text, &path.to_string_lossy()).map_err(HouseError::Policy)
    }

    /// This node as others dial it: its key, and the addresses that it announces.
    pub fn as_peer(&self) -> Peer {
        let net = &self.config.net;
        let addresses = if net.announce.is_empty() { &net.listen } else { &net.announce };
        Peer { key: self.node_key.public(), addresses: addresses.clone() }
    }

    /// The folder of the store.
    pub fn store_folder(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// The file of the API's tokens.
    pub fn tokens_file(&self) -> PathBuf {
        self.folder.join("tokens.toml")
    }

    /// The file of the node's own chain, leaf first.
    pub fn node_certificate_file(&self) -> PathBuf {
        self.folder.join(files::NODE_CERTIFICATE)
    }

    /// The file of the authority's chain, leaf first.
    pub fn authority_certificate_file(&self) -> PathBuf {
        self.folder.join(files::AUTHORITY_CERTIFICATE)
    }

    /// The file of the federation's roots as PEM.
    pub fn roots_file(&self) -> PathBuf {
        self.folder.join(files::ROOTS_PEM)
    }

    /// Adds peers to the configuration file, which stays as it was otherwise.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_peers(&mut self, superior: &[Peer], home: &[Peer]) -> Result<(), HouseError> {
        let path = self.folder.join(CONFIG_FILE);
        let mut text = files::read_text(&path)?;
        for peer in superior.iter().filter(|peer| !self.config.superior.contains(peer)) {
            text.push_str(&Config::superior_entry(peer));
        }
        for peer in home.iter().filter(|peer| !self.config.home.contains(peer)) {
            text.push_str(&Config::home_entry(peer));
        }
        let config = Config::parse(&path.to_string_lossy(), &text).map_err(HouseError::Config)?;
        files::replace(&path, text.as_bytes())?;
        self.config = config;
        Ok(())
    }

    /// The certificates of where the unit stood before, if it is to stand elsewhere now; none: it stood
    /// nowhere.
    ///
    /// # Errors
    /// [`HouseError::Joined`] if it stands there already.
    pub fn former(&self, unit: &UnitPath) -> Result<Option<&Identity>, HouseError> {
        match &self.identity {
            Some(identity) if identity.unit()? == unit => Err(joined(identity)),
            former => Ok(former.as_ref()),
        }
    }

    /// Leaves the former superior: it is not dialled any more, and what this node's writer wrote under its
    /// former certificate is believed on.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn leave(&mut self, former: &Identity) -> Result<(), HouseError> {
        self.record_renewal(&former.writer)?;
        let path = self.folder.join(CONFIG_FILE);
        let text = Config::without_superiors(&files::read_text(&path)?);
        let config = Config::parse(&path.to_string_lossy(), &text).map_err(HouseError::Config)?;
        files::replace(&path, text.as_bytes())?;
        self.config = config;
        Ok(())
    }

    /// Takes the certificates that make this node a member, and writes them.
    ///
    /// # Errors
    /// When they do not belong to this house's keys, or a file cannot be written.
    pub fn enter(&mut self, identity: Identity) -> Result<(), HouseError> {
        identity.check(&self.folder, &self.config.unit, &self.node_key, &self.writer_key)?;
        identity.write(&self.folder)?;
        self.identity = Some(identity);
        Ok(())
    }
}

/// That a node is a member already.
pub(crate) fn joined(identity: &Identity) -> HouseError {
    HouseError::Joined { subject: identity.node.leaf().subject().to_owned() }
}

fn read_encrypted(path: &Path, passphrase: &Passphrase) -> Result<SecretKey, HouseError> {
    let text = files::read_secret(path)?;
    file::from_encrypted_pem(&text, passphrase.as_bytes())
        .map_err(|error| HouseError::Key { path: path.to_owned(), error })
}

fn read_key(path: &Path) -> Result<SecretKey, HouseError> {
    let text = files::read_secret(path)?;
    file::from_pem(&text).map_err(|error| HouseError::Key { path: path.to_owned(), error })
}

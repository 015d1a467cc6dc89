//! The certificates that make a node a member of its federation.

use std::path::Path;

use reeve_statement::cert::{
    Certificate, Chain, Claims, CrlSet, Role, RootList, VerifiedChain, verify_chain,
};
use reeve_statement::key::{PublicKey, SecretKey};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use super::error::HouseError;
use super::files;

/// The federation's roots, and the chains of this unit's authority, this node and its writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The federation's root list.
    pub roots: RootList,
    /// The authority's chain, itself first.
    pub authority: Chain,
    /// This node's chain, itself first.
    pub node: Chain,
    /// The chain of this node's writer, itself first.
    pub writer: Chain,
}

impl Identity {
    /// Reads the files; none if the node has not joined.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, HouseError> {
        // The node's certificate is written last.
        if !folder.join(files::NODE_CERTIFICATE).exists() {
            return Ok(None);
        }
        let roots = RootList::decode(&files::read(&folder.join(files::ROOTS))?)?;
        Ok(Some(Self {
            roots,
            authority: read_chain(&folder.join(files::AUTHORITY_CERTIFICATE))?,
            node: read_chain(&folder.join(files::NODE_CERTIFICATE))?,
            writer: read_chain(&folder.join(files::WRITER_CERTIFICATE))?,
        }))
    }

    /// Writes the files, the node's certificate last.
    pub(super) fn write(&self, folder: &Path) -> Result<(), HouseError> {
        files::make_folder(&folder.join(files::CERTIFICATES))?;
        files::replace(&folder.join(files::ROOTS), &self.roots.encode())?;
        files::replace(&folder.join(files::ROOTS_PEM), self.roots.to_pem().as_bytes())?;
        for (name, chain) in [
            (files::AUTHORITY_CERTIFICATE, &self.authority),
            (files::WRITER_CERTIFICATE, &self.writer),
            (files::NODE_CERTIFICATE, &self.node),
        ] {
            files::replace(&folder.join(name), chain.to_pem().as_bytes())?;
        }
        Ok(())
    }

    /// Checks that the certificates are this unit's and these keys'. Whether they are valid now is
    /// [`Identity::verify`]'s business.
    pub(super) fn check(
        &self,
        folder: &Path,
        unit: &UnitId,
        node: &SecretKey,
        writer: &SecretKey,
    ) -> Result<(), HouseError> {
        let expect = |name: &str, chain: &Chain, role: Role, key: Option<&PublicKey>| {
            let leaf = chain.leaf();
            let claims = leaf.claims().filter(|it| it.role == role && it.unit.leaf() == unit);
            if claims.is_some() && key.is_none_or(|key| key == leaf.key()) {
                return Ok(());
            }
            let key = key.map(|key| format!(" with key {key}")).unwrap_or_default();
            Err(HouseError::Foreign {
                path: folder.join(name),
                expected: format!("a {role} of unit {unit}{key}"),
                found: describe(leaf),
            })
        };
        expect(files::AUTHORITY_CERTIFICATE, &self.authority, Role::Authority, None)?;
        expect(files::NODE_CERTIFICATE, &self.node, Role::Node, Some(&node.public()))?;
        expect(files::WRITER_CERTIFICATE, &self.writer, Role::Writer, Some(&writer.public()))
    }

    /// Checks all three chains at a moment.
    ///
    /// # Errors
    /// What is wrong with which certificate.
    pub fn verify(&self, lists: &CrlSet, now: Timestamp) -> Result<VerifiedChain, HouseError> {
        verify_chain(&self.authority, &self.roots, lists, now)?;
        verify_chain(&self.writer, &self.roots, lists, now)?;
        Ok(verify_chain(&self.node, &self.roots, lists, now)?)
    }

    fn claims(&self) -> Result<&Claims, HouseError> {
        self.node.leaf().claims().ok_or_else(|| HouseError::Foreign {
            path: files::NODE_CERTIFICATE.into(),
            expected: "a node".to_owned(),
            found: describe(self.node.leaf()),
        })
    }

    /// Where the unit stands.
    ///
    /// # Errors
    /// Never for one that a [`super::House`] gave out.
    pub fn unit(&self) -> Result<&UnitPath, HouseError> {
        self.claims().map(|claims| &claims.unit)
    }

    /// The reporting term that this node was appointed for, if it was.
    ///
    /// # Errors
    /// Never for one that a [`super::House`] gave out.
    pub fn term(&self) -> Result<Option<u64>, HouseError> {
        self.claims().map(|claims| claims.term)
    }
}

fn describe(certificate: &Certificate) -> String {
    format!("{} with key {}", certificate.subject(), certificate.key())
}

pub(super) fn read_chain(path: &Path) -> Result<Chain, HouseError> {
    let text = files::read_text(path)?;
    Chain::from_pem(&text)
        .map_err(|error| HouseError::Certificates { path: path.to_owned(), error })
}

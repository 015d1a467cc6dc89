//! Renewing: the same key, name and rights, a later end. The unit's authority renews its nodes, its
//! writers and its subordinates' authorities; a federation's root renews the first unit's.

use std::path::Path;

use reeve_statement::cert::{Certificate, Chain, CrlSet, Role, verify_chain};
use reeve_statement::key::KeyId;
use reeve_statement::time::Timestamp;

use super::House;
use super::authority::{Authority, Root};
use super::clerk::Clerk;
use super::error::HouseError;
use super::identity::Identity;

/// End of each certificate in a file of several.
const PEM_END: &str = "-----END CERTIFICATE-----";

impl House {
    /// Renews what this unit's authority issued to a subordinate unit, to a node and writer of this
    /// home by their label, or by serial number; of each key the certificate that ends last. Records
    /// what it issues, here and for the core to pass on.
    ///
    /// # Errors
    /// When nothing was issued to that, its last certificate was revoked, or a file cannot be written.
    pub fn renew_issued(
        &self,
        authority: &Authority,
        what: &str,
        clerk: &mut Clerk<'_>,
    ) -> Result<Vec<Chain>, HouseError> {
        let issuer = authority.key().public().key_id();
        let mut renewed = Vec::new();
        for certificate in self.last_issued(&issuer, what)? {
            let chain = authority.renew(&certificate, clerk)?;
            self.record_issued(chain.leaf())?;
            self.record_renewal(&chain)?;
            renewed.push(chain);
        }
        Ok(renewed)
    }

    /// Renews the first unit's authority with a root of the federation, and enters it.
    ///
    /// # Errors
    /// When this is not a node of the first unit, the certificate was revoked, or a file cannot be
    /// written.
    pub fn renew_first(&mut self, root: &Root, clerk: &mut Clerk<'_>) -> Result<Chain, HouseError> {
        let identity = self.identity()?;
        let held = identity.authority.leaf().clone();
        self.check_not_revoked(&root.certificate().key().key_id(), &held)?;
        let chain = root.renew(&held, clerk)?;
        let renewed = identity
            .re_anchored(&chain)
            .ok_or_else(|| HouseError::NotRenewed { subject: held.subject().to_owned() })?;
        self.record_issued(chain.leaf())?;
        self.enter(renewed)?;
        Ok(chain)
    }

    /// Of each key that a unit, label or serial number means, the certificate that ends last.
    pub(super) fn last_issued(
        &self,
        issuer: &KeyId,
        what: &str,
    ) -> Result<Vec<Certificate>, HouseError> {
        let mut last: Vec<Certificate> = Vec::new();
        for certificate in self.issued_to(issuer, what)? {
            let end = |it: &Certificate| it.validity().not_after;
            match last.iter_mut().find(|it| it.key() == certificate.key()) {
                Some(held) if end(held) >= end(&certificate) => {}
                Some(held) => *held = certificate,
                None => last.push(certificate),
            }
        }
        last.iter().try_for_each(|it| self.check_not_revoked(issuer, it))?;
        Ok(last)
    }

    fn check_not_revoked(
        &self,
        issuer: &KeyId,
        certificate: &Certificate,
    ) -> Result<(), HouseError> {
        let list = self.list_of(issuer)?;
        if list.is_some_and(|held| held.list.revoked().contains_key(certificate.serial())) {
            let subject = certificate.subject().to_owned();
            return Err(HouseError::WasRevoked { subject, serial: certificate.serial().clone() });
        }
        Ok(())
    }

    /// Takes renewed certificates that came in a file: of this node, its writer, or this unit's
    /// authority. Returns the chains as they came, for the running node.
    ///
    /// # Errors
    /// When one is not this house's, or does not verify; nothing is taken then.
    pub fn take_renewed(&mut self, text: &str, now: Timestamp) -> Result<Vec<Chain>, HouseError> {
        let chains = chains_of(text)?;
        let mut identity = self.identity()?.clone();
        let lists = self.checked_lists(now)?;
        for chain in &chains {
            verify_chain(chain, &identity.roots, &lists, now)?;
            identity = identity.with_renewed(chain).ok_or_else(|| HouseError::NotRenewed {
                subject: chain.leaf().subject().to_owned(),
            })?;
        }
        self.enter(identity)?;
        Ok(chains)
    }

    /// Keeps renewed chains of this node and its writer that the core put in force. What the folder
    /// holds already and ends later stays.
    ///
    /// # Errors
    /// When they are not chains, or a file cannot be read or written.
    pub fn keep_renewed(folder: &Path, node: &[u8], writer: &[u8]) -> Result<(), HouseError> {
        let mut house = Self::open(folder)?;
        let mut identity = house.identity()?.clone();
        let end = |chain: &Chain| chain.leaf().validity().not_after;
        let (node, writer) = (Chain::from_cbor(node)?, Chain::from_cbor(writer)?);
        if end(&node) >= end(&identity.node) {
            if let Some((authority, above)) = node.authorities().split_first() {
                identity.authority = Chain::new(authority.clone(), above.to_vec())?;
            }
            identity.node = node;
        }
        if end(&writer) >= end(&identity.writer) {
            identity.writer = writer;
        }
        if house.identity()? == &identity {
            return Ok(());
        }
        // One that was not verified is never written over one that was.
        identity.verify(&CrlSet::default(), crate::clock::wall())?;
        house.enter(identity)
    }
}

/// The label of a node or writer: the last word of its common name.
pub(super) fn label_of(certificate: &Certificate) -> Option<&str> {
    let common = certificate.subject().strip_prefix("CN=")?.split(',').next()?;
    let (rest, label) = common.rsplit_once(' ')?;
    (rest.ends_with(" node") || rest.ends_with(" writer")).then_some(label)
}

/// The chains of a file of PEM blocks: each begins with a node or writer, or the file does with an
/// authority.
pub(super) fn chains_of(text: &str) -> Result<Vec<Chain>, HouseError> {
    let mut chains: Vec<Vec<Certificate>> = Vec::new();
    for block in text.split_inclusive(PEM_END).filter(|part| part.contains(PEM_END)) {
        let chain = Chain::from_pem(block.trim_start())?;
        let certificate = chain.leaf().clone();
        let begins = certificate.claims().is_none_or(|claims| claims.role != Role::Authority);
        match chains.last_mut() {
            Some(last) if !begins => last.push(certificate),
            _ => chains.push(vec![certificate]),
        }
    }
    let joined = chains.into_iter().map(|certificates| {
        let mut certificates = certificates.into_iter();
        let leaf = certificates.next().ok_or(reeve_statement::cert::ChainError::Empty)?;
        Ok(Chain::new(leaf, certificates.collect())?)
    });
    let chains: Vec<Chain> = joined.collect::<Result<_, HouseError>>()?;
    if chains.is_empty() {
        return Err(reeve_statement::cert::ChainError::Empty.into());
    }
    Ok(chains)
}

impl Identity {
    /// With a renewed certificate of the authority; none if it is not later.
    fn re_anchored(&self, authority: &Chain) -> Option<Self> {
        let renewed: Vec<Certificate> = authority.certificates().cloned().collect();
        let anchored = |chain: &Chain| chain.re_anchored(&renewed).unwrap_or_else(|| chain.clone());
        self.node.re_anchored(&renewed)?;
        Some(Self {
            roots: self.roots.clone(),
            authority: authority.clone(),
            node: anchored(&self.node),
            writer: anchored(&self.writer),
        })
    }

    /// With a renewed chain in its place; none if it is of nobody here, or not later.
    fn with_renewed(&self, chain: &Chain) -> Option<Self> {
        let later = |held: &Chain| {
            let (old, new) = (held.leaf(), chain.leaf());
            old.key() == new.key() && new.validity().not_after > old.validity().not_after
        };
        let mut identity = self.clone();
        match chain.leaf().claims()?.role {
            Role::Authority => return self.re_anchored(chain),
            Role::Node if later(&self.node) => identity.node = chain.clone(),
            Role::Writer if later(&self.writer) => identity.writer = chain.clone(),
            Role::Node | Role::Writer => return None,
        }
        Some(identity)
    }
}

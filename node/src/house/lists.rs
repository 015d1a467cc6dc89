//! Revocation lists kept in the folder, and making the own one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reeve_statement::cert::{
    Certificate, Chain, Crl, CrlSet, Reason, Revocation, Role, Serial, StaleRule, verify_chain,
};
use reeve_statement::time::Timestamp;

use super::authority::Authority;
use super::clerk::Clerk;
use super::error::HouseError;
use super::identity::read_chain;
use super::{House, files};

/// A revocation list with the chain of the authority that signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldList {
    /// The authority's chain, itself first.
    pub chain: Chain,
    /// Its list.
    pub list: Crl,
}

impl House {
    fn list_files(&self, list: &Crl) -> (PathBuf, PathBuf) {
        let folder = self.folder().join(files::LISTS);
        let name = list.issuer_key_id().to_string();
        (folder.join(format!("{name}.crl.pem")), folder.join(format!("{name}.chain.pem")))
    }

    /// Keeps a list, over an older one of the same authority.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn keep_list(&self, held: &HeldList) -> Result<(), HouseError> {
        files::make_folder(&self.folder().join(files::LISTS))?;
        let (list, chain) = self.list_files(&held.list);
        files::replace(&chain, held.chain.to_pem().as_bytes())?;
        files::replace(&list, held.list.to_pem().as_bytes())
    }

    /// The lists kept in the folder.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn lists(&self) -> Result<Vec<HeldList>, HouseError> {
        let paths = files::list(&self.folder().join(files::LISTS), ".crl.pem")?;
        let mut lists = Vec::new();
        for path in paths {
            let list = Crl::from_pem(&files::read_text(&path)?)?;
            let chain = read_chain(&self.list_files(&list).1)?;
            lists.push(HeldList { chain, list });
        }
        Ok(lists)
    }

    /// The lists kept in the folder, each checked with its issuer's chain. One that cannot be
    /// checked is left out: it can neither revoke nor excuse anything.
    ///
    /// # Errors
    /// When a file cannot be read, or the node has not joined.
    pub fn checked_lists(&self, now: Timestamp) -> Result<CrlSet, HouseError> {
        let roots = &self.identity()?.roots;
        let mut set = CrlSet::new(StaleRule::default());
        for held in self.lists()? {
            let issuer = verify_chain(&held.chain, roots, &CrlSet::default(), now);
            if let Some(issuer) = issuer.ok().filter(|it| it.role() == Role::Authority) {
                let _ = set.insert(held.list, issuer.key());
            }
        }
        Ok(set)
    }

    /// Revokes certificates: makes this authority's next list and keeps it. An empty selection makes
    /// a list with what was revoked before, which renews it.
    ///
    /// # Errors
    /// When the list grew too long, or a file cannot be written.
    pub fn revoke(
        &self,
        authority: &Authority,
        serials: &[Serial],
        reason: Reason,
        clerk: &Clerk<'_>,
    ) -> Result<HeldList, HouseError> {
        let own = authority.key().public().key_id();
        let last = self.lists()?.into_iter().map(|held| held.list);
        let last = last.into_iter().find(|list| list.issuer_key_id() == own);
        let mut revoked: BTreeMap<Serial, Revocation> =
            last.as_ref().map(|list| list.revoked().clone()).unwrap_or_default();
        let at = Timestamp::from_seconds(clerk.now.as_seconds());
        for serial in serials {
            revoked.entry(serial.clone()).or_insert(Revocation { at, reason });
        }
        let number = last.map_or(1, |list| list.number().saturating_add(1));
        let list = authority.revocation_list(number, &revoked, clerk)?;
        let held = HeldList { chain: authority.chain().clone(), list };
        self.keep_list(&held)?;
        Ok(held)
    }

    /// The certificates that this authority issued to a subordinate unit, or the one with a serial
    /// number.
    ///
    /// # Errors
    /// When there is none, or a file cannot be read.
    pub fn issued_to(&self, unit_or_serial: &str) -> Result<Vec<Certificate>, HouseError> {
        let own = &self.config().unit;
        let serial = Serial::from_hex(unit_or_serial);
        let mut found = self.issued()?;
        found.retain(|certificate| {
            let claims = certificate.claims();
            let unit = claims.map(|claims| claims.unit.leaf()).filter(|unit| *unit != own);
            unit.is_some_and(|unit| unit.as_str() == unit_or_serial)
                || serial.as_ref() == Some(certificate.serial())
        });
        if found.is_empty() {
            let folder = self.folder().join(files::ISSUED);
            return Err(HouseError::NeverIssued { what: unit_or_serial.to_owned(), folder });
        }
        Ok(found)
    }
}

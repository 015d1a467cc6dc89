//! Revocation lists kept in the folder, and making the own one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reeve_statement::cert::{
    Certificate, Chain, ChainError, Crl, CrlSet, Reason, Revocation, Role, RootList, Serial,
    StaleRule, issuer_of_list,
};
use reeve_statement::key::{KeyId, PublicKey};
use reeve_statement::time::Timestamp;

use super::authority::{Authority, Root};
use super::clerk::Clerk;
use super::error::HouseError;
use super::identity::read_chain;
use super::renewal::label_of;
use super::{House, files};

/// A revocation list with the chain of the authority that signed it; a root's list has no chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldList {
    /// The authority's chain, itself first; none: a root of the federation signed it.
    pub chain: Option<Chain>,
    /// Its list.
    pub list: Crl,
}

/// Why something is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grounds {
    /// The reason.
    pub reason: Reason,
    /// Since when others have the key, or may have it; none: nothing is said.
    pub since: Option<Timestamp>,
}

impl From<Reason> for Grounds {
    fn from(reason: Reason) -> Self {
        Self { reason, since: None }
    }
}

impl HeldList {
    /// The key that it must be signed with.
    ///
    /// # Errors
    /// When its issuer's chain does not verify, or there is no such root.
    pub fn issuer(&self, roots: &RootList, now: Timestamp) -> Result<PublicKey, ChainError> {
        issuer_of_list(&self.list, self.chain.as_ref(), roots, &CrlSet::default(), now)
    }
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
        if let Some(issuer) = &held.chain {
            files::replace(&chain, issuer.to_pem().as_bytes())?;
        }
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
            let path = self.list_files(&list).1;
            let chain = path.exists().then(|| read_chain(&path)).transpose()?;
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
            let issuer = held.issuer(roots, now);
            if let Ok(issuer) = issuer {
                let _ = set.insert(held.list, &issuer);
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
        grounds: impl Into<Grounds>,
        clerk: &Clerk<'_>,
    ) -> Result<HeldList, HouseError> {
        let next =
            self.next_list(&authority.key().public().key_id(), serials, grounds.into(), clerk)?;
        let list = authority.revocation_list(next.0, &next.1, clerk)?;
        let held = HeldList { chain: Some(authority.chain().clone()), list };
        self.keep_list(&held)?;
        Ok(held)
    }

    /// Revokes authorities that a root of the federation certified: makes the root's next list and
    /// keeps it.
    ///
    /// # Errors
    /// As [`House::revoke`].
    pub fn revoke_by_root(
        &self,
        root: &Root,
        serials: &[Serial],
        grounds: impl Into<Grounds>,
        clerk: &Clerk<'_>,
    ) -> Result<HeldList, HouseError> {
        let next = self.next_list(&root.key().public().key_id(), serials, grounds.into(), clerk)?;
        let list = root.revocation_list(next.0, &next.1, clerk)?;
        let held = HeldList { chain: None, list };
        self.keep_list(&held)?;
        Ok(held)
    }

    /// The list that an issuer made last, if it made one.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn list_of(&self, issuer: &KeyId) -> Result<Option<HeldList>, HouseError> {
        Ok(self.lists()?.into_iter().find(|held| held.list.issuer_key_id() == *issuer))
    }

    /// Number and content of an issuer's next list.
    fn next_list(
        &self,
        issuer: &KeyId,
        serials: &[Serial],
        Grounds { reason, since }: Grounds,
        clerk: &Clerk<'_>,
    ) -> Result<(u64, BTreeMap<Serial, Revocation>), HouseError> {
        let last = self.list_of(issuer)?.map(|held| held.list);
        let mut revoked = last.as_ref().map(|list| list.revoked().clone()).unwrap_or_default();
        for serial in serials {
            let new = Revocation { at: clerk.second(), reason, since };
            let held = revoked.entry(serial.clone()).or_insert(new);
            // That the key was in other hands, and for how long, may turn out after it was revoked.
            if new.exposes_key() && (!held.exposes_key() || new.begins() < held.begins()) {
                *held = Revocation { at: held.at, ..new };
            }
        }
        Ok((last.map_or(1, |list| list.number().saturating_add(1)), revoked))
    }

    /// What an issuer (this unit's authority, or a root) issued to the authority of a unit, to a node
    /// and writer of this home by their label, or by serial number: the first of these that there is.
    /// All certificates of the same keys are meant, also earlier ones: who holds the key can still
    /// show them.
    ///
    /// # Errors
    /// When there is none, or a file cannot be read.
    pub fn issued_to(&self, issuer: &KeyId, what: &str) -> Result<Vec<Certificate>, HouseError> {
        let serial = Serial::from_hex(what);
        let mut all = self.issued()?;
        // What a root certified is recorded at the founder only; the chain says it too.
        let above = self.identity()?.authority.certificates();
        all.extend(above.filter(|it| !all.contains(it)).cloned().collect::<Vec<_>>());
        all.retain(|it| it.authority_key_id() == *issuer);
        let is_serial = |it: &&Certificate| serial.as_ref() == Some(it.serial());
        let is_unit = |it: &&Certificate| is_authority_of(it, what);
        let is_label = |it: &&Certificate| label_of(it) == Some(what);
        let ways: [&dyn Fn(&&Certificate) -> bool; 3] = [&is_serial, &is_unit, &is_label];
        let keys = ways.into_iter().map(|way| {
            let meant = all.iter().filter(|it| way(it));
            meant.map(|it| *it.key()).collect::<Vec<_>>()
        });
        let keys = keys.into_iter().find(|keys| !keys.is_empty()).unwrap_or_default();
        let found: Vec<Certificate> =
            all.into_iter().filter(|it| keys.contains(it.key())).collect();
        if found.is_empty() {
            let folder = self.folder().join(files::ISSUED);
            return Err(HouseError::NeverIssued { what: what.to_owned(), folder });
        }
        Ok(found)
    }
}

fn is_authority_of(certificate: &Certificate, unit: &str) -> bool {
    let claims = certificate.claims().filter(|it| it.role == Role::Authority);
    claims.is_some_and(|claims| claims.unit.leaf().as_str() == unit)
}

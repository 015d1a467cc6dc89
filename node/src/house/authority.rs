//! A root or authority with its key at hand, and what it issues. Nothing here touches a file.

use std::collections::BTreeMap;

use reeve_statement::catalogue::Catalogue;
use reeve_statement::cert::{
    Actions, AuthorityGrant, Certificate, Chain, Crl, Domain, IssueError, Issuer, Loss, NodeGrant,
    Revocation, Role, RootList, Serial, Step, Succession, Way, WriterGrant, issue_root,
};
use reeve_statement::cose;
use reeve_statement::digest::FederationId;
use reeve_statement::key::{PublicKey, SecretKey};
use reeve_statement::names::KindId;
use reeve_statement::statement::{Audience, Body, Onward, Statement, VERSION};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use super::clerk::Clerk;
use super::error::HouseError;

/// A federation's root with its key.
#[derive(Debug)]
pub struct Root {
    key: SecretKey,
    certificate: Certificate,
    roots: RootList,
}

impl Root {
    /// The root of a new federation.
    ///
    /// # Errors
    /// When there is no randomness, or the domain does not fit a certificate.
    pub fn genesis(domain: &Domain, clerk: &mut Clerk<'_>) -> Result<Self, HouseError> {
        let key = clerk.entropy().secret_key()?;
        let stamp = clerk.stamp(clerk.lifetimes.root_days, None)?;
        let certificate = issue_root(domain, &key, &stamp)?;
        let roots = RootList::genesis(std::slice::from_ref(&certificate))?;
        Ok(Self { key, certificate, roots })
    }

    /// A root of a federation that exists, by its key.
    ///
    /// # Errors
    /// [`HouseError::NotARoot`] if none of the federation's roots has this key.
    pub fn of(key: SecretKey, roots: &RootList) -> Result<Self, HouseError> {
        let public = key.public();
        let certificate = roots.root_with_key(&public.key_id());
        let certificate = certificate.filter(|root| *root.key() == public).cloned();
        let certificate =
            certificate.ok_or_else(|| HouseError::NotARoot { federation: roots.federation() })?;
        Ok(Self { key, certificate, roots: roots.clone() })
    }

    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Signs the list of every authority that this root revoked.
    ///
    /// # Errors
    /// When the list grew too long.
    pub fn revocation_list(
        &self,
        number: u64,
        revoked: &BTreeMap<Serial, Revocation>,
        clerk: &Clerk<'_>,
    ) -> Result<Crl, HouseError> {
        let issuer = Issuer::new(&self.certificate, &self.key)?;
        Ok(issuer.crl(number, clerk.second(), clerk.next_list(), revoked)?)
    }

    /// Its key.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// The federation's root list.
    pub fn roots(&self) -> &RootList {
        &self.roots
    }

    /// Certifies an authority again, for as long as a new one.
    ///
    /// # Errors
    /// When a value does not fit a certificate.
    pub fn renew(&self, held: &Certificate, clerk: &mut Clerk<'_>) -> Result<Chain, HouseError> {
        let issuer = Issuer::new(&self.certificate, &self.key)?;
        Ok(Chain::new(certify_again(&issuer, held, None, clerk)?, Vec::new())?)
    }

    /// Certifies the authority of the federation's first unit.
    ///
    /// # Errors
    /// When a value does not fit a certificate.
    pub fn first_unit(
        &self,
        unit: &UnitId,
        level: &str,
        key: PublicKey,
        clerk: &mut Clerk<'_>,
    ) -> Result<Chain, HouseError> {
        let issuer = Issuer::new(&self.certificate, &self.key)?;
        let certificate = certify(&issuer, (unit, level, key), Actions::all(), None, clerk)?;
        Ok(Chain::new(certificate, Vec::new())?)
    }

    /// Certifies the authority of the first unit with another key.
    ///
    /// # Errors
    /// When a value does not fit a certificate.
    pub fn rekey(
        &self,
        held: &Certificate,
        key: PublicKey,
        succession: Succession,
        clerk: &mut Clerk<'_>,
    ) -> Result<Chain, HouseError> {
        let issuer = Issuer::new(&self.certificate, &self.key)?;
        Ok(Chain::new(certify_again(&issuer, held, Some((key, succession)), clerk)?, Vec::new())?)
    }
}

/// A unit's authority with its key.
#[derive(Debug, Clone)]
pub struct Authority {
    key: SecretKey,
    chain: Chain,
}

impl Authority {
    /// Joins an authority's key with its chain, itself first.
    ///
    /// # Errors
    /// When the key is not the certificate's, or it is not an authority's.
    pub fn new(key: SecretKey, chain: Chain) -> Result<Self, IssueError> {
        Issuer::new(chain.leaf(), &key)?;
        if chain.leaf().claims().is_none() {
            return Err(IssueError::NotAnAuthority { subject: chain.leaf().subject().to_owned() });
        }
        Ok(Self { key, chain })
    }

    /// Its chain, itself first.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Its key.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// Where its unit stands.
    ///
    /// # Errors
    /// Never for one that [`Authority::new`] made.
    pub fn unit(&self) -> Result<&UnitPath, HouseError> {
        let claims = self.chain.leaf().claims();
        let subject = || self.chain.leaf().subject().to_owned();
        let claims = claims.ok_or_else(|| IssueError::NotAnAuthority { subject: subject() })?;
        Ok(&claims.unit)
    }

    /// Signs a catalogue for everybody at and below this unit.
    ///
    /// # Errors
    /// When it is too large for a statement.
    pub fn sign_catalogue(
        &self,
        federation: FederationId,
        catalogue: Catalogue,
        now: Timestamp,
    ) -> Result<Vec<u8>, HouseError> {
        let statement = Statement {
            version: VERSION,
            federation,
            issuer: self.unit()?.clone(),
            // An authority does not report; the term is that of its first node.
            term: 1,
            audience: Audience::Federation,
            onward: Onward::Anyone,
            issued_at: now,
            valid_until: None,
            witnessed: None,
            body: Body::Catalogue(catalogue),
        };
        Ok(cose::sign(&statement, &self.key, &self.chain)?.to_bytes())
    }

    /// Certifies the authority of a unit directly below.
    ///
    /// # Errors
    /// When no further level is allowed, or a value does not fit a certificate.
    pub fn subordinate(
        &self,
        unit: &UnitId,
        level: &str,
        key: PublicKey,
        clerk: &mut Clerk<'_>,
    ) -> Result<Chain, HouseError> {
        let whom = (unit, level, key);
        self.below(certify(&self.issuer()?, whom, Actions::all(), None, clerk)?)
    }

    /// Certifies the authority of a unit directly below that audits and reports nothing: neither it nor
    /// anything that it certifies may do more, and it has no units below it.
    ///
    /// # Errors
    /// As [`Authority::subordinate`].
    pub fn auditor(
        &self,
        unit: &UnitId,
        level: &str,
        key: PublicKey,
        clerk: &mut Clerk<'_>,
    ) -> Result<Chain, HouseError> {
        let whom = (unit, level, key);
        self.below(certify(&self.issuer()?, whom, of_auditor(), None, clerk)?)
    }

    /// Certifies the authority of a unit directly below that joins anew, in place of the one that was
    /// certified last.
    ///
    /// # Errors
    /// As [`Authority::subordinate`].
    pub fn subordinate_anew(
        &self,
        held: &Certificate,
        level: &str,
        key: PublicKey,
        clerk: &mut Clerk<'_>,
    ) -> Result<Chain, HouseError> {
        let claims = held.claims();
        let unit = claims.map(|claims| claims.unit.leaf().clone());
        let unit =
            unit.ok_or_else(|| IssueError::NotAnAuthority { subject: held.subject().to_owned() })?;
        let actions = held.actions().clone();
        if *held.key() == key {
            let whom = (&unit, level, key);
            return self.below(certify(&self.issuer()?, whom, actions, None, clerk)?);
        }
        let way = Way::Replaced { loss: Loss::JoinedAnew, at: clerk.second() };
        let step = Step { previous: held.key().to_bytes(), way };
        let succession = Succession::after(step, claims.and_then(|it| it.succession.as_ref()));
        let issuer = self.issuer()?;
        let whom = (&unit, level, key);
        let certificate = certify(&issuer, whom, actions, Some(succession), clerk)?;
        self.below(certificate)
    }

    /// Certifies the authority of a unit directly below with another key.
    ///
    /// # Errors
    /// As [`Authority::subordinate`].
    pub fn rekey(
        &self,
        held: &Certificate,
        key: PublicKey,
        succession: Succession,
        clerk: &mut Clerk<'_>,
    ) -> Result<Chain, HouseError> {
        self.below(certify_again(&self.issuer()?, held, Some((key, succession)), clerk)?)
    }

    /// Certifies a node of the own unit, with the reporting term that it is appointed for, if any.
    ///
    /// # Errors
    /// When a value does not fit a certificate.
    pub fn node(
        &self,
        label: &str,
        key: PublicKey,
        term: Option<u64>,
        clerk: &mut Clerk<'_>,
    ) -> Result<Chain, HouseError> {
        let stamp = clerk.stamp(clerk.lifetimes.node_days, Some(self.chain.leaf()))?;
        // No more than this authority may itself: more would not count.
        let actions = Actions::of_node().narrowed_by(self.chain.leaf().actions());
        let grant = NodeGrant { label: label.to_owned(), key, actions, term };
        self.below(self.issuer()?.node(&grant, &stamp)?)
    }

    /// Certifies a writer of the own unit for these kinds.
    ///
    /// # Errors
    /// When a value does not fit a certificate.
    pub fn writer(
        &self,
        label: &str,
        key: PublicKey,
        kinds: &[KindId],
        clerk: &mut Clerk<'_>,
    ) -> Result<Chain, HouseError> {
        let stamp = clerk.stamp(clerk.lifetimes.node_days, Some(self.chain.leaf()))?;
        let actions = [reeve_statement::cert::Action::Write].into_iter().collect();
        let grant = WriterGrant { label: label.to_owned(), key, actions, kinds: kinds.to_vec() };
        self.below(self.issuer()?.writer(&grant, &stamp)?)
    }

    /// Certifies again what this authority issued: the same key, name and rights, for as long as a
    /// new one.
    ///
    /// # Errors
    /// When this authority did not issue it, or a value does not fit a certificate.
    pub fn renew(&self, held: &Certificate, clerk: &mut Clerk<'_>) -> Result<Chain, HouseError> {
        if !held.is_signed_by(&self.key.public()) {
            return Err(HouseError::NotIssuedHere { subject: held.subject().to_owned() });
        }
        self.again(held, clerk)
    }

    /// The same, also of what this unit's authority issued with an earlier key.
    pub(super) fn again(
        &self,
        held: &Certificate,
        clerk: &mut Clerk<'_>,
    ) -> Result<Chain, HouseError> {
        let claims = held.claims();
        let claims = claims
            .ok_or_else(|| HouseError::NotIssuedHere { subject: held.subject().to_owned() })?;
        let issuer = self.issuer()?;
        let label = super::renewal::label_of(held).unwrap_or_default().to_owned();
        let (key, actions) = (*held.key(), held.actions().clone());
        let days = clerk.lifetimes.node_days;
        let certificate = match claims.role {
            Role::Authority => certify_again(&issuer, held, None, clerk)?,
            Role::Node => {
                let grant = NodeGrant { label, key, actions, term: claims.term };
                issuer.node(&grant, &clerk.stamp(days, Some(self.chain.leaf()))?)?
            }
            Role::Writer => {
                let kinds = claims.writable_kinds.clone();
                let grant = WriterGrant { label, key, actions, kinds };
                issuer.writer(&grant, &clerk.stamp(days, Some(self.chain.leaf()))?)?
            }
        };
        self.below(certificate)
    }

    /// Signs the list of everything that this authority revoked.
    ///
    /// # Errors
    /// When the list grew too long.
    pub fn revocation_list(
        &self,
        number: u64,
        revoked: &BTreeMap<Serial, Revocation>,
        clerk: &Clerk<'_>,
    ) -> Result<Crl, HouseError> {
        Ok(self.issuer()?.crl(number, clerk.second(), clerk.next_list(), revoked)?)
    }

    fn issuer(&self) -> Result<Issuer<'_>, IssueError> {
        Issuer::new(self.chain.leaf(), &self.key)
    }

    fn below(&self, certificate: Certificate) -> Result<Chain, HouseError> {
        Ok(Chain::new(certificate, self.chain.certificates().cloned().collect())?)
    }
}

/// What an auditor may do, and all that it may.
fn of_auditor() -> Actions {
    [reeve_statement::cert::Action::Audit].into_iter().collect()
}

fn certify(
    issuer: &Issuer<'_>,
    (unit, level, key): (&UnitId, &str, PublicKey),
    actions: Actions,
    succession: Option<Succession>,
    clerk: &mut Clerk<'_>,
) -> Result<Certificate, HouseError> {
    let stamp = clerk.stamp(clerk.lifetimes.authority_days, Some(issuer.certificate()))?;
    let levels = issuer.certificate().levels_below().unwrap_or(0);
    let left = levels.checked_sub(1).ok_or(IssueError::NoLevelLeft)?;
    let grant = AuthorityGrant {
        unit: unit.clone(),
        level: level.to_owned(),
        key,
        levels_below: if actions == of_auditor() { 0 } else { left },
        actions,
    };
    Ok(issuer.authority_after(&grant, succession, &stamp)?)
}

/// An authority's certificate once more, with another key if there is one. It may not reach further down
/// than its issuer does now.
fn certify_again(
    issuer: &Issuer<'_>,
    held: &Certificate,
    rekeyed: Option<(PublicKey, Succession)>,
    clerk: &mut Clerk<'_>,
) -> Result<Certificate, HouseError> {
    let claims = held.claims().filter(|claims| claims.role == Role::Authority);
    let claims =
        claims.ok_or_else(|| IssueError::NotAnAuthority { subject: held.subject().to_owned() })?;
    let stamp = clerk.stamp(clerk.lifetimes.authority_days, Some(issuer.certificate()))?;
    let allowed = issuer.certificate().levels_below().and_then(|levels| levels.checked_sub(1));
    let allowed = allowed.ok_or(IssueError::NoLevelLeft)?;
    let (key, succession) = match rekeyed {
        Some((key, succession)) => (key, Some(succession)),
        None => (*held.key(), claims.succession.clone()),
    };
    let grant = AuthorityGrant {
        unit: claims.unit.leaf().clone(),
        level: claims.level.clone(),
        key,
        actions: held.actions().clone(),
        levels_below: held.levels_below().unwrap_or(0).min(allowed),
    };
    Ok(issuer.authority_after(&grant, succession, &stamp)?)
}

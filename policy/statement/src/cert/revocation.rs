//! Certificate revocation lists: each authority's list of what it has issued and withdrawn.
//!
//! A list is kept per issuer key. It replaces an older one only with a higher number, and only after
//! its signature was checked with that key, so nobody can hide a revocation or push a list aside.
//! When lists cannot be refreshed, [`StaleRule`] says for how long an overdue one still counts; there
//! is no silent stop and no silent trust.
//!
//! Specification: RFC 5280 section 5 (version 2 lists with number, next update, reasons and invalidity
//! dates).

use std::collections::BTreeMap;
use std::fmt;

use der::asn1::{GeneralizedTime, Uint};
use der::oid::AssociatedOid as _;
use der::oid::db::rfc5280::ID_CE_INVALIDITY_DATE;
use der::pem::LineEnding;
use der::{Decode as _, Encode as _};
use x509_cert::Version;
use x509_cert::crl::{CertificateList, RevokedCert, TbsCertList};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlNumber, CrlReason};
use x509_cert::serial_number::SerialNumber;

use super::MAX_CRL_BYTES;
use super::build;
use super::certificate::{CertificateError, Serial};
use super::chain::{Chain, ChainError};
use super::claims::Role;
use super::issue::{IssueError, Issuer};
use super::profile::check_algorithm;
use super::roots::RootList;
use super::verify::{check_validity, verify_chain};
use crate::key::{KeyId, PublicKey, Signature};
use crate::time::Timestamp;

/// Most lists that are kept: one for each authority of a large federation.
pub const MAX_LISTS: usize = 65_536;
/// PEM label of a list (RFC 7468).
const PEM_LABEL: &str = "X509 CRL";

/// Why a certificate was revoked (RFC 5280 section 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing was said.
    Unspecified,
    /// The key was, or may have been, seen by others.
    KeyCompromise,
    /// An authority's key was, or may have been, seen by others.
    AuthorityCompromise,
    /// The unit changed its place or name.
    AffiliationChanged,
    /// A newer certificate replaces it.
    Superseded,
    /// The unit or node no longer exists.
    CessationOfOperation,
    /// What it permitted was withdrawn.
    PrivilegeWithdrawn,
}

impl Reason {
    fn code(self) -> CrlReason {
        match self {
            Self::Unspecified => CrlReason::Unspecified,
            Self::KeyCompromise => CrlReason::KeyCompromise,
            Self::AuthorityCompromise => CrlReason::CaCompromise,
            Self::AffiliationChanged => CrlReason::AffiliationChanged,
            Self::Superseded => CrlReason::Superseded,
            Self::CessationOfOperation => CrlReason::CessationOfOperation,
            Self::PrivilegeWithdrawn => CrlReason::PrivilegeWithdrawn,
        }
    }

    /// Reasons that we do not write (holds, attribute authorities) still revoke.
    fn of(code: CrlReason) -> Self {
        match code {
            CrlReason::KeyCompromise => Self::KeyCompromise,
            CrlReason::CaCompromise => Self::AuthorityCompromise,
            CrlReason::AffiliationChanged => Self::AffiliationChanged,
            CrlReason::Superseded => Self::Superseded,
            CrlReason::CessationOfOperation => Self::CessationOfOperation,
            CrlReason::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
            _ => Self::Unspecified,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "no reason given",
            Self::KeyCompromise => "key compromise",
            Self::AuthorityCompromise => "authority compromise",
            Self::AffiliationChanged => "affiliation changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation of operation",
            Self::PrivilegeWithdrawn => "privilege withdrawn",
        })
    }
}

/// When and why one certificate was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// When, in whole seconds.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// Since when the key is known or feared to have been in other hands, in whole seconds (RFC 5280 section
    /// 5.3.2); none: nothing is said.
    pub since: Option<Timestamp>,
}

impl Revocation {
    /// From when on what the key signed counts for nothing: since it was in other hands, or was revoked.
    #[must_use]
    pub fn begins(&self) -> Timestamp {
        self.since.map_or(self.at, |since| since.min(self.at))
    }

    /// Whether others may have signed with the key, with any date that they liked.
    #[must_use]
    pub const fn exposes_key(&self) -> bool {
        matches!(self.reason, Reason::KeyCompromise | Reason::AuthorityCompromise)
    }
}

/// One authority's list, in right form. Its signature is checked when it joins a [`CrlSet`].
#[derive(Clone, PartialEq, Eq)]
pub struct Crl {
    der: Vec<u8>,
    to_be_signed: Vec<u8>,
    signature: Signature,
    issuer: String,
    issuer_key: KeyId,
    number: u64,
    this_update: Timestamp,
    next_update: Timestamp,
    revoked: BTreeMap<Serial, Revocation>,
}

impl Crl {
    /// Reads DER.
    ///
    /// # Errors
    /// Says what is too long, not DER, or outside the profile.
    pub fn from_der(der: &[u8]) -> Result<Self, CrlError> {
        if der.len() > MAX_CRL_BYTES {
            return Err(CrlError::TooLong { found: der.len() });
        }
        let list = CertificateList::from_der(der)?;
        if list.to_der()? != der {
            return Err(CrlError::NotDer);
        }
        parse(&list, der)
    }

    /// Reads one PEM block.
    ///
    /// # Errors
    /// As [`Crl::from_der`], and when the text is not a PEM block `X509 CRL`.
    pub fn from_pem(text: &str) -> Result<Self, CrlError> {
        match der::Document::from_pem(text) {
            Ok((PEM_LABEL, der)) => Self::from_der(der.as_bytes()),
            _ => Err(CrlError::NotPem),
        }
    }

    /// The list as a PEM block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        der::pem::encode_string(PEM_LABEL, LineEnding::LF, &self.der).unwrap_or_default()
    }

    /// The DER bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Subject of the authority that issued it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Key identifier of the authority that issued it.
    #[must_use]
    pub fn issuer_key_id(&self) -> KeyId {
        self.issuer_key
    }

    /// Counts up with each list of an issuer.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When it was made.
    #[must_use]
    pub fn this_update(&self) -> Timestamp {
        self.this_update
    }

    /// When the next one is due at the latest.
    #[must_use]
    pub fn next_update(&self) -> Timestamp {
        self.next_update
    }

    /// The revoked certificates by serial number.
    #[must_use]
    pub fn revoked(&self) -> &BTreeMap<Serial, Revocation> {
        &self.revoked
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl({}, number {}, {} revoked)", self.issuer, self.number, self.revoked.len())
    }
}

fn parse(list: &CertificateList, der: &[u8]) -> Result<Crl, CrlError> {
    let tbs = &list.tbs_cert_list;
    check_algorithm(&list.signature_algorithm)?;
    check_algorithm(&tbs.signature)?;
    if tbs.version != Version::V2 {
        return Err(CrlError::Profile("it must be a version 2 list"));
    }
    let (issuer_key, number) = read_extensions(tbs.crl_extensions.as_deref().unwrap_or(&[]))?;
    let next_update =
        tbs.next_update.ok_or(CrlError::Profile("it must say when the next is due"))?;
    let signature = list.signature.as_bytes().unwrap_or_default();
    Ok(Crl {
        der: der.to_vec(),
        to_be_signed: tbs.to_der()?,
        signature: Signature::from_bytes(signature)
            .map_err(|_| CrlError::Profile("its signature must have 64 bytes"))?,
        issuer: tbs.issuer.to_string(),
        issuer_key,
        number,
        this_update: build::timestamp(tbs.this_update),
        next_update: build::timestamp(next_update),
        revoked: read_entries(tbs.revoked_certificates.as_deref().unwrap_or(&[]))?,
    })
}

fn read_extensions(extensions: &[Extension]) -> Result<(KeyId, u64), CrlError> {
    let (mut key, mut number) = (None, None);
    for extension in extensions {
        let value = extension.extn_value.as_bytes();
        match extension.extn_id {
            AuthorityKeyIdentifier::OID => {
                let identifier = AuthorityKeyIdentifier::from_der(value)?.key_identifier;
                key = identifier.and_then(|octets| KeyId::from_bytes(octets.as_bytes()));
            }
            CrlNumber::OID => number = small(&CrlNumber::from_der(value)?.0),
            _ if extension.critical => {
                return Err(CrlError::Profile(
                    "it has a critical extension that is not understood",
                ));
            }
            _ => {}
        }
    }
    let key = key.ok_or(CrlError::Profile("it must name its issuer's key (20 bytes)"))?;
    Ok((key, number.ok_or(CrlError::Profile("it must have a number below 2^64"))?))
}

fn small(number: &Uint) -> Option<u64> {
    let bytes = number.as_bytes();
    let mut padded = [0u8; 8];
    let start = padded.len().checked_sub(bytes.len())?;
    padded.get_mut(start..)?.copy_from_slice(bytes);
    Some(u64::from_be_bytes(padded))
}

fn read_entries(entries: &[RevokedCert]) -> Result<BTreeMap<Serial, Revocation>, CrlError> {
    let mut revoked = BTreeMap::new();
    for entry in entries {
        let (mut reason, mut since) = (Reason::Unspecified, None);
        for extension in entry.crl_entry_extensions.as_deref().unwrap_or(&[]) {
            if extension.extn_id == CrlReason::OID {
                reason = Reason::of(CrlReason::from_der(extension.extn_value.as_bytes())?);
            } else if extension.extn_id == ID_CE_INVALIDITY_DATE {
                let date = GeneralizedTime::from_der(extension.extn_value.as_bytes())?;
                since = Some(build::timestamp(date.into()));
            } else if extension.critical {
                return Err(CrlError::Profile("an entry has an extension that is not understood"));
            }
        }
        let revocation = Revocation { at: build::timestamp(entry.revocation_date), reason, since };
        let serial = Serial::trimmed(entry.serial_number.as_bytes());
        if revoked.insert(serial, revocation).is_some() {
            return Err(CrlError::Profile("a serial number occurs twice"));
        }
    }
    Ok(revoked)
}

impl Issuer<'_> {
    /// Signs a list of everything this authority has revoked.
    ///
    /// # Errors
    /// When a value does not fit its field, or the list grew too long.
    pub fn crl(
        &self,
        number: u64,
        this_update: Timestamp,
        next_update: Timestamp,
        revoked: &BTreeMap<Serial, Revocation>,
    ) -> Result<Crl, CrlError> {
        let key_id = self.certificate().key().key_id();
        let entries = revoked.iter().map(entry).collect::<Result<Vec<_>, IssueError>>()?;
        let extensions = vec![
            build::extension(AuthorityKeyIdentifier::OID, false, &build::authority_key(&key_id)?)?,
            build::extension(CrlNumber::OID, false, &CrlNumber::try_from(number)?)?,
        ];
        let tbs_cert_list = TbsCertList {
            version: Version::V2,
            signature: build::ed25519(),
            issuer: self.certificate().parsed().subject.clone(),
            this_update: build::time(this_update)?,
            next_update: Some(build::time(next_update)?),
            revoked_certificates: (!entries.is_empty()).then_some(entries),
            crl_extensions: Some(extensions),
        };
        let signature = build::signature_over(&tbs_cert_list.to_der()?, self.key())?;
        let signature_algorithm = build::ed25519();
        let list = CertificateList { tbs_cert_list, signature_algorithm, signature };
        Crl::from_der(&list.to_der()?)
    }
}

fn entry((serial, revocation): (&Serial, &Revocation)) -> Result<RevokedCert, IssueError> {
    // RFC 5280 section 5.3.1: "unspecified" is said by saying nothing.
    let mut extensions = Vec::new();
    if revocation.reason != Reason::Unspecified {
        extensions.push(build::extension(CrlReason::OID, false, &revocation.reason.code())?);
    }
    if let Some(since) = revocation.since {
        let date = GeneralizedTime::from_date_time(build::date_time(since)?);
        extensions.push(build::extension(ID_CE_INVALIDITY_DATE, false, &date)?);
    }
    Ok(RevokedCert {
        serial_number: SerialNumber::new(serial.as_bytes())?,
        revocation_date: build::time(revocation.at)?,
        crl_entry_extensions: (!extensions.is_empty()).then_some(extensions),
    })
}

/// The key that a list must be signed with: that of the authority whose chain came with the list; when
/// none came, that of the federation's root which the list names. A root stands above all chains.
///
/// # Errors
/// When the chain does not verify or is not an authority's, or the list names no root of the
/// federation that is valid now.
pub fn issuer_of_list(
    list: &Crl,
    chain: Option<&Chain>,
    roots: &RootList,
    crls: &CrlSet,
    at: Timestamp,
) -> Result<PublicKey, ChainError> {
    if let Some(chain) = chain {
        let verified = verify_chain(chain, roots, crls, at)?;
        return match verified.role() {
            Role::Authority => Ok(*verified.key()),
            _ => Err(ChainError::NotAnAuthority { subject: chain.leaf().subject().to_owned() }),
        };
    }
    let root = roots.root_with_key(&list.issuer_key_id()).ok_or_else(|| {
        let (subject, federation) = (list.issuer().to_owned(), roots.federation());
        ChainError::WrongFederation { subject, federation }
    })?;
    check_validity(root, at)?;
    Ok(*root.key())
}

/// How a verifier treats lists that are overdue or were never received. Declared by configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaleRule {
    /// For how many milliseconds after its next update was due a list still counts.
    pub overdue_millis: i64,
    /// Whether an authority without any list is refused. False during joining, when a node has not
    /// yet received the lists of its chain.
    pub require_lists: bool,
}

impl Default for StaleRule {
    /// Thirty days of grace, and a list is not required: an authority that has revoked nothing may
    /// not have made one.
    fn default() -> Self {
        Self { overdue_millis: 30 * 24 * 3_600 * 1_000, require_lists: false }
    }
}

/// The newest verified list of each authority.
#[derive(Clone, Debug, Default)]
pub struct CrlSet {
    lists: BTreeMap<PublicKey, Crl>,
    rule: StaleRule,
    generation: u64,
}

impl CrlSet {
    /// An empty set under a rule.
    #[must_use]
    pub fn new(rule: StaleRule) -> Self {
        Self { rule, ..Self::default() }
    }

    /// Adds a list after checking it with the key of its issuer, which the caller takes from a
    /// verified chain. Returns whether it is news; the same list again is not.
    ///
    /// # Errors
    /// When it is another authority's, badly signed, older than what we hold, or differs from a list
    /// of the same number (then the authority signed two, which must be reported).
    pub fn insert(&mut self, crl: Crl, issuer: &PublicKey) -> Result<bool, CrlError> {
        if crl.issuer_key != issuer.key_id() {
            return Err(CrlError::OtherIssuer { issuer: crl.issuer });
        }
        let checked = issuer.verify(&crl.to_be_signed, &crl.signature);
        checked.map_err(|_| CrlError::BadSignature { issuer: crl.issuer.clone() })?;
        if let Some(held) = self.lists.get(issuer) {
            if held.der == crl.der {
                return Ok(false);
            }
            if held.number == crl.number {
                return Err(CrlError::Equivocation { issuer: crl.issuer, number: crl.number });
            }
            if held.number > crl.number {
                return Err(CrlError::Older { held: held.number, found: crl.number });
            }
        } else if self.lists.len() >= MAX_LISTS {
            return Err(CrlError::Full);
        }
        self.lists.insert(*issuer, crl);
        self.generation = self.generation.wrapping_add(1);
        Ok(true)
    }

    /// The newest list of an authority.
    #[must_use]
    pub fn list_of(&self, issuer: &PublicKey) -> Option<&Crl> {
        self.lists.get(issuer)
    }

    /// All lists, for passing them down.
    pub fn lists(&self) -> impl Iterator<Item = &Crl> {
        self.lists.values()
    }

    /// Changes whenever a list was added: what was verified before must be verified again.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The rule for overdue and missing lists.
    #[must_use]
    pub fn rule(&self) -> StaleRule {
        self.rule
    }

    /// Until when an authority's list counts: its next update and the declared grace.
    pub(super) fn counts_until(&self, crl: &Crl) -> Timestamp {
        crl.next_update.plus_millis(self.rule.overdue_millis)
    }
}

/// Why a list is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// More bytes than allowed; nothing was decoded.
    #[error("the revocation list has {found} bytes, expected at most {MAX_CRL_BYTES}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Not DER, or not a list.
    #[error("the revocation list is malformed: {0}")]
    Der(#[from] der::Error),
    /// It decodes but is not the one encoding of its content.
    #[error("the revocation list is not in DER's one encoding")]
    NotDer,
    /// Not a PEM text of a list.
    #[error("expected a PEM block {PEM_LABEL}")]
    NotPem,
    /// Another algorithm.
    #[error(transparent)]
    Algorithm(#[from] CertificateError),
    /// A rule of the profile is broken.
    #[error("the revocation list breaks the profile: {0}")]
    Profile(&'static str),
    /// It could not be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// Another authority's list.
    #[error("the revocation list of {issuer} was made by another key than the one it came with")]
    OtherIssuer {
        /// The issuer it names.
        issuer: String,
    },
    /// The signature does not match.
    #[error("the signature of {issuer}'s revocation list does not match")]
    BadSignature {
        /// The issuer it names.
        issuer: String,
    },
    /// An older list than the one we hold: replayed, or from a restored backup.
    #[error("found revocation list number {found}, but number {held} is known already")]
    Older {
        /// The number we hold.
        held: u64,
        /// The number found.
        found: u64,
    },
    /// Two different lists with one number.
    #[error("{issuer} signed two different revocation lists with number {number}: report it")]
    Equivocation {
        /// The issuer.
        issuer: String,
        /// The number.
        number: u64,
    },
    /// No room for another issuer.
    #[error("{MAX_LISTS} revocation lists are held already, which no federation should reach")]
    Full,
}

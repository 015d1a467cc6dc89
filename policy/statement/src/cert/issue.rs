//! Making certificates: roots, authorities, nodes, writers.
//!
//! An [`Issuer`] is an authority's certificate with its key. Serial numbers and validity come in
//! ([`Stamp`]); nothing here draws random numbers or reads a clock. What is issued is read back with
//! the same code that later checks it, so that no certificate leaves that its own house would refuse.
//!
//! Node certificates carry the extended key usages clientAuth and serverAuth, because TLS libraries
//! and webpki ask for one of them in either direction of a connection; writers', clientAuth only.

use std::str::FromStr as _;

use der::asn1::ObjectIdentifier;
use x509_cert::Version;
use x509_cert::ext::pkix::certpolicy::PolicyInformation;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::{
    BasicConstraints, CertificatePolicies, ExtendedKeyUsage, KeyUsage, KeyUsages, NameConstraints,
};
use x509_cert::ext::{Extension, Extensions};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;

use super::action::Actions;
use super::build::{self, ToBeSigned};
use super::certificate::{Certificate, CertificateError, Serial, Validity};
use super::claims::{CLAIMS_OID, Claims, Role};
use super::name::{self, Domain, NameError};
use super::succession::Succession;
use crate::key::{KeyId, PublicKey, SecretKey};
use crate::limits::PATH_UNITS;
use crate::names::KindId;
use crate::unit::{UnitError, UnitId, UnitPath};

/// Longest label of a node or writer (`1`, `health`), in bytes: a common name has at most 64.
pub const MAX_LABEL_BYTES: usize = 20;

const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// What makes one certificate different from the next: drawn and measured by the caller.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// Random serial number.
    pub serial: Serial,
    /// From when to when it is valid.
    pub validity: Validity,
}

/// What the authority of a subordinate unit is to be certified for.
#[derive(Clone, Debug)]
pub struct AuthorityGrant {
    /// The subordinate unit's id.
    pub unit: UnitId,
    /// Name of its level, such as `municipality`.
    pub level: String,
    /// Its authority key.
    pub key: PublicKey,
    /// What it may do and permit others.
    pub actions: Actions,
    /// How many levels of authorities may follow below it.
    pub levels_below: u8,
}

/// What a node of the issuer's own unit is to be certified for.
#[derive(Clone, Debug)]
pub struct NodeGrant {
    /// Tells the unit's nodes apart: `1`.
    pub label: String,
    /// The node's key.
    pub key: PublicKey,
    /// What it may do.
    pub actions: Actions,
    /// The reporting term it is appointed for, if it is.
    pub term: Option<u64>,
}

/// What a department or contributor of the issuer's own unit is to be certified for.
#[derive(Clone, Debug)]
pub struct WriterGrant {
    /// Tells the unit's writers apart: `health`.
    pub label: String,
    /// The writer's key.
    pub key: PublicKey,
    /// What it may do.
    pub actions: Actions,
    /// Kinds of records it may change.
    pub kinds: Vec<KindId>,
}

/// Makes a federation's root: self-signed, constrained to the federation's domain.
///
/// # Errors
/// When a value does not fit its field.
pub fn issue_root(
    domain: &Domain,
    key: &SecretKey,
    stamp: &Stamp,
) -> Result<Certificate, IssueError> {
    let subject = distinguished_name(&format!("{domain} root"), domain)?;
    let levels = u8::try_from(PATH_UNITS).unwrap_or(u8::MAX);
    let public = key.public();
    let mut extensions = issuing_extensions(levels, domain.as_str())?;
    extensions.extend(common_extensions(domain.as_str(), &public, &public.key_id())?);
    finish(Parts { issuer: subject.clone(), subject, key: &public, extensions }, stamp, key)
}

/// An authority that issues: its certificate and its key.
#[derive(Clone, Copy, Debug)]
pub struct Issuer<'a> {
    certificate: &'a Certificate,
    key: &'a SecretKey,
}

impl<'a> Issuer<'a> {
    /// Joins a root's or authority's certificate with its key.
    ///
    /// # Errors
    /// When the key is not the certificate's, or the certificate may not issue.
    pub fn new(certificate: &'a Certificate, key: &'a SecretKey) -> Result<Self, IssueError> {
        if *certificate.key() != key.public() {
            return Err(IssueError::OtherKey { subject: certificate.subject().to_owned() });
        }
        if certificate.levels_below().is_none() {
            return Err(IssueError::NotAnAuthority { subject: certificate.subject().to_owned() });
        }
        Ok(Self { certificate, key })
    }

    /// The issuer's certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        self.certificate
    }

    pub(super) fn key(&self) -> &SecretKey {
        self.key
    }

    /// Certifies the authority of a unit directly below this one.
    ///
    /// # Errors
    /// When no further level is allowed, or a value does not fit its field.
    pub fn authority(
        &self,
        grant: &AuthorityGrant,
        stamp: &Stamp,
    ) -> Result<Certificate, IssueError> {
        self.authority_after(grant, None, stamp)
    }

    /// Certifies the authority of a unit directly below this one, which had another key before.
    ///
    /// # Errors
    /// As [`Issuer::authority`].
    pub fn authority_after(
        &self,
        grant: &AuthorityGrant,
        succession: Option<Succession>,
        stamp: &Stamp,
    ) -> Result<Certificate, IssueError> {
        let allowed = self.certificate.levels_below().and_then(|levels| levels.checked_sub(1));
        let allowed = allowed.ok_or(IssueError::NoLevelLeft)?;
        if grant.levels_below > allowed {
            return Err(IssueError::TooManyLevels { asked: grant.levels_below, allowed });
        }
        let unit = match self.certificate.claims() {
            Some(claims) => claims.unit.child(grant.unit.clone())?,
            None => UnitPath::root(grant.unit.clone()),
        };
        let name = name::dns_name(&unit, &self.domain()?)?;
        let mut extensions = issuing_extensions(grant.levels_below, &name)?;
        let common_name = format!("{} authority", unit.leaf());
        let claims = Claims::authority(unit, &grant.level).with_succession(succession);
        extensions.extend(self.leaf_extensions(&claims, &name, &grant.key, &grant.actions)?);
        self.finish(&common_name, &grant.key, extensions, stamp)
    }

    /// Certifies a node of this authority's own unit.
    ///
    /// # Errors
    /// When this is a federation root, or a value does not fit its field.
    pub fn node(&self, grant: &NodeGrant, stamp: &Stamp) -> Result<Certificate, IssueError> {
        let (unit, level) = self.own_unit(Role::Node)?;
        let common_name = format!("{} node {}", unit.leaf(), label(&grant.label)?);
        let claims = Claims::node(unit, &level, grant.term);
        let mut extensions = end_extensions(&[CLIENT_AUTH, SERVER_AUTH])?;
        let name = self.certificate.dns_name();
        extensions.extend(self.leaf_extensions(&claims, name, &grant.key, &grant.actions)?);
        self.finish(&common_name, &grant.key, extensions, stamp)
    }

    /// Certifies a department or contributor of this authority's own unit.
    ///
    /// # Errors
    /// When this is a federation root, or a value does not fit its field.
    pub fn writer(&self, grant: &WriterGrant, stamp: &Stamp) -> Result<Certificate, IssueError> {
        let (unit, level) = self.own_unit(Role::Writer)?;
        let common_name = format!("{} writer {}", unit.leaf(), label(&grant.label)?);
        let claims = Claims::writer(unit, &level, grant.kinds.clone());
        let mut extensions = end_extensions(&[CLIENT_AUTH])?;
        let name = self.certificate.dns_name();
        extensions.extend(self.leaf_extensions(&claims, name, &grant.key, &grant.actions)?);
        self.finish(&common_name, &grant.key, extensions, stamp)
    }

    fn own_unit(&self, role: Role) -> Result<(UnitPath, String), IssueError> {
        match self.certificate.claims() {
            Some(claims) => Ok((claims.unit.clone(), claims.level.clone())),
            None => Err(IssueError::RootIssuesAuthorities { role }),
        }
    }

    fn domain(&self) -> Result<Domain, IssueError> {
        let units = self.certificate.claims().map_or(0, |claims| claims.unit.depth());
        let labels: Vec<_> = self.certificate.dns_name().split('.').skip(units).collect();
        Ok(Domain::new(&labels.join("."))?)
    }

    fn leaf_extensions(
        &self,
        claims: &Claims,
        name: &str,
        key: &PublicKey,
        actions: &Actions,
    ) -> Result<Extensions, IssueError> {
        let mut extensions = common_extensions(name, key, &self.key.public().key_id())?;
        if !actions.is_empty() {
            let policies = actions.iter().map(|action| PolicyInformation {
                policy_identifier: action.oid(),
                policy_qualifiers: None,
            });
            let policies = CertificatePolicies(policies.collect());
            extensions.push(standard(&policies, false)?);
        }
        let claims = der::asn1::OctetString::new(claims.to_cbor())?;
        extensions.push(build::extension(CLAIMS_OID, false, &claims)?);
        Ok(extensions)
    }

    fn finish(
        &self,
        common_name: &str,
        key: &PublicKey,
        extensions: Extensions,
        stamp: &Stamp,
    ) -> Result<Certificate, IssueError> {
        let subject = distinguished_name(common_name, &self.domain()?)?;
        let issuer = self.certificate.parsed().subject.clone();
        finish(Parts { issuer, subject, key, extensions }, stamp, self.key)
    }
}

/// The parts in which certificates differ.
struct Parts<'a> {
    issuer: Name,
    subject: Name,
    key: &'a PublicKey,
    extensions: Extensions,
}

fn finish(parts: Parts<'_>, stamp: &Stamp, key: &SecretKey) -> Result<Certificate, IssueError> {
    let not_before = build::time(stamp.validity.not_before)?;
    let not_after = build::time(stamp.validity.not_after)?;
    let to_be_signed = ToBeSigned {
        version: Version::V3,
        serial: SerialNumber::new(stamp.serial.as_bytes())?,
        signature: build::ed25519(),
        issuer: parts.issuer,
        validity: x509_cert::time::Validity::new(not_before, not_after),
        subject: parts.subject,
        key: build::key_info(parts.key)?,
        extensions: Some(parts.extensions),
    };
    let der = build::sign(to_be_signed, key)?;
    Ok(Certificate::from_der(&der)?)
}

/// All characters of a common name are ours and need no escape (RFC 4514).
fn distinguished_name(common_name: &str, domain: &Domain) -> Result<Name, der::Error> {
    Name::from_str(&format!("CN={common_name},O={domain}"))
}

fn label(text: &str) -> Result<&str, IssueError> {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if (1..=MAX_LABEL_BYTES).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text)
    } else {
        Err(IssueError::Label { found: text.chars().take(80).collect() })
    }
}

fn standard<T: der::Encode + der::oid::AssociatedOid>(
    value: &T,
    critical: bool,
) -> Result<Extension, der::Error> {
    build::extension(T::OID, critical, value)
}

fn issuing_extensions(levels_below: u8, permitted: &str) -> Result<Extensions, IssueError> {
    let constraints = BasicConstraints { ca: true, path_len_constraint: Some(levels_below) };
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign | KeyUsages::DigitalSignature);
    let subtree = GeneralSubtree { base: build::dns(permitted)?, minimum: 0, maximum: None };
    let names =
        NameConstraints { permitted_subtrees: Some(vec![subtree]), excluded_subtrees: None };
    Ok(vec![standard(&constraints, true)?, standard(&usage, true)?, standard(&names, true)?])
}

fn end_extensions(purposes: &[ObjectIdentifier]) -> Result<Extensions, IssueError> {
    let constraints = BasicConstraints { ca: false, path_len_constraint: None };
    let usage = KeyUsage(KeyUsages::DigitalSignature.into());
    let purposes = ExtendedKeyUsage(purposes.to_vec());
    Ok(vec![standard(&constraints, true)?, standard(&usage, true)?, standard(&purposes, false)?])
}

fn common_extensions(
    name: &str,
    key: &PublicKey,
    issuer: &KeyId,
) -> Result<Extensions, IssueError> {
    Ok(vec![
        standard(&build::alternative_name(name)?, false)?,
        standard(&build::subject_key(&key.key_id())?, false)?,
        standard(&build::authority_key(issuer)?, false)?,
    ])
}

/// Why a certificate or list could not be made. The person who asked for it is at fault, except for
/// the last two.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The key does not belong to the certificate.
    #[error("the key is not the one that {subject} certifies")]
    OtherKey {
        /// The certificate's subject.
        subject: String,
    },
    /// A node's or writer's certificate was used to issue.
    #[error("{subject} is not an authority and may not issue certificates")]
    NotAnAuthority {
        /// The certificate's subject.
        subject: String,
    },
    /// A root was asked to certify a node or writer.
    #[error(
        "a federation root certifies authorities only, not a {role}: issue it from the unit's own authority"
    )]
    RootIssuesAuthorities {
        /// What was asked for.
        role: Role,
    },
    /// The superior allowed no level below this authority.
    #[error(
        "this authority may not certify subordinate authorities: its superior allowed no further level"
    )]
    NoLevelLeft,
    /// More levels were asked for than are left.
    #[error("expected at most {allowed} levels below the new authority, found {asked}")]
    TooManyLevels {
        /// Levels asked for.
        asked: u8,
        /// Levels left.
        allowed: u8,
    },
    /// A node's or writer's label breaks its rule.
    #[error(
        "expected a label of 1 to {MAX_LABEL_BYTES} lower-case letters, digits, hyphens or underscores, found {found:?}"
    )]
    Label {
        /// The beginning of what was found.
        found: String,
    },
    /// The path would be too long.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// The name would be too long.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A value does not fit its ASN.1 field, such as a date before 1970.
    #[error("a value does not fit into the certificate: {0}")]
    Encoding(#[from] der::Error),
    /// What was made breaks our own profile.
    #[error("the certificate would be refused by its own federation: {0}")]
    Refused(#[from] CertificateError),
}

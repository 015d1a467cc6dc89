//! The profile: what a certificate of this federation must and must not contain.
//!
//! Ed25519 throughout, a key that is not weak, one lower-case dNSName that agrees with the claims, and
//! the extensions that its role demands. Nothing here checks a signature.
//!
//! Specifications: RFC 5280 (extensions), RFC 8410 (Ed25519).

use der::asn1::{ObjectIdentifier, OctetString};
use der::{Decode, Header, Reader as _, SliceReader};
use extension_ids::{
    AUTHORITY_KEY, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, KEY_USAGE, NAME_CONSTRAINTS, POLICIES,
    SUBJECT_ALT_NAME, SUBJECT_KEY,
};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies, KeyUsage, NameConstraints,
    SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::name::Name;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::action::{Action, Actions};
use super::build::{self, ED25519};
use super::certificate::{CertificateError, Serial, Validity};
use super::claims::{CLAIMS_OID, Claims, Role};
use super::name::MAX_NAME_BYTES;
use crate::key::{KeyId, PublicKey, Signature};

/// Object identifiers of the extensions we read (RFC 5280 section 4.2.1).
mod extension_ids {
    use super::ObjectIdentifier;

    pub const SUBJECT_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
    pub const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
    pub const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
    pub const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
    pub const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
    pub const POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
    pub const AUTHORITY_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
    pub const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
}

/// What a certificate that issues others says about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Issuing {
    /// How many authorities may stand between it and a leaf.
    pub path_len: u8,
    /// The DNS subtree it may certify.
    pub permitted: String,
}

/// The fields of the profile.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Parsed {
    pub to_be_signed: Vec<u8>,
    pub signature: Signature,
    pub serial: Serial,
    pub issuer: Name,
    pub subject: Name,
    pub validity: Validity,
    pub key: PublicKey,
    pub dns_name: String,
    pub subject_key: KeyId,
    pub authority_key: KeyId,
    pub issuing: Option<Issuing>,
    pub actions: Actions,
    pub claims: Option<Claims>,
}

/// Reads a certificate, which is the one that `der` encodes.
pub(super) fn parse(
    certificate: &x509_cert::Certificate,
    der: &[u8],
) -> Result<Parsed, CertificateError> {
    let tbs = certificate.tbs_certificate();
    if tbs.version() != x509_cert::Version::V3 {
        return Err(CertificateError::Profile("it must be X.509 version 3"));
    }
    check_algorithm(certificate.signature_algorithm())?;
    check_algorithm(tbs.signature())?;
    let signature = certificate.signature().as_bytes().unwrap_or_default();
    let validity = Validity {
        not_before: build::timestamp(tbs.validity().not_before),
        not_after: build::timestamp(tbs.validity().not_after),
    };
    if validity.not_before > validity.not_after {
        return Err(CertificateError::Profile("its validity must not end before it begins"));
    }
    let serial = Serial::trimmed(tbs.serial_number().as_bytes());
    if serial.as_bytes().is_empty() || is_negative(tbs.serial_number().as_bytes()) {
        return Err(CertificateError::Profile("its serial number must be positive"));
    }
    let key = public_key(tbs.subject_public_key_info())?;
    let extensions = read_extensions(tbs.extensions().map_or(&[], Vec::as_slice))?;
    let subject_key = extensions.subject_key.unwrap_or_else(|| key.key_id());
    if subject_key != key.key_id() {
        return Err(CertificateError::Profile("its subject key identifier must be its key's"));
    }
    let issuing = extensions.issuing();
    let parsed = Parsed {
        to_be_signed: first_part(der)?.to_vec(),
        signature: Signature::from_bytes(signature).map_err(CertificateError::Signature)?,
        serial,
        issuer: tbs.issuer().clone(),
        subject: tbs.subject().clone(),
        validity,
        key,
        dns_name: extensions.dns_name.ok_or(CertificateError::Name)?,
        subject_key,
        authority_key: extensions.authority_key.unwrap_or(subject_key),
        issuing,
        actions: extensions.actions,
        claims: extensions.claims,
    };
    check_role(&parsed, extensions.key_usage)?;
    Ok(parsed)
}

/// The first of the three parts of a certificate, which is what is signed (RFC 5280 section 4.1).
fn first_part(der: &[u8]) -> Result<&[u8], der::Error> {
    let mut reader = SliceReader::new(der)?;
    Header::decode(&mut reader)?;
    reader.tlv_bytes()
}

/// In DER the highest bit of the first byte is the sign.
fn is_negative(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|byte| byte & 0x80 != 0)
}

pub(super) fn check_algorithm(
    algorithm: &AlgorithmIdentifierOwned,
) -> Result<(), CertificateError> {
    if algorithm.oid == ED25519 && algorithm.parameters.is_none() {
        Ok(())
    } else {
        Err(CertificateError::Algorithm { found: algorithm.oid.to_string() })
    }
}

pub(super) fn public_key(info: &SubjectPublicKeyInfoOwned) -> Result<PublicKey, CertificateError> {
    check_algorithm(&info.algorithm)?;
    let bytes = info.subject_public_key.as_bytes().unwrap_or_default();
    PublicKey::from_bytes(bytes).map_err(CertificateError::Key)
}

/// The extensions of the profile, as found.
#[derive(Default)]
struct Found {
    key_usage: Option<KeyUsage>,
    constraints: Option<BasicConstraints>,
    permitted: Option<String>,
    dns_name: Option<String>,
    subject_key: Option<KeyId>,
    authority_key: Option<KeyId>,
    actions: Actions,
    claims: Option<Claims>,
}

impl Found {
    fn issuing(&self) -> Option<Issuing> {
        let constraints = self.constraints.as_ref().filter(|constraints| constraints.ca)?;
        let path_len = constraints.path_len_constraint?;
        Some(Issuing { path_len, permitted: self.permitted.clone()? })
    }
}

fn read_extensions(extensions: &[Extension]) -> Result<Found, CertificateError> {
    let mut found = Found::default();
    for (index, extension) in extensions.iter().enumerate() {
        if extensions.iter().take(index).any(|other| other.extn_id == extension.extn_id) {
            return Err(CertificateError::Twice { oid: extension.extn_id.to_string() });
        }
        read_extension(extension, &mut found)?;
    }
    Ok(found)
}

fn read_extension(extension: &Extension, found: &mut Found) -> Result<(), CertificateError> {
    let value = extension.extn_value.as_bytes();
    match extension.extn_id {
        KEY_USAGE => found.key_usage = Some(decode(value)?),
        BASIC_CONSTRAINTS => found.constraints = Some(decode(value)?),
        SUBJECT_KEY => {
            found.subject_key = key_id(&decode::<SubjectKeyIdentifier>(value)?.0)?;
        }
        AUTHORITY_KEY => {
            let identifier = decode::<AuthorityKeyIdentifier>(value)?.key_identifier;
            found.authority_key = identifier.map_or(Ok(None), |octets| key_id(&octets))?;
        }
        SUBJECT_ALT_NAME => {
            found.dns_name = Some(one_dns_name(&decode::<SubjectAltName>(value)?.0)?)
        }
        NAME_CONSTRAINTS => {
            if !extension.critical {
                return Err(CertificateError::Profile("its name constraint must be critical"));
            }
            found.permitted = Some(permitted(&decode(value)?)?);
        }
        POLICIES => found.actions = actions(&decode(value)?),
        CLAIMS_OID => {
            let octets: OctetString = decode(value)?;
            found.claims = Some(Claims::from_cbor(octets.as_bytes())?);
        }
        EXTENDED_KEY_USAGE => {} // for other tools; ours go by role and actions
        other if extension.critical => {
            return Err(CertificateError::UnknownCritical { oid: other.to_string() });
        }
        _ => {}
    }
    Ok(())
}

fn decode<'a, T: Decode<'a, Error = der::Error>>(value: &'a [u8]) -> Result<T, CertificateError> {
    T::from_der(value).map_err(CertificateError::Der)
}

fn key_id(octets: &OctetString) -> Result<Option<KeyId>, CertificateError> {
    KeyId::from_bytes(octets.as_bytes())
        .map(Some)
        .ok_or(CertificateError::Profile("its key identifiers must have 20 bytes (RFC 7093)"))
}

/// Exactly one dNSName, lower case, no wildcard, and nothing beside it.
fn one_dns_name(names: &[GeneralName]) -> Result<String, CertificateError> {
    let [GeneralName::DnsName(name)] = names else { return Err(CertificateError::Name) };
    let name = name.as_str();
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let labels = name.split('.').all(|label| !label.is_empty());
    if name.len() <= MAX_NAME_BYTES && name.bytes().all(plain) && labels {
        Ok(name.to_owned())
    } else {
        Err(CertificateError::Name)
    }
}

/// Exactly one permitted dNSName subtree, and nothing excluded.
fn permitted(constraints: &NameConstraints) -> Result<String, CertificateError> {
    const RULE: CertificateError =
        CertificateError::Profile("its name constraint must permit exactly one dNSName subtree");
    if constraints.excluded_subtrees.is_some() {
        return Err(RULE);
    }
    match constraints.permitted_subtrees.as_deref() {
        Some([subtree]) if subtree.minimum == 0 && subtree.maximum.is_none() => {
            one_dns_name(std::slice::from_ref(&subtree.base))
        }
        _ => Err(RULE),
    }
}

/// Policies that are not ours are another deployment's business.
fn actions(policies: &CertificatePolicies) -> Actions {
    policies.0.iter().filter_map(|policy| Action::from_oid(&policy.policy_identifier)).collect()
}

/// What each role demands: authorities issue and nothing else does, everybody signs, and the claims
/// agree with the name.
fn check_role(parsed: &Parsed, usage: Option<KeyUsage>) -> Result<(), CertificateError> {
    let usage = usage.ok_or(CertificateError::Profile("it must state its key usage"))?;
    let Some(claims) = &parsed.claims else {
        return check_root(parsed, usage);
    };
    let issues = usage.key_cert_sign() && usage.crl_sign();
    match (claims.role, &parsed.issuing) {
        (Role::Authority, Some(issuing)) if issues && issuing.permitted == parsed.dns_name => {}
        (Role::Authority, _) => {
            return Err(CertificateError::Profile(
                "an authority's must be a CA's with a path length, sign certificates and lists, and be constrained to its own name",
            ));
        }
        (Role::Node | Role::Writer, None) if !usage.key_cert_sign() && !usage.crl_sign() => {}
        (Role::Node | Role::Writer, _) => {
            return Err(CertificateError::Profile("a node's or writer's must not issue anything"));
        }
    }
    if !usage.digital_signature() {
        return Err(CertificateError::Profile("its key usage must include digital signatures"));
    }
    let prefix: String = claims.unit.units().iter().rev().map(|unit| format!("{unit}.")).collect();
    match parsed.dns_name.strip_prefix(&prefix) {
        Some(domain) if !domain.is_empty() => Ok(()),
        _ => Err(CertificateError::NameDiffers {
            name: parsed.dns_name.clone(),
            unit: claims.unit.to_string(),
        }),
    }
}

fn check_root(parsed: &Parsed, usage: KeyUsage) -> Result<(), CertificateError> {
    let constrained = parsed.issuing.as_ref().is_some_and(|it| it.permitted == parsed.dns_name);
    if constrained && usage.key_cert_sign() && parsed.issuer == parsed.subject {
        Ok(())
    } else {
        Err(CertificateError::Profile("it must carry this federation's claims, or be a root's"))
    }
}

//! Certificates as people and scripts read them.

use reeve_statement::cert::{Action, Certificate, Chain, Crl};
use reeve_statement::time::Timestamp;
use serde::Serialize;

use super::clerk::DAY_MS;
use super::error::HouseError;
use super::{House, files};

/// What a house's certificates say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateReport {
    /// The federation's id.
    pub federation: String,
    /// The domain below which its units are named.
    pub domain: String,
    /// Where the unit stands.
    pub unit: String,
    /// The node's chain, itself first, the root last.
    pub chain: Vec<CertificateView>,
    /// The certificate of the node's writer.
    pub writer: CertificateView,
    /// Revocation lists kept in the folder.
    pub lists: Vec<ListView>,
    /// The arguments with which openssl verifies the node's chain from the files.
    pub openssl: Vec<String>,
}

/// What one certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateView {
    /// `root`, `authority`, `node` or `writer`.
    pub role: String,
    /// Its subject.
    pub subject: String,
    /// The subject of its issuer.
    pub issuer: String,
    /// Its name.
    pub name: String,
    /// Where the unit stands; none for a root.
    pub unit: Option<String>,
    /// The area that it may issue certificates for; none if it may issue none.
    pub area: Option<String>,
    /// Levels of authorities that may follow below it.
    pub levels_below: Option<u8>,
    /// What it may do, as far as every authority above permits it too.
    pub actions: Vec<&'static str>,
    /// The reporting term that it was appointed for.
    pub term: Option<u64>,
    /// Kinds of records that it may change.
    pub writable_kinds: Vec<String>,
    /// Its serial number.
    pub serial: String,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    /// Its public key.
    pub key: String,
    /// From when it is valid.
    pub not_before: String,
    /// Until when it is valid.
    pub not_after: String,
    /// Whole days left; negative once it expired.
    pub days_left: i64,
}

/// What one revocation list says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListView {
    /// Who issued it.
    pub issuer: String,
    /// Its number.
    pub number: u64,
    /// How many certificates it revokes.
    pub revoked: usize,
    /// When the next one is due.
    pub next_update: String,
}

impl House {
    /// What this house's certificates say.
    ///
    /// # Errors
    /// When the node has not joined, or a list cannot be read.
    pub fn certificate_report(&self, now: Timestamp) -> Result<CertificateReport, HouseError> {
        let identity = self.identity()?;
        let roots = &identity.roots;
        let mut chain: Vec<_> =
            identity.node.certificates().map(|certificate| view(certificate, now)).collect();
        let top = identity.node.certificates().next_back().map(Certificate::authority_key_id);
        chain.extend(top.and_then(|key| roots.root_with_key(&key)).map(|root| view(root, now)));
        Ok(CertificateReport {
            federation: roots.federation().to_string(),
            domain: roots.domain().to_string(),
            unit: identity.unit()?.to_string(),
            chain,
            writer: view(identity.writer.leaf(), now),
            lists: self.lists()?.iter().map(|held| list(&held.list)).collect(),
            openssl: self.openssl_arguments(&identity.node),
        })
    }

    /// `openssl verify` with this house's files.
    fn openssl_arguments(&self, node: &Chain) -> Vec<String> {
        let file = |name: &str| self.folder().join(name).to_string_lossy().into_owned();
        let mut arguments =
            ["openssl", "verify", "-x509_strict", "-CAfile"].map(str::to_owned).to_vec();
        arguments.push(file(files::ROOTS_PEM));
        if !node.authorities().is_empty() {
            arguments.push("-untrusted".to_owned());
            arguments.push(file(files::AUTHORITY_CERTIFICATE));
        }
        arguments.push(file(files::NODE_CERTIFICATE));
        arguments
    }
}

fn view(certificate: &Certificate, now: Timestamp) -> CertificateView {
    let claims = certificate.claims();
    let validity = certificate.validity();
    let kinds = claims.map(|it| it.writable_kinds.as_slice()).unwrap_or_default();
    CertificateView {
        role: claims.map_or("root".to_owned(), |it| it.role.to_string()),
        subject: certificate.subject().to_owned(),
        issuer: certificate.issuer().to_owned(),
        name: certificate.dns_name().to_owned(),
        unit: claims.map(|it| it.unit.to_string()),
        area: certificate.levels_below().map(|_| certificate.dns_name().to_owned()),
        levels_below: certificate.levels_below(),
        actions: certificate.actions().iter().map(Action::name).collect(),
        term: claims.and_then(|it| it.term),
        writable_kinds: kinds.iter().map(ToString::to_string).collect(),
        serial: certificate.serial().to_string(),
        fingerprint: certificate.digest().to_string(),
        key: certificate.key().to_string(),
        not_before: moment(validity.not_before),
        not_after: moment(validity.not_after),
        days_left: validity.end().since(now).div_euclid(DAY_MS),
    }
}

fn list(list: &Crl) -> ListView {
    ListView {
        issuer: list.issuer().to_owned(),
        number: list.number(),
        revoked: list.revoked().len(),
        next_update: moment(list.next_update()),
    }
}

/// A moment to the second.
fn moment(at: Timestamp) -> String {
    at.to_jiff().map_or_else(|| at.to_string(), |at| format!("{at:.0}"))
}

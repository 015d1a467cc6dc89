//! rustls-webpki's opinion on a chain that our own walk has accepted.
//!
//! webpki shares no parser with the rest of this crate, so a mistake in one is seen by the other. It
//! stops at six intermediate certificates; for longer chains the certificate above the nearest six
//! authorities, which our walk has checked, serves as its anchor.

use std::time::Duration;

use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm,
    UnixTime, alg_id,
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::certificate::Certificate;
use super::checked::Checked;
use crate::key::{PublicKey, Signature};
use crate::time::Timestamp;

/// Intermediate certificates that webpki 0.103 allows in a path.
const WEBPKI_INTERMEDIATES: usize = 6;

/// Ed25519 as this house checks it: strictly, and never with a weak key.
#[derive(Debug)]
struct StrictEd25519<'a>(&'a Checked);

impl SignatureVerificationAlgorithm for StrictEd25519<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        if self.0.remembers(public_key, message, signature) {
            return Ok(());
        }
        let key = PublicKey::from_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = Signature::from_bytes(signature).map_err(|_| InvalidSignature)?;
        self.0.verify(&key, message, &signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }
}

/// Asks webpki about a leaf that is not an authority. `above` holds the authorities from the leaf
/// upwards, ending with the root.
pub(super) fn check(
    leaf: &Certificate,
    above: &[&Certificate],
    at: Timestamp,
    checked: &Checked,
) -> Result<(), webpki::Error> {
    let split = above.len().saturating_sub(1).min(WEBPKI_INTERMEDIATES);
    let (intermediates, anchors) = above.split_at(split);
    let Some(anchor) = anchors.first() else { return Err(webpki::Error::UnknownIssuer) };
    let anchor = CertificateDer::from(anchor.der());
    let anchors = [anchor_from_trusted_cert(&anchor)?];
    let intermediates: Vec<_> =
        intermediates.iter().map(|certificate| CertificateDer::from(certificate.der())).collect();
    let leaf = CertificateDer::from(leaf.der());
    let leaf = EndEntityCert::try_from(&leaf)?;
    let seconds = u64::try_from(at.as_seconds()).unwrap_or(0);
    leaf.verify_for_usage(
        &[&StrictEd25519(checked)],
        &anchors,
        &intermediates,
        UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
        KeyUsage::client_auth(),
        None,
        None,
    )
    .map(|_| ())
}

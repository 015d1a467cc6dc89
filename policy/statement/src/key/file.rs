//! Key files: PKCS#8, plain for node keys, encrypted for authority keys.
//!
//! Always version 1 (RFC 5208), because openssl 3.0 cannot read version 2 (RFC 5958) and an
//! operator must be able to look at a key with tools of their own. An encrypted file is PBES2 with
//! scrypt and AES-256-CBC (RFC 8018, RFC 7914), which `openssl pkey -passin` opens.
//!
//! PBES2 carries no integrity check: a damaged body and a wrong passphrase look alike, and rarely a
//! damaged file opens as another key. Callers therefore compare the public half with the
//! certificate. This module never chooses a salt or an initialization vector; both come in.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef};
use der::pem::{LineEnding, PemLabel as _};
use der::{Decode as _, Encode as _, SecretDocument};
use pkcs8::pkcs5::{self, pbes2};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfo};
use zeroize::Zeroizing;

use super::{SEED_BYTES, SecretKey};

/// Longest key file that is read, in bytes. Ours are below 400; text around the block is allowed.
pub const MAX_KEY_FILE_BYTES: usize = 16 * 1024;
/// Bytes of the scrypt salt.
pub const SALT_BYTES: usize = 16;
/// Bytes of the AES initialization vector.
pub const IV_BYTES: usize = 16;

/// scrypt's r.
const SCRYPT_BLOCK_SIZE: u16 = 8;
/// Most memory that opening a file may take, in blocks of 128 bytes: N * r of them are 128 MiB, eight
/// times ours.
const MAX_SCRYPT_BLOCKS: u64 = 1 << 20;
/// Most work that opening a file may take: N * r * p, three times ours, about a second. It bounds the
/// r * p blocks that scrypt holds besides, too, because N is 2 at least.
const MAX_SCRYPT_WORK: u64 = 1 << 21;
/// Highest count of PBKDF2 iterations that is accepted: above what OWASP asks for (600,000), about a
/// second.
const MAX_PBKDF2_ITERATIONS: u32 = 1_000_000;

/// id-Ed25519, RFC 8410.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

const PLAIN_LABEL: &str = "PRIVATE KEY";
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";

type KeyInfo<'a> = PrivateKeyInfo<AnyRef<'a>, &'a OctetStringRef, BitStringRef<'a>>;

/// How much work one guess at the passphrase takes. Read back from the file, so files of different
/// costs open alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// scrypt's N, a power of two.
    cost_parameter: u64,
    /// scrypt's p.
    parallelization: u16,
}

impl Cost {
    /// For keys that protect something. N = 2^14 with r = 8 takes 16 MiB; openssl 3.0 refuses more
    /// than 32 MiB, so the work is repeated instead (p = 5, OWASP's setting).
    pub const STANDARD: Self = Self { cost_parameter: 1 << 14, parallelization: 5 };
    /// For test networks that make hundreds of keys whose passphrase is public anyway.
    pub const NONE: Self = Self { cost_parameter: 2, parallelization: 1 };
}

/// Salt and initialization vector of an encrypted key file: random, and new for every file.
#[derive(Clone, Copy)]
pub struct FileNonce {
    /// Salt of the key derivation.
    pub salt: [u8; SALT_BYTES],
    /// Initialization vector of the cipher.
    pub iv: [u8; IV_BYTES],
}

/// The key as PKCS#8 version 1, DER.
///
/// # Errors
/// [`KeyFileError::Encoding`], which would be a defect of this program.
pub fn to_der(key: &SecretKey) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let seed = key.seed();
    let inner = Zeroizing::new(octet_string(seed.as_slice())?);
    let algorithm = spki::AlgorithmIdentifier { oid: ED25519, parameters: None };
    let octets = OctetStringRef::new(&inner).map_err(KeyFileError::Encoding)?;
    let info: KeyInfo<'_> = PrivateKeyInfo::new(algorithm, octets);
    info.to_der().map(Zeroizing::new).map_err(KeyFileError::Encoding)
}

fn octet_string(bytes: &[u8]) -> Result<Vec<u8>, KeyFileError> {
    OctetStringRef::new(bytes).and_then(|octets| octets.to_der()).map_err(KeyFileError::Encoding)
}

/// The key as an unencrypted PEM file: for node keys, on a disk only the node's user can read.
///
/// # Errors
/// [`KeyFileError::Encoding`], which would be a defect of this program.
pub fn to_pem(key: &SecretKey) -> Result<Zeroizing<String>, KeyFileError> {
    let der = to_der(key)?;
    pem(PLAIN_LABEL, &der)
}

/// The key as a PEM file encrypted with `passphrase`: for authority keys.
///
/// # Errors
/// [`KeyFileError::EmptyPassphrase`], or [`KeyFileError::Encoding`], a defect of this program.
pub fn to_encrypted_pem(
    key: &SecretKey,
    passphrase: &[u8],
    nonce: &FileNonce,
) -> Result<Zeroizing<String>, KeyFileError> {
    to_encrypted_pem_at(key, passphrase, nonce, Cost::STANDARD)
}

/// As [`to_encrypted_pem`], with another cost of opening.
///
/// # Errors
/// As [`to_encrypted_pem`].
pub fn to_encrypted_pem_at(
    key: &SecretKey,
    passphrase: &[u8],
    nonce: &FileNonce,
    cost: Cost,
) -> Result<Zeroizing<String>, KeyFileError> {
    if passphrase.is_empty() {
        return Err(KeyFileError::EmptyPassphrase);
    }
    let der = to_der(key)?;
    let salt = pbes2::Salt::new(nonce.salt).map_err(KeyFileError::Encoding)?;
    let parameters = pbes2::Parameters {
        kdf: pbes2::Kdf::Scrypt(pbes2::ScryptParams {
            salt,
            cost_parameter: cost.cost_parameter,
            block_size: SCRYPT_BLOCK_SIZE,
            parallelization: cost.parallelization,
            key_length: None,
        }),
        encryption: pbes2::EncryptionScheme::Aes256Cbc { iv: nonce.iv },
    };
    let info = KeyInfo::from_der(&der).map_err(KeyFileError::Encoding)?;
    let document =
        info.encrypt_with_params(parameters, passphrase).map_err(KeyFileError::Encryption)?;
    pem(ENCRYPTED_LABEL, document.as_bytes())
}

fn pem(label: &'static str, der: &[u8]) -> Result<Zeroizing<String>, KeyFileError> {
    der::pem::encode_string(label, LineEnding::LF, der)
        .map(Zeroizing::new)
        .map_err(|error| KeyFileError::Encoding(error.into()))
}

/// What a key file holds, told by its PEM label without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFileKind {
    /// `PRIVATE KEY`.
    Plain,
    /// `ENCRYPTED PRIVATE KEY`.
    Encrypted,
}

/// Tells whether a file needs a passphrase.
///
/// # Errors
/// When the file is too long, or has no PEM block of a private key.
pub fn kind(text: &str) -> Result<KeyFileKind, KeyFileError> {
    decode_pem(text).map(|(kind, _)| kind)
}

fn decode_pem(text: &str) -> Result<(KeyFileKind, SecretDocument), KeyFileError> {
    if text.len() > MAX_KEY_FILE_BYTES {
        return Err(KeyFileError::TooLong { found: text.len() });
    }
    let (label, document) =
        SecretDocument::from_pem(text).map_err(|error| KeyFileError::NotPem(error.to_string()))?;
    match label {
        PLAIN_LABEL => Ok((KeyFileKind::Plain, document)),
        EncryptedPrivateKeyInfoRef::PEM_LABEL => Ok((KeyFileKind::Encrypted, document)),
        other => Err(KeyFileError::WrongLabel { found: other.to_owned() }),
    }
}

/// Reads an unencrypted key file.
///
/// # Errors
/// Says whether the file is encrypted, damaged, or holds a key of another kind.
pub fn from_pem(text: &str) -> Result<SecretKey, KeyFileError> {
    match decode_pem(text)? {
        (KeyFileKind::Plain, document) => from_der(document.as_bytes()),
        (KeyFileKind::Encrypted, _) => Err(KeyFileError::NeedsPassphrase),
    }
}

/// Reads an encrypted key file. A plain one is refused: whoever asks for a passphrase expects the
/// key to have been protected.
///
/// # Errors
/// Says whether the passphrase is wrong, the file is plain or damaged, or holds another kind of key.
pub fn from_encrypted_pem(text: &str, passphrase: &[u8]) -> Result<SecretKey, KeyFileError> {
    match decode_pem(text)? {
        (KeyFileKind::Encrypted, document) => decrypt(document.as_bytes(), passphrase),
        (KeyFileKind::Plain, _) => Err(KeyFileError::NotEncrypted),
    }
}

fn decrypt(der: &[u8], passphrase: &[u8]) -> Result<SecretKey, KeyFileError> {
    let info = EncryptedPrivateKeyInfoRef::from_der(der).map_err(KeyFileError::Damaged)?;
    check_cost(&info.encryption_algorithm)?;
    let plain = info
        .encryption_algorithm
        .decrypt(passphrase, info.encrypted_data.as_bytes())
        .map(Zeroizing::new)
        .map_err(|error| match error {
            pkcs5::Error::DecryptFailed => KeyFileError::WrongPassphrase,
            other => KeyFileError::Encryption(other.into()),
        })?;
    // One wrong passphrase in 256 leaves padding that looks right; the content then does not parse.
    from_der(&plain).map_err(|error| match error {
        KeyFileError::Damaged(_) => KeyFileError::WrongPassphrase,
        other => other,
    })
}

/// Refuses a derivation that would take more memory or time than any file of ours.
fn check_cost(scheme: &pkcs5::EncryptionScheme) -> Result<(), KeyFileError> {
    let affordable = match scheme.pbes2().map(|parameters| &parameters.kdf) {
        Some(pbes2::Kdf::Scrypt(scrypt)) => {
            let blocks = scrypt.cost_parameter.checked_mul(u64::from(scrypt.block_size));
            let work = blocks.and_then(|it| it.checked_mul(u64::from(scrypt.parallelization)));
            scrypt.cost_parameter.is_power_of_two()
                && blocks.is_some_and(|blocks| blocks <= MAX_SCRYPT_BLOCKS)
                && work.is_some_and(|work| work <= MAX_SCRYPT_WORK)
        }
        Some(pbes2::Kdf::Pbkdf2(pbkdf2)) => pbkdf2.iteration_count <= MAX_PBKDF2_ITERATIONS,
        _ => return Err(KeyFileError::Unsupported),
    };
    if affordable { Ok(()) } else { Err(KeyFileError::TooExpensive) }
}

/// Reads PKCS#8 DER. Version 2 is read too; its public half must then belong to the secret one.
///
/// # Errors
/// Says whether the bytes are damaged or hold another kind of key.
pub fn from_der(der: &[u8]) -> Result<SecretKey, KeyFileError> {
    let info = KeyInfo::from_der(der).map_err(KeyFileError::Damaged)?;
    if info.algorithm.oid != ED25519 {
        return Err(KeyFileError::NotEd25519 { found: info.algorithm.oid.to_string() });
    }
    let inner = <&OctetStringRef>::from_der(info.private_key.as_bytes());
    let inner = inner.map_err(KeyFileError::Damaged)?.as_bytes();
    let seed: &[u8; SEED_BYTES] =
        inner.try_into().map_err(|_| KeyFileError::SeedLength { found: inner.len() })?;
    let key = SecretKey::from_seed(seed);
    match info.public_key.map(|public| public.raw_bytes().to_vec()) {
        Some(public) if public != key.public().to_bytes() => Err(KeyFileError::HalvesDiffer),
        _ => Ok(key),
    }
}

/// Why a key file could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// More text than any key file has.
    #[error(
        "the key file has {found} bytes, at most {MAX_KEY_FILE_BYTES} are read: is it a key file?"
    )]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// No readable PEM block.
    #[error("the key file is not PEM, or its text is damaged ({0}); restore it from a backup")]
    NotPem(String),
    /// A PEM block of something else, such as a certificate.
    #[error("expected a PEM block PRIVATE KEY or ENCRYPTED PRIVATE KEY, found {found}")]
    WrongLabel {
        /// The label found.
        found: String,
    },
    /// The file is encrypted and was opened without a passphrase.
    #[error("the key file is encrypted; a passphrase is needed")]
    NeedsPassphrase,
    /// The file is plain where an encrypted one belongs.
    #[error("the key file is not encrypted, but a passphrase was given for it")]
    NotEncrypted,
    /// An empty passphrase protects nothing.
    #[error("an empty passphrase protects nothing; choose one")]
    EmptyPassphrase,
    /// The passphrase does not open the file.
    #[error("the passphrase is wrong (or the encrypted part of the file is damaged)")]
    WrongPassphrase,
    /// The structure inside is broken.
    #[error("the key file is damaged ({0}); restore it from a backup")]
    Damaged(der::Error),
    /// A key of another algorithm.
    #[error("expected an Ed25519 key (1.3.101.112), found algorithm {found}")]
    NotEd25519 {
        /// The algorithm's object identifier.
        found: String,
    },
    /// The secret is not 32 bytes.
    #[error("expected a secret of {SEED_BYTES} bytes, found {found}: the key file is damaged")]
    SeedLength {
        /// Bytes found.
        found: usize,
    },
    /// A version 2 file whose public key belongs to another secret.
    #[error("the public key in the file does not belong to its secret key: the file was altered")]
    HalvesDiffer,
    /// A scheme other than PBES2 with scrypt or PBKDF2.
    #[error(
        "the key file is encrypted in a way that is not supported; convert it with `openssl pkcs8 -topk8 -scrypt`"
    )]
    Unsupported,
    /// A derivation far above what we write.
    #[error(
        "opening the key file would take more memory or time than is allowed; was it made by someone else?"
    )]
    TooExpensive,
    /// The cipher or the derivation refused its parameters.
    #[error("the key file's encryption parameters are not usable ({0})")]
    Encryption(pkcs8::Error),
    /// Writing failed: a defect of this program.
    #[error("the key could not be encoded ({0}); this is a defect, please report it")]
    Encoding(der::Error),
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const NONCE: FileNonce = FileNonce { salt: [3; 16], iv: [4; 16] };

    fn key() -> SecretKey {
        SecretKey::from_seed(&[9; 32])
    }

    #[test]
    fn plain_files_return_the_key() {
        let text = to_pem(&key()).unwrap();
        assert_eq!(kind(&text).unwrap(), KeyFileKind::Plain);
        assert_eq!(from_pem(&text).unwrap().public(), key().public());
    }

    #[test]
    fn a_plain_file_is_version_1_of_rfc_8410() {
        let expected = format!("302e020100300506032b657004220420{}", hex::encode([9u8; 32]));
        assert_eq!(hex::encode(to_der(&key()).unwrap().as_slice()), expected);
    }

    #[test]
    fn encrypted_files_return_the_key_for_the_passphrase_only() {
        let text = to_encrypted_pem(&key(), b"correct horse", &NONCE).unwrap();
        assert_eq!(kind(&text).unwrap(), KeyFileKind::Encrypted);
        let opened = from_encrypted_pem(&text, b"correct horse").unwrap();
        assert_eq!(opened.public(), key().public());
        let error = from_encrypted_pem(&text, b"battery staple").unwrap_err();
        assert_eq!(error, KeyFileError::WrongPassphrase);
        assert_eq!(from_pem(&text).unwrap_err(), KeyFileError::NeedsPassphrase);
    }

    #[test]
    fn an_empty_passphrase_is_refused() {
        let error = to_encrypted_pem(&key(), b"", &NONCE).unwrap_err();
        assert_eq!(error, KeyFileError::EmptyPassphrase);
    }

    #[test]
    fn a_plain_file_is_not_taken_for_an_encrypted_one() {
        let text = to_pem(&key()).unwrap();
        assert_eq!(from_encrypted_pem(&text, b"x").unwrap_err(), KeyFileError::NotEncrypted);
    }

    #[test]
    fn damaged_text_is_told_apart_from_a_wrong_passphrase() {
        let text = to_pem(&key()).unwrap();
        let cut = text.get(..text.len() / 2).unwrap();
        assert!(matches!(from_pem(cut), Err(KeyFileError::NotPem(_))));
        let mut der = to_der(&key()).unwrap().to_vec();
        der.truncate(40);
        assert!(matches!(from_der(&der), Err(KeyFileError::Damaged(_))));
    }

    #[test]
    fn another_algorithm_is_named() {
        let mut der = to_der(&key()).unwrap().to_vec();
        der[11] = 0x6e; // 1.3.101.110 is X25519
        let error = from_der(&der).unwrap_err();
        assert_eq!(error, KeyFileError::NotEd25519 { found: "1.3.101.110".to_owned() });
    }

    #[test]
    fn another_label_is_named() {
        let text = pem("CERTIFICATE", &[0x30, 0]).unwrap();
        let error = from_pem(&text).unwrap_err();
        assert_eq!(error, KeyFileError::WrongLabel { found: "CERTIFICATE".to_owned() });
    }

    #[test]
    fn a_derivation_without_bound_is_refused() {
        let costs = [
            (0, 8, 1),
            (3, 8, 1),
            (1 << 40, 8, 1),
            (1 << 18, 8, 1),
            (2, u16::MAX, 64),
            (1 << 14, 8, 64),
        ];
        for (cost, block_size, parallelization) in costs {
            let scheme = pkcs5::EncryptionScheme::Pbes2(pbes2::Parameters {
                kdf: pbes2::Kdf::Scrypt(pbes2::ScryptParams {
                    salt: pbes2::Salt::new([0; 16]).unwrap(),
                    cost_parameter: cost,
                    block_size,
                    parallelization,
                    key_length: None,
                }),
                encryption: pbes2::EncryptionScheme::Aes256Cbc { iv: [0; 16] },
            });
            assert_eq!(check_cost(&scheme), Err(KeyFileError::TooExpensive));
        }
    }
}

//! Where chance comes from: the operating system, or a seed where runs must repeat.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use reeve_statement::cert::Serial;
use reeve_statement::key::SecretKey;
use reeve_statement::key::file::FileNonce;

/// A source of chance.
#[derive(Debug)]
pub struct Entropy(Source);

enum Source {
    System,
    Seeded { seed: Zeroizing<[u8; 32]>, drawn: u64 },
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Seeded { .. } => "Seeded",
        })
    }
}

impl Entropy {
    /// The operating system's. The only right choice outside of simulations and tests.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// The same chance for the same seed: SHA-256 in counter mode.
    pub fn seeded(seed: [u8; 32]) -> Self {
        Self(Source::Seeded { seed: Zeroizing::new(seed), drawn: 0 })
    }

    /// Thirty-two random bytes; wiped on drop.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn draw(&mut self) -> Result<Zeroizing<[u8; 32]>, EntropyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        match &mut self.0 {
            Source::System => getrandom::fill(bytes.as_mut_slice())
                .map_err(|error| EntropyError { reason: error.to_string() })?,
            Source::Seeded { seed, drawn } => {
                *drawn = drawn.wrapping_add(1);
                let hash = Sha256::new()
                    .chain_update(b"reeve seeded entropy\0")
                    .chain_update(seed.as_slice())
                    .chain_update(drawn.to_be_bytes())
                    .finalize();
                *bytes = hash.into();
            }
        }
        Ok(bytes)
    }

    /// A new secret key.
    ///
    /// # Errors
    /// As [`Entropy::draw`].
    pub fn secret_key(&mut self) -> Result<SecretKey, EntropyError> {
        Ok(SecretKey::from_seed(&*self.draw()?))
    }

    /// A new serial number.
    ///
    /// # Errors
    /// As [`Entropy::draw`].
    pub fn serial(&mut self) -> Result<Serial, EntropyError> {
        let [bytes, _] = self.halves()?;
        Ok(Serial::from_random(bytes))
    }

    /// Salt and initialization vector of a new key file.
    ///
    /// # Errors
    /// As [`Entropy::draw`].
    pub fn file_nonce(&mut self) -> Result<FileNonce, EntropyError> {
        let [salt, iv] = self.halves()?;
        Ok(FileNonce { salt, iv })
    }

    fn halves(&mut self) -> Result<[[u8; 16]; 2], EntropyError> {
        let bytes = self.draw()?;
        let mut halves = [[0; 16]; 2];
        for (to, from) in halves.iter_mut().flatten().zip(bytes.iter()) {
            *to = *from;
        }
        Ok(halves)
    }
}

/// The operating system gives no randomness; nothing was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no randomness ({reason}); no key is made without it")]
pub struct EntropyError {
    /// What it said.
    pub reason: String,
}

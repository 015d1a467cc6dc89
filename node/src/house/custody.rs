//! The authority key in several hands: shares of it, any so many of which are the key, and fewer of which
//! say nothing about it; and carrying the authority's papers to another node of the home.
//!
//! Shamir's scheme over bytes, by the crate `blahaj`. A share is a file of its own: lines for people, which
//! say of which key and split it is, and an encrypted block under a passphrase of its own. The scheme
//! knows neither a wrong nor a foreign share; so each file names the public half of what it holds, and
//! what comes of the shares is compared with the key's.

use std::collections::BTreeSet;

use blahaj::Sharks;
use reeve_statement::cert::{Certificate, Crl};
use reeve_statement::key::file::{self, Cost, KeyFileError};
use reeve_statement::key::{PublicKey, SecretKey};
use zeroize::Zeroizing;

use super::clerk::Clerk;
use super::entropy::EntropyError;
use super::error::HouseError;
use super::passphrase::Passphrase;
use super::{HeldList, House, files};

/// Most shares of one key: as many people as can be called together.
pub const MOST_SHARES: u8 = 16;
/// Fewest of them that must come together: with one it would be a copy.
pub const LEAST_NEEDED: u8 = 2;

/// First line of a share, and of the authority's papers.
const SHARE_TITLE: &str = "A share of an authority key of Reeve.";
const PAPERS_TITLE: &str =
    "The papers of an authority of Reeve: its key, what it issued and revoked.";

/// What a share's file says without being opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Of which unit's authority.
    pub unit: String,
    /// The public half of the authority key.
    pub key: String,
    /// Tells one split from another.
    pub split: String,
    /// Its number, from 1.
    pub number: u8,
    /// How many are needed.
    pub needed: u8,
    /// How many there are.
    pub of: u8,
    /// The public half of what is in the block.
    check: String,
    block: Zeroizing<String>,
}

/// A share that was opened.
#[derive(Debug)]
pub struct OpenShare {
    share: Share,
    value: SecretKey,
}

/// Splits a key into shares, one for each passphrase; any `needed` of them are the key. Returns the
/// files' texts.
///
/// # Errors
/// [`CustodyError`].
pub fn split(
    key: &SecretKey,
    unit: &str,
    needed: u8,
    passphrases: &[Passphrase],
    cost: Cost,
    clerk: &mut Clerk<'_>,
) -> Result<Vec<Zeroizing<String>>, CustodyError> {
    let of = u8::try_from(passphrases.len()).unwrap_or(u8::MAX);
    if of > MOST_SHARES || !(LEAST_NEEDED..=of).contains(&needed) {
        return Err(CustodyError::Counts { needed, of: passphrases.len() });
    }
    let drawn = clerk.entropy().draw()?;
    let split: String = hex::encode(drawn.as_slice()).chars().take(16).collect();
    let seed = key.seed();
    let dealt = Sharks(needed).dealer(seed.as_slice());
    let mut texts = Vec::new();
    for (share, passphrase) in dealt.zip(passphrases) {
        let bytes = Zeroizing::new(Vec::from(&share));
        let (number, value) = value_of(&bytes).ok_or(CustodyError::Scheme)?;
        let nonce = clerk.entropy().file_nonce()?;
        let block = file::to_encrypted_pem_at(&value, passphrase.as_bytes(), &nonce, cost);
        let block = block.map_err(|error| CustodyError::Opening { number, error })?;
        let mut text = Zeroizing::new(format!(
            "{SHARE_TITLE} Any {needed} of {of} are the key; fewer say nothing about it.\n\
             unit: {unit}\nkey: {}\nsplit: {split}\nshare: {number}\nneeded: {needed}\nof: {of}\n\
             check: {}\n",
            key.public(),
            value.public(),
        ));
        text.push_str(&block);
        texts.push(text);
    }
    Ok(texts)
}

/// A share's number and value: as many bytes as a key has, so that its file is one of a key.
fn value_of(bytes: &[u8]) -> Option<(u8, SecretKey)> {
    let (number, value) = bytes.split_first()?;
    let value = Zeroizing::new(<[u8; 32]>::try_from(value).ok()?);
    Some((*number, SecretKey::from_seed(&value)))
}

impl Share {
    /// Reads a share's file; nothing is opened.
    ///
    /// # Errors
    /// [`CustodyError::NotAShare`].
    pub fn read(text: &str) -> Result<Self, CustodyError> {
        let wrong = |what: &'static str| CustodyError::NotAShare { what };
        if !text.starts_with(SHARE_TITLE) {
            return Err(wrong("its first line is another"));
        }
        let value = |name: &'static str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(found, _)| *found == name).map(|(_, value)| value.trim().to_owned())
        };
        let number = |name| value(name).and_then(|it| it.parse::<u8>().ok());
        let block = text.find("-----BEGIN").and_then(|at| text.get(at..));
        Ok(Self {
            unit: value("unit").ok_or(wrong("it names no unit"))?,
            key: value("key").ok_or(wrong("it names no key"))?,
            split: value("split").ok_or(wrong("it names no split"))?,
            number: number("share").ok_or(wrong("it has no number"))?,
            needed: number("needed").ok_or(wrong("it does not say how many are needed"))?,
            of: number("of").ok_or(wrong("it does not say how many there are"))?,
            check: value("check").ok_or(wrong("it has no check"))?,
            block: Zeroizing::new(block.ok_or(wrong("it has no encrypted block"))?.to_owned()),
        })
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`CustodyError`]: a wrong passphrase, or a file that was changed.
    pub fn open(self, passphrase: &Passphrase) -> Result<OpenShare, CustodyError> {
        let number = self.number;
        let value = file::from_encrypted_pem(&self.block, passphrase.as_bytes())
            .map_err(|error| CustodyError::Opening { number, error })?;
        if value.public().to_string() != self.check {
            return Err(CustodyError::Damaged { number });
        }
        Ok(OpenShare { share: self, value })
    }
}

/// Whether these shares belong together and are enough; asked before anybody types a passphrase.
///
/// # Errors
/// [`CustodyError`].
pub fn check_together(shares: &[Share]) -> Result<(), CustodyError> {
    let Some(first) = shares.first() else {
        return Err(CustodyError::TooFew { needed: LEAST_NEEDED, found: 0 });
    };
    for other in shares {
        let same =
            (&other.key, &other.split, other.needed) == (&first.key, &first.split, first.needed);
        if !same {
            let (one, two) = (first.number, other.number);
            let (of_one, of_two) = (first.split.clone(), other.split.clone());
            return Err(CustodyError::Mixed { one, two, of_one, of_two });
        }
    }
    let mut numbers = BTreeSet::new();
    if let Some(twice) = shares.iter().find(|share| !numbers.insert(share.number)) {
        return Err(CustodyError::Twice { number: twice.number });
    }
    if numbers.len() < usize::from(first.needed) {
        return Err(CustodyError::TooFew { needed: first.needed, found: numbers.len() });
    }
    Ok(())
}

/// Puts the key together again.
///
/// # Errors
/// [`CustodyError`]; among them that what comes out is not the key that the shares name.
pub fn combine(shares: &[OpenShare]) -> Result<SecretKey, CustodyError> {
    let read: Vec<Share> = shares.iter().map(|open| open.share.clone()).collect();
    check_together(&read)?;
    let first = read.first().ok_or(CustodyError::Scheme)?;
    let mut parts = Vec::new();
    for OpenShare { share, value } in shares {
        let mut bytes = Zeroizing::new(vec![share.number]);
        bytes.extend_from_slice(value.seed().as_slice());
        let part = blahaj::Share::try_from(bytes.as_slice()).map_err(|_| CustodyError::Scheme)?;
        parts.push(part);
    }
    let seed = Sharks(first.needed).recover(&parts).map_err(|_| CustodyError::Scheme)?;
    let seed = Zeroizing::new(seed);
    let seed = <[u8; 32]>::try_from(seed.as_slice()).map_err(|_| CustodyError::Scheme)?;
    let key = SecretKey::from_seed(&Zeroizing::new(seed));
    if key.public().to_string() == first.key { Ok(key) } else { Err(CustodyError::OtherKey) }
}

impl House {
    /// Keeps the unit's authority key in this folder, encrypted anew; one that is there already stays.
    ///
    /// # Errors
    /// When it is not the key of this unit's authority, one is there, or a file cannot be written.
    pub fn keep_authority_key(
        &self,
        key: &SecretKey,
        passphrase: &Passphrase,
        cost: Cost,
        clerk: &mut Clerk<'_>,
    ) -> Result<(), HouseError> {
        self.check_authority_key(&key.public())?;
        let nonce = clerk.entropy().file_nonce()?;
        let text = file::to_encrypted_pem_at(key, passphrase.as_bytes(), &nonce, cost)?;
        files::make_folder(&self.folder().join(files::KEYS))?;
        files::write_new(&self.folder().join(files::AUTHORITY_KEY), text.as_bytes())
    }

    fn check_authority_key(&self, found: &PublicKey) -> Result<(), HouseError> {
        let expected = *self.identity()?.authority.leaf().key();
        if expected == *found {
            return Ok(());
        }
        let (expected, found) = (expected.to_string(), found.to_string());
        Err(HouseError::OtherAuthorityKey { expected, found })
    }

    /// Removes the authority key from this folder: its shares are elsewhere.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn remove_authority_key(&self) -> Result<(), HouseError> {
        files::remove(&self.folder().join(files::AUTHORITY_KEY))
    }

    /// The authority's papers, to be carried to another node of this home: its encrypted key, the
    /// certificates that it issued, its revocation list.
    ///
    /// # Errors
    /// When this folder has no authority key, or a file cannot be read.
    pub fn authority_papers(&self) -> Result<Zeroizing<String>, HouseError> {
        let identity = self.identity()?;
        let path = self.folder().join(files::AUTHORITY_KEY);
        if !path.exists() {
            return Err(HouseError::NoAuthorityKey { unit: self.config().unit.clone() });
        }
        let mut text = Zeroizing::new(format!("{PAPERS_TITLE}\nunit: {}\n", identity.unit()?));
        text.push_str(&files::read_secret(&path)?);
        let issuer = identity.authority.leaf().key().key_id();
        for issued in self.issued()?.iter().filter(|it| it.authority_key_id() == issuer) {
            text.push_str(&issued.to_pem());
        }
        if let Some(held) = self.list_of(&issuer)? {
            text.push_str(&held.list.to_pem());
        }
        Ok(text)
    }

    /// Takes the authority's papers into this folder. Returns how many certificates came with them.
    ///
    /// # Errors
    /// When they are not papers of this unit's authority, the passphrase is wrong, a key is here
    /// already, or a file cannot be written.
    pub fn take_authority_papers(
        &self,
        text: &str,
        passphrase: &Passphrase,
    ) -> Result<usize, HouseError> {
        if !text.starts_with(PAPERS_TITLE) {
            return Err(HouseError::NotPapers);
        }
        let blocks = blocks_of(text);
        let of = |label: &str| {
            let begin = format!("-----BEGIN {label}-----");
            blocks
                .iter()
                .filter(move |block| block.starts_with(&begin))
                .copied()
                .collect::<Vec<_>>()
        };
        let key_block =
            of("ENCRYPTED PRIVATE KEY").first().copied().ok_or(HouseError::NotPapers)?;
        let path = self.folder().join(files::AUTHORITY_KEY);
        let key = file::from_encrypted_pem(key_block, passphrase.as_bytes())
            .map_err(|error| HouseError::Key { path: path.clone(), error })?;
        self.check_authority_key(&key.public())?;
        let certificates = of("CERTIFICATE");
        let mut issued = Vec::new();
        for block in certificates {
            let certificate = Certificate::from_pem(block)
                .map_err(|error| HouseError::PapersDamaged { reason: error.to_string() })?;
            if certificate.is_signed_by(&key.public()) {
                issued.push(certificate);
            }
        }
        for block in of("X509 CRL") {
            let list = Crl::from_pem(block)?;
            let held = self.list_of(&list.issuer_key_id())?;
            if held.is_none_or(|held| held.list.number() < list.number()) {
                let chain = Some(self.identity()?.authority.clone());
                self.keep_list(&HeldList { chain, list })?;
            }
        }
        issued.iter().try_for_each(|it| self.record_issued(it))?;
        files::make_folder(&self.folder().join(files::KEYS))?;
        files::write_new(&path, key_block.as_bytes())?;
        Ok(issued.len())
    }
}

/// The PEM blocks of a text.
fn blocks_of(text: &str) -> Vec<&str> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find("-----BEGIN ") {
        let Some(block) = rest.get(begin..) else { break };
        let Some(end) = block.find("-----END ") else { break };
        let line = block.get(end..).and_then(|last| last.find('\n')).unwrap_or(block.len() - end);
        let Some((whole, after)) = block.split_at_checked(end.saturating_add(line)) else { break };
        blocks.push(whole);
        rest = after;
    }
    blocks
}

/// Why a key is not split, or not put together.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// Not so many shares.
    #[error(
        "expected {LEAST_NEEDED} to {MOST_SHARES} shares, of which at least {LEAST_NEEDED} and at most all \
         are needed; found {of} shares, of which {needed} are needed"
    )]
    Counts {
        /// How many would be needed.
        needed: u8,
        /// Of how many.
        of: usize,
    },
    /// Another file.
    #[error("it is not a share of an authority key: {what}")]
    NotAShare {
        /// What is missing.
        what: &'static str,
    },
    /// A wrong passphrase, or a damaged block.
    #[error("share {number} cannot be opened: {error}")]
    Opening {
        /// Its number.
        number: u8,
        /// Why.
        error: KeyFileError,
    },
    /// The block holds another value than the file says.
    #[error(
        "share {number} opens, and holds something else than its file says: the file was changed; get \
         another copy of it, or another share"
    )]
    Damaged {
        /// Its number.
        number: u8,
    },
    /// Shares of two splits.
    #[error(
        "share {one} is of the split {of_one} and share {two} of {of_two}: shares of different keys or \
         splits do not fit together; bring those of one"
    )]
    Mixed {
        /// One of them.
        one: u8,
        /// The other.
        two: u8,
        /// Of which split the one is.
        of_one: String,
        /// And the other.
        of_two: String,
    },
    /// The same share twice.
    #[error("share {number} was given twice; bring another one")]
    Twice {
        /// Its number.
        number: u8,
    },
    /// Not enough.
    #[error("{needed} shares are needed, found {found}; bring more")]
    TooFew {
        /// How many are needed.
        needed: u8,
        /// How many there are.
        found: usize,
    },
    /// What comes out is another key.
    #[error(
        "these shares do not give the key that they name: one of them was changed; try others, if there \
         are more than needed"
    )]
    OtherKey,
    /// The scheme failed: a defect of this program.
    #[error("the scheme of shares failed; this is a defect of this program")]
    Scheme,
    /// There is no chance.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

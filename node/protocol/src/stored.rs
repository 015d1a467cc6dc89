//! Whether the stored ledger of a stopped node is whole: for `reeve verify`.
//!
//! A unit has one ledger per reporting term, and each is checked alone.
//! The entries of what was sent, of the certificates that were issued and of what was adopted are the
//! leaves. Put together
//! again in order they must give the tree whose right edge is stored beside them, node by node, and
//! what each names must be there and verify: a statement's name does not cover the chain of
//! certificates beside it, without which nobody else can verify it. It is fed rows and asks for rows;
//! it never opens a store.

use std::collections::BTreeMap;
use std::sync::Arc;

use reeve_statement::cert::{CrlSet, RootList};
use reeve_statement::cose::{Signed, Verifier, VerifyError};
use reeve_statement::digest::Digest;
use reeve_statement::ledger::{Frontier, NodeAddress, issuance_entry, leaf_hash};

use crate::ledger::{frontier_of, node_key};
use crate::rows::{self, AdoptionRow, IssuedRow, SentRow};

/// What is wrong with a stored ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFault {
    /// The right edge does not decode.
    #[error("the ledger's right edge cannot be read")]
    Edge,
    /// An entry does not decode, or is not of the certificate or act beside it.
    #[error("entry {index} of the ledger cannot be read")]
    Entry {
        /// Where it should be.
        index: u64,
    },
    /// There are entries, and no right edge.
    #[error("the ledger of term {term} has entries and no head")]
    Headless {
        /// Which term.
        term: u64,
    },
    /// Entries are missing.
    #[error("entry {expected} of the ledger is missing, found entry {found}")]
    Gap {
        /// The next in order.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// A statement is missing, or is not the one that the entry names.
    #[error("the statement of entry {index} ({statement}) is missing or another one")]
    Statement {
        /// The entry.
        index: u64,
        /// The digest it names.
        statement: Digest,
    },
    /// A statement is the one that the entry names, but not as it was signed.
    #[error("the statement of entry {index} ({statement}) does not verify: {error}")]
    Unverified {
        /// The entry.
        index: u64,
        /// The digest it names.
        statement: Digest,
        /// Why.
        error: Box<VerifyError>,
    },
    /// A node of the tree is missing or is not the hash of what is below it.
    #[error("node {index} of level {level} of the ledger's tree is missing or wrong")]
    Node {
        /// Its level, 0 for leaves.
        level: u8,
        /// Its place.
        index: u64,
    },
    /// The entries and the tree head disagree about how many there are.
    #[error("the ledger's head says {head} entries, {found} are there")]
    Size {
        /// By the head.
        head: u64,
        /// Entries.
        found: u64,
    },
    /// They disagree about what they are.
    #[error("the ledger's head has root {head}, its entries give {found}")]
    Root {
        /// By the head.
        head: Digest,
        /// By the entries.
        found: Digest,
    },
}

/// A row that must be there.
#[derive(Debug, Clone)]
pub struct Needed {
    /// Its key.
    pub key: Vec<u8>,
    expected: Digest,
    what: What,
}

/// What must be at a key.
#[derive(Debug, Clone)]
enum What {
    Statement { index: u64, verifier: Arc<Verifier> },
    Node(NodeAddress),
}

impl Needed {
    /// Holds what is at the key against what must be.
    ///
    /// # Errors
    /// [`LedgerFault::Statement`], [`LedgerFault::Unverified`], [`LedgerFault::Node`].
    pub fn check(self, value: Option<&[u8]>) -> Result<(), LedgerFault> {
        let Self { expected, what, .. } = self;
        match what {
            What::Node(NodeAddress { level, index }) => {
                let found = value.and_then(|value| value.try_into().ok().map(Digest::from_bytes));
                let same = found == Some(expected);
                if same { Ok(()) } else { Err(LedgerFault::Node { level, index }) }
            }
            What::Statement { index, verifier } => {
                let statement = expected;
                let signed = value.and_then(|value| Signed::decode(value).ok());
                let signed = signed
                    .filter(|signed| signed.digest() == statement)
                    .ok_or(LedgerFault::Statement { index, statement })?;
                verify(signed, &verifier).map_err(|error| LedgerFault::Unverified {
                    index,
                    statement,
                    error: Box::new(error),
                })
            }
        }
    }
}

/// Verifies an old statement at the moment when its chain began to hold, whatever ended or was revoked
/// since.
fn verify(signed: Signed, verifier: &Verifier) -> Result<(), VerifyError> {
    let chain = signed.unverified_chain().ok_or(VerifyError::NoChain)??;
    let begins = chain.certificates().map(|it| it.validity().not_before).max();
    let at = begins.unwrap_or_else(|| signed.unverified_issued_at());
    signed.verify(verifier, at).map(drop)
}

/// A ledger that is put together again, entry by entry.
#[derive(Debug)]
pub struct LedgerCheck {
    term: u64,
    head: Frontier,
    found: Frontier,
    /// Entries of certificates and of acts that were not come to yet, by place.
    issued: BTreeMap<u64, Digest>,
    verifier: Arc<Verifier>,
}

impl LedgerCheck {
    /// How the key of every right edge begins; there is one per term.
    #[must_use]
    pub fn edges() -> Vec<u8> {
        rows::key(rows::META, &[rows::EDGE])
    }

    /// The term of a ledger and its size, if this row is a ledger's right edge.
    #[must_use]
    pub fn size_of(key: &[u8], edge: &[u8]) -> Option<(u64, u64)> {
        let term = key.strip_prefix(Self::edges().as_slice())?.try_into().ok()?;
        Some((u64::from_be_bytes(term), frontier_of(edge)?.size()))
    }

    /// The key of the right edge of a term's ledger.
    #[must_use]
    pub fn edge_key(term: u64) -> Vec<u8> {
        crate::ledger::edge_key(term)
    }

    /// Of which term's ledger the row with this key is an entry: something sent, a
    /// certificate, or an act of adoption.
    #[must_use]
    pub fn term_of_entry(key: &[u8]) -> Option<u64> {
        let prefixes = [rows::SENT, rows::ISSUED, rows::ADOPTED];
        let placed = prefixes.into_iter().find_map(|prefix| key.strip_prefix(prefix))?;
        Some(u64::from_be_bytes(*placed.first_chunk()?))
    }

    /// A check of the ledger whose right edge is this row. Statements are verified under the federation's
    /// roots.
    ///
    /// # Errors
    /// [`LedgerFault::Edge`].
    pub fn new(key: &[u8], edge: &[u8], roots: &RootList) -> Result<Self, LedgerFault> {
        let term = key.strip_prefix(Self::edges().as_slice()).and_then(|it| it.try_into().ok());
        let term = term.map(u64::from_be_bytes).ok_or(LedgerFault::Edge)?;
        let head = frontier_of(edge).ok_or(LedgerFault::Edge)?;
        let verifier = Arc::new(Verifier::new(roots.clone(), CrlSet::default()));
        Ok(Self { term, head, found: Frontier::new(), issued: BTreeMap::new(), verifier })
    }

    /// Of which term the ledger is.
    #[must_use]
    pub const fn term(&self) -> u64 {
        self.term
    }

    /// How the keys begin of the certificates that were issued in its term.
    #[must_use]
    pub fn issued_rows(&self) -> Vec<u8> {
        rows::key(rows::ISSUED, &[&self.term.to_be_bytes()])
    }

    /// How the keys begin of the acts of adoption that were entered in its term.
    #[must_use]
    pub fn adopted_rows(&self) -> Vec<u8> {
        rows::key(rows::ADOPTED, &[&self.term.to_be_bytes()])
    }

    /// How the keys begin of what was sent in its term.
    #[must_use]
    pub fn sent_rows(&self) -> Vec<u8> {
        rows::key(rows::SENT, &[&self.term.to_be_bytes()])
    }

    /// Takes the entry of a certificate; all of them come before what was sent.
    ///
    /// # Errors
    /// [`LedgerFault::Entry`].
    pub fn issued(&mut self, value: &[u8]) -> Result<(), LedgerFault> {
        let place = u64::try_from(self.issued.len()).unwrap_or(u64::MAX);
        let row: IssuedRow = reeve_statement::cbor::from_slice("row", value, value.len())
            .map_err(|_| LedgerFault::Entry { index: place })?;
        if issuance_entry(&row.certificate) != row.entry {
            return Err(LedgerFault::Entry { index: row.index });
        }
        self.issued.insert(row.index, row.entry);
        Ok(())
    }

    /// Takes the entry of an act of adoption; all of them come before what was sent.
    ///
    /// # Errors
    /// [`LedgerFault::Entry`].
    pub fn adopted(&mut self, value: &[u8]) -> Result<(), LedgerFault> {
        let place = u64::try_from(self.issued.len()).unwrap_or(u64::MAX);
        let row: AdoptionRow = reeve_statement::cbor::from_slice("row", value, value.len())
            .map_err(|_| LedgerFault::Entry { index: place })?;
        if row.act.entry() != row.entry {
            return Err(LedgerFault::Entry { index: row.index });
        }
        self.issued.insert(row.index, row.entry);
        Ok(())
    }

    /// Takes the next entry of what was sent, in order of keys, and says which rows must be there for
    /// it and for the certificates before it.
    ///
    /// # Errors
    /// [`LedgerFault::Entry`], [`LedgerFault::Gap`].
    pub fn sent(&mut self, value: &[u8]) -> Result<Vec<Needed>, LedgerFault> {
        let mut needed = self.certificates()?;
        let expected = self.found.size();
        let row: SentRow = reeve_statement::cbor::from_slice("row", value, value.len())
            .map_err(|_| LedgerFault::Entry { index: expected })?;
        if row.index != expected {
            return Err(LedgerFault::Gap { expected, found: row.index });
        }
        let (index, statement) = (row.index, row.statement);
        let what = What::Statement { index, verifier: Arc::clone(&self.verifier) };
        needed.push(Needed { key: rows::statement(&statement), expected: statement, what });
        needed.extend(self.append(statement)?);
        Ok(needed)
    }

    /// Goes over the certificates that come next, and says which rows must be there for them. Called
    /// once more after the last of what was sent.
    ///
    /// # Errors
    /// [`LedgerFault::Entry`].
    pub fn certificates(&mut self) -> Result<Vec<Needed>, LedgerFault> {
        let mut needed = Vec::new();
        while let Some(entry) = self.issued.remove(&self.found.size()) {
            needed.extend(self.append(entry)?);
        }
        Ok(needed)
    }

    fn append(&mut self, entry: Digest) -> Result<Vec<Needed>, LedgerFault> {
        let (term, index) = (self.term, self.found.size());
        let completed = self.found.append(leaf_hash(entry.as_bytes()));
        let completed = completed.map_err(|_| LedgerFault::Entry { index })?;
        let node = |(address, hash): (NodeAddress, Digest)| {
            let key = node_key(term, address.level, address.index);
            Needed { key, expected: hash, what: What::Node(address) }
        };
        Ok(completed.into_iter().map(node).collect())
    }

    /// After the last entry: size and root.
    ///
    /// # Errors
    /// [`LedgerFault::Size`], [`LedgerFault::Root`].
    pub fn end(self) -> Result<(u64, Digest), LedgerFault> {
        let (head, found) = (self.head.size(), self.found.size());
        if let Some(found) = self.issued.keys().next() {
            return Err(LedgerFault::Gap { expected: self.found.size(), found: *found });
        }
        if head != found {
            return Err(LedgerFault::Size { head, found });
        }
        let (head, root) = (self.head.root(), self.found.root());
        if head != root {
            return Err(LedgerFault::Root { head, found: root });
        }
        Ok((found, root))
    }
}

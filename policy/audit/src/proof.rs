//! Inclusion proofs as text: C2SP `tlog-proof`, version 1.
//!
//! Specification: <https://c2sp.org/tlog-proof>. The entry of a statement is its digest (32 bytes), so
//! its leaf is the SHA-256 of a zero byte and the digest (RFC 9162 section 2.1.1).

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::MAX_CHECKPOINT_BYTES;
use reeve_statement::ledger::{InclusionProof, MAX_PROOF_HASHES};

/// First line of a proof.
const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Longest proof, in bytes: a checkpoint and a line of 45 bytes per hash.
pub const MAX_PROOF_BYTES: usize = MAX_CHECKPOINT_BYTES + MAX_PROOF_HASHES * 45 + 1_024;

/// That an entry is in a ledger, with the checkpoint that says so. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerProof {
    /// Place of the entry.
    pub index: u64,
    /// The hashes beside its way to the root.
    pub path: InclusionProof,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// What a proof's text is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} in line {line} of the proof (C2SP tlog-proof)")]
pub struct ProofTextError {
    /// What should have been there.
    pub expected: &'static str,
    /// Where, from 1.
    pub line: usize,
}

impl fmt::Display for LedgerProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nindex {}", self.index)?;
        for hash in &self.path.hashes {
            writeln!(f, "{}", BASE64.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for LedgerProof {
    type Err = ProofTextError;

    fn from_str(text: &str) -> Result<Self, ProofTextError> {
        let fail = |expected, line| ProofTextError { expected, line };
        let (head, checkpoint) = text.split_once("\n\n").ok_or(fail("an empty line", 1))?;
        let mut lines = head.lines().zip(1..).peekable();
        if lines.next().is_none_or(|(line, _)| line != HEADER) {
            return Err(fail("c2sp.org/tlog-proof@v1", 1));
        }
        // Opaque to whoever does not know it.
        lines.next_if(|(line, _)| line.starts_with("extra "));
        let (line, number) = lines.next().unwrap_or(("", 2));
        let index = line.strip_prefix("index ").and_then(|index| {
            index.parse::<u64>().ok().filter(|parsed| parsed.to_string() == index)
        });
        let index = index.ok_or(fail("`index` and a number", number))?;
        let mut hashes = Vec::new();
        for (line, number) in lines {
            let bytes = BASE64.decode(line).ok().and_then(|it| <[u8; 32]>::try_from(it).ok());
            if hashes.len() >= MAX_PROOF_HASHES {
                return Err(fail("no more hashes than a tree has levels", number));
            }
            hashes.push(Digest::from_bytes(bytes.ok_or(fail("a hash in base64", number))?));
        }
        Ok(Self { index, path: InclusionProof { hashes }, checkpoint: checkpoint.to_owned() })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn proof() -> LedgerProof {
        let hashes = vec![Digest::of(b"a"), Digest::of(b"b")];
        let checkpoint = "03.it.reeve.example/ledger/1\n4\nroot\n\n\u{2014} x y\n".to_owned();
        LedgerProof { index: 3, path: InclusionProof { hashes }, checkpoint }
    }

    #[test]
    fn a_proof_reads_like_the_specification_and_comes_back() {
        let text = proof().to_string();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 3\nypeBEsobvcr6wjGzmiPcTaeG7/"));
        assert_eq!(text.parse::<LedgerProof>().unwrap(), proof());
        let extra = text.replacen("\nindex", "\nextra AAAA\nindex", 1);
        assert_eq!(extra.parse::<LedgerProof>().unwrap(), proof());
    }

    #[test]
    fn what_is_no_proof_is_refused_with_its_line() {
        let text = proof().to_string();
        for (from, to, line) in [
            ("@v1", "@v2", 1),
            ("index 3", "index 03", 2),
            ("index 3", "index", 2),
            ("ypeB", "????", 3),
        ] {
            let error = text.replacen(from, to, 1).parse::<LedgerProof>().unwrap_err();
            assert_eq!(error.line, line, "{from} -> {to}");
        }
        assert!("".parse::<LedgerProof>().is_err());
    }
}

//! The file that proves that a unit keeps two ledgers, to whoever has the federation's roots.

use std::fmt::Write as _;

use reeve_statement::cert::{Chain, CrlSet, Role, RootList, StaleRule, dns_name, verify_chain};
use reeve_statement::ledger::checkpoint::Origin;
use reeve_statement::ledger::equivocation::Equivocation;
use reeve_statement::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::{About, Code, Finding, Verdict};

/// What the first field of such a file says.
pub const EQUIVOCATION_FORMAT: &str = "reeve-equivocation/1";

/// Longest file, in bytes: two checkpoints and a chain of seventeen certificates in PEM.
pub const MAX_EQUIVOCATION_BYTES: usize = 256 * 1024;

/// Two checkpoints that contradict each other, and by whose key they are signed. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EquivocationFile {
    /// [`EQUIVOCATION_FORMAT`].
    pub format: String,
    /// Which unit, as a path.
    pub unit: String,
    /// In which reporting term.
    pub term: u64,
    /// One signed note.
    pub one: String,
    /// The other.
    pub other: String,
    /// The chain of the node that signed them, leaf first, in PEM.
    pub chain: String,
    /// When whoever made the file saw the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_at: Option<String>,
}

/// What a check of such a file came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EquivocationReport {
    /// `findings`: it is proven; `cannot_tell`: it is not.
    pub verdict: Verdict,
    /// The federation whose roots were used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub federation: Option<String>,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl EquivocationReport {
    /// For a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for found in &self.findings {
            let mark = if found.code.verdict() == Verdict::Findings { "WRONG" } else { "OPEN " };
            let _ = writeln!(text, "{mark} {}: {}\n      {}", found.code, found.about, found.text);
        }
        let meaning = match self.verdict {
            Verdict::Findings => "it is proven that the unit has signed two ledgers",
            Verdict::Pass | Verdict::CannotTell => "nothing is proven",
        };
        let _ = writeln!(text, "{}: {meaning}", self.verdict);
        text
    }
}

/// Checks a file by the federation's roots.
#[must_use]
pub fn verify_equivocation(file: &EquivocationFile, roots: &RootList) -> EquivocationReport {
    let about = About { unit: Some(file.unit.clone()), ..About::default() };
    let (code, text) = match proven(file, roots) {
        Ok(proven) => (
            Code::Equivocation,
            format!(
                "its node has signed two checkpoints of {} entries of {}, with the roots {} and {}: \
                 what it says in term {} is not to be believed; its authority must appoint a node for a \
                 later term, and say what happened",
                proven.one.size, proven.one.origin, proven.one.root, proven.other.root, file.term
            ),
        ),
        Err(reason) => (Code::NotProven, reason),
    };
    EquivocationReport {
        verdict: code.verdict(),
        federation: Some(roots.federation().to_string()),
        findings: vec![Finding { code, about, text }],
    }
}

/// That a certificate was revoked since, or has ended, takes nothing from what it signed: it is enough
/// that it was good when it began.
fn proven(file: &EquivocationFile, roots: &RootList) -> Result<Equivocation, String> {
    if file.format != EQUIVOCATION_FORMAT {
        return Err(format!("expected format {EQUIVOCATION_FORMAT}, found {:?}", file.format));
    }
    let chain = Chain::from_pem(&file.chain).map_err(|error| error.to_string())?;
    let begins = chain.certificates().map(|it| it.validity().not_before);
    let at = begins.fold(Timestamp::from_millis(i64::MIN), Timestamp::max);
    let lists = CrlSet::new(StaleRule::default());
    let signer = verify_chain(&chain, roots, &lists, at).map_err(|error| error.to_string())?;
    if signer.role() != Role::Node || signer.term() != Some(file.term) {
        return Err(format!("the certificate is of no node that reports in term {}", file.term));
    }
    if signer.unit().to_string() != file.unit {
        return Err(format!("the certificate is of {}, expected {}", signer.unit(), file.unit));
    }
    let name = dns_name(signer.unit(), signer.domain()).map_err(|error| error.to_string())?;
    let origin = Origin::of(&name, file.term).map_err(|error| error.to_string())?;
    Equivocation::verify(&file.one, &file.other, &origin, signer.key())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_file_reads_as_it_was_written_and_nothing_else_is_one() {
        let text = "a\n1\nb\n\n\u{2014} c d\n".to_owned();
        let file = EquivocationFile {
            format: EQUIVOCATION_FORMAT.to_owned(),
            unit: "it/03".to_owned(),
            term: 2,
            one: text.clone(),
            other: text,
            chain: "-----".to_owned(),
            found_at: None,
        };
        let folder = tempfile::tempdir().unwrap();
        file.write(&folder.path().join("new")).unwrap();
        let path = folder.path().join("new/it-03-term-2.json");
        let written = std::fs::read_to_string(path).unwrap();
        assert_eq!(serde_json::from_str::<EquivocationFile>(&written).unwrap(), file);
        let more = written.replacen('{', "{\"more\": 1,", 1);
        assert!(serde_json::from_str::<EquivocationFile>(&more).is_err());
    }
}

//! The command line of `reeve-audit`, and of `reeve audit`, which is the same.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use reeve_statement::cert::RootList;
use reeve_statement::digest::{Digest, FederationId};

use crate::bundle::Bundle;
use crate::check::{Rules, Trust, verify};
use crate::equivocation::{EquivocationFile, MAX_EQUIVOCATION_BYTES, verify_equivocation};
use crate::finding::Verdict;
use crate::folder::FolderError;
use crate::report::Report;

/// Exit code where something is wrong.
pub const FINDINGS: u8 = 5;
/// Exit code where something that is needed is not there.
pub const CANNOT_TELL: u8 = 6;

/// What an auditor can do.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check proof bundles, offline: every signature, every sum, from the leaves up; or the proof that a
    /// unit keeps two ledgers.
    Verify(VerifyArguments),
}

/// `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
The figure is added again from the statements of the bundles, as far down as they go: give the bundles \
of several jurisdictions together to follow a figure to its leaves.

The bundle brings the federation's roots along; they prove nothing unless you say which federation you \
mean. Get the id, 64 hexadecimal digits, from somebody you trust, not from the bundle.

Examples:
  verify bundle/ --federation 3f9c...
  verify nation/ region-03/ region-05/ --roots roots.cbor --html report.html
  verify bundle/ --federation 3f9c... --json | jq .findings
  verify bundle/ --federation 3f9c... --seen ledgers/ --equivocations evidence/
  verify it-03-term-1.json --roots roots.cbor

Exit codes: 0 everything claimed was checked and holds; 5 something is wrong; 6 nothing is wrong with \
what is there, but something that is needed is not there; 1 a folder cannot be read; 2 wrong usage.")]
pub struct VerifyArguments {
    /// Folders of proof bundles; or one file that `reeve ledger equivocations` has written
    #[arg(required = true, value_name = "BUNDLE")]
    bundles: Vec<PathBuf>,
    /// The federation's id, which you know from elsewhere
    #[arg(long, value_name = "ID", conflicts_with = "roots")]
    federation: Option<String>,
    /// The federation's roots (roots.cbor), which you have from elsewhere
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// A revocation list of every authority must be in the bundles
    #[arg(long)]
    require_lists: bool,
    /// Every figure must be in a checkpoint that another unit has cosigned
    #[arg(long)]
    require_witness: bool,
    /// Write the report as a page that needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Hold the ledgers against those that were checked before with this folder, and keep these there too;
    /// auditors who put the files of their folders together exchange what they have seen
    #[arg(long, value_name = "FOLDER")]
    seen: Option<PathBuf>,
    /// Where a unit is found to keep two ledgers, write the proof into this folder
    #[arg(long, value_name = "FOLDER")]
    equivocations: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Why a check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A bundle cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The federation's id is none.
    #[error("--federation: expected 64 hexadecimal digits, found {0:?}")]
    Federation(String),
    /// The roots cannot be read.
    #[error("--roots {}: {reason}", path.display())]
    Roots {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file is no proof that a unit keeps two ledgers.
    #[error("{}: {reason}; expected a file of `reeve ledger equivocations`, or folders", path.display())]
    NoProof {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What was seen cannot be kept.
    #[error("--seen {}: {error}", path.display())]
    Seen {
        /// Where.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The proofs cannot be written.
    #[error("--equivocations {}: {error}", path.display())]
    Proofs {
        /// Where.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The page cannot be written.
    #[error("--html {}: {error}", path.display())]
    Html {
        /// Where.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// What a command came to: what to print, and the verdict.
#[derive(Debug)]
pub struct Done {
    answer: Answer,
    /// The verdict.
    pub verdict: Verdict,
}

#[derive(Debug)]
enum Answer {
    Text(String),
    /// As JSON: that of a year is long, and is written as it is made.
    Report(Box<Report>),
}

impl Done {
    /// The exit code.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Pass => 0,
            Verdict::Findings => FINDINGS,
            Verdict::CannotTell => CANNOT_TELL,
        }
    }

    /// Prints it.
    ///
    /// # Errors
    /// When what it is printed to does not take it.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        match &self.answer {
            Answer::Text(text) => out.write_all(text.as_bytes())?,
            Answer::Report(report) => {
                serde_json::to_writer_pretty(&mut out, report)?;
                out.write_all(b"\n")?;
            }
        }
        out.flush()
    }
}

/// Does what was asked for.
///
/// # Errors
/// [`AuditError`] if no check could be made.
pub fn run(command: &AuditCommand) -> Result<Done, AuditError> {
    let AuditCommand::Verify(arguments) = command;
    let trust = trust(arguments)?;
    if let [file] = arguments.bundles.as_slice()
        && file.is_file()
    {
        return equivocation(file, arguments, &trust);
    }
    let mut bundle = Bundle::default();
    for folder in &arguments.bundles {
        bundle.read_folder(folder)?;
    }
    if let Some(seen) = arguments.seen.as_deref().filter(|seen| seen.exists()) {
        bundle.read_seen(seen)?;
    }
    let VerifyArguments { require_lists, require_witness, .. } = *arguments;
    let report = verify(&bundle, &Rules { trust, require_lists, require_witness });
    drop(bundle);
    if let Some(folder) = &arguments.seen {
        let written = report.keep_seen(folder);
        written.map_err(|error| AuditError::Seen { path: folder.clone(), error })?;
    }
    if let Some(folder) = &arguments.equivocations {
        let written = report.equivocations.iter().try_for_each(|proof| proof.write(folder));
        written.map_err(|error| AuditError::Proofs { path: folder.clone(), error })?;
    }
    if let Some(path) = &arguments.html {
        let written = fs::write(path, report.html());
        written.map_err(|error| AuditError::Html { path: path.clone(), error })?;
    }
    let verdict = report.verdict;
    let answer =
        if arguments.json { Answer::Report(Box::new(report)) } else { Answer::Text(report.text()) };
    Ok(Done { answer, verdict })
}

/// Checks the proof that a unit keeps two ledgers. It brings no roots along: they must be given.
fn equivocation(
    path: &Path,
    arguments: &VerifyArguments,
    trust: &Trust,
) -> Result<Done, AuditError> {
    let fail = |reason: String| AuditError::NoProof { path: path.to_owned(), reason };
    let Trust::Roots(roots) = trust else {
        return Err(fail("it brings no roots: give the federation's with --roots".to_owned()));
    };
    let length = fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if usize::try_from(length).map_or(true, |length| length > MAX_EQUIVOCATION_BYTES) {
        return Err(fail(format!("{length} bytes, expected at most {MAX_EQUIVOCATION_BYTES}")));
    }
    let text = fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let file: EquivocationFile =
        serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
    let report = verify_equivocation(&file, roots);
    let text = if arguments.json {
        format!("{}\n", serde_json::to_string_pretty(&report).unwrap_or_default())
    } else {
        report.text()
    };
    Ok(Done { answer: Answer::Text(text), verdict: report.verdict })
}

fn trust(arguments: &VerifyArguments) -> Result<Trust, AuditError> {
    if let Some(id) = &arguments.federation {
        let id = id.parse::<Digest>().map(FederationId);
        let given = arguments.federation.clone().unwrap_or_default();
        return id.map(Trust::Federation).map_err(|_| AuditError::Federation(given));
    }
    let Some(path) = &arguments.roots else { return Ok(Trust::Unconfirmed) };
    let fail = |reason: String| AuditError::Roots { path: path.clone(), reason };
    let bytes = fs::read(path).map_err(|error| fail(error.to_string()))?;
    let roots = RootList::decode(&bytes).map_err(|error| fail(error.to_string()))?;
    Ok(Trust::Roots(Box::new(roots)))
}

//! Which version is tried: what passed counts for exactly this one.

use std::fmt;
use std::process::Command;

use reeve_statement::digest::Digest;

use super::FullError;
use super::parts::Program;

/// Characters of a digest that are shown: enough to tell versions apart.
const SHOWN: usize = 10;

/// The program and its sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Of the two executables: this one, and `reeve` beside it.
    build: String,
    /// The commit, and what was changed since; none: this is no clone.
    sources: Option<String>,
}

impl Version {
    /// That of this program, and of the clone in the present folder.
    ///
    /// # Errors
    /// When this executable cannot be read.
    pub fn here() -> Result<Self, FullError> {
        let own = std::env::current_exe().map_err(FullError::of("this executable"))?;
        let beside = std::fs::read(own.with_file_name("reeve")).unwrap_or_default();
        let own = std::fs::read(&own).map_err(FullError::of(own))?;
        let build = short(&[&own, &beside]);
        Ok(Self { build, sources: sources() })
    }

    /// What counts for a step: a test of cargo is built from the sources, whatever is built here.
    #[must_use]
    pub fn of(&self, program: Program) -> String {
        let version = env!("CARGO_PKG_VERSION");
        match (program, &self.sources) {
            (Program::Cargo, Some(sources)) => format!("{version}, {sources}"),
            (Program::Cargo, None) => version.to_owned(),
            (Program::Testnet, _) => format!("{version}, build {}", self.build),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { build, sources } = self;
        write!(f, "{}, build {build}", env!("CARGO_PKG_VERSION"))?;
        sources.as_ref().map_or(Ok(()), |sources| write!(f, ", {sources}"))
    }
}

fn sources() -> Option<String> {
    let commit = git(&["rev-parse", "--short=10", "HEAD"])?;
    let changed = git(&["status", "--porcelain"]).unwrap_or_default();
    if changed.is_empty() {
        return Some(format!("commit {commit}"));
    }
    let diff = git(&["diff", "HEAD"]).unwrap_or_default();
    Some(format!("commit {commit} and changes {}", short(&[changed.as_bytes(), diff.as_bytes()])))
}

fn short(parts: &[&[u8]]) -> String {
    Digest::of_parts(parts).to_string().chars().take(SHOWN).collect()
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

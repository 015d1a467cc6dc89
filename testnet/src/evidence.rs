//! The proof bundle of a whole town: what `reeve proof` makes of a figure at each unit that is in it,
//! laid into one folder; and what an auditor says of it, as it is and with a byte changed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use futures::future::try_join_all;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reeve::cli::CommandError;
use reeve::cli::proof::{Collected, collect, write};
use reeve::client::{Client, address_of};
use reeve::house::House;
use reeve::token::OPERATOR_TOKEN_FILE;
use reeve_audit::{Bundle, FIGURE, Report, Rules, STATEMENTS, Tree, Trust, Verdict, verify};
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::unit::UnitPath;

use crate::town::{Town, TownError, house_error};

/// Where the API of a node listens if its folder does not say.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The town.
    #[error(transparent)]
    Town(#[from] TownError),
    /// A node did not give what it has.
    #[error("{unit}: {error}")]
    Node {
        /// Which.
        unit: UnitPath,
        /// Why.
        error: Box<CommandError>,
    },
    /// The folder cannot be written.
    #[error(transparent)]
    Write(Box<CommandError>),
    /// The files do not belong together.
    #[error(transparent)]
    Bundle(#[from] reeve_audit::BundleError),
    /// A question to a node ended early.
    #[error("a question to {0} ended early")]
    Ended(UnitPath),
}

/// The files of a bundle about one figure of a unit.
#[derive(Debug, Clone)]
pub struct Evidence {
    files: BTreeMap<String, Vec<u8>>,
    federation: FederationId,
}

/// What an auditor found in a bundle.
#[derive(Debug)]
pub struct Audited {
    /// Everything.
    pub report: Report,
    /// Units at the bottom whose figures were added.
    pub leaves: usize,
}

impl Audited {
    /// Whether everything holds.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.report.verdict == Verdict::Pass
    }
}

impl Evidence {
    /// Follows a figure of a unit down: each unit that is in it is asked for what it has. The town's local
    /// APIs must be served.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub async fn of(town: &Town, unit: &UnitPath, figure: Digest) -> Result<Self, EvidenceError> {
        let identity = town.house(unit)?.identity();
        let federation = identity.map_err(|error| house_error(unit, error))?.roots.federation();
        let mut files = BTreeMap::new();
        let mut asked = BTreeSet::new();
        let mut level = vec![(unit.clone(), figure)];
        while !level.is_empty() {
            let new = level.drain(..).filter(|it| asked.insert(it.clone()));
            let asking: Vec<_> = new.map(|(unit, figure)| ask(town, unit, figure)).collect();
            for (at, collected) in try_join_all(asking).await? {
                let told = collected.statements.iter();
                let below =
                    told.filter(|(_, it)| it.issuer.is_child_of(&at) && it.figure().is_some());
                level.extend(below.map(|(digest, it)| (it.issuer.clone(), *digest)));
                for (place, bytes) in collected.files {
                    // The bundle is about the figure that was asked for, and not about its parts.
                    if place != FIGURE || at == *unit {
                        files.insert(place, bytes);
                    }
                }
            }
        }
        Ok(Self { files, federation })
    }

    /// Writes the bundle into a folder that is not there yet.
    ///
    /// # Errors
    /// [`EvidenceError::Write`].
    pub fn write(&self, folder: &Path) -> Result<(), EvidenceError> {
        write(folder, &self.files).map_err(|error| EvidenceError::Write(Box::new(error)))
    }

    /// The federation that the auditor knows of.
    #[must_use]
    pub const fn federation(&self) -> FederationId {
        self.federation
    }

    /// What an auditor finds.
    ///
    /// # Errors
    /// [`EvidenceError::Bundle`].
    pub fn audit(&self) -> Result<Audited, EvidenceError> {
        self.audit_with(None)
    }

    fn audit_with(&self, changed: Option<(&str, &[u8])>) -> Result<Audited, EvidenceError> {
        let mut bundle = Bundle::default();
        for (place, bytes) in &self.files {
            match changed {
                Some((other, changed)) if other == place => bundle.add(place, changed)?,
                _ => bundle.add(place, bytes)?,
            }
        }
        let trust = Trust::Federation(self.federation);
        let report =
            verify(&bundle, &Rules { trust, require_lists: false, require_witness: false });
        let leaves = report.figures.iter().map(leaves).sum();
        Ok(Audited { report, leaves })
    }

    /// Changes one bit of one statement at random, so many times, each in the bundle as it was; which
    /// changes passed: file and byte.
    ///
    /// # Errors
    /// [`EvidenceError::Bundle`].
    pub fn flips(&self, times: usize, seed: u64) -> Result<Vec<(String, usize)>, EvidenceError> {
        let folder = format!("{}/", STATEMENTS.0);
        let statements: Vec<_> =
            self.files.iter().filter(|(place, _)| place.starts_with(&folder)).collect();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut passed = Vec::new();
        for _ in 0..times {
            let Some((place, bytes)) = statements.choose(&mut random) else { continue };
            let mut changed = (*bytes).clone();
            let at = random.random_range(0..changed.len().max(1));
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= 1 << random.random_range(0..8);
            }
            if self.audit_with(Some((place.as_str(), changed.as_slice())))?.passes() {
                passed.push(((*place).clone(), at));
            }
        }
        Ok(passed)
    }
}

/// Figures that are made of no others.
fn leaves(tree: &Tree) -> usize {
    if tree.parts.is_empty() { 1 } else { tree.parts.iter().map(leaves).sum() }
}

async fn ask(
    town: &Town,
    unit: UnitPath,
    figure: Digest,
) -> Result<(UnitPath, Collected), EvidenceError> {
    let house = Arc::clone(town.house(&unit)?);
    let of = unit.clone();
    let asking = move || {
        let failed = |error| EvidenceError::Node { unit: of.clone(), error: Box::new(error) };
        let client = client(&house).map_err(failed)?;
        collect(&client, &house, figure, false).map_err(failed)
    };
    let collected = tokio::task::spawn_blocking(asking).await;
    let collected = collected.map_err(|_| EvidenceError::Ended(unit.clone()))??;
    Ok((unit, collected))
}

fn client(house: &House) -> Result<Client, CommandError> {
    let token = house.folder().join(OPERATOR_TOKEN_FILE);
    Ok(Client::new(address_of(house.folder(), NOWHERE), &token)?)
}

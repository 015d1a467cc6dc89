//! What an authority must not forget: what it issued, and whom the core shall admit.

use minicbor::{Decode, Encode};
use reeve_statement::catalogue::Titles;
use reeve_statement::cbor;
use reeve_statement::cert::{Certificate, Chain};

use super::error::HouseError;
use super::identity::read_chain;
use super::{House, files};

/// A node that the core is to admit (`Question::Admit`). Admitting it again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Admission {
    /// The node's chain, itself first (CBOR).
    #[cbor(n(0), with = "minicbor::bytes")]
    pub chain: Vec<u8>,
    /// The unit's names, for the register; empty for a node of the same home.
    #[n(1)]
    pub names: Titles,
    /// The unit's time zone, for the register.
    #[n(2)]
    pub time_zone: Option<String>,
}

impl Admission {
    /// Of a node of the same home, which enters no register.
    pub fn to_home(chain: &Chain) -> Self {
        Self { chain: chain.to_cbor(), names: Titles::default(), time_zone: None }
    }
}

/// Longest admission, in bytes.
const MAX_ADMISSION_BYTES: usize = 128 * 1024;

impl House {
    /// Keeps a certificate that this authority issued. Done before anybody else learns of it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn record_issued(&self, certificate: &Certificate) -> Result<(), HouseError> {
        let folder = self.folder().join(files::ISSUED);
        files::make_folder(&folder)?;
        let path = folder.join(format!("{}.pem", certificate.serial()));
        files::replace(&path, certificate.to_pem().as_bytes())
    }

    /// The certificates that this authority issued to others, and to its own node.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn issued(&self) -> Result<Vec<Certificate>, HouseError> {
        let paths = files::list(&self.folder().join(files::ISSUED), ".pem")?;
        paths.iter().map(|path| Ok(read_chain(path)?.leaf().clone())).collect()
    }

    /// Keeps a node for the core to admit, now and at the next start.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn record_admission(&self, admission: &Admission) -> Result<(), HouseError> {
        let chain = Chain::from_cbor(&admission.chain)?;
        let folder = self.folder().join(files::ADMITTED);
        files::make_folder(&folder)?;
        let path = folder.join(format!("{}.cbor", chain.leaf().key()));
        files::replace(&path, &cbor::to_vec(admission))
    }

    /// Forgets a node for the core to admit, once the core has it durably.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn forget_admission(&self, admission: &Admission) -> Result<(), HouseError> {
        let chain = Chain::from_cbor(&admission.chain)?;
        let name = format!("{}.cbor", chain.leaf().key());
        files::remove(&self.folder().join(files::ADMITTED).join(name))
    }

    /// Keeps a renewed chain for the core to pass on, now or at the next start.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn record_renewal(&self, chain: &Chain) -> Result<(), HouseError> {
        let folder = self.folder().join(files::RENEWED);
        files::make_folder(&folder)?;
        files::replace(&folder.join(renewal_name(chain)), chain.to_pem().as_bytes())
    }

    /// Forgets a renewed chain, once the core has it durably.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn forget_renewal(&self, chain: &Chain) -> Result<(), HouseError> {
        files::remove(&self.folder().join(files::RENEWED).join(renewal_name(chain)))
    }

    /// The renewed chains for the core to pass on when it starts.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn renewals(&self) -> Result<Vec<Chain>, HouseError> {
        let paths = files::list(&self.folder().join(files::RENEWED), ".pem")?;
        paths.iter().map(|path| read_chain(path)).collect()
    }

    /// The nodes for the core to admit when it starts.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn admissions(&self) -> Result<Vec<Admission>, HouseError> {
        let paths = files::list(&self.folder().join(files::ADMITTED), ".cbor")?;
        paths
            .into_iter()
            .map(|path| {
                cbor::from_slice("admission", &files::read(&path)?, MAX_ADMISSION_BYTES)
                    .map_err(|error| HouseError::Damaged { path, reason: error.to_string() })
            })
            .collect()
    }
}

/// One file for each key: a later renewal takes the place of an earlier one.
fn renewal_name(chain: &Chain) -> String {
    format!("{}.pem", chain.leaf().key())
}

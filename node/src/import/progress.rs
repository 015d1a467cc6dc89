//! How far an import is, for whoever draws the bar.

/// Which of the two readings of the file is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pass {
    /// Every row is read and held against mapping and schema; nothing is imported.
    Check,
    /// The rows are read again and handed to the node.
    Import,
}

/// Told about progress, from the thread that reads, about once per mebibyte.
pub trait Progress: Send + Sync {
    /// `read` of `total` bytes of the file, as it lies on disk, are read in this pass.
    fn advance(&self, pass: Pass, read: u64, total: u64);
}

/// Nobody watches.
impl Progress for () {
    fn advance(&self, _: Pass, _: u64, _: u64) {}
}

impl<F: Fn(Pass, u64, u64) + Send + Sync> Progress for F {
    fn advance(&self, pass: Pass, read: u64, total: u64) {
        self(pass, read, total);
    }
}

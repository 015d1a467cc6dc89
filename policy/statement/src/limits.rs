//! Limits of what a statement may hold: each with its unit and its reason. Checked before anything
//! is allocated for the content it limits.

/// Largest encoded statement, in bytes. A statement fits one frame of the wire (256 KiB) with room
/// for its certificate chain (17 certificates of at most 4 KiB, usually under 1 KiB each).
pub const STATEMENT_BYTES: usize = 176 * 1024;

/// Largest part (table or manifest) that travels inside its statement, in bytes. Two inline parts
/// and the fixed fields stay below [`STATEMENT_BYTES`].
pub const INLINE_BYTES: usize = 64 * 1024;

/// Largest chunk of a part that travels beside its statement, in bytes: one frame less its header.
pub const CHUNK_BYTES: usize = 192 * 1024;

/// Most chunks of one part. 64 chunks are 12 MiB, far above 10,000 rows.
pub const CHUNKS: usize = 64;

/// Most rows of a table. Beyond it an indicator needs fewer dimensions or a smaller area depth.
pub const TABLE_ROWS: usize = 10_000;

/// Most dimensions of an indicator.
pub const DIMENSIONS: usize = 8;

/// Longest path, in units. Street, city, province, nation are four; sixteen is generous and bounds
/// certificate chains.
pub const PATH_UNITS: usize = 16;

/// Deepest nesting of a filter. Deeper ones are never written by hand and would only serve to
/// exhaust a decoder's stack.
pub const FILTER_DEPTH: usize = 16;

/// Most operands of one `any`, `all` or `in`.
pub const FILTER_OPERANDS: usize = 256;

/// Most indicators of a catalogue.
pub const INDICATORS: usize = 1_000;

/// Most direct subordinates in a register or manifest.
pub const SUBORDINATES: usize = 2_000;

/// Most exceptions (units that did not report) that a manifest names; the rest is counted.
pub const EXCEPTIONS: usize = 1_000;

/// Most figures of one bulletin: it is read by people.
pub const BULLETIN_FIGURES: usize = 256;

/// Longest free text in a statement (title, purpose, legal basis, reason), in bytes.
pub const TEXT_BYTES: usize = 512;

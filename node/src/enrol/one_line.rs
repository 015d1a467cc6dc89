//! Things that a person carries as one line of text: what it is, base64url of deterministic CBOR, and a
//! checksum.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::{Decode, Encode};
use reeve_statement::cbor;
use reeve_statement::digest::Digest;

/// Bytes of the checksum: it finds a slip of the hand, not an attack.
const CHECKSUM_BYTES: usize = 4;

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let [a, b, c, d, ..] = *Digest::of(bytes).as_bytes();
    [a, b, c, d]
}

/// The line for something.
pub(super) fn to_line<T: Encode<()>>(begins: &str, what: &T) -> String {
    let mut bytes = cbor::to_vec(what);
    bytes.extend(checksum(&bytes));
    format!("{begins}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Reads the line; blanks and line breaks that a mail program put into it are passed over.
pub(super) fn from_line<T>(begins: &'static str, text: &str, limit: usize) -> Result<T, LineError>
where
    T: for<'b> Decode<'b, ()> + Encode<()>,
{
    if text.len() > limit {
        return Err(LineError::Damaged);
    }
    let line: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let encoded = line.strip_prefix(begins).ok_or(LineError::Other { begins })?;
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| LineError::Damaged)?;
    let (content, sum) = bytes
        .len()
        .checked_sub(CHECKSUM_BYTES)
        .and_then(|at| bytes.split_at_checked(at))
        .ok_or(LineError::Damaged)?;
    if sum != checksum(content) {
        return Err(LineError::Damaged);
    }
    cbor::from_slice("line", content, limit).map_err(|_| LineError::Damaged)
}

/// Why a text is not the line that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Something else.
    #[error("expected one line that begins with {begins}")]
    Other {
        /// How it should begin.
        begins: &'static str,
    },
    /// Not as it was made, or of another version.
    #[error(
        "the line was damaged in copying, or another version of this program made it; copy the whole line again"
    )]
    Damaged,
}

//! Deterministic CBOR (RFC 8949 section 4.2.1) as this federation uses it.
//!
//! Every map has non-negative integer keys in ascending order, every length is definite and shortest,
//! there are no floats. Encoders derive that; a decoder proves it by encoding again and comparing.

use minicbor::decode::{Decode, Decoder, Error};
use minicbor::encode::Encode;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// More bytes than allowed; nothing was decoded.
    #[error("{what}: expected at most {limit} bytes, found {found}")]
    TooLong {
        /// What was decoded.
        what: &'static str,
        /// Most bytes allowed.
        limit: usize,
        /// Bytes found.
        found: usize,
    },
    /// The bytes do not decode.
    #[error("{what}: not well-formed at byte {position}: {reason}")]
    Malformed {
        /// What was decoded.
        what: &'static str,
        /// Where decoding stopped.
        position: usize,
        /// The decoder's reason.
        reason: String,
    },
    /// The bytes decode but are not the one canonical form of their content.
    #[error("{what}: not in canonical form (RFC 8949 section 4.2.1); encode it again")]
    NotCanonical {
        /// What was decoded.
        what: &'static str,
    },
}

/// Encodes a value into a new vector.
#[must_use]
pub fn to_vec<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A vector takes every write, and no encoder of this crate fails by itself.
    let written = minicbor::encode(value, &mut bytes);
    debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
    bytes
}

/// Decodes a value from at most `limit` bytes, all of them, in canonical form only.
///
/// # Errors
/// [`CborError`]: too long, malformed, bytes left over, or not canonical.
pub fn from_slice<'b, T>(what: &'static str, bytes: &'b [u8], limit: usize) -> Result<T, CborError>
where
    T: Decode<'b, ()> + Encode<()>,
{
    if bytes.len() > limit {
        return Err(CborError::TooLong { what, limit, found: bytes.len() });
    }
    let mut decoder = Decoder::new(bytes);
    let value: T = decoder.decode().map_err(|error| CborError::Malformed {
        what,
        position: decoder.position(),
        reason: error.to_string(),
    })?;
    if to_vec(&value) == bytes { Ok(value) } else { Err(CborError::NotCanonical { what }) }
}

/// Decodes an array of at most `limit` elements; its announced length is checked before anything is
/// allocated.
///
/// # Errors
/// The decoder's error, with what was expected and found.
pub fn bounded_vec<'b, C, T: Decode<'b, C>>(
    d: &mut Decoder<'b>,
    ctx: &mut C,
    limit: usize,
) -> Result<Vec<T>, Error> {
    let length = bounded_length(d, limit)?;
    let mut values = Vec::with_capacity(length.min(1_024));
    for _ in 0..length {
        values.push(T::decode(d, ctx)?);
    }
    Ok(values)
}

/// Reads the header of a definite array of at most `limit` elements.
///
/// # Errors
/// The decoder's error if the array is indefinite or longer.
pub fn bounded_length(d: &mut Decoder<'_>, limit: usize) -> Result<usize, Error> {
    let position = d.position();
    let length = d
        .array()?
        .ok_or_else(|| Error::message("expected an array of definite length").at(position))?;
    usize::try_from(length).ok().filter(|n| *n <= limit).ok_or_else(|| {
        Error::message(format!("expected at most {limit} elements, found {length}")).at(position)
    })
}

/// Reads a text of at most `limit` bytes.
///
/// # Errors
/// The decoder's error if it is longer or no text.
pub fn bounded_text(d: &mut Decoder<'_>, limit: usize) -> Result<String, Error> {
    let position = d.position();
    let text = d.str()?;
    if text.len() > limit {
        let reason = format!("expected at most {limit} bytes of text, found {}", text.len());
        return Err(Error::message(reason).at(position));
    }
    Ok(text.to_owned())
}

/// For `#[cbor(with = "crate::cbor::text")]`: a text of at most [`crate::limits::TEXT_BYTES`].
pub mod text {
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};

    /// Encodes the text.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn encode<C, W: Write>(
        text: &str,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.str(text)?.ok()
    }

    /// Decodes the text.
    ///
    /// # Errors
    /// The decoder's error if it is too long or no text.
    pub fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<String, Error> {
        super::bounded_text(d, crate::limits::TEXT_BYTES)
    }
}

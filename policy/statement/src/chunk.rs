//! Large parts of a statement (tables, manifests): inside it where they are small, else as chunks
//! that travel beside it and are named in it by their digests.

use minicbor::{Decode, Encode};

use crate::cbor::{CborError, bounded_vec, from_slice, to_vec};
use crate::digest::Digest;
use crate::limits::{CHUNK_BYTES, CHUNKS, INLINE_BYTES};

/// A part of a statement: the value itself, or the digests of the chunks of its encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<T> {
    /// Small enough to travel inside.
    Inline(T),
    /// Travels beside the statement.
    Chunked(ChunkList),
}

/// The chunks of a part's encoding.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ChunkList {
    /// Bytes of the whole encoding.
    #[n(0)]
    pub length: u64,
    /// Digest of each chunk of [`CHUNK_BYTES`] bytes (the last may be shorter), in order.
    #[cbor(n(1), decode_with = "decode_chunk_digests")]
    pub digests: Vec<Digest>,
}

fn decode_chunk_digests<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<Digest>, minicbor::decode::Error> {
    bounded_vec(d, ctx, CHUNKS)
}

/// Why chunks do not make up a part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A chunk that the statement names was not given.
    #[error("chunk {0} is missing; ask the issuer for it")]
    Missing(Digest),
    /// The encoding would need more chunks than allowed.
    #[error("a part needs {0} bytes, more than {CHUNKS} chunks hold; use fewer rows")]
    TooLarge(usize),
    /// The chunks' content is not what was announced.
    #[error("the chunks hold {found} bytes, the statement announced {announced}")]
    Length {
        /// Bytes announced in the statement.
        announced: u64,
        /// Bytes found.
        found: usize,
    },
    /// The content does not decode.
    #[error(transparent)]
    Content(#[from] CborError),
}

impl<T: Clone + Encode<()> + for<'b> Decode<'b, ()>> Part<T> {
    /// Makes a part of a value; the chunks that must travel beside it are returned with it.
    ///
    /// # Errors
    /// [`ChunkError::TooLarge`] if it does not fit the allowed chunks.
    pub fn of(value: T) -> Result<(Self, Vec<Vec<u8>>), ChunkError> {
        let bytes = to_vec(&value);
        if bytes.len() <= INLINE_BYTES {
            return Ok((Self::Inline(value), Vec::new()));
        }
        let chunks: Vec<Vec<u8>> = bytes.chunks(CHUNK_BYTES).map(<[u8]>::to_vec).collect();
        if chunks.len() > CHUNKS {
            return Err(ChunkError::TooLarge(bytes.len()));
        }
        let digests = chunks.iter().map(|chunk| Digest::of(chunk)).collect();
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok((Self::Chunked(ChunkList { length, digests }), chunks))
    }

    /// The value, joined from chunks that `find` hands out by digest where it is not inside.
    ///
    /// # Errors
    /// [`ChunkError`] if a chunk is missing or the content is wrong.
    pub fn join<F>(&self, what: &'static str, find: F) -> Result<T, ChunkError>
    where
        F: Fn(&Digest) -> Option<Vec<u8>>,
    {
        let list = match self {
            Self::Inline(value) => return Ok(value.clone()),
            Self::Chunked(list) => list,
        };
        let mut bytes = Vec::new();
        for digest in &list.digests {
            let chunk = find(digest).filter(|chunk| Digest::of(chunk) == *digest);
            bytes.extend(chunk.ok_or(ChunkError::Missing(*digest))?);
        }
        if u64::try_from(bytes.len()).ok() != Some(list.length) {
            return Err(ChunkError::Length { announced: list.length, found: bytes.len() });
        }
        Ok(from_slice(what, &bytes, CHUNKS.saturating_mul(CHUNK_BYTES))?)
    }

    /// Digests of the chunks that travel beside the statement; none if the value is inside.
    #[must_use]
    pub fn chunk_digests(&self) -> &[Digest] {
        match self {
            Self::Inline(_) => &[],
            Self::Chunked(list) => &list.digests,
        }
    }

    /// The value if it travels inside.
    #[must_use]
    pub const fn inline(&self) -> Option<&T> {
        match self {
            Self::Inline(value) => Some(value),
            Self::Chunked(_) => None,
        }
    }
}

impl<C, T: Encode<C>> Encode<C> for Part<T> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match self {
            Self::Inline(value) => value.encode(e.array(2)?.u8(0)?, ctx),
            Self::Chunked(list) => list.encode(e.array(2)?.u8(1)?, ctx),
        }
    }
}

impl<'b, C, T: Decode<'b, C>> Decode<'b, C> for Part<T> {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        if d.array()? != Some(2) {
            return Err(minicbor::decode::Error::message(
                "expected a part: [0, value] or [1, chunks]",
            ));
        }
        match d.u8()? {
            0 => T::decode(d, ctx).map(Self::Inline),
            1 => ChunkList::decode(d, ctx).map(Self::Chunked),
            other => Err(minicbor::decode::Error::message(format!("unknown form of part {other}"))),
        }
    }
}

//! Frames: four bytes of length (big-endian), then exactly that many bytes.
//!
//! The length is compared with the limit before a byte is allocated, and memory then grows with
//! what has really arrived: an announcement alone costs the peer more than us. This module knows
//! nothing of what a frame holds, and it has no clock: the caller sets the deadline.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use thiserror::Error;

/// Allocated at most before the first byte of a frame has arrived, in bytes.
const FIRST_ALLOCATION: usize = 4 * 1024;

/// Why a frame could not be read.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The peer announced more than this protocol allows.
    #[error("the peer announced a frame of {announced} bytes; at most {limit} are allowed")]
    TooLong {
        /// Bytes announced.
        announced: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The stream ended before a length.
    #[error("the peer closed the stream without a frame")]
    Absent,
    /// The stream ended inside the frame.
    #[error("the peer announced {announced} bytes and sent {found}")]
    Cut {
        /// Bytes announced.
        announced: usize,
        /// Bytes that came.
        found: usize,
    },
    /// The stream broke.
    #[error("the stream broke: {0}")]
    Io(#[from] io::Error),
}

/// Reads one frame of at most `limit` bytes.
///
/// # Errors
/// [`FrameError`]: the peer announced too much, or the stream ended or broke before all of it came.
///
/// After an error the stream must be dropped, not closed: multistream-select panics when a stream
/// is used again after its lazy negotiation failed.
pub async fn read_frame<S>(stream: &mut S, limit: usize) -> Result<Vec<u8>, FrameError>
where
    S: AsyncRead + Unpin,
{
    let announced = read_length(stream).await?;
    if announced > limit {
        return Err(FrameError::TooLong { announced, limit });
    }
    let mut bytes = Vec::with_capacity(announced.min(FIRST_ALLOCATION));
    let wanted = u64::try_from(announced).unwrap_or(u64::MAX);
    let found = stream.take(wanted).read_to_end(&mut bytes).await?;
    if found != announced {
        return Err(FrameError::Cut { announced, found });
    }
    Ok(bytes)
}

async fn read_length<S>(stream: &mut S) -> Result<usize, FrameError>
where
    S: AsyncRead + Unpin,
{
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Ok(()) => Ok(usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(FrameError::Absent),
        Err(error) => Err(FrameError::Io(error)),
    }
}

/// Writes one frame and closes our side of the stream.
pub(super) async fn write_last_frame<S>(stream: &mut S, bytes: &[u8]) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(bytes).await?;
    stream.flush().await?;
    stream.close().await
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;

    fn read(bytes: &[u8], limit: usize) -> Result<Vec<u8>, FrameError> {
        block_on(read_frame(&mut Cursor::new(bytes), limit))
    }

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 255, 4_096, 4_097, 70_000] {
            let bytes = vec![0xA5; length];
            let mut wire = Cursor::new(Vec::new());
            block_on(write_last_frame(&mut wire, &bytes)).unwrap();
            assert_eq!(read(wire.get_ref(), 70_000).unwrap(), bytes);
        }
    }

    #[test]
    fn an_overlong_announcement_is_refused_from_its_length_alone() {
        // Four gigabytes announced, nothing sent: the answer comes from the four bytes.
        match read(&[0xFF; 4], 65_536) {
            Err(FrameError::TooLong { announced, limit }) => {
                assert_eq!((announced, limit), (0xFFFF_FFFF, 65_536));
            }
            other => panic!("{other:?}"),
        }
        assert!(read(&[0, 1, 0, 0], 65_535).is_err());
    }

    #[test]
    fn missing_bytes_are_told_from_a_missing_frame() {
        assert!(matches!(read(&[], 10), Err(FrameError::Absent)));
        assert!(matches!(read(&[0, 0], 10), Err(FrameError::Absent)));
        assert!(matches!(
            read(&[0, 0, 0, 3, 1, 2], 10),
            Err(FrameError::Cut { announced: 3, found: 2 })
        ));
    }

    #[test]
    fn bytes_after_the_frame_are_left_alone() {
        assert_eq!(read(&[0, 0, 0, 2, 1, 2, 3, 4], 10).unwrap(), vec![1, 2]);
    }
}

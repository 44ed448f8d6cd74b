//! The outer frame: eight bytes (version, type, 48 bits of length) in front of every message.
//! Source: `as_proto` in `as/include/base/proto.h`, `process_readable()` in `as/src/base/service.c`.

/// The version of the protocol. Security messages may also have version 0.
pub const VERSION: u8 = 2;
/// Bytes of a frame's header.
pub const HEADER_SIZE: usize = 8;
/// Maximum size of a message, in bytes: the server's `PROTO_SIZE_MAX`.
pub const MAX_SIZE: usize = 128 * 1024 * 1024;

/// The type of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    /// Info commands, see [`crate::info`].
    Info,
    /// Login and user administration.
    Security,
    /// A command on records, see [`crate::cmd`].
    Message,
    /// A compressed frame.
    Compressed,
}

/// Why a connection is closed without a response, as in the server.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    #[error("unsupported proto version {0}")]
    Version(u8),
    #[error("unsupported proto type {0}")]
    Type(u8),
    #[error("invalid proto size {0}")]
    Size(u64),
}

/// Parses a frame header: the type, and the length of the body in bytes.
pub fn parse_header(header: [u8; HEADER_SIZE]) -> Result<(FrameType, usize), FrameError> {
    let [version, kind, size @ ..] = header;
    if version != VERSION && !(version == 0 && kind == 2) {
        return Err(FrameError::Version(version));
    }
    let frame = match kind {
        1 => FrameType::Info,
        2 => FrameType::Security,
        3 => FrameType::Message,
        4 => FrameType::Compressed,
        other => return Err(FrameError::Type(other)),
    };
    let size = size
        .iter()
        .fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
    match usize::try_from(size) {
        Ok(size) if size <= MAX_SIZE => Ok((frame, size)),
        _ => Err(FrameError::Size(size)),
    }
}

/// Begins a frame in `out`. Pass the result to [`finish`] when the body is written.
pub fn begin(out: &mut Vec<u8>, kind: FrameType) -> usize {
    let start = out.len();
    let kind = match kind {
        FrameType::Info => 1,
        FrameType::Security => 2,
        FrameType::Message => 3,
        FrameType::Compressed => 4,
    };
    out.extend_from_slice(&[VERSION, kind, 0, 0, 0, 0, 0, 0]);
    start
}

/// Completes the frame begun at `start`: writes the length of the body.
pub fn finish(out: &mut [u8], start: usize) {
    let size = (out.len().saturating_sub(start + HEADER_SIZE)) as u64;
    if let Some(slot) = out.get_mut(start + 2..start + HEADER_SIZE) {
        slot.copy_from_slice(&size.to_be_bytes()[2..]);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_a_frame_header() {
        let mut out = vec![9, 9];
        let start = begin(&mut out, FrameType::Message);
        out.extend_from_slice(&[1, 2, 3]);
        finish(&mut out, start);
        let header: [u8; 8] = out[2..10].try_into().unwrap();
        assert_eq!(parse_header(header), Ok((FrameType::Message, 3)));
    }

    #[test]
    fn rejects_a_frame_longer_than_the_limit() {
        let size = (MAX_SIZE as u64 + 1).to_be_bytes();
        let mut header = [2, 3, 0, 0, 0, 0, 0, 0];
        header[2..].copy_from_slice(&size[2..]);
        assert_eq!(
            parse_header(header),
            Err(FrameError::Size(MAX_SIZE as u64 + 1))
        );
    }

    #[test]
    fn rejects_another_protocol() {
        assert_eq!(parse_header(*b"GET / HT"), Err(FrameError::Version(b'G')));
        assert_eq!(
            parse_header([22, 3, 1, 0, 0, 1, 0, 0]),
            Err(FrameError::Version(22))
        );
        assert_eq!(
            parse_header([2, 9, 0, 0, 0, 0, 0, 0]),
            Err(FrameError::Type(9))
        );
    }
}

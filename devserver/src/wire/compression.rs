//! Compressed requests: the length of the frame inside, then that frame deflated.
//!
//! A Community Edition server answers these with ENTERPRISE_ONLY (`as/src/base/proto_ce.c`). This one takes them, so
//! that applications written for the Enterprise Edition can be tested; it never compresses an answer, as a server
//! may choose not to.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::proto::{self, FrameType};
use super::reader::Reader;
use super::result::{Outcome, ResultCode};

/// Inflates the body of a compressed frame and gives the body of the message inside.
///
/// # Errors
/// [`ResultCode::PARAMETER`] when the lengths do not agree, are out of bounds, or the frame holds anything but a message.
pub fn inflate(body: &[u8]) -> Outcome<Vec<u8>> {
    let mut reader = Reader::new(body);
    let size = reader.u64()?;
    if size > (proto::MAX_SIZE + proto::HEADER_SIZE) as u64 {
        return Err(ResultCode::PARAMETER);
    }
    let mut inner = Vec::new();
    // One byte more than announced tells a stream that is longer than it says.
    ZlibDecoder::new(reader.rest())
        .take(size + 1)
        .read_to_end(&mut inner)
        .map_err(|_| ResultCode::PARAMETER)?;
    let (header, _) = inner
        .split_first_chunk::<{ proto::HEADER_SIZE }>()
        .ok_or(ResultCode::PARAMETER)?;
    match proto::parse_header(*header) {
        Ok((FrameType::Message, length))
            if inner.len() as u64 == size && length + proto::HEADER_SIZE == inner.len() =>
        {
            inner.drain(..proto::HEADER_SIZE);
            Ok(inner)
        }
        _ => Err(ResultCode::PARAMETER),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn compressed(frame: &[u8], announced: u64) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(
            announced.to_be_bytes().to_vec(),
            flate2::Compression::fast(),
        );
        encoder.write_all(frame).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_deflated_message_is_unpacked() {
        let frame = [2, 3, 0, 0, 0, 0, 0, 2, 7, 8];
        assert_eq!(inflate(&compressed(&frame, 10)), Ok(vec![7, 8]));
    }

    #[test]
    fn a_stream_longer_or_shorter_than_announced_is_refused() {
        let frame = [2, 3, 0, 0, 0, 0, 0, 2, 7, 8];
        for announced in [9, 11, u64::MAX] {
            assert_eq!(
                inflate(&compressed(&frame, announced)),
                Err(ResultCode::PARAMETER)
            );
        }
    }

    #[test]
    fn a_compressed_frame_inside_a_compressed_frame_is_refused() {
        let frame = [2, 4, 0, 0, 0, 0, 0, 2, 7, 8];
        assert_eq!(inflate(&compressed(&frame, 10)), Err(ResultCode::PARAMETER));
    }
}

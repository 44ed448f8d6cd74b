//! Login messages. A Community Edition server has no security and says so; login itself is a later chapter.

use super::proto::{self, FrameType};
use super::result::ResultCode;

/// Bytes of a security header; the second is the result.
const HEADER_SIZE: usize = 16;

/// Answers any security message with "security not supported" (`as/src/base/security_ce.c`).
pub fn refuse(out: &mut Vec<u8>) {
    let start = proto::begin(out, FrameType::Security);
    let mut header = [0; HEADER_SIZE];
    header[1] = ResultCode::SECURITY_NOT_SUPPORTED.0;
    out.extend_from_slice(&header);
    proto::finish(out, start);
}

//! Messages of login and of user administration: a header of 16 bytes, then fields. Source: `as_sec_msg` in
//! `as/include/base/security.h`, and what the clients send (`as_admin.c` of the C client).

use super::proto::{self, FrameType};
use super::reader::Reader;
use super::result::ResultCode;

/// The version of the message.
const SCHEME: u8 = 0;
/// Unused bytes of the header.
const UNUSED: usize = 12;

/// Commands.
pub mod command {
    pub const AUTHENTICATE: u8 = 0;
    pub const CREATE_USER: u8 = 1;
    pub const DROP_USER: u8 = 2;
    pub const SET_PASSWORD: u8 = 3;
    pub const CHANGE_PASSWORD: u8 = 4;
    pub const GRANT_ROLES: u8 = 5;
    pub const REVOKE_ROLES: u8 = 6;
    pub const QUERY_USERS: u8 = 9;
    pub const CREATE_ROLE: u8 = 10;
    pub const DROP_ROLE: u8 = 11;
    pub const GRANT_PRIVILEGES: u8 = 12;
    pub const REVOKE_PRIVILEGES: u8 = 13;
    pub const QUERY_ROLES: u8 = 16;
    pub const LOGIN: u8 = 20;
}

/// Types of fields.
pub mod field {
    pub const USER: u8 = 0;
    pub const PASSWORD: u8 = 1;
    pub const OLD_PASSWORD: u8 = 2;
    pub const CREDENTIAL: u8 = 3;
    pub const SESSION_TOKEN: u8 = 5;
    pub const SESSION_TTL: u8 = 6;
    pub const ROLES: u8 = 10;
    pub const ROLE: u8 = 11;
    pub const PRIVILEGES: u8 = 12;
    pub const ALLOWLIST: u8 = 13;
    pub const READ_QUOTA: u8 = 14;
    pub const WRITE_QUOTA: u8 = 15;
    pub const CONNECTIONS: u8 = 18;
}

/// A parsed request.
pub struct Request<'a> {
    pub command: u8,
    fields: Vec<(u8, &'a [u8])>,
}

impl<'a> Request<'a> {
    /// # Errors
    /// [`ResultCode::SECURITY_SCHEME`] for another version, [`ResultCode::SECURITY_FIELD`] if it cannot be parsed.
    pub fn parse(body: &'a [u8]) -> Result<Request<'a>, ResultCode> {
        let (scheme, request) = Self::read(body).map_err(|_| ResultCode::SECURITY_FIELD)?;
        if scheme != SCHEME {
            return Err(ResultCode::SECURITY_SCHEME);
        }
        Ok(request)
    }

    fn read(body: &'a [u8]) -> Result<(u8, Request<'a>), ResultCode> {
        let mut reader = Reader::new(body);
        let (scheme, _result) = (reader.u8()?, reader.u8()?);
        let (command, n_fields) = (reader.u8()?, reader.u8()?);
        reader.take(UNUSED)?;
        let mut fields = Vec::with_capacity(n_fields.into());
        for _ in 0..n_fields {
            let size = reader.u32()? as usize;
            let id = reader.u8()?;
            fields.push((
                id,
                reader.take(size.checked_sub(1).ok_or(ResultCode::PARAMETER)?)?,
            ));
        }
        Ok((scheme, Request { command, fields }))
    }

    /// Returns the first field of this type.
    pub fn get(&self, id: u8) -> Option<&'a [u8]> {
        self.fields
            .iter()
            .find(|(kind, _)| *kind == id)
            .map(|(_, data)| *data)
    }

    /// Returns a field as text, or `None` if it is missing or not UTF-8.
    pub fn text(&self, id: u8) -> Option<&'a str> {
        std::str::from_utf8(self.get(id)?).ok()
    }
}

/// Appends a frame with a result code only.
pub fn write_result(out: &mut Vec<u8>, result: ResultCode) {
    let start = proto::begin(out, FrameType::Security);
    write_message(out, result, &[]);
    proto::finish(out, start);
}

/// Appends a message, without a frame around it.
pub fn write_message(out: &mut Vec<u8>, result: ResultCode, fields: &[(u8, Vec<u8>)]) {
    out.extend_from_slice(&[SCHEME, result.0, 0, fields.len() as u8]);
    out.extend_from_slice(&[0; UNUSED]);
    for (id, data) in fields {
        out.extend_from_slice(&(data.len() as u32 + 1).to_be_bytes());
        out.push(*id);
        out.extend_from_slice(data);
    }
}

//! Login with a password or, over mutual TLS, with the certificate alone. It returns a session token for further
//! connections.
//!
//! An expired token does not affect open connections: `session-ttl` applies to new ones. The client then logs in again
//! (`as_node_get_tend_connection()` of the C client).

use std::sync::Arc;

use super::access::Login;
use super::manager::Security;
use crate::wire::proto::{self, FrameType};
use crate::wire::result::{Outcome, ResultCode};
use crate::wire::security::{Request, field, write_message, write_result};

impl Security {
    /// Logs a client in, and returns a session token and its lifetime in seconds.
    pub(super) fn log_in(
        &self,
        login: &mut Login,
        certificate: Option<&str>,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Outcome<()> {
        let user = match (request.text(field::USER), certificate) {
            (Some(user), _) => {
                self.check_credential(user, request)?;
                user
            }
            // PKI: the certificate is the only credential, and the TLS handshake has checked it.
            (None, Some(user)) => {
                self.users.read().hash(user)?;
                user
            }
            (None, None) => return Err(ResultCode::INVALID_USER),
        };
        let fields = [
            (field::SESSION_TOKEN, self.tokens.issue(user)),
            (field::SESSION_TTL, self.tokens.ttl.to_be_bytes().to_vec()),
        ];
        *login = Some(Arc::from(user));
        let start = proto::begin(out, FrameType::Security);
        write_message(out, ResultCode::OK, &fields);
        proto::finish(out, start);
        Ok(())
    }

    /// Authenticates a connection with a token. Clients older than session tokens send the credential.
    pub(super) fn authenticate(
        &self,
        login: &mut Login,
        certificate: Option<&str>,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Outcome<()> {
        let user = request.text(field::USER).or(certificate);
        let user = user.ok_or(ResultCode::INVALID_USER)?;
        match request.get(field::SESSION_TOKEN) {
            Some(token) => {
                self.users.read().hash(user)?;
                self.tokens.check(token, user)?;
            }
            None => self.check_credential(user, request)?,
        }
        *login = Some(Arc::from(user));
        write_result(out, ResultCode::OK);
        Ok(())
    }

    fn check_credential(&self, user: &str, request: &Request<'_>) -> Outcome<()> {
        let users = self.users.read();
        let hash = users.hash(user)?;
        match request.get(field::CREDENTIAL) {
            Some(sent) if hash.is(sent) => Ok(()),
            _ => Err(ResultCode::INVALID_CREDENTIAL),
        }
    }
}

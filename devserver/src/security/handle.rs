//! Responds to security messages: login, and administration of users and roles.

use super::access::Login;
use super::manager::Security;
use crate::wire::security::{Request, command, write_result};

impl Security {
    /// Handles the body of a security message and appends the response. `certificate` is the name in the client's
    /// certificate, if it has one.
    pub fn handle(
        &self,
        login: &mut Login,
        certificate: Option<&str>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) {
        let outcome = Request::parse(body).and_then(|request| match request.command {
            command::LOGIN => self.log_in(login, certificate, &request, out),
            command::AUTHENTICATE => self.authenticate(login, certificate, &request, out),
            _ => self.administer(login, &request, out),
        });
        if let Err(code) = outcome {
            write_result(out, code);
        }
    }
}

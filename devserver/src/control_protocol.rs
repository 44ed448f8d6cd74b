//! The control protocol for programs in other languages: an info command, `dev-server:` followed by a [`Command`] as
//! JSON. The response is JSON, or `ERROR:4:reason`.
//!
//! The command works whatever faults are set, also while the node is frozen. A port closed by a fault refuses it like
//! any other connection: use another node or an existing connection, or limit the duration of the fault.

use crate::control_commands::{self, Command};
use crate::state::State;
use crate::wire::proto::{self, FrameType};

const NAME: &[u8] = b"dev-server:";

/// Returns the JSON of a control command, if the body of an info frame holds one. It ends with a line feed, as all
/// info commands do.
pub fn command(body: &[u8]) -> Option<&[u8]> {
    body.strip_prefix(NAME)?.strip_suffix(b"\n")
}

/// Executes a command and appends the response.
pub async fn respond(state: &State, text: &[u8], out: &mut Vec<u8>) {
    let response = match serde_json::from_slice::<Command>(text) {
        Ok(command) => {
            let (faults, namespaces) = (state.faults.all(), &state.namespaces);
            match control_commands::execute(faults, namespaces, command).await {
                Ok(response) => serde_json::to_string(&response).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            }
        }
        Err(error) => Err(control_commands::explain(&error)),
    };
    let start = proto::begin(out, FrameType::Info);
    out.extend_from_slice(NAME);
    out.extend_from_slice(text);
    out.push(b'\t');
    match response {
        Ok(json) => out.extend_from_slice(json.as_bytes()),
        Err(reason) => {
            let reason = reason.replace(['\t', '\n'], " ");
            out.extend_from_slice(format!("ERROR:4:{reason}").as_bytes());
        }
    }
    out.push(b'\n');
    proto::finish(out, start);
}

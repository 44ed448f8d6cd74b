//! The door for programs in other languages: an info command of ours, `dev-server:` followed by a [`Command`] as
//! JSON, answered by JSON or by `ERROR:4:reason`.
//!
//! It is answered whatever faults are set, also while the node is frozen. A port that refuses connections keeps it
//! out as it does everybody: go through another node, through a connection that was there before, or let the fault
//! last for a time only.

use crate::control_commands::{self, Command};
use crate::state::State;
use crate::wire::proto::{self, FrameType};

const NAME: &[u8] = b"dev-server:";

/// The text of a command for this door, if the body of an info frame holds one, ended as info commands are.
pub fn command(body: &[u8]) -> Option<&[u8]> {
    body.strip_prefix(NAME)?.strip_suffix(b"\n")
}

/// Carries out a command and appends the answer.
pub async fn answer(state: &State, text: &[u8], out: &mut Vec<u8>) {
    let answer = match serde_json::from_slice::<Command>(text) {
        Ok(command) => {
            let (faults, namespaces) = (state.faults.all(), &state.namespaces);
            match control_commands::execute(faults, namespaces, command).await {
                Ok(answer) => serde_json::to_string(&answer).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            }
        }
        Err(error) => Err(control_commands::explain(&error)),
    };
    let start = proto::begin(out, FrameType::Info);
    out.extend_from_slice(NAME);
    out.extend_from_slice(text);
    out.push(b'\t');
    match answer {
        Ok(json) => out.extend_from_slice(json.as_bytes()),
        Err(reason) => {
            let reason = reason.replace(['\t', '\n'], " ");
            out.extend_from_slice(format!("ERROR:4:{reason}").as_bytes());
        }
    }
    out.push(b'\n');
    proto::finish(out, start);
}

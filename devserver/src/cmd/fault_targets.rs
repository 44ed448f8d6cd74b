//! Finds the targets of a frame for the filters of faults.

use super::batch::Batch;
use crate::faults::{Operation, Target};
use crate::security::Access;
use crate::state::State;
use crate::wire::consts::info1;
use crate::wire::message::Message;
use crate::wire::proto::FrameType;

/// Calls `look` with the target of a frame and, for a batch, with that of each row.
pub fn each_target(state: &State, kind: FrameType, body: &[u8], look: &mut dyn FnMut(&Target<'_>)) {
    match kind {
        FrameType::Info => look(&Target::of(Operation::Info)),
        FrameType::Security => look(&Target::of(Operation::Login)),
        FrameType::Message | FrameType::Compressed => {
            if body.get(1).is_some_and(|byte| byte & info1::BATCH != 0) {
                look(&Target::of_batch());
                if let Ok(batch) = Batch::parse(state, &Access::Unrestricted, body) {
                    batch.each_target(look);
                }
                return;
            }
            match Message::parse(body) {
                Ok(message) => look(&Target::of_message(&message)),
                // An unreadable message counts as a read of no record.
                Err(_) => look(&Target::of(Operation::Read)),
            }
        }
    }
}

//! Sends one command directly, from the task that waits for it: without a queue, a batch or another task.

use std::sync::Arc;

use aerospike::Key;
use tokio::time::{Instant, timeout_at};

use super::batch::Outcome;
use super::batch_sender;
use super::command::{Command, Repeat};
use super::node_queue::NodeQueue;
use super::policy;
use super::record_sizes::RecordSizes;
use super::trace::{LastRequest, Trace};
use super::transport::Transport;

/// A request in flight. It ends when this is dropped.
pub struct DirectSend {
    queue: Arc<NodeQueue>,
    transport: Transport,
}

impl DirectSend {
    /// Returns `None` if something waits or is in flight: this is the fastest way for one command, and the slowest for many.
    pub fn begin(queue: &Arc<NodeQueue>, transport: &Transport) -> Option<DirectSend> {
        queue.start_alone().then(|| DirectSend {
            queue: Arc::clone(queue),
            transport: transport.clone(),
        })
    }

    /// Sends a command, until `end`. Returns `None` if the store was closed meanwhile.
    pub async fn send(
        self,
        key: &Key,
        command: &Command,
        trace: Option<&Arc<Trace>>,
        end: Instant,
    ) -> Option<Outcome> {
        let (queue, context) = (&self.queue, &self.queue.context);
        let sent = Instant::now();
        context.counters.request(1);
        if let Some(trace) = trace {
            trace.note(LastRequest {
                node: queue.node.clone(),
                batch_size: 1,
            });
        }
        let mut closing = context.closing.clone();
        let end_of_crate = match command.repeat() {
            Repeat::Always => end,
            Repeat::UnlessInDoubt => policy::end_of_count(end),
        };
        let work = self
            .transport
            .alone(key, command, context.replica, end_of_crate, trace);
        let outcome = tokio::select! {
            biased;
            // An error means that the store was dropped.
            _ = closing.wait_for(|closing| *closing) => return None,
            outcome = timeout_at(end, work) => outcome,
        };
        let Ok(outcome) = outcome else {
            queue.report_timeout(sent);
            return Some(Outcome::TimedOut);
        };
        queue.report_outcome(&outcome);
        let (slot, outcome) = (RecordSizes::slot(key), Outcome::Own(outcome));
        match command {
            Command::Read { .. } | Command::ReadSteps { .. } => context.learn_size(&outcome, slot),
            Command::Upsert { .. } => context.sizes.learn(slot, command.size().max(1)),
            _ => {}
        }
        Some(outcome)
    }
}

impl Drop for DirectSend {
    fn drop(&mut self) {
        batch_sender::finish(&self.queue, &self.transport);
    }
}

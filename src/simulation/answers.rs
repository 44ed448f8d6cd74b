//! Records the answers of the stores, and how soon each read has to be answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::log::{Answer, NO_WAIT, Operation, data};
use super::nodes::Nodes;
use crate::cluster::trace::Trace;
use crate::error::Error;
use crate::store::request::Kind;
use crate::store::{self, Output, SessionOp, Ticket};

// The guaranteed limits of reads, as parts of the timeout. They deliberately do not use the constants of `src/store` and `src/cluster`, so
// that a change there is noticed here.
/// The part of the timeout that a read waits for a node that does not answer.
const FOR_NODE: u32 = 6;
/// The part that it waits for its node while another node is suspect.
const FOR_WARY: u32 = 60;
/// The part that a read waits for earlier writes of its session, and the part that it waits for earlier touches.
const FOR_WRITES: u32 = 6;
const FOR_TOUCHES: u32 = 60;

/// What the processes know about the nodes, as far as their answers show.
#[derive(Default)]
pub struct Learned {
    /// By process and node: when the silence began in which a read of the process has waited for the node.
    pub silent: HashMap<(usize, usize), Duration>,
    /// By process and session: the operations that are not answered yet.
    pub pending: HashMap<(usize, usize), Pending>,
}

/// The number of operations on one session, by their kind for a later read.
#[derive(Clone, Copy, Default)]
pub struct Pending {
    reads: u32,
    touches: u32,
    writes: u32,
}

impl Pending {
    pub fn count(&mut self, kind: Kind) -> &mut u32 {
        match kind {
            Kind::Read => &mut self.reads,
            Kind::Touch => &mut self.touches,
            Kind::Write => &mut self.writes,
        }
    }

    /// Returns how soon a read that follows these operations must be answered. `for_node`: how long a read waits for its node. The read
    /// first waits for earlier writes and touches, and for the reads before it. Each of these may be sent to the node by itself, and may have
    /// started before the node was known to be silent.
    fn within(self, timeout: Duration, for_node: Duration) -> Duration {
        let for_turn = match (self.writes, self.touches) {
            (0, 0) => Duration::ZERO,
            (0, _) => timeout / FOR_TOUCHES,
            _ => timeout / FOR_WRITES,
        };
        let for_reads = (timeout / FOR_NODE + NO_WAIT) * self.reads;
        for_turn + for_reads + for_node + NO_WAIT
    }
}

/// Returns the kind of an operation for later reads.
pub fn kind(what: &SessionOp) -> Kind {
    match what {
        SessionOp::Get | SessionOp::Load | SessionOp::Has => Kind::Read,
        SessionOp::Cache(op) if op.is_read() => Kind::Read,
        SessionOp::Touch { .. } | SessionOp::Refresh { .. } => Kind::Touch,
        SessionOp::Save { .. }
        | SessionOp::Delete
        | SessionOp::Set { .. }
        | SessionOp::Renew { .. }
        | SessionOp::Destroy
        | SessionOp::DestroyByDigest { .. }
        | SessionOp::Cache(_) => Kind::Write,
    }
}

/// Records the answer to one operation.
pub struct Reply {
    pub process: usize,
    pub session: usize,
    /// The master of the session.
    pub node: usize,
    pub kind: Kind,
    /// The pending operations of its session when it started. `None`: it is not a read, or answers may be lost or refused.
    pub before: Option<Pending>,
    /// When the silence of the node began, if the process knew of it when the operation started.
    pub known: Option<Duration>,
    pub learned: Arc<Mutex<Learned>>,
    pub timeout: Duration,
    /// The index of the operation in the log.
    pub index: usize,
    pub log: Arc<Mutex<Vec<Operation>>>,
    pub nodes: Arc<Nodes>,
    pub trace: Arc<Trace>,
    pub started: Instant,
    pub answer: oneshot::Sender<Result<Output, Error>>,
}

impl store::Answer for Reply {
    fn give(self, outcome: Result<Output, Error>, _ticket: Option<Ticket>) {
        self.nodes.answered(&self.trace);
        let silence = self.nodes.silence_since(self.node);
        {
            let mut learned = self.learned.lock().expect("what is known");
            if let Some(pending) = learned.pending.get_mut(&(self.process, self.session)) {
                *pending.count(self.kind) -= 1;
            }
            let mut log = self.log.lock().expect("a log");
            let one = &mut log[self.index];
            one.end = self.started.elapsed();
            let for_node = self.timeout / FOR_NODE;
            let waited = self.kind == Kind::Read && one.end - one.start >= for_node;
            if let Some(since) = silence.filter(|since| waited && *since <= one.start) {
                learned.silent.insert((self.process, self.node), since);
            }
            let for_node = match self.known.filter(|_| self.known == silence) {
                // Its partitions have another master, which is now asked first. Earlier requests may still wait for the old one.
                Some(since) if self.nodes.is_noticed(since) => self.timeout / FOR_WARY,
                Some(_) => Duration::ZERO,
                None => for_node,
            };
            let within = |before: Pending| before.within(self.timeout, for_node);
            one.within = self.before.map(within);
            one.answer = match &outcome {
                Ok(Output::Missing) => Answer::Read(None),
                Ok(Output::Loaded(baseline)) => Answer::Read(Some(data(&baseline.json))),
                Ok(Output::Json(json)) if one.name == "renew" => match json.contains("\"done\"") {
                    true => Answer::Done,
                    false => Answer::Nothing,
                },
                Ok(Output::Json(json)) => Answer::Read(Some(data(json))),
                Ok(Output::Written(written, _)) if written.gone.is_some() => Answer::Gone,
                Ok(Output::Written(written, _)) if written.meta.is_none() => Answer::Nothing,
                Ok(_) => Answer::Done,
                Err(error) => Answer::Failed {
                    code: error.code,
                    in_doubt: error.in_doubt,
                },
            };
        }
        let _ = self.answer.send(outcome);
    }

    fn trace(&self) -> Option<Arc<Trace>> {
        Some(self.trace.clone())
    }
}

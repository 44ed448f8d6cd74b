//! The answers of the stores: taken down as they come, and how soon each read has to be answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::log::{data, Answer, Operation, NO_WAIT};
use super::nodes::Nodes;
use crate::cluster::trace::Trace;
use crate::error::Error;
use crate::store::request::Kind;
use crate::store::{self, Output, SessionOp, Ticket};

// What the design promises to reads, as parts of the timeout. These are not the constants of `src/store` and `src/cluster`: a
// change there has to be noticed here.
/// The part that a read waits for a node that does not answer.
const FOR_NODE: u32 = 6;
/// The part that it waits for a node while any is known not to answer.
const FOR_WARY: u32 = 60;
/// The part that a read waits for writes of its session that came before it, and the part that it waits for touches.
const FOR_WRITES: u32 = 6;
const FOR_TOUCHES: u32 = 60;

/// What the processes know of the nodes, as far as can be seen from outside.
#[derive(Default)]
pub struct Learned {
    /// A read of this process has waited for this node, in the silence that began then.
    pub silent: HashMap<(usize, usize), Duration>,
    /// The operations of this process on this session that are not answered yet.
    pub pending: HashMap<(usize, usize), Pending>,
}

/// Operations on one session, by what they mean for a read that comes after them.
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

    /// Returns how soon a read that comes after these must be answered. `for_node`: how long a read waits for its node. The read
    /// waits for its turn first, and for the reads before it, each of which may go to the node for itself, and may have been asked
    /// before the node was known to be silent.
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

/// What an operation means for the reads that come after it.
pub fn kind(what: &SessionOp) -> Kind {
    match what {
        SessionOp::Get | SessionOp::Load | SessionOp::Has => Kind::Read,
        SessionOp::Touch { .. } | SessionOp::Refresh { .. } => Kind::Touch,
        SessionOp::Save { .. } | SessionOp::Delete | SessionOp::Set { .. } | SessionOp::Destroy => {
            Kind::Write
        }
    }
}

/// Takes the answer to one operation down.
pub struct Reply {
    pub process: usize,
    pub session: usize,
    /// The node it goes to.
    pub node: usize,
    pub kind: Kind,
    /// What of its session was not answered when it was asked. `None`: it does not read, or answers may be lost or refused.
    pub before: Option<Pending>,
    /// The silence of the node that the process knew of when it was asked.
    pub known: Option<Duration>,
    pub learned: Arc<Mutex<Learned>>,
    pub timeout: Duration,
    pub place: usize,
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
            let one = &mut log[self.place];
            one.end = self.started.elapsed();
            let for_node = self.timeout / FOR_NODE;
            let waited = self.kind == Kind::Read && one.end - one.start >= for_node;
            if let Some(since) = silence.filter(|since| waited && *since <= one.start) {
                learned.silent.insert((self.process, self.node), since);
            }
            let for_node = match self.known.filter(|_| self.known == silence) {
                // Its partitions have another master, which is asked first again, with what is still on its way to the node before.
                Some(since) if self.nodes.is_noticed(since) => self.timeout / FOR_WARY,
                Some(_) => Duration::ZERO,
                None => for_node,
            };
            let within = |before: Pending| before.within(self.timeout, for_node);
            one.within = self.before.map(within);
            one.answer = match &outcome {
                Ok(Output::Missing) => Answer::Read(None),
                Ok(Output::Loaded(baseline)) => Answer::Read(Some(data(&baseline.json))),
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

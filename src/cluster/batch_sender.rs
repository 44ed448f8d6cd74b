//! Sends the commands that wait in a queue, in batches.
//!
//! A batch sender is a task. It sends what waits, batch after batch, and then stays idle until more commands come: its future is
//! large, and a new one for each command would cost much of what the command itself costs.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aerospike::Key;
use futures::future::{Either, select};
use tokio::sync::oneshot;
use tokio::task::coop;
use tokio::time::{Instant, timeout_at};

use super::batch::{self, Outcome};
use super::command::Command;
use super::node_queue::{NeedsSender, NodeQueue, QueueTicket, QueuedCommand};
use super::policy;
use super::trace::{LastRequest, Trace};
use super::transport::Transport;
use crate::tasks;

/// From this many commands on, a batch yields while its answer is read: the size of the answer is not known.
const YIELDING_FROM: usize = 8;
/// tokio's budget of a task, and how much of it a yielding batch uses before it yields. Each unit is a read of up to 64 KiB.
const BUDGET: usize = 128;
const BUDGET_USED: usize = 4;

/// Adds a command to a queue, see [`NodeQueue::push`], and starts a batch sender if there is none for it.
pub fn enqueue(
    queue: &Arc<NodeQueue>,
    transport: &Transport,
    time: (Duration, Instant),
    key: &Key,
    command: &Command,
    trace: Option<&Arc<Trace>>,
) -> QueueTicket {
    let (ticket, needs_sender) = queue.push(transport, time, key, command, trace);
    start(queue, transport, needs_sender);
    ticket
}

/// Ends a request in flight, and starts a batch sender if commands wait.
pub(super) fn finish(queue: &Arc<NodeQueue>, transport: &Transport) {
    let needs_sender = queue.finish(transport);
    start(queue, transport, needs_sender);
}

fn start(queue: &Arc<NodeQueue>, transport: &Transport, NeedsSender(is_needed): NeedsSender) {
    if !is_needed {
        return;
    }
    let sender = run(Arc::clone(queue), transport.clone());
    match queue.is_bulk {
        true => queue.context.bulk.spawn(sender),
        false => tasks::spawn(sender),
    }
}

/// Sends what waits, and stays idle in between. Ends with its queue, or when the store is closed.
async fn run(queue: Arc<NodeQueue>, transport: Transport) {
    let (wake, weak) = (queue.wake_idle.clone(), Arc::downgrade(&queue));
    let mut closing = queue.context.closing.clone();
    let mut sender = BatchSender { queue, transport };
    loop {
        sender.send_all().await;
        sender.queue.state().idle += 1;
        drop(sender);
        // An error means that the store was dropped.
        let closed = closing.wait_for(|closing| *closing);
        let permit = match select(pin!(closed), pin!(wake.acquire())).await {
            Either::Left(_) => None,
            Either::Right((permit, _)) => Some(permit),
        };
        let Some(queue) = weak.upgrade() else { return };
        let mut state = queue.state();
        // It may have been woken just as the store was closed.
        let permit = match permit {
            Some(permit) => permit.ok(),
            None => wake.try_acquire().ok(),
        };
        match permit {
            Some(permit) => permit.forget(),
            None => {
                state.idle -= 1;
                return;
            }
        }
        let transport = state.transport.clone();
        drop(state);
        let Some(transport) = transport else { return };
        sender = BatchSender { queue, transport };
    }
}

/// A request in flight. It ends when this is dropped.
struct BatchSender {
    queue: Arc<NodeQueue>,
    transport: Transport,
}

impl BatchSender {
    async fn send_all(&self) {
        let mut closing = self.queue.context.closing.clone();
        let send = async {
            let mut next = self.take_batch(true);
            while let Some((commands, end)) = next {
                self.send(commands, end).await;
                next = self.take_batch(false);
            }
        };
        let is_closed = tokio::select! {
            biased;
            // An error means that the store was dropped.
            _ = closing.wait_for(|closing| *closing) => true,
            () = send => false,
        };
        if is_closed {
            let mut state = self.queue.state();
            // It may have been closed before the first batch was taken.
            state.is_scheduled = false;
            let unsent = std::mem::take(&mut state.waiting);
            drop(state);
            for one in unsent {
                // An error means that the caller no longer waits.
                let _ = one.answer.send(Outcome::Closed);
            }
        }
    }

    fn take_batch(&self, is_first: bool) -> Option<(Vec<QueuedCommand>, Instant)> {
        let (batch, needs_sender) = self.queue.take_batch(&self.transport, is_first);
        start(&self.queue, &self.transport, needs_sender);
        batch
    }

    /// Sends commands batch_size, until `end`. Each gets its own answer: one that fails does not affect the others.
    async fn send(&self, commands: Vec<QueuedCommand>, end: Instant) {
        let context = &self.queue.context;
        let sent = Instant::now();
        let batch_size = commands.len();
        context.counters.request(batch_size);
        let mut rows = self.transport.rows(batch_size);
        let mut expected = Vec::with_capacity(batch_size);
        let mut answers = Vec::with_capacity(batch_size);
        for one in commands {
            if let Some((trace, node)) = one.trace {
                trace.note(LastRequest { node, batch_size });
            }
            rows.push(one.row);
            expected.push((one.shape, one.slot));
            answers.push(one.answer);
        }
        let has_count = expected.iter().any(|(shape, _)| shape.is_count());
        let end_of_crate = match has_count {
            true => policy::end_of_count(end),
            false => end,
        };
        let policy = policy::batch(context.replica, end_of_crate);
        let is_alone = batch_size == 1;
        let outcome = {
            // Pinned where it is created: it is as large as the rest of this future, and a move would need its space twice.
            let mut batch = pin!(self.transport.batch(&policy, &mut rows));
            let batch = yielding(batch_size >= YIELDING_FROM, batch.as_mut());
            let mut batch = pin!(timeout_at(end, batch));
            tokio::select! {
                biased;
                outcome = &mut batch => outcome,
                () = tokio::time::sleep(self.queue.silence()) => {
                    self.queue.report(false);
                    batch.await
                }
            }
        };
        let Ok(outcome) = outcome else {
            self.queue.report_timeout(sent);
            return send_timed_out(answers);
        };
        self.queue.report_outcome(&outcome);
        let mut expected = expected.into_iter().zip(answers);
        // A failure of the whole batch counts for the rows that have no answer.
        rows.for_each(|row| {
            let Some(((shape, slot), answer)) = expected.next() else {
                return;
            };
            let outcome = batch::outcome(row, shape, is_alone, &outcome);
            if shape.is_read() {
                context.learn_size(&outcome, slot);
            }
            // An error means that the caller no longer waits: its attempt timed out.
            let _ = answer.send(outcome);
        });
    }
}

impl Drop for BatchSender {
    fn drop(&mut self) {
        // Starts another sender for commands that came after the last check, or that are left if this one has panicked.
        finish(&self.queue, &self.transport);
    }
}

/// Runs `work`. If it `is_yielding`, it yields after a part of tokio's budget, so that other tasks get a turn.
fn yielding<'a, F: Future>(
    is_yielding: bool,
    mut work: Pin<&'a mut F>,
) -> impl Future<Output = F::Output> + 'a {
    poll_fn(move |context| {
        if is_yielding {
            for _ in BUDGET_USED..BUDGET {
                if let Poll::Ready(spent) = coop::poll_proceed(context) {
                    spent.made_progress();
                }
            }
        }
        work.as_mut().poll(context)
    })
}

fn send_timed_out(answers: Vec<oneshot::Sender<Outcome>>) {
    for answer in answers {
        // An error means that the caller no longer waits.
        let _ = answer.send(Outcome::TimedOut);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

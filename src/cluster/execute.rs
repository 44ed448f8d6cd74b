//! Runs one command within its deadline, with repetitions and fail-over.
//!
//! Every command about sessions may be repeated, even one that may have been applied: all set absolute values, and an update of a session
//! does not create it. A whole write that is repeated could bring back a session that was removed in between. But such a write was still
//! in progress when the session was removed, so it could as well have come after the removal.
//!
//! A [`Command::Count`] adds to what is stored. It is repeated only if it is certain that the attempt before was not applied
//! ([`Repeat::UnlessInDoubt`]). [`Call::verdict`] decides that, for every attempt. Nothing else sends a command twice: the crate does
//! not retry writes by its policy, and a request is not sent again when the connection, the thread or the queue changes.
//!
//! An attempt gets only a part of the timeout, so that enough time is left for another one: a node that has died, or does not answer,
//! is not waited for. Reads then go to other nodes that have the record, and take the first answer. If the node is already suspect,
//! they go there at once. Writes have to wait until the cluster has noticed the failure and made another node the master, which
//! takes two to three seconds. They are repeated until then.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aerospike::Key;
use futures::future::select;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::batch::Outcome;
use super::batch_sender;
use super::command::{Command, Repeat, Reply};
use super::connection::Connection;
use super::direct_send::DirectSend;
use super::failure::{self, Failure, Kind};
use super::handle::Cluster;
use super::node_queue::{NodeQueue, QueueTicket};
use super::policy::{self, FIRST_PART, SMALLEST_PART, WARY_PART};
use super::stats::Counters;
use super::trace::{LastRequest, Trace};
use super::transport::Transport;
use crate::clock::noise;
use crate::error::{Code, Error, Result};
use crate::tasks::ExactTimers;

/// The first pause before a repetition. It doubles up to [`LONGEST_PAUSE`], with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// One command on one record, answered by its deadline.
pub struct Call<'a> {
    pub cluster: &'a Cluster,
    pub key: &'a Key,
    pub command: &'a Command,
    pub options: &'a CallOptions,
}

/// How the commands of an operation on one record are run.
pub struct CallOptions {
    pub deadline: Instant,
    /// The trace of the operation, if it is traced.
    pub trace: Option<Arc<Trace>>,
    /// Set when an attempt to write has failed but may have been applied (the operation is in doubt).
    pub in_doubt: AtomicBool,
    /// The store had hardly any other operations when this one started, so there is nothing to batch its commands with.
    pub is_lone: bool,
}

impl CallOptions {
    /// Returns the options of an operation that is not traced.
    pub fn untraced(deadline: Instant) -> CallOptions {
        CallOptions {
            deadline,
            trace: None,
            in_doubt: AtomicBool::new(false),
            is_lone: false,
        }
    }

    /// Returns the options for commands of the same operation on another record.
    pub fn for_another_record(&self) -> CallOptions {
        CallOptions {
            deadline: self.deadline,
            trace: self.trace.clone(),
            in_doubt: AtomicBool::new(false),
            is_lone: self.is_lone,
        }
    }
}

/// A read in flight whose attempt has timed out. It may still be answered.
enum Pending<'a> {
    Queued(oneshot::Receiver<Outcome>),
    // Boxed from the start, so that it does not have to be moved.
    Direct(Pin<Box<dyn Future<Output = Option<Outcome>> + Send + 'a>>),
}

impl Cluster {
    /// Runs one command, and ends by the deadline. It may succeed after an attempt that is in doubt: see [`CallOptions::in_doubt`].
    ///
    /// # Errors
    ///
    /// Any failure, except those that are replies: [`Reply::Missing`], [`Reply::Filtered`], [`Reply::Moved`] and [`Reply::WrongType`].
    pub fn execute<'a>(
        &'a self,
        key: &'a Key,
        command: &'a Command,
        options: &'a CallOptions,
    ) -> impl Future<Output = Result<Reply>> + 'a {
        let call = Call {
            cluster: self,
            key,
            command,
            options,
        };
        async move { call.run().await }
    }
}

impl Call<'_> {
    /// Makes attempts until one is answered, or the deadline.
    pub async fn run(&self) -> Result<Reply> {
        if self.command.is_too_big() {
            return Err(failure::too_big());
        }
        let transport = self.connection().transport(self.options.deadline).await?;
        if self.command.is_check() {
            return self.check(&transport).await;
        }
        let (outcome, pending) = match self.command.is_write() {
            true => (self.write(&transport, None).await?, None),
            false => self.read(&transport).await?,
        };
        // Retries are rare, and their future is much larger than the first attempt. It is boxed so that it is not part of the future
        // of every operation.
        let retry = match pending {
            Some(_) => {
                self.counters().retry();
                Box::pin(self.retry(None, pending))
            }
            None => match self.evaluate(&transport, outcome, None)? {
                Verdict::Answered(reply) => return Ok(reply),
                Verdict::Failed(error) => Box::pin(self.retry(Some(error), None)),
            },
        };
        retry.await.map_err(|error| self.with_reason(error))
    }

    /// Makes one attempt to write. Returns `None` if the attempt timed out and the command was withdrawn before it was sent.
    /// `attempt_timeout`: that of a further attempt; `None` for the first attempt.
    ///
    /// A write that was sent is waited for until its request has ended, which is by the deadline. Until then the server may still
    /// apply it, so it is neither repeated nor answered. Otherwise it could be applied after its repetition, or after a later
    /// operation, and undo a change or a logout.
    async fn write(
        &self,
        transport: &Transport,
        attempt_timeout: Option<Duration>,
    ) -> Result<Option<Outcome>> {
        let queue = self.connection().routing().queue(self.key, self.command);
        let is_first = attempt_timeout.is_none();
        let attempt_timeout = match attempt_timeout {
            // If it is sent, it is the last attempt.
            _ if self.is_count() => self.part(FIRST_PART),
            Some(attempt_timeout) => attempt_timeout,
            None if queue.is_suspect() => self.part(SMALLEST_PART),
            None => self.part(FIRST_PART),
        };
        if let Some(direct) = self.try_direct(&queue, transport).filter(|_| is_first) {
            let end = self.end_after(attempt_timeout);
            let mut sent = Box::pin(direct.send(self.key, self.command, self.trace(), end));
            let silence = queue.silence().min(attempt_timeout);
            let answer = match timeout_at(self.end_after(silence), &mut sent).await {
                Ok(answer) => answer,
                Err(_) => {
                    queue.report_timeout(Instant::now() - silence);
                    sent.await
                }
            };
            return self.check_answer(answer);
        }
        let mut ticket = self.enqueue(&queue, transport, attempt_timeout);
        // The crate's timeouts restart with every read from the socket. This one does not.
        match timeout_at(self.end_after(attempt_timeout), &mut ticket.answer).await {
            Ok(answer) => self.check_answer(answer.ok()),
            Err(_) if queue.withdraw(&ticket) => Ok(None),
            Err(_) => self.check_answer(ticket.answer.await.ok()),
        }
    }

    /// Makes the first attempt to read. If there is no answer soon, returns the request in flight as [`Pending`], so that the caller can
    /// also read from other nodes. A suspect node is not waited for at all.
    async fn read(&self, transport: &Transport) -> Result<(Option<Outcome>, Option<Pending<'_>>)> {
        let queue = self.connection().routing().queue(self.key, self.command);
        let attempt_timeout = match queue.is_suspect() {
            true => Duration::ZERO,
            // The partitions are about to move, and the crate may notice that later than `routing` does.
            false
                if self
                    .connection()
                    .routing()
                    .context()
                    .health
                    .is_any_suspect() =>
            {
                queue.silence() / WARY_PART
            }
            false => queue.silence(),
        };
        if let Some(direct) = self
            .try_direct(&queue, transport)
            .filter(|_| !attempt_timeout.is_zero())
        {
            let end = self.end_after(self.part(FIRST_PART));
            let mut sent = Box::pin(direct.send(self.key, self.command, self.trace(), end));
            return match timeout_at(self.end_after(attempt_timeout), &mut sent).await {
                Ok(answer) => Ok((self.check_answer(answer)?, None)),
                Err(_) => {
                    queue.report_timeout(Instant::now() - attempt_timeout);
                    Ok((None, Some(Pending::Direct(sent))))
                }
            };
        }
        let mut answer = self
            .enqueue(&queue, transport, self.part(FIRST_PART))
            .answer;
        match timeout_at(self.end_after(attempt_timeout), &mut answer).await {
            Ok(answer) => Ok((self.check_answer(answer.ok())?, None)),
            Err(_) => Ok((None, Some(Pending::Queued(answer)))),
        }
    }

    /// Makes the only attempt of a check. It is not repeated: while a node is silent, the reads that visitors wait for go first.
    async fn check(&self, transport: &Transport) -> Result<Reply> {
        let queue = self.connection().routing().queue(self.key, self.command);
        let attempt_timeout = self.part(FIRST_PART);
        let ticket = self.enqueue(&queue, transport, attempt_timeout);
        let outcome = match timeout_at(self.end_after(attempt_timeout), ticket.answer).await {
            Ok(answer) => self.check_answer(answer.ok())?,
            Err(_) => None,
        };
        match self.verdict(transport, outcome, None)? {
            Verdict::Answered(reply) => Ok(reply),
            Verdict::Failed(error) => Err(error),
        }
    }

    fn try_direct(&self, queue: &Arc<NodeQueue>, transport: &Transport) -> Option<DirectSend> {
        self.options
            .is_lone
            .then(|| DirectSend::begin(queue, transport))
            .flatten()
    }

    fn enqueue(
        &self,
        queue: &Arc<NodeQueue>,
        transport: &Transport,
        attempt_timeout: Duration,
    ) -> QueueTicket {
        let time = (
            attempt_timeout.min(self.part(FIRST_PART)),
            self.options.deadline,
        );
        batch_sender::enqueue(queue, transport, time, self.key, self.command, self.trace())
    }

    /// Checks the answer to a request: fails if the store was closed, or if the sender has ended without an answer.
    fn check_answer(&self, answer: Option<Outcome>) -> Result<Option<Outcome>> {
        match answer {
            Some(Outcome::Closed) => Err(Error::closed()),
            Some(outcome) => Ok(Some(outcome)),
            // The request was in flight when the store was closed.
            None if self.connection().is_closed() => {
                Err(Error::closed().in_doubt(self.command.is_write()))
            }
            // The sender has panicked.
            None => Err(Error::given_up().in_doubt(self.command.is_write())),
        }
    }

    /// Makes further attempts. `last`: the failure of the first attempt, if it has failed. `pending`: the first attempt, if it may still
    /// be answered.
    async fn retry(
        &self,
        mut last: Option<Error>,
        mut pending: Option<Pending<'_>>,
    ) -> Result<Reply> {
        let _exact_timers = ExactTimers::new();
        let mut pause = FIRST_PAUSE;
        let mut attempt_timeout = self.part(SMALLEST_PART);
        loop {
            let left = self
                .options
                .deadline
                .saturating_duration_since(Instant::now());
            if let Some(error) = last.take_if(|_| left <= FIRST_PAUSE) {
                return Err(error);
            }
            let is_first = last.is_none();
            if !is_first {
                self.counters().retry();
            }
            let attempt = async {
                if !is_first {
                    tokio::time::sleep(jittered(pause.min(left / 2))).await;
                }
                let transport = self.transport_for_retry().await?;
                let outcome = match self.command.is_write() {
                    // In a batch with other commands that wait for the same node.
                    true => self.write(&transport, Some(attempt_timeout)).await?,
                    false => self.read_from_replicas(&transport, attempt_timeout).await,
                };
                Ok::<_, Error>((transport, outcome))
            };
            let attempt = tokio::select! {
                biased;
                Some(reply) = late_reply(&mut pending) => return Ok(reply),
                attempt = attempt => attempt,
                () = self.cluster.closed() => {
                    return Err(Error::closed().in_doubt(self.command.is_write()))
                }
            };
            let (transport, outcome) = match attempt {
                Ok(attempt) => attempt,
                // No node could be reached: the earlier error says more.
                Err(error) if error.code == Code::Unavailable => return Err(last.unwrap_or(error)),
                Err(error) => return Err(error.in_doubt(last.is_some_and(|last| last.in_doubt))),
            };
            match self.evaluate(&transport, outcome, last)? {
                Verdict::Answered(reply) => return Ok(reply),
                Verdict::Failed(error) if Instant::now() >= self.options.deadline => {
                    return Err(error);
                }
                Verdict::Failed(error) => last = Some(error),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            attempt_timeout *= 2;
        }
    }

    /// Reads from two nodes that have the record, if there are two: at most one of them is the silent one. Returns `None` if the attempt
    /// timed out.
    async fn read_from_replicas(
        &self,
        transport: &Transport,
        attempt_timeout: Duration,
    ) -> Option<Outcome> {
        let end = self.end_after(attempt_timeout);
        let read = async {
            // An error would mean that the semaphore was closed, which never happens.
            let _permits = self.cluster.replica_reads.acquire_many(2).await;
            if let Some(trace) = self.trace() {
                // Only the crate knows the node.
                trace.note(LastRequest {
                    node: None,
                    batch_size: 1,
                });
            }
            let touch = match self.command {
                Command::Read { touch, .. } => *touch,
                _ => None,
            };
            let policy = policy::read(touch, end);
            // The crate takes the nodes in turn, so two reads that start together go to different nodes.
            let one = Box::pin(transport.get(&policy, self.key, self.command));
            let other = Box::pin(transport.get(&policy, self.key, self.command));
            let (first, rest) = select(one, other).await.factor_first();
            match &first {
                Err(failure) if failure.server_result_code().is_none() => rest.await,
                _ => first,
            }
        };
        let outcome = timeout_at(end, read).await.ok()?;
        Some(Outcome::Own(outcome.map(Reply::Record)))
    }

    /// Returns [`Call::verdict`], and sets [`CallOptions::in_doubt`] if it is in doubt.
    fn evaluate(
        &self,
        transport: &Transport,
        outcome: Option<Outcome>,
        last: Option<Error>,
    ) -> Result<Verdict> {
        let verdict = self.verdict(transport, outcome, last);
        if let Err(error) | Ok(Verdict::Failed(error)) = &verdict
            && error.in_doubt
        {
            self.options.in_doubt.store(true, Ordering::Relaxed);
        }
        verdict
    }

    /// Decides what follows from an attempt. `outcome`: `None` if the attempt timed out before the command was sent. `last`: the failure
    /// of the attempt before.
    fn verdict(
        &self,
        transport: &Transport,
        outcome: Option<Outcome>,
        last: Option<Error>,
    ) -> Result<Verdict> {
        let was_in_doubt = last.as_ref().is_some_and(|last| last.in_doubt);
        let (mut error, is_transient) = match outcome {
            Some(Outcome::Own(Ok(reply))) => return Ok(Verdict::Answered(reply)),
            Some(Outcome::Own(Err(failure))) => {
                let is_transient = match failure::kind(&failure) {
                    Kind::Missing => return Ok(Verdict::Answered(Reply::Missing)),
                    Kind::Filtered => return Ok(Verdict::Answered(Reply::Filtered)),
                    Kind::Moved => return Ok(Verdict::Answered(Reply::Moved)),
                    Kind::WrongType => return Ok(Verdict::Answered(Reply::WrongType)),
                    Kind::Permanent => false,
                    Kind::Transient => true,
                };
                let mut error = self.failed(transport, &failure);
                if self.is_count() {
                    error.in_doubt = !failure::is_surely_not_applied(&failure);
                }
                (error, is_transient)
            }
            // Another row may be the unreadable one. A repetition without it shows which one it is.
            Some(Outcome::NoAnswer(failure)) => {
                let error = self.to_error(transport, &failure);
                let in_doubt = error.in_doubt || self.is_count();
                (error.in_doubt(in_doubt), true)
            }
            // `check_answer` has already turned `Closed` into an error.
            Some(Outcome::TimedOut | Outcome::Closed) | None => {
                self.connection().auth_check().no_connection();
                let is_sent = outcome.is_some();
                let mut error = last.unwrap_or_else(|| transport.timed_out(&self.cluster.options));
                let may_be_applied = transport.is_connected() && self.command.is_write();
                error.in_doubt |= is_sent && (may_be_applied || self.is_count());
                (error, true)
            }
        };
        // An earlier attempt may have been applied, whatever the outcome of this one.
        error.in_doubt |= was_in_doubt;
        let may_repeat = match self.command.repeat() {
            Repeat::Always => true,
            Repeat::UnlessInDoubt => !error.in_doubt,
        };
        match is_transient && may_repeat {
            true => Ok(Verdict::Failed(error)),
            false => Err(error),
        }
    }

    /// Returns the error of an attempt that failed, and reports to [`Connection::auth_check`] if the login or the connections may be the
    /// reason.
    fn failed(&self, transport: &Transport, failure: &Failure) -> Error {
        if failure::is_not_logged_in(failure) {
            self.connection().auth_check().not_logged_in();
        }
        let error = self.to_error(transport, failure);
        let is_unknown = transport.is_connected() && !transport.knows(self.key.namespace());
        if error.code == Code::Unavailable && !is_unknown && !failure.lacks_node() {
            self.connection().auth_check().no_connection();
        }
        error
    }

    /// Returns the reason why new connections are refused, if that is known and explains this error.
    fn with_reason(&self, error: Error) -> Error {
        match error.code {
            Code::Unavailable | Code::Timeout => match self.connection().auth_check().finding() {
                Some(reason) => reason.in_doubt(error.in_doubt),
                None => error,
            },
            _ => error,
        }
    }

    /// Returns the transport for a further attempt. Waits until it knows the namespace, because no attempt can succeed before.
    async fn transport_for_retry(&self) -> Result<Transport> {
        let transport = self.connection().transport(self.options.deadline).await?;
        let namespace = self.key.namespace();
        match transport.knows(namespace) || !transport.is_connected() {
            true => Ok(transport),
            false => {
                let client = self.cluster.client(namespace, self.options.deadline);
                Box::pin(client).await.map(Transport::Client)
            }
        }
    }

    fn to_error(&self, transport: &Transport, failure: &Failure) -> Error {
        let error = transport.to_error(&self.cluster.options, failure, self.key.namespace());
        match transport.is_connected() && failure.lacks_node() {
            true => self.connection().peers().with_reason(error),
            false => error,
        }
    }

    fn trace(&self) -> Option<&Arc<Trace>> {
        self.options.trace.as_ref()
    }

    fn is_count(&self) -> bool {
        self.command.repeat() == Repeat::UnlessInDoubt
    }

    fn connection(&self) -> &Connection {
        &self.cluster.connection
    }

    fn counters(&self) -> &Counters {
        &self.connection().routing().context().counters
    }

    /// Returns the timeout of an operation divided by `divisor`.
    fn part(&self, divisor: u32) -> Duration {
        self.cluster.options.timeout / divisor
    }

    /// Returns when an attempt ends that starts now: not after the deadline.
    fn end_after(&self, attempt_timeout: Duration) -> Instant {
        self.options.deadline.min(Instant::now() + attempt_timeout)
    }
}

/// Waits for the answer to a read whose attempt has timed out. Returns `None` if there is none, or if it is an error.
async fn late_reply(pending: &mut Option<Pending<'_>>) -> Option<Reply> {
    let answer = match pending.as_mut()? {
        Pending::Queued(answer) => answer.await.ok(),
        Pending::Direct(sent) => sent.await,
    };
    *pending = None;
    match answer? {
        Outcome::Own(Ok(reply)) => Some(reply),
        Outcome::Own(Err(error)) if matches!(failure::kind(&error), Kind::Missing) => {
            Some(Reply::Missing)
        }
        _ => None,
    }
}

/// The result of an attempt.
enum Verdict {
    Answered(Reply),
    /// The attempt failed. A repetition may succeed.
    Failed(Error),
}

/// Returns between half of `pause` and all of it, so that many waiting operations are not repeated at once.
fn jittered(pause: Duration) -> Duration {
    pause / 2 + (pause / 2) * noise(1_000) / 1_000
}

//! One command, within its deadline, with retries.
//!
//! Every command may be repeated, also one that was perhaps applied: they all set absolute values, and what updates
//! a session does not create it. A whole write could bring back a session that was removed in between; but then it
//! was still under way when the session was removed, and might as well have come after that.
//!
//! An attempt gets a part of the time only, so that enough is left for another: a node that has died, or stopped answering,
//! is not waited for. Reads then go to other nodes that have the record, at once as soon as the node is known to be in
//! trouble, and take whichever answer comes first. Writes have to wait until the cluster has noticed as well and made another node the master, which takes two to
//! three seconds; they are repeated until then.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use aerospike::{Bins, Key};
use futures::future::select;
use tokio::sync::oneshot;
use tokio::time::{timeout_at, Instant};

use super::batch::Outcome;
use super::batch_sender;
use super::command::{Command, Reply};
use super::connection::Connection;
use super::direct_send::DirectSend;
use super::failure::{self, Failure, Kind};
use super::handle::Cluster;
use super::node_queue::{NodeQueue, QueueTicket};
use super::policy::{self, FIRST_PART, SMALLEST_PART, WARY_PART};
use super::stats::Counters;
use super::trace::{Trace, Way};
use super::transport::Transport;
use crate::clock::noise;
use crate::error::{Code, Error, Result};
use crate::tasks::ExactTimers;

/// The first pause before a repetition; it doubles up to [`LONGEST_PAUSE`], with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// One command on one record, to be answered by its deadline.
pub struct Call<'a> {
    pub cluster: &'a Cluster,
    pub key: &'a Key,
    pub command: &'a Command,
    pub terms: CallOptions<'a>,
}

/// What a command is carried out for.
#[derive(Clone, Copy)]
pub struct CallOptions<'a> {
    pub deadline: Instant,
    /// Who wants to know which way it takes.
    pub trace: Option<&'a Arc<Trace>>,
    /// Set once an attempt to write may have been carried out although it failed.
    pub doubt: &'a AtomicBool,
    /// Hardly anything else was asked of the store as this was: there is nothing to travel with.
    pub is_lone: bool,
}

/// Where a read is answered later.
enum Pending<'a> {
    Together(oneshot::Receiver<Outcome>),
    // Boxed already where it began: it would have to be moved.
    Alone(Pin<Box<dyn Future<Output = Option<Outcome>> + Send + 'a>>),
}

impl Cluster {
    /// Runs one command. It may succeed with a repetition after an attempt that is in doubt: see [`CallOptions::doubt`].
    ///
    /// # Errors
    ///
    /// Anything but "there is no such record", which is [`Reply::Missing`]. Never later than the deadline.
    pub fn execute<'a>(
        &'a self,
        key: &'a Key,
        command: &'a Command,
        terms: CallOptions<'a>,
    ) -> impl Future<Output = Result<Reply>> + 'a {
        let call = Call {
            cluster: self,
            key,
            command,
            terms,
        };
        async move { call.run().await }
    }
}

impl Call<'_> {
    /// Makes attempts until one is answered.
    pub async fn run(&self) -> Result<Reply> {
        if self.command.is_too_big() {
            return Err(failure::too_big());
        }
        let transport = self.connection().transport(self.terms.deadline).await?;
        let (outcome, pending) = match self.command.is_write() {
            true => (self.write(&transport, None).await?, None),
            false => self.read(&transport).await?,
        };
        // What follows is rare, and much larger than all before: boxed, it is no part of every operation.
        let again = match pending {
            Some(_) => {
                self.counters().retry();
                Box::pin(self.again(None, pending))
            }
            None => match self.judged(&transport, outcome, None)? {
                Verdict::Answered(reply) => return Ok(reply),
                Verdict::Failed(error) => Box::pin(self.again(Some(error), None)),
            },
        };
        again.await.map_err(|error| self.explained(error))
    }

    /// A write, together with others, if there are any; `attempt_timeout` is that of a further attempt. `None` if it was taken back
    /// before it left.
    ///
    /// A write that has left is waited for until its flight is over, and that is by the deadline: as long as it may still be
    /// carried out it is neither repeated nor answered, or else it might be carried out after the repetition, and after what
    /// comes then; that would undo a change, or a logout.
    async fn write(
        &self,
        transport: &Transport,
        attempt_timeout: Option<Duration>,
    ) -> Result<Option<Outcome>> {
        let queue = self.connection().routing().queue(self.key, self.command);
        let is_first = attempt_timeout.is_none();
        let attempt_timeout = attempt_timeout.unwrap_or_else(|| match queue.is_suspect() {
            true => self.part(SMALLEST_PART),
            false => self.part(FIRST_PART),
        });
        if let Some(direct) = self.try_direct(&queue, transport).filter(|_| is_first) {
            let last = self.until(attempt_timeout);
            let mut alone = Box::pin(direct.send(self.key, self.command, self.terms.trace, last));
            let silent = queue.silence().min(attempt_timeout);
            let answer = match timeout_at(self.until(silent), &mut alone).await {
                Ok(answer) => answer,
                Err(_) => {
                    queue.report_timeout(Instant::now() - silent);
                    alone.await
                }
            };
            return self.received(answer);
        }
        let mut ticket = self.enqueue(&queue, transport, attempt_timeout);
        // The crate's own timeouts start anew with every read from the socket; these do not.
        match timeout_at(self.until(attempt_timeout), &mut ticket.answer).await {
            Ok(answer) => self.received(answer.ok()),
            Err(_) if queue.withdraw(&ticket) => Ok(None),
            Err(_) => self.received(ticket.answer.await.ok()),
        }
    }

    /// A read, together with others, if there are any. If there is no answer soon, as there will hardly be from a node in
    /// trouble, it is not waited for alone any more: `Some` is where it will come, if it does.
    async fn read(&self, transport: &Transport) -> Result<(Option<Outcome>, Option<Pending<'_>>)> {
        let queue = self.connection().routing().queue(self.key, self.command);
        let attempt_timeout = match queue.is_suspect() {
            true => Duration::ZERO,
            // What the nodes hold is about to change, and the crate may learn of it later than the routes.
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
            let last = self.until(self.part(FIRST_PART));
            let mut alone = Box::pin(direct.send(self.key, self.command, self.terms.trace, last));
            return match timeout_at(self.until(attempt_timeout), &mut alone).await {
                Ok(answer) => Ok((self.received(answer)?, None)),
                Err(_) => {
                    queue.report_timeout(Instant::now() - attempt_timeout);
                    Ok((None, Some(Pending::Alone(alone))))
                }
            };
        }
        let mut answer = self
            .enqueue(&queue, transport, self.part(FIRST_PART))
            .answer;
        match timeout_at(self.until(attempt_timeout), &mut answer).await {
            Ok(answer) => Ok((self.received(answer.ok())?, None)),
            Err(_) => Ok((None, Some(Pending::Together(answer)))),
        }
    }

    fn try_direct(&self, queue: &Arc<NodeQueue>, transport: &Transport) -> Option<DirectSend> {
        self.terms
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
            self.terms.deadline,
        );
        batch_sender::enqueue(
            queue,
            transport,
            time,
            self.key,
            self.command,
            self.terms.trace,
        )
    }

    /// What a queue has answered.
    fn received(&self, answer: Option<Outcome>) -> Result<Option<Outcome>> {
        match answer {
            Some(Outcome::Closed) => Err(Error::closed()),
            Some(outcome) => Ok(Some(outcome)),
            // It was under way.
            None if self.connection().is_closed() => {
                Err(Error::closed().in_doubt(self.command.is_write()))
            }
            // Nobody gave it up for a reason: what carried it has panicked.
            None => Err(Error::given_up().in_doubt(self.command.is_write())),
        }
    }

    /// Makes further attempts. `last` is the failure of the first, if there was one; `pending`, where it may still be
    /// answered.
    async fn again(
        &self,
        mut last: Option<Error>,
        mut pending: Option<Pending<'_>>,
    ) -> Result<Reply> {
        let _exact_timers = ExactTimers::new();
        let mut pause = FIRST_PAUSE;
        let mut attempt_timeout = self.part(SMALLEST_PART);
        loop {
            let left = self
                .terms
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
                let transport = self.link_again().await?;
                let outcome = match self.command.is_write() {
                    // Together with others that wait for the same node.
                    true => self.write(&transport, Some(attempt_timeout)).await?,
                    false => self.read_elsewhere(&transport, attempt_timeout).await,
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
                // Nobody there: what was known before says more.
                Err(error) if error.code == Code::Unavailable => return Err(last.unwrap_or(error)),
                Err(error) => return Err(error.in_doubt(last.is_some_and(|last| last.in_doubt))),
            };
            match self.judged(&transport, outcome, last)? {
                Verdict::Answered(reply) => return Ok(reply),
                Verdict::Failed(error) if Instant::now() >= self.terms.deadline => {
                    return Err(error)
                }
                Verdict::Failed(error) => last = Some(error),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            attempt_timeout *= 2;
        }
    }

    /// A read, alone, from two nodes that have the record, if there are two: the one that is silent is one of them at most.
    /// `None`: its time was up.
    async fn read_elsewhere(
        &self,
        transport: &Transport,
        attempt_timeout: Duration,
    ) -> Option<Outcome> {
        let until = self.until(attempt_timeout);
        let read = async {
            // An error means that the semaphore was closed, and it never is.
            let _permits = self.cluster.elsewhere.acquire_many(2).await;
            if let Some(trace) = self.terms.trace {
                // Which node it is, the crate alone knows.
                trace.note(Way {
                    node: None,
                    together: 1,
                });
            }
            let (bins, touch) = match self.command {
                Command::Read { bins, touch } => (bins.clone(), *touch),
                _ => (Bins::None, None),
            };
            let policy = policy::read(touch, until);
            // The crate takes the nodes in turn: two reads that begin at the same time go to different ones.
            let one = Box::pin(transport.get(&policy, self.key, bins.clone()));
            let other = Box::pin(transport.get(&policy, self.key, bins));
            let (first, rest) = select(one, other).await.factor_first();
            match &first {
                Err(failure) if failure.server_result_code().is_none() => rest.await,
                _ => first,
            }
        };
        let outcome = timeout_at(until, read).await.ok()?;
        Some(Outcome::Own(outcome.map(Reply::Record)))
    }

    /// [`Call::judge`], and takes note of a doubt.
    fn judged(
        &self,
        transport: &Transport,
        outcome: Option<Outcome>,
        last: Option<Error>,
    ) -> Result<Verdict> {
        let verdict = self.judge(transport, outcome, last);
        if let Err(error) | Ok(Verdict::Failed(error)) = &verdict {
            if error.in_doubt {
                self.terms.doubt.store(true, Ordering::Relaxed);
            }
        }
        verdict
    }

    /// `outcome`: `None` where its time was up before it had left. `last`: the failure of the attempt before.
    fn judge(
        &self,
        transport: &Transport,
        outcome: Option<Outcome>,
        last: Option<Error>,
    ) -> Result<Verdict> {
        let error = match outcome {
            Some(Outcome::Own(Ok(reply))) => return Ok(Verdict::Answered(reply)),
            Some(Outcome::Own(Err(error))) => error,
            // Another's fault, or ours: alone it will show.
            Some(Outcome::Lost(error)) => {
                let mut told = self.told(transport, &error);
                told.in_doubt |= last.is_some_and(|last| last.in_doubt);
                return Ok(Verdict::Failed(told));
            }
            // The last is an error by now.
            Some(Outcome::TimedOut | Outcome::Closed) | None => {
                self.connection().auth_check().no_connection();
                let has_left = outcome.is_some();
                let mut told = last.unwrap_or_else(|| transport.late(&self.cluster.options));
                told.in_doubt |= has_left && transport.is_connected() && self.command.is_write();
                return Ok(Verdict::Failed(told));
            }
        };
        let is_passing = match failure::kind(&error) {
            Kind::Missing => return Ok(Verdict::Answered(Reply::Missing)),
            Kind::Moved => return Ok(Verdict::Answered(Reply::Moved)),
            Kind::WrongType => return Ok(Verdict::Answered(Reply::WrongType)),
            Kind::Final => false,
            Kind::Passing => true,
        };
        if failure::is_not_logged_in(&error) {
            self.connection().auth_check().not_logged_in();
        }
        let mut told = self.told(transport, &error);
        let is_unknown = transport.is_connected() && !transport.knows(self.key.namespace());
        if told.code == Code::Unavailable && !is_unknown && !error.lacks_node() {
            self.connection().auth_check().no_connection();
        }
        // Of what an earlier try may have done this one knows nothing.
        told.in_doubt |= last.is_some_and(|last| last.in_doubt);
        match is_passing {
            true => Ok(Verdict::Failed(told)),
            false => Err(told),
        }
    }

    /// That there is no connection, or none in time, has a reason of its own where connecting anew is refused.
    fn explained(&self, error: Error) -> Error {
        match error.code {
            Code::Unavailable | Code::Timeout => match self.connection().auth_check().finding() {
                Some(reason) => reason.in_doubt(error.in_doubt),
                None => error,
            },
            _ => error,
        }
    }

    /// A link for a further attempt, which knows the namespace: where it does not, no attempt can succeed.
    async fn link_again(&self) -> Result<Transport> {
        let transport = self.connection().transport(self.terms.deadline).await?;
        let namespace = self.key.namespace();
        match transport.knows(namespace) || !transport.is_connected() {
            true => Ok(transport),
            false => {
                let client = self.cluster.client(namespace, self.terms.deadline);
                Box::pin(client).await.map(Transport::Client)
            }
        }
    }

    fn told(&self, transport: &Transport, failure: &Failure) -> Error {
        let told = transport.told(&self.cluster.options, failure, self.key.namespace());
        match transport.is_connected() && failure.lacks_node() {
            true => self.connection().peers().explained(told),
            false => told,
        }
    }

    fn connection(&self) -> &Connection {
        &self.cluster.connection
    }

    fn counters(&self) -> &Counters {
        &self.connection().routing().context().counters
    }

    /// A part of the time an operation has.
    fn part(&self, of: u32) -> Duration {
        self.cluster.options.timeout / of
    }

    /// So long from now, but not beyond the deadline.
    fn until(&self, attempt_timeout: Duration) -> Instant {
        self.terms.deadline.min(Instant::now() + attempt_timeout)
    }
}

/// What a queue has answered after all, if that is of any use.
async fn late_reply(pending: &mut Option<Pending<'_>>) -> Option<Reply> {
    let answer = match pending.as_mut()? {
        Pending::Together(answer) => answer.await.ok(),
        Pending::Alone(alone) => alone.await,
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

/// What an attempt has come to.
enum Verdict {
    Answered(Reply),
    /// It may well succeed the next time.
    Failed(Error),
}

/// Between half of `pause` and all of it, so that many waiting operations do not return at once.
fn jittered(pause: Duration) -> Duration {
    pause / 2 + (pause / 2) * noise(1_000) / 1_000
}

//! Runs the requests for rate limits, and answers each.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::{Instant, sleep_until};

use super::notice::Notice;
use super::rate_limit_queue::{RateLimitQueueGuard, RateLimitQueues, RateLimitRequest};
use super::record_ref::RecordRef;
use super::request::{Answer, Output};
use super::shared::Shared;
use crate::cluster::CallOptions;
use crate::error::Result;
use crate::rate_limits::operations::Answers;
use crate::rate_limits::{self, Limits, Op};
use crate::{failpoint, tasks};

/// Starts a request, or adds it to the queue of its counter.
pub fn start<A: Answer>(
    shared: &Arc<Shared>,
    queues: &Arc<RateLimitQueues<A>>,
    request: RateLimitRequest<A>,
) {
    if let Some(first) = queues.enter(request) {
        tasks::spawn(serve(shared.clone(), queues.clone(), first));
    }
}

/// Runs the requests for one counter. Those that wait together share a command.
async fn serve<A: Answer>(
    shared: Arc<Shared>,
    queues: Arc<RateLimitQueues<A>>,
    first: RateLimitRequest<A>,
) {
    let digest = first.digest();
    let guard = RateLimitQueueGuard::new(&queues, digest);
    let target = &first.target;
    let answers = run(&shared, &first.view, target, &first.op, 1).await;
    finish(&shared, first, answers.as_ref(), 0);
    let mut next = guard.next();
    while !next.is_empty() {
        let guard = RateLimitQueueGuard::new(&queues, digest);
        // Boxed: most operations never need it.
        Box::pin(share(&shared, std::mem::take(&mut next))).await;
        next = guard.next();
    }
}

async fn run(
    shared: &Shared,
    view: &rate_limits::View,
    target: &RecordRef,
    op: &Op,
    times: usize,
) -> Result<Answers> {
    failpoint::panic_in("serve", &view.options.set);
    let limits = Limits {
        cluster: &shared.cluster,
        view,
        ttl_refused: &|| (shared.notify)(Notice::TtlRefused),
    };
    limits.run(&target.key, op, times, &target.options).await
}

/// Answers requests with one command. It has the latest of their deadlines, and each of them still ends at its own.
async fn share<A: Answer>(shared: &Shared, mut requests: Vec<RateLimitRequest<A>>) {
    let now = Instant::now();
    // Some may have waited too long. They were not sent.
    for late in requests.extract_if(.., |one| one.target.options.deadline <= now) {
        finish(shared, late, Err(&shared.cluster.late()), 0);
    }
    let Some(latest) = requests.iter().map(|one| one.target.options.deadline).max() else {
        return;
    };
    let Some(first) = requests.first() else {
        return;
    };
    let (view, mut op) = (first.view.clone(), first.op);
    for one in &requests {
        op.at_least(&one.op);
    }
    let target = RecordRef {
        key: first.target.key.clone(),
        options: CallOptions {
            trace: requests
                .iter()
                .find_map(|one| one.target.options.trace.clone()),
            ..CallOptions::untraced(latest)
        },
    };
    let times = requests.len();
    let mut waiting: Vec<_> = requests.into_iter().map(Some).collect();
    let work = run(shared, &view, &target, &op, times);
    let mut work = std::pin::pin!(work);
    let answers = loop {
        let deadlines = waiting
            .iter()
            .flatten()
            .map(|one| one.target.options.deadline);
        let earliest = deadlines.min().unwrap_or(latest);
        if earliest >= latest {
            break work.await;
        }
        tokio::select! {
            biased;
            answers = &mut work => break answers,
            () = sleep_until(earliest) => {
                for place in &mut waiting {
                    if let Some(late) = place.take_if(|one| one.target.options.deadline <= earliest) {
                        late.target.options.in_doubt.store(op.is_write(), Ordering::Relaxed);
                        finish(shared, late, Err(&shared.cluster.late()), 0);
                    }
                }
            }
        }
    };
    for (place, request) in waiting.into_iter().enumerate() {
        if let Some(request) = request {
            request.target.copy_trace(&target);
            request.target.absorb(&target);
            finish(shared, request, answers.as_ref(), place);
        }
    }
}

/// Answers a request. `place`: its number among the requests of the command.
fn finish<A: Answer>(
    shared: &Shared,
    request: RateLimitRequest<A>,
    answers: Result<&Answers, &crate::error::Error>,
    place: usize,
) {
    let name = request.op.name();
    let outcome = match answers {
        Ok(answers) => Ok(output(answers.of(place))),
        Err(error) => Err(request.target.failed(error.clone()).during(name)),
    };
    let latency = shared.cluster.since(request.target.options.deadline);
    shared.metrics.count(name, &outcome, Some(latency));
    request.caller.give(outcome);
}

/// Returns an answer as JavaScript reads it: an array of numbers, in the order of the fields of [`rate_limits::Counted`].
fn output(answer: rate_limits::Answer) -> Output {
    match answer {
        rate_limits::Answer::Counted(rate_limits::Counted {
            is_allowed,
            used,
            reset_at,
            retry_at,
        }) => {
            let is_allowed = u8::from(is_allowed);
            Output::Json(format!("[{is_allowed},{used},{reset_at},{retry_at}]"))
        }
        rate_limits::Answer::Done => Output::Done,
        rate_limits::Answer::Removed(existed) => Output::Flag(existed),
    }
}

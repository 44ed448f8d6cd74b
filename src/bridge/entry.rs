//! The functions that the JavaScript facade calls. They are private to it: `lib/bridge/hub.js` is their only caller.
//!
//! Every operation returns immediately, and throws if it panics. Its answer comes through the hub, under `slot`. Times are
//! milliseconds since 1970, which a JavaScript number represents exactly.

use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::answer_values::Batch;
use super::credential_requests::CredentialRequests;
use super::event_loop;
use super::hub::{self, Hub, Reply};
use super::options::{ClusterOptions, IoThread, LimitsOptions, ViewOptions};
use super::runtime::threads;
use super::text::Text;
use crate::cluster::credentials::Login;
use crate::failpoint;
use crate::rate_limits::{self, Extend, Kind, Op, Rule};
use crate::store::baseline::Baseline;
use crate::store::{
    self, Ended, Notice, Operation, Output, RateLimitOp, ScanOp, SessionName, SessionOp, Store,
    View, digest_of_text,
};

/// A view of a store, as JavaScript holds it. When the last view of a store is garbage-collected, the store closes.
#[derive(Clone)]
pub struct Handle {
    store: Arc<Store<Reply>>,
    view: Arc<View>,
    hub: Hub,
    credential_requests: Arc<CredentialRequests>,
}

/// Opens a hub for all stores of the caller. It passes completions to `dispatch`. `may_drive`: whether the event loop may do the
/// work of requests.
#[napi(catch_unwind)]
pub fn open_hub(
    env: Env,
    dispatch: Function<'_, FnArgs<(Batch,)>, Unknown<'static>>,
    may_drive: bool,
) -> Result<External<Hub>> {
    let runtime = || Ok(&*threads()?.driven);
    event_loop::attach(&env, may_drive, runtime, hub::hand_over_after_turn)?;
    Ok(External::new(Hub::open(&env, &dispatch)?))
}

/// Returns completions that the last batch left in the queue.
#[napi(catch_unwind)]
pub fn take_more(env: Env, hub: &External<Hub>) -> Result<Batch> {
    hub.take(&env)
}

/// Closes the hub. No request may be in flight, and none may follow.
#[napi(catch_unwind)]
pub fn close_hub(hub: &External<Hub>) {
    hub.close();
}

/// Opens a store, which connects in the background.
///
/// Both options are the JSON text of complete options. Notices and credential requests come under `notice_slot`.
#[napi(catch_unwind)]
pub fn open_store(
    hub: &External<Hub>,
    notice_slot: u32,
    cluster: String,
    view: String,
) -> Result<External<Handle>> {
    let cluster: ClusterOptions = parsed(&cluster)?;
    let max_pending = cluster.max_pending;
    if cluster.io_thread == IoThread::Always {
        event_loop::switch_off();
    }
    let view: ViewOptions = parsed(&view)?;
    let hub = Hub::clone(hub);
    let credential_requests = Arc::new(CredentialRequests::new(hub.notifier(notice_slot)));
    let cluster = cluster
        .complete(credential_requests.clone())
        .map_err(|error| Error::new(Status::InvalidArg, format!("option 'tls': {error}")))?;
    let notify = hub.notifier(notice_slot);
    let threads = threads()?;
    let _requests = threads.requests.enter();
    let store = Store::open(
        cluster,
        max_pending,
        &threads.tending,
        threads.bulk.clone(),
        move |notice| {
            let name = match &notice {
                Notice::TtlRefused => "TTL_REFUSED",
                Notice::NoUserIndex => "NO_USER_INDEX",
                Notice::Unreadable => "UNREADABLE",
                Notice::TouchOnReadUnsupported => "TOUCH_ON_READ_UNSUPPORTED",
                Notice::LimitNotEnforced(_) => "LIMIT_NOT_ENFORCED",
                Notice::NodesUnreachable(_) => "NODES_UNREACHABLE",
                Notice::Ended(_) => "ENDED",
                Notice::Up => "UP",
                Notice::Down => "DOWN",
            };
            let words = match &notice {
                Notice::NodesUnreachable(words) | Notice::LimitNotEnforced(words) => Some(words),
                _ => None,
            };
            let mut message = serde_json::json!({ "notice": name, "words": words });
            if let Notice::Ended(Ended { gone, expired }) = notice {
                message["gone"] = gone.into();
                message["expired"] = expired.into();
            }
            notify(Output::Json(message.to_string()));
        },
    );
    Ok(External::new(Handle {
        store: Arc::new(store),
        view: View::new(complete(view)?),
        hub,
        credential_requests,
    }))
}

/// Opens another view of the same store.
#[napi(catch_unwind)]
pub fn open_view(store: &External<Handle>, view: String) -> Result<External<Handle>> {
    let view: ViewOptions = parsed(&view)?;
    Ok(External::new(Handle {
        store: store.store.clone(),
        view: View::new(complete(view)?),
        hub: store.hub.clone(),
        credential_requests: store.credential_requests.clone(),
    }))
}

/// The counters of a limiter, as JavaScript holds them. They keep the store open, like a view.
pub struct LimitsHandle {
    store: Handle,
    view: Arc<rate_limits::View>,
}

/// Opens the counters of a limiter on a store.
#[napi(catch_unwind)]
pub fn open_limits(store: &Opened, view: String) -> Result<External<LimitsHandle>> {
    let view: LimitsOptions = parsed(&view)?;
    let view = view
        .try_into()
        .map_err(|error: String| Error::new(Status::InvalidArg, error))?;
    Ok(External::new(LimitsHandle {
        store: Handle::clone(store),
        view: rate_limits::View::new(view),
    }))
}

fn complete(view: ViewOptions) -> Result<store::Options> {
    view.try_into()
        .map_err(|error: String| Error::new(Status::InvalidArg, error))
}

fn parsed<'a, T: serde::Deserialize<'a>>(options: &'a str) -> Result<T> {
    serde_json::from_str(options)
        .map_err(|error| Error::new(Status::InvalidArg, format!("options: {error}")))
}

impl Handle {
    pub(super) fn submit(&self, env: &Env, slot: u32, operation: Operation) -> Result<()> {
        failpoint::panic_in("entry", self.view.set());
        let reply = self.hub.start_request(env, slot)?;
        let is_small = operation.is_about_one();
        let was_turn = event_loop::submit(is_small, || {
            self.store.submit(self.view.clone(), operation, reply);
        });
        if was_turn {
            hub::wake_after_turn();
        }
        Ok(())
    }

    pub(super) fn submit_session_op(
        &self,
        env: &Env,
        slot: u32,
        id: Text,
        op: SessionOp,
    ) -> Result<()> {
        let name = SessionName::Id(id.0);
        self.submit(env, slot, Operation::Session { name, op })
    }

    /// Returns whether keys are stored with their records (option `storeIds`, `storeKeys` of a cache).
    pub(super) fn stores_keys(&self) -> bool {
        self.view.stores_keys()
    }

    fn submit_scan_op(&self, env: &Env, slot: u32, op: ScanOp) -> Result<()> {
        self.submit(env, slot, Operation::Scan(op))
    }
}

/// Answers a credential request: with a user and a password, or with the reason why there are none.
#[napi(catch_unwind)]
pub fn give_credentials(
    store: &Opened,
    request: u32,
    user: String,
    password: String,
    failure: Option<String>,
) {
    let answer = match failure {
        None => Ok(Login { user, password }),
        Some(failure) => Err(failure),
    };
    store.credential_requests.answer(request, answer);
}

/// The result of `open_store` and `open_view`.
type Opened = External<Handle>;

/// Returns the counters of the store, as JSON.
#[napi(catch_unwind)]
pub fn stats(store: &Opened) -> Result<String> {
    serde_json::to_string(&store.store.stats())
        .map_err(|error| Error::from_reason(error.to_string()))
}

#[napi(catch_unwind)]
pub fn ready(env: Env, store: &Opened, slot: u32) -> Result<()> {
    store.submit(&env, slot, Operation::Ready)
}

/// Sends info commands to every node. Internal, for `lib/doctor`.
#[napi(catch_unwind)]
pub fn info(env: Env, store: &Opened, slot: u32, commands: Vec<String>) -> Result<()> {
    store.submit(&env, slot, Operation::Info { commands })
}

/// Closes the store. Pending operations fail with `CLOSED`; the answer follows them.
#[napi(catch_unwind)]
pub fn close(env: Env, store: &Opened, slot: u32) -> Result<()> {
    store.submit(&env, slot, Operation::Close)
}

#[napi(catch_unwind)]
pub fn save(env: Env, store: &Opened, slot: u32, id: Text, json: Text, expires: i64) -> Result<()> {
    store.submit_session_op(
        &env,
        slot,
        id,
        SessionOp::Save {
            json: json.0,
            expires,
        },
    )
}

#[napi(catch_unwind)]
pub fn get(env: Env, store: &Opened, slot: u32, id: Text) -> Result<()> {
    store.submit_session_op(&env, slot, id, SessionOp::Get)
}

#[napi(catch_unwind)]
pub fn touch(env: Env, store: &Opened, slot: u32, id: Text, expires: i64) -> Result<()> {
    store.submit_session_op(&env, slot, id, SessionOp::Touch { expires })
}

#[napi(catch_unwind)]
pub fn remove(env: Env, store: &Opened, slot: u32, id: Text) -> Result<()> {
    store.submit_session_op(&env, slot, id, SessionOp::Delete)
}

#[napi(catch_unwind)]
pub fn has(env: Env, store: &Opened, slot: u32, id: Text) -> Result<()> {
    store.submit_session_op(&env, slot, id, SessionOp::Has)
}

#[napi(catch_unwind)]
pub fn load(env: Env, store: &Opened, slot: u32, id: Text) -> Result<()> {
    store.submit_session_op(&env, slot, id, SessionOp::Load)
}

/// `writer`: the number of the session object. `head`, `base`, `notes`: its baseline; `notes` is optional. `user`: `undefined` if
/// the store does not keep owners, `""` if the session has none.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn set(
    env: Env,
    store: &Opened,
    slot: u32,
    id: Text,
    json: Text,
    expires: i64,
    writer: i64,
    head: Option<Text>,
    base: Option<Text>,
    notes: Option<Text>,
    user: Option<Text>,
) -> Result<()> {
    let op = SessionOp::Set {
        json: json.0,
        expires,
        baseline: baseline(head, base, notes),
        writer: store.view.writer(writer.unsigned_abs()),
        user: owner(user),
    };
    store.submit_session_op(&env, slot, id, op)
}

/// `new_id`: the id that the session gets. `grace`: milliseconds. The others as for [`set`].
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn renew(
    env: Env,
    store: &Opened,
    slot: u32,
    id: Text,
    new_id: Text,
    json: Text,
    expires: i64,
    grace: i64,
    writer: i64,
    head: Option<Text>,
    base: Option<Text>,
    notes: Option<Text>,
    user: Option<Text>,
) -> Result<()> {
    let op = SessionOp::Renew {
        id: new_id.0,
        json: json.0,
        expires,
        baseline: baseline(head, base, notes),
        writer: store.view.writer(writer.unsigned_abs()),
        user: owner(user),
        grace,
    };
    store.submit_session_op(&env, slot, id, op)
}

fn baseline(head: Option<Text>, base: Option<Text>, notes: Option<Text>) -> Option<Baseline> {
    head.zip(base).map(|(head, base)| Baseline {
        meta: head.0,
        json: base.0,
        notes: notes.map_or_else(String::new, |notes| notes.0),
    })
}

fn owner(user: Option<Text>) -> Option<Option<String>> {
    user.map(|user| Some(user.0).filter(|user| !user.is_empty()))
}

/// `head`, `notes`: the baseline of the session object, without the session.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn refresh(
    env: Env,
    store: &Opened,
    slot: u32,
    id: Text,
    cookie: Option<Text>,
    expires: i64,
    writer: i64,
    head: Option<Text>,
    notes: Option<Text>,
) -> Result<()> {
    let op = SessionOp::Refresh {
        cookie: cookie.map(|cookie| cookie.0),
        expires,
        baseline: head.zip(notes).map(|(head, notes)| Baseline {
            meta: head.0,
            json: String::new(),
            notes: notes.0,
        }),
        writer: store.view.writer(writer.unsigned_abs()),
    };
    store.submit_session_op(&env, slot, id, op)
}

#[napi(catch_unwind)]
pub fn destroy(env: Env, store: &Opened, slot: u32, id: Text) -> Result<()> {
    store.submit_session_op(&env, slot, id, SessionOp::Destroy)
}

/// `digest`: that of the key, as 40 hexadecimal digits. `of`: the owner; `undefined`: whoever it is.
#[napi(catch_unwind)]
pub fn destroy_by_digest(
    env: Env,
    store: &Opened,
    slot: u32,
    digest: String,
    of: Option<Text>,
) -> Result<()> {
    let operation = Operation::Session {
        name: SessionName::Digest(parsed_digest(&digest)?),
        op: SessionOp::DestroyByDigest {
            of: of.map(|of| of.0),
        },
    };
    store.submit(&env, slot, operation)
}

/// Like [`has`], for the digest of the key of a session's record.
#[napi(catch_unwind)]
pub fn has_by_digest(env: Env, store: &Opened, slot: u32, digest: String) -> Result<()> {
    let operation = Operation::Session {
        name: SessionName::Digest(parsed_digest(&digest)?),
        op: SessionOp::Has,
    };
    store.submit(&env, slot, operation)
}

fn parsed_digest(text: &str) -> Result<[u8; 20]> {
    digest_of_text(text).ok_or_else(|| Error::new(Status::InvalidArg, "not a digest".to_owned()))
}

/// Returns the digest of the key of a session's record, as 40 hexadecimal digits.
#[napi(catch_unwind)]
pub fn digest_of(store: &Opened, id: Text) -> String {
    store.view.digest(&id.0)
}

/// Watches a session under a number that no other watch of the store has. The notice `ENDED` lists it when the session has ended.
#[napi(catch_unwind)]
pub fn watch(store: &Opened, number: i64, id: Text, touch: bool) {
    store
        .store
        .watch(&store.view, number.unsigned_abs(), &id.0, touch);
}

#[napi(catch_unwind)]
pub fn unwatch(store: &Opened, number: i64) {
    store.store.unwatch(number.unsigned_abs());
}

/// Returns the first partition of a page and their number. `None`: all partitions.
pub(super) fn page(first: Option<u32>, count: Option<u32>) -> Option<(usize, usize)> {
    let (first, count) = first.zip(count)?;
    Some((first as usize, count as usize))
}

#[napi(catch_unwind)]
pub fn all(
    env: Env,
    store: &Opened,
    slot: u32,
    first: Option<u32>,
    count: Option<u32>,
) -> Result<()> {
    let partitions = page(first, count);
    store.submit_scan_op(&env, slot, ScanOp::All { partitions })
}

#[napi(catch_unwind)]
pub fn ids(
    env: Env,
    store: &Opened,
    slot: u32,
    first: Option<u32>,
    count: Option<u32>,
) -> Result<()> {
    let partitions = page(first, count);
    store.submit_scan_op(&env, slot, ScanOp::Ids { partitions })
}

#[napi(catch_unwind)]
pub fn length(
    env: Env,
    store: &Opened,
    slot: u32,
    first: Option<u32>,
    count: Option<u32>,
) -> Result<()> {
    let partitions = page(first, count);
    store.submit_scan_op(&env, slot, ScanOp::Length { partitions })
}

#[napi(catch_unwind)]
pub fn clear(env: Env, store: &Opened, slot: u32) -> Result<()> {
    store.submit_scan_op(&env, slot, ScanOp::Clear)
}

#[napi(catch_unwind)]
pub fn prune(
    env: Env,
    store: &Opened,
    slot: u32,
    first: u32,
    count: u32,
    dry_run: Option<bool>,
) -> Result<()> {
    let op = ScanOp::Prune {
        partitions: (first as usize, count as usize),
        dry_run: dry_run.unwrap_or(false),
    };
    store.submit_scan_op(&env, slot, op)
}

#[napi(catch_unwind)]
pub fn create_user_index(env: Env, store: &Opened, slot: u32) -> Result<()> {
    store.submit_scan_op(&env, slot, ScanOp::CreateUserIndex)
}

#[napi(catch_unwind)]
pub fn sessions_of(env: Env, store: &Opened, slot: u32, user: Text, limit: u32) -> Result<()> {
    let op = ScanOp::SessionsOf {
        user: user.0,
        limit: limit as usize,
    };
    store.submit_scan_op(&env, slot, op)
}

#[napi(catch_unwind)]
pub fn count_of(env: Env, store: &Opened, slot: u32, user: Text) -> Result<()> {
    store.submit_scan_op(&env, slot, ScanOp::CountOf { user: user.0 })
}

#[napi(catch_unwind)]
pub fn destroy_of(
    env: Env,
    store: &Opened,
    slot: u32,
    user: Text,
    except: Option<Text>,
) -> Result<()> {
    let op = ScanOp::DestroyOf {
        user: user.0,
        except: except.map(|except| except.0),
    };
    store.submit_scan_op(&env, slot, op)
}

impl LimitsHandle {
    fn submit_rate_limit_op(&self, env: &Env, slot: u32, key: Text, op: Op) -> Result<()> {
        let (view, key) = (self.view.clone(), key.0);
        let operation = Operation::RateLimit(RateLimitOp::One { view, key, op });
        self.store.submit(env, slot, operation)
    }
}

/// The result of `open_limits`.
type OpenedLimits = External<LimitsHandle>;

/// `window`: milliseconds. A window of 0 or less would divide by zero.
fn rule(is_sliding: bool, window: i64) -> Rule {
    Rule {
        kind: match is_sliding {
            true => Kind::Sliding,
            false => Kind::Fixed,
        },
        window: window.max(1),
    }
}

/// Adds points, if they fit into the limit.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn consume(
    env: Env,
    limits: &OpenedLimits,
    slot: u32,
    key: Text,
    is_sliding: bool,
    window: i64,
    limit: i64,
    points: i64,
    now: i64,
) -> Result<()> {
    let op = Op::Consume {
        rule: rule(is_sliding, window),
        limit,
        points: points.max(1),
        now,
    };
    limits.submit_rate_limit_op(&env, slot, key, op)
}

/// Adds points, whatever the limit. `extend`: what happens to the window of a counter that is beyond `limit`: `""`, `"restart"` or
/// `"double"`.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn increment(
    env: Env,
    limits: &OpenedLimits,
    slot: u32,
    key: Text,
    is_sliding: bool,
    window: i64,
    points: i64,
    now: i64,
    extend: String,
    limit: i64,
) -> Result<()> {
    let op = Op::Increment {
        rule: rule(is_sliding, window),
        extend: match extend.as_str() {
            "restart" => Extend::Restart { limit },
            "double" => Extend::Double { limit },
            _ => Extend::Never,
        },
        points,
        now,
    };
    limits.submit_rate_limit_op(&env, slot, key, op)
}

/// Takes back points.
#[napi(catch_unwind)]
pub fn decrement(env: Env, limits: &OpenedLimits, slot: u32, key: Text, points: i64) -> Result<()> {
    limits.submit_rate_limit_op(&env, slot, key, Op::Decrement { points })
}

/// Returns the state of a counter for a request of `points`.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn peek(
    env: Env,
    limits: &OpenedLimits,
    slot: u32,
    key: Text,
    is_sliding: bool,
    window: i64,
    limit: i64,
    points: i64,
    now: i64,
) -> Result<()> {
    let op = Op::Peek {
        rule: rule(is_sliding, window),
        limit,
        points: points.max(1),
        now,
    };
    limits.submit_rate_limit_op(&env, slot, key, op)
}

#[napi(catch_unwind)]
pub fn reset(env: Env, limits: &OpenedLimits, slot: u32, key: Text) -> Result<()> {
    limits.submit_rate_limit_op(&env, slot, key, Op::Reset)
}

/// Removes all counters of the limiter.
#[napi(catch_unwind)]
pub fn reset_all(env: Env, limits: &OpenedLimits, slot: u32) -> Result<()> {
    let view = limits.view.clone();
    let operation = Operation::RateLimit(RateLimitOp::ResetAll { view });
    limits.store.submit(&env, slot, operation)
}

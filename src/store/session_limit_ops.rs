//! Enforces the limit of sessions of one user on the records of the cluster, see [`session_limit`](super::session_limit).

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};

use aerospike::expressions::{Expression, and, eq, int_bin, int_val, last_update, not};
use aerospike::{Bin, Bins, Expiration, Record, Value};
use tokio::time::{Instant, timeout_at};

use super::baseline::BaselineMeta;
use super::bins::{CREATED, LOGIN, RENEWS, USER};
use super::expiry::{is_integer, now};
use super::notice::Notice;
use super::options::{Evict, SessionLimit};
use super::record_ref::{RecordRef, digest_of_text};
use super::request::Written;
use super::session_limit::{Candidate, TOGETHER, UserRecords, enforce};
use super::session_queue::Digest;
use super::sessions::Sessions;
use super::user_ops::owned_by;
use crate::cluster::scan::{Query, lacks_index};
use crate::cluster::{CallOptions, Command, Reply};
use crate::codec::keys::hex;
use crate::error::Result;

/// The number of sessions that one round handles.
const MAX_FOUND: usize = 10_000;

impl Sessions<'_> {
    /// Enforces the limit after the set that gave the session to `user`. A failure is reported by a notice.
    pub(super) async fn limit_sessions(
        &self,
        target: &RecordRef,
        user: &str,
        written: &mut Written,
    ) {
        let Some(SessionLimit { limit, evict }) = self.options().limit else {
            return;
        };
        let meta = written.meta.clone().unwrap_or_default();
        let Some(base) = BaselineMeta::parse(&meta) else {
            return;
        };
        // The session may have been set through an alias.
        let led = digest_of_text(base.target).map(|digest| target.to(self.layout.key_of(digest)));
        let target = led.as_ref().unwrap_or(target);
        let records = Records {
            sessions: self,
            own: target,
            created: base.created,
            generation: AtomicU32::new(base.generation),
            user: &self.layout.owner(user),
            limit,
            evict,
        };
        let mut evicted = Vec::new();
        let outcome = enforce(&records, &target.key.digest(), limit, &mut evicted).await;
        let generation = records.generation.load(Ordering::Relaxed);
        if generation != base.generation {
            written.meta = Some(BaselineMeta { generation, ..base }.to_string());
        }
        written.evicted = evicted.iter().map(|digest| hex(digest)).collect();
        if let Err(error) = outcome {
            (self.shared.notify)(Notice::LimitNotEnforced(error.message));
        }
    }
}

/// The records of one user in the cluster.
struct Records<'a> {
    sessions: &'a Sessions<'a>,
    /// The session that logs in.
    own: &'a RecordRef,
    created: Option<i64>,
    /// The generation of its record, if its baseline has one.
    generation: AtomicU32,
    /// The value of bin `user`.
    user: &'a str,
    limit: usize,
    evict: Evict,
}

impl Records<'_> {
    async fn query(&self, query: Query<'_>) -> Result<(Vec<Candidate>, bool)> {
        let (mut found, mut is_whole) = (Vec::new(), true);
        let query = Query {
            // With bin `user`, because a query leaves out records that have none of the bins.
            bins: Bins::Some([USER, CREATED, LOGIN, RENEWS].map(String::from).to_vec()),
            ..query
        };
        let cluster = &self.sessions.shared.cluster;
        let scan = cluster.scan(query, |record| {
            let digest = record.key.as_ref().map(aerospike::Key::digest);
            found.extend(digest.map(|digest| candidate(digest, &record)));
            is_whole = found.len() < MAX_FOUND;
            Ok(match is_whole {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        });
        // A scan has no deadline of its own. It only reads, so it may be given up at any time.
        let outcome = timeout_at(self.own.options.deadline, scan).await;
        outcome.unwrap_or_else(|_| Err(cluster.late()))?;
        Ok((found, is_whole))
    }

    /// Reads when each session was last written. Those that are gone are left out, and so are those that no longer belong to
    /// the user: a tombstone has been written last, but is no session.
    async fn with_times(&self, found: Vec<Candidate>) -> Result<Vec<Candidate>> {
        let keys: Vec<_> = found
            .iter()
            .map(|one| self.sessions.layout.key_of(one.digest))
            .collect();
        let mut timed = Vec::with_capacity(found.len());
        for keys in keys.chunks(TOGETHER) {
            let (bins, deadline) = (&[USER, CREATED, LOGIN, RENEWS], self.own.options.deadline);
            let add = |key: &aerospike::Key, record: &Record, updated| {
                if matches!(record.bins.get(USER), Some(Value::String(user)) if user == self.user) {
                    timed.push(Candidate {
                        updated: Some(updated),
                        ..candidate(key.digest(), record)
                    });
                }
            };
            self.sessions
                .read_with_time(keys, bins, deadline, add)
                .await?;
        }
        Ok(timed)
    }

    /// Passes a session of this user whose time is still the one that was found.
    fn is_unchanged(&self, session: &Candidate) -> Expression {
        let is_same = |bin: &str, found: Option<i64>| match found {
            Some(time) => eq(int_bin(bin), int_val(time)),
            None => not(is_integer(bin)),
        };
        let mut all = vec![
            self.sessions.filters.in_this_view(),
            owned_by(self.user),
            is_same(CREATED, session.created),
            is_same(LOGIN, session.login),
        ];
        all.extend(
            session
                .updated
                .map(|updated| eq(last_update(), int_val(updated))),
        );
        and(all)
    }

    fn reference(&self, digest: Digest) -> RecordRef {
        let own = &self.own.options;
        RecordRef {
            key: self.sessions.layout.key_of(digest),
            options: CallOptions {
                trace: own.trace.clone(),
                ..CallOptions::untraced(own.deadline)
            },
        }
    }

    fn check_deadline(&self) -> Result<()> {
        match Instant::now() < self.own.options.deadline {
            true => Ok(()),
            false => Err(self.sessions.shared.cluster.late()),
        }
    }
}

impl UserRecords for Records<'_> {
    async fn find(&self) -> Result<(Vec<Candidate>, bool)> {
        self.check_deadline()?;
        let sessions = self.sessions;
        let (found, is_whole) = match self.query(sessions.index_query(self.user)).await {
            Err(error) if lacks_index(&error) => {
                sessions.request_user_index();
                self.query(sessions.scan_query(self.user)).await
            }
            outcome => outcome,
        }?;
        match self.evict {
            Evict::Idle if found.len() > self.limit => {
                Ok((self.with_times(found).await?, is_whole))
            }
            _ => Ok((found, is_whole)),
        }
    }

    async fn move_up(&self, login: i64) -> Result<bool> {
        let is_own =
            self.sessions
                .filters
                .same_and_alive(self.sessions.layout, self.created, now());
        let command = Command::Change {
            operations: vec![],
            size: 0,
            bins: vec![Bin::new(LOGIN, Value::Int(login))],
            ttl: Expiration::DontUpdate,
            only_if: and(vec![is_own, owned_by(self.user)]),
            generation: None,
        };
        let own = self.reference(self.own.key.digest());
        let reply = self.sessions.execute(&own, &command).await?;
        if let Reply::Record(record) = &reply {
            // The next generation belongs to the known data only if nobody else wrote in between.
            let known = self.generation.load(Ordering::Relaxed);
            if known > 0 && known.checked_add(1) == Some(record.generation) {
                self.generation.store(record.generation, Ordering::Relaxed);
            }
        }
        Ok(!matches!(reply, Reply::Missing))
    }

    async fn remove(&self, session: &Candidate) -> Result<bool> {
        let victim = self.reference(session.digest);
        let only_if = self.is_unchanged(session);
        self.sessions.remove_one(&victim, Some(&only_if)).await
    }
}

/// Returns a session from the bins of its record.
fn candidate(digest: Digest, record: &Record) -> Candidate {
    let integer = |bin: &str| match record.bins.get(bin) {
        Some(Value::Int(value)) => Some(*value),
        _ => None,
    };
    Candidate {
        digest,
        created: integer(CREATED),
        login: integer(LOGIN),
        updated: None,
        renews: match record.bins.get(RENEWS) {
            Some(Value::Blob(digest)) => digest.as_slice().try_into().ok(),
            _ => None,
        },
    }
}

//! The sessions of one user, found by the index on bin `user`.
//!
//! An index only narrows the search. For a string, the server compares its length, a 64-bit hash without a secret,
//! and its first 16 bytes (`strings_match` in as/src/query/query.c). A visitor who may choose a part of a user name
//! can choose one that is found under another user's name. So every query compares the whole bin in its filter, every
//! removal compares it again, and so does the code that reads the records.

use std::ops::ControlFlow;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use aerospike::expressions::{Expression, and, eq, last_update, not, string_bin, string_val};
use aerospike::{Bins, Key, Record, Value};
use futures::future::join_all;
use tokio::time::Instant;

use super::bins::{COOKIE, CREATED, EXPIRES, LEGACY, PREFIX, USER};
use super::notice::Notice;
use super::record_ref::RecordRef;
use super::request::Output;
use super::scan_ops::Found;
use super::sessions::Sessions;
use crate::cluster::scan::{Query, lacks_index};
use crate::cluster::{Command, Reply, Step};
use crate::codec::keys::hex;
use crate::error::{Code, Result};
use crate::tasks;

/// The longest name of an index (INAME_MAX_SZ in as/include/base/datamodel.h, less one for the NUL).
const LONGEST_INDEX_NAME: usize = 63;
/// The number of records of a user that are read at once. Each may be as large as a record can be.
const READ_TOGETHER: usize = 16;
/// The size of an answer in bytes of JSON after which no further session is added. JavaScript parses an answer in one
/// step.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;
/// The name under which a read returns when the record was last written. No option allows the `@` in the name of a bin.
const UPDATED: &str = "@updated";

impl Sessions<'_> {
    pub(super) async fn create_user_index(&self) -> Result<Output> {
        let options = self.options();
        let cluster = &self.shared.cluster;
        cluster
            .create_index(
                &options.namespace,
                &options.set,
                USER,
                &self.user_index_name(),
            )
            .await?;
        Ok(Output::Done)
    }

    fn user_index_name(&self) -> String {
        let set = &self.options().set;
        let name = format!("user-{set}");
        if name.len() <= LONGEST_INDEX_NAME {
            return name;
        }
        // This name cannot come from the name of a set: those have a hyphen after `user`.
        format!("user_{}", hex(&self.layout.key(set).digest()))
    }

    /// Creates the index without waiting for it, once in the life of a store. It may fail: the queries work without it.
    pub(super) fn request_user_index(&self) {
        let (namespace, set) = (self.options().namespace.clone(), self.options().set.clone());
        let requested = &self.shared.requested_indexes;
        let mut requested = requested.lock().unwrap_or_else(PoisonError::into_inner);
        if !requested.insert((namespace.clone(), set.clone())) {
            return;
        }
        drop(requested);
        let (Some(shared), name) = (self.shared.this.upgrade(), self.user_index_name()) else {
            return;
        };
        tasks::spawn(async move {
            let _ = shared
                .cluster
                .create_index(&namespace, &set, USER, &name)
                .await;
        });
    }

    pub(super) async fn sessions_of(&self, user: &str, limit: usize) -> Result<Output> {
        let user = &*self.layout.owner(user);
        let keys = match self.keys(self.index_query(user), limit).await {
            Err(error) if lacks_index(&error) => self.keys(self.scan_query(user), limit).await,
            outcome => outcome,
        }?;
        let mut found = Found::new(self);
        for keys in keys.chunks(READ_TOGETHER) {
            if found.size() >= LARGEST_ANSWER {
                break;
            }
            let deadline = self.shared.cluster.deadline();
            let bins = self.session_bins();
            self.read_with_time(keys, &bins, deadline, |key, record, updated| {
                // The owner may have changed since the session was found.
                if matches!(record.bins.get(USER), Some(Value::String(owner)) if owner == user) {
                    found.add_with_times(key, record, updated);
                }
            })
            .await?;
        }
        Ok(found.finish())
    }

    /// Returns the names of the bins of a session.
    fn session_bins(&self) -> Vec<&str> {
        let data = self.options().bin.as_str();
        vec![data, COOKIE, EXPIRES, CREATED, USER, PREFIX, LEGACY]
    }

    /// Reads these bins of the records with these keys, and when each record was last written: by the server's clock, in
    /// nanoseconds since 1970. Records that are gone or cannot be read are left out.
    pub(super) async fn read_with_time(
        &self,
        keys: &[Key],
        bins: &[&str],
        deadline: Instant,
        mut each: impl FnMut(&Key, &Record, i64),
    ) -> Result<()> {
        let mut steps: Vec<Step> = bins.iter().map(|bin| Step::Read((*bin).into())).collect();
        steps.push(Step::ReadExpression(UPDATED, last_update()));
        let command = &Command::ReadSteps { steps };
        let reads = keys.iter().map(|key| async move {
            let target = RecordRef::untraced(key.clone(), deadline);
            self.execute(&target, command).await
        });
        for (key, outcome) in keys.iter().zip(join_all(reads).await) {
            match outcome {
                Ok(Reply::Record(mut record)) => {
                    if let Some(Value::Int(updated)) = record.bins.shift_remove(UPDATED) {
                        record.bins.retain(|_, value| *value != Value::Nil);
                        each(key, &record, updated);
                    }
                }
                Err(error) if error.code != Code::BadData => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    async fn keys(&self, query: Query<'_>, limit: usize) -> Result<Vec<Key>> {
        let mut keys = Vec::new();
        let take = |record: Record| {
            keys.extend(record.key);
            Ok(match keys.len() < limit {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        };
        self.shared.cluster.scan(query, take).await?;
        Ok(keys)
    }

    pub(super) async fn count_of(&self, user: &str) -> Result<Output> {
        let user = &*self.layout.owner(user);
        match self.count(self.index_query(user)).await {
            Err(error) if lacks_index(&error) => self.count(self.scan_query(user)).await,
            outcome => outcome,
        }
    }

    pub(super) async fn destroy_of(&self, user: &str, except: Option<&str>) -> Result<Output> {
        let except = match except {
            None => Vec::new(),
            Some(id) => {
                let deadline = self.shared.cluster.deadline();
                let target = RecordRef::untraced(self.layout.key(id), deadline);
                self.digests_of(&target).await?
            }
        };
        let user = &*self.layout.owner(user);
        // The filter is checked again for each record: a session whose owner changed meanwhile is kept.
        let mut filter = vec![self.layout.in_this_view(), owned_by(user)];
        // The excepted session may be renewed meanwhile.
        filter.extend(
            except
                .last()
                .map(|kept| not(self.layout.is_renewal_of(*kept))),
        );
        let only_if = and(filter);
        let removed = match self
            .remove(self.index_query(user), &except, Some(&only_if))
            .await
        {
            Err(error) if lacks_index(&error) => {
                self.remove(self.scan_query(user), &except, Some(&only_if))
                    .await
            }
            outcome => outcome,
        };
        removed.map(Output::Count)
    }

    pub(super) fn index_query<'a>(&'a self, user: &'a str) -> Query<'a> {
        Query {
            indexed: Some((USER, user)),
            ..self.user_query(user)
        }
    }

    /// Returns the query that reads every record of the set. It is correct without an index, but slow, so a notice
    /// reports it.
    pub(super) fn scan_query(&self, user: &str) -> Query<'_> {
        if !self.shared.reported_no_index.swap(true, Ordering::Relaxed) {
            (self.shared.notify)(Notice::NoUserIndex);
        }
        self.user_query(user)
    }

    /// Returns a query for the keys of a user's sessions.
    fn user_query(&self, user: &str) -> Query<'_> {
        self.query(Bins::None, and(vec![self.alive_filter(), owned_by(user)]))
    }
}

/// Passes the records with this value of bin `user`.
pub(super) fn owned_by(user: &str) -> Expression {
    eq(string_bin(USER), string_val(user))
}

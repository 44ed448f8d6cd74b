//! The sessions of one user: found by the index on bin `user`.
//!
//! An index only narrows the search. Of a string the server compares the length, a hash of 64 bits that is no secret, and the
//! first 16 bytes (`strings_match` in as/src/query/query.c): a visitor who may choose a part of his name can choose one that
//! is found under somebody else's. So every query compares the whole bin in its filter, every removal does so again, and
//! what was read is compared here.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use aerospike::expressions::{and, eq, string_bin, string_val, Expression};
use aerospike::{Bins, Key, Value};

use super::bins::USER;
use super::notice::Notice;
use super::request::Output;
use super::scan_ops::Found;
use super::sessions::Sessions;
use crate::cluster::scan::{lacks_index, Query};
use crate::error::Result;

/// The longest name an index may have (INAME_MAX_SZ in as/include/base/datamodel.h, less one for the NUL).
const LONGEST_INDEX_NAME: usize = 63;
/// Records of a user that are read at the same time: each may be as large as a record can be.
const READ_TOGETHER: usize = 16;
/// Bytes of JSON after which no further session goes into an answer: JavaScript parses it in one piece.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

impl Sessions<'_> {
    pub(super) async fn create_user_index(&self) -> Result<Output> {
        let options = self.options();
        let mut name = format!("user-{}", options.set);
        if name.len() > LONGEST_INDEX_NAME {
            // No set has a name that makes this one: after `user` there is no hyphen.
            let digest = self.layout.key(&options.set).digest();
            let hex = digest.iter().map(|byte| format!("{byte:02x}"));
            name = format!("user_{}", hex.collect::<String>());
        }
        let cluster = &self.shared.cluster;
        cluster
            .create_index(&options.namespace, &options.set, USER, &name)
            .await?;
        Ok(Output::Done)
    }

    pub(super) async fn sessions_of(&self, user: &str, limit: usize) -> Result<Output> {
        let user = &*self.layout.owner(user);
        let keys = match self.keys(self.indexed(user), limit).await {
            Err(error) if lacks_index(&error) => self.keys(self.scanned(user), limit).await,
            outcome => outcome,
        }?;
        let mut found = Found::new(self);
        for keys in keys.chunks(READ_TOGETHER) {
            if found.size() >= LARGEST_ANSWER {
                break;
            }
            self.read_each(keys, |key, record| {
                // The session may have changed hands since it was found.
                if matches!(record.bins.get(USER), Some(Value::String(owner)) if owner == user) {
                    found.add(Some(key), record);
                }
            })
            .await?;
        }
        Ok(found.all())
    }

    async fn keys(&self, query: Query<'_>, limit: usize) -> Result<Vec<Key>> {
        let mut keys = Vec::new();
        let take = |record: aerospike::Record| {
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
        match self.count(self.indexed(user)).await {
            Err(error) if lacks_index(&error) => self.count(self.scanned(user)).await,
            outcome => outcome,
        }
    }

    pub(super) async fn destroy_of(&self, user: &str, except: Option<&str>) -> Result<Output> {
        let except = except.map(|id| self.layout.key(id));
        let except = except.as_ref();
        let user = &*self.layout.owner(user);
        // Asked again for each record: a session that changed hands meanwhile stays.
        let only_if = and(vec![self.layout.of_this_view(), owned_by(user)]);
        let removed = match self
            .remove(self.indexed(user), except, Some(&only_if))
            .await
        {
            Err(error) if lacks_index(&error) => {
                self.remove(self.scanned(user), except, Some(&only_if))
                    .await
            }
            outcome => outcome,
        };
        removed.map(Output::Count)
    }

    fn indexed<'a>(&'a self, user: &'a str) -> Query<'a> {
        Query {
            indexed: Some((USER, user)),
            ..self.of_user(user)
        }
    }

    /// Without an index every record of the set is looked at: right, but slow, and so told.
    fn scanned(&self, user: &str) -> Query<'_> {
        if !self.shared.lacks_index.swap(true, Ordering::Relaxed) {
            (self.shared.notify)(Notice::NoUserIndex);
        }
        self.of_user(user)
    }

    /// Finds the keys of a user's sessions.
    fn of_user(&self, user: &str) -> Query<'_> {
        self.query(Bins::None, and(vec![self.alive_filter(), owned_by(user)]))
    }
}

/// Passes the records with this owner, as bin `user` has it.
fn owned_by(user: &str) -> Expression {
    eq(string_bin(USER), string_val(user))
}

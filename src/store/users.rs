//! The sessions of one user: found by the index on bin `user`.

use std::sync::atomic::Ordering;

use aerospike::expressions::{and, eq, string_bin, string_val};
use aerospike::Bins;

use super::layout::USER;
use super::{Notice, Output, Sessions};
use crate::cluster::scan::{lacks_index, Query};
use crate::error::Result;

/// The longest name an index may have (as/include/base/datamodel.h, INAME_MAX_SZ, one for the NUL).
const LONGEST_INDEX_NAME: usize = 63;

impl Sessions<'_> {
    pub(super) async fn create_user_index(&self) -> Result<Output> {
        let options = self.options();
        let mut name = format!("user-{}", options.set);
        if name.len() > LONGEST_INDEX_NAME {
            // Two sets whose names begin alike must not share an index.
            let tail: String = self.layout.key(&options.set).digest()[..4]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            name.truncate(LONGEST_INDEX_NAME - tail.len());
            name.push_str(&tail);
        }
        let cluster = &self.core.cluster;
        cluster
            .create_index(&options.namespace, &options.set, USER, &name)
            .await?;
        Ok(Output::Done)
    }

    pub(super) async fn sessions_of(&self, user: &str) -> Result<Output> {
        let user = &*self.layout.owner(user);
        match self.gather(self.indexed(Bins::All, user)).await {
            Err(error) if lacks_index(&error) => self.gather(self.scanned(Bins::All, user)).await,
            outcome => outcome,
        }
    }

    pub(super) async fn count_of(&self, user: &str) -> Result<Output> {
        let user = &*self.layout.owner(user);
        match self.count(self.indexed(Bins::None, user)).await {
            Err(error) if lacks_index(&error) => self.count(self.scanned(Bins::None, user)).await,
            outcome => outcome,
        }
    }

    pub(super) async fn destroy_of(&self, user: &str, except: Option<&str>) -> Result<Output> {
        let except = except.map(|id| self.layout.key(id));
        let user = &*self.layout.owner(user);
        let indexed = self.indexed(Bins::None, user);
        let removed = match self.remove(indexed, except.as_ref(), None).await {
            Err(error) if lacks_index(&error) => {
                let scanned = self.scanned(Bins::None, user);
                self.remove(scanned, except.as_ref(), None).await
            }
            outcome => outcome,
        };
        removed.map(Output::Count)
    }

    fn indexed<'a>(&'a self, bins: Bins, user: &'a str) -> Query<'a> {
        Query {
            indexed: Some((USER, user)),
            ..self.query(bins, self.going_on())
        }
    }

    /// Without an index every record of the set is looked at: right, but slow, and so told.
    fn scanned(&self, bins: Bins, user: &str) -> Query<'_> {
        if !self.core.lacks_index.swap(true, Ordering::Relaxed) {
            (self.core.notify)(Notice::NoUserIndex);
        }
        let of_the_user = eq(string_bin(USER), string_val(user));
        self.query(bins, and(vec![self.going_on(), of_the_user]))
    }
}

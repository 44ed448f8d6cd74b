//! Removes the records of sessions, or replaces them with tombstones.

use aerospike::expressions::Expression;
use aerospike::{Bin, Bins, Expiration, Value};

use super::aliases::Removal;
use super::bins::{ALIAS, COOKIE, CREATED, EXPIRES, LEGACY, LOGIN, PREFIX, RENEWED, RENEWS, USER};
use super::expiry::{self, now};
use super::record_ref::RecordRef;
use super::sessions::Sessions;
use crate::cluster::{Command, Reply, Step};
use crate::error::{Code, Result};

impl Sessions<'_> {
    /// Removes a session, if its record is no alias.
    pub(super) async fn remove_session(&self, target: &RecordRef) -> Result<Removal> {
        let only_if = self.filters.is_removable(self.layout, now());
        if self.options().tombstones {
            return Box::pin(self.write_tombstone(target, Some(&only_if))).await;
        }
        let command = Command::Delete {
            reading: vec![
                Step::Read(EXPIRES.into()),
                Step::Read(CREATED.into()),
                Step::Read(self.options().bin.clone()),
                Step::Read(PREFIX.into()),
            ],
            durable: self.options().durable_delete,
            only_if,
        };
        let sent = self.shared.watches.logical_time();
        let record = match self.execute(target, &command).await {
            Ok(Reply::Record(record)) => Some(record),
            Ok(Reply::Filtered) => return Ok(Removal::Refused),
            Ok(_) => None,
            // A full server refuses writes and takes this command for one. It does not refuse a bare delete.
            Err(error) if error.code == Code::Overload => {
                let record = self.read(target, self.expiry_bins()).await?;
                let only_if = self.filters.is_removable(self.layout, now());
                match self.erase(target, Some(&only_if)).await? {
                    Removal::Refused => return Ok(Removal::Refused),
                    Removal::Done(_) => record,
                }
            }
            // The record is removed. It held something that cannot be read.
            Err(error) if error.code == Code::BadData => {
                self.report_removed(target, sent);
                return Ok(Removal::Done(true));
            }
            Err(error) => return Err(error),
        };
        self.report_removed(target, sent);
        let open = |record| self.layout.open(record, &target.key, now()).is_some();
        Ok(Removal::Done(record.as_ref().is_some_and(open)))
    }

    /// Removes a record of this view, whatever it holds.
    pub(super) async fn remove_record(&self, target: &RecordRef) -> Result<()> {
        match self.options().tombstones {
            true => self.write_tombstone(target, None).await.map(drop),
            false => self.erase(target, None).await.map(drop),
        }
    }

    /// Removes the record, whatever it holds, if it belongs to this view and passes the filter.
    pub(super) async fn erase(
        &self,
        target: &RecordRef,
        only_if: Option<&Expression>,
    ) -> Result<Removal> {
        let command = Command::Delete {
            reading: vec![],
            durable: self.options().durable_delete,
            only_if: self.or_in_this_view(only_if),
        };
        let sent = self.shared.watches.logical_time();
        Ok(match self.execute(target, &command).await? {
            Reply::Filtered => Removal::Refused,
            reply => {
                self.report_removed(target, sent);
                Removal::Done(!matches!(reply, Reply::Missing))
            }
        })
    }

    /// Replaces the record with a tombstone, if it belongs to this view and passes the filter.
    ///
    /// A tombstone is an empty record that outlives the removed one. A cold restart of the Community Edition reads
    /// removed records from disk again, and then finds the newer tombstone.
    pub(super) async fn write_tombstone(
        &self,
        target: &RecordRef,
        only_if: Option<&Expression>,
    ) -> Result<Removal> {
        let sent = self.shared.watches.logical_time();
        let record = match self.read(target, self.expiry_bins()).await {
            // A record that cannot be read is removed like any other.
            Err(error) if error.code == Code::BadData => self.read(target, Bins::None).await?,
            outcome => outcome?,
        };
        let Some(record) = record else {
            self.report_removed(target, sent);
            return Ok(Removal::Done(false));
        };
        let existed = self.layout.open(&record, &target.key, now()).is_some();
        let mut bins = vec![Bin::new(self.options().bin.as_str(), Value::Int(0))];
        let emptied = [
            COOKIE, EXPIRES, CREATED, USER, LOGIN, LEGACY, ALIAS, RENEWED, RENEWS,
        ];
        bins.extend(emptied.map(|bin| Bin::new(bin, Value::Nil)));
        // An earlier version of the record may have had a longer lifetime than the last one.
        let left = record.time_to_live().map(|left| left.as_millis() as i64);
        let lifetime = left.map_or(i64::MAX, |left| left.max(self.options().ttl) + 60_000);
        let command = Command::Change {
            operations: vec![],
            size: 0,
            bins,
            ttl: match left {
                None => Expiration::Never,
                Some(_) => expiry::ttl(lifetime, 0),
            },
            only_if: self.or_in_this_view(only_if),
            generation: None,
        };
        match self.execute(target, &command).await {
            // Removing it without a tombstone is better than not removing it.
            Err(error) if error.code == Code::Overload => {
                Ok(match self.erase(target, only_if).await? {
                    Removal::Done(was_there) => Removal::Done(was_there && existed),
                    Removal::Refused => Removal::Refused,
                })
            }
            outcome => Ok(match outcome? {
                Reply::Filtered => Removal::Refused,
                reply => {
                    self.report_removed(target, sent);
                    Removal::Done(!matches!(reply, Reply::Missing) && existed)
                }
            }),
        }
    }

    fn or_in_this_view(&self, filter: Option<&Expression>) -> Expression {
        filter.map_or_else(|| self.filters.in_this_view(), Clone::clone)
    }
}

//! The operations on plain data, compatible with Aerospike's own session-store example.

use aerospike::{Bins, Key, Record};

use super::aliases::Removal;
use super::expiry::now;
use super::record_ref::RecordRef;
use super::request::Output;
use super::sessions::Sessions;
use super::update_ops::{Update, Updated};
use crate::error::Result;

impl Sessions<'_> {
    pub(super) async fn save(
        &self,
        target: &RecordRef,
        json: &str,
        expires: i64,
    ) -> Result<Output> {
        let expires = self.bounded_expires(expires, None);
        let bins = |key: &Key| {
            let data = self.layout.data_bin(key, json)?;
            let mut bins = vec![data, self.layout.expires_bin(expires)];
            bins.extend(self.layout.prefix_bin());
            Ok(bins)
        };
        self.upsert(target, &bins, expires).await?;
        Ok(Output::Done)
    }

    pub(super) async fn get(&self, target: &RecordRef) -> Result<Output> {
        let record = self.read(target, Bins::All).await?;
        match self.alias_in(record.as_ref(), &target.key)? {
            None => self.data_of(record.as_ref(), &target.key).await,
            Some(alias) => {
                let found = Box::pin(self.read_along(target, alias, Bins::All)).await?;
                match &found {
                    Some((key, record)) => Box::pin(self.data_of(Some(record), key)).await,
                    None => Ok(Output::Missing),
                }
            }
        }
    }

    /// Returns the data in a record.
    async fn data_of(&self, record: Option<&Record>, key: &Key) -> Result<Output> {
        self.wait_turn_for(record).await;
        let stored = record.and_then(|record| self.layout.open(record, key, now()));
        let data = match stored {
            Some(stored) => self.report_unreadable(self.layout.data(&stored))?,
            None => None,
        };
        Ok(data.map_or(Output::Missing, Output::Json))
    }

    pub(super) async fn has(&self, target: &RecordRef) -> Result<Output> {
        let record = self.read(target, self.expiry_bins()).await?;
        let is_there = |record: &Record, key: &Key| self.layout.open(record, key, now()).is_some();
        Ok(Output::Flag(
            match self.alias_in(record.as_ref(), &target.key)? {
                None => record.is_some_and(|record| is_there(&record, &target.key)),
                Some(alias) => Box::pin(self.read_along(target, alias, self.expiry_bins()))
                    .await?
                    .is_some_and(|(key, record)| is_there(&record, &key)),
            },
        ))
    }

    pub(super) async fn touch(&self, target: &RecordRef, expires: i64) -> Result<Output> {
        let updated = self.update(target, &Update::touch(None, expires)).await?;
        Ok(Output::Flag(matches!(updated, Updated::Written(_))))
    }

    pub(super) async fn delete(&self, target: &RecordRef) -> Result<Output> {
        let existed = match self.remove_session(target).await? {
            Removal::Done(existed) => existed,
            Removal::Refused => Box::pin(self.remove_along(target, None)).await?,
        };
        Ok(Output::Flag(existed))
    }
}

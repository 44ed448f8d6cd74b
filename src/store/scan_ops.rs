//! The operations on all sessions of a view: scans of its set.
//!
//! Other programs may have written to the set. A record that holds no session is left out, and does not affect the
//! others.

use std::ops::ControlFlow;

use aerospike::expressions::{Expression, and, not};
use aerospike::{Bins, Key, Record};
use futures::future::join_all;
use futures::stream::{self, StreamExt};

use super::aliases::Removal;
use super::bins::EXPIRES;
use super::expiry::{is_integer, now};
use super::layout::Digest;
use super::record_ref::RecordRef;
use super::request::Output;
use super::sessions::Sessions;
use crate::cluster::scan::{PARTITIONS, Query};
use crate::cluster::{Command, Reply};
use crate::codec::decode;
use crate::codec::keys::hex;
use crate::error::{Code, Result};

/// The number of keys held at once, before their records are removed.
const GATHERED: usize = 50_000;
/// The number of records removed at once. After as many failures, the rest is not tried.
const REMOVED_TOGETHER: usize = 500;
/// The number of records read at once, if each is read by itself.
const READ_TOGETHER: usize = 100;

impl Sessions<'_> {
    pub(super) async fn all(&self, partitions: Option<(usize, usize)>) -> Result<Output> {
        let query = Query {
            partitions,
            ..self.query(Bins::All, self.alive_filter())
        };
        self.gather(query).await
    }

    pub(super) async fn ids(&self, partitions: Option<(usize, usize)>) -> Result<Output> {
        let query = Query {
            partitions,
            ..self.query(Bins::None, self.alive_filter())
        };
        let mut json = String::from("[");
        self.for_each(query, |record| {
            if let Some(id) = record.key.as_ref().and_then(|key| self.layout.id(key)) {
                if json.len() > 1 {
                    json.push(',');
                }
                decode::string(&mut json, id);
            }
            Ok(())
        })
        .await?;
        json.push(']');
        Ok(Output::Json(json))
    }

    pub(super) async fn length(&self, partitions: Option<(usize, usize)>) -> Result<Output> {
        let query = Query {
            partitions,
            ..self.query(Bins::None, self.alive_filter())
        };
        self.count(query).await
    }

    /// A truncate would be a single command. But it would also remove the sessions of other views of the set, and
    /// records of other applications.
    pub(super) async fn clear(&self) -> Result<Output> {
        self.remove(
            self.query(Bins::None, self.layout.in_this_view()),
            &[],
            None,
        )
        .await?;
        Ok(Output::Done)
    }

    /// Removes sessions that have ended, or only counts them. It finds some only if the server refuses TTLs, because otherwise the server
    /// removes them.
    pub(super) async fn prune(&self, partitions: (usize, usize), dry_run: bool) -> Result<Output> {
        let ended = and(vec![
            self.layout.in_this_view(),
            is_integer(EXPIRES),
            not(self.layout.alive(now())),
            not(self.layout.is_alias(now())),
        ]);
        let query = Query {
            partitions: Some(partitions),
            ..self.query(Bins::None, ended.clone())
        };
        if dry_run {
            return self.count(query).await;
        }
        // The filter is checked again for each record: one that was touched meanwhile is kept.
        let count = self.remove(query, &[], Some(&ended)).await?;
        Ok(Output::Count(count))
    }

    /// Passes the sessions of this view that are alive.
    pub(super) fn alive_filter(&self) -> Expression {
        and(vec![self.layout.in_this_view(), self.layout.alive(now())])
    }

    pub(super) fn query(&self, bins: Bins, filter: Expression) -> Query<'_> {
        Query {
            namespace: &self.options().namespace,
            set: &self.options().set,
            bins,
            filter,
            indexed: None,
            partitions: None,
        }
    }

    /// Returns the sessions of a query as a list, with their ids if they are stored. Records that cannot be read are
    /// left out.
    pub(super) async fn gather(&self, query: Query<'_>) -> Result<Output> {
        let keys_only = Query {
            bins: Bins::None,
            ..query.clone()
        };
        let mut found = Found::new(self);
        let scan = self.for_each(query, |record| {
            found.add(record.key.as_ref(), &record);
            Ok(())
        });
        match scan.await {
            // The crate ends a scan at the first record that it cannot read.
            Err(error) if error.code == Code::BadData => self.gather_each(keys_only).await,
            outcome => outcome.map(|()| found.finish()),
        }
    }

    /// Does the same as [`Sessions::gather`], but reads each record by itself.
    async fn gather_each(&self, keys_only: Query<'_>) -> Result<Output> {
        let mut keys: Vec<Key> = Vec::new();
        self.for_each(keys_only, |record| {
            keys.extend(record.key);
            Ok(())
        })
        .await?;
        let mut found = Found::new(self);
        for keys in keys.chunks(READ_TOGETHER) {
            self.read_each(keys, |key, record| found.add(Some(key), record))
                .await?;
        }
        Ok(found.finish())
    }

    /// Reads the whole records of these keys, all at once. Records that are gone or cannot be read are left out.
    pub(super) async fn read_each(
        &self,
        keys: &[Key],
        mut each: impl FnMut(&Key, &Record),
    ) -> Result<()> {
        let deadline = self.shared.cluster.deadline();
        let reads = keys.iter().map(|key| async move {
            let key = key.clone();
            let whole = Command::Read {
                bins: Bins::All,
                touch: None,
            };
            self.execute(&RecordRef::untraced(key, deadline), &whole)
                .await
        });
        for (key, outcome) in keys.iter().zip(join_all(reads).await) {
            match outcome {
                Ok(Reply::Record(record)) => each(key, &record),
                Err(error) if error.code != Code::BadData => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    pub(super) async fn count(&self, query: Query<'_>) -> Result<Output> {
        let mut count = 0;
        self.for_each(query, |_| {
            count += 1;
            Ok(())
        })
        .await?;
        Ok(Output::Count(count))
    }

    /// Removes the sessions that a query finds, except some. Returns their number.
    ///
    /// Gathers the keys of some partitions and then removes their records. It starts with all partitions, and halves
    /// their number if they hold too many keys.
    pub(super) async fn remove(
        &self,
        query: Query<'_>,
        except: &[Digest],
        only_if: Option<&Expression>,
    ) -> Result<u64> {
        let (mut first, count) = query.partitions.unwrap_or((0, PARTITIONS));
        let end = first + count;
        let mut width = count;
        let mut removed = 0;
        while first < end {
            let part = width.min(end - first);
            let mut keys: Vec<Key> = Vec::new();
            let mut is_whole = true;
            let gathering = Query {
                partitions: Some((first, part)),
                ..query.clone()
            };
            let scan = self.shared.cluster.scan(gathering, |record| {
                let is_excepted = |key: &Key| except.contains(&key.digest());
                keys.extend(record.key.filter(|key| !is_excepted(key)));
                // A single partition cannot be divided. It never holds that many keys.
                is_whole = part == 1 || keys.len() < GATHERED;
                Ok(match is_whole {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                })
            });
            scan.await?;
            removed += self.remove_each(keys, only_if).await?;
            if is_whole {
                first += part;
            } else {
                width = part / 2;
            }
        }
        Ok(removed)
    }

    /// Removes these records, or replaces them with tombstones. Returns how many existed. A failure does not stop the
    /// rest, unless [`REMOVED_TOGETHER`] removals have failed.
    async fn remove_each(&self, keys: Vec<Key>, only_if: Option<&Expression>) -> Result<u64> {
        let removals = keys.into_iter().map(|key| async {
            let deadline = self.shared.cluster.deadline();
            self.remove_found(&RecordRef::untraced(key, deadline), only_if)
                .await
        });
        let mut removals = stream::iter(removals).buffer_unordered(REMOVED_TOGETHER);
        let (mut removed, mut failures, mut failure) = (0, 0, None);
        while let Some(outcome) = removals.next().await {
            match outcome {
                Ok(existed) => removed += u64::from(existed),
                Err(error) => {
                    failures += 1;
                    failure.get_or_insert(error);
                    if failures >= REMOVED_TOGETHER {
                        break;
                    }
                }
            }
        }
        failure.map_or(Ok(removed), Err)
    }

    /// Removes a record that a query has found. Returns whether it existed. If the session has been renewed since, removes it
    /// under its new id.
    async fn remove_found(&self, target: &RecordRef, only_if: Option<&Expression>) -> Result<bool> {
        let Some(only_if) = only_if else {
            return self.remove_one(target, None).await;
        };
        match self.remove_if(target, only_if).await? {
            Removal::Done(existed) => Ok(existed),
            Removal::Refused => Box::pin(self.remove_along(target, Some(only_if))).await,
        }
    }

    pub(super) async fn remove_one(
        &self,
        target: &RecordRef,
        only_if: Option<&Expression>,
    ) -> Result<bool> {
        let removal = match self.options().tombstones {
            true => self.write_tombstone(target, only_if).await,
            false => self.erase(target, only_if).await,
        };
        Ok(matches!(removal?, Removal::Done(true)))
    }

    async fn for_each(
        &self,
        query: Query<'_>,
        mut each: impl FnMut(Record) -> Result<()>,
    ) -> Result<()> {
        let continue_with = |record| each(record).map(|()| ControlFlow::Continue(()));
        self.shared.cluster.scan(query, continue_with).await
    }
}

/// The found sessions, collected into a list. Records that cannot be read are left out, so that one such record does
/// not hide the others.
///
/// A list consists of pieces, so that JavaScript need not parse all of it at once. Each piece is one text. Its first
/// line is a JSON array with the lengths, in UTF-16 units, of the baseline's meta and of the text of each session. With
/// [`Found::add_with_times`], the digest of the key as a string, the time of the creation (or null) and that of the last
/// write follow for each session, in milliseconds since 1970. Then all metas follow without separators, and then all
/// texts.
pub(super) struct Found<'a> {
    sessions: &'a Sessions<'a>,
    /// The full pieces.
    pieces: Vec<String>,
    /// The size of the full pieces in bytes.
    size: usize,
    lengths: String,
    metas: String,
    json: String,
}

const NANOS_PER_MS: i64 = 1_000_000;

/// The size in bytes from which on a piece is full. JavaScript parses such a piece in some milliseconds.
const PIECE: usize = 256 * 1024;

impl<'a> Found<'a> {
    pub(super) fn new(sessions: &'a Sessions<'a>) -> Found<'a> {
        Found {
            sessions,
            pieces: Vec::new(),
            size: 0,
            lengths: String::new(),
            metas: String::new(),
            json: String::new(),
        }
    }

    pub(super) fn add(&mut self, key: Option<&Key>, record: &Record) {
        // Every record of a query has a key.
        if let Some(key) = key {
            self.add_session(key, record, None);
        }
    }

    /// Adds a session with its digest and times. `updated`: when it was last written, in nanoseconds since 1970.
    pub(super) fn add_with_times(&mut self, key: &Key, record: &Record, updated: i64) {
        self.add_session(key, record, Some(updated));
    }

    fn add_session(&mut self, key: &Key, record: &Record, updated: Option<i64>) {
        let (now, layout) = (now(), self.sessions.layout);
        let Some(stored) = layout.open(record, key, now) else {
            return;
        };
        let Some(meta) = layout.list_meta(&stored) else {
            return;
        };
        let start = self.json.len();
        let session = layout.session(&mut self.json, &stored, now, layout.id(key));
        if !self.sessions.report_unreadable(session).unwrap_or(false) {
            self.json.truncate(start);
            return;
        }
        if !self.lengths.is_empty() {
            self.lengths.push(',');
        }
        let text = &self.json[start..];
        let lengths = format!("{},{}", utf16_units(&meta), utf16_units(text));
        self.lengths.push_str(&lengths);
        if let Some(updated) = updated {
            let created = stored
                .created
                .map_or("null".to_owned(), |created| created.to_string());
            let (digest, updated) = (hex(&key.digest()), updated / NANOS_PER_MS);
            self.lengths
                .push_str(&format!(",\"{digest}\",{created},{updated}"));
        }
        self.metas.push_str(&meta);
        if self.json.len() >= PIECE {
            self.finish_piece();
        }
    }

    fn finish_piece(&mut self) {
        self.size += self.json.len();
        let (lengths, metas) = (&self.lengths, &self.metas);
        self.pieces
            .push(format!("[{lengths}]\n{metas}{}", self.json));
        self.lengths.clear();
        self.metas.clear();
        self.json.clear();
    }

    /// Returns the size of the JSON so far in bytes.
    pub(super) fn size(&self) -> usize {
        self.size + self.json.len()
    }

    pub(super) fn finish(mut self) -> Output {
        if self.pieces.is_empty() || !self.lengths.is_empty() {
            self.finish_piece();
        }
        Output::Pieces(self.pieces)
    }
}

pub(super) fn utf16_units(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.encode_utf16().count(),
    }
}

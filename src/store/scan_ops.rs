//! The operations on all sessions of a view: scans of its set.
//!
//! Anybody may have written to the set: a record that holds no session is left out, and spoils none of the others.

use std::ops::ControlFlow;

use aerospike::expressions::{and, not, Expression};
use aerospike::{Bins, Key, Record};
use futures::future::join_all;
use futures::stream::{self, StreamExt};

use super::bins::EXPIRES;
use super::expiry::{is_integer, now};
use super::record_ref::RecordRef;
use super::request::Output;
use super::sessions::Sessions;
use crate::cluster::scan::{Query, PARTITIONS};
use crate::cluster::{Command, Reply};
use crate::codec::decode;
use crate::error::{Code, Result};

/// Keys held at the same time, before their records are removed.
const GATHERED: usize = 50_000;
/// Records removed at the same time. When as many could not be, the rest is not tried.
const REMOVED_TOGETHER: usize = 500;
/// Records read at the same time, where each is read for itself.
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
        self.each(query, |record| {
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

    /// A truncate would be one command, but would take the other views of the set with it, and
    /// whatever other applications keep there.
    pub(super) async fn clear(&self) -> Result<Output> {
        self.remove(
            self.query(Bins::None, self.layout.of_this_view()),
            None,
            None,
        )
        .await?;
        Ok(Output::Done)
    }

    /// Only where the server refuses TTLs is there anything to find: it removes the rest itself.
    pub(super) async fn prune(&self, partitions: (usize, usize)) -> Result<Output> {
        let ended = and(vec![
            self.layout.of_this_view(),
            is_integer(EXPIRES),
            not(self.layout.alive(now())),
        ]);
        let query = Query {
            partitions: Some(partitions),
            ..self.query(Bins::None, ended.clone())
        };
        // Asked again for each record: one that was touched meanwhile stays.
        let count = self.remove(query, None, Some(&ended)).await?;
        Ok(Output::Count(count))
    }

    /// Passes what belongs to this view and goes on.
    pub(super) fn alive_filter(&self) -> Expression {
        and(vec![self.layout.of_this_view(), self.layout.alive(now())])
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

    /// The sessions of a query, with their ids where they are stored, as a JSON array. What cannot be read is left out.
    pub(super) async fn gather(&self, query: Query<'_>) -> Result<Output> {
        let keys_alone = Query {
            bins: Bins::None,
            ..query.clone()
        };
        let mut found = Found::new(self);
        let scan = self.each(query, |record| {
            found.add(record.key.as_ref(), &record);
            Ok(())
        });
        match scan.await {
            // The crate gives up a scan at the first record that it cannot read.
            Err(error) if error.code == Code::BadData => self.gather_each(keys_alone).await,
            outcome => outcome.map(|()| found.all()),
        }
    }

    /// The same, but each record is read for itself.
    async fn gather_each(&self, keys_alone: Query<'_>) -> Result<Output> {
        let mut keys: Vec<Key> = Vec::new();
        self.each(keys_alone, |record| {
            keys.extend(record.key);
            Ok(())
        })
        .await?;
        let mut found = Found::new(self);
        for keys in keys.chunks(READ_TOGETHER) {
            self.read_each(keys, |key, record| found.add(Some(key), record))
                .await?;
        }
        Ok(found.all())
    }

    /// Reads the whole records of these keys, all at the same time. What is gone or cannot be read is left out.
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
            self.execute(&RecordRef::alone(key, deadline), &whole).await
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
        self.each(query, |_| {
            count += 1;
            Ok(())
        })
        .await?;
        Ok(Output::Count(count))
    }

    /// Removes what a query finds, except one record; how many.
    ///
    /// The keys of a part of the partitions are gathered, and then those records removed: of all of them, unless that
    /// would be too many to hold.
    pub(super) async fn remove(
        &self,
        query: Query<'_>,
        except: Option<&Key>,
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
                let is_excepted = |key: &Key| except.map(Key::digest) == Some(key.digest());
                keys.extend(record.key.filter(|key| !is_excepted(key)));
                // A single partition cannot be divided: there are never that many in one.
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

    /// Removes these, or buries them; how many were there. None is left out because another one failed.
    async fn remove_each(&self, keys: Vec<Key>, only_if: Option<&Expression>) -> Result<u64> {
        let removals = keys.into_iter().map(|key| async {
            let deadline = self.shared.cluster.deadline();
            self.remove_one(&RecordRef::alone(key, deadline), only_if)
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

    async fn remove_one(&self, at: &RecordRef, only_if: Option<&Expression>) -> Result<bool> {
        match self.options().tombstones {
            true => self.write_tombstone(at, only_if).await,
            false => self.erase(at, only_if).await,
        }
    }

    async fn each(
        &self,
        query: Query<'_>,
        mut each: impl FnMut(Record) -> Result<()>,
    ) -> Result<()> {
        let go_on = |record| each(record).map(|()| ControlFlow::Continue(()));
        self.shared.cluster.scan(query, go_on).await
    }
}

/// Sessions that were found, as they are gathered into a list. What cannot be read is left out: one record must not hide
/// all the others.
///
/// A list comes in pieces, so that nobody has to take all of it at one go. Each piece is one text: in the first line a JSON
/// array that has, for each session, how many UTF-16 units the head of its baseline and its own text have; behind it all
/// heads, one after the other, and then all texts.
pub(super) struct Found<'a> {
    sessions: &'a Sessions<'a>,
    /// Those that are full.
    pieces: Vec<String>,
    /// Bytes of them.
    size: usize,
    lengths: String,
    heads: String,
    json: String,
}

/// Bytes from which on a piece is full: JavaScript takes it apart in some milliseconds.
const PIECE: usize = 256 * 1024;

impl<'a> Found<'a> {
    pub(super) fn new(sessions: &'a Sessions<'a>) -> Found<'a> {
        Found {
            sessions,
            pieces: Vec::new(),
            size: 0,
            lengths: String::new(),
            heads: String::new(),
            json: String::new(),
        }
    }

    pub(super) fn add(&mut self, key: Option<&Key>, record: &Record) {
        let (now, layout) = (now(), self.sessions.layout);
        // Every record of a query has one.
        let Some(key) = key else { return };
        let Some(stored) = layout.open(record, key, now) else {
            return;
        };
        let Some(head) = layout.head_in_list(&stored) else {
            return;
        };
        let start = self.json.len();
        let session = layout.session(&mut self.json, &stored, now, layout.id(key));
        if !self.sessions.read_as(session).unwrap_or(false) {
            self.json.truncate(start);
            return;
        }
        if !self.lengths.is_empty() {
            self.lengths.push(',');
        }
        let text = &self.json[start..];
        let lengths = format!("{},{}", utf16_units(&head), utf16_units(text));
        self.lengths.push_str(&lengths);
        self.heads.push_str(&head);
        if self.json.len() >= PIECE {
            self.finish_piece();
        }
    }

    fn finish_piece(&mut self) {
        self.size += self.json.len();
        let (lengths, heads) = (&self.lengths, &self.heads);
        self.pieces
            .push(format!("[{lengths}]\n{heads}{}", self.json));
        self.lengths.clear();
        self.heads.clear();
        self.json.clear();
    }

    /// Bytes of JSON so far.
    pub(super) fn size(&self) -> usize {
        self.size + self.json.len()
    }

    pub(super) fn all(mut self) -> Output {
        if self.pieces.is_empty() || !self.lengths.is_empty() {
            self.finish_piece();
        }
        Output::Pieces(self.pieces)
    }
}

fn utf16_units(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.encode_utf16().count(),
    }
}

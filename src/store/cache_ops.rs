//! Runs the operations of a cache: with the options of the view, the state of the store, and answers for JavaScript.

use serde::Serialize;
use serde_json::Value;

use super::notice::Notice;
use super::record_ref::RecordRef;
use super::request::Output;
use super::scan_ops::utf16_units;
use super::sessions::Sessions;
use crate::cache::{Answer, Cache, CacheOp, Layout, ManyOp, Target};
use crate::error::{Error, Result};

/// The first line of the answer about several entries, as JSON. The texts follow, without separators.
#[derive(Serialize)]
struct PageHeader<'a> {
    /// For each key: the length of its text in UTF-16 units, or a flag. `None`: there is no entry, or its operation has failed.
    results: Vec<Option<Value>>,
    /// The first failure.
    error: Option<&'a Error>,
}

impl Sessions<'_> {
    fn cache<'b>(&'b self, report_ttl_refused: &'b (dyn Fn() + Sync)) -> Cache<'b> {
        let options = self.options();
        Cache {
            cluster: &self.shared.cluster,
            layout: Layout {
                namespace: &options.namespace,
                set: &options.set,
                prefix: &options.prefix,
                in_this_view: self.filters.packed_in_this_view(),
                keys: &options.keys,
                durable_delete: options.durable_delete,
            },
            ttl: &self.shared.ttl,
            report_ttl_refused,
        }
    }

    pub(super) async fn run_cache_op(&self, target: &RecordRef, op: &CacheOp) -> Result<Output> {
        let report = || (self.shared.notify)(Notice::TtlRefused);
        let cache = self.cache(&report);
        let entry = Target {
            key: &target.key,
            options: &target.options,
        };
        Ok(match cache.run(entry, op).await? {
            Answer::Done => Output::Done,
            Answer::Value(value) => value.map_or(Output::Missing, Output::Json),
            Answer::Flag(flag) => Output::Flag(flag),
            Answer::Count(count) => Output::Count(count),
        })
    }

    pub(super) async fn run_many_cache_op(&self, op: ManyOp) -> Result<Output> {
        let report = || (self.shared.notify)(Notice::TtlRefused);
        let cache = self.cache(&report);
        let name = op.name();
        match op {
            ManyOp::Each(all) => {
                let targets = all.into_iter().map(|(key, op)| (self.layout.key(&key), op));
                let targets: Vec<_> = targets.collect();
                let (answers, error) = split(cache.run_each(&targets).await)?;
                let error = error.map(|error| error.during(name));
                Ok(Output::Json(header_and_texts(answers, error.as_ref())))
            }
            ManyOp::Clear => {
                cache.clear().await?;
                Ok(Output::Done)
            }
            ManyOp::Entries { partitions } => {
                let found = cache.entries(partitions).await?;
                let both = found.into_iter().flat_map(|(key, value)| [key, value]);
                let texts = both.map(|text| Some(Answer::Value(Some(text)))).collect();
                Ok(Output::Json(header_and_texts(texts, None)))
            }
        }
    }
}

fn header_and_texts(answers: Vec<Option<Answer>>, error: Option<&Error>) -> String {
    let results = answers.iter().map(|answer| match answer.as_ref()? {
        Answer::Value(text) => text.as_deref().map(utf16_units).map(Value::from),
        Answer::Flag(flag) => Some(Value::from(*flag)),
        Answer::Count(count) => Some(Value::from(*count)),
        Answer::Done => Some(Value::from(true)),
    });
    let header = PageHeader {
        results: results.collect(),
        error,
    };
    let mut text = serde_json::to_string(&header).unwrap_or_default() + "\n";
    for answer in answers.into_iter().flatten() {
        if let Answer::Value(Some(value)) = answer {
            text.push_str(&value);
        }
    }
    text
}

/// Separates the answers from the first failure.
///
/// # Errors
///
/// The first failure, if all have failed.
fn split<T>(outcomes: Vec<Result<T>>) -> Result<(Vec<Option<T>>, Option<Error>)> {
    let mut failure = None;
    let results: Vec<Option<T>> = outcomes
        .into_iter()
        .map(|outcome| outcome.map_err(|error| failure.get_or_insert(error)).ok())
        .collect();
    match failure {
        Some(error) if results.iter().all(Option::is_none) => Err(error),
        failure => Ok((results, failure)),
    }
}

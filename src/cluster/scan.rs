//! Streams the records of a set that pass a filter, found by a scan or by an index.

use std::ops::ControlFlow;
use std::time::Duration;

use aerospike::expressions::Expression;
use aerospike::query::{Filter, PartitionFilter};
use aerospike::{
    Bins, Client, CollectionIndexType, IndexType, Key, Record, ResultCode, Statement, Version,
};
use futures::StreamExt;
use futures::future::join_all;
use tokio::time::{Instant, timeout};

use super::handle::Cluster;
use super::socket_affinity::ForeignSockets;
#[cfg(test)]
use super::transport::Transport;
use super::{failure, policy};
use crate::error::{Code, Error, Result};

/// Partitions of every namespace: a constant of Aerospike.
pub const PARTITIONS: usize = 4_096;

/// The part of the timeout for which a node may be silent in a scan.
const SILENT_PART: u32 = 3;
/// How many timeouts a scan waits without an answer of any node: until the cluster has noticed a failed node, no node has its partitions.
const LONGEST_SILENCE: u32 = 2;
/// How many timeouts an index that is being built may make no progress.
const LONGEST_STANDSTILL: u32 = 100;

/// How long a scan handles records that have arrived before it yields to other tasks.
const YIELD_AFTER: Duration = Duration::from_micros(500);

/// The crate's message if partitions were not answered after all retries (query/partition_tracker.rs).
const RETRIES_EXCEEDED: &str = "Max retries exceeded";

/// The records that a scan returns.
#[derive(Clone)]
pub struct Query<'a> {
    pub namespace: &'a str,
    pub set: &'a str,
    pub bins: Bins,
    pub filter: Expression,
    /// A bin and a value: only records whose bin has this value, found by the bin's index.
    pub indexed: Option<(&'a str, &'a str)>,
    /// The first partition and the number of partitions: only records in these. `None`: all partitions.
    pub partitions: Option<(usize, usize)>,
}

impl Cluster {
    /// Calls `each` with every record of the query, until it breaks.
    ///
    /// A scan has no deadline. But if a node is silent, its partitions are requested again from the nodes that have them by then. And if no
    /// node has answered for [`LONGEST_SILENCE`] timeouts, the scan fails.
    ///
    /// # Errors
    ///
    /// The first failure of a node, or of `each`.
    pub async fn scan(
        &self,
        query: Query<'_>,
        mut each: impl FnMut(Record) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        #[cfg(test)]
        if let Transport::Simulated(cluster) = self.connection.transport(self.deadline()).await? {
            let records = cluster.scan(&query).await;
            let records = records.map_err(|failure| failure::simulated(&failure))?;
            for record in records {
                if each(record)?.is_break() {
                    break;
                }
            }
            return Ok(());
        }
        let client = self.client(query.namespace, self.deadline()).await?;
        let to_error = |error: &aerospike::Error| match error.base_message() {
            text if text.contains(RETRIES_EXCEEDED) => self.incomplete(),
            _ if failure::lacks_node(error) => self.incomplete().caused_by(error.base_message()),
            _ => failure::operation(&self.options, &client, error, Some(query.namespace)),
        };
        let mut policy = policy::scan(self.options.timeout / SILENT_PART);
        policy.base_policy.filter_expression = Some(query.filter);
        let mut statement = Statement::new(query.namespace, query.set, query.bins);
        if let Some((bin, value)) = query.indexed {
            statement.set_filter(Filter::equal(bin, value));
        }
        let partitions = match query.partitions {
            Some((first, count)) => PartitionFilter::by_range(first, count),
            None => PartitionFilter::all(),
        };
        let silence = self.options.timeout * LONGEST_SILENCE;
        let bulk = &self.connection.routing().context().bulk;
        let _foreign_sockets = ForeignSockets::begin(&client);
        let request = bulk.spawn_all({
            let client = client.clone();
            // The crate reads from each node in a task of its own.
            async move { client.query(&policy, partitions, statement).await }
        });
        let records = timeout(silence, request)
            .await
            .map_err(|_| failure::silent(&self.options, &client, LONGEST_SILENCE))?
            .map_err(|_| Error::given_up())?
            .map_err(|error| to_error(&error))?;
        let mut records = records.into_stream();
        let mut began = Instant::now();
        loop {
            if began.elapsed() > YIELD_AFTER {
                // A scan may take long, so other tasks get a turn.
                tokio::task::yield_now().await;
                began = Instant::now();
            }
            let next = tokio::select! {
                next = timeout(silence, records.next()) => next,
                () = self.closed() => return Err(Error::closed()),
            };
            match next.map_err(|_| failure::silent(&self.options, &client, LONGEST_SILENCE))? {
                None => return Ok(()),
                Some(Err(error)) => return Err(to_error(&error)),
                Some(Ok(record)) => {
                    // The crate returns some refusals as a record without a namespace.
                    let is_record = |key: &Key| key.namespace() == query.namespace;
                    if !record.key.as_ref().is_some_and(is_record) {
                        return Err(self.incomplete());
                    }
                    if each(record)?.is_break() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Returns the error of a scan if no node has answered for some partitions.
    fn incomplete(&self) -> Error {
        self.connection.peers().with_reason(failure::incomplete())
    }

    /// Creates a string index on a bin, unless it exists, and waits until it is complete.
    ///
    /// # Errors
    ///
    /// Another index has this name, or the cluster cannot create the index.
    pub async fn create_index(
        &self,
        namespace: &str,
        set: &str,
        bin: &str,
        name: &str,
    ) -> Result<()> {
        let client = self.client(namespace, self.deadline()).await?;
        let to_error = |error: &aerospike::Error| {
            failure::operation(&self.options, &client, error, Some(namespace))
        };
        let policy = policy::admin(self.options.timeout);
        let created = client.create_index_on_bin(
            &policy,
            namespace,
            set,
            bin,
            name,
            IndexType::String,
            CollectionIndexType::Default,
            None,
        );
        let created = timeout(self.options.timeout, created)
            .await
            .map_err(|_| failure::timed_out(&self.options, &client))?;
        match created {
            Ok(_) => {}
            // Servers up to 7.1 report success in capitals, which the crate turns into an error.
            Err(error) if error.base_message().ends_with(": OK") => {}
            Err(error) if error.matches(&[ResultCode::IndexFound]) => {
                let wanted = [
                    ("ns", namespace),
                    ("set", set),
                    ("bin", bin),
                    ("indexname", name),
                ];
                if !self.has_index(&wanted).await? {
                    return Err(to_error(&error));
                }
            }
            Err(error) => return Err(to_error(&error)),
        }
        tokio::select! {
            built = self.wait_until_built(&client, namespace, name) => built,
            () = self.closed() => Err(Error::closed()),
        }
    }

    /// Waits until every node has built an index. That takes as long as reading the set. But a node that does not answer is waited for no
    /// longer than in a scan, and an index without progress no longer than [`LONGEST_STANDSTILL`] timeouts.
    async fn wait_until_built(&self, client: &Client, namespace: &str, name: &str) -> Result<()> {
        const PAUSE: Duration = Duration::from_millis(100);
        let silence = self.options.timeout * LONGEST_SILENCE;
        let standstill = self.options.timeout * LONGEST_STANDSTILL;
        let mut last_answer = Instant::now();
        let mut last = (None, last_answer);
        loop {
            let built = self.built_percent(client, namespace, name).await;
            if built.is_some() && built != last.0 {
                last = (built, Instant::now());
            }
            match built {
                Some(100) => return Ok(()),
                Some(_) if last.1.elapsed() >= standstill => {
                    return Err(failure::no_progress(&self.options, LONGEST_STANDSTILL));
                }
                Some(_) => last_answer = Instant::now(),
                None if last_answer.elapsed() < silence => {}
                None => return Err(failure::silent(&self.options, client, LONGEST_SILENCE)),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Returns how much of an index is built, in percent, on the node that has built the least. `None`: a node does not report it.
    async fn built_percent(&self, client: &Client, namespace: &str, name: &str) -> Option<u32> {
        let policy = &policy::admin(self.options.timeout);
        let requests = client.nodes().into_iter().map(|node| async move {
            let command = match *node.version() >= Version::new(8, 1, 0, 0) {
                true => format!("sindex-stat:namespace={namespace};indexname={name}"),
                false => format!("sindex/{namespace}/{name}"),
            };
            let commands = [command.as_str()];
            let answers = timeout(self.options.timeout, node.info(policy, &commands));
            let answers = answers.await.ok()?.ok()?;
            let mut fields = answers.get(&command)?.split(';');
            let percent = fields.find_map(|field| field.strip_prefix("load_pct="))?;
            percent.parse::<u32>().ok()
        });
        let percents: Option<Vec<u32>> = join_all(requests).await.into_iter().collect();
        Some(percents?.into_iter().fold(100, u32::min))
    }
}

impl Cluster {
    /// Returns whether a node has a string index with these properties. The name alone is not enough: the index may be on another set or
    /// another bin.
    async fn has_index(&self, properties: &[(&str, &str)]) -> Result<bool> {
        const COMMAND: &str = "sindex-list";
        let nodes = self.info(&[COMMAND.to_owned()], self.deadline()).await?;
        let lists = nodes.iter().filter_map(|node| node.answers.get(COMMAND));
        Ok(lists.flat_map(|list| list.split(';')).any(|index| {
            let field = |name: &str| {
                let mut fields = index.split(':').filter_map(|field| field.split_once('='));
                fields.find_map(|(key, value)| (key == name).then_some(value))
            };
            // Servers from 8.1 on use other names than those before.
            let is = |name: &str, words: &[&str]| {
                field(name)
                    .is_some_and(|value| words.iter().any(|word| value.eq_ignore_ascii_case(word)))
            };
            properties
                .iter()
                .all(|(name, value)| field(name) == Some(value))
                && is("type", &["string"])
                && is("indextype", &["default", "none"])
        }))
    }
}

/// Returns whether an indexed query failed because the bin has no index, or one that is not complete.
pub fn lacks_index(error: &Error) -> bool {
    let is_one_of = |codes: [i32; 2]| error.result_code.is_some_and(|code| codes.contains(&code));
    error.code == Code::Server && is_one_of([INDEX_NOT_FOUND, INDEX_NOT_READABLE])
}

/// `AS_ERR_SINDEX_NOT_FOUND`, `AS_ERR_SINDEX_NOT_READABLE` (as/include/base/proto.h).
const INDEX_NOT_FOUND: i32 = 201;
const INDEX_NOT_READABLE: i32 = 203;

//! Finds the node of a command, so that commands for the same node can be batched.
//!
//! The crate routes commands by itself, and does not report where. So the nodes are asked here for the partitions they hold, and again
//! whenever one of them reports a change. This is a hint: if it is out of date, the crate splits a batch and still sends its rows to the
//! right nodes.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aerospike::{Client, Key, Node};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::future::join_all;
use tokio::time::timeout;

use super::command::Command;
use super::node_queue::{NodeQueue, QueueContext};
use super::options::Options;
use super::socket_affinity::SocketAffinity;

/// Partitions of every namespace: a constant of Aerospike.
const PARTITIONS: usize = 4_096;
/// How long a node may take to report its partitions. All nodes are asked in parallel, and the routing changes when all have answered.
const ANSWERS_WITHIN: Duration = Duration::from_millis(1_000);
/// The partition generation of a node that did not answer. It differs from any real one, so the node is asked again the next time.
const UNANSWERED: isize = isize::MIN;

/// The queues of one node.
#[derive(Clone)]
struct NodeQueues {
    all: Arc<NodeQueue>,
    /// For sessions that are probably large, so that others do not wait for them, and for checks ([`Command::Check`]).
    large: Arc<NodeQueue>,
    /// For reads while any node is suspect.
    reads: Arc<NodeQueue>,
}

/// The queues of all nodes.
pub struct Routing {
    context: QueueContext,
    current: RwLock<Arc<Map>>,
}

#[derive(Default)]
struct Map {
    /// The queues of each node. Never empty.
    queues: Vec<NodeQueues>,
    /// The nodes that this map was built from, with their generations.
    sources: Vec<Source>,
    copies: Copies,
    /// The queue of each partition for writes.
    masters: Table,
    /// The queue of each partition for reads. Only for namespaces whose reads go to a rack.
    readers: Table,
}

/// A node, and the generations of its partitions and racks.
#[derive(Clone, PartialEq)]
struct Source {
    name: String,
    partitions: isize,
    racks: isize,
}

/// For each namespace, the queue of each partition. Unknown partitions belong to the first queue.
type Table = HashMap<String, Vec<u8>>;
/// For each namespace and each copy, the node that holds each partition. The first copy is the master's.
type Copies = HashMap<String, Vec<Vec<Option<u8>>>>;

impl Routing {
    pub fn new(context: QueueContext) -> Routing {
        Routing {
            current: RwLock::new(Arc::new(Map {
                queues: vec![NodeQueues::new(&context, None)],
                ..Map::default()
            })),
            context,
        }
    }

    pub fn context(&self) -> &QueueContext {
        &self.context
    }

    /// Returns the queue of the node that a command on this record goes to.
    pub fn queue(&self, key: &Key, command: &Command) -> Arc<NodeQueue> {
        let map = self.current();
        let is_write = command.is_write();
        let queue = if map.queues.len() == 1 {
            0
        } else {
            let readers = Some(&map.readers).filter(|_| !is_write);
            let table = readers.and_then(|readers| readers.get(key.namespace()));
            let table = table.or_else(|| map.masters.get(key.namespace()));
            table
                .and_then(|table| table.get(partition(key)))
                .map_or(0, |queue| usize::from(*queue))
        };
        let queues = map.queues.get(queue).or_else(|| map.queues.first());
        match queues {
            // Its thread is not the one that other operations wait for.
            Some(queues) if command.is_check() => queues.large.clone(),
            Some(queues) if !is_write && self.context.health.is_any_suspect() => {
                queues.reads.clone()
            }
            Some(queues) if self.context.sizes.is_large(key, command) => queues.large.clone(),
            Some(queues) => queues.all.clone(),
            None => NodeQueue::new(&self.context, None),
        }
    }

    /// Asks the nodes for their partitions, if one of them has reported a change.
    pub async fn refresh(&self, client: &Client, options: &Options, sockets: &SocketAffinity) {
        sockets.check_new_nodes(client).await;
        let nodes = client.nodes();
        let before = self.current();
        let mut sources: Vec<_> = nodes.iter().map(|node| Source::of(node)).collect();
        if sources == before.sources || nodes.is_empty() {
            return;
        }
        let mut copies = Copies::new();
        if nodes.len() > 1 {
            let within = options.connect_timeout.min(ANSWERS_WITHIN);
            let requests = nodes
                .iter()
                .map(|node| request_replicas(sockets, node, within));
            let answers = answers(requests, within).await;
            for ((queue, answer), source) in (0..=u8::MAX).zip(answers).zip(&mut sources) {
                match answer {
                    Some(answer) => add_partitions(&mut copies, &answer, queue),
                    None => source.partitions = UNANSWERED,
                }
            }
        }
        before.keep_silent_nodes(&mut copies, &sources);
        let namespaces = copies.iter();
        let masters = namespaces.map(|(namespace, copies)| (namespace.clone(), masters(copies)));
        let readers = copies.iter().filter_map(|(namespace, copies)| {
            // With strong consistency the crate always reads from the master.
            let reads_from_racks = client.is_strong_consistency(namespace) == Some(false);
            let has_rack = |queue: u8, rack| {
                let node = nodes.get(usize::from(queue));
                node.is_some_and(|node| node.has_rack(namespace, rack))
            };
            let readers = readers(copies, &options.rack_ids, has_rack);
            let readers = readers.filter(|_| reads_from_racks)?;
            Some((namespace.clone(), readers))
        });
        let (masters, readers) = (masters.collect(), readers.collect());
        let queues = sources.iter().map(|source| {
            let queues = before.queue_of(&source.name);
            queues.map_or_else(
                || NodeQueues::new(&self.context, Some(source.name.as_str().into())),
                |queue| before.queues[queue].clone(),
            )
        });
        let map = Map {
            queues: queues.collect(),
            sources,
            copies,
            masters,
            readers,
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(map);
    }

    /// Sets the nodes and the partitions that each is master of, in place of an answer.
    #[cfg(test)]
    pub fn simulate(&self, nodes: &[(String, Vec<u16>)]) {
        let mut masters = vec![0; PARTITIONS];
        for ((_, partitions), queue) in nodes.iter().zip(0u8..) {
            for partition in partitions {
                masters[usize::from(*partition)] = queue;
            }
        }
        let queues = nodes
            .iter()
            .map(|(name, _)| NodeQueues::new(&self.context, Some(name.as_str().into())));
        let map = Map {
            queues: queues.collect(),
            masters: Table::from([("test".to_owned(), masters)]),
            ..Map::default()
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(map);
    }

    fn current(&self) -> Arc<Map> {
        // Nothing that holds this lock can panic half-way through a change.
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }
}

impl Map {
    /// Returns the index of a node's queues.
    fn queue_of(&self, name: &str) -> Option<usize> {
        let queue = self.sources.iter().position(|node| node.name == name)?;
        Some(queue).filter(|queue| *queue < self.queues.len())
    }

    /// Keeps the partitions of nodes that do not answer now, unless another node reports that it holds them.
    fn keep_silent_nodes(&self, copies: &mut Copies, nodes: &[Source]) {
        // The new index of a node that was known before, if it does not answer now.
        let silent_index = |before: &Source| {
            let index = nodes.iter().position(|node| node.name == before.name)?;
            let is_silent = nodes.get(index)?.partitions == UNANSWERED;
            u8::try_from(index).ok().filter(|_| is_silent)
        };
        let indexes: Vec<Option<u8>> = self.sources.iter().map(silent_index).collect();
        if indexes.iter().all(Option::is_none) {
            return;
        }
        for (namespace, before) in &self.copies {
            let now = copies.entry(namespace.clone()).or_default();
            if now.len() < before.len() {
                now.resize(before.len(), vec![None; PARTITIONS]);
            }
            for (holder, before) in now.iter_mut().flatten().zip(before.iter().flatten()) {
                let kept = before.and_then(|queue| indexes.get(usize::from(queue)).copied()?);
                *holder = holder.or(kept);
            }
        }
    }
}

impl Source {
    fn of(node: &Node) -> Source {
        Source {
            name: node.name().to_owned(),
            partitions: node.partition_generation(),
            racks: node.rebalance_generation(),
        }
    }
}

impl NodeQueues {
    /// Returns queues that share whether their node is suspect.
    fn new(context: &QueueContext, node: Option<Arc<str>>) -> NodeQueues {
        let all = NodeQueue::new(context, node);
        NodeQueues {
            large: all.sibling(true),
            reads: all.sibling(false),
            all,
        }
    }
}

pub fn partition(key: &Key) -> usize {
    let [low, high, ..] = key.digest();
    usize::from(u16::from_le_bytes([low, high])) % PARTITIONS
}

async fn request_replicas(
    sockets: &SocketAffinity,
    node: &Arc<Node>,
    within: Duration,
) -> Option<String> {
    const COMMANDS: &[&str] = &["replicas"];
    let mut answers = sockets.info(node, COMMANDS, within).await?;
    answers.swap_remove(COMMANDS[0])
}

/// Returns the answers of all nodes. The requests run in parallel, so several silent nodes take no more time than one. `None`: no answer in
/// time.
async fn answers(
    requests: impl Iterator<Item = impl Future<Output = Option<String>>>,
    within: Duration,
) -> Vec<Option<String>> {
    let requests = requests.map(|one| async move { timeout(within, one).await.ok().flatten() });
    join_all(requests).await
}

/// Adds the partitions that one node holds, from `namespace:regime,copies,bitmap,bitmap;…` (as/src/fabric/partition.c). The bitmaps are in
/// base64. The first one contains the partitions that the node is master of.
fn add_partitions(copies: &mut Copies, answer: &str, queue: u8) {
    for (namespace, fields) in answer.split(';').filter_map(|part| part.split_once(':')) {
        let of_namespace = copies.entry(namespace.to_owned()).or_default();
        for (copy, bitmap) in fields.split(',').skip(2).enumerate() {
            let Ok(bits) = BASE64.decode(bitmap) else {
                continue;
            };
            if of_namespace.len() <= copy {
                of_namespace.resize(copy + 1, vec![None; PARTITIONS]);
            }
            for (partition, holder) in of_namespace[copy].iter_mut().enumerate() {
                if bits
                    .get(partition / 8)
                    .is_some_and(|byte| byte & (0x80 >> (partition % 8)) != 0)
                {
                    *holder = Some(queue);
                }
            }
        }
    }
}

/// Returns the master of each partition.
fn masters(copies: &[Vec<Option<u8>>]) -> Vec<u8> {
    let master = |partition: usize| *copies.first()?.get(partition)?;
    (0..PARTITIONS)
        .map(|partition| master(partition).unwrap_or(0))
        .collect()
}

/// Returns the node that the crate reads each partition from (`get_rack_node` in cluster/partition.rs): the first copy in the first of these
/// racks that has one, or the first of all copies if no rack has one. `None`: there are no racks.
fn readers(
    copies: &[Vec<Option<u8>>],
    racks: &[usize],
    has_rack: impl Fn(u8, usize) -> bool,
) -> Option<Vec<u8>> {
    if racks.is_empty() {
        return None;
    }
    let reader = |partition: usize| {
        let holders = || copies.iter().filter_map(move |copy| *copy.get(partition)?);
        let in_rack = |rack: &usize| holders().find(|holder| has_rack(*holder, *rack));
        racks.iter().find_map(in_rack).or_else(|| holders().next())
    };
    let readers = (0..PARTITIONS).map(|partition| reader(partition).unwrap_or(0));
    Some(readers.collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn answer(namespace: &str, copies: &[&[u8]]) -> String {
        let bitmaps: Vec<_> = copies.iter().map(|bits| BASE64.encode(bits)).collect();
        format!("{namespace}:0,{},{}", copies.len(), bitmaps.join(","))
    }

    const EVEN: [u8; PARTITIONS / 8] = [0b1010_1010; PARTITIONS / 8];
    const ODD: [u8; PARTITIONS / 8] = [0b0101_0101; PARTITIONS / 8];

    /// Returns the copies of two nodes, with the indexes 1 and 2. Each has all partitions, and is master of every other one.
    fn two_nodes() -> Copies {
        let mut copies = Copies::new();
        let other = "other:0,2,,";
        let first = format!("{};{other}", answer("test", &[&EVEN, &ODD]));
        add_partitions(&mut copies, &first, 1);
        add_partitions(&mut copies, &answer("test", &[&ODD, &EVEN]), 2);
        copies
    }

    #[tokio::test(start_paused = true)]
    async fn several_silent_nodes_take_no_more_time_than_one() {
        let began = tokio::time::Instant::now();
        let requests = (0..6).map(|node| async move {
            if node % 2 == 0 {
                std::future::pending::<()>().await;
            }
            Some(node.to_string())
        });
        let answers = answers(requests, ANSWERS_WITHIN).await;
        let (silent, answered) = (None, |node: &str| Some(node.to_owned()));
        assert_eq!(
            answers,
            [
                silent.clone(),
                answered("1"),
                silent.clone(),
                answered("3"),
                silent,
                answered("5")
            ]
        );
        assert_eq!(began.elapsed(), ANSWERS_WITHIN);
    }

    #[test]
    fn every_partition_belongs_to_the_node_that_reports_it() {
        let copies = two_nodes();
        let test = masters(&copies["test"]);
        assert!((0..PARTITIONS).all(|partition| usize::from(test[partition]) == 1 + partition % 2));
        let other = masters(&copies["other"]);
        assert!(other.iter().all(|queue| *queue == 0));
    }

    #[test]
    fn an_answer_that_cannot_be_parsed_changes_nothing() {
        let mut copies = Copies::new();
        add_partitions(&mut copies, "ERROR:4:no;;:;test:#;test:0,1;test:0,1,#", 1);
        assert!(
            copies
                .values()
                .all(|copies| masters(copies).iter().all(|queue| *queue == 0))
        );
    }

    #[test]
    fn a_silent_node_keeps_its_partitions_unless_another_node_reports_them() {
        let named = |name: &str, partitions| Source {
            name: name.into(),
            partitions,
            racks: 1,
        };
        let before = Map {
            sources: vec![named("A", 1), named("B", 1), named("C", 1)],
            copies: two_nodes(),
            ..Map::default()
        };
        // B is silent, and C has left. The new node D has taken over the partitions up to 7 that C was master of.
        let nodes = [named("A", 2), named("D", 1), named("B", UNANSWERED)];
        let mut copies = Copies::new();
        add_partitions(&mut copies, &answer("test", &[&[0b0101_0101], &[]]), 1);
        before.keep_silent_nodes(&mut copies, &nodes);
        let test = masters(&copies["test"]);
        assert_eq!(test[..10], [2, 1, 2, 1, 2, 1, 2, 1, 2, 0]);
    }

    #[test]
    fn reads_go_to_the_first_rack_that_has_a_copy() {
        let copies = two_nodes();
        let copies = &copies["test"];
        let masters = masters(copies);
        // Node 1 is in rack 10, node 2 in rack 20.
        let has_rack = |node: u8, rack| usize::from(node) * 10 == rack;
        let of = |racks: &[usize]| readers(copies, racks, has_rack);
        assert!(of(&[]).is_none());
        assert_eq!(of(&[10]).unwrap(), vec![1; PARTITIONS]);
        assert_eq!(of(&[20, 10]).unwrap(), vec![2; PARTITIONS]);
        assert_eq!(of(&[30, 20]).unwrap(), vec![2; PARTITIONS]);
        assert_eq!(of(&[30]).unwrap(), masters);
    }
}

//! Which node an operation will go to: what may go together in one batch.
//!
//! The crate routes operations by itself, and does not tell. So this asks the nodes for the partitions they hold, again
//! whenever one of them says that they have changed. It is a hint: where it is out of date, a batch is split by the
//! crate, and goes to the right nodes all the same.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aerospike::{Client, Key, Node};
use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;
use futures::future::join_all;
use tokio::time::timeout;

use super::command::Command;
use super::node_queue::{NodeQueue, QueueContext};
use super::options::Options;
use super::socket_affinity::SocketAffinity;

/// Partitions of every namespace: a constant of Aerospike.
const PARTITIONS: usize = 4_096;
/// How long a node may take to say what it holds. All are asked at once, and the news of the others waits for it.
const ANSWERS_WITHIN: Duration = Duration::from_millis(1_000);
/// The generation of a node that did not answer: it is asked again the next time.
const UNANSWERED: isize = isize::MIN;

/// The queues to one node.
#[derive(Clone)]
struct NodeQueues {
    all: Arc<NodeQueue>,
    /// For large sessions, which others need not wait for, and for those that may be large.
    large: Arc<NodeQueue>,
    /// For reads, as long as a node is in trouble.
    reads: Arc<NodeQueue>,
}

/// The queues to the nodes.
pub struct Routing {
    context: QueueContext,
    current: RwLock<Arc<Map>>,
}

#[derive(Default)]
struct Map {
    /// One for each node, and never none.
    queues: Vec<NodeQueues>,
    /// The nodes this was made from, and what they hold.
    made_from: Vec<Source>,
    copies: Copies,
    /// By namespace: the queue of each partition, for what writes.
    masters: Table,
    /// The same for reads, where those go to a rack.
    readers: Table,
}

/// A node, and the generations of its partitions and racks.
#[derive(Clone, PartialEq)]
struct Source {
    name: String,
    partitions: isize,
    racks: isize,
}

/// By namespace: a queue for each partition. What is not known is the first one's.
type Table = HashMap<String, Vec<u8>>;
/// By namespace, by copy: the node that holds each partition.
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

    /// The queue to the node that a command on this record goes to.
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
            Some(queues) if !is_write && self.context.health.is_any_suspect() => {
                queues.reads.clone()
            }
            Some(queues) if self.context.sizes.is_large(key, command) => queues.large.clone(),
            Some(queues) => queues.all.clone(),
            None => NodeQueue::new(&self.context, None),
        }
    }

    /// Asks the nodes again, if one of them says that something has changed.
    pub async fn refresh(&self, client: &Client, options: &Options, sockets: &SocketAffinity) {
        sockets.take_over(client).await;
        let nodes = client.nodes();
        let before = self.current();
        let mut made_from: Vec<_> = nodes.iter().map(|node| Source::of(node)).collect();
        if made_from == before.made_from || nodes.is_empty() {
            return;
        }
        let mut copies = Copies::new();
        if nodes.len() > 1 {
            let within = options.connect_timeout.min(ANSWERS_WITHIN);
            let asking = nodes.iter().map(|node| ask(sockets, node, within));
            let answers = answers(asking, within).await;
            for ((queue, answer), source) in (0..=u8::MAX).zip(answers).zip(&mut made_from) {
                match answer {
                    Some(answer) => enter(&mut copies, &answer, queue),
                    None => source.partitions = UNANSWERED,
                }
            }
        }
        before.keep(&mut copies, &made_from);
        let namespaces = copies.iter();
        let masters = namespaces.map(|(namespace, copies)| (namespace.clone(), masters(copies)));
        let readers = copies.iter().filter_map(|(namespace, copies)| {
            // With strong consistency the crate reads from the master, whatever the rack.
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
        let queues = made_from.iter().map(|source| {
            let queues = before.lane_of(&source.name);
            queues.map_or_else(
                || NodeQueues::new(&self.context, Some(source.name.as_str().into())),
                |queue| before.queues[queue].clone(),
            )
        });
        let map = Map {
            queues: queues.collect(),
            made_from,
            copies,
            masters,
            readers,
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(map);
    }

    /// Takes these for the nodes, and for what each is master of in every namespace.
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
    /// The place of a node's queues.
    fn lane_of(&self, name: &str) -> Option<usize> {
        let queue = self.made_from.iter().position(|node| node.name == name)?;
        Some(queue).filter(|queue| *queue < self.queues.len())
    }

    /// What a node held that does not answer now it is taken to hold still, unless another says that it does.
    fn keep(&self, copies: &mut Copies, nodes: &[Source]) {
        let place = |before: &Source| {
            let place = nodes.iter().position(|node| node.name == before.name)?;
            let is_silent = nodes.get(place)?.partitions == UNANSWERED;
            u8::try_from(place).ok().filter(|_| is_silent)
        };
        let places: Vec<Option<u8>> = self.made_from.iter().map(place).collect();
        if places.iter().all(Option::is_none) {
            return;
        }
        for (namespace, before) in &self.copies {
            let now = copies.entry(namespace.clone()).or_default();
            if now.len() < before.len() {
                now.resize(before.len(), vec![None; PARTITIONS]);
            }
            for (holder, before) in now.iter_mut().flatten().zip(before.iter().flatten()) {
                let kept = before.and_then(|queue| places.get(usize::from(queue)).copied()?);
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
    /// All lead to the same node: what one learns about it holds for the others.
    fn new(context: &QueueContext, node: Option<Arc<str>>) -> NodeQueues {
        let all = NodeQueue::new(context, node);
        NodeQueues {
            large: all.beside(true),
            reads: all.beside(false),
            all,
        }
    }
}

pub fn partition(key: &Key) -> usize {
    let [low, high, ..] = key.digest();
    usize::from(u16::from_le_bytes([low, high])) % PARTITIONS
}

async fn ask(sockets: &SocketAffinity, node: &Arc<Node>, within: Duration) -> Option<String> {
    const COMMANDS: &[&str] = &["replicas"];
    let mut answers = sockets.info(node, COMMANDS, within).await?;
    answers.swap_remove(COMMANDS[0])
}

/// The answers of all nodes, which are asked at once: several silent ones cost no more than one. `None`: no answer in time.
async fn answers(
    asking: impl Iterator<Item = impl Future<Output = Option<String>>>,
    within: Duration,
) -> Vec<Option<String>> {
    let asking = asking.map(|one| async move { timeout(within, one).await.ok().flatten() });
    join_all(asking).await
}

/// Notes the partitions that one node holds, from `namespace:regime,copies,bitmap,bitmap;…` (as/src/fabric/partition.c), in
/// base64: the first bitmap tells what it is master of.
fn enter(copies: &mut Copies, answer: &str, queue: u8) {
    for (namespace, told) in answer.split(';').filter_map(|part| part.split_once(':')) {
        let of_namespace = copies.entry(namespace.to_owned()).or_default();
        for (copy, bitmap) in told.split(',').skip(2).enumerate() {
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

/// The master of each partition.
fn masters(copies: &[Vec<Option<u8>>]) -> Vec<u8> {
    let master = |partition: usize| *copies.first()?.get(partition)?;
    (0..PARTITIONS)
        .map(|partition| master(partition).unwrap_or(0))
        .collect()
}

/// The node that the crate reads each partition from (`get_rack_node` in cluster/partition.rs): in the first of these racks
/// that has a copy, and of those in one rack the first copy; the first of all, if none has. `None`: there are no racks.
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

    fn told(namespace: &str, copies: &[&[u8]]) -> String {
        let bitmaps: Vec<_> = copies.iter().map(|bits| BASE64.encode(bits)).collect();
        format!("{namespace}:0,{},{}", copies.len(), bitmaps.join(","))
    }

    const EVEN: [u8; PARTITIONS / 8] = [0b1010_1010; PARTITIONS / 8];
    const ODD: [u8; PARTITIONS / 8] = [0b0101_0101; PARTITIONS / 8];

    /// Two nodes, at 1 and 2: each has all partitions, and is master of every other one.
    fn two_nodes() -> Copies {
        let mut copies = Copies::new();
        let other = "other:0,2,,";
        let answer = format!("{};{other}", told("test", &[&EVEN, &ODD]));
        enter(&mut copies, &answer, 1);
        enter(&mut copies, &told("test", &[&ODD, &EVEN]), 2);
        copies
    }

    #[tokio::test(start_paused = true)]
    async fn several_silent_nodes_cost_the_time_of_one() {
        let began = tokio::time::Instant::now();
        let asking = (0..6).map(|node| async move {
            if node % 2 == 0 {
                std::future::pending::<()>().await;
            }
            Some(node.to_string())
        });
        let answers = answers(asking, ANSWERS_WITHIN).await;
        let (silent, said) = (None, |node: &str| Some(node.to_owned()));
        assert_eq!(
            answers,
            [
                silent.clone(),
                said("1"),
                silent.clone(),
                said("3"),
                silent,
                said("5")
            ]
        );
        assert_eq!(began.elapsed(), ANSWERS_WITHIN);
    }

    #[test]
    fn every_partition_is_entered_under_the_node_that_says_it_has_it() {
        let copies = two_nodes();
        let test = masters(&copies["test"]);
        assert!((0..PARTITIONS).all(|partition| usize::from(test[partition]) == 1 + partition % 2));
        let other = masters(&copies["other"]);
        assert!(other.iter().all(|queue| *queue == 0));
    }

    #[test]
    fn an_answer_that_makes_no_sense_changes_nothing() {
        let mut copies = Copies::new();
        enter(&mut copies, "ERROR:4:no;;:;test:#;test:0,1;test:0,1,#", 1);
        assert!(copies
            .values()
            .all(|copies| masters(copies).iter().all(|queue| *queue == 0)));
    }

    #[test]
    fn what_a_silent_node_held_stays_with_it_unless_another_has_it_now() {
        let named = |name: &str, partitions| Source {
            name: name.into(),
            partitions,
            racks: 1,
        };
        let before = Map {
            made_from: vec![named("A", 1), named("B", 1), named("C", 1)],
            copies: two_nodes(),
            ..Map::default()
        };
        // B is silent, and C has gone. A new node has taken over what C was master of, up to partition 7.
        let nodes = [named("A", 2), named("D", 1), named("B", UNANSWERED)];
        let mut copies = Copies::new();
        enter(&mut copies, &told("test", &[&[0b0101_0101], &[]]), 1);
        before.keep(&mut copies, &nodes);
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

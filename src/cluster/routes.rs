//! Which node an operation will go to: what may go together in one batch.
//!
//! The crate routes operations by itself, and does not tell. So this asks the nodes for the partitions they are
//! masters of, again whenever one of them says that they have changed. It is a hint: where it is out of date, a
//! batch is split by the crate, and goes to the right nodes all the same.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aerospike::{Client, Key, Node};
use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;
use tokio::time::timeout;

use super::lane::{Common, Lane};
use super::policy;

/// Partitions of every namespace: a constant of Aerospike.
const PARTITIONS: usize = 4_096;

/// The lanes to one node.
#[derive(Clone)]
struct Lanes {
    all: Arc<Lane>,
    /// For reads, as long as a node is in trouble.
    reads: Arc<Lane>,
}

/// The lanes to the nodes.
pub struct Routes {
    common: Common,
    current: RwLock<Arc<Map>>,
}

struct Map {
    /// One for each node, and never none.
    lanes: Vec<Lanes>,
    /// The nodes and their partition generations this was made from.
    made_from: Vec<(String, isize)>,
    /// By namespace: the lane of each partition.
    masters: HashMap<String, Vec<u8>>,
}

impl Routes {
    pub fn new(common: Common) -> Routes {
        Routes {
            current: RwLock::new(Arc::new(Map {
                lanes: vec![Lanes::new(&common, None)],
                made_from: Vec::new(),
                masters: HashMap::new(),
            })),
            common,
        }
    }

    pub fn common(&self) -> &Common {
        &self.common
    }

    /// The lane to the node that holds this record, for a command that writes, or reads.
    pub fn lane(&self, key: &Key, is_write: bool) -> Arc<Lane> {
        let map = self.current();
        let lane = if map.lanes.len() == 1 {
            0
        } else {
            let [low, high, ..] = key.digest();
            let partition = usize::from(u16::from_le_bytes([low, high])) % PARTITIONS;
            let masters = map.masters.get(key.namespace());
            masters
                .and_then(|masters| masters.get(partition))
                .map_or(0, |lane| usize::from(*lane))
        };
        let lanes = map.lanes.get(lane).or_else(|| map.lanes.first());
        match lanes {
            Some(lanes) if !is_write && self.common.trouble.is_there() => lanes.reads.clone(),
            Some(lanes) => lanes.all.clone(),
            None => Lane::new(&self.common, None),
        }
    }

    /// Asks the nodes again, if one of them says that something has changed.
    pub async fn refresh(&self, client: &Client, patience: Duration) {
        let nodes = client.nodes();
        let before = self.current();
        let made_from: Vec<_> = nodes
            .iter()
            .map(|node| (node.name().to_owned(), node.partition_generation()))
            .collect();
        if made_from == before.made_from || nodes.is_empty() {
            return;
        }
        let mut masters: HashMap<String, Vec<u8>> = HashMap::new();
        if nodes.len() > 1 {
            for (lane, node) in (0..=u8::MAX).zip(&nodes) {
                // A node that does not answer is asked again the next time.
                let Some(answer) = ask(node, patience).await else {
                    return;
                };
                enter(&mut masters, &answer, lane);
            }
        }
        let lanes = made_from.iter().map(|(name, _)| {
            let known = before.made_from.iter().position(|(known, _)| known == name);
            let lane = known.and_then(|known| before.lanes.get(known));
            lane.cloned()
                .unwrap_or_else(|| Lanes::new(&self.common, Some(name.as_str().into())))
        });
        let map = Map {
            lanes: lanes.collect(),
            made_from,
            masters,
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(map);
    }

    fn current(&self) -> Arc<Map> {
        // Nothing that holds this lock can panic half-way through a change.
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }
}

impl Lanes {
    fn new(common: &Common, node: Option<Arc<str>>) -> Lanes {
        Lanes {
            all: Lane::new(common, node.clone()),
            reads: Lane::new(common, node),
        }
    }
}

async fn ask(node: &Node, patience: Duration) -> Option<String> {
    const COMMAND: &str = "replicas";
    let policy = policy::admin(patience);
    let answers = timeout(patience, node.info(&policy, &[COMMAND])).await;
    answers.ok()?.ok()?.get(COMMAND).cloned()
}

/// Notes the partitions that one node is master of, from `namespace:regime,copies,bitmap,bitmap;…` (as/src/fabric/partition.c):
/// the first bitmap tells of masters, in base64.
fn enter(masters: &mut HashMap<String, Vec<u8>>, answer: &str, lane: u8) {
    for (namespace, told) in answer.split(';').filter_map(|part| part.split_once(':')) {
        let Some(bitmap) = told.split(',').nth(2) else {
            continue;
        };
        let Ok(bits) = BASE64.decode(bitmap) else {
            continue;
        };
        let lanes = masters
            .entry(namespace.to_owned())
            .or_insert_with(|| vec![0; PARTITIONS]);
        for (partition, slot) in lanes.iter_mut().enumerate() {
            if bits
                .get(partition / 8)
                .is_some_and(|byte| byte & (0x80 >> (partition % 8)) != 0)
            {
                *slot = lane;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(namespace: &str, copies: &[&[u8]]) -> String {
        let bitmaps: Vec<_> = copies.iter().map(|bits| BASE64.encode(bits)).collect();
        format!("{namespace}:0,{},{}", copies.len(), bitmaps.join(","))
    }

    #[test]
    fn every_partition_is_entered_under_the_node_that_says_it_has_it() {
        let mut even = [0; PARTITIONS / 8];
        even.fill(0b1010_1010);
        let mut odd = [0; PARTITIONS / 8];
        odd.fill(0b0101_0101);
        let mut masters = HashMap::new();
        enter(
            &mut masters,
            &format!("{};other:0,2,,", told("test", &[&even, &odd])),
            1,
        );
        enter(&mut masters, &told("test", &[&odd, &even]), 2);
        let test = &masters["test"];
        assert!((0..PARTITIONS).all(|partition| usize::from(test[partition]) == 1 + partition % 2));
        assert!(masters["other"].iter().all(|lane| *lane == 0));
    }

    #[test]
    fn an_answer_that_makes_no_sense_changes_nothing() {
        let mut masters = HashMap::new();
        enter(&mut masters, "ERROR:4:no;;:;test:#;test:0,1;test:0,1,#", 1);
        assert!(masters
            .values()
            .all(|lanes| lanes.iter().all(|lane| *lane == 0)));
    }
}

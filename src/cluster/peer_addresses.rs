//! Finds nodes of the cluster that cannot be reached at the addresses they announce.
//!
//! Every node reports the addresses of the others. In Docker, in Kubernetes or behind NAT these are often addresses that only the nodes
//! themselves can use. The crate then silently leaves out such a node, and every session on it fails. So if the crate has fewer nodes than
//! the cluster, the missing ones are probed here, at the addresses they announce.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aerospike::{AuthMode, Client, Node};
use futures::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::options::{Host, Options};
use super::policy;
use super::seed_probe::{Limit, probe};
use super::socket_affinity::SocketAffinity;
use crate::error::{Code, Error};

/// How long a node may take to report its peers, and to answer at an address that it announces.
const ANSWERS_WITHIN: Duration = Duration::from_millis(1_000);
/// The time between two probes while nodes are missing.
const PAUSE: Duration = Duration::from_millis(2_000);
/// How often to check whether a node is missing. This check sends nothing.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// How long the crate may take to connect before the reason is searched for.
const SLOW_CONNECT: Duration = Duration::from_millis(500);
/// The most nodes that a message names. It counts the others.
const MAX_NAMED: usize = 3;

/// A node, and the reason why it cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unreachable {
    node: String,
    addresses: Vec<String>,
    /// The error at the first address. `None`: it announces no address of the kind that is used.
    words: Option<String>,
    /// Whether the address is probably wrong, not the node.
    is_wrong_address: bool,
}

/// What a node reports about another one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Peer {
    tls_name: Option<String>,
    hosts: Vec<(String, u16)>,
}

/// Nodes that cannot be reached, and their addresses.
pub type UnreachableAddresses = BTreeSet<(String, Vec<String>)>;

/// By the name of the node.
type Announced = BTreeMap<String, Peer>;

/// Tracks the nodes that cannot be reached.
pub struct PeerAddresses {
    options: Arc<Options>,
    sockets: Arc<SocketAffinity>,
    found: watch::Sender<Arc<[Unreachable]>>,
    /// Nodes that were reached, with their addresses. If one of them is missing later, its address is not wrong: it has failed, or is about
    /// to leave.
    reached: Mutex<HashSet<(String, Vec<String>)>>,
    /// Whether an operation has found no node for its partition since the last check.
    is_node_missing: AtomicBool,
}

impl PeerAddresses {
    pub fn new(options: Arc<Options>, sockets: Arc<SocketAffinity>) -> PeerAddresses {
        PeerAddresses {
            options,
            sockets,
            found: watch::Sender::new(Arc::new([])),
            reached: Mutex::default(),
            is_node_missing: AtomicBool::new(false),
        }
    }

    /// Notes that an operation found no node for its partition. Returns its error, with the reason if it is known.
    pub fn with_reason(&self, mut error: Error) -> Error {
        self.is_node_missing.store(true, Ordering::Relaxed);
        if let Some(message) = self.message() {
            error.message = message;
        }
        error
    }

    /// Returns a message with the nodes that cannot be reached and how to fix it, if there are any.
    pub fn message(&self) -> Option<String> {
        message(&self.found.borrow(), self.options.services_alternate)
    }

    /// Waits until the unreachable nodes or their addresses differ from `seen`, and updates it.
    pub async fn changed(&self, seen: &mut UnreachableAddresses) {
        let mut found = self.found.subscribe();
        let is_changed = |found: &Arc<[Unreachable]>| addresses(found) != *seen;
        let changed = found.wait_for(is_changed).await;
        // An error means that nothing changes any more.
        if let Ok(found) = changed.map(|found| addresses(&found)) {
            *seen = found;
        }
    }

    /// Returns the error of an operation that failed because nodes cannot be reached, if there are any.
    pub fn error(&self) -> Option<Error> {
        self.message()
            .map(|message| Error::new(Code::Unavailable, message))
    }

    /// Checks regularly for missing nodes. Never ends.
    pub async fn watch(&self, client: &Client) {
        let mut is_first = true;
        loop {
            let is_missing = self.is_node_missing.swap(false, Ordering::Relaxed);
            let is_known = !self.found.borrow().is_empty();
            if is_first || is_missing || is_known || lacks_nodes(client) {
                is_first = false;
                self.probe_missing(client).await;
                sleep(PAUSE).await;
            } else {
                sleep(CHECK_INTERVAL).await;
            }
        }
    }

    /// Finds out why an attempt to connect takes long: the crate waits for every node that is announced. Never ends, so that it can run
    /// beside the attempt.
    pub async fn explain_slow_connect(&self, auth: &AuthMode, seeds: &[aerospike::Host]) {
        sleep(SLOW_CONNECT).await;
        let mut policy = policy::client(&self.options, auth.clone());
        // Connects only to the seeds.
        policy.seed_only_cluster = true;
        let seeds = seeds.to_vec();
        if let Ok(client) = Client::new(&policy, &seeds).await {
            self.probe_missing(&client).await;
            // `close` waits for nodes that may not answer. It ends later, by itself.
            tokio::spawn(async move { client.close().await });
        }
        std::future::pending().await
    }

    /// Probes the nodes that are announced but not known to the client.
    async fn probe_missing(&self, client: &Client) {
        let nodes = client.nodes();
        let Some(announced) = announced(&nodes, &self.options, &self.sockets).await else {
            return;
        };
        let known: BTreeSet<&str> = nodes.iter().map(|node| node.name()).collect();
        let missing = {
            // Nothing that holds this lock can panic half-way through a change.
            let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
            let mut missing = Vec::new();
            for (name, peer) in announced {
                let node = (name, peer.addresses());
                if known.contains(node.0.as_str()) {
                    reached.insert(node);
                } else if !reached.contains(&node) {
                    missing.push((node.0, peer));
                }
            }
            missing
        };
        let probes = missing
            .iter()
            .map(|(name, peer)| unreachable(&self.options, name, peer));
        let found: Arc<[_]> = join_all(probes).await.into_iter().flatten().collect();
        self.found.send_if_modified(|before| {
            let is_new = *before != found;
            *before = found;
            is_new
        });
    }
}

impl Peer {
    fn addresses(&self) -> Vec<String> {
        let hosts = self.hosts.iter();
        hosts.map(|(name, port)| address(name, *port)).collect()
    }
}

fn address(name: &str, port: u16) -> String {
    let host = Host {
        name: name.to_owned(),
        port,
        tls_name: None,
    };
    host.to_string()
}

/// Returns whether a node has reported that the cluster has more nodes than the client. This sends nothing.
fn lacks_nodes(client: &Client) -> bool {
    let nodes = client.nodes();
    nodes.iter().any(|node| node.peers_count() >= nodes.len())
}

/// Probes a node at all its addresses. Returns `None` if it can be reached at one of them, because then the crate will find it too.
async fn unreachable(options: &Options, name: &str, peer: &Peer) -> Option<Unreachable> {
    let within = ANSWERS_WITHIN.min(options.connect_timeout);
    let probes = peer.hosts.iter().map(|(host, port)| async move {
        let host = Host {
            name: host.clone(),
            port: *port,
            tls_name: peer.tls_name.clone(),
        };
        let limit = Limit {
            until: Instant::now() + within,
            words: format!("within {} ms", within.as_millis()),
        };
        match probe(options, &host, &limit).await {
            Ok(Some(other)) if other != name => {
                Some((format!("leads to another node ({other})"), true))
            }
            Ok(_) => None,
            Err(refusal) => Some((refusal.to_string(), !refusal.is_accepted)),
        }
    });
    let errors = join_all(probes).await;
    if errors.iter().any(Option::is_none) {
        return None;
    }
    let first = errors.into_iter().flatten().next();
    Some(Unreachable {
        node: name.to_owned(),
        addresses: peer.addresses(),
        is_wrong_address: first
            .as_ref()
            .is_none_or(|(_, is_wrong_address)| *is_wrong_address),
        words: first.map(|(words, _)| words),
    })
}

/// Returns all nodes that the nodes announce, with their addresses of the kind that is used. `None`: no node answers.
async fn announced(
    nodes: &[Arc<Node>],
    options: &Options,
    sockets: &SocketAffinity,
) -> Option<Announced> {
    // A list contains only nodes that have an address of its kind. So both lists are requested, to learn of all nodes.
    let commands: &'static [&'static str] = match options.tls {
        Some(_) => &["peers-tls-std", "peers-tls-alt"],
        None => &["peers-clear-std", "peers-clear-alt"],
    };
    let used = commands[usize::from(options.services_alternate)];
    let requests = nodes
        .iter()
        .map(|node| sockets.info(node, commands, ANSWERS_WITHIN));
    let answers = join_all(requests).await;
    let mut announced = Announced::new();
    let mut is_answered = false;
    for answer in answers.into_iter().flatten() {
        is_answered = true;
        for command in commands {
            let peers = answer.get(*command).map(|answer| parse_peers(answer));
            for (name, peer) in peers.unwrap_or_default() {
                let entry = announced.entry(name).or_default();
                if *command == used {
                    let hosts = peer.hosts.into_iter();
                    let new: Vec<_> = hosts.filter(|host| !entry.hosts.contains(host)).collect();
                    entry.hosts.extend(new);
                    entry.tls_name = entry.tls_name.take().or(peer.tls_name);
                }
            }
        }
    }
    is_answered.then_some(announced)
}

/// Parses `GENERATION,DEFAULT PORT,[[NODE,TLS NAME,[ADDRESS,…]],…]` (build_peers() in as/src/fabric/service_list.c). Leaves out entries
/// that cannot be parse_peers.
fn parse_peers(answer: &str) -> Announced {
    let mut parts = answer.splitn(3, ',');
    let default_port = parts.nth(1).and_then(|port| port.parse().ok());
    let (Some(default_port), Some(list)) = (default_port, parts.next()) else {
        return Announced::new();
    };
    let mut peers = Announced::new();
    // Each node ends with "]]". If its last address is IPv6 in brackets, the split takes the bracket of that address.
    for entry in list.split("]]") {
        let entry = entry.trim_start_matches([',', '[', ']']);
        let mut fields = entry.splitn(3, ',');
        let (Some(name), Some(tls_name), Some(addresses)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let addresses = addresses.strip_prefix('[').unwrap_or(addresses);
        let hosts = addresses.split(',').filter(|address| !address.is_empty());
        let hosts = hosts.map(|address| host_and_port(address, default_port));
        let peer = Peer {
            tls_name: Some(tls_name.to_owned()).filter(|name| !name.is_empty()),
            hosts: hosts.collect(),
        };
        peers.insert(name.to_owned(), peer);
    }
    peers
}

/// Parses `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`. The last bracket may be missing, because the list is split there.
fn host_and_port(address: &str, default_port: u16) -> (String, u16) {
    if let Some(rest) = address.strip_prefix('[') {
        let (name, port) = rest.split_once(']').unwrap_or((rest, ""));
        let port = port.strip_prefix(':').and_then(|port| port.parse().ok());
        return (name.to_owned(), port.unwrap_or(default_port));
    }
    match address.rsplit_once(':') {
        Some((name, port)) => (name.to_owned(), port.parse().unwrap_or(default_port)),
        None => (address.to_owned(), default_port),
    }
}

fn addresses(found: &[Unreachable]) -> UnreachableAddresses {
    found
        .iter()
        .map(|one| (one.node.clone(), one.addresses.clone()))
        .collect()
}

fn message(found: &[Unreachable], is_alternate: bool) -> Option<String> {
    if found.is_empty() {
        return None;
    }
    let each = found.iter().take(MAX_NAMED).map(|one| {
        let (node, addresses) = (&one.node, one.addresses.join(" and "));
        match &one.words {
            Some(words) => format!("node {node} announces {addresses}, which {words}"),
            None => format!("node {node} announces no alternate address"),
        }
    });
    let mut words = each.collect::<Vec<_>>().join("; ");
    if let Some(more @ 1..) = found.len().checked_sub(MAX_NAMED) {
        words = format!("{words}; and {more} more");
    }
    let advice = match is_alternate {
        _ if !found.iter().any(|one| one.is_wrong_address) => "see why they do not answer",
        false => {
            "make the addresses that the nodes announce reachable from here ('access-address' in aerospike.conf), or set option 'servicesAlternate' if the nodes have an 'alternate-access-address'"
        }
        true => {
            "option 'servicesAlternate' is on: set an 'alternate-access-address' in aerospike.conf that can be reached from here, or leave the option out"
        }
    };
    Some(format!(
        "a part of the cluster cannot be reached, and operations on its sessions fail: {words}. To fix it, {advice}"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn peer(tls_name: Option<&str>, hosts: &[(&str, u16)]) -> Peer {
        let hosts = hosts.iter().map(|(name, port)| ((*name).to_owned(), *port));
        Peer {
            tls_name: tls_name.map(str::to_owned),
            hosts: hosts.collect(),
        }
    }

    #[test]
    fn every_form_of_an_address_is_parsed() {
        let answer = "7,3000,[[BB9,,[10.0.0.1]],[BB8,db,[10.0.0.2:4333,node.example]],[BB7,,[[fd00::1]]],[BB6,,[[fd00::2]:3100,10.0.0.3]]]";
        let expected = [
            ("BB6", peer(None, &[("fd00::2", 3100), ("10.0.0.3", 3000)])),
            ("BB7", peer(None, &[("fd00::1", 3000)])),
            (
                "BB8",
                peer(Some("db"), &[("10.0.0.2", 4333), ("node.example", 3000)]),
            ),
            ("BB9", peer(None, &[("10.0.0.1", 3000)])),
        ];
        let expected = expected.map(|(name, peer)| (name.to_owned(), peer));
        assert_eq!(parse_peers(answer), Announced::from(expected));
    }

    #[test]
    fn an_answer_that_cannot_be_parsed_announces_no_nodes() {
        for answer in [
            "",
            "7,3000,[]",
            "ERROR:4:no",
            "1,2",
            "x,y,[[BB9,,[a]]]",
            "1,3000,[[[[]]]],,]",
        ] {
            assert_eq!(parse_peers(answer), Announced::new(), "{answer}");
        }
    }

    #[test]
    fn a_message_names_three_nodes_and_counts_the_others() {
        let found = |count| {
            let one = |number| Unreachable {
                node: format!("BB{number}"),
                addresses: vec![format!("10.0.0.{number}:3000")],
                words: Some("could not be connected to".into()),
                is_wrong_address: true,
            };
            (0..count).map(one).collect::<Vec<_>>()
        };
        assert_eq!(message(&found(0), false), None);
        let three = message(&found(3), false).unwrap();
        assert!(three.contains(
            "node BB2 announces 10.0.0.2:3000, which could not be connected to. To fix it"
        ));
        assert!(three.contains("'servicesAlternate'"));
        let five = message(&found(5), false).unwrap();
        assert!(five.contains("; and 2 more. To fix it") && !five.contains("BB3"));
    }
}

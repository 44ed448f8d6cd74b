//! Nodes of the cluster that cannot be reached at the addresses they announce.
//!
//! Every node reports the addresses of the others. In Docker, in Kubernetes or behind NAT these are often addresses that
//! only the nodes themselves can use. The crate then leaves such a node out without a word, and every session on it fails.
//! So where the crate has fewer nodes than the cluster, the missing ones are asked here, at the addresses they announce.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aerospike::{AuthMode, Client, Node};
use futures::future::join_all;
use tokio::sync::watch;
use tokio::time::{sleep, Instant};

use super::options::{Host, Options};
use super::policy;
use super::seed_probe::{probe, Waits};
use super::socket_affinity::SocketAffinity;
use crate::error::{Code, Error};

/// How long a node may take to report its peers, and to answer at an address that it announces.
const ANSWERS_WITHIN: Duration = Duration::from_millis(1_000);
/// The time between two looks while nodes are missing.
const PAUSE: Duration = Duration::from_millis(2_000);
/// How often it is checked whether any is missing, which asks nobody.
const CHECK: Duration = Duration::from_millis(200);
/// How long the crate may connect before the reason is looked for.
const PATIENCE: Duration = Duration::from_millis(500);
/// Nodes that a message names; it counts the others.
const NAMED: usize = 3;

/// A node, and why it cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unreachable {
    node: String,
    addresses: Vec<String>,
    /// What happens at the first of the addresses; `None` if it announces none of the kind that is used.
    words: Option<String>,
    /// It is the address that is wrong, as far as can be seen.
    is_elsewhere: bool,
}

/// What a node says of another one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Peer {
    tls_name: Option<String>,
    hosts: Vec<(String, u16)>,
}

/// Nodes that cannot be reached, and where.
pub type UnreachableAddresses = BTreeSet<(String, Vec<String>)>;

/// By the name of the node.
type Announced = BTreeMap<String, Peer>;

/// What is known of unreachable nodes.
pub struct PeerAddresses {
    options: Arc<Options>,
    sockets: Arc<SocketAffinity>,
    found: watch::Sender<Arc<[Unreachable]>>,
    /// Nodes that were reached, with their addresses. If one of them is missing later it has failed, or is about to leave:
    /// its address is not what is wrong.
    reached: Mutex<HashSet<(String, Vec<String>)>>,
    /// An operation found no node for its part of the data.
    missed: AtomicBool,
}

impl PeerAddresses {
    pub fn new(options: Arc<Options>, sockets: Arc<SocketAffinity>) -> PeerAddresses {
        PeerAddresses {
            options,
            sockets,
            found: watch::Sender::new(Arc::new([])),
            reached: Mutex::default(),
            missed: AtomicBool::new(false),
        }
    }

    /// The failure of an operation that found no node for its part of the data; with the reason, if that is known.
    pub fn explained(&self, mut error: Error) -> Error {
        self.missed.store(true, Ordering::Relaxed);
        if let Some(words) = self.words() {
            error.message = words;
        }
        error
    }

    /// Which nodes cannot be reached, in words, and what to do about it; changes with them.
    pub fn words(&self) -> Option<String> {
        in_words(&self.found.borrow(), self.options.services_alternate)
    }

    /// Waits until other nodes cannot be reached, or at other addresses, than those that were `seen`.
    pub async fn changed(&self, seen: &mut UnreachableAddresses) {
        let mut found = self.found.subscribe();
        let is_news = |found: &Arc<[Unreachable]>| places(found) != *seen;
        let news = found.wait_for(is_news).await.map(|found| places(&found));
        // An error means that nothing changes any more.
        if let Ok(news) = news {
            *seen = news;
        }
    }

    /// The error of an operation that failed because nodes cannot be reached, if any are known.
    pub fn error(&self) -> Option<Error> {
        self.words()
            .map(|words| Error::new(Code::Unavailable, words))
    }

    /// Looks for missing nodes, for as long as the client is connected.
    pub async fn watch(&self, client: &Client) {
        let mut is_first = true;
        loop {
            let misses = self.missed.swap(false, Ordering::Relaxed);
            let is_known = !self.found.borrow().is_empty();
            if is_first || misses || is_known || lacks_nodes(client) {
                is_first = false;
                self.look(client).await;
                sleep(PAUSE).await;
            } else {
                sleep(CHECK).await;
            }
        }
    }

    /// Finds out why connecting takes so long, while it does: the crate waits for every node that is announced. Never ends.
    pub async fn explain(&self, auth: &AuthMode, seeds: &[aerospike::Host]) {
        sleep(PATIENCE).await;
        let mut policy = policy::client(&self.options, auth.clone());
        // Connects to the seeds alone.
        policy.seed_only_cluster = true;
        let seeds = seeds.to_vec();
        if let Ok(client) = Client::new(&policy, &seeds).await {
            self.look(&client).await;
            // It waits for nodes that may not answer: it ends later, by itself.
            tokio::spawn(async move { client.close().await });
        }
        std::future::pending().await
    }

    async fn look(&self, client: &Client) {
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
                let place = (name, peer.addresses());
                if known.contains(place.0.as_str()) {
                    reached.insert(place);
                } else if !reached.contains(&place) {
                    missing.push((place.0, peer));
                }
            }
            missing
        };
        let looks = missing
            .iter()
            .map(|(name, peer)| unreachable(&self.options, name, peer));
        let found: Arc<[_]> = join_all(looks).await.into_iter().flatten().collect();
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

/// Whether a node says that the cluster has more nodes than the client. This asks nobody.
fn lacks_nodes(client: &Client) -> bool {
    let nodes = client.nodes();
    nodes.iter().any(|node| node.peers_count() >= nodes.len())
}

/// `None` if the node can be reached at one of its addresses, and so will be found by the crate.
async fn unreachable(options: &Options, name: &str, peer: &Peer) -> Option<Unreachable> {
    let within = ANSWERS_WITHIN.min(options.connect_timeout);
    let looks = peer.hosts.iter().map(|(host, port)| async move {
        let host = Host {
            name: host.clone(),
            port: *port,
            tls_name: peer.tls_name.clone(),
        };
        let waits = Waits {
            until: Instant::now() + within,
            words: format!("within {} ms", within.as_millis()),
        };
        match probe(options, &host, &waits).await {
            Ok(Some(other)) if other != name => {
                Some((format!("leads to another node ({other})"), true))
            }
            Ok(_) => None,
            Err(refusal) => Some((refusal.to_string(), !refusal.is_taken)),
        }
    });
    let looks = join_all(looks).await;
    if looks.iter().any(Option::is_none) {
        return None;
    }
    let first = looks.into_iter().flatten().next();
    Some(Unreachable {
        node: name.to_owned(),
        addresses: peer.addresses(),
        is_elsewhere: first.as_ref().is_none_or(|(_, is_elsewhere)| *is_elsewhere),
        words: first.map(|(words, _)| words),
    })
}

/// All nodes that the nodes announce, with the addresses of the kind that is used. `None`: no node answers.
async fn announced(
    nodes: &[Arc<Node>],
    options: &Options,
    sockets: &SocketAffinity,
) -> Option<Announced> {
    // Nodes without an address of the kind that is asked for are left out of the list of that kind.
    let commands: &'static [&'static str] = match options.tls {
        Some(_) => &["peers-tls-std", "peers-tls-alt"],
        None => &["peers-clear-std", "peers-clear-alt"],
    };
    let used = commands[usize::from(options.services_alternate)];
    let asking = nodes
        .iter()
        .map(|node| sockets.info(node, commands, ANSWERS_WITHIN));
    let answers = join_all(asking).await;
    let mut announced = Announced::new();
    let mut is_answered = false;
    for answer in answers.into_iter().flatten() {
        is_answered = true;
        for command in commands {
            let peers = answer.get(*command).map(|answer| parsed(answer));
            for (name, peer) in peers.unwrap_or_default() {
                let entry = announced.entry(name).or_default();
                if *command == used {
                    let news = peer.hosts.into_iter();
                    let news: Vec<_> = news.filter(|host| !entry.hosts.contains(host)).collect();
                    entry.hosts.extend(news);
                    entry.tls_name = entry.tls_name.take().or(peer.tls_name);
                }
            }
        }
    }
    is_answered.then_some(announced)
}

/// `GENERATION,DEFAULT PORT,[[NODE,TLS NAME,[ADDRESS,…]],…]` (build_peers() in as/src/fabric/service_list.c). What makes no
/// sense is left out.
fn parsed(answer: &str) -> Announced {
    let mut parts = answer.splitn(3, ',');
    let default_port = parts.nth(1).and_then(|port| port.parse().ok());
    let (Some(default_port), Some(list)) = (default_port, parts.next()) else {
        return Announced::new();
    };
    let mut peers = Announced::new();
    // Addresses of IPv6 are in brackets as well, but no comma stands before those of a node.
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

/// `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`; the last bracket may be missing, which is where the list was cut.
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

fn places(found: &[Unreachable]) -> UnreachableAddresses {
    let places = found.iter();
    places
        .map(|one| (one.node.clone(), one.addresses.clone()))
        .collect()
}

fn in_words(found: &[Unreachable], is_alternate: bool) -> Option<String> {
    if found.is_empty() {
        return None;
    }
    let each = found.iter().take(NAMED).map(|one| {
        let (node, addresses) = (&one.node, one.addresses.join(" and "));
        match &one.words {
            Some(words) => format!("node {node} announces {addresses}, which {words}"),
            None => format!("node {node} announces no alternate address"),
        }
    });
    let mut words = each.collect::<Vec<_>>().join("; ");
    if let Some(more @ 1..) = found.len().checked_sub(NAMED) {
        words = format!("{words}; and {more} more");
    }
    let advice = match is_alternate {
        _ if !found.iter().any(|one| one.is_elsewhere) => "see why they do not answer",
        false => "make the addresses that the nodes announce reachable from here ('access-address' in aerospike.conf), or set option 'servicesAlternate' if the nodes have an 'alternate-access-address'",
        true => "option 'servicesAlternate' is on: set an 'alternate-access-address' in aerospike.conf that can be reached from here, or leave the option out",
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
    fn every_form_of_an_address_is_read() {
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
        assert_eq!(parsed(answer), Announced::from(expected));
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_no_list() {
        for answer in [
            "",
            "7,3000,[]",
            "ERROR:4:no",
            "1,2",
            "x,y,[[BB9,,[a]]]",
            "1,3000,[[[[]]]],,]",
        ] {
            assert_eq!(parsed(answer), Announced::new(), "{answer}");
        }
    }

    #[test]
    fn three_nodes_are_named_and_the_others_counted() {
        let found = |count| {
            let one = |number| Unreachable {
                node: format!("BB{number}"),
                addresses: vec![format!("10.0.0.{number}:3000")],
                words: Some("could not be connected to".into()),
                is_elsewhere: true,
            };
            (0..count).map(one).collect::<Vec<_>>()
        };
        assert_eq!(in_words(&found(0), false), None);
        let three = in_words(&found(3), false).unwrap();
        assert!(three.contains(
            "node BB2 announces 10.0.0.2:3000, which could not be connected to. To fix it"
        ));
        assert!(three.contains("'servicesAlternate'"));
        let five = in_words(&found(5), false).unwrap();
        assert!(five.contains("; and 2 more. To fix it") && !five.contains("BB3"));
    }
}

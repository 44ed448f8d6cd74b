//! Finds out whether the cluster has a namespace.
//!
//! The crate knows a namespace once a node has reported its partitions. Until then it fails every command with "invalid namespace". That
//! happens while a cluster starts, and if the name is wrong. So the nodes are asked for the list of their namespaces.

use std::collections::BTreeSet;
use std::time::Duration;

use aerospike::{Client, Node};
use futures::future::join_all;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use super::connection::Connection;
use super::options::Options;
use super::transport::knows_namespace;
use super::{failure, policy};
use crate::error::Result;

/// The info command that lists the namespaces of a node, separated by semicolons.
const COMMAND: &str = "namespaces";
/// How long a node may take to answer it.
const ANSWERS_WITHIN: Duration = Duration::from_millis(1_000);
/// How long the answers are reused, so that operations that fail at the same time do not each ask the nodes.
const MAX_AGE: Duration = Duration::from_millis(500);
/// The time between two checks of a namespace whose partitions are not known yet.
const PAUSE: Duration = Duration::from_millis(50);

/// The last answers of the nodes, and when they were requested.
#[derive(Default)]
pub struct Namespaces(Mutex<Option<(Instant, Listed)>>);

/// The namespaces of all nodes that answer.
struct Listed {
    names: BTreeSet<String>,
    /// Whether every node has answered.
    is_complete: bool,
}

impl Namespaces {
    /// Fails if the namespace certainly does not exist.
    ///
    /// # Errors
    ///
    /// `NAMESPACE`: every node answers, and none has the namespace.
    pub async fn refuse_missing(&self, client: &Client, namespace: &str) -> Result<()> {
        if knows_namespace(client, namespace) || !self.is_missing(client, namespace).await {
            return Ok(());
        }
        Err(failure::no_namespace(namespace))
    }

    /// Waits until the crate knows the partitions of a namespace.
    ///
    /// # Errors
    ///
    /// `NAMESPACE`, at once: the namespace does not exist. `UNAVAILABLE`, at `deadline`: it is not known whether it exists, or the nodes
    /// that have it have not reported its partitions.
    pub async fn client(
        &self,
        connection: &Connection,
        options: &Options,
        namespace: &str,
        deadline: Instant,
    ) -> Result<Client> {
        loop {
            let client = connection.client(deadline).await?;
            if knows_namespace(&client, namespace) {
                return Ok(client);
            }
            // An error means that the deadline has passed.
            if let Ok(refused) = timeout_at(deadline, self.refuse_missing(&client, namespace)).await
            {
                refused?;
            }
            if Instant::now() + PAUSE >= deadline {
                return Err(match client.is_connected() {
                    true => failure::unknown_namespace(namespace),
                    false => failure::unreachable(options, None),
                });
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = connection.closed() => return Err(crate::error::Error::closed()),
            }
        }
    }

    /// Returns whether every node answers, and none lists the namespace. A silent node may be the one that has it.
    async fn is_missing(&self, client: &Client, namespace: &str) -> bool {
        let mut last = self.0.lock().await;
        let fresh = last.take().filter(|(asked, _)| asked.elapsed() < MAX_AGE);
        let (asked, listed) = match fresh {
            Some(fresh) => fresh,
            None => (Instant::now(), list(client).await),
        };
        let is_missing = listed.is_complete && !listed.names.contains(namespace);
        *last = Some((asked, listed));
        is_missing
    }
}

async fn list(client: &Client) -> Listed {
    let nodes = client.nodes();
    let answers = join_all(nodes.iter().map(|node| ask(node))).await;
    Listed {
        is_complete: !answers.is_empty() && answers.iter().all(Option::is_some),
        names: answers.into_iter().flatten().flatten().collect(),
    }
}

/// Returns the namespaces of a node. `None`: no answer, or a refusal.
async fn ask(node: &Node) -> Option<Vec<String>> {
    let policy = policy::admin(ANSWERS_WITHIN);
    let answers = timeout(ANSWERS_WITHIN, node.info(&policy, &[COMMAND])).await;
    let answers = answers.ok()?.ok()?;
    let list = answers.get(COMMAND)?;
    let names = list.split(';').map(str::to_owned).collect();
    (!list.is_empty() && !list.starts_with("ERROR")).then_some(names)
}

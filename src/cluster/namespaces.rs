//! Whether the cluster has a namespace.
//!
//! The crate knows a namespace once a node has reported its partitions. Until then it fails every command with "invalid
//! namespace", while a cluster starts as well as where the name is wrong. Only the nodes know which it is: they list their
//! namespaces.

use std::collections::BTreeSet;
use std::time::Duration;

use aerospike::{Client, Node};
use futures::future::join_all;
use tokio::sync::Mutex;
use tokio::time::{timeout, timeout_at, Instant};

use super::connection::Connection;
use super::options::Options;
use super::transport::knows_namespace;
use super::{failure, policy};
use crate::error::Result;

/// The info command that lists them, separated by semicolons.
const COMMAND: &str = "namespaces";
/// How long a node may take to answer it.
const ANSWERS_WITHIN: Duration = Duration::from_millis(1_000);
/// How long the answers count. Operations that fail together do not each ask again.
const FRESH: Duration = Duration::from_millis(500);
/// The time between two looks at a namespace whose partitions are not known yet.
const PAUSE: Duration = Duration::from_millis(50);

/// What the nodes have answered last, and when.
#[derive(Default)]
pub struct Namespaces(Mutex<Option<(Instant, Listed)>>);

/// The namespaces of all nodes that answer.
struct Listed {
    names: BTreeSet<String>,
    /// Whether every node has answered.
    is_complete: bool,
}

impl Namespaces {
    /// # Errors
    ///
    /// `NAMESPACE`: every node answers, and none has the namespace.
    pub async fn refuse_missing(&self, client: &Client, namespace: &str) -> Result<()> {
        if knows_namespace(client, namespace) || !self.lack(client, namespace).await {
            return Ok(());
        }
        Err(failure::no_namespace(namespace))
    }

    /// Waits until the crate knows the partitions of a namespace.
    ///
    /// # Errors
    ///
    /// `NAMESPACE`, at once: there is no such namespace. `UNAVAILABLE`, at `deadline`: that is not known, or the nodes that
    /// have it have not reported its partitions.
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
            // An error is the deadline.
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

    /// Whether every node answers, and none lists the namespace. A node that is silent may be the one that has it.
    async fn lack(&self, client: &Client, namespace: &str) -> bool {
        let mut last = self.0.lock().await;
        let fresh = last.take().filter(|(asked, _)| asked.elapsed() < FRESH);
        let (asked, listed) = match fresh {
            Some(fresh) => fresh,
            None => (Instant::now(), list(client).await),
        };
        let lacks = listed.is_complete && !listed.names.contains(namespace);
        *last = Some((asked, listed));
        lacks
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

/// `None`: no answer, or a refusal.
async fn ask(node: &Node) -> Option<Vec<String>> {
    let policy = policy::admin(ANSWERS_WITHIN);
    let answers = timeout(ANSWERS_WITHIN, node.info(&policy, &[COMMAND])).await;
    let answers = answers.ok()?.ok()?;
    let list = answers.get(COMMAND)?;
    let names = list.split(';').map(str::to_owned).collect();
    (!list.is_empty() && !list.starts_with("ERROR")).then_some(names)
}

//! Sends info commands to every node, for `lib/doctor`.

use std::collections::BTreeMap;

use aerospike::Node;
use futures::future::join_all;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::handle::Cluster;
use super::{failure, policy};
use crate::error::{Error, Result};

/// The answers of one node.
#[derive(Debug, Serialize)]
pub struct NodeInfo {
    pub name: String,
    pub address: String,
    /// The answers, by command. If the node refuses a command, its answer is `ERROR:` and a reason.
    pub answers: BTreeMap<String, String>,
    /// The reason why there are no answers.
    pub error: Option<String>,
}

impl Cluster {
    /// Sends all commands to all nodes, in parallel.
    ///
    /// # Errors
    ///
    /// No node can be reached. If a node does not answer by `deadline`, its [`NodeInfo::error`] says so.
    pub async fn info(&self, commands: &[String], deadline: Instant) -> Result<Vec<NodeInfo>> {
        let client = self.connection.client(deadline).await?;
        let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
        let policy = policy::admin(self.options.timeout);
        let requests = client.nodes().into_iter().map(|node| {
            let (client, policy, commands) = (&client, &policy, &commands);
            async move {
                let answers = match timeout_at(deadline, node.info(policy, commands)).await {
                    Ok(Ok(answers)) => Ok(answers.into_iter().collect()),
                    Ok(Err(error)) => Err(failure::operation(&self.options, client, &error, None)),
                    Err(_) => Err(failure::timed_out(&self.options, client)),
                };
                node_info(&node, answers)
            }
        });
        let requests = join_all(requests);
        tokio::select! {
            all = requests => Ok(all),
            () = self.closed() => Err(Error::closed()),
        }
    }
}

fn node_info(node: &Node, answers: Result<BTreeMap<String, String>>) -> NodeInfo {
    let (answers, error) = match answers {
        Ok(answers) => (answers, None),
        Err(error) => (BTreeMap::new(), Some(error.message)),
    };
    NodeInfo {
        name: node.name().to_owned(),
        address: node.address().to_owned(),
        answers,
        error,
    }
}

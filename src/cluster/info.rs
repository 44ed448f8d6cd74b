//! What every node says of itself: the info protocol, for `lib/doctor`.

use std::collections::BTreeMap;

use aerospike::Node;
use futures::future::join_all;
use serde::Serialize;
use tokio::time::{timeout_at, Instant};

use super::handle::Cluster;
use super::{failure, policy};
use crate::error::{Error, Result};

/// One node's answers.
#[derive(Debug, Serialize)]
pub struct NodeInfo {
    pub name: String,
    pub address: String,
    /// By command. What the node refuses it answers as well, by `ERROR:` and a reason.
    pub answers: BTreeMap<String, String>,
    /// Why there are no answers.
    pub error: Option<String>,
}

impl Cluster {
    /// Asks all nodes at once, each of them everything.
    ///
    /// # Errors
    ///
    /// There is no cluster. A node that does not answer by `deadline` is no error, but told in its place.
    pub async fn info(&self, commands: &[String], deadline: Instant) -> Result<Vec<NodeInfo>> {
        let client = self.connection.client(deadline).await?;
        let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
        let policy = policy::admin(self.options.timeout);
        let asking = client.nodes().into_iter().map(|node| {
            let (client, policy, commands) = (&client, &policy, &commands);
            async move {
                let answers = match timeout_at(deadline, node.info(policy, commands)).await {
                    Ok(Ok(answers)) => Ok(answers.into_iter().collect()),
                    Ok(Err(error)) => Err(failure::operation(&self.options, client, &error, None)),
                    Err(_) => Err(failure::late(&self.options, client)),
                };
                told(&node, answers)
            }
        });
        let asking = join_all(asking);
        tokio::select! {
            all = asking => Ok(all),
            () = self.closed() => Err(Error::closed()),
        }
    }
}

fn told(node: &Node, answers: Result<BTreeMap<String, String>>) -> NodeInfo {
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

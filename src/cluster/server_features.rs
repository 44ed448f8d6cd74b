//! Features that earlier server versions lack.

use aerospike::{Client, Version};

use crate::error::{Code, Error, Result};

/// The first version with batches that read and write (`batch-any`). Under load every operation is sent in one.
const OLDEST: Version = Version::new(6, 0, 0, 0);
/// The first version with reads that extend the record (`read-touch-ttl-pct`). Earlier servers ignore the percentage.
const TOUCH_ON_READ: Version = Version::new(7, 1, 0, 0);

/// Checks the version of every node.
///
/// # Errors
///
/// The version of a node is too old.
pub fn check(client: &Client) -> Result<()> {
    let nodes = client.nodes();
    match nodes.iter().find(|node| *node.version() < OLDEST) {
        None => Ok(()),
        Some(node) => Err(too_old(node.address(), node.version())),
    }
}

/// Returns whether every node can extend a record when it is read.
pub fn touch_on_read(client: &Client) -> bool {
    let nodes = client.nodes();
    nodes.iter().all(|node| *node.version() >= TOUCH_ON_READ)
}

fn too_old(address: &str, version: &Version) -> Error {
    let Version {
        major,
        minor,
        patch,
        build,
    } = version;
    Error::new(
        Code::Server,
        format!(
            "{address} is Aerospike {major}.{minor}.{patch}.{build}; aerospike-session needs 6.0 or later"
        ),
    )
}

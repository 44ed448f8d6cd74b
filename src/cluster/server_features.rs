//! What servers of earlier versions cannot do.

use aerospike::{Client, Version};

use crate::error::{Code, Error, Result};

/// Batches that read and write, which carry every operation under load (`batch-any`).
const OLDEST: Version = Version::new(6, 0, 0, 0);
/// Reads that extend the record (`read-touch-ttl-pct`). Earlier servers ignore the percentage.
const TOUCH_ON_READ: Version = Version::new(7, 1, 0, 0);

/// # Errors
///
/// A node is of a version that cannot be used.
pub fn check(client: &Client) -> Result<()> {
    let nodes = client.nodes();
    match nodes.iter().find(|node| *node.version() < OLDEST) {
        None => Ok(()),
        Some(node) => Err(too_old(node.address(), node.version())),
    }
}

/// Whether every node extends a record when it is read, if it is told to.
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
        format!("{address} is Aerospike {major}.{minor}.{patch}.{build}; aerospike-session needs 6.0 or later"),
    )
}

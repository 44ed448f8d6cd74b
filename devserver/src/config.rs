//! The configuration of a server.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::security::SecurityConfig;
use crate::tls::TlsConfig;

/// How a [`crate::DevServer`] runs. `Config::default()` is a server on loopback, on any free port, with the
/// namespaces `test` and `nottl`, in memory only.
///
/// As JSON its fields are named in camel case, and `data_file` is `data`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Config {
    /// The address to listen on. Default 127.0.0.1. Any other address lets other machines connect, without a password
    /// unless `security` is set.
    pub host: IpAddr,
    /// The port to listen on. Further nodes take the ports after it. Default 0: any free ports, see
    /// [`crate::DevServer::nodes`].
    pub port: u16,
    /// Nodes of the cluster, 1 to 8. Default 1.
    pub nodes: usize,
    /// How many nodes hold each record, if the cluster has that many. Default 2.
    pub replication_factor: usize,
    /// How long a node may be silent before the other nodes remove it from the cluster. Default 1.5 s, as ten
    /// heartbeats of 150 ms of a real server. As JSON in milliseconds.
    #[serde(deserialize_with = "milliseconds")]
    pub heartbeat_timeout: Duration,
    /// How long migrations take after a node has joined or left. Default 0.5 s. As JSON in milliseconds.
    #[serde(deserialize_with = "milliseconds")]
    pub migration_time: Duration,
    /// The namespaces, in the order they are announced. Default [`NamespaceConfig::defaults`].
    #[serde(skip)]
    pub namespaces: Vec<NamespaceConfig>,
    /// Bytes that each namespace may fill with records. Replaces [`NamespaceConfig::data_size`]. Default `None`.
    pub memory: Option<u64>,
    /// A file that keeps the records from one run to the next. Default `None`.
    #[serde(rename = "data")]
    pub data_file: Option<PathBuf>,
    /// Connections at one time. Further connections are closed at once. Default 15 000, the server's `proto-fd-max`.
    pub max_connections: usize,
    /// A connection without a request for this long is closed. Default `None`: never, as in a real server.
    #[serde(skip)]
    pub idle_timeout: Option<Duration>,
    /// How long a client may take to send a request it has begun, or to read its response. Default 30 s.
    #[serde(skip)]
    pub transfer_timeout: Duration,
    /// The cluster name. Default empty: the info command returns `null`.
    pub cluster_name: String,
    /// The racks of the nodes, one for each, in all namespaces. Default none: racks are not supported, as in the
    /// Community Edition.
    pub racks: Vec<u32>,
    /// Users who must log in. Default `None`: security is not supported, as in the Community Edition.
    pub security: Option<SecurityConfig>,
    /// TLS on all ports. Default `None`.
    pub tls: Option<TlsConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            nodes: 1,
            replication_factor: 2,
            heartbeat_timeout: Duration::from_millis(1_500),
            migration_time: Duration::from_millis(500),
            namespaces: NamespaceConfig::defaults(),
            memory: None,
            data_file: None,
            max_connections: 15_000,
            idle_timeout: None,
            transfer_timeout: Duration::from_secs(30),
            cluster_name: String::new(),
            racks: Vec::new(),
            security: None,
            tls: None,
        }
    }
}

fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u32::deserialize(deserializer).map(|number| Duration::from_millis(number.into()))
}

/// The configuration of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceConfig {
    /// 1 to 31 bytes of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// TTL of a write that asks for the default, in seconds; 0 = never expires. Default 0.
    pub default_ttl: u32,
    /// Seconds between sweeps of expired records; 0 = never sweeps, and refuses TTLs. Default 120.
    pub nsup_period: u32,
    /// Accept TTLs although `nsup_period` is 0. Default false.
    pub allow_ttl_without_nsup: bool,
    /// Largest record, in bytes. Default 1 MiB.
    pub max_record_size: u32,
    /// Bytes of records it may hold. From 70 % on, writes are refused with result code 8. Default 1 GiB.
    pub data_size: u64,
    /// Percentage of its TTL below which a read extends a record, if the read has no percentage of its own. Default 0:
    /// off.
    pub default_read_touch_ttl_pct: u32,
}

impl NamespaceConfig {
    /// Returns a namespace with the defaults above.
    pub fn new(name: impl Into<String>) -> Self {
        NamespaceConfig {
            name: name.into(),
            default_ttl: 0,
            nsup_period: 120,
            allow_ttl_without_nsup: false,
            max_record_size: 1024 * 1024,
            data_size: 1024 * 1024 * 1024,
            default_read_touch_ttl_pct: 0,
        }
    }

    /// Returns `test`, which accepts TTLs, and `nottl`, which refuses them with result code 22.
    pub fn defaults() -> Vec<Self> {
        vec![
            NamespaceConfig::new("test"),
            NamespaceConfig {
                nsup_period: 0,
                ..NamespaceConfig::new("nottl")
            },
        ]
    }
}

//! An in-memory server that speaks Aerospike's wire protocol, for development and tests. Never for production: its
//! nodes share one memory, it asks nobody for a password unless told to, and it forgets everything unless told to keep
//! a data file.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use aerospike_session_devserver::{Config, DevServer};
//!
//! let server = DevServer::start(Config::default()).await?;
//! println!("connect to {}", server.addr());
//! server.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # A map of the house
//!
//! | where | what |
//! |---|---|
//! | `server` | starts and stops all of it |
//! | `node` | takes connections |
//! | `port` | a node's port, which a fault can close |
//! | `control` | what a running server can be told |
//! | `door` | the same for programs in other languages, through an info command |
//! | `faults` | what is broken on command |
//! | `connection` | one client: reads frames, writes answers |
//! | `budget` | what all connections together may hold |
//! | `wire` | the protocol: frames, messages, values, every constant and result code |
//! | `info` | text commands, one file a family: the cluster, namespaces, truncate, ... |
//! | `cluster` | the nodes, who owns which partition, what waits while a node is gone |
//! | `cmd` | commands on records, one file each: read, write, touch, delete, batch, query |
//! | `cdt` | operations inside lists and maps |
//! | `exp` | filter expressions |
//! | `security` | users, passwords, session tokens, what each may do |
//! | `tls` | certificates made at the start, and the handshake |
//! | `storage` | namespaces, records, secondary indexes, expiry, truncation, the data file |
//!
//! The truth is the source of server 8.1 (`github.com/aerospike/aerospike-server`); comments name the file a rule is
//! from. What this server does not know it refuses with the server's own result code.

mod cdt;
mod cluster;
mod cmd;
mod config;
mod connection;
mod control_commands;
mod control_protocol;
mod exp;
mod faults;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod info;
mod invalid_input;
mod memory_limiter;
mod node;
mod port;
mod security;
mod server;
mod socket;
mod state;
mod storage;
mod tls;
mod wire;

pub use config::{Config, NamespaceConfig};
pub use control_commands::{Answer, Command, NodeInfo, explain};
pub use faults::{Code, FaultInfo, Kind, Operations, Spec, When};
pub use security::{Password, SecurityConfig, UserConfig};
pub use server::DevServer;
pub use tls::{TlsConfig, TlsIdentity};

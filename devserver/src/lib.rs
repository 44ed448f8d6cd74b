//! An in-memory server that speaks Aerospike's wire protocol, for development and tests. Not for production: its nodes
//! share one memory, it has no passwords unless it is configured with users, and it loses its records unless it is
//! configured with a data file.
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
//! # Modules
//!
//! In layers: a module uses only modules of its own layer and of those above it in this list.
//!
//! | layer | module | contents |
//! |---|---|---|
//! | protocol | `wire` | frames, messages, values, all constants and result codes |
//! | basics | `invalid_input` | the error for an invalid configuration or command |
//! | | `memory_limiter` | limits the memory for requests and responses |
//! | | `port`, `socket` | a node's port, which a fault can close; a client's socket, with TLS or without |
//! | | `tls` | certificates and the handshake |
//! | | `security` | users, passwords, session tokens, permissions |
//! | | `config` | the configuration of a server |
//! | data | `cdt` | operations inside lists and maps |
//! | | `storage` | namespaces, partitions, records, secondary indexes, expiry, truncation, the data file |
//! | | `exp` | expressions: filters, and operations that read or write a value |
//! | node | `cluster` | the nodes, the owners of the partitions, requests that wait for a node that is gone |
//! | | `faults` | fault injection |
//! | | `state` | what all connections of a node share |
//! | commands | `cmd` | commands on records, one file each: read, write, touch, delete, batch, query |
//! | | `info` | info commands, one file for each family |
//! | | `control_commands`, `control_protocol` | commands for the development server itself, and the info command `dev-server:` that carries them |
//! | server | `connection` | one client: reads frames, writes responses |
//! | | `node` | one node: accepts connections |
//! | | `server` | starts, controls and stops all nodes |
//! | tests | `fuzzing` | a server without sockets, for fuzzing |
//!
//! The behaviour follows the source of server 8.1 (`github.com/aerospike/aerospike-server`). Comments name the file that
//! a rule is from. The server responds to features that it does not have with a real server's result code for them.

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
pub use control_commands::{Command, NodeInfo, Response, explain};
pub use faults::{Code, FaultInfo, Kind, Operations, Spec, When};
pub use security::{Password, SecurityConfig, UserConfig};
pub use server::DevServer;
pub use tls::{TlsConfig, TlsIdentity};

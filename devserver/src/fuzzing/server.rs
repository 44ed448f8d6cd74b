//! A server without sockets, for `devserver/fuzz` and for regression tests of what fuzzing found.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::{Cluster, ClusterConfig, NodeIdentity};
use crate::cmd::{self, Response};
use crate::config::NamespaceConfig;
use crate::faults::{Faults, NodeFaults};
use crate::info;
use crate::security::Access;
use crate::state::{ConnectionSecurity, State};
use crate::storage::namespace::Namespace;
use crate::wire::proto::{self, FrameType};

/// An empty server with the namespaces `test` and `nottl`, and one client of it.
pub struct Server {
    state: Arc<State>,
    session: info::Session,
    response: Vec<u8>,
}

impl Default for Server {
    fn default() -> Self {
        let namespaces: Vec<_> = NamespaceConfig::defaults()
            .into_iter()
            .map(Namespace::new)
            .map(Arc::new)
            .collect();
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 3000));
        let config = ClusterConfig {
            name: String::new(),
            nodes: vec![NodeIdentity {
                id: "BB9000000000000".into(),
                port: local.port(),
                rack: None,
            }],
            replication_factor: 1,
            heartbeat_timeout: Duration::ZERO,
            migration_time: Duration::ZERO,
            is_durable: false,
        };
        let cluster = Cluster::new(config, namespaces.clone());
        Server {
            state: Arc::new(State::new(
                namespaces,
                cluster,
                NodeFaults::new(Faults::new(1), 0),
                0,
                ConnectionSecurity::default(),
            )),
            session: info::Session::new(local),
            response: Vec::new(),
        }
    }
}

impl Server {
    /// Handles what a client sends on a connection, frame by frame, until it ends or violates the protocol.
    pub fn stream(&mut self, mut bytes: &[u8]) {
        while let Some((header, rest)) = bytes.split_first_chunk::<{ proto::HEADER_SIZE }>() {
            let Ok((kind, size)) = proto::parse_header(*header) else {
                return;
            };
            let Some((body, rest)) = rest.split_at_checked(size) else {
                return;
            };
            match kind {
                FrameType::Info => self.info(body),
                FrameType::Message => self.message(body),
                FrameType::Security | FrameType::Compressed => {}
            }
            bytes = rest;
        }
    }

    /// Handles the body of one message, and discards the response as a client does that reads all of it.
    pub fn message(&mut self, body: &[u8]) {
        self.response.clear();
        if let Response::Parts(mut parts) =
            cmd::handle(&self.state, &Access::Unrestricted, body, &mut self.response)
        {
            while parts.next(&mut self.response) {
                self.response.clear();
            }
        }
    }

    /// Runs the info commands of one request.
    pub fn info(&mut self, body: &[u8]) {
        self.response.clear();
        info::handle(
            &self.state,
            &mut self.session,
            &Access::Unrestricted,
            body,
            &mut self.response,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::Server;

    /// A message that writes a value to bin `a` of a record.
    fn write(particle: u8, value: &[u8]) -> Vec<u8> {
        let mut body = vec![22, 0, 1, 0, 0, 0];
        body.extend([0; 12]);
        body.extend([0, 2, 0, 1]);
        body.extend(b"\0\0\0\x05\0test\0\0\0\x15\x04");
        body.extend([1; 20]);
        body.extend((5 + value.len() as u32).to_be_bytes());
        body.extend([2, particle, 0, 1, b'a']);
        body.extend(value);
        body
    }

    /// The result code of a message.
    fn run(server: &mut Server, body: &[u8]) -> Option<u8> {
        server.message(body);
        server.response.get(8 + 5).copied()
    }

    #[test]
    fn nested_lists_with_false_lengths_use_no_extra_memory() {
        let mut server = Server::default();
        // Each level claims 4 billion elements, and is followed by enough bytes for millions.
        let mut nested = b"\xdd\xff\xff\xff\xff".repeat(250);
        nested.resize(4 * 1024 * 1024, 0);
        assert_eq!(run(&mut server, &write(20, &nested)), Some(1));
        let mut nested = b"\xdf\xff\xff\xff\xff\x01".repeat(250);
        nested.resize(4 * 1024 * 1024, 0);
        assert_eq!(run(&mut server, &write(19, &nested)), Some(1));
    }

    #[test]
    fn rejects_lists_nested_too_deeply() {
        let mut server = Server::default();
        let deep = vec![0x91; 1024 * 1024];
        assert_eq!(run(&mut server, &write(20, &deep)), Some(1));
        assert_eq!(run(&mut server, &write(20, &[0x90])), Some(0));
    }

    #[test]
    fn seeds_of_the_fuzzer_are_valid() {
        let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
        for (name, objects) in [("put-get", 0), ("collections", 1), ("batch", 2)] {
            let bytes = std::fs::read(seeds.join("frames").join(name)).unwrap_or_default();
            let mut server = Server::default();
            server.stream(&bytes);
            server.info(b"objects\n");
            let response = String::from_utf8_lossy(&server.response);
            assert!(
                response.ends_with(&format!("objects\t{objects}\n")),
                "{name}: {response}"
            );
        }
    }
}

//! A server without sockets for `devserver/fuzz` and for the tests of what fuzzing found: bytes in, answers out.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use crate::cmd::{self, Reply};
use crate::config::NamespaceConfig;
use crate::info;
use crate::state::{Connections, NodeIdentity, State};
use crate::storage::namespace::Namespace;
use crate::wire::compression;
use crate::wire::proto::{self, FrameType};

/// An empty server with the namespaces `test` and `nottl`, and one client of it.
pub struct Server {
    state: Arc<State>,
    session: info::Session,
    answer: Vec<u8>,
}

impl Default for Server {
    fn default() -> Self {
        let namespaces = NamespaceConfig::defaults().into_iter();
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 3000));
        Server {
            state: Arc::new(State {
                namespaces: namespaces.map(Namespace::new).map(Arc::new).collect(),
                node: NodeIdentity {
                    id: "BB9000000000000".into(),
                    cluster_name: String::new(),
                },
                started: Instant::now(),
                connections: Connections::default(),
            }),
            session: info::Session::new(local),
            answer: Vec::new(),
        }
    }
}

impl Server {
    /// Takes what a client sends on a connection, frame by frame, until it ends or breaks the protocol.
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
                FrameType::Security => {}
                FrameType::Message => self.message(body),
                FrameType::Compressed => {
                    if let Ok(inner) = compression::inflate(body) {
                        self.message(&inner);
                    }
                }
            }
            bytes = rest;
        }
    }

    /// Runs the body of one message and throws the answer away, as a client does that reads all of it.
    pub fn message(&mut self, body: &[u8]) {
        self.answer.clear();
        if let Reply::Parts(mut parts) = cmd::handle(&self.state, body, &mut self.answer) {
            while parts.next(&mut self.answer) {
                self.answer.clear();
            }
        }
    }

    /// Runs the info commands of one request.
    pub fn info(&mut self, body: &[u8]) {
        self.answer.clear();
        info::handle(&self.state, &mut self.session, body, &mut self.answer);
    }
}

//! One client's connection: reads frames, has them handled, writes the answers, one after the other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::cmd::{self, Reply};
use crate::info;
use crate::state::State;
use crate::wire::proto::{self, FrameType};
use crate::wire::reply;
use crate::wire::result::ResultCode;
use crate::wire::security;

/// Bytes a buffer may keep between requests.
const KEPT_CAPACITY: usize = 64 * 1024;
/// Bytes read at once: a hostile length claims nothing before the bytes are there.
const READ_STEP: usize = 256 * 1024;

/// The times a connection may take.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Between requests; `None` = as long as it likes.
    pub idle: Option<Duration>,
    /// From the first byte of a request to its last, and for each part of an answer.
    pub transfer: Duration,
}

/// A connection and its two buffers, which live as long as it does.
pub struct Connection<S> {
    stream: S,
    state: Arc<State>,
    limits: Limits,
    session: info::Session,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Takes over a stream. `local` is the address the client reached us under: what we tell it to call again.
    pub fn new(stream: S, local: SocketAddr, state: Arc<State>, limits: Limits) -> Connection<S> {
        let session = info::Session::new(local);
        Connection {
            stream,
            state,
            limits,
            session,
            request: Vec::new(),
            answer: Vec::new(),
        }
    }

    /// Serves requests until the client goes or breaks the protocol.
    pub async fn run(mut self) -> io::Result<()> {
        while let Some(kind) = self.read_frame().await? {
            let request = std::mem::take(&mut self.request);
            let outcome = self.handle(kind, &request).await;
            self.request = request;
            outcome?;
            trim(&mut self.request);
            trim(&mut self.answer);
        }
        Ok(())
    }

    /// Reads the next frame's body into the request buffer. `None`: the client is gone, or idle for too long.
    async fn read_frame(&mut self) -> io::Result<Option<FrameType>> {
        let mut header = [0; proto::HEADER_SIZE];
        // Waiting for the first byte is being idle; the rest has to follow.
        let first = match self.limits.idle {
            Some(idle) => match timeout(idle, self.stream.read(&mut header)).await {
                Ok(first) => first?,
                Err(_) => return Ok(None),
            },
            None => self.stream.read(&mut header).await?,
        };
        if first == 0 {
            return Ok(None);
        }
        timeout(self.limits.transfer, self.read_rest(header, first))
            .await?
            .map(Some)
    }

    async fn read_rest(
        &mut self,
        mut header: [u8; proto::HEADER_SIZE],
        first: usize,
    ) -> io::Result<FrameType> {
        if let Some(rest) = header.get_mut(first..) {
            self.stream.read_exact(rest).await?;
        }
        let (kind, size) = proto::parse_header(header)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.request.clear();
        while self.request.len() < size {
            let step = (size - self.request.len()).min(READ_STEP);
            let at = self.request.len();
            self.request.resize(at + step, 0);
            if let Some(room) = self.request.get_mut(at..) {
                self.stream.read_exact(room).await?;
            }
        }
        Ok(kind)
    }

    async fn handle(&mut self, kind: FrameType, body: &[u8]) -> io::Result<()> {
        self.answer.clear();
        match kind {
            FrameType::Info => info::handle(&self.state, &mut self.session, body, &mut self.answer),
            FrameType::Security => security::refuse(&mut self.answer),
            FrameType::Message => return self.handle_message(body).await,
            // What a Community Edition says to compressed requests (`proto_ce.c`).
            FrameType::Compressed => {
                reply::write_result(&mut self.answer, ResultCode::ENTERPRISE_ONLY);
            }
        }
        self.send().await
    }

    async fn handle_message(&mut self, body: &[u8]) -> io::Result<()> {
        match cmd::handle(&self.state, body, &mut self.answer) {
            Reply::Whole => self.send().await,
            Reply::Parts(mut parts) => {
                while parts.next(&mut self.answer) {
                    self.send().await?;
                    self.answer.clear();
                }
                self.send().await
            }
        }
    }

    async fn send(&mut self) -> io::Result<()> {
        if self.answer.len() > proto::MAX_SIZE + proto::HEADER_SIZE {
            self.answer.clear();
            reply::write_last(&mut self.answer, ResultCode::UNKNOWN);
        }
        timeout(self.limits.transfer, self.stream.write_all(&self.answer)).await?
    }
}

/// Gives back what one large request or answer has made a buffer grow to.
fn trim(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT_CAPACITY {
        *buffer = Vec::new();
    }
}

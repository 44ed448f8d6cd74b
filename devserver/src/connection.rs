//! One client's connection: reads frames, has them handled, writes the answers, one after the other.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::cmd::{self, Reply};
use crate::control_protocol;
use crate::faults::{End, Plan, When};
use crate::info;
use crate::memory_limiter::{FREE, Permit};
use crate::security::Login;
use crate::socket::Socket;
use crate::state::State;
use crate::wire::proto::{self, FrameType};
use crate::wire::reply;
use crate::wire::result::ResultCode;
use crate::wire::security;

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
    login: Login,
    /// The faults that the request at hand meets.
    plan: Plan,
    request: Vec<u8>,
    request_permit: Permit,
    answer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Socket + Unpin> Connection<S> {
    /// Takes over a stream. `local` is the address the client reached us under: what we tell it to call again.
    pub fn new(stream: S, local: SocketAddr, state: Arc<State>, limits: Limits) -> Connection<S> {
        let session = info::Session::new(local);
        Connection {
            stream,
            state,
            limits,
            session,
            login: None,
            plan: Plan::default(),
            request: Vec::new(),
            request_permit: Permit::default(),
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
            self.request_permit = Permit::default();
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
            let memory = &self.state.connections.memory;
            memory.grow(&mut self.request_permit, at + step)?;
            self.request.resize(at + step, 0);
            if let Some(room) = self.request.get_mut(at..) {
                self.stream.read_exact(room).await?;
            }
        }
        Ok(kind)
    }

    async fn handle(&mut self, kind: FrameType, body: &[u8]) -> io::Result<()> {
        self.answer.clear();
        if kind == FrameType::Compressed {
            // What a Community Edition says to compressed requests (`proto_ce.c`).
            reply::write_result(&mut self.answer, ResultCode::ENTERPRISE_ONLY);
            return self.send().await;
        }
        if let (FrameType::Info, Some(text)) = (kind, control_protocol::command(body)) {
            control_protocol::answer(&self.state, text, &mut self.answer).await;
            return self.write(0..self.answer.len()).await;
        }
        self.handle_plain(kind, body).await
    }

    async fn handle_plain(&mut self, kind: FrameType, body: &[u8]) -> io::Result<()> {
        self.state.faults.thawed().await;
        self.plan = self
            .state
            .faults
            .plan(|look| cmd::fault_targets::each_target(&self.state, kind, body, look));
        let read = Instant::now();
        self.strike(When::Before).await?;
        // `handle_client_io_event` in as/src/base/service.c: who has hung up is not served any more.
        if self.stream.is_hung_up() {
            return Err(io::Error::other("the client has hung up"));
        }
        match kind {
            FrameType::Info => {
                let access = self.state.access(&self.login);
                info::handle(
                    &self.state,
                    &mut self.session,
                    &access,
                    body,
                    &mut self.answer,
                );
            }
            FrameType::Security => match &self.state.security {
                Some(security) => {
                    let tls = self.state.tls.as_deref();
                    let certificate = tls.and_then(|tls| tls.client);
                    security.handle(&mut self.login, certificate, body, &mut self.answer);
                }
                // `as/src/base/security_ce.c`
                None => {
                    security::write_result(&mut self.answer, ResultCode::SECURITY_NOT_SUPPORTED)
                }
            },
            FrameType::Message | FrameType::Compressed => {
                return self.handle_message(body, read).await;
            }
        }
        self.strike(When::After).await?;
        self.send().await
    }

    async fn handle_message(&mut self, body: &[u8], read: Instant) -> io::Result<()> {
        let access = self.state.access(&self.login);
        if !self.plan.delay_at(When::Before).is_zero()
            && cmd::stalled::is_late(body, read.elapsed())
        {
            reply::write_result(&mut self.answer, ResultCode::TIMEOUT);
            return self.send().await;
        }
        if let Err(code) = cmd::stalled::wait(&self.state, &access, body).await {
            reply::write_result(&mut self.answer, code);
            return self.send().await;
        }
        let state = Arc::clone(&self.state);
        let mut parts = match cmd::handle(&state, &access, body, &mut self.answer) {
            Reply::Whole => {
                self.strike(When::After).await?;
                return self.send().await;
            }
            Reply::Parts(parts) => parts,
        };
        // Its rows are carried out whether the answer is on its way or not: all that one part tells of, at the least.
        let mut goes_on = parts.next(&mut self.answer);
        if self.plan.end_at(When::After).is_some() {
            // All of it is carried out, and none of it answered.
            while goes_on {
                self.answer.clear();
                goes_on = parts.next(&mut self.answer);
            }
        }
        self.strike(When::After).await?;
        while goes_on {
            self.send().await?;
            self.answer.clear();
            goes_on = parts.next(&mut self.answer);
        }
        self.send().await
    }

    async fn send(&mut self) -> io::Result<()> {
        if self.answer.len() > proto::MAX_SIZE + proto::HEADER_SIZE {
            self.answer.clear();
            reply::write_last(&mut self.answer, ResultCode::UNKNOWN);
        }
        self.state.faults.thawed().await;
        let end = self.answer.len();
        if !self.plan.has(When::MidReply) {
            return self.write(0..end).await;
        }
        let middle = end / 2;
        self.write(0..middle).await?;
        self.strike(When::MidReply).await?;
        // Once for each request, however many parts the answer has.
        self.plan = Plan::default();
        self.write(middle..end).await
    }

    /// Writes a part of the answer's buffer.
    async fn write(&mut self, part: Range<usize>) -> io::Result<()> {
        let _permit = self.state.connections.memory.take(self.answer.len())?;
        let bytes = self.answer.get(part).unwrap_or_default();
        let sending = async {
            self.stream.write_all(bytes).await?;
            // TLS may keep some of it back.
            self.stream.flush().await
        };
        timeout(self.limits.transfer, sending).await?
    }

    /// Lets happen what is planned for this point. An error: the connection is over.
    async fn strike(&mut self, at: When) -> io::Result<()> {
        let delay = self.plan.delay_at(at);
        if !delay.is_zero() {
            sleep(delay).await;
        }
        match self.plan.end_at(at) {
            None => return Ok(()),
            Some(End::Closed) => {}
            Some(End::Reset) => self.stream.reset_on_close()?,
            Some(End::Silent) => self.swallow().await?,
        }
        Err(io::Error::other("ended by a fault"))
    }

    /// Reads, and never answers, until the client goes.
    async fn swallow(&mut self) -> io::Result<()> {
        self.answer = Vec::new();
        let mut bytes = [0; 4096];
        while self.stream.read(&mut bytes).await? > 0 {}
        Ok(())
    }
}

/// Gives back what one large request or answer has made a buffer grow to.
fn trim(buffer: &mut Vec<u8>) {
    if buffer.capacity() > FREE {
        *buffer = Vec::new();
    }
}

//! One client's connection: reads a frame, has it handled, writes the response, then reads the next.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::cmd::{self, Response};
use crate::control_protocol;
use crate::faults::{End, Plan, When};
use crate::info;
use crate::memory_limiter::{Permit, UNCOUNTED};
use crate::security::Login;
use crate::socket::Socket;
use crate::state::State;
use crate::wire::proto::{self, FrameType};
use crate::wire::response;
use crate::wire::result::ResultCode;
use crate::wire::security;

/// Bytes read at once. Memory grows with the bytes that arrive, not with the length that a client claims.
const READ_STEP: usize = 256 * 1024;

/// Timeouts of a connection.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Between requests. `None`: no limit.
    pub idle: Option<Duration>,
    /// From the first byte of a request to its last, and for each part of a response.
    pub transfer: Duration,
}

/// A connection and its two buffers, which are reused for every request.
pub struct Connection<S> {
    stream: S,
    state: Arc<State>,
    limits: Limits,
    session: info::Session,
    login: Login,
    /// The faults that apply to the current request.
    plan: Plan,
    request: Vec<u8>,
    request_permit: Permit,
    response: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Socket + Unpin> Connection<S> {
    /// Takes over a stream. `local` is the server address that the client connected to. Info commands return it.
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
            response: Vec::new(),
        }
    }

    /// Serves requests until the client disconnects or violates the protocol.
    pub async fn run(mut self) -> io::Result<()> {
        while let Some(kind) = self.read_frame().await? {
            let request = std::mem::take(&mut self.request);
            let outcome = self.handle(kind, &request).await;
            self.request = request;
            outcome?;
            shrink(&mut self.request);
            self.request_permit = Permit::default();
            shrink(&mut self.response);
        }
        Ok(())
    }

    /// Reads the body of the next frame into the request buffer. Returns `None` if the client has disconnected or was
    /// idle for too long.
    async fn read_frame(&mut self) -> io::Result<Option<FrameType>> {
        let mut header = [0; proto::HEADER_SIZE];
        // The idle timeout ends with the first byte. The rest of the frame has the transfer timeout.
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
        self.response.clear();
        if kind == FrameType::Compressed {
            // The Community Edition responds to compressed requests in this way (`proto_ce.c`).
            response::write_result(&mut self.response, ResultCode::ENTERPRISE_ONLY);
            return self.send().await;
        }
        if let (FrameType::Info, Some(text)) = (kind, control_protocol::command(body)) {
            control_protocol::respond(&self.state, text, &mut self.response).await;
            return self.write(0..self.response.len()).await;
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
        self.apply_faults(When::Before).await?;
        // A request is not carried out if the client has hung up (`handle_client_io_event()` in
        // `as/src/base/service.c`).
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
                    &mut self.response,
                );
            }
            FrameType::Security => match &self.state.security {
                Some(security) => {
                    let tls = self.state.tls.as_deref();
                    let certificate = tls.and_then(|tls| tls.client);
                    security.handle(&mut self.login, certificate, body, &mut self.response);
                }
                // `as/src/base/security_ce.c`
                None => {
                    security::write_result(&mut self.response, ResultCode::SECURITY_NOT_SUPPORTED)
                }
            },
            FrameType::Message | FrameType::Compressed => {
                return self.handle_message(body, read).await;
            }
        }
        self.apply_faults(When::After).await?;
        self.send().await
    }

    async fn handle_message(&mut self, body: &[u8], read: Instant) -> io::Result<()> {
        let access = self.state.access(&self.login);
        if !self.plan.delay_at(When::Before).is_zero()
            && cmd::stalled::has_timed_out(body, read.elapsed())
        {
            response::write_result(&mut self.response, ResultCode::TIMEOUT);
            return self.send().await;
        }
        if let Err(code) = cmd::stalled::wait(&self.state, &access, body).await {
            response::write_result(&mut self.response, code);
            return self.send().await;
        }
        let state = Arc::clone(&self.state);
        let mut parts = match cmd::handle(&state, &access, body, &mut self.response) {
            Response::Complete => {
                self.apply_faults(When::After).await?;
                return self.send().await;
            }
            Response::Parts(parts) => parts,
        };
        // The rows of the first part are carried out even if the response cannot be sent.
        let mut has_more = parts.next(&mut self.response);
        if self.plan.end_at(When::After).is_some() {
            // All parts are carried out, and none is sent.
            while has_more {
                self.response.clear();
                has_more = parts.next(&mut self.response);
            }
        }
        self.apply_faults(When::After).await?;
        while has_more {
            self.send().await?;
            self.response.clear();
            has_more = parts.next(&mut self.response);
        }
        self.send().await
    }

    async fn send(&mut self) -> io::Result<()> {
        if self.response.len() > proto::MAX_SIZE + proto::HEADER_SIZE {
            self.response.clear();
            response::write_last(&mut self.response, ResultCode::UNKNOWN);
        }
        self.state.faults.thawed().await;
        let end = self.response.len();
        if !self.plan.has(When::MidReply) {
            return self.write(0..end).await;
        }
        let middle = end / 2;
        self.write(0..middle).await?;
        self.apply_faults(When::MidReply).await?;
        // A fault strikes once for each request, however many parts the response has.
        self.plan = Plan::default();
        self.write(middle..end).await
    }

    /// Writes a part of the response buffer.
    async fn write(&mut self, part: Range<usize>) -> io::Result<()> {
        let _permit = self.state.connections.memory.acquire(self.response.len())?;
        let bytes = self.response.get(part).unwrap_or_default();
        let sending = async {
            self.stream.write_all(bytes).await?;
            // TLS may buffer some of it.
            self.stream.flush().await
        };
        timeout(self.limits.transfer, sending).await?
    }

    /// Applies the faults that are planned for this point. An error means that the connection ends.
    async fn apply_faults(&mut self, at: When) -> io::Result<()> {
        let delay = self.plan.delay_at(at);
        if !delay.is_zero() {
            sleep(delay).await;
        }
        match self.plan.end_at(at) {
            None => return Ok(()),
            Some(End::Closed) => {}
            Some(End::Reset) => self.stream.reset_on_close()?,
            Some(End::Silent) => self.discard_requests().await?,
        }
        Err(io::Error::other("ended by a fault"))
    }

    /// Reads and discards requests until the client disconnects.
    async fn discard_requests(&mut self) -> io::Result<()> {
        self.response = Vec::new();
        let mut bytes = [0; 4096];
        while self.stream.read(&mut bytes).await? > 0 {}
        Ok(())
    }
}

/// Frees a buffer that one large request or response has grown.
fn shrink(buffer: &mut Vec<u8>) {
    if buffer.capacity() > UNCOUNTED {
        *buffer = Vec::new();
    }
}

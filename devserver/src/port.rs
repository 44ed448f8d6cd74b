//! A node's port, which a fault can close.

use std::future;
use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// Connections that the kernel queues until they are accepted.
const BACKLOG: i32 = 1024;

/// A port that can be closed for a while.
pub struct Port {
    addr: SocketAddr,
    state: State,
}

enum State {
    Open(TcpListener),
    /// Bound without listening: connections are refused, and no other process can take the port. `None` if it could
    /// not be bound again.
    Closed(Option<Socket>),
}

impl Port {
    pub fn new(listener: TcpListener) -> io::Result<Port> {
        Ok(Port {
            addr: listener.local_addr()?,
            state: State::Open(listener),
        })
    }

    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Accepts the next connection. Waits while the port is closed.
    pub async fn accept(&self) -> io::Result<TcpStream> {
        match &self.state {
            State::Open(listener) => listener.accept().await.map(|(stream, _)| stream),
            State::Closed(_) => future::pending().await,
        }
    }

    /// Closes the port. Connections that the kernel has queued are reset.
    pub fn close(&mut self) {
        self.state = State::Closed(None);
        match bind(self.addr) {
            Ok(socket) => self.state = State::Closed(Some(socket)),
            Err(error) => log::warn!("the port {} is left to others: {error}", self.addr.port()),
        }
    }

    /// Listens again.
    ///
    /// # Errors
    /// Another process has taken the port.
    pub fn open(&mut self) -> io::Result<()> {
        let socket = match &mut self.state {
            State::Open(_) => return Ok(()),
            State::Closed(socket) => socket.take(),
        };
        let socket = socket.map_or_else(|| bind(self.addr), Ok)?;
        self.state = State::Open(listen_on(socket)?);
        Ok(())
    }
}

/// Listens with SO_REUSEADDR, so that the port of a stopped server is free at once.
pub fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    listen_on(bind(addr)?)
}

fn bind(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows the option means something else: two servers could share a port.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

fn listen_on(socket: Socket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

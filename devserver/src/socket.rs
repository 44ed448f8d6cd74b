//! The operations of a socket that a connection needs, encrypted or not.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A stream over a socket.
pub trait Socket {
    /// Makes closing the socket reset the connection.
    fn reset_on_close(&self) -> io::Result<()>;

    /// Whether the client has closed its end, even if there are unread requests.
    fn is_hung_up(&self) -> bool;
}

impl Socket for TcpStream {
    fn reset_on_close(&self) -> io::Result<()> {
        SockRef::from(self).set_linger(Some(Duration::ZERO))
    }

    fn is_hung_up(&self) -> bool {
        let readiness = pin!(self.ready(Interest::READABLE));
        let readiness = readiness.poll(&mut Context::from_waker(Waker::noop()));
        matches!(readiness, Poll::Ready(Ok(ready)) if ready.is_read_closed())
    }
}

impl<S: Socket> Socket for TlsStream<S> {
    fn reset_on_close(&self) -> io::Result<()> {
        self.get_ref().0.reset_on_close()
    }

    fn is_hung_up(&self) -> bool {
        self.get_ref().0.is_hung_up()
    }
}

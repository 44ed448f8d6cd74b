//! Speaking to the seeds before the crate does.
//!
//! The crate shakes hands without a deadline, goes through the seeds one after the other, tells what went wrong as text, and
//! does not leave off when it is given up. So each seed is first asked for its name here: one that does not answer keeps
//! nobody waiting, and what is wrong with it can be said exactly.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at, Instant};
use tokio_rustls::TlsConnector;

use super::failure;
use super::options::{Host, Options};
use crate::error::{Code, Error, Result};

/// How long the other seeds have, once one has answered. The crate finds the rest of the cluster by itself.
const GRACE: Duration = Duration::from_millis(100);
/// How long a server has that ended a connection to say why.
const LISTENING: Duration = Duration::from_millis(500);

/// `node` as an info request: version 2, type 1, and the length of what follows (as/include/base/proto.h).
const QUESTION: &[u8] = b"\x02\x01\0\0\0\0\0\x05node\n";
/// What an answer begins with: the protocol's version.
const ANSWER: u8 = 2;
/// What a TLS server begins with that is not spoken to in TLS: an alert (RFC 8446, section 5.1).
const TLS_ALERT: u8 = 21;

/// How long an address has to answer.
pub struct Waits {
    pub until: Instant,
    /// The same in words, such as `within 1000 ms`.
    pub words: String,
}

/// What is wrong with an address.
pub struct ProbeError {
    code: Code,
    /// What it does, after its name.
    words: String,
    cause: Option<String>,
    /// Whether it took the connection.
    pub is_taken: bool,
}

/// The seeds that answer.
///
/// # Errors
/// None of them does, until `deadline`.
pub async fn answering(options: &Options, deadline: Instant) -> Result<Vec<&Host>> {
    let hosts = &options.hosts;
    let waits = &Waits {
        until: deadline,
        words: format!(
            "(option 'connectTimeout': {} ms)",
            options.connect_timeout.as_millis()
        ),
    };
    let ask = |(index, host)| async move { (index, probe(options, host, waits).await) };
    let mut knocks: FuturesUnordered<_> = hosts.iter().enumerate().map(ask).collect();
    let mut answered = Vec::with_capacity(hosts.len());
    let mut refused = Vec::new();
    let mut until = deadline;
    // Every knock ends by the deadline itself: this one is only ever that of the grace.
    while let Ok(Some((index, outcome))) = timeout_at(until + GRACE, knocks.next()).await {
        match outcome {
            Ok(_) => {
                if answered.is_empty() {
                    until = Instant::now();
                }
                answered.push(index);
            }
            Err(refusal) => refused.push((index, refusal)),
        }
    }
    if answered.is_empty() {
        return Err(told(options, refused));
    }
    answered.sort_unstable();
    Ok(answered
        .into_iter()
        .filter_map(|at| hosts.get(at))
        .collect())
}

/// What is said of all of them is what can be said of one: rather a mistake than that nobody is there.
fn told(options: &Options, mut refused: Vec<(usize, ProbeError)>) -> Error {
    refused.sort_unstable_by_key(|(index, refusal)| (refusal.code == Code::Unavailable, *index));
    let name = |index: &usize| options.hosts.get(*index).map(ToString::to_string);
    let lines = refused
        .iter()
        .map(|(index, refusal)| format!("{} {refusal}", name(index).unwrap_or_default()));
    let cause = lines.collect::<Vec<_>>().join("; ");
    match refused.first() {
        Some((index, refusal)) if refusal.code != Code::Unavailable => {
            let name = name(index).unwrap_or_default();
            Error::new(refusal.code, format!("{name} {}", refusal.words)).caused_by(cause)
        }
        _ => failure::unreachable(options, Some(cause)),
    }
}

/// Asks a node for its name. `None`: it tells it only to those who have logged in.
pub async fn probe(
    options: &Options,
    host: &Host,
    waits: &Waits,
) -> Result<Option<String>, ProbeError> {
    let silent = |words: &str| ProbeError::unavailable(format!("{words} {}", waits.words));
    let stream = match timeout_at(waits.until, connect(host)).await {
        Ok(stream) => stream?,
        Err(_) => return Err(silent("did not take the connection").not_taken()),
    };
    let asking = async {
        match &options.tls {
            Some(tls) => ask_encrypted(stream, host, tls).await,
            None => ask_plainly(stream).await,
        }
    };
    match timeout_at(waits.until, asking).await {
        Ok(outcome) => outcome,
        Err(_) => Err(silent("took the connection and did not answer")),
    }
}

async fn connect(host: &Host) -> Result<TcpStream, ProbeError> {
    let connected = TcpStream::connect((host.name.as_str(), host.port)).await;
    connected.map_err(|error| {
        let refusal = ProbeError::unavailable("could not be connected to").not_taken();
        refusal.caused_by(error)
    })
}

async fn ask_plainly(mut stream: TcpStream) -> Result<Option<String>, ProbeError> {
    match first_byte(&mut stream).await {
        Ok(Some(ANSWER)) => Ok(name(&mut stream).await),
        Ok(Some(TLS_ALERT)) => Err(ProbeError::tls("speaks TLS on this port: set option 'tls'")),
        Ok(Some(_)) => Err(ProbeError::unavailable(
            "does not speak Aerospike's protocol on this port",
        )),
        Ok(None) => Err(ProbeError::unavailable("closed the connection unanswered")),
        Err(error) => {
            Err(ProbeError::unavailable("closed the connection unanswered").caused_by(error))
        }
    }
}

async fn ask_encrypted(
    stream: TcpStream,
    host: &Host,
    tls: &Arc<ClientConfig>,
) -> Result<Option<String>, ProbeError> {
    let certified = host.certified_name();
    let Ok(certified) = ServerName::try_from(certified.to_owned()) else {
        return Err(ProbeError::tls(format!(
            "is called by a name that no certificate can be for: {certified:?}"
        )));
    };
    let connector = TlsConnector::from(Arc::clone(tls));
    let mut stream = match connector.connect(certified.clone(), stream).await {
        Ok(stream) => stream,
        Err(error) => return Err(of_handshake(host, error).await),
    };
    match first_byte(&mut stream).await {
        Ok(Some(ANSWER)) => return Ok(name(&mut stream).await),
        Ok(Some(_)) => {
            return Err(ProbeError::unavailable(
                "does not speak Aerospike's protocol on this port",
            ))
        }
        Err(error) if reason(&error).is_some() => return Err(of_handshake(host, error).await),
        Ok(None) | Err(_) => {}
    }
    // It may have said why, and our question have met a closed connection, which makes the system forget what came
    // before: this time we only listen. (With TLS 1.3 a server looks at our certificate when we think we are done.)
    let listening = async {
        let stream = connect(host).await.ok()?;
        let mut stream = connector.connect(certified, stream).await.ok()?;
        stream.read_u8().await.err()
    };
    match timeout(LISTENING, listening).await {
        Ok(Some(error)) if reason(&error).is_some() => Err(of_handshake(host, error).await),
        _ => Err(ProbeError::unavailable("closed the connection unanswered")),
    }
}

fn reason(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Why the handshake failed.
async fn of_handshake(host: &Host, error: io::Error) -> ProbeError {
    let words = match reason(&error) {
        Some(rustls::Error::InvalidCertificate(wrong)) => of_certificate(wrong),
        Some(rustls::Error::AlertReceived(alert)) => of_alert(*alert),
        Some(rustls::Error::PeerIncompatible(_)) => "has no version of TLS that we have",
        // It said what is no TLS, or nothing.
        Some(rustls::Error::InvalidMessage(_)) | None => {
            if answers_plainly(host).await {
                return ProbeError::tls(
                    "answers without TLS on this port: make sure that it is your node and not an impostor before you change \
                     option 'tls'; a node's TLS port is its 'tls-port'",
                );
            }
            let refusal = ProbeError::unavailable("closed the connection at the TLS handshake");
            return refusal.caused_by(error);
        }
        Some(_) => "could not agree on a TLS connection",
    };
    ProbeError::tls(words).caused_by(error)
}

async fn answers_plainly(host: &Host) -> bool {
    match connect(host).await {
        Ok(stream) => ask_plainly(stream).await.is_ok(),
        Err(_) => false,
    }
}

fn of_certificate(wrong: &CertificateError) -> &'static str {
    use CertificateError as Wrong;
    match wrong {
        Wrong::Expired | Wrong::ExpiredContext { .. } => "has a certificate that has expired",
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            "has a certificate that is not valid yet"
        }
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            "has a certificate for another name (option 'tls.servername', or 'tlsName' of the host)"
        }
        Wrong::UnknownIssuer | Wrong::BadSignature => {
            "has a certificate by an authority that is not trusted (option 'tls.ca')"
        }
        Wrong::ApplicationVerificationFailure => {
            "has a certificate with a key that is none of option 'tls.pins'"
        }
        _ => "has a certificate that is not valid",
    }
}

fn of_alert(alert: AlertDescription) -> &'static str {
    use AlertDescription as Alert;
    match alert {
        Alert::CertificateRequired => {
            "asks for a certificate of ours (options 'tls.cert' and 'tls.key')"
        }
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::DecryptError
        | Alert::AccessDenied => "does not accept our certificate (option 'tls.cert')",
        Alert::ProtocolVersion => "has no version of TLS that we have",
        // Before TLS 1.3 this is also how a missing certificate is refused.
        Alert::HandshakeFailure => "refused the TLS handshake",
        _ => "refused the TLS connection",
    }
}

/// What the answer to the question begins with; `None`: it was not answered.
async fn first_byte(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<Option<u8>> {
    stream.write_all(QUESTION).await?;
    stream.flush().await?;
    let mut byte = [0];
    let read = stream.read(&mut byte).await?;
    Ok((read > 0).then_some(byte[0]))
}

/// The rest of the answer: a header, of which the first byte has been read, and `node`, a tab and the name.
async fn name(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    const HEADER: usize = 7;
    const LONGEST: u64 = 256;
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).await.ok()?;
    let length = header[1..]
        .iter()
        .fold(0, |length, byte| length << 8 | u64::from(*byte));
    let mut answer = String::new();
    let mut stream = stream.take(length.min(LONGEST));
    stream.read_to_string(&mut answer).await.ok()?;
    let name = answer.strip_prefix("node\t")?.trim_end();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_name.then(|| name.to_owned())
}

impl std::fmt::Display for ProbeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.cause {
            Some(cause) => write!(f, "{}: {cause}", self.words),
            None => f.write_str(&self.words),
        }
    }
}

impl ProbeError {
    fn new(code: Code, words: impl Into<String>) -> ProbeError {
        ProbeError {
            code,
            words: words.into(),
            cause: None,
            is_taken: true,
        }
    }

    fn tls(words: impl Into<String>) -> ProbeError {
        ProbeError::new(Code::Tls, words)
    }

    fn unavailable(words: impl Into<String>) -> ProbeError {
        ProbeError::new(Code::Unavailable, words)
    }

    fn not_taken(mut self) -> ProbeError {
        self.is_taken = false;
        self
    }

    fn caused_by(mut self, error: io::Error) -> ProbeError {
        self.cause = Some(error.to_string());
        self
    }
}

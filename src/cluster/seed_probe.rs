//! Probes the seeds before the crate connects to them.
//!
//! The crate has no deadline for the handshake, tries the seeds one after the other, reports errors only as text, and continues when its
//! future is dropped. So each seed is first asked for its name here. A seed that does not answer then delays nothing, and the error says
//! exactly what is wrong with a seed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::failure;
use super::options::{Host, Options};
use crate::error::{Code, Error, Result};

/// How long the other seeds may still answer once one has answered. The crate finds the rest of the cluster by itself.
const GRACE: Duration = Duration::from_millis(100);
/// How long a server that has closed a connection may take to report the reason.
const REASON_TIMEOUT: Duration = Duration::from_millis(500);

/// The info command `node` as a request: version 2, type 1, and the length of the rest (as/include/base/proto.h).
const REQUEST: &[u8] = b"\x02\x01\0\0\0\0\0\x05node\n";
/// The first byte of an answer: the protocol's version.
const ANSWER: u8 = 2;
/// The first byte of a TLS server if the client does not use TLS: an alert (RFC 8446, section 5.1).
const TLS_ALERT: u8 = 21;

/// How long an address may take to answer.
pub struct Limit {
    pub until: Instant,
    /// The same for error messages, such as `within 1000 ms`.
    pub words: String,
}

/// What is wrong with an address.
pub struct ProbeError {
    code: Code,
    /// The message after the name of the address.
    words: String,
    cause: Option<String>,
    /// Whether it accepted the connection.
    pub is_accepted: bool,
}

/// Returns the seeds that answer.
///
/// # Errors
/// No seed answers by `deadline`.
pub async fn answering_seeds(options: &Options, deadline: Instant) -> Result<Vec<&Host>> {
    let hosts = &options.hosts;
    let limit = &Limit {
        until: deadline,
        words: format!(
            "(option 'connectTimeout': {} ms)",
            options.connect_timeout.as_millis()
        ),
    };
    let probe_seed = |(index, host)| async move { (index, probe(options, host, limit).await) };
    let mut probes: FuturesUnordered<_> = hosts.iter().enumerate().map(probe_seed).collect();
    let mut answered = Vec::with_capacity(hosts.len());
    let mut refused = Vec::new();
    let mut until = deadline;
    // Every probe ends by the deadline, so this timeout only ends the grace period.
    while let Ok(Some((index, outcome))) = timeout_at(until + GRACE, probes.next()).await {
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
        return Err(combined_error(options, refused));
    }
    answered.sort_unstable();
    Ok(answered
        .into_iter()
        .filter_map(|at| hosts.get(at))
        .collect())
}

/// Combines the errors of all seeds into one. Its message is that of one seed, preferably of one that answers but cannot be used, because
/// that is likely a mistake in the options.
fn combined_error(options: &Options, mut refused: Vec<(usize, ProbeError)>) -> Error {
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

/// Asks a node for its name. Returns `None` if the node reports it only after a login.
pub async fn probe(
    options: &Options,
    host: &Host,
    limit: &Limit,
) -> Result<Option<String>, ProbeError> {
    let silent = |words: &str| ProbeError::unavailable(format!("{words} {}", limit.words));
    let stream = match timeout_at(limit.until, connect(host)).await {
        Ok(stream) => stream?,
        Err(_) => return Err(silent("did not take the connection").not_accepted()),
    };
    let request = async {
        match &options.tls {
            Some(tls) => probe_with_tls(stream, host, tls).await,
            None => probe_without_tls(stream).await,
        }
    };
    match timeout_at(limit.until, request).await {
        Ok(outcome) => outcome,
        Err(_) => Err(silent("took the connection and did not answer")),
    }
}

async fn connect(host: &Host) -> Result<TcpStream, ProbeError> {
    let connected = TcpStream::connect((host.name.as_str(), host.port)).await;
    connected.map_err(|error| {
        let refusal = ProbeError::unavailable("could not be connected to").not_accepted();
        refusal.caused_by(error)
    })
}

async fn probe_without_tls(mut stream: TcpStream) -> Result<Option<String>, ProbeError> {
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

async fn probe_with_tls(
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
        Err(error) => return Err(handshake_error(host, error).await),
    };
    match first_byte(&mut stream).await {
        Ok(Some(ANSWER)) => return Ok(name(&mut stream).await),
        Ok(Some(_)) => {
            return Err(ProbeError::unavailable(
                "does not speak Aerospike's protocol on this port",
            ));
        }
        Err(error) if reason(&error).is_some() => return Err(handshake_error(host, error).await),
        Ok(None) | Err(_) => {}
    }
    // The server may have sent the reason. But our request has then reached a closed connection, so the operating system has discarded
    // what was received before. So we connect again and only read. (With TLS 1.3 a server checks our certificate after the handshake is
    // complete for us.)
    let reading = async {
        let stream = connect(host).await.ok()?;
        let mut stream = connector.connect(certified, stream).await.ok()?;
        stream.read_u8().await.err()
    };
    match timeout(REASON_TIMEOUT, reading).await {
        Ok(Some(error)) if reason(&error).is_some() => Err(handshake_error(host, error).await),
        _ => Err(ProbeError::unavailable("closed the connection unanswered")),
    }
}

fn reason(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Returns the error for a failed TLS handshake.
async fn handshake_error(host: &Host, error: io::Error) -> ProbeError {
    let words = match reason(&error) {
        Some(rustls::Error::InvalidCertificate(wrong)) => certificate_words(wrong),
        Some(rustls::Error::AlertReceived(alert)) => alert_words(*alert),
        Some(rustls::Error::PeerIncompatible(_)) => "has no version of TLS that we have",
        // The server has sent something that is not TLS, or nothing.
        Some(rustls::Error::InvalidMessage(_)) | None => {
            if answers_without_tls(host).await {
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

async fn answers_without_tls(host: &Host) -> bool {
    match connect(host).await {
        Ok(stream) => probe_without_tls(stream).await.is_ok(),
        Err(_) => false,
    }
}

fn certificate_words(wrong: &CertificateError) -> &'static str {
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

fn alert_words(alert: AlertDescription) -> &'static str {
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
        // Before TLS 1.3 a server also sends this if our certificate is missing.
        Alert::HandshakeFailure => "refused the TLS handshake",
        _ => "refused the TLS connection",
    }
}

/// Sends the request, and returns the first byte of the answer. `None`: there is no answer.
async fn first_byte(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<Option<u8>> {
    stream.write_all(REQUEST).await?;
    stream.flush().await?;
    let mut byte = [0];
    let read = stream.read(&mut byte).await?;
    Ok((read > 0).then_some(byte[0]))
}

/// Reads the rest of the answer and returns the name. The answer is a header, whose first byte has been read, then `node`, a tab and the
/// name.
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
            is_accepted: true,
        }
    }

    fn tls(words: impl Into<String>) -> ProbeError {
        ProbeError::new(Code::Tls, words)
    }

    fn unavailable(words: impl Into<String>) -> ProbeError {
        ProbeError::new(Code::Unavailable, words)
    }

    fn not_accepted(mut self) -> ProbeError {
        self.is_accepted = false;
        self
    }

    fn caused_by(mut self, error: io::Error) -> ProbeError {
        self.cause = Some(error.to_string());
        self
    }
}

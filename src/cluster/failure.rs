//! Turns the crate's errors into ours.
//!
//! Some of the crate's kinds and codes are misleading (verified with 3.0.0). A command that ran out of retries is always kind
//! `Timeout`, code -11, with the real failure as its cause. A client without any node left fails everything with "invalid namespace".

use aerospike::{Client, ClientResultCode, ErrorKind, ResultCode};

use super::credentials::Auth;
use super::options::Options;
use crate::error::{Code, Error};

/// What a failure means for the repetitions of a command.
pub enum Kind {
    /// The record does not exist.
    Missing,
    /// The record does not pass the filter.
    Filtered,
    /// The record has another generation.
    Moved,
    /// A bin holds another type.
    WrongType,
    /// A repetition may succeed.
    Transient,
    /// A repetition would fail in the same way.
    Permanent,
}

/// The failure of a command.
#[derive(Debug, Clone)]
pub enum Failure {
    Client(aerospike::Error),
    /// The server's result code, if it comes from the server, and whether a write may have been applied.
    #[cfg(test)]
    Simulated(Option<ResultCode>, bool),
}

impl Failure {
    pub fn server_result_code(&self) -> Option<ResultCode> {
        match self {
            Failure::Client(error) => error.server_result_code(),
            #[cfg(test)]
            Failure::Simulated(code, _) => *code,
        }
    }

    /// Returns the crate's error. `None`: it is simulated.
    fn error(&self) -> Option<&aerospike::Error> {
        match self {
            Failure::Client(error) => Some(error),
            #[cfg(test)]
            Failure::Simulated(..) => None,
        }
    }

    /// Returns whether the crate could not read the answer of a node. It then gives up the rest of the answer, with all its rows.
    pub fn is_unreadable(&self) -> bool {
        matches!(
            self.error().map(aerospike::Error::kind),
            Some(ErrorKind::InvalidUtf8(_) | ErrorKind::BadResponse)
        )
    }

    /// Returns whether no known node has the partition of the command.
    pub fn lacks_node(&self) -> bool {
        self.error().is_some_and(lacks_node)
    }
}

/// Returns the error for a failure of a simulated cluster.
#[cfg(test)]
pub fn simulated(failure: &Failure) -> Error {
    let Failure::Simulated(code, in_doubt) = failure else {
        return Error::given_up();
    };
    let code = code.map_or(Code::Unavailable, code_of);
    Error::new(code, "simulated").in_doubt(*in_doubt)
}

pub fn kind(failure: &Failure) -> Kind {
    match failure.server_result_code() {
        Some(ResultCode::KeyNotFoundError) => return Kind::Missing,
        Some(ResultCode::FilteredOut) => return Kind::Filtered,
        Some(ResultCode::GenerationError) => return Kind::Moved,
        Some(ResultCode::BinTypeError) => return Kind::WrongType,
        Some(code) if is_transient(code) => return Kind::Transient,
        Some(_) => return Kind::Permanent,
        None => {}
    }
    // A simulated failure without a result code is a broken connection.
    match failure.error().map(aerospike::Error::kind) {
        None => Kind::Transient,
        Some(kind) => kind_of(kind),
    }
}

fn kind_of(kind: &ErrorKind) -> Kind {
    match kind {
        ErrorKind::Timeout
        | ErrorKind::Connection
        | ErrorKind::ConnectionPoolEmpty
        | ErrorKind::NoMoreConnections
        | ErrorKind::MaxErrorRate
        | ErrorKind::InvalidNode
        | ErrorKind::Io(_) => Kind::Transient,
        // The crate has no partition map. Either no node is left, or the namespace does not exist. That is not known yet.
        ErrorKind::InvalidNamespace => Kind::Transient,
        _ => Kind::Permanent,
    }
}

/// Returns whether a repetition may succeed after this result code.
fn is_transient(code: ResultCode) -> bool {
    matches!(
        code,
        ResultCode::Timeout
            | ResultCode::KeyBusy
            | ResultCode::DeviceOverload
            | ResultCode::PartitionUnavailable
            // The login of this connection has expired. Another connection, or a new client, may have a valid one.
            | ResultCode::NotAuthenticated
            | ResultCode::ExpiredSession
    )
}

/// Returns whether the server says that the connection has no login, or an expired one.
pub fn is_not_logged_in(failure: &Failure) -> bool {
    matches!(
        failure.server_result_code(),
        Some(ResultCode::NotAuthenticated | ResultCode::ExpiredSession)
    )
}

/// Returns the error of an operation that failed in the server or in the crate.
///
/// `namespace`: the namespace of the operation, if it has one.
pub fn operation(
    options: &Options,
    client: &Client,
    error: &aerospike::Error,
    namespace: Option<&str>,
) -> Error {
    let code = match error.server_result_code() {
        Some(code) => code_of(code),
        None if lacks_node(error) => Code::Unavailable,
        None => match error.kind() {
            _ if !client.is_connected() => Code::Unavailable,
            // The crate does not know the namespace, perhaps only because it has just connected, see `namespaces`.
            ErrorKind::InvalidNamespace => Code::Unavailable,
            _ if never_sent(error) => Code::Unavailable,
            ErrorKind::Timeout => Code::Timeout,
            ErrorKind::Connection
            | ErrorKind::ConnectionPoolEmpty
            | ErrorKind::NoMoreConnections
            | ErrorKind::MaxErrorRate
            | ErrorKind::InvalidNode
            | ErrorKind::Io(_) => Code::Unavailable,
            ErrorKind::InvalidUtf8(_) | ErrorKind::BadResponse => Code::BadData,
            _ => Code::Server,
        },
    };
    let is_incomplete = client.is_connected() && lacks_node(error);
    let message = match code {
        Code::Unavailable if error.server_result_code().is_some() || is_incomplete => format!(
            "no node has the part of the data that this session belongs to at present{}",
            node_suffix(error.node())
        ),
        Code::Unavailable
            if client.is_connected() && matches!(error.kind(), ErrorKind::InvalidNamespace) =>
        {
            unknown_namespace(namespace.unwrap_or_default()).message
        }
        Code::Unavailable if client.is_connected() && !never_sent(error) => {
            format!(
                "the connection broke before the answer came{}",
                node_suffix(error.node())
            )
        }
        Code::Unavailable => no_node(options),
        Code::Timeout => timeout_message(options, error.node()),
        Code::Namespace => format!(
            "{}{}",
            missing_namespace_message(namespace),
            node_suffix(error.node())
        ),
        _ => format!("{}{}", message_of(code, error), node_suffix(error.node())),
    };
    let mut result = Error::new(code, message)
        .caused_by(error.base_message())
        .in_doubt(may_be_applied(error));
    // If a command ran out of retries, the crate's own code says nothing. The server's code is in the cause.
    let server_code = error.server_result_code();
    result.result_code =
        Some(server_code.map_or_else(|| error.result_code(), |code| u8::from(code).into()));
    result
}

/// Returns whether a write that failed may have been applied.
///
/// For the crate every command is in doubt that it has sent and would have repeated. But a write that the server has refused was not
/// applied, whatever the reason. Only the server's "timeout" can come from the middle of a write.
fn may_be_applied(error: &aerospike::Error) -> bool {
    match error.server_result_code() {
        Some(ResultCode::Timeout) | None => error.in_doubt(),
        Some(_) => false,
    }
}

/// Returns whether it is certain that a write was not applied, although an attempt has failed.
///
/// The crate's own flag is not used for result codes: it does not set it for the server's "timeout" in a row of a batch.
pub fn is_surely_not_applied(failure: &Failure) -> bool {
    match failure {
        Failure::Client(error) => match error.server_result_code() {
            // It can come from the middle of a write.
            Some(ResultCode::Timeout) => false,
            Some(_) => true,
            None => !error.in_doubt() && was_not_sent(error),
        },
        #[cfg(test)]
        Failure::Simulated(code, in_doubt) => !in_doubt && *code != Some(ResultCode::Timeout),
    }
}

/// Returns whether the crate failed before it began to send: it had no node, or no connection to it.
fn was_not_sent(error: &aerospike::Error) -> bool {
    never_sent(error)
        || lacks_node(error)
        || matches!(
            error.kind(),
            ErrorKind::InvalidNamespace
                | ErrorKind::NoMoreConnections
                | ErrorKind::ConnectionPoolEmpty
                | ErrorKind::MaxErrorRate
        )
}

/// Returns the error of an operation that was not answered within its deadline.
pub fn timed_out(options: &Options, client: &Client) -> Error {
    timeout_or_unreachable(options, client, timeout_message(options, None))
}

/// Returns the error of an operation without any answer for several times the timeout.
pub fn silent(options: &Options, client: &Client, times: u32) -> Error {
    let within = (options.timeout * times).as_millis();
    let words = format!("no answer within {within} ms ({times} times option 'timeout')");
    timeout_or_unreachable(options, client, words)
}

/// Returns the error if the building of an index makes no progress.
pub fn no_progress(options: &Options, times: u32) -> Error {
    let within = (options.timeout * times).as_secs();
    let words = format!(
        "the servers have not got on with the index for {within} s ({times} times option 'timeout'); they may still complete it"
    );
    Error::new(Code::Timeout, words)
}

fn timeout_or_unreachable(options: &Options, client: &Client, message: String) -> Error {
    match client.is_connected() {
        true => Error::new(Code::Timeout, message),
        false => unreachable(options, None),
    }
}

/// Returns the error of a scan if no node answers for some partitions.
pub fn incomplete() -> Error {
    Error::new(
        Code::Unavailable,
        "a part of the sessions cannot be read at present: no node answers for it",
    )
}

/// Returns the error of an attempt to connect that failed after the seeds had answered (see `seed_probe`). The crate reports the
/// reasons of the seeds only as text.
pub fn connect_failed(options: &Options, error: &aerospike::Error) -> Error {
    let text = error.to_string();
    let refused = LOGIN_REFUSED.iter().find(|(part, _)| text.contains(part));
    if let Some((_, words)) = refused {
        return Error::new(Code::Auth, format!("{} {words}", hosts(options)));
    }
    // Without a login a node does not even report its name.
    if matches!(options.auth, Auth::None) && text.contains("Missing node name") {
        let message = format!("{} asks for a user and a password", hosts(options));
        return Error::new(Code::Auth, message);
    }
    if let Some(expected) = &options.cluster_name
        && (text.contains("Cluster name mismatch") || text.contains("Missing cluster name"))
    {
        let words = format!("is not of cluster '{expected}' (option 'clusterName')");
        let message = format!("{} {words}", hosts(options));
        return Error::new(Code::Server, message).caused_by(text);
    }
    if HANDSHAKE_FAILED.iter().any(|part| text.contains(part)) {
        let message = format!("no TLS connection to a node behind {}", hosts(options));
        return Error::new(Code::Tls, message).caused_by(text);
    }
    unreachable(options, Some(text))
}

/// The crate's texts for a refused login, and our messages.
const LOGIN_REFUSED: [(&str, &str); 9] = [
    ("Invalid credential", "refused the user or the password"),
    ("Invalid user", "refused the user or the password"),
    ("Invalid password", "refused the user or the password"),
    ("Expired password", "refused a password that has expired"),
    ("Forbidden password", "refused a password that is forbidden"),
    ("Login session expired", "refused a login that has expired"),
    ("Not authenticated", "asks for a user and a password"),
    (
        "not allowlisted",
        "does not let the user in from this address",
    ),
    (
        "Security not supported",
        "knows no users: it takes no user and no password",
    ),
];

/// The crate's texts for a failed TLS handshake.
const HANDSHAKE_FAILED: [&str; 3] = [
    "invalid peer certificate",
    "invalid dns name",
    "received fatal alert",
];

/// Returns the error if every node says that the namespace does not exist.
pub fn no_namespace(namespace: &str) -> Error {
    let mut error = Error::new(Code::Namespace, missing_namespace_message(Some(namespace)));
    error.result_code = Some(u8::from(ResultCode::InvalidNamespace).into());
    error
}

/// Returns the error if no node has reported partitions of this namespace, but it may exist.
pub fn unknown_namespace(namespace: &str) -> Error {
    let message = format!(
        "no node that answers has partitions of namespace '{namespace}' (option 'namespace') at present"
    );
    Error::new(Code::Unavailable, message)
}

fn missing_namespace_message(namespace: Option<&str>) -> String {
    match namespace {
        Some(name) => format!("the cluster has no namespace '{name}' (option 'namespace')"),
        None => "the cluster has no such namespace (option 'namespace')".to_owned(),
    }
}

/// Returns the error of a session that is too large for any server.
pub fn too_big() -> Error {
    Error::new(Code::TooBig, TOO_BIG)
}

const TOO_BIG: &str = "the session is larger than the server stores in one record";

/// The option that limits how long to wait for an answer.
#[derive(Clone, Copy)]
pub enum Limit {
    Timeout,
    ConnectTimeout,
}

impl Limit {
    pub fn words(self, options: &Options) -> String {
        let (name, time) = match self {
            Limit::Timeout => ("timeout", options.timeout),
            Limit::ConnectTimeout => ("connectTimeout", options.connect_timeout),
        };
        format!("within {} ms (option '{name}')", time.as_millis())
    }
}

/// Returns the error if no node has answered within a limit.
pub fn unanswered(options: &Options, limit: Limit) -> Error {
    let cause = format!("no answer {}", limit.words(options));
    unreachable(options, Some(cause))
}

/// Returns the error if no node could be reached.
pub fn unreachable(options: &Options, cause: Option<String>) -> Error {
    let error = Error::new(Code::Unavailable, no_node(options));
    match cause {
        Some(cause) => error.caused_by(cause),
        None => error,
    }
}

fn no_node(options: &Options) -> String {
    format!(
        "no Aerospike node could be reached (tried {})",
        hosts(options)
    )
}

fn timeout_message(options: &Options, node: Option<&str>) -> String {
    let limit = Limit::Timeout.words(options);
    format!("no answer {limit}{}", node_suffix(node))
}

fn hosts(options: &Options) -> String {
    let names: Vec<String> = options.hosts.iter().map(ToString::to_string).collect();
    names.join(", ")
}

fn node_suffix(node: Option<&str>) -> String {
    node.map_or(String::new(), |node| format!(" (node {node})"))
}

/// Returns whether no known node has the partition of the command. If a command ran out of retries, the cause says so.
pub fn lacks_node(error: &aerospike::Error) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.cause());
    causes.any(|error| matches!(error.kind(), ErrorKind::InvalidNode))
}

/// Returns whether the command waited for a connection and never got one.
fn never_sent(error: &aerospike::Error) -> bool {
    error.iteration() == Some(0)
        || error.matches_client(&[
            ClientResultCode::ServerNotAvailable,
            ClientResultCode::NoMoreConnections,
        ])
}

fn code_of(code: ResultCode) -> Code {
    match code {
        ResultCode::Timeout => Code::Timeout,
        ResultCode::RecordTooBig => Code::TooBig,
        ResultCode::InvalidNamespace => Code::Namespace,
        ResultCode::FailForbidden | ResultCode::AlwaysForbidden => Code::Forbidden,
        ResultCode::KeyBusy
        | ResultCode::DeviceOverload
        | ResultCode::ServerMemError
        | ResultCode::QuotaExceeded => Code::Overload,
        ResultCode::PartitionUnavailable => Code::Unavailable,
        ResultCode::InvalidUser
        | ResultCode::InvalidPassword
        | ResultCode::InvalidCredential
        | ResultCode::ExpiredPassword
        | ResultCode::ForbiddenPassword
        | ResultCode::ExpiredSession
        | ResultCode::NotAuthenticated
        | ResultCode::RoleViolation => Code::Auth,
        ResultCode::BinTypeError => Code::BadData,
        _ => Code::Server,
    }
}

fn message_of(code: Code, error: &aerospike::Error) -> String {
    match code {
        Code::TooBig => TOO_BIG.into(),
        Code::Forbidden => "the server forbids this operation".into(),
        Code::Overload => match error.server_result_code() {
            Some(ResultCode::ServerMemError) => {
                "the namespace is full: the server takes no more writes until records have ended or been removed"
            }
            Some(ResultCode::QuotaExceeded) => "the user's quota of operations per second is used up",
            Some(ResultCode::KeyBusy) => "too many writes wait for this session",
            _ => "the server's storage cannot keep up with the writes",
        }
        .into(),
        Code::Auth => "the server refused the user, the password or the user's permissions".into(),
        Code::BadData => "the record holds what is no session".into(),
        // We send nothing else that needs the Enterprise Edition.
        _ if error.matches(&[ResultCode::EnterpriseOnly]) => {
            "option 'durableDelete' needs the Enterprise Edition of Aerospike".into()
        }
        _ => format!("the server answered: {}", error.base_message()),
    }
}

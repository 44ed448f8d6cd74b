//! The crate's errors in our words.
//!
//! The crate's kinds and codes mislead here and there (facts verified on 3.0.0): a command that
//! ran out of retries is always kind `Timeout`, code -11, with the real failure as its cause; a
//! client that has lost every node answers "invalid namespace" to everything.

use aerospike::{Client, ClientResultCode, ErrorKind, ResultCode};

use super::credentials::Auth;
use super::options::Options;
use crate::error::{Code, Error};

/// What an error means for the loop that runs a command.
pub enum Kind {
    /// The record is not there, or a filter kept the command from it.
    Missing,
    /// The record has another generation.
    Moved,
    /// A bin holds another type.
    WrongType,
    /// May be gone the next time: worth repeating where that is safe.
    Passing,
    /// Will be the same the next time.
    Final,
}

/// What a command has failed with.
#[derive(Debug, Clone)]
pub enum Failure {
    Client(aerospike::Error),
    /// The server's result code, if it was the server, and whether a write may have been applied.
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

    /// The crate's error; `None` of one that is simulated.
    fn error(&self) -> Option<&aerospike::Error> {
        match self {
            Failure::Client(error) => Some(error),
            #[cfg(test)]
            Failure::Simulated(..) => None,
        }
    }

    /// Whether the crate could not make sense of what a node answered: it gives up the rest of the answer then, and all
    /// rows in it.
    pub fn is_unreadable(&self) -> bool {
        matches!(
            self.error().map(aerospike::Error::kind),
            Some(ErrorKind::InvalidUtf8(_) | ErrorKind::BadResponse)
        )
    }

    /// Whether no node that is known has the part of the data that was asked for.
    pub fn lacks_node(&self) -> bool {
        self.error().is_some_and(lacks_node)
    }
}

/// A failure of a simulated cluster.
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
        Some(ResultCode::KeyNotFoundError | ResultCode::FilteredOut) => return Kind::Missing,
        Some(ResultCode::GenerationError) => return Kind::Moved,
        Some(ResultCode::BinTypeError) => return Kind::WrongType,
        Some(code) if is_passing(code) => return Kind::Passing,
        Some(_) => return Kind::Final,
        None => {}
    }
    // A simulated failure that is no server's is of a connection.
    match failure.error().map(aerospike::Error::kind) {
        None => Kind::Passing,
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
        | ErrorKind::Io(_) => Kind::Passing,
        // No partition map: no node is left, or the namespace is not there. Only time tells.
        ErrorKind::InvalidNamespace => Kind::Passing,
        _ => Kind::Final,
    }
}

/// Result codes that a later attempt may well not meet.
fn is_passing(code: ResultCode) -> bool {
    matches!(
        code,
        ResultCode::Timeout
            | ResultCode::KeyBusy
            | ResultCode::DeviceOverload
            | ResultCode::PartitionUnavailable
            // A connection whose login is no more: another one, or another client, has one.
            | ResultCode::NotAuthenticated
            | ResultCode::ExpiredSession
    )
}

/// The connection is that of nobody, as far as the server knows, or of somebody whose login has expired.
pub fn is_not_logged_in(failure: &Failure) -> bool {
    matches!(
        failure.server_result_code(),
        Some(ResultCode::NotAuthenticated | ResultCode::ExpiredSession)
    )
}

/// An operation the server or the crate failed.
///
/// `namespace`: that of the operation, if it has one.
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
            // Not known to the crate, which may only be early, see `namespaces`.
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
            at(error.node())
        ),
        Code::Unavailable
            if client.is_connected() && matches!(error.kind(), ErrorKind::InvalidNamespace) =>
        {
            unknown_namespace(namespace.unwrap_or_default()).message
        }
        Code::Unavailable if client.is_connected() && !never_sent(error) => {
            format!(
                "the connection broke before the answer came{}",
                at(error.node())
            )
        }
        Code::Unavailable => no_node(options),
        Code::Timeout => late_words(options, error.node()),
        Code::Namespace => format!("{}{}", lacks(namespace), at(error.node())),
        _ => format!("{}{}", words(code, error), at(error.node())),
    };
    let mut told = Error::new(code, message)
        .caused_by(error.base_message())
        .in_doubt(may_be_applied(error));
    // Of a command that ran out of tries the crate's own code tells nothing: what the server said is behind it.
    let said = error.server_result_code();
    told.result_code = Some(said.map_or_else(|| error.result_code(), |code| u8::from(code).into()));
    told
}

/// Whether a write that failed may have been applied all the same.
///
/// The crate is in doubt of everything that it sent and would have tried again; but what a server has refused was not
/// applied, whatever the reason. Only its "timeout" can come from the middle of a write.
fn may_be_applied(error: &aerospike::Error) -> bool {
    match error.server_result_code() {
        Some(ResultCode::Timeout) | None => error.in_doubt(),
        Some(_) => false,
    }
}

/// No answer within the deadline.
pub fn late(options: &Options, client: &Client) -> Error {
    of_silence(options, client, late_words(options, None))
}

/// Nothing heard for several times the timeout.
pub fn silent(options: &Options, client: &Client, times: u32) -> Error {
    let within = (options.timeout * times).as_millis();
    let words = format!("no answer within {within} ms ({times} times option 'timeout')");
    of_silence(options, client, words)
}

/// The building of an index does not get on.
pub fn standstill(options: &Options, times: u32) -> Error {
    let within = (options.timeout * times).as_secs();
    let words = format!(
        "the servers have not got on with the index for {within} s ({times} times option 'timeout'); they may still complete it"
    );
    Error::new(Code::Timeout, words)
}

fn of_silence(options: &Options, client: &Client, words: String) -> Error {
    match client.is_connected() {
        true => Error::new(Code::Timeout, words),
        false => unreachable(options, None),
    }
}

/// Partitions that nobody would read.
pub fn incomplete() -> Error {
    Error::new(
        Code::Unavailable,
        "a part of the sessions cannot be read at present: no node answers for it",
    )
}

/// An attempt to connect that failed, after the seeds had answered (see `knock`). What each of them said reaches us
/// only as text.
pub fn connecting(options: &Options, error: &aerospike::Error) -> Error {
    let said = error.to_string();
    let refused = LOGIN_REFUSED.iter().find(|(text, _)| said.contains(text));
    if let Some((_, words)) = refused {
        return Error::new(Code::Auth, format!("{} {words}", hosts(options)));
    }
    // A node tells nothing, not even its name, to who has not logged in.
    if matches!(options.auth, Auth::None) && said.contains("Missing node name") {
        let message = format!("{} asks for a user and a password", hosts(options));
        return Error::new(Code::Auth, message);
    }
    if let Some(expected) = &options.cluster_name {
        if said.contains("Cluster name mismatch") || said.contains("Missing cluster name") {
            let words = format!("is not of cluster '{expected}' (option 'clusterName')");
            let message = format!("{} {words}", hosts(options));
            return Error::new(Code::Server, message).caused_by(said);
        }
    }
    if HANDSHAKE_FAILED.iter().any(|text| said.contains(text)) {
        let message = format!("no TLS connection to a node behind {}", hosts(options));
        return Error::new(Code::Tls, message).caused_by(said);
    }
    unreachable(options, Some(said))
}

/// What the crate says of a login that was refused, and what we say.
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

/// What the crate says of a handshake that failed.
const HANDSHAKE_FAILED: [&str; 3] = [
    "invalid peer certificate",
    "invalid dns name",
    "received fatal alert",
];

/// Every node says that there is no such namespace.
pub fn no_namespace(namespace: &str) -> Error {
    let mut error = Error::new(Code::Namespace, lacks(Some(namespace)));
    error.result_code = Some(u8::from(ResultCode::InvalidNamespace).into());
    error
}

/// No node has reported its partitions of this namespace, and it is not certain that there is none.
pub fn unknown_namespace(namespace: &str) -> Error {
    let message = format!(
        "no node that answers has partitions of namespace '{namespace}' (option 'namespace') at present"
    );
    Error::new(Code::Unavailable, message)
}

fn lacks(namespace: Option<&str>) -> String {
    match namespace {
        Some(name) => format!("the cluster has no namespace '{name}' (option 'namespace')"),
        None => "the cluster has no such namespace (option 'namespace')".to_owned(),
    }
}

/// Of a session that no server takes.
pub fn too_big() -> Error {
    Error::new(Code::TooBig, TOO_BIG)
}

const TOO_BIG: &str = "the session is larger than the server stores in one record";

/// The option that decides how long an answer is waited for.
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

/// No node answered yet.
pub fn unanswered(options: &Options, limit: Limit) -> Error {
    let cause = format!("no answer {}", limit.words(options));
    unreachable(options, Some(cause))
}

/// No node answered.
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

fn late_words(options: &Options, node: Option<&str>) -> String {
    format!("no answer {}{}", Limit::Timeout.words(options), at(node))
}

fn hosts(options: &Options) -> String {
    let names: Vec<String> = options.hosts.iter().map(ToString::to_string).collect();
    names.join(", ")
}

fn at(node: Option<&str>) -> String {
    node.map_or(String::new(), |node| format!(" (node {node})"))
}

/// No node that is known has the part of the data that was asked for. A command that ran out of tries says so in its cause.
pub fn lacks_node(error: &aerospike::Error) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.cause());
    causes.any(|error| matches!(error.kind(), ErrorKind::InvalidNode))
}

/// QueuedCommand for a connection and never getting one, as the crate tells it.
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

fn words(code: Code, error: &aerospike::Error) -> String {
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
        // Nothing else that is sent needs it.
        _ if error.matches(&[ResultCode::EnterpriseOnly]) => {
            "option 'durableDelete' needs the Enterprise Edition of Aerospike".into()
        }
        _ => format!("the server answered: {}", error.base_message()),
    }
}

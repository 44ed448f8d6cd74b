//! A fault as a command describes it, and its validation.

use serde::{Deserialize, Serialize};

use super::code::Code;
use super::key::Key;
use super::operations::{Operation, Operations};

/// The longest delay, and the longest duration of a fault: one day, in milliseconds.
const MAX_MS: u64 = 24 * 60 * 60 * 1000;

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Waits.
    Latency,
    /// Closes the connection (FIN).
    Drop,
    /// Resets the connection (RST).
    Reset,
    /// Keeps the connection open and never sends anything on it again.
    Silent,
    /// Closes the node's port. New connections are refused; existing connections stay open.
    Refuse,
    /// Responds with a result code.
    Code,
    /// Refuses writes with DEVICE_OVERLOAD, as a server does if its device cannot keep up.
    Overload,
    /// Stops a node as SIGSTOP does.
    Freeze,
}

/// When a fault strikes a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// Before anything is done.
    #[default]
    Before,
    /// After the request was executed, before the response.
    After,
    /// When half of the response is sent.
    MidReply,
}

/// A fault as a command describes it. Without a filter it strikes every request that its kind applies to.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    pub kind: Kind,
    /// The operations it strikes.
    pub on: Option<Operations>,
    /// The number of the node it strikes.
    pub node: Option<usize>,
    pub namespace: Option<String>,
    pub set: Option<String>,
    pub key: Option<Key>,
    /// It is over after this many strikes.
    pub times: Option<u64>,
    /// More than 0, at most 1.
    pub probability: Option<f64>,
    pub seed: Option<u64>,
    /// Milliseconds after which it is over.
    pub lasts: Option<u64>,
    /// Latency in milliseconds.
    pub ms: Option<u64>,
    /// A random delay of up to this many milliseconds in addition.
    pub jitter: Option<u64>,
    pub when: Option<When>,
    pub code: Option<Code>,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Latency => "latency",
            Kind::Drop => "drop",
            Kind::Reset => "reset",
            Kind::Silent => "silent",
            Kind::Refuse => "refuse",
            Kind::Code => "code",
            Kind::Overload => "overload",
            Kind::Freeze => "freeze",
        }
    }

    /// Whether it is a state of a node rather than an effect on requests.
    pub fn affects_node(self) -> bool {
        matches!(self, Kind::Refuse | Kind::Freeze)
    }

    /// Whether it strikes whole requests and their connection.
    pub fn affects_connection(self) -> bool {
        !self.affects_node() && !self.affects_record()
    }

    /// Whether it strikes records one by one, also those of a batch.
    pub fn affects_record(self) -> bool {
        matches!(self, Kind::Code | Kind::Overload)
    }

    fn accepts(self, field: &str) -> bool {
        match field {
            "ms" | "jitter" => self == Kind::Latency,
            "code" => self == Kind::Code,
            "when" => !self.affects_node() && self != Kind::Overload,
            "on" => !self.affects_node() && self != Kind::Overload,
            _ => !self.affects_node(),
        }
    }
}

impl Spec {
    /// Validates the fault for a server with this many nodes. Returns a description of what is invalid.
    pub fn check(&self, nodes: usize) -> Result<(), String> {
        let given = [
            ("on", self.on.is_some()),
            ("namespace", self.namespace.is_some()),
            ("set", self.set.is_some()),
            ("key", self.key.is_some()),
            ("times", self.times.is_some()),
            ("probability", self.probability.is_some()),
            ("seed", self.seed.is_some()),
            ("ms", self.ms.is_some()),
            ("jitter", self.jitter.is_some()),
            ("when", self.when.is_some()),
            ("code", self.code.is_some()),
        ];
        let kind = self.kind.name();
        for (field, is_given) in given {
            if is_given && !self.kind.accepts(field) {
                return Err(format!("a fault of kind '{kind}' takes no '{field}'"));
            }
        }
        if self.kind == Kind::Latency && self.ms.is_none() {
            return Err("a fault of kind 'latency' needs 'ms', a number of milliseconds".into());
        }
        if self.kind == Kind::Code {
            self.check_code()?;
        }
        for (field, value) in [("ms", self.ms), ("jitter", self.jitter)] {
            if value.is_some_and(|ms| ms > MAX_MS) {
                return Err(format!("'{field}' must be at most {MAX_MS} (a day)"));
            }
        }
        if self.lasts.is_some_and(|ms| ms == 0 || ms > MAX_MS) {
            return Err(format!("'lasts' must be from 1 to {MAX_MS} (a day)"));
        }
        if self.times == Some(0) {
            return Err("'times' must be at least 1".into());
        }
        if self.probability.is_some_and(|p| !(p > 0.0 && p <= 1.0)) {
            return Err("'probability' must be more than 0 and at most 1".into());
        }
        match self.node {
            Some(node) if node >= nodes => Err(format!(
                "there is no node {node}: the nodes are 0 to {}",
                nodes.saturating_sub(1)
            )),
            _ => Ok(()),
        }
    }

    fn check_code(&self) -> Result<(), String> {
        if self.code.is_none() {
            return Err(
                "a fault of kind 'code' needs 'code', a result code or the name of one".into(),
            );
        }
        if self.when == Some(When::MidReply) {
            return Err("a fault of kind 'code' strikes 'before' or 'after'".into());
        }
        if self
            .on
            .is_some_and(|on| !on.is_subset_of(Operations::RECORDS))
        {
            return Err(
                "a fault of kind 'code' strikes read, write, touch, delete, batch and query".into(),
            );
        }
        Ok(())
    }

    /// The operations it strikes.
    pub fn operations(&self) -> Operations {
        match (self.on, self.kind) {
            (Some(on), _) => on,
            // The rows of a batch are struck one by one. The whole batch is struck only if `on` names it.
            (None, Kind::Code) => Operations::RECORDS.without(Operation::Batch),
            // Clients find the cluster with info and login. These are not struck unless `on` names them.
            (None, _) => Operations::RECORDS,
        }
    }
}

//! A fault as it is asked for: what the JSON says, and whether it makes sense.

use serde::{Deserialize, Serialize};

use super::code::Code;
use super::key::Key;
use super::operations::{Operation, Operations};

/// Milliseconds: longest delay, and longest life of a fault. A day.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;

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
    /// Keeps the connection open and never says anything on it again.
    Silent,
    /// Closes the node's port: who connects is refused, who is connected stays.
    Refuse,
    /// Answers with a result code.
    Code,
    /// Refuses writes with DEVICE_OVERLOAD, as a server does whose device cannot keep up.
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
    /// When the request was carried out, before it is answered.
    After,
    /// When half of the answer is sent.
    MidReply,
}

/// A fault as it is asked for. Without a filter it strikes every request that its kind is for.
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
    /// Up to so many milliseconds more, by chance.
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

    /// Whether it is the state of a node, rather than something that happens to requests.
    pub fn is_of_node(self) -> bool {
        matches!(self, Kind::Refuse | Kind::Freeze)
    }

    /// Whether it happens to whole requests and their connection.
    pub fn is_of_connection(self) -> bool {
        !self.is_of_node() && !self.is_of_record()
    }

    /// Whether it strikes records, also those of a batch, one by one.
    pub fn is_of_record(self) -> bool {
        matches!(self, Kind::Code | Kind::Overload)
    }

    fn takes(self, field: &str) -> bool {
        match field {
            "ms" | "jitter" => self == Kind::Latency,
            "code" => self == Kind::Code,
            "when" => !self.is_of_node() && self != Kind::Overload,
            "on" => !self.is_of_node() && self != Kind::Overload,
            _ => !self.is_of_node(),
        }
    }
}

impl Spec {
    /// Checks that the fault makes sense on a server of so many nodes; says what does not.
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
            if is_given && !self.kind.takes(field) {
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
            if value.is_some_and(|ms| ms > LONGEST_MS) {
                return Err(format!("'{field}' must be at most {LONGEST_MS} (a day)"));
            }
        }
        if self.lasts.is_some_and(|ms| ms == 0 || ms > LONGEST_MS) {
            return Err(format!("'lasts' must be from 1 to {LONGEST_MS} (a day)"));
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
        if self.on.is_some_and(|on| !on.within(Operations::RECORDS)) {
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
            // The rows of a batch are struck one by one; the whole of it only where that is asked for.
            (None, Kind::Code) => Operations::RECORDS.without(Operation::Batch),
            // Clients find their way by info and login: left alone unless they are named.
            (None, _) => Operations::RECORDS,
        }
    }
}

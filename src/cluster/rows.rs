//! Commands as rows of a batch, for the crate or for a simulated cluster.

#[cfg(test)]
use std::sync::Arc;

use aerospike::BatchOperation;
#[cfg(test)]
use aerospike::Key;

#[cfg(test)]
use super::command::{Command, Reply};
#[cfg(test)]
use super::failure::Failure;
#[cfg(test)]
use super::trace::Trace;

/// A command that is ready to be sent.
// Only tests have the simulated one, so the difference in size does not matter.
#[allow(clippy::large_enum_variant)]
pub enum Row {
    Client(BatchOperation),
    #[cfg(test)]
    Simulated(SimulatedRow),
}

/// The rows of one batch.
pub enum Rows {
    Client(Vec<BatchOperation>),
    #[cfg(test)]
    Simulated(Vec<SimulatedRow>),
}

impl Rows {
    pub fn push(&mut self, row: Row) {
        match (self, row) {
            (Rows::Client(rows), Row::Client(row)) => rows.push(row),
            #[cfg(test)]
            (Rows::Simulated(rows), Row::Simulated(row)) => rows.push(row),
            #[cfg(test)]
            _ => unreachable!("a row of another transport"),
        }
    }

    /// Calls `take` with each row, in order.
    pub fn for_each(self, mut take: impl FnMut(Row)) {
        match self {
            Rows::Client(rows) => rows.into_iter().for_each(|row| take(Row::Client(row))),
            #[cfg(test)]
            Rows::Simulated(rows) => rows.into_iter().for_each(|row| take(Row::Simulated(row))),
        }
    }
}

#[cfg(test)]
pub struct SimulatedRow {
    pub key: Key,
    pub command: Command,
    /// The trace of its operation, if that is traced.
    pub trace: Option<Arc<Trace>>,
    /// `None`: not answered.
    pub outcome: Option<Result<Reply, Failure>>,
}

#[cfg(test)]
impl SimulatedRow {
    pub fn new(key: &Key, command: &Command, trace: Option<&Arc<Trace>>) -> SimulatedRow {
        SimulatedRow {
            key: key.clone(),
            command: command.clone(),
            trace: trace.cloned(),
            outcome: None,
        }
    }
}

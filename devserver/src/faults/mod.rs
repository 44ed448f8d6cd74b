//! Fault injection: latency, lost connections, silence, a closed port, result codes, overload, a frozen node.
//!
//! | file | contents |
//! |---|---|
//! | [`spec`] | a fault as a command describes it, and its validation |
//! | [`operations`], [`code`], [`key`] | operations, result codes and keys as JSON writes them |
//! | [`fault`] | a fault that is set: its filters, its random numbers, its count |
//! | [`registry`] | all faults of a server |
//! | [`node_faults`] | the faults as one node sees them: where they strike |
//! | [`target`] | what the filters look at: a request, or one record of it |
//! | [`plan`] | what happens to a request and its connection |
//! | [`rng`] | reproducible random numbers |
//!
//! Faults strike in three places. A frozen node delays requests and responses, and a refusing node closes its port
//! (`node`). Faults of a connection are planned when a request has been read (`connection`). Result codes replace the
//! result of a command on one record (`cmd`), so that one row of a batch can fail. Without faults, each of these places
//! only loads one number.

mod code;
mod fault;
mod key;
mod node_faults;
mod operations;
mod plan;
mod registry;
mod rng;
mod spec;
mod target;

pub use code::Code;
pub use fault::FaultInfo;
pub use node_faults::NodeFaults;
pub use operations::{Operation, Operations};
pub use plan::{End, Plan};
pub use registry::Faults;
pub use spec::{Kind, Spec, When};
pub use target::Target;

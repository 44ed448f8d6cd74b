//! Faults on command: latency, lost connections, silence, a closed port, result codes, overload, a frozen node.
//!
//! | file | what |
//! |---|---|
//! | [`spec`] | a fault as it is asked for, and whether that makes sense |
//! | [`words`] | operations, result codes and keys as JSON writes them |
//! | [`fault`] | a fault that is set: its filters, its dice, its count |
//! | [`at_node`] | the faults as a node sees them: where they strike |
//! | [`target`] | what it looks at: a request, or one record of it |
//! | [`plan`] | what happens to a request and its connection |
//! | [`rng`] | chance that repeats |
//!
//! Faults strike in three places. A frozen node holds requests and answers back, and a refusing one closes its port
//! (`node`). What becomes of a connection is planned when a request has been read (`connection`). Result codes take
//! the place of a command on one record (`cmd`), so that one row of a batch can fail. Where no fault is set each of
//! these costs the load of one number.

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

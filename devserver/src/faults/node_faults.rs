//! The faults as one node sees them: whether it is frozen or refuses connections, and what strikes a request or a
//! record.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;

use super::code::Code;
use super::fault::Fault;
use super::plan::{End, Plan};
use super::registry::Faults;
use super::spec::{Kind, When};
use super::target::Target;
use crate::wire::result::ResultCode;

/// The faults as one node sees them.
pub struct NodeFaults {
    faults: Arc<Faults>,
    node: usize,
}

impl NodeFaults {
    /// Returns the faults as the node of this number sees them.
    pub fn new(faults: Arc<Faults>, node: usize) -> NodeFaults {
        NodeFaults { faults, node }
    }

    /// Whether no fault can strike. Checked first for every request.
    pub fn has_none(&self) -> bool {
        self.faults.active.load(Ordering::Relaxed) == 0
    }

    /// The faults of all nodes.
    pub fn all(&self) -> &Arc<Faults> {
        &self.faults
    }

    /// Returns a receiver that is notified when a fault is set, removed or over.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.faults.changed.subscribe()
    }

    /// Whether the node's port must be closed.
    pub fn is_refusing(&self) -> bool {
        !self.has_none() && self.faults.is_active(Kind::Refuse, self.node)
    }

    /// Whether the node is frozen.
    pub fn is_frozen(&self) -> bool {
        !self.has_none() && self.faults.is_active(Kind::Freeze, self.node)
    }

    /// Reports the state of the node's port: open, closed or, with `None`, given up.
    pub fn set_port_state(&self, open: Option<bool>) {
        if let Some(port) = self.faults.ports.get(self.node) {
            port.send_replace(open);
        }
    }

    /// Counts that the node's port was closed. The server does not see the connections that are then refused.
    pub fn count_refusal(&self) {
        self.count(Kind::Refuse);
    }

    /// Waits while the node is frozen.
    pub async fn thawed(&self) {
        if !self.is_frozen() {
            return;
        }
        let mut changes = self.changes();
        self.count(Kind::Freeze);
        while self.is_frozen() {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn count(&self, kind: Kind) {
        for fault in self.faults.snapshot() {
            if fault.is_active(kind, self.node) && fault.strikes() {
                return;
            }
        }
    }

    /// Plans what happens to a request that was just read. The faults strike in the order in which they were set,
    /// until one of them ends the connection. `each_target` shows the request and its records to the filters.
    pub fn plan(&self, each_target: impl FnOnce(&mut dyn FnMut(&Target<'_>))) -> Plan {
        let mut plan = Plan::default();
        if self.has_none() {
            return plan;
        }
        let mut faults = self.faults.snapshot();
        faults.retain(|fault| fault.spec.kind.affects_connection());
        let mut is_meant = vec![false; faults.len()];
        each_target(&mut |target| {
            for (fault, is_meant) in faults.iter().zip(&mut is_meant) {
                *is_meant |= fault.matches(self.node, target);
            }
        });
        for (fault, is_meant) in faults.iter().zip(is_meant) {
            if !is_meant || !self.strikes(fault) {
                continue;
            }
            let end = match fault.spec.kind {
                Kind::Drop => End::Closed,
                Kind::Reset => End::Reset,
                Kind::Silent => End::Silent,
                _ => {
                    plan.delay(fault.when(), fault.delay());
                    continue;
                }
            };
            plan.end(fault.when(), end);
            break;
        }
        plan
    }

    /// Returns the result code that replaces the result of a command, and whether it does so before or after the
    /// command is executed. `target` is only called if a fault is set.
    pub fn code<'a>(&self, target: impl FnOnce() -> Target<'a>) -> Option<(When, ResultCode)> {
        if self.has_none() {
            return None;
        }
        let target = target();
        let faults = self.faults.snapshot();
        let fault = faults.iter().find(|fault| {
            fault.spec.kind.affects_record()
                && fault.matches(self.node, &target)
                && self.strikes(fault)
        })?;
        let code = match fault.spec.code {
            Some(Code(code)) => code,
            None => ResultCode::DEVICE_OVERLOAD,
        };
        Some((fault.when(), code))
    }

    fn strikes(&self, fault: &Fault) -> bool {
        let strikes = fault.strikes();
        if strikes && fault.is_over() {
            self.faults.update_active();
        }
        strikes
    }
}

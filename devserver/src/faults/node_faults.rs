//! The faults as a node sees them: whether it is frozen or refuses, what a request meets, what a record answers.

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

    /// Whether no fault is set: the one thing asked of every request.
    pub fn is_quiet(&self) -> bool {
        self.faults.active.load(Ordering::Relaxed) == 0
    }

    /// The faults of all nodes.
    pub fn all(&self) -> &Arc<Faults> {
        &self.faults
    }

    /// Told whenever a fault comes or goes.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.faults.changed.subscribe()
    }

    /// Whether the node's port is to be closed.
    pub fn is_refusing(&self) -> bool {
        !self.is_quiet() && self.faults.stands(Kind::Refuse, self.node)
    }

    /// Whether the node is frozen.
    pub fn is_frozen(&self) -> bool {
        !self.is_quiet() && self.faults.stands(Kind::Freeze, self.node)
    }

    /// Told by the node: its port is open, closed, or, with `None`, given up.
    pub fn port_is(&self, open: Option<bool>) {
        if let Some(port) = self.faults.ports.get(self.node) {
            port.send_replace(open);
        }
    }

    /// Counts that the node's port was closed: who is refused then is seen by nobody.
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
            if fault.stands(kind, self.node) && fault.strikes() {
                return;
            }
        }
    }

    /// What a request meets that has just been read. The faults strike in the order they were set, until one of
    /// them ends the connection.
    pub fn plan(&self, each_target: impl FnOnce(&mut dyn FnMut(&Target<'_>))) -> Plan {
        let mut plan = Plan::default();
        if self.is_quiet() {
            return plan;
        }
        let mut faults = self.faults.snapshot();
        faults.retain(|fault| fault.spec.kind.is_of_connection());
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

    /// The result code that takes the place of a command's own, and whether the command is carried out before.
    /// `target` is only made where a fault is set.
    pub fn code<'a>(&self, target: impl FnOnce() -> Target<'a>) -> Option<(When, ResultCode)> {
        if self.is_quiet() {
            return None;
        }
        let target = target();
        let faults = self.faults.snapshot();
        let fault = faults.iter().find(|fault| {
            fault.spec.kind.is_of_record()
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
            self.faults.refresh();
        }
        strikes
    }
}

//! The faults that are set, for all nodes of a server together.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::fault::{Fault, FaultInfo};
use super::spec::{Kind, Spec};

/// Maximum number of faults that are set at a time.
const MAX_FAULTS: usize = 1000;

/// The faults of a server, for all its nodes.
pub struct Faults {
    /// How many can still strike.
    pub(super) active: AtomicUsize,
    list: Mutex<List>,
    pub(super) changed: watch::Sender<()>,
    /// Whether each node's port is open; `None`: the node does not run.
    pub(super) ports: Vec<watch::Sender<Option<bool>>>,
    weak_self: Weak<Faults>,
}

#[derive(Default)]
struct List {
    faults: Vec<Arc<Fault>>,
    /// The last faults that were removed. A caller may still ask how often they struck.
    removed: VecDeque<FaultInfo>,
    last_id: u64,
}

impl Faults {
    /// Creates an empty registry for a server with this many nodes.
    pub fn new(nodes: usize) -> Arc<Faults> {
        Arc::new_cyclic(|weak_self| Faults {
            active: AtomicUsize::new(0),
            list: Mutex::default(),
            changed: watch::Sender::default(),
            ports: (0..nodes).map(|_| watch::Sender::default()).collect(),
            weak_self: Weak::clone(weak_self),
        })
    }

    /// Sets a fault. It is in force when this returns.
    ///
    /// # Errors
    /// Describes what is invalid, or that there are too many faults.
    pub async fn inject(&self, spec: Spec) -> Result<FaultInfo, String> {
        spec.check(self.ports.len())?;
        let lasts = spec.lasts;
        let fault = {
            let mut list = self.list.lock();
            if list.faults.len() >= MAX_FAULTS {
                return Err(format!("{MAX_FAULTS} faults are set: clear some"));
            }
            list.last_id += 1;
            let fault = Arc::new(Fault::new(list.last_id, spec));
            list.faults.push(Arc::clone(&fault));
            fault
        };
        self.update_active();
        if let Some(ms) = lasts {
            tokio::spawn(end_later(
                Weak::clone(&self.weak_self),
                Arc::downgrade(&fault),
                Duration::from_millis(ms),
            ));
        }
        self.ports_settled().await;
        Ok(fault.info())
    }

    /// Returns the faults that are set, including those that are over.
    pub fn list(&self) -> Vec<FaultInfo> {
        self.snapshot().iter().map(|fault| fault.info()).collect()
    }

    /// Waits until a fault has struck `at_least` times or is over. Returns `None` if there is no such fault.
    pub async fn struck(&self, id: u64, at_least: u64) -> Option<u64> {
        let fault = self.snapshot().into_iter().find(|fault| fault.id == id);
        match fault {
            Some(fault) => Some(fault.struck_at_least(at_least).await),
            // It was removed.
            None => {
                let list = self.list.lock();
                let removed = list.removed.iter().find(|fault| fault.id == id);
                removed.map(|fault| fault.struck)
            }
        }
    }

    /// Removes the faults that `should_remove` selects, and returns them. They are no longer in force when this
    /// returns.
    pub async fn clear(&self, should_remove: impl Fn(&FaultInfo) -> bool) -> Vec<FaultInfo> {
        let gone = self.remove_matching(should_remove);
        self.update_active();
        self.ports_settled().await;
        gone
    }

    fn remove_matching(&self, should_remove: impl Fn(&FaultInfo) -> bool) -> Vec<FaultInfo> {
        let mut gone = Vec::new();
        let mut list = self.list.lock();
        list.faults.retain(|fault| {
            let info = fault.info();
            if !should_remove(&info) {
                return true;
            }
            fault.end();
            gone.push(FaultInfo {
                is_over: true,
                ..info
            });
            false
        });
        list.removed.extend(gone.iter().cloned());
        let beyond = list.removed.len().saturating_sub(MAX_FAULTS);
        list.removed.drain(..beyond);
        gone
    }

    pub(super) fn snapshot(&self) -> Vec<Arc<Fault>> {
        self.list.lock().faults.clone()
    }

    /// Updates the number of active faults, and notifies the nodes.
    pub(super) fn update_active(&self) {
        let list = self.list.lock();
        let active = list.faults.iter().filter(|fault| !fault.is_over()).count();
        self.active.store(active, Ordering::Relaxed);
        self.changed.send_replace(());
    }

    /// Whether a fault of this kind is active on a node.
    pub(super) fn is_active(&self, kind: Kind, node: usize) -> bool {
        let list = self.list.lock();
        list.faults.iter().any(|fault| fault.is_active(kind, node))
    }

    /// Waits until every port is in the state that the faults require.
    async fn ports_settled(&self) {
        for (node, port) in self.ports.iter().enumerate() {
            let mut port = port.subscribe();
            let is_settled = |open: &Option<bool>| match open {
                Some(open) => *open != self.is_active(Kind::Refuse, node),
                None => true,
            };
            // The sender lives as long as the registry.
            let _ = port.wait_for(is_settled).await;
        }
    }
}

/// Ends a fault after this time, if it still exists.
async fn end_later(faults: Weak<Faults>, fault: Weak<Fault>, after: Duration) {
    tokio::time::sleep(after).await;
    if let (Some(faults), Some(fault)) = (faults.upgrade(), fault.upgrade()) {
        fault.end();
        faults.update_active();
    }
}

//! The faults that are set, for all nodes of a server together.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::fault::{Fault, FaultInfo};
use super::spec::{Kind, Spec};

/// Most faults that are set at a time.
const MAX_FAULTS: usize = 1000;

/// The faults of a server, all its nodes together.
pub struct Faults {
    /// How many can still strike.
    pub(super) active: AtomicUsize,
    list: Mutex<List>,
    pub(super) changed: watch::Sender<()>,
    /// Whether each node's port is open; `None`: the node does not run.
    pub(super) ports: Vec<watch::Sender<Option<bool>>>,
    myself: Weak<Faults>,
}

#[derive(Default)]
struct List {
    faults: Vec<Arc<Fault>>,
    /// What the faults that were taken back last have come to: whoever set one may still ask.
    past: VecDeque<FaultInfo>,
    last_id: u64,
}

impl Faults {
    /// No faults, for a server of so many nodes.
    pub fn new(nodes: usize) -> Arc<Faults> {
        Arc::new_cyclic(|myself| Faults {
            active: AtomicUsize::new(0),
            list: Mutex::default(),
            changed: watch::Sender::default(),
            ports: (0..nodes).map(|_| watch::Sender::default()).collect(),
            myself: Weak::clone(myself),
        })
    }

    /// Sets a fault; when this returns it is in force.
    ///
    /// # Errors
    /// What makes no sense in it, or that there are too many.
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
        self.refresh();
        if let Some(ms) = lasts {
            tokio::spawn(end_later(
                Weak::clone(&self.myself),
                Arc::downgrade(&fault),
                Duration::from_millis(ms),
            ));
        }
        self.ports_settled().await;
        Ok(fault.info())
    }

    /// The faults that are set, those that are over included.
    pub fn list(&self) -> Vec<FaultInfo> {
        self.snapshot().iter().map(|fault| fault.info()).collect()
    }

    /// Waits until a fault struck so often, or is over. `None`: there is no such fault.
    pub async fn struck(&self, id: u64, at_least: u64) -> Option<u64> {
        let fault = self.snapshot().into_iter().find(|fault| fault.id == id);
        match fault {
            Some(fault) => Some(fault.struck_at_least(at_least).await),
            // It was taken back.
            None => {
                let list = self.list.lock();
                let past = list.past.iter().find(|fault| fault.id == id);
                past.map(|fault| fault.struck)
            }
        }
    }

    /// Takes back the faults that `goes` says; when this returns they are gone. What they came to.
    pub async fn clear(&self, goes: impl Fn(&FaultInfo) -> bool) -> Vec<FaultInfo> {
        let gone = self.take_back(goes);
        self.refresh();
        self.ports_settled().await;
        gone
    }

    fn take_back(&self, goes: impl Fn(&FaultInfo) -> bool) -> Vec<FaultInfo> {
        let mut gone = Vec::new();
        let mut list = self.list.lock();
        list.faults.retain(|fault| {
            let info = fault.info();
            if !goes(&info) {
                return true;
            }
            fault.end();
            gone.push(FaultInfo {
                is_over: true,
                ..info
            });
            false
        });
        list.past.extend(gone.iter().cloned());
        let beyond = list.past.len().saturating_sub(MAX_FAULTS);
        list.past.drain(..beyond);
        gone
    }

    pub(super) fn snapshot(&self) -> Vec<Arc<Fault>> {
        self.list.lock().faults.clone()
    }

    /// Takes note of faults that came, went or are over.
    pub(super) fn refresh(&self) {
        let list = self.list.lock();
        let active = list.faults.iter().filter(|fault| !fault.is_over()).count();
        self.active.store(active, Ordering::Relaxed);
        self.changed.send_replace(());
    }

    /// Whether a fault of this kind stands on a node.
    pub(super) fn stands(&self, kind: Kind, node: usize) -> bool {
        let list = self.list.lock();
        list.faults.iter().any(|fault| fault.stands(kind, node))
    }

    /// Waits until every port is as the faults want it.
    async fn ports_settled(&self) {
        for (node, port) in self.ports.iter().enumerate() {
            let mut port = port.subscribe();
            let is_settled = |open: &Option<bool>| match open {
                Some(open) => *open != self.stands(Kind::Refuse, node),
                None => true,
            };
            // The sender is ours: it cannot be gone.
            let _ = port.wait_for(is_settled).await;
        }
    }
}

/// Ends a fault when its time is over, if it is still there.
async fn end_later(faults: Weak<Faults>, fault: Weak<Fault>, after: Duration) {
    tokio::time::sleep(after).await;
    if let (Some(faults), Some(fault)) = (faults.upgrade(), fault.upgrade()) {
        fault.end();
        faults.refresh();
    }
}

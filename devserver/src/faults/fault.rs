//! One fault that is set: its filters, its random numbers, and how often it struck.

use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use super::operations::Operations;
use super::rng::{Rng, random_seed};
use super::spec::{Kind, Spec, When};
use super::target::Target;

/// A fault that is set.
pub struct Fault {
    pub id: u64,
    pub spec: Spec,
    on: Operations,
    rng: Mutex<Rng>,
    progress: watch::Sender<Progress>,
}

/// How often a fault struck, and whether it is over.
#[derive(Clone, Copy, Default)]
pub struct Progress {
    pub struck: u64,
    /// Whether it will not strike again.
    pub is_over: bool,
}

/// A fault as a command returns it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultInfo {
    pub id: u64,
    /// How many times it struck.
    pub struck: u64,
    /// Whether it will not strike again, because it struck `times` times or its time is over.
    pub is_over: bool,
    #[serde(flatten)]
    pub spec: Spec,
}

impl Fault {
    pub fn new(id: u64, mut spec: Spec) -> Fault {
        let seed = spec.seed.unwrap_or_else(random_seed);
        if spec.probability.is_some() || spec.jitter.is_some() {
            // Reported, so that the same random numbers can be used again.
            spec.seed = Some(seed);
        }
        Fault {
            id,
            on: spec.operations(),
            spec,
            rng: Mutex::new(Rng::new(seed)),
            progress: watch::Sender::default(),
        }
    }

    /// Whether it is of this kind, applies to this node and is not over.
    pub fn is_active(&self, kind: Kind, node: usize) -> bool {
        self.spec.kind == kind && self.applies_to(node) && !self.is_over()
    }

    fn applies_to(&self, node: usize) -> bool {
        self.spec.node.is_none_or(|own| own == node)
    }

    /// Whether its filters match a request.
    pub fn matches(&self, node: usize, target: &Target<'_>) -> bool {
        let spec = &self.spec;
        let fits = match spec.kind {
            Kind::Overload => target.needs_device,
            _ => self.on.has(target.operation),
        };
        let is_named = |name: &Option<String>, found: Option<&[u8]>| {
            name.as_ref()
                .is_none_or(|name| found == Some(name.as_bytes()))
        };
        fits && self.applies_to(node)
            && is_named(&spec.namespace, target.namespace)
            && is_named(&spec.set, target.set.as_deref())
            && spec.key.as_ref().is_none_or(|key| {
                let own = target.set.as_deref().map(|set| key.digest(set));
                own.is_some() && own == target.digest
            })
    }

    /// Decides whether it strikes this time, and counts it if so.
    pub fn strikes(&self) -> bool {
        let probability = self.spec.probability;
        if probability.is_some_and(|probability| !self.rng.lock().chance(probability)) {
            return false;
        }
        self.progress.send_if_modified(|progress| {
            if progress.is_over {
                return false;
            }
            progress.struck += 1;
            progress.is_over = self.spec.times == Some(progress.struck);
            true
        })
    }

    /// Ends the fault: it will not strike again.
    pub fn end(&self) {
        self.progress
            .send_modify(|progress| progress.is_over = true);
    }

    pub fn is_over(&self) -> bool {
        self.progress.borrow().is_over
    }

    /// The point of a request at which it strikes.
    pub fn when(&self) -> When {
        self.spec.when.unwrap_or_default()
    }

    /// Returns how long it waits this time.
    pub fn delay(&self) -> Duration {
        let jitter = match self.spec.jitter {
            Some(most) => self.rng.lock().next() % (most + 1),
            None => 0,
        };
        Duration::from_millis(self.spec.ms.unwrap_or(0) + jitter)
    }

    /// Waits until it has struck `count` times or is over. Returns how often it struck.
    pub async fn struck_at_least(&self, count: u64) -> u64 {
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.struck >= count || progress.is_over);
        // The sender lives as long as the fault.
        reached.await.map_or(0, |progress| progress.struck)
    }

    pub fn info(&self) -> FaultInfo {
        let Progress { struck, is_over } = *self.progress.borrow();
        FaultInfo {
            id: self.id,
            struck,
            is_over,
            spec: self.spec.clone(),
        }
    }
}

//! One fault that is set: what it strikes, its dice, and how often it struck.

use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use super::operations::Operations;
use super::rng::{Rng, any_seed};
use super::spec::{Kind, Spec, When};
use super::target::Target;

/// A fault that is set.
pub struct Fault {
    pub id: u64,
    pub spec: Spec,
    on: Operations,
    dice: Mutex<Rng>,
    progress: watch::Sender<Progress>,
}

/// How far a fault has come.
#[derive(Clone, Copy, Default)]
pub struct Progress {
    pub struck: u64,
    /// It will not strike again.
    pub is_over: bool,
}

/// A fault as it is listed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultInfo {
    pub id: u64,
    /// How many times it struck.
    pub struck: u64,
    /// Whether it will not strike again: it struck as often as it was to, or its time is over.
    pub is_over: bool,
    #[serde(flatten)]
    pub spec: Spec,
}

impl Fault {
    pub fn new(id: u64, mut spec: Spec) -> Fault {
        let seed = spec.seed.unwrap_or_else(any_seed);
        if spec.probability.is_some() || spec.jitter.is_some() {
            // Told, so that what chance did can be repeated.
            spec.seed = Some(seed);
        }
        Fault {
            id,
            on: spec.operations(),
            spec,
            dice: Mutex::new(Rng::new(seed)),
            progress: watch::Sender::default(),
        }
    }

    /// Whether it is of this kind, of this node, and not over.
    pub fn stands(&self, kind: Kind, node: usize) -> bool {
        self.spec.kind == kind && self.is_of(node) && !self.is_over()
    }

    fn is_of(&self, node: usize) -> bool {
        self.spec.node.is_none_or(|own| own == node)
    }

    /// Whether its filters let this request through to it.
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
        fits && self.is_of(node)
            && is_named(&spec.namespace, target.namespace)
            && is_named(&spec.set, target.set.as_deref())
            && spec.key.as_ref().is_none_or(|key| {
                let own = target.set.as_deref().map(|set| key.digest(set));
                own.is_some() && own == target.digest
            })
    }

    /// Whether it strikes this time; then that is counted.
    pub fn strikes(&self) -> bool {
        let probability = self.spec.probability;
        if probability.is_some_and(|probability| !self.dice.lock().happens(probability)) {
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

    /// It will not strike again.
    pub fn end(&self) {
        self.progress
            .send_modify(|progress| progress.is_over = true);
    }

    pub fn is_over(&self) -> bool {
        self.progress.borrow().is_over
    }

    /// When it strikes a request.
    pub fn when(&self) -> When {
        self.spec.when.unwrap_or_default()
    }

    /// How long it waits this time.
    pub fn delay(&self) -> Duration {
        let jitter = match self.spec.jitter {
            Some(most) => self.dice.lock().next() % (most + 1),
            None => 0,
        };
        Duration::from_millis(self.spec.ms.unwrap_or(0) + jitter)
    }

    /// Waits until it struck so often, or is over. How often it did.
    pub async fn struck_at_least(&self, count: u64) -> u64 {
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.struck >= count || progress.is_over);
        // The sender is ours: it cannot be gone.
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

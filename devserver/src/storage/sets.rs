//! The sets of a namespace: names, numbers and counters.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::RwLock;

use crate::wire::consts::MAX_SET_NAME;
use crate::wire::result::{Outcome, ResultCode};

/// A set: its name and counters.
pub struct Set {
    pub name: Arc<str>,
    pub objects: AtomicU64,
    /// Bytes its records take in storage.
    pub data_used: AtomicU64,
    /// Records last updated before this (ms since 2010) are truncated.
    pub truncate_lut: AtomicU64,
}

/// The sets of a namespace. They are numbered from 1 in the order of their creation, and never removed.
#[derive(Default)]
pub struct Sets {
    inner: RwLock<SetTable>,
}

#[derive(Default)]
struct SetTable {
    by_id: Vec<Arc<Set>>,
    ids: HashMap<Arc<str>, u16>,
}

impl Sets {
    /// `AS_SET_MAX_COUNT` in `as/include/base/datamodel.h`.
    const MAX_COUNT: usize = (1 << 12) - 1;

    pub fn get(&self, id: u16) -> Option<Arc<Set>> {
        let index = usize::from(id).checked_sub(1)?;
        self.inner.read().by_id.get(index).cloned()
    }

    pub fn name(&self, id: u16) -> Option<Arc<str>> {
        self.get(id).map(|set| Arc::clone(&set.name))
    }

    pub fn find(&self, name: &[u8]) -> Option<u16> {
        let name = std::str::from_utf8(name).ok()?;
        self.inner.read().ids.get(name).copied()
    }

    /// Returns the number of a set, which is created if it is new; 0 for an empty name.
    ///
    /// # Errors
    /// [`ResultCode::PARAMETER`] if the name is too long, or if there are 4095 sets.
    pub fn get_or_create(&self, name: &[u8]) -> Outcome<u16> {
        if name.is_empty() {
            return Ok(0);
        }
        if let Some(id) = self.find(name) {
            return Ok(id);
        }
        let name = std::str::from_utf8(name).map_err(|_| ResultCode::PARAMETER)?;
        let mut table = self.inner.write();
        if let Some(id) = table.ids.get(name) {
            return Ok(*id);
        }
        if name.len() > MAX_SET_NAME || table.by_id.len() >= Self::MAX_COUNT {
            return Err(ResultCode::PARAMETER);
        }
        let name: Arc<str> = name.into();
        table.by_id.push(Arc::new(Set {
            name: Arc::clone(&name),
            objects: AtomicU64::new(0),
            data_used: AtomicU64::new(0),
            truncate_lut: AtomicU64::new(0),
        }));
        let id = table.by_id.len() as u16;
        table.ids.insert(name, id);
        Ok(id)
    }

    pub fn all(&self) -> Vec<Arc<Set>> {
        self.inner.read().by_id.clone()
    }
}

//! The indexes of a namespace. Source: `as/src/sindex/sindex_manager.c`.

use std::sync::Arc;

use parking_lot::RwLock;

use super::definition::Definition;
use super::index::Index;
use crate::wire::result::{Outcome, ResultCode};

/// `MAX_N_SINDEXES` in `as/include/base/datamodel.h`.
const MAX_COUNT: usize = 256;

/// The indexes of a namespace. A new index takes the first free slot; indexes are listed in the order of the slots.
#[derive(Default)]
pub struct Catalogue {
    slots: RwLock<Vec<Option<NamedIndex>>>,
}

struct NamedIndex {
    name: String,
    index: Arc<Index>,
}

impl Catalogue {
    pub fn by_name(&self, name: &[u8]) -> Option<Arc<Index>> {
        self.find(|named| named.name.as_bytes() == name)
    }

    pub fn by_definition(&self, definition: &Definition) -> Option<Arc<Index>> {
        self.find(|named| named.index.definition == *definition)
    }

    fn find(&self, is_it: impl Fn(&NamedIndex) -> bool) -> Option<Arc<Index>> {
        let slots = self.slots.read();
        let found = slots.iter().flatten().find(|named| is_it(named))?;
        Some(Arc::clone(&found.index))
    }

    /// Calls `look` for every index with its name. No index is created or dropped meanwhile.
    pub fn for_each(&self, mut look: impl FnMut(&str, &Arc<Index>)) {
        for named in self.slots.read().iter().flatten() {
            look(&named.name, &named.index);
        }
    }

    /// Returns the number of indexes on a set.
    pub fn count_on_set(&self, set_id: u16) -> usize {
        let mut count = 0;
        self.for_each(|_, index| count += usize::from(index.definition.set_id == set_id));
        count
    }

    /// Creates an index, or renames the index with this definition. Returns the index if it is new: it must then be
    /// populated. `log` writes the change to the data file.
    ///
    /// # Errors
    /// [`ResultCode::SINDEX_FOUND`] if another index has this name, [`ResultCode::SINDEX_MAX_COUNT`] if there are 256
    /// indexes, and the error of `log`.
    pub fn create(
        &self,
        name: &str,
        definition: Definition,
        log: impl FnOnce() -> Outcome<()>,
    ) -> Outcome<Option<Arc<Index>>> {
        let mut slots = self.slots.write();
        if let Some(named) = slots.iter().flatten().find(|named| named.name == name) {
            return if named.index.definition == definition {
                Ok(None)
            } else {
                Err(ResultCode::SINDEX_FOUND)
            };
        }
        let known = slots
            .iter_mut()
            .flatten()
            .find(|named| named.index.definition == definition);
        if let Some(named) = known {
            log()?;
            named.name = name.to_owned();
            return Ok(None);
        }
        let slot = slots.iter().position(Option::is_none);
        if slot.is_none() && slots.len() >= MAX_COUNT {
            return Err(ResultCode::SINDEX_MAX_COUNT);
        }
        log()?;
        let index = Arc::new(Index::new(definition));
        let named = Some(NamedIndex {
            name: name.to_owned(),
            index: Arc::clone(&index),
        });
        match slot.and_then(|slot| slots.get_mut(slot)) {
            Some(slot) => *slot = named,
            None => slots.push(named),
        }
        Ok(Some(index))
    }

    /// Drops an index. Returns it, or `None` if there is no index of this name. `log` writes the change to the data file.
    ///
    /// # Errors
    /// The error of `log`.
    pub fn drop(
        &self,
        name: &str,
        log: impl FnOnce() -> Outcome<()>,
    ) -> Outcome<Option<Arc<Index>>> {
        let mut slots = self.slots.write();
        let Some(slot) = slots
            .iter_mut()
            .find(|slot| slot.as_ref().is_some_and(|named| named.name == name))
        else {
            return Ok(None);
        };
        log()?;
        let dropped = slot.take().map(|named| named.index);
        if let Some(index) = &dropped {
            index.set_dropped();
        }
        Ok(dropped)
    }
}

//! The indexes of a namespace: made, named, renamed, dropped. Source: `as/src/sindex/sindex_manager.c`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::RwLock;

use super::{Definition, Index};
use crate::storage::namespace::Namespace;
use crate::wire::consts::PARTITIONS;
use crate::wire::result::{Outcome, ResultCode};

/// `MAX_N_SINDEXES` in `as/include/base/datamodel.h`.
const MAX_COUNT: usize = 256;

/// The indexes of a namespace. A new one takes the first free place, which is the order they are listed in.
#[derive(Default)]
pub struct Catalogue {
    places: RwLock<Vec<Option<Named>>>,
}

struct Named {
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

    fn find(&self, is_it: impl Fn(&Named) -> bool) -> Option<Arc<Index>> {
        let places = self.places.read();
        let found = places.iter().flatten().find(|named| is_it(named))?;
        Some(Arc::clone(&found.index))
    }

    /// Looks at every index with its name. None comes or goes meanwhile.
    pub fn for_each(&self, mut look: impl FnMut(&str, &Arc<Index>)) {
        for named in self.places.read().iter().flatten() {
            look(&named.name, &named.index);
        }
    }

    /// How many indexes are on a set.
    pub fn count_on_set(&self, set_id: u16) -> usize {
        let mut count = 0;
        self.for_each(|_, index| count += usize::from(index.definition.set_id == set_id));
        count
    }
}

impl Namespace {
    /// Makes an index, or gives the one of this definition a new name. What it returns is still to be populated.
    ///
    /// # Errors
    /// [`ResultCode::SINDEX_FOUND`] when another index has this name, [`ResultCode::SINDEX_MAX_COUNT`] when there are
    /// 256, [`ResultCode::OUT_OF_SPACE`] when the data file cannot be written.
    pub fn create_index(&self, name: &str, definition: Definition) -> Outcome<Option<Arc<Index>>> {
        let mut places = self.indexes.places.write();
        if let Some(named) = places.iter().flatten().find(|named| named.name == name) {
            return if named.index.definition == definition {
                Ok(None)
            } else {
                Err(ResultCode::SINDEX_FOUND)
            };
        }
        let known = places
            .iter_mut()
            .flatten()
            .find(|named| named.index.definition == definition);
        if let Some(named) = known {
            self.log_index(name, &definition)?;
            named.name = name.to_owned();
            return Ok(None);
        }
        let place = places.iter().position(Option::is_none);
        if place.is_none() && places.len() >= MAX_COUNT {
            return Err(ResultCode::SINDEX_MAX_COUNT);
        }
        self.log_index(name, &definition)?;
        let index = Arc::new(Index::new(definition));
        let named = Some(Named {
            name: name.to_owned(),
            index: Arc::clone(&index),
        });
        match place.and_then(|place| places.get_mut(place)) {
            Some(place) => *place = named,
            None => places.push(named),
        }
        Ok(Some(index))
    }

    /// Enters what is there, partition by partition; in those done every change is entered as it comes.
    pub fn populate_index(&self, index: &Arc<Index>) {
        for id in 0..PARTITIONS {
            if let Some(mut partition) = self.partition(id) {
                // Asked under the lock: who drops the index comes by here afterwards, or we see that he has.
                if index.is_dropped.load(Ordering::Acquire) {
                    return;
                }
                partition.attach(index);
            }
            let seconds = index.made.elapsed().as_secs();
            index.load_time.store(seconds, Ordering::Relaxed);
            index.populated.store(id + 1, Ordering::Release);
        }
    }

    /// Drops an index. One that is not there is no error.
    ///
    /// # Errors
    /// [`ResultCode::OUT_OF_SPACE`] when the data file cannot be written.
    pub fn drop_index(&self, name: &str) -> Outcome<()> {
        let mut places = self.indexes.places.write();
        let Some(place) = places
            .iter_mut()
            .find(|place| place.as_ref().is_some_and(|named| named.name == name))
        else {
            return Ok(());
        };
        self.log_index_gone(name)?;
        let gone = place.take();
        drop(places);
        if let Some(Named { index, .. }) = gone {
            index.is_dropped.store(true, Ordering::Release);
            for id in 0..PARTITIONS {
                if let Some(mut partition) = self.partition(id) {
                    partition.detach(&index);
                }
            }
        }
        Ok(())
    }
}

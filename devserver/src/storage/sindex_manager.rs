//! Creates, builds and drops the secondary indexes of a namespace. Source: `as/src/sindex/sindex_manager.c`.

use std::sync::Arc;

use super::namespace::Namespace;
use super::sindex::{Definition, Index};
use crate::wire::consts::PARTITIONS;
use crate::wire::result::Outcome;

impl Namespace {
    /// Creates an index, or gives the index of this definition a new name. Returns the index if it is new: it is still to
    /// be populated.
    ///
    /// # Errors
    /// [`SINDEX_FOUND`](crate::wire::result::ResultCode::SINDEX_FOUND) if another index has this name,
    /// [`SINDEX_MAX_COUNT`](crate::wire::result::ResultCode::SINDEX_MAX_COUNT) if there are 256,
    /// [`OUT_OF_SPACE`](crate::wire::result::ResultCode::OUT_OF_SPACE) if the data file cannot be written.
    pub fn create_index(&self, name: &str, definition: Definition) -> Outcome<Option<Arc<Index>>> {
        self.indexes.create(name, definition, || {
            self.log_index_created(name, &definition)
        })
    }

    /// Enters the records, partition by partition. In a partition that is done, every change is entered as it comes.
    pub fn populate_index(&self, index: &Arc<Index>) {
        for id in 0..PARTITIONS {
            if let Some(mut partition) = self.partition(id) {
                // Under the lock of the partition: `drop_index()` takes each lock after the index is marked.
                if index.is_dropped() {
                    return;
                }
                partition.attach(index);
            }
            index.set_populated(id + 1);
        }
    }

    /// Drops an index. It is no error if there is none of this name.
    ///
    /// # Errors
    /// [`OUT_OF_SPACE`](crate::wire::result::ResultCode::OUT_OF_SPACE) if the data file cannot be written.
    pub fn drop_index(&self, name: &str) -> Outcome<()> {
        let dropped = self.indexes.drop(name, || self.log_index_dropped(name))?;
        if let Some(index) = dropped {
            for id in 0..PARTITIONS {
                if let Some(mut partition) = self.partition(id) {
                    partition.detach(&index);
                }
            }
        }
        Ok(())
    }
}

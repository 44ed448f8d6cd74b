//! Creates, builds and drops the secondary indexes of a namespace. Source: `as/src/sindex/sindex_manager.c`.

use std::sync::Arc;

use super::namespace::Namespace;
use super::sindex::{Definition, Index};
use crate::wire::consts::PARTITIONS;
use crate::wire::result::Outcome;

impl Namespace {
    /// Creates an index, or renames the index with this definition. Returns the index if it is new: it must then be
    /// populated.
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

    /// Adds the records to an index, partition by partition. Later changes of a populated partition also reach the
    /// index.
    pub fn populate_index(&self, index: &Arc<Index>) {
        for id in 0..PARTITIONS {
            if let Some(mut partition) = self.partition(id) {
                // Checked under the partition's lock: `drop_index()` marks the index first, then takes each lock.
                if index.is_dropped() {
                    return;
                }
                partition.attach(index);
            }
            index.set_populated(id + 1);
        }
    }

    /// Drops an index. Does nothing if there is no index with this name.
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

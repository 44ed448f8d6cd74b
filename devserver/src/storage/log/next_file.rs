//! The file that compaction writes, until it replaces the old one.

use std::fs::File;
use std::io::{self, Write};

use crate::wire::consts::PARTITIONS;

/// The file that will replace the current one.
pub struct NextFile {
    pub(super) file: File,
    pub(super) size: u64,
    /// Number of partitions copied so far, in all namespaces.
    pub(super) copied: usize,
}

impl NextFile {
    /// Whether a partition was copied.
    pub fn has(&self, namespace: usize, partition: usize) -> bool {
        namespace * PARTITIONS + partition < self.copied
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.size += bytes.len() as u64;
        self.file.write_all(bytes)
    }
}

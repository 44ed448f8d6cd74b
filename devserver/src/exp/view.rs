//! The record on which an expression is evaluated.

use crate::storage::namespace::Namespace;
use crate::storage::record::{Digest, Record};

/// A record with its namespace and digest, on which an expression is evaluated.
pub struct View<'a> {
    pub namespace: &'a Namespace,
    pub digest: &'a Digest,
    pub record: &'a Record,
}

impl<'a> View<'a> {
    pub fn new(namespace: &'a Namespace, digest: &'a Digest, record: &'a Record) -> Self {
        View {
            namespace,
            digest,
            record,
        }
    }
}

//! The record on which an expression is evaluated.

use crate::storage::namespace::Namespace;
use crate::storage::record::{Digest, Record};

/// A record and what is known about it: what an expression is evaluated on.
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

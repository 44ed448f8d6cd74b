//! Secondary indexes: which bin of which records, under which values. Source: `as/src/sindex/sindex.c`.
//!
//! The entries themselves live with the records, in [`super::partition`]; [`catalogue`] knows the indexes of a
//! namespace by name and by definition. A string or blob is entered under a hash of 64 bits ([`wyhash`]), as in the server.

mod catalogue;
mod definition;
mod index;
mod item;
mod range;
mod wyhash;

pub use catalogue::Catalogue;
pub use definition::{Definition, Source, Type};
pub use index::Index;
pub use item::MAX_KEY_SIZE;
pub use range::Range;

//! Secondary indexes. Source: `as/src/sindex/sindex.c`.
//!
//! The entries are kept with the records, in [`super::partition`]. [`catalogue`] finds the indexes of a namespace by
//! name and by definition; [`super::sindex_manager`] creates and drops them. Strings and blobs are indexed by a 64-bit
//! hash ([`wyhash`]), as in the server.

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

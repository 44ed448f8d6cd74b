//! Aerospike's packed lists and maps: msgpack with additional rules.
//!
//! - The first byte of a string or blob is its particle type. Strings and blobs use the `str` family of headers.
//! - An ordered list starts with an extension element whose type holds flags. An ordered map starts with a pair of
//!   such an element and nil. Both count as elements in the header.
//! - The keys of a stored map are always sorted. If the flags declare an order, unsorted keys from a client are an
//!   error. Source: `cdt_stack_untrusted_rewrite()` in `as/src/base/cdt.c`.
//! - All values have an order, first by type, then by value. Source: `msgpack_cmp_internal()` in
//!   `cf/src/msgpack_in.c`.

mod canonical;
mod compare;
mod parse;
mod value;
mod write;

pub use canonical::{canonical_list, canonical_map};
pub use value::{List, MAX_BYTES, MAX_DEPTH, Map, ORDERED, PRESERVE_ORDER, VALUE_ORDERED, Value};

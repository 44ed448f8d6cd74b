//! Lists and maps as Aerospike packs them: msgpack with its own rules.
//!
//! - A string or blob carries its particle type as the first byte; strings always use the `str` family of headers.
//! - An ordered list starts with an extension element whose type holds flags; an ordered map starts with a pair
//!   of such an element and nil. Both count as elements in the header.
//! - Maps are always stored with their keys in order, whatever order they came in; what the flags add is that
//!   a disorder is an error. Source: `cdt_stack_untrusted_rewrite()` in `as/src/base/cdt.c`.
//! - Everything has an order, first by type, then by value. Source: `msgpack_cmp_internal()` in `cf/src/msgpack_in.c`.

mod canonical;
mod compare;
mod parse;
mod value;
mod write;

pub use canonical::{canonical_list, canonical_map};
pub use value::{List, MAX_BYTES, MAX_DEPTH, Map, ORDERED, PRESERVE_ORDER, VALUE_ORDERED, Value};

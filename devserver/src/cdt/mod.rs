//! Operations on elements of lists and maps ("collection data types").
//!
//! An operation is a msgpack list: a code and its arguments, or `[0xff, context, operation]`, where the context is the
//! path to a nested list or map. Lists and maps are stored packed. An operation unpacks the bin, works on the values and
//! packs them again. Source: `as/src/base/cdt.c`.
//!
//! | file | contents |
//! |---|---|
//! | [`codes`] | the codes of operations, results and flags |
//! | [`operation`], [`args`] | parses an operation and its arguments |
//! | [`context`] | the path to a nested value |
//! | [`execute`] | executes an operation on a bin or a value |
//! | [`list`], [`map`] | the operations |
//! | [`list_select`], [`map_select`] | which elements an operation selects |
//! | [`select`] | finds them by index, rank, key or value |
//! | [`heap`] | ranks of an unordered list, in the order of the server's heap |
//! | [`results`], [`value_list`], [`positions`] | what an operation returns of them |
//! | [`increment`] | increments |
//! | [`effect`] | the effect of an operation |
//! | [`particle`] | conversion between values and particles |

mod args;
mod codes;
mod context;
mod effect;
mod execute;
mod heap;
mod increment;
mod list;
mod list_select;
mod map;
mod map_select;
mod operation;
mod particle;
mod positions;
mod results;
mod select;
mod value_list;

pub use execute::{call, modify, read};
pub use particle::{from_particle, into_particle};

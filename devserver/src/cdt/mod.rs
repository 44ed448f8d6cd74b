//! Operations inside lists and maps ("complex data types").
//!
//! An operation is a msgpack list: a code and its arguments, or `[0xff, context, operation]`, where the context is a
//! path to a nested list or map. Lists and maps are stored packed; an operation takes the bin apart, works on the
//! values and packs them again. Source: `as/src/base/cdt.c`.
//!
//! | file | what |
//! |---|---|
//! | [`codes`] | the codes of operations, results and flags |
//! | [`args`] | the arguments of an operation |
//! | [`context`] | the way to a nested value |
//! | [`list`], [`map`] | the operations |
//! | [`list_select`], [`map_select`] | what an operation says about the elements it means |
//! | [`select`] | finds them: by index, rank, key, value |
//! | [`heap`] | the ranks of an unordered list, as the server's heap has them |
//! | [`result`], [`value_list`] | what of them is returned |
//! | [`increment`] | increments |

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

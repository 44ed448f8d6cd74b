//! The data file: every change appended as one frame before it is answered, so that it outlives the process.
//!
//! The definition of a secondary index is a frame too ([`index`]). A record's frame is its whole image; a delete's is its digest. On start the frames are read in order. The file is
//! written anew, live records only, when more than half of it is garbage: on start, and while the server runs
//! ([`compact`]). Changes reach the file with one write(2), which survives the process being killed; a power
//! failure may cost the last of them.
//!
//! A byte that is damaged later costs the change it lies in ([`load`]). The damaged file is kept ([`damage`]), and the
//! server goes on with a new one.

mod compact;
mod damage;
mod file;
mod frame;
mod header;
mod index_entry;
mod length_prefixed;
mod load;
mod namespace_log;
mod next_file;
mod open;
mod record_entry;
mod replay;
#[cfg(test)]
mod tests;

pub use file::Log;

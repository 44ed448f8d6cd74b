//! The data file: a log of all changes. Each change is appended before its response is sent, so it survives the
//! process.
//!
//! An entry is a whole record ([`record_entry`]), the digest of a deleted one, or the definition of a secondary index
//! ([`index_entry`]). On start, the entries are replayed in order ([`replay`]). The file is compacted if more than
//! half of it is garbage, on start and while the server runs ([`compact`]). Each change is one write(2), which
//! survives a kill of the process. A power failure may lose the last changes.
//!
//! A damaged byte loses the change that it belongs to ([`load`]). The damaged file is kept ([`damage`]), and the
//! server continues with a new one.

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

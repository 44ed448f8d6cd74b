//! The names of the bins of a record (see [`layout`](super::layout)). Option `bin` names the bin of the data.

pub const COOKIE: &str = "cookie";
pub const EXPIRES: &str = "expires";
pub const CREATED: &str = "created";
pub const USER: &str = "user";
pub const PREFIX: &str = "prefix";
pub const LOGIN: &str = "login";
/// The digest of the record whose session this one continues under a new id.
pub const RENEWS: &str = "renews";
/// The digest of the record that a renewed session has now.
pub const ALIAS: &str = "alias";
pub const LEGACY: &str = "session";

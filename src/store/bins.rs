//! The names of the bins of a record (see [`layout`](super::layout)). Option `bin` names the bin of the data.

pub const COOKIE: &str = "cookie";
pub const EXPIRES: &str = "expires";
pub const CREATED: &str = "created";
pub const USER: &str = "user";
pub const PREFIX: &str = "prefix";
pub const LOGIN: &str = "login";
pub const LEGACY: &str = "session";
pub const ALIAS: &str = "alias";
pub const RENEWED: &str = "renewed";
pub const RENEWS: &str = "renews";

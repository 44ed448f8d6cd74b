//! Where the counters of a limiter are stored.

use std::sync::Arc;

use aerospike::{Key, Value};

use super::templates::Templates;
use crate::cluster::TtlSupport;
use crate::error::{Code, Error, Result};
use crate::id_hash::Hasher;

/// The options of a limiter. Already validated.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub namespace: String,
    pub set: String,
    /// Separates the counters of this limiter from others in the set.
    pub prefix: String,
    /// Hashes keys.
    pub hasher: Option<Hasher>,
}

/// The counters of a limiter.
pub struct View {
    pub options: Options,
    /// Whether the namespace accepts TTLs.
    pub(super) ttl: TtlSupport,
    pub(super) templates: Templates,
}

impl View {
    pub fn new(options: Options) -> Arc<View> {
        Arc::new(View {
            options,
            ttl: TtlSupport::default(),
            templates: Templates::default(),
        })
    }

    /// Returns the key of a counter's record.
    ///
    /// # Errors
    ///
    /// [`Code::BadKey`] if the crate cannot make a key of it.
    pub fn key(&self, key: &str) -> Result<Key> {
        let Options {
            namespace,
            set,
            prefix,
            hasher,
        } = &self.options;
        let name = match hasher {
            Some(hasher) => hasher.id(prefix, key),
            None => format!("{}:{prefix}{key}", prefix.len()),
        };
        Key::new(namespace.as_str(), set.as_str(), Value::String(name))
            .map_err(|_| Error::new(Code::BadKey, "this key of a rate limit cannot be used"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn digest(prefix: &str, key: &str, hasher: Option<Hasher>) -> [u8; 20] {
        let view = View::new(Options {
            namespace: "test".into(),
            set: "ratelimits".into(),
            prefix: prefix.into(),
            hasher,
        });
        view.key(key).unwrap().digest()
    }

    #[test]
    fn limiters_whose_prefixes_begin_alike_share_no_counter() {
        for hasher in [None, Some(Hasher::new(b"secret"))] {
            let of = |prefix, key| digest(prefix, key, hasher.clone());
            assert_ne!(of("login", ":ada"), of("login:", "ada"));
            assert_ne!(of("", "login:ada"), of("login:", "ada"));
            assert_ne!(of("", "1:login"), of("1", ":login"));
        }
    }

    #[test]
    fn hashed_keys_depend_on_the_secret() {
        let hashed = |secret: &[u8]| digest("", "ada", Some(Hasher::new(secret)));
        assert_ne!(hashed(b"a"), hashed(b"b"));
        assert_ne!(hashed(b"a"), digest("", "ada", None));
    }
}

//! The options from JavaScript. `lib/options/options.js` has validated them and added the defaults, so neither is repeated here.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use crate::cluster::credentials::{self, Ask, Credentials, Login, Mode};
use crate::cluster::tls::{self, Authorities};
use crate::id_hash::Hasher;
use crate::store::encryption::{KEY, Keyring};
use crate::{cluster, rate_limits, store};

/// The options of the connection.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterOptions {
    hosts: Vec<Host>,
    auth: Option<Auth>,
    tls: Option<Tls>,
    /// Milliseconds.
    timeout: u64,
    /// Milliseconds.
    connect_timeout: u64,
    max_conns_per_node: usize,
    cluster_name: Option<String>,
    services_alternate: bool,
    rack_ids: Vec<usize>,
    /// The most operations that may be pending.
    pub max_pending: usize,
    pub io_thread: IoThread,
}

/// Which thread does the work of requests: see `event_loop`.
#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum IoThread {
    /// The event loop while few requests are pending, otherwise the I/O thread.
    Auto,
    /// Always the I/O thread.
    Always,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Host {
    name: String,
    port: u16,
    tls_name: Option<String>,
}

/// How to log in. If `user` and `password` are needed and missing, they are requested from JavaScript.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Auth {
    mode: AuthMode,
    user: Option<String>,
    password: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AuthMode {
    Internal,
    External,
    ExternalInsecure,
    Pki,
}

/// Everything is PEM, except the pins, which are base64.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Tls {
    ca: String,
    /// Whether to trust the certificate authorities of the system too.
    system: bool,
    cert: Option<String>,
    key: Option<String>,
    pins: Vec<String>,
}

/// The options of a view of the store.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ViewOptions {
    namespace: String,
    set: String,
    bin: String,
    prefix: String,
    format: Format,
    /// Base64.
    encryption_keys: Option<Vec<String>>,
    /// Base64.
    hash_ids: Option<String>,
    conflict: Conflict,
    store_ids: bool,
    tombstones: bool,
    durable_delete: bool,
    /// Milliseconds.
    absolute_ttl: Option<i64>,
    /// Milliseconds.
    touch_after: i64,
    /// Percent.
    touch_on_read: Option<u8>,
    /// Milliseconds.
    watch_interval: u64,
    /// Milliseconds.
    ttl: i64,
    max_sessions_per_user: Option<MaxSessions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MaxSessions {
    limit: usize,
    evict: Evict,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Evict {
    Oldest,
    Idle,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Format {
    Map,
    Json,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Conflict {
    Merge,
    Overwrite,
}

impl ClusterOptions {
    /// Completes the options. `ask` provides credentials that the options do not have.
    ///
    /// # Errors
    /// A message about certificates or keys. JavaScript cannot validate these completely.
    pub fn complete(self, ask: Arc<dyn Ask>) -> Result<cluster::Options, String> {
        let tls = self.tls.as_ref().map(Tls::config).transpose()?;
        let hosts = self.hosts.into_iter().map(|host| cluster::Host {
            name: host.name,
            port: host.port,
            tls_name: host.tls_name,
        });
        Ok(cluster::Options {
            hosts: hosts.collect(),
            auth: self
                .auth
                .map_or(credentials::Auth::None, |auth| auth.complete(ask)),
            tls,
            timeout: Duration::from_millis(self.timeout),
            connect_timeout: Duration::from_millis(self.connect_timeout),
            max_conns_per_node: self.max_conns_per_node,
            cluster_name: self.cluster_name,
            services_alternate: self.services_alternate,
            rack_ids: self.rack_ids,
        })
    }
}

impl Auth {
    fn complete(self, ask: Arc<dyn Ask>) -> credentials::Auth {
        let mode = match self.mode {
            AuthMode::Internal => Mode::Internal,
            AuthMode::External => Mode::External,
            AuthMode::ExternalInsecure => Mode::ExternalInsecure,
            AuthMode::Pki => return credentials::Auth::Certificate,
        };
        let known = self.user.zip(self.password);
        let credentials = known.map_or(Credentials::Asked(ask), |(user, password)| {
            Credentials::Static(Login { user, password })
        });
        credentials::Auth::Password { mode, credentials }
    }
}

impl Tls {
    fn config(&self) -> Result<Arc<rustls::ClientConfig>, String> {
        let pins = self.pins.iter().map(|pin| {
            let pin = BASE64.decode(pin).ok()?;
            pin.try_into().ok()
        });
        let pins: Option<Vec<_>> = pins.collect();
        tls::config(tls::Identity {
            authorities: match self.system {
                true => Authorities::System(&self.ca),
                false => Authorities::Given(&self.ca),
            },
            own: self.cert.as_deref().zip(self.key.as_deref()),
            pins: &pins.ok_or("'pins' holds what is no SHA-256 in base64")?,
        })
    }
}

/// The options of a limiter's counters.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitsOptions {
    namespace: String,
    set: String,
    prefix: String,
    /// Base64.
    hash_ids: Option<String>,
}

impl TryFrom<LimitsOptions> for rate_limits::Options {
    /// A message, which never quotes a secret.
    type Error = String;

    fn try_from(options: LimitsOptions) -> Result<Self, String> {
        Ok(rate_limits::Options {
            namespace: options.namespace,
            set: options.set,
            prefix: options.prefix,
            hasher: hasher(options.hash_ids)?,
        })
    }
}

/// Returns the hasher for a secret in base64.
fn hasher(secret: Option<String>) -> Result<Option<Hasher>, String> {
    let secret = secret.map(|secret| BASE64.decode(secret)).transpose();
    let secret = secret.map_err(|_| "option 'hashIds' cannot be read")?;
    Ok(secret.as_deref().map(Hasher::new))
}

impl TryFrom<ViewOptions> for store::Options {
    /// A message, which never quotes a secret.
    type Error = String;

    fn try_from(options: ViewOptions) -> Result<Self, String> {
        let keys = options.encryption_keys.unwrap_or_default();
        let keys: Option<Vec<[u8; KEY]>> = keys
            .iter()
            .map(|key| BASE64.decode(key).ok()?.try_into().ok())
            .collect();
        let keys = keys.ok_or("option 'encryptionKeys' cannot be read")?;
        Ok(store::Options {
            namespace: options.namespace,
            set: options.set,
            bin: options.bin,
            prefix: options.prefix,
            keys: Keyring::new(&keys),
            hasher: hasher(options.hash_ids)?,
            json: options.format == Format::Json,
            overwrite: options.conflict == Conflict::Overwrite,
            store_ids: options.store_ids,
            tombstones: options.tombstones,
            durable_delete: options.durable_delete,
            absolute_ttl: options.absolute_ttl,
            touch_after: options.touch_after,
            touch_on_read: options.touch_on_read,
            watch_interval: Duration::from_millis(options.watch_interval),
            ttl: options.ttl,
            limit: options
                .max_sessions_per_user
                .map(|MaxSessions { limit, evict }| store::SessionLimit {
                    limit,
                    evict: match evict {
                        Evict::Oldest => store::Evict::Oldest,
                        Evict::Idle => store::Evict::Idle,
                    },
                }),
        })
    }
}

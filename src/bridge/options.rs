//! The options that come over from JavaScript: complete and already validated (`lib/options.js`),
//! so that nothing is checked or defaulted twice.

use std::time::Duration;

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;
use serde::Deserialize;

use crate::store::hashed::Hasher;
use crate::store::sealed::{Keyring, KEY};
use crate::{cluster, store};

/// Of the connection.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterOptions {
    hosts: Vec<Host>,
    user: Option<String>,
    password: Option<String>,
    tls: Option<Tls>,
    /// Milliseconds.
    timeout: u64,
    /// Milliseconds.
    connect_timeout: u64,
    max_conns_per_node: usize,
    /// Operations under way.
    pub max_pending: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Host {
    name: String,
    port: u16,
    tls_name: Option<String>,
}

/// All PEM.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Tls {
    ca: String,
    cert: Option<String>,
    key: Option<String>,
}

/// Of a view of the store.
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
    ttl: i64,
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

impl TryFrom<ClusterOptions> for cluster::Options {
    /// Certificates and keys are the one thing that cannot be wholly validated before.
    type Error = String;

    fn try_from(options: ClusterOptions) -> Result<Self, String> {
        let tls = options.tls.as_ref().map(|tls| {
            cluster::tls::config(cluster::tls::Pem {
                ca: &tls.ca,
                own: tls.cert.as_deref().zip(tls.key.as_deref()),
            })
        });
        let tls = tls.transpose()?;
        let hosts = options.hosts.into_iter().map(|host| cluster::Host {
            name: host.name,
            port: host.port,
            tls_name: host.tls_name,
        });
        Ok(cluster::Options {
            hosts: hosts.collect(),
            credentials: options.user.zip(options.password),
            tls,
            timeout: Duration::from_millis(options.timeout),
            connect_timeout: Duration::from_millis(options.connect_timeout),
            max_conns_per_node: options.max_conns_per_node,
        })
    }
}

impl TryFrom<ViewOptions> for store::Options {
    /// Never quotes a secret.
    type Error = String;

    fn try_from(options: ViewOptions) -> Result<Self, String> {
        let keys = options.encryption_keys.unwrap_or_default();
        let keys: Option<Vec<[u8; KEY]>> = keys
            .iter()
            .map(|key| BASE64.decode(key).ok()?.try_into().ok())
            .collect();
        let keys = keys.ok_or("option 'encryptionKeys' cannot be read")?;
        let secret = options.hash_ids.map(|secret| BASE64.decode(secret));
        let secret = secret.transpose();
        let secret = secret.map_err(|_| "option 'hashIds' cannot be read")?;
        Ok(store::Options {
            namespace: options.namespace,
            set: options.set,
            bin: options.bin,
            prefix: options.prefix,
            keys: Keyring::new(&keys),
            hasher: secret.as_deref().map(Hasher::new),
            json: options.format == Format::Json,
            overwrite: options.conflict == Conflict::Overwrite,
            store_ids: options.store_ids,
            tombstones: options.tombstones,
            durable_delete: options.durable_delete,
            absolute_ttl: options.absolute_ttl,
            touch_after: options.touch_after,
            touch_on_read: options.touch_on_read,
            ttl: options.ttl,
        })
    }
}

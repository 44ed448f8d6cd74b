//! The development server's handle. Nothing here is on the way of a session: plain promises do.
//!
//! The server runs on threads of its own, so that it behaves as another process would: a busy
//! store does not starve it, nor the other way round.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use aerospike_session_devserver::{Config, DevServer, NamespaceConfig};
use napi::bindgen_prelude::*;
use napi::JsDeferred;
use napi_derive::napi;
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};

/// What `lib/options.js` checked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Options {
    host: IpAddr,
    port: u16,
    data: Option<PathBuf>,
    /// Bytes, of each namespace.
    memory: u64,
}

/// A running server as JavaScript holds it.
pub struct Handle {
    server: Arc<DevServer>,
    address: SocketAddr,
}

fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("aerospike-dev")
        .enable_all()
        .build()
        .map_err(|error| Error::from_reason(format!("no threads could be started: {error}")))?;
    Ok(RUNTIME.get_or_init(|| runtime))
}

/// Starts a server; the promise resolves to its handle.
#[napi(ts_return_type = "Promise<unknown>")]
pub fn start_dev_server(env: &Env, options: String) -> Result<Object<'_>> {
    let options: Options = serde_json::from_str(&options)
        .map_err(|error| Error::new(Status::InvalidArg, format!("options: {error}")))?;
    let mut namespaces = NamespaceConfig::defaults();
    for namespace in &mut namespaces {
        namespace.data_size = options.memory;
    }
    let config = Config {
        namespaces,
        host: options.host,
        port: options.port,
        data_file: options.data,
        ..Config::default()
    };
    let (deferred, promise) = env.create_deferred()?;
    let deferred: JsDeferred<External<Handle>, _> = deferred;
    runtime()?.spawn(async move {
        let address = SocketAddr::new(config.host, config.port);
        match DevServer::start(config).await {
            Ok(server) => deferred.resolve(move |_| {
                let address = server.addr();
                let server = Arc::new(server);
                Ok(External::new(Handle { server, address }))
            }),
            Err(error) => deferred.reject(Error::from_reason(format!(
                "the dev server could not be started on {address}: {error}"
            ))),
        }
    });
    Ok(promise)
}

/// `host:port`, the host as clients are to write it.
#[napi]
pub fn dev_server_address(server: &External<Handle>) -> String {
    server.address.to_string()
}

/// Stops a server; the promise resolves when its port is free again.
#[napi(ts_return_type = "Promise<void>")]
pub fn stop_dev_server<'env>(env: &'env Env, server: &External<Handle>) -> Result<Object<'env>> {
    let (deferred, promise) = env.create_deferred()?;
    let server = server.server.clone();
    runtime()?.spawn(async move {
        server.stop().await;
        deferred.resolve(|_| Ok(()));
    });
    Ok(promise)
}

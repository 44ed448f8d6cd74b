//! The handle of the development server. No session operation passes through this file, so it uses plain promises.
//!
//! The server has its own threads, so that it behaves like another process: a busy store does not starve it, and a busy server does
//! not starve the store.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aerospike_session_devserver::{Command, Config, DevServer, explain};
use napi::JsDeferred;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tokio::runtime::{Builder, Runtime};

/// A running server as JavaScript holds it.
pub struct Handle(Arc<DevServer>);

fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    // Several worker threads of Node.js may call this at the same time, as in `runtime.rs`.
    static STARTING: Mutex<()> = Mutex::new(());
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Starts a server. The promise resolves to its handle.
#[napi(ts_return_type = "Promise<unknown>")]
pub fn start_dev_server(env: &Env, options: String) -> Result<Object<'_>> {
    let config: Config = serde_json::from_str(&options)
        .map_err(|error| Error::new(Status::InvalidArg, format!("options: {error}")))?;
    let (deferred, promise) = env.create_deferred()?;
    let deferred: JsDeferred<External<Handle>, _> = deferred;
    runtime()?.spawn(async move {
        let address = SocketAddr::new(config.host, config.port);
        match DevServer::start(config).await {
            Ok(server) => deferred.resolve(move |_| Ok(External::new(Handle(Arc::new(server))))),
            Err(error) => deferred.reject(Error::from_reason(format!(
                "the dev server could not be started on {address}: {error}"
            ))),
        }
    });
    Ok(promise)
}

/// Returns the PEM texts that clients of a server with TLS need, as JSON: `{ ca, cert?, key? }`.
#[napi]
pub fn dev_server_tls(server: &External<Handle>) -> Option<String> {
    serde_json::to_string(server.0.tls()?).ok()
}

/// Sends a command (`Command` as JSON) to a running server. The promise resolves to the answer, as JSON. An error of status
/// `InvalidArg` means that the command is invalid.
#[napi(ts_return_type = "Promise<string>")]
pub fn control_dev_server<'env>(
    env: &'env Env,
    server: &External<Handle>,
    command: String,
) -> Result<Object<'env>> {
    let command: Command = serde_json::from_str(&command)
        .map_err(|error| Error::new(Status::InvalidArg, explain(&error)))?;
    let (deferred, promise) = env.create_deferred()?;
    let server = server.0.clone();
    runtime()?.spawn(async move {
        let answered = server.control(command).await;
        match answered.and_then(|answer| Ok(serde_json::to_string(&answer)?)) {
            Ok(answer) => deferred.resolve(move |_| Ok(answer)),
            Err(error) => deferred.reject(Error::new(status_of(&error), error.to_string())),
        }
    });
    Ok(promise)
}

fn status_of(error: &io::Error) -> Status {
    match error.kind() {
        io::ErrorKind::InvalidInput => Status::InvalidArg,
        _ => Status::GenericFailure,
    }
}

/// Stops a server. The promise resolves when its port is free again.
#[napi(ts_return_type = "Promise<void>")]
pub fn stop_dev_server<'env>(env: &'env Env, server: &External<Handle>) -> Result<Object<'env>> {
    let (deferred, promise) = env.create_deferred()?;
    let server = server.0.clone();
    runtime()?.spawn(async move {
        server.stop().await;
        deferred.resolve(|_| Ok(()));
    });
    Ok(promise)
}

/// Tests of lower layers that need a server. Those layers do not know the development server.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::socket_affinity;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn connections_opened_on_another_runtime_are_replaced() {
        let server = DevServer::start(Config::default()).await.expect("a server");
        socket_affinity::tests::replaces_what_was_opened_elsewhere(server.addr()).await;
        server.stop().await;
    }
}

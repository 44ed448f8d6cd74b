//! The development server's handle. Nothing here is on the way of a session: plain promises do.
//!
//! The server runs on threads of its own, so that it behaves as another process would: a busy
//! store does not starve it, nor the other way round.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aerospike_session_devserver::{explain, Command, Config, DevServer};
use napi::bindgen_prelude::*;
use napi::JsDeferred;
use napi_derive::napi;
use tokio::runtime::{Builder, Runtime};

/// A running server as JavaScript holds it.
pub struct Handle(Arc<DevServer>);

fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    // As in `runtime.rs`: several worker threads of Node.js may come at the same time.
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

/// Starts a server; the promise resolves to its handle.
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

/// What clients of a server with TLS need, as JSON of PEM texts: `{ ca, cert?, key? }`.
#[napi]
pub fn dev_server_tls(server: &External<Handle>) -> Option<String> {
    serde_json::to_string(server.0.tls()?).ok()
}

/// Tells a running server something (`Command` as JSON); the promise resolves to the answer as JSON. An error of
/// status `InvalidArg` is a command that makes no sense.
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

/// Stops a server; the promise resolves when its port is free again.
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

/// Tests of the layers below that need a server: those do not know the development server.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::socket_affinity;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn connections_that_were_opened_elsewhere_are_replaced_by_one_that_is_opened_here() {
        let server = DevServer::start(Config::default()).await.expect("a server");
        socket_affinity::tests::replaces_what_was_opened_elsewhere(server.addr()).await;
        server.stop().await;
    }
}

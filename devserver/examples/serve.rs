//! Runs a server until interrupted: `cargo run --example serve -- [PORT] [DATA_FILE]`.

use std::io;

use aerospike_session_devserver::{Config, DevServer};

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let port = args
        .next()
        .map_or(Ok(3000), |port| port.parse())
        .map_err(io::Error::other)?;
    let data_file = args.next().map(Into::into);
    let server = DevServer::start(Config {
        port,
        data_file,
        ..Config::default()
    })
    .await?;
    println!("development server on {}", server.addr());
    std::future::pending().await
}

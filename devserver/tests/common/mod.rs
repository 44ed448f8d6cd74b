//! Starts a server and a client for it.
#![allow(dead_code, clippy::unwrap_used)]

pub mod security;

use aerospike::{Client, ClientPolicy, Host};
use aerospike_session_devserver::{Config, DevServer};

/// Starts a server for a test, and connects a client to it.
pub async fn start() -> (DevServer, Client) {
    start_with(Config::default()).await
}

pub async fn start_with(config: Config) -> (DevServer, Client) {
    let server = DevServer::start(config).await.unwrap();
    let client = connect(&server).await;
    (server, client)
}

pub async fn connect(server: &DevServer) -> Client {
    let hosts = vec![Host::new(
        &server.addr().ip().to_string(),
        server.addr().port(),
    )];
    Client::new(&ClientPolicy::default(), &hosts).await.unwrap()
}

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use aerospike::{Bins, Error, Key, ReadPolicy, Record, ResultCode, WritePolicy};

/// Returns the result code of an outcome that must be a server error.
pub fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> ResultCode {
    let error = outcome.unwrap_err();
    error
        .server_result_code()
        .unwrap_or_else(|| panic!("not a refusal by the server: {error}"))
}

pub async fn get(client: &Client, key: &Key) -> Result<Record, Error> {
    client.get(&ReadPolicy::default(), key, Bins::All).await
}

pub fn write_policy(change: impl FnOnce(&mut WritePolicy)) -> WritePolicy {
    let mut policy = WritePolicy::default();
    change(&mut policy);
    policy
}

/// Sends bytes on a new connection. Returns what is received until the server closes it or sends nothing for
/// `timeout` milliseconds.
pub fn exchange(server: &DevServer, bytes: &[u8], timeout: u64) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_millis(timeout)))
        .unwrap();
    // The server may close before it has read everything.
    let _ = stream.write_all(bytes);
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    response
}

/// Returns a frame with a body.
pub fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, kind];
    frame.extend_from_slice(&(body.len() as u64).to_be_bytes()[2..]);
    frame.extend_from_slice(body);
    frame
}

/// Runs info commands on a new connection.
pub fn info(server: &DevServer, commands: &str) -> String {
    info_at(server.addr(), commands)
}

pub fn info_at(addr: SocketAddr, commands: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    String::from_utf8(ask(&mut stream, &frame(1, commands.as_bytes()))).unwrap()
}

/// Sends a frame. Returns the body of the response.
pub fn ask(stream: &mut TcpStream, frame: &[u8]) -> Vec<u8> {
    stream.write_all(frame).unwrap();
    read_frame(stream)
}

pub fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut header = [0; 8];
    stream.read_exact(&mut header).unwrap();
    let size = u64::from_be_bytes(header) & 0xffff_ffff_ffff;
    let mut body = vec![0; size as usize];
    stream.read_exact(&mut body).unwrap();
    body
}

/// Executes a control command.
pub async fn command(
    server: &DevServer,
    command: serde_json::Value,
) -> Result<serde_json::Value, String> {
    let command = serde_json::from_value(command).map_err(|error| error.to_string())?;
    let response = server.control(command).await;
    let response = response.map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(response).unwrap())
}

/// Sets a fault. Returns its ID.
pub async fn inject(server: &DevServer, fault: serde_json::Value) -> u64 {
    let response = command(
        server,
        serde_json::json!({ "command": "inject", "fault": fault }),
    );
    response.await.unwrap()["id"].as_u64().unwrap()
}

/// Waits until a fault has struck this often. Returns how often it struck.
pub async fn struck(server: &DevServer, id: u64, at_least: u64) -> u64 {
    let asked = serde_json::json!({ "command": "struck", "id": id, "atLeast": at_least });
    command(server, asked).await.unwrap().as_u64().unwrap()
}

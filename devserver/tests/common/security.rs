//! Starts servers with users, and logs in through the official client or with raw messages.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;

use aerospike::{AuthMode, Client, ClientPolicy, Error, Host};
use aerospike_session_devserver::{Config, DevServer, Password, SecurityConfig, UserConfig};

use super::frame;

pub const AUTHENTICATE: u8 = 0;
pub const DROP_USER: u8 = 2;
pub const SET_PASSWORD: u8 = 3;
pub const LOGIN: u8 = 20;
pub const USER: u8 = 0;
pub const CREDENTIAL: u8 = 3;
pub const SESSION_TOKEN: u8 = 5;
pub const SESSION_TTL: u8 = 6;

/// The hash that clients send for the password "aerospike".
pub const HASH: &[u8] = b"$2a$10$7EqJtq98hPqEX7fNZaFWoOg3vLO9BrDMi.IgzR5fG6wXhnUUDTrIG";

pub fn user(password: &str, roles: &[&str]) -> UserConfig {
    UserConfig {
        password: Password::new(password),
        roles: roles.iter().map(ToString::to_string).collect(),
    }
}

pub async fn start(users: &[(&str, UserConfig)], session_ttl: u32) -> DevServer {
    let users = users
        .iter()
        .map(|(name, user)| (name.to_string(), user.clone()));
    DevServer::start(Config {
        security: Some(SecurityConfig {
            users: users.collect(),
            session_ttl,
        }),
        ..Config::default()
    })
    .await
    .unwrap()
}

pub async fn connect(server: &DevServer, user: &str, password: &str) -> Result<Client, Error> {
    let policy = ClientPolicy {
        auth_mode: AuthMode::Internal(user.into(), password.into()),
        ..ClientPolicy::default()
    };
    let addr = server.addr();
    Client::new(
        &policy,
        &vec![Host::new(&addr.ip().to_string(), addr.port())],
    )
    .await
}

/// A connection for raw messages.
pub struct Wire(TcpStream);

impl Wire {
    pub fn open(server: &DevServer) -> Wire {
        Wire(TcpStream::connect(server.addr()).unwrap())
    }

    pub fn ask(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        self.0.write_all(&frame(kind, body)).unwrap();
        let mut header = [0; 8];
        self.0.read_exact(&mut header).unwrap();
        assert_eq!(
            header[..2],
            [2, kind],
            "a response in the same kind of frame"
        );
        let size = u64::from_be_bytes(header) & 0xffff_ffff_ffff;
        let mut body = vec![0; size as usize];
        self.0.read_exact(&mut body).unwrap();
        body
    }

    /// Sends a security message. Returns its result code and fields.
    pub fn admin(&mut self, command: u8, fields: &[(u8, &[u8])]) -> (u8, Vec<(u8, Vec<u8>)>) {
        let response = self.ask(2, &message(command, fields));
        let mut rest = &response[16..];
        let mut found = Vec::new();
        for _ in 0..response[3] {
            let size = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
            found.push((rest[4], rest[5..4 + size].to_vec()));
            rest = &rest[4 + size..];
        }
        assert!(rest.is_empty());
        (response[1], found)
    }

    pub fn login(&mut self, user: &str, credential: &[u8]) -> Result<(Vec<u8>, u32), u8> {
        let fields = [(USER, user.as_bytes()), (CREDENTIAL, credential)];
        match self.admin(LOGIN, &fields) {
            (0, fields) => {
                assert_eq!(fields[0].0, SESSION_TOKEN);
                assert_eq!(fields[1].0, SESSION_TTL);
                let ttl = fields[1].1[..].try_into().unwrap();
                Ok((fields[0].1.clone(), u32::from_be_bytes(ttl)))
            }
            (code, fields) => {
                assert!(fields.is_empty());
                Err(code)
            }
        }
    }

    pub fn authenticate(&mut self, user: &str, token: &[u8]) -> u8 {
        let fields = [(USER, user.as_bytes()), (SESSION_TOKEN, token)];
        self.admin(AUTHENTICATE, &fields).0
    }

    pub fn info(&mut self, commands: &str) -> String {
        String::from_utf8(self.ask(1, commands.as_bytes())).unwrap()
    }
}

pub fn message(command: u8, fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut body = vec![0, 0, command, fields.len() as u8];
    body.extend_from_slice(&[0; 12]);
    for (id, data) in fields {
        body.extend_from_slice(&(data.len() as u32 + 1).to_be_bytes());
        body.push(*id);
        body.extend_from_slice(data);
    }
    body
}

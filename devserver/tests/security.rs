//! Users, passwords, session tokens and roles, through the official client and on the bare wire.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use aerospike::{
    as_bin, as_key, operations, AdminPolicy, AuthMode, BatchOperation, BatchPolicy,
    BatchReadPolicy, BatchWritePolicy, Bins, Client, ClientPolicy, Error, Host, ResultCode,
};
use aerospike_session_devserver::{
    Command, Config, DevServer, Password, SecurityConfig, UserConfig,
};
use common::{frame, get, refusal, write_policy};
use proptest::prelude::*;

const AUTHENTICATE: u8 = 0;
const DROP_USER: u8 = 2;
const SET_PASSWORD: u8 = 3;
const LOGIN: u8 = 20;
const USER: u8 = 0;
const CREDENTIAL: u8 = 3;
const SESSION_TOKEN: u8 = 5;
const SESSION_TTL: u8 = 6;

/// What clients send in place of the password "aerospike".
const HASH: &[u8] = b"$2a$10$7EqJtq98hPqEX7fNZaFWoOg3vLO9BrDMi.IgzR5fG6wXhnUUDTrIG";

fn user(password: &str, roles: &[&str]) -> UserConfig {
    UserConfig {
        password: Password::new(password),
        roles: roles.iter().map(ToString::to_string).collect(),
    }
}

async fn start(users: &[(&str, UserConfig)], session_ttl: u32) -> DevServer {
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

async fn connect(server: &DevServer, user: &str, password: &str) -> Result<Client, Error> {
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

/// A connection spoken on by hand.
struct Wire(TcpStream);

impl Wire {
    fn open(server: &DevServer) -> Wire {
        Wire(TcpStream::connect(server.addr()).unwrap())
    }

    fn ask(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        self.0.write_all(&frame(kind, body)).unwrap();
        let mut header = [0; 8];
        self.0.read_exact(&mut header).unwrap();
        assert_eq!(
            header[..2],
            [2, kind],
            "an answer in the same kind of frame"
        );
        let size = u64::from_be_bytes(header) & 0xffff_ffff_ffff;
        let mut body = vec![0; size as usize];
        self.0.read_exact(&mut body).unwrap();
        body
    }

    /// Sends a security message; gives its result code and fields.
    fn admin(&mut self, command: u8, fields: &[(u8, &[u8])]) -> (u8, Vec<(u8, Vec<u8>)>) {
        let answer = self.ask(2, &message(command, fields));
        let mut rest = &answer[16..];
        let mut found = Vec::new();
        for _ in 0..answer[3] {
            let size = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
            found.push((rest[4], rest[5..4 + size].to_vec()));
            rest = &rest[4 + size..];
        }
        assert!(rest.is_empty());
        (answer[1], found)
    }

    fn login(&mut self, user: &str, credential: &[u8]) -> Result<(Vec<u8>, u32), u8> {
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

    fn authenticate(&mut self, user: &str, token: &[u8]) -> u8 {
        let fields = [(USER, user.as_bytes()), (SESSION_TOKEN, token)];
        self.admin(AUTHENTICATE, &fields).0
    }

    fn info(&mut self, commands: &str) -> String {
        String::from_utf8(self.ask(1, commands.as_bytes())).unwrap()
    }
}

fn message(command: u8, fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut body = vec![0, 0, command, fields.len() as u8];
    body.extend_from_slice(&[0; 12]);
    for (id, data) in fields {
        body.extend_from_slice(&(data.len() as u32 + 1).to_be_bytes());
        body.push(*id);
        body.extend_from_slice(data);
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_right_password_works_as_on_an_open_server() {
    let server = start(&[("ada", UserConfig::new("secret"))], 3_600).await;
    let client = connect(&server, "ada", "secret").await.unwrap();
    let key = as_key!("test", "demo", "a");
    client
        .put(&write_policy(|_| {}), &key, &[as_bin!("n", 1)])
        .await
        .unwrap();
    assert_eq!(get(&client, &key).await.unwrap().bins["n"], 1.into());
    client
        .truncate(&AdminPolicy::default(), "test", "demo", 0)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_with_a_wrong_password_an_unknown_name_or_no_name() {
    let server = start(&[("ada", UserConfig::new("aerospike"))], 3_600).await;
    assert!(connect(&server, "ada", "wrong").await.is_err());
    assert!(connect(&server, "eve", "aerospike").await.is_err());
    assert!(Client::new(
        &ClientPolicy::default(),
        &vec![Host::new("127.0.0.1", server.addr().port())]
    )
    .await
    .is_err());

    let mut wire = Wire::open(&server);
    assert_eq!(wire.login("ada", &HASH[1..]), Err(65));
    assert_eq!(wire.login("ada", b"aerospike"), Err(65));
    assert_eq!(wire.login("eve", HASH), Err(60));
    assert_eq!(wire.admin(LOGIN, &[]).0, 60);
    assert_eq!(wire.admin(LOGIN, &[(USER, b"ada")]).0, 65);
    // The connection is as good as new all the same.
    assert_eq!(wire.login("ada", HASH).unwrap().1, 3_600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_may_do_nothing_before_it_has_logged_in() {
    let server = start(&[("ada", UserConfig::new("aerospike"))], 3_600).await;
    let mut wire = Wire::open(&server);
    assert_eq!(wire.info("node\nbuild\n"), "ERROR:80:not authenticated\n");
    assert_eq!(wire.info(""), "ERROR:80:not authenticated\n");
    // A read and an empty batch: a message's sixth byte is its result.
    let mut read = vec![22, 1, 0, 0, 0, 0];
    read.extend_from_slice(&[0; 16]);
    assert_eq!(wire.ask(3, &read)[5], 80);
    read[1] = 8;
    assert_eq!(wire.ask(3, &read)[5], 80);
    assert_eq!(wire.admin(SET_PASSWORD, &[(USER, b"ada")]).0, 80);
    wire.login("ada", HASH).unwrap();
    assert_eq!(wire.info("build\n"), "build\t8.1.2.0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_token_stands_in_for_the_password_of_its_user_until_it_expires() {
    let users = ["ada", "bob"].map(|name| (name, UserConfig::new("aerospike")));
    let server = start(&users, 3_600).await;
    let mut first = Wire::open(&server);
    let (token, _) = first.login("ada", HASH).unwrap();
    let mut second = Wire::open(&server);
    assert_eq!(second.authenticate("bob", &token), 65);
    assert_eq!(second.authenticate("eve", &token), 60);
    assert_eq!(second.authenticate("ada", &token[1..]), 65);
    assert_eq!(second.authenticate("ada", b""), 65);
    assert_eq!(second.info("build\n"), "ERROR:80:not authenticated\n");
    assert_eq!(second.authenticate("ada", &token), 0);
    assert_eq!(second.info("build\n"), "build\t8.1.2.0\n");

    let expire = Command::ExpireSessions { disconnect: false };
    server.control(expire).await.unwrap();
    let mut third = Wire::open(&server);
    assert_eq!(third.authenticate("ada", &token), 66);
    assert_eq!(third.info("build\n"), "ERROR:80:not authenticated\n");
    // Who is in stays in, and a new login gives a new token.
    assert_eq!(second.info("build\n"), "build\t8.1.2.0\n");
    let (token, _) = third.login("ada", HASH).unwrap();
    assert_eq!(second.authenticate("ada", &token), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_a_user_no_more_is_a_stranger_on_every_connection() {
    let users = [
        ("ada", user("aerospike", &["read"])),
        ("root", user("aerospike", &["user-admin"])),
    ];
    let server = start(&users, 3_600).await;
    let (mut ada, mut root) = (Wire::open(&server), Wire::open(&server));
    let (token, _) = ada.login("ada", HASH).unwrap();
    root.login("root", HASH).unwrap();
    assert_eq!(ada.info("build\n"), "build\t8.1.2.0\n");
    assert_eq!(root.admin(DROP_USER, &[(USER, b"ada")]).0, 0);
    assert_eq!(ada.info("build\n"), "ERROR:80:not authenticated\n");
    assert_eq!(ada.authenticate("ada", &token), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_token_expires_by_itself() {
    let server = start(&[("ada", UserConfig::new("aerospike"))], 1).await;
    let mut wire = Wire::open(&server);
    let (token, ttl) = wire.login("ada", HASH).unwrap();
    assert_eq!(ttl, 1);
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    assert_eq!(wire.authenticate("ada", &token), 66);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_logs_in_again_by_itself_when_its_token_has_expired() {
    let server = start(&[("ada", UserConfig::new("secret"))], 3_600).await;
    let client = connect(&server, "ada", "secret").await.unwrap();
    let key = as_key!("test", "demo", "again");
    let put = async || {
        let policy = write_policy(|policy| policy.base_policy.max_retries = 5);
        client.put(&policy, &key, &[as_bin!("n", 1)]).await
    };
    put().await.unwrap();
    let expire = Command::ExpireSessions { disconnect: true };
    server.control(expire).await.unwrap();
    // The first attempts may meet connections that were just closed.
    for _ in 0..50 {
        if put().await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    put().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_changed_on_the_server_counts_for_the_next_login() {
    let server = start(&[("ada", UserConfig::new("old"))], 3_600).await;
    let before = connect(&server, "ada", "old").await.unwrap();
    let change = |user: &str| Command::SetPassword {
        user: user.into(),
        password: Password::new("new"),
    };
    server.control(change("ada")).await.unwrap();
    assert!(connect(&server, "ada", "old").await.is_err());
    connect(&server, "ada", "new").await.unwrap();
    let key = as_key!("test", "demo", "a");
    assert_eq!(
        refusal(get(&before, &key).await),
        ResultCode::KeyNotFoundError
    );
    assert!(server.control(change("eve")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_allow_what_they_say_and_nothing_else() {
    let users = [
        ("reader", user("r", &["read"])),
        ("writer", user("w", &["write"])),
        ("nobody", user("n", &[])),
    ];
    let server = start(&users, 3_600).await;
    let key = as_key!("test", "demo", "a");
    let bins = [as_bin!("n", 1)];
    let policy = write_policy(|_| {});

    let writer = connect(&server, "writer", "w").await.unwrap();
    writer.put(&policy, &key, &bins).await.unwrap();
    assert_eq!(refusal(get(&writer, &key).await), ResultCode::RoleViolation);
    let both = [operations::put(&bins[0]), operations::get()];
    assert_eq!(
        refusal(writer.operate(&policy, &key, &both).await),
        ResultCode::RoleViolation
    );
    assert!(writer.delete(&policy, &key).await.unwrap());
    writer.put(&policy, &key, &bins).await.unwrap();

    let reader = connect(&server, "reader", "r").await.unwrap();
    get(&reader, &key).await.unwrap();
    assert_eq!(
        refusal(reader.put(&policy, &key, &bins).await),
        ResultCode::RoleViolation
    );
    assert_eq!(
        refusal(reader.delete(&policy, &key).await),
        ResultCode::RoleViolation
    );
    assert!(reader
        .truncate(&AdminPolicy::default(), "test", "demo", 0)
        .await
        .is_err());

    let nobody = connect(&server, "nobody", "n").await.unwrap();
    assert_eq!(refusal(get(&nobody, &key).await), ResultCode::RoleViolation);
    get(&reader, &key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_of_a_batch_is_held_against_the_roles() {
    let server = start(&[("reader", user("r", &["read"]))], 3_600).await;
    let client = connect(&server, "reader", "r").await.unwrap();
    let key = as_key!("test", "demo", "a");
    let mut rows = [
        BatchOperation::read(&BatchReadPolicy::default(), key.clone(), Bins::All),
        BatchOperation::write(
            &BatchWritePolicy::default(),
            key.clone(),
            vec![operations::put(&as_bin!("n", 1))],
        ),
    ];
    client
        .batch(&BatchPolicy::default(), &mut rows)
        .await
        .unwrap();
    let codes: Vec<_> = rows
        .iter()
        .map(|row| row.batch_record().result_code())
        .collect();
    assert_eq!(
        codes,
        [
            Some(ResultCode::KeyNotFoundError),
            Some(ResultCode::RoleViolation)
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn info_commands_that_change_something_need_a_role() {
    let users = [
        ("reader", user("aerospike", &["read"])),
        ("admin", user("aerospike", &["data-admin"])),
    ];
    let server = start(&users, 3_600).await;
    let create = "sindex-create:namespace=test;set=demo;indexname=by-n;bin=n;type=numeric\n";
    let mut wire = Wire::open(&server);
    wire.login("reader", HASH).unwrap();
    assert!(wire
        .info(create)
        .ends_with("\tERROR:81:role violation - requires permission 'sindex-admin'\n"));
    assert!(wire
        .info("truncate:namespace=test;set=demo\n")
        .ends_with("\tERROR:81:role violation - requires permission 'truncate'\n"));
    assert!(wire.info("namespaces\n").starts_with("namespaces\ttest"));
    let mut wire = Wire::open(&server);
    wire.login("admin", HASH).unwrap();
    assert!(wire.info(create).ends_with("\tok\n"));
    assert!(wire
        .info("truncate:namespace=test;set=demo\n")
        .ends_with("\tok\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_administrator_makes_changes_and_drops_users() {
    let server = start(&[("root", user("top", &["user-admin"]))], 3_600).await;
    let root = connect(&server, "root", "top").await.unwrap();
    let policy = AdminPolicy::default();
    let key = as_key!("test", "demo", "a");
    root.create_user(&policy, "ada", "secret", &["read"])
        .await
        .unwrap();
    let again = root.create_user(&policy, "ada", "secret", &["read"]).await;
    assert_eq!(refusal(again), ResultCode::UserAlreadyExists);
    let unknown = root
        .create_user(&policy, "bob", "secret", &["no such role"])
        .await;
    assert_eq!(refusal(unknown), ResultCode::InvalidRole);

    let ada = connect(&server, "ada", "secret").await.unwrap();
    assert_eq!(refusal(get(&ada, &key).await), ResultCode::KeyNotFoundError);
    root.grant_roles(&policy, "ada", &["write"]).await.unwrap();
    ada.put(&write_policy(|_| {}), &key, &[as_bin!("n", 1)])
        .await
        .unwrap();
    root.revoke_roles(&policy, "ada", &["read"]).await.unwrap();
    assert_eq!(refusal(get(&ada, &key).await), ResultCode::RoleViolation);

    let users = root.query_users(&policy, None).await.unwrap();
    let listed: Vec<_> = users
        .into_iter()
        .map(|user| (user.user, user.roles))
        .collect();
    assert_eq!(
        listed,
        [
            ("ada".to_owned(), vec!["write".to_owned()]),
            ("root".to_owned(), vec!["user-admin".to_owned()])
        ]
    );
    // One may ask about oneself, and about nobody else.
    assert_eq!(
        ada.query_users(&policy, Some("ada")).await.unwrap().len(),
        1
    );
    let other = ada.query_users(&policy, Some("root")).await;
    assert_eq!(refusal(other), ResultCode::RoleViolation);
    let missing = root.query_users(&policy, Some("bob")).await;
    assert_eq!(refusal(missing), ResultCode::InvalidUser);

    root.change_password(&policy, "ada", "better")
        .await
        .unwrap();
    assert!(connect(&server, "ada", "secret").await.is_err());
    connect(&server, "ada", "better").await.unwrap();

    root.drop_user(&policy, "ada").await.unwrap();
    assert!(connect(&server, "ada", "better").await.is_err());
    assert!(get(&ada, &key).await.is_err());
    assert_eq!(
        refusal(root.drop_user(&policy, "ada").await),
        ResultCode::InvalidUser
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_a_password_must_know_the_old_one() {
    let server = start(&[("ada", user("aerospike", &["read"]))], 3_600).await;
    let mut wire = Wire::open(&server);
    wire.login("ada", HASH).unwrap();
    let new = &[b'x'; 60][..];
    let mut change =
        |user: &[u8], old: &[u8], new: &[u8]| wire.admin(4, &[(USER, user), (2, old), (1, new)]).0;
    assert_eq!(change(b"ada", new, new), 62);
    assert_eq!(change(b"ada", b"", new), 62);
    assert_eq!(change(b"ada", HASH, b"too short"), 62);
    assert_eq!(change(b"eve", HASH, new), 81);
    assert_eq!(change(b"ada", HASH, new), 0);
    let mut wire = Wire::open(&server);
    assert_eq!(wire.login("ada", HASH), Err(65));
    wire.login("ada", new).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_ones_own_is_limited_to_its_namespace_and_set() {
    use aerospike::{Privilege, PrivilegeCode};
    let users = [
        ("root", user("top", &["user-admin"])),
        ("ada", user("secret", &[])),
    ];
    let server = start(&users, 3_600).await;
    let root = connect(&server, "root", "top").await.unwrap();
    let ada = connect(&server, "ada", "secret").await.unwrap();
    let policy = AdminPolicy::default();
    let privilege = Privilege {
        code: PrivilegeCode::ReadWrite,
        namespace: Some("test".into()),
        set_name: Some("mine".into()),
    };
    root.create_role(&policy, "mine", std::slice::from_ref(&privilege), &[], 0, 0)
        .await
        .unwrap();
    root.grant_roles(&policy, "ada", &["mine"]).await.unwrap();
    let put = async |namespace: &str, set: &str| {
        let key = as_key!(namespace, set, "a");
        ada.put(&write_policy(|_| {}), &key, &[as_bin!("n", 1)])
            .await
    };
    put("test", "mine").await.unwrap();
    assert_eq!(
        refusal(put("test", "other").await),
        ResultCode::RoleViolation
    );
    assert_eq!(
        refusal(put("nottl", "mine").await),
        ResultCode::RoleViolation
    );

    let roles = root.query_roles(&policy, Some("mine")).await.unwrap();
    assert_eq!(roles.len(), 1);
    assert_eq!(roles[0].privileges[0].set_name.as_deref(), Some("mine"));
    assert_eq!(root.query_roles(&policy, None).await.unwrap().len(), 11);
    root.revoke_privileges(&policy, "mine", &[privilege])
        .await
        .unwrap();
    assert_eq!(
        refusal(put("test", "mine").await),
        ResultCode::RoleViolation
    );
    root.drop_role(&policy, "mine").await.unwrap();
    let gone = root.grant_roles(&policy, "ada", &["mine"]).await;
    assert_eq!(refusal(gone), ResultCode::InvalidRole);
    assert_eq!(
        refusal(root.drop_role(&policy, "read").await),
        ResultCode::InvalidRole
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_security_a_login_is_answered_as_the_community_edition_answers_it() {
    let server = DevServer::start(Config::default()).await.unwrap();
    let mut wire = Wire::open(&server);
    assert_eq!(wire.login("ada", HASH), Err(51));
    assert_eq!(wire.info("build\n"), "build\t8.1.2.0\n");
    assert!(connect(&server, "ada", "secret").await.is_err());
    let expire = Command::ExpireSessions { disconnect: false };
    assert!(server.control(expire).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_is_told_without_its_password() {
    for (name, roles) in [
        ("ada", vec!["no-such-role"]),
        ("", vec![]),
        (&*"x".repeat(64), vec![]),
    ] {
        let users = [(name.to_owned(), user("hush", &roles))];
        let config = Config {
            security: Some(SecurityConfig {
                users: users.into(),
                ..SecurityConfig::default()
            }),
            ..Config::default()
        };
        assert!(!format!("{config:?}").contains("hush"));
        let error = DevServer::start(config).await.err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(!error.to_string().contains("hush"));
    }
    let json = r#"{ "security": { "users": { "a": "hush", "b": { "password": "hush", "roles": ["read"] } } } }"#;
    let config: Config = serde_json::from_str(json).unwrap();
    let security = config.security.unwrap();
    assert_eq!(security.users["a"].roles, ["read-write", "data-admin"]);
    assert_eq!(security.users["b"].roles, ["read"]);
    assert_eq!(security.session_ttl, 86_400);
}

#[test]
fn malformed_messages_are_answered_and_the_server_goes_on() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(start(&[("ada", user("aerospike", &["user-admin"]))], 3_600));
    let wire = std::cell::RefCell::new(Wire::open(&server));
    let field = any::<(u8, Vec<u8>)>().prop_map(|(id, data)| (id % 20, data));
    let messages = (
        0u8..22,
        prop::collection::vec(field, 0..4),
        any::<u16>(),
        0usize..64,
    );
    let mut runner = proptest::test_runner::TestRunner::default();
    runner
        .run(&messages, |(command, fields, flip, cut)| {
            let fields: Vec<_> = fields.iter().map(|(id, data)| (*id, &data[..])).collect();
            let mut body = message(command, &fields);
            // One byte changed, or some missing at the end.
            match body.get_mut(usize::from(flip) % 80) {
                Some(byte) => *byte ^= (flip >> 8) as u8,
                None => body.truncate(body.len().saturating_sub(cut)),
            }
            prop_assert!(wire.borrow_mut().ask(2, &body).len() >= 16);
            Ok(())
        })
        .unwrap();
    let mut wire = Wire::open(&server);
    assert_eq!(wire.admin(99, &[]).0, 80);
    wire.login("ada", HASH).unwrap();
    assert_eq!(wire.admin(99, &[]).0, 54);
    assert_eq!(wire.ask(2, &[1; 16])[1], 55);
    assert_eq!(wire.ask(2, &[[1].as_slice(), &[0; 15]].concat())[1], 53);
}

//! Passwords and session tokens, through the official client and with raw messages.
#![allow(clippy::unwrap_used)]

mod common;

use aerospike::{AdminPolicy, Client, ClientPolicy, Host, ResultCode, as_bin, as_key};
use aerospike_session_devserver::{
    Command, Config, DevServer, Password, SecurityConfig, UserConfig,
};
use common::security::{
    DROP_USER, HASH, LOGIN, SET_PASSWORD, USER, Wire, connect, message, start, user,
};
use common::{get, refusal, write_policy};
use proptest::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_logged_in_user_can_use_records() {
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
async fn rejects_wrong_passwords_unknown_names_and_missing_names() {
    let server = start(&[("ada", UserConfig::new("aerospike"))], 3_600).await;
    assert!(connect(&server, "ada", "wrong").await.is_err());
    assert!(connect(&server, "eve", "aerospike").await.is_err());
    assert!(
        Client::new(
            &ClientPolicy::default(),
            &vec![Host::new("127.0.0.1", server.addr().port())]
        )
        .await
        .is_err()
    );

    let mut wire = Wire::open(&server);
    assert_eq!(wire.login("ada", &HASH[1..]), Err(65));
    assert_eq!(wire.login("ada", b"aerospike"), Err(65));
    assert_eq!(wire.login("eve", HASH), Err(60));
    assert_eq!(wire.admin(LOGIN, &[]).0, 60);
    assert_eq!(wire.admin(LOGIN, &[(USER, b"ada")]).0, 65);
    // The connection can still log in.
    assert_eq!(wire.login("ada", HASH).unwrap().1, 3_600);
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_all_commands_before_login() {
    let server = start(&[("ada", UserConfig::new("aerospike"))], 3_600).await;
    let mut wire = Wire::open(&server);
    assert_eq!(wire.info("node\nbuild\n"), "ERROR:80:not authenticated\n");
    assert_eq!(wire.info(""), "ERROR:80:not authenticated\n");
    // A read and an empty batch. The sixth byte of a message is its result code.
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
async fn accepts_a_session_token_until_it_expires() {
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
    // Connections that have logged in stay logged in, and a new login returns a new token.
    assert_eq!(second.info("build\n"), "build\t8.1.2.0\n");
    let (token, _) = third.login("ada", HASH).unwrap();
    assert_eq!(second.authenticate("ada", &token), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_user_loses_access_on_every_connection() {
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
    // The first attempts may use connections that were just closed.
    for _ in 0..50 {
        if put().await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    put().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_applies_to_the_next_login() {
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
async fn without_security_a_login_fails_as_in_the_community_edition() {
    let server = DevServer::start(Config::default()).await.unwrap();
    let mut wire = Wire::open(&server);
    assert_eq!(wire.login("ada", HASH), Err(51));
    assert_eq!(wire.info("build\n"), "build\t8.1.2.0\n");
    assert!(connect(&server, "ada", "secret").await.is_err());
    let expire = Command::ExpireSessions { disconnect: false };
    assert!(server.control(expire).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_an_invalid_configuration_do_not_show_passwords() {
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
fn responds_to_malformed_messages() {
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
            // One byte is changed, or some are missing at the end.
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

//! TLS and mutual TLS, through the official client and on the bare wire.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use aerospike::{Client, ClientPolicy, Error, Host, TlsPolicy, as_bin, as_key};
use aerospike_session_devserver::{Config, DevServer, TlsConfig, TlsIdentity};
use common::{frame, get, write_policy};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

async fn start(tls: TlsConfig) -> DevServer {
    DevServer::start(Config {
        tls: Some(tls),
        ..Config::default()
    })
    .await
    .unwrap()
}

/// A client that trusts a server's authority and has its certificate, if there is one.
fn policy(identity: &TlsIdentity) -> ClientPolicy {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(identity.ca.as_bytes()).unwrap())
        .unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match (&identity.cert, &identity.key) {
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
        _ => builder.with_no_client_auth(),
    };
    ClientPolicy {
        tls_policy: Some(TlsPolicy::new(config)),
        ..ClientPolicy::default()
    }
}

async fn connect(server: &DevServer, name: &str, policy: &ClientPolicy) -> Result<Client, Error> {
    let host = Host::new_tls("127.0.0.1", name, server.addr().port());
    Client::new(policy, &vec![host]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_trusts_the_authority_works_under_every_name_of_the_certificate() {
    let server = start(TlsConfig::default()).await;
    let policy = policy(server.tls().unwrap());
    for name in ["localhost", "127.0.0.1", "::1"] {
        let client = connect(&server, name, &policy).await.unwrap();
        let key = as_key!("test", "demo", name);
        let bins = [as_bin!("text", "x".repeat(300_000))];
        client
            .put(&write_policy(|_| {}), &key, &bins)
            .await
            .unwrap();
        assert_eq!(
            get(&client, &key).await.unwrap().bins["text"],
            bins[0].value
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_trusts_another_authority_or_asks_for_another_name_does_not_connect() {
    let server = start(TlsConfig::default()).await;
    let other = start(TlsConfig::default()).await;
    let trusting = policy(server.tls().unwrap());
    let mistrusting = policy(other.tls().unwrap());
    assert!(connect(&server, "localhost", &mistrusting).await.is_err());
    assert!(connect(&server, "example.org", &trusting).await.is_err());
    let named = start(TlsConfig {
        names: vec!["example.org".into()],
        ..TlsConfig::default()
    })
    .await;
    let trusting = policy(named.tls().unwrap());
    connect(&named, "example.org", &trusting).await.unwrap();
    assert!(connect(&named, "localhost", &trusting).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_finds_all_nodes_of_a_cluster_and_speaks_tls_with_each() {
    let server = DevServer::start(Config {
        nodes: 3,
        tls: Some(TlsConfig::default()),
        ..Config::default()
    })
    .await
    .unwrap();
    let client = connect(&server, "127.0.0.1", &policy(server.tls().unwrap())).await;
    let client = client.unwrap();
    for n in 0..50 {
        let key = as_key!("test", "demo", n);
        let bins = [as_bin!("n", n)];
        client
            .put(&write_policy(|_| {}), &key, &bins)
            .await
            .unwrap();
    }
    let mut nodes = client.node_names();
    nodes.sort();
    let mut expected: Vec<_> = server
        .nodes()
        .await
        .into_iter()
        .map(|node| node.name)
        .collect();
    expected.sort();
    assert_eq!(nodes, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_mutual_tls_a_client_needs_the_certificate_made_for_it() {
    let mutual = || TlsConfig {
        mutual: true,
        ..TlsConfig::default()
    };
    let (server, other) = (start(mutual()).await, start(mutual()).await);
    let identity = server.tls().unwrap().clone();
    connect(&server, "localhost", &policy(&identity))
        .await
        .unwrap();
    let without = TlsIdentity {
        cert: None,
        key: None,
        ..identity.clone()
    };
    assert!(
        connect(&server, "localhost", &policy(&without))
            .await
            .is_err()
    );
    let foreign = TlsIdentity {
        ca: identity.ca,
        ..other.tls().unwrap().clone()
    };
    assert!(
        connect(&server, "localhost", &policy(&foreign))
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_no_tls_is_sent_away_and_others_are_served() {
    let server = start(TlsConfig::default()).await;
    let mut plain = TcpStream::connect(server.addr()).unwrap();
    plain
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    plain.write_all(&frame(1, b"build\n")).unwrap();
    // At most an alert, and the end of the connection: no answer.
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(answer.len() < 16, "{answer:?}");
    // Somebody who says nothing at all keeps nobody else waiting.
    let _silent = TcpStream::connect(server.addr()).unwrap();
    connect(&server, "localhost", &policy(server.tls().unwrap()))
        .await
        .unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_has_no_identity_and_says_so_to_info_commands() {
    let plain = DevServer::start(Config::default()).await.unwrap();
    assert!(plain.tls().is_none());
    assert!(common::info(&plain, "service-tls-std\n").contains("ERROR:25:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_cannot_be_are_told_at_the_start() {
    for names in [vec![], vec!["näme".to_owned()]] {
        let config = Config {
            tls: Some(TlsConfig {
                names,
                ..TlsConfig::default()
            }),
            ..Config::default()
        };
        let error = DevServer::start(config).await.err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
}

//! TLS and mutual TLS, through the official client and with raw messages.
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

/// Connects a client that trusts a server's authority, with its client certificate if there is one.
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
async fn accepts_clients_under_every_name_of_the_certificate() {
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
async fn clients_reject_another_authority_or_name() {
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
async fn clients_use_tls_with_every_node() {
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
async fn mutual_tls_requires_the_client_certificate() {
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
async fn rejects_clients_without_tls_and_serves_others() {
    let server = start(TlsConfig::default()).await;
    let mut plain = TcpStream::connect(server.addr()).unwrap();
    plain
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    plain.write_all(&frame(1, b"build\n")).unwrap();
    // At most an alert, then the end of the connection: no response.
    let mut response = Vec::new();
    let _ = plain.read_to_end(&mut response);
    assert!(response.len() < 16, "{response:?}");
    // A client that sends nothing does not delay others.
    let _silent = TcpStream::connect(server.addr()).unwrap();
    connect(&server, "localhost", &policy(server.tls().unwrap()))
        .await
        .unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_no_tls_without_tls() {
    let plain = DevServer::start(Config::default()).await.unwrap();
    assert!(plain.tls().is_none());
    assert!(common::info(&plain, "service-tls-std\n").contains("ERROR:25:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_invalid_tls_names_at_start() {
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

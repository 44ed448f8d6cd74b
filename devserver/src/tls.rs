//! TLS with certificates that are created at the start: an authority, the server's certificate and, for mutual TLS,
//! one for clients (`tls-authenticate-client any`). A server with TLS accepts no other connections.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::invalid_input::invalid_input;

/// Timeout of the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The name in a client's certificate: with PKI, the user name.
const CLIENT: &str = "client";

/// The configuration of TLS. As JSON: `{ "mutual": true }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TlsConfig {
    /// Whether clients need a certificate. Default false.
    pub mutual: bool,
    /// Host names and addresses that the server's certificate is valid for. Info commands return the first as the TLS
    /// name of the nodes. Default `localhost`, `127.0.0.1` and `::1`.
    pub names: Vec<String>,
    /// Start of the validity of the server's certificate, in seconds since 1970. Default long ago.
    pub valid_from: Option<i64>,
    /// End of the validity, in seconds since 1970. Default never.
    pub valid_to: Option<i64>,
}

impl Default for TlsConfig {
    fn default() -> Self {
        TlsConfig {
            mutual: false,
            names: ["localhost", "127.0.0.1", "::1"].map(String::from).into(),
            valid_from: None,
            valid_to: None,
        }
    }
}

/// What a client needs, as PEM.
#[derive(Clone, Debug, Serialize)]
pub struct TlsIdentity {
    /// The certificate of the authority that signed the server's certificate.
    pub ca: String,
    /// The client's certificate, if it needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    /// The private key of that certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The server's side of TLS: the same for all nodes.
pub struct Tls {
    acceptor: TlsAcceptor,
    /// The TLS name of the nodes.
    pub name: String,
    /// The name in the client's certificate, if clients need one. The authority signs no other client certificate.
    pub client: Option<&'static str>,
    /// The certificates that clients need.
    pub identity: TlsIdentity,
}

impl Tls {
    /// Creates the certificates.
    ///
    /// # Errors
    /// `InvalidInput`: there is no name, or a certificate cannot have one of the names.
    pub fn new(config: &TlsConfig, host: IpAddr) -> io::Result<Tls> {
        let Some(name) = config.names.first().cloned() else {
            return Err(invalid_input("TLS needs at least one name"));
        };
        let mut names = config.names.clone();
        let host = host.to_string();
        if !names.contains(&host) {
            names.push(host);
        }
        let ca = authority()?;
        let mut params = CertificateParams::new(names)
            .map_err(|error| invalid_input(format!("the names of TLS: {error}")))?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        if let Some(from) = config.valid_from {
            params.not_before = point_in_time(from)?;
        }
        if let Some(to) = config.valid_to {
            params.not_after = point_in_time(to)?;
        }
        let (cert, key) = sign(params, &name, &ca)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());

        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let builder = if config.mutual {
            let mut roots = RootCertStore::empty();
            roots.add(ca.der().clone()).map_err(io::Error::other)?;
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(io::Error::other)?)
        } else {
            builder.with_no_client_auth()
        };
        let server = builder
            .with_single_cert(vec![cert.der().clone()], PrivateKeyDer::Pkcs8(key))
            .map_err(io::Error::other)?;

        let mut identity = TlsIdentity {
            ca: ca.pem(),
            cert: None,
            key: None,
        };
        if config.mutual {
            let mut params = CertificateParams::default();
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            let (cert, key) = sign(params, CLIENT, &ca)?;
            identity.cert = Some(cert.pem());
            identity.key = Some(key.serialize_pem());
        }
        Ok(Tls {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            name,
            client: config.mutual.then_some(CLIENT),
            identity,
        })
    }

    /// Runs the TLS handshake with a client.
    ///
    /// # Errors
    /// The handshake fails or takes too long.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(stream)).await?
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> io::Result<Authority> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name = named("Aerospike dev server authority");
    let key = KeyPair::generate().map_err(io::Error::other)?;
    CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)
}

/// Creates a key and a certificate for it.
fn sign(
    mut params: CertificateParams,
    name: &str,
    ca: &Authority,
) -> io::Result<(rcgen::Certificate, KeyPair)> {
    params.distinguished_name = named(name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let cert = params.signed_by(&key, ca).map_err(io::Error::other)?;
    Ok((cert, key))
}

fn point_in_time(seconds: i64) -> io::Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds)
        .map_err(|error| invalid_input(format!("the validity of the certificate: {error}")))
}

fn named(name: &str) -> rcgen::DistinguishedName {
    let mut names = rcgen::DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

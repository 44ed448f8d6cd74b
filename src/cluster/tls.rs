//! TLS connections to the nodes: which certificates to trust, and our own certificate.

use std::sync::Arc;

use ring::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

/// The SHA-256 of a certificate's public key (SubjectPublicKeyInfo, as in RFC 7469).
pub type Pin = [u8; 32];

/// Which certificates to trust, and our own. Certificates and keys are PEM.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    pub authorities: Authorities<'a>,
    /// Our certificate and its key, if the nodes ask for one.
    pub own: Option<(&'a str, &'a str)>,
    /// The keys that a node's certificate may have. Empty: any key.
    pub pins: &'a [Pin],
}

/// The authorities that may have signed the nodes' certificates.
#[derive(Clone, Copy)]
pub enum Authorities<'a> {
    /// Only these.
    Given(&'a str),
    /// Those of the operating system, and these.
    System(&'a str),
}

/// Returns the configuration of every TLS connection. A node's certificate must be signed by one of the authorities, be valid today,
/// be for the name of the node, and have one of the pinned keys if there are any.
///
/// # Errors
/// A message if the PEM cannot be used. It never contains any of the PEM.
pub fn config(identity: Identity<'_>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(default_provider());
    let roots = Arc::new(roots(identity.authorities)?);
    let verifier =
        WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
    let verifier = verifier.map_err(|error| error.to_string())?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if identity.pins.is_empty() {
        builder.with_webpki_verifier(verifier)
    } else {
        let pins = identity.pins.to_vec();
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned { verifier, pins }))
    };
    let config = match identity.own {
        Some((cert, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                .map_err(|_| "'key' cannot be read")?;
            builder
                .with_client_auth_cert(certificates(cert)?, key)
                .map_err(|error| format!("'cert' and 'key' cannot be used: {error}"))?
        }
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn roots(authorities: Authorities<'_>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    // A bundle may hold certificates that cannot be read. They are left out.
    let (given, is_system) = match authorities {
        Authorities::Given(given) => (given, false),
        Authorities::System(more) => (more, true),
    };
    roots.add_parsable_certificates(certificates(given)?);
    if is_system {
        // Certificates of the system that cannot be read are left out, as in other programs.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        return Err("'ca' holds no certificate of an authority".into());
    }
    Ok(roots)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| "a certificate cannot be read".into())
}

/// Does the standard checks, and then compares the key with the pins.
#[derive(Debug)]
struct Pinned {
    verifier: Arc<WebPkiServerVerifier>,
    pins: Vec<Pin>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        let found = digest(&SHA256, &key);
        if self.pins.iter().any(|pin| pin == found.as_ref()) {
            Ok(verified)
        } else {
            // The error that rustls provides for custom verifiers.
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

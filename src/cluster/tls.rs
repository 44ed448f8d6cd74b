//! TLS towards the nodes: whom to trust, and what to show when a node asks who we are.

use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Certificates and keys, as PEM.
#[derive(Clone, Copy)]
pub struct Pem<'a> {
    /// The authorities to trust.
    pub ca: &'a str,
    /// Our certificate and its key, where the nodes ask for one.
    pub own: Option<(&'a str, &'a str)>,
}

/// The handshake of every connection. A node's certificate must be signed by one of the authorities, be valid today
/// and be for the name the node is called by.
///
/// # Errors
/// In words: PEM that holds nothing we can use. They never show any of it.
pub fn config(pem: Pem<'_>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    // A bundle may hold some that we cannot read and need not.
    let (added, _) = roots.add_parsable_certificates(certificates(pem.ca)?);
    if added == 0 {
        return Err("'ca' holds no certificate of an authority".into());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let config = match pem.own {
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

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| "a certificate cannot be read".into())
}

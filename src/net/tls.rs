//! TLS with the system's own verifier of certificates.

use std::io;
use std::sync::Arc;

use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{AlertDescription, ClientConfig, Error as TlsError, crypto};

use super::error::{DialError, plain};
use crate::domain::untrusted::Untrusted;

/// Whom to trust and what to offer; if that cannot be had, the reason is told to who first needs it.
#[derive(Clone)]
pub struct Tls(Result<Arc<ClientConfig>, DialError>);

impl Tls {
    /// `authorities` are trusted besides the system's; `protocols` are those above TLS (ALPN), the preferred one first.
    pub fn new(authorities: &[CertificateDer<'static>], protocols: &[&str]) -> Self {
        Self(config(authorities, protocols).map(Arc::new).map_err(|error| from_tls(&error)))
    }

    pub(super) async fn handshake(&self, host: String, tcp: TcpStream) -> Result<TlsStream<TcpStream>, DialError> {
        let config = self.0.clone()?;
        let name = ServerName::try_from(host).map_err(|error| DialError::tls(error.to_string()))?;
        TlsConnector::from(config).connect(name, tcp).await.map_err(|error| from_io(&error))
    }
}

fn config(authorities: &[CertificateDer<'static>], protocols: &[&str]) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(crypto::ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(authorities.iter().cloned())?.with_provider(Arc::clone(&provider));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Ok(config)
}

fn from_io(error: &io::Error) -> DialError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    inner.map_or_else(|| DialError::tls(plain(error)), from_tls)
}

/// The platform's verifier reports an empty certificate store, and nothing else, as a general error.
fn from_tls(error: &TlsError) -> DialError {
    match error {
        TlsError::General(_) => DialError::NoRootCertificates,
        TlsError::AlertReceived(AlertDescription::HandshakeFailure) => {
            DialError::Tls { why: Untrusted::from_text(error.to_string()), handshake_failure: true }
        }
        other => DialError::tls(other.to_string()),
    }
}

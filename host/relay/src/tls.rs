//! The way to the next hop, encrypted (RFC 3207).

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::Error;
use crate::settings::{Hop, Settings, Tls};

/// How to begin TLS with one next hop.
pub(crate) struct Starter {
    pub(crate) connector: TlsConnector,
    pub(crate) name: ServerName<'static>,
}

/// What the settings ask for; `None` is no TLS.
pub(crate) fn starter(settings: &Settings) -> Result<Option<Starter>, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    match &settings.tls {
        Tls::Off => Ok(None),
        Tls::May => Ok(Some(Starter {
            connector: unchecked(provider),
            name: any_name(&settings.address),
        })),
        Tls::Must { ca, name } => Ok(Some(Starter {
            connector: checked(provider, ca)?,
            name: server_name(name)?,
        })),
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(name.to_owned()).map_err(|_| Error::ServerName(name.to_owned()))
}

/// Only sent, never checked.
fn any_name(hop: &Hop) -> ServerName<'static> {
    let host = match hop {
        Hop::Tcp(host, _) => host.as_str(),
        Hop::Unix(_) => "localhost",
    };
    server_name(host).unwrap_or(ServerName::IpAddress(
        std::net::IpAddr::from([127, 0, 0, 1]).into(),
    ))
}

fn checked(provider: Arc<CryptoProvider>, ca: &Path) -> Result<TlsConnector, Error> {
    let wrong = |reason: String| Error::Authorities {
        path: ca.to_owned(),
        reason,
    };
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(ca).map_err(|error| wrong(error.to_string()))?
    {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("the file holds none".to_owned()));
    }
    let config = versions(provider)
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn unchecked(provider: Arc<CryptoProvider>) -> TlsConnector {
    let verifier = Arc::new(Anyone(Arc::clone(&provider)));
    let config = versions(provider)
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

fn versions(
    provider: Arc<CryptoProvider>,
) -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3")
}

/// Opportunistic encryption (RFC 7435): whoever holds the key of the certificate will do.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

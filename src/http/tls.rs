//! TLS: the certificate, its reload without a restart, and the choice of protocol by ALPN.

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::base::clock::Clock;
use crate::telemetry::metrics;

/// A certificate that expires sooner, and has less than a quarter of its time left, is warned of when it is read: those that are
/// renewed by themselves have been by then.
const EXPIRES_SOON_S: i64 = 7 * 86_400;

/// Where a certificate is, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The server's certificate, then those that lead to one the clients know.
    pub certificate: PathBuf,
    pub private_key: PathBuf,
}

/// A certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {file}: {reason}", file = .file.display())]
pub struct Error {
    pub file: PathBuf,
    pub reason: String,
}

/// The certificate that new connections get.
#[derive(Debug)]
pub struct Certificates {
    files: Files,
    current: ArcSwap<CertifiedKey>,
}

impl Certificates {
    /// Reads the files.
    pub fn load(files: Files) -> Result<Certificates, Error> {
        let current = ArcSwap::from_pointee(read(&files)?);
        Ok(Certificates { files, current })
    }

    /// Reads the files anew. After an error the certificate stays what it was.
    pub fn reload(&self) -> Result<(), Error> {
        self.current.store(Arc::new(read(&self.files)?));
        self.tell_dates();
        Ok(())
    }

    /// Tells until when the certificate is valid, and logs what is wrong with that. It is used all the same: not every client looks.
    fn tell_dates(&self) {
        let (file, current) = (self.files.certificate.display(), self.current.load());
        let Some((not_before_s, not_after_s)) =
            current.end_entity_cert().ok().and_then(|leaf| validity(leaf))
        else {
            return tracing::warn!(%file, "the dates of the certificate cannot be read");
        };
        metrics::TLS_CERTIFICATE_EXPIRES.set(not_after_s as f64, &[]);
        let (whole_s, left_s) = (not_after_s - not_before_s, not_after_s - Clock::system().now_ms() / 1000);
        if left_s < 0 {
            tracing::error!(%file, "the certificate has expired: clients refuse it");
        } else if left_s > whole_s {
            tracing::error!(%file, "the certificate is not valid yet: clients refuse it");
        } else if left_s < EXPIRES_SOON_S.min(whole_s / 4) {
            tracing::warn!(%file, hours_left = left_s / 3600, "the certificate expires soon");
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// Reads a certificate and its key, and checks that they belong together.
fn read(files: &Files) -> Result<CertifiedKey, Error> {
    let bad = |file: &PathBuf| {
        let file = file.clone();
        move |reason: String| Error { file, reason }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(|chain| chain.collect())
        .map_err(|err| bad(&files.certificate)(err.to_string()))?;
    if chain.is_empty() {
        return Err(bad(&files.certificate)("no certificate in it".to_string()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.private_key)
        .map_err(|err| bad(&files.private_key)(err.to_string()))?;
    CertifiedKey::from_der(chain, key, &rustls::crypto::aws_lc_rs::default_provider())
        .map_err(|err| bad(&files.private_key)(format!("it does not fit the certificate: {err}")))
}

/// The first and the last second of a certificate (RFC 5280, section 4.1.2.5), since the Unix epoch.
fn validity(certificate: &CertificateDer<'_>) -> Option<(i64, i64)> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let validity = parsed.validity();
    Some((validity.not_before.timestamp(), validity.not_after.timestamp()))
}

/// What a listener needs for TLS.
pub(super) struct Tls {
    certificates: Arc<Certificates>,
    acceptor: TlsAcceptor,
}

impl Tls {
    pub fn load(files: Files) -> Result<Tls, Error> {
        let certificates = Arc::new(Certificates::load(files)?);
        certificates.tell_dates();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider supports TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificates) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Tls { certificates, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    pub fn certificates(&self) -> Arc<Certificates> {
        Arc::clone(&self.certificates)
    }

    pub fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

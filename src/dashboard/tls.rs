//! The certificate that is shown to whoever connects over TLS, from files: a chain and its key, both PEM.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::validity::Validity;
use crate::private_file::{self, FileError};

/// A certificate with its key, ready for use. Cheap to clone.
#[derive(Clone)]
pub struct Certificate {
    config: Arc<ServerConfig>,
    validity: Option<Validity>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read the {what}")]
    File {
        /// `certificate` or `key`.
        what: &'static str,
        /// Which, and why.
        source: FileError,
    },
    /// A file does not hold what it should. The content is not shown: it may be a key.
    #[error("{} holds no {what} in PEM", path.display())]
    Content {
        /// `certificate` or `private key`.
        what: &'static str,
        /// Which file.
        path: PathBuf,
    },
    /// The two do not make a server.
    #[error("the certificate in {} cannot be used with the key in {}", certificate.display(), key.display())]
    Unfit {
        /// The file of the chain.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

impl Certificate {
    /// Reads a chain, the server's own certificate first, and its key.
    ///
    /// # Errors
    /// A [`TlsError`].
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |what, path| private_file::read(path).map_err(|source| TlsError::File { what, source });
        let content = |what, path: &Path| TlsError::Content { what, path: path.to_owned() };
        let text = read("certificate", certificate)?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(text.expose().as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| content("certificate", certificate))?;
        if chain.is_empty() {
            return Err(content("certificate", certificate));
        }
        let text = read("key", key)?;
        let private = PrivateKeyDer::from_pem_slice(text.expose().as_bytes())
            .map_err(|_| content("private key", key))?;
        let unfit =
            |source| TlsError::Unfit { certificate: certificate.to_owned(), key: key.to_owned(), source };
        let validity = chain.first().and_then(|own| Validity::of(own));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unfit)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(unfit)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), validity })
    }

    /// From when until when it is valid; `None` if it does not say so in a way that can be read.
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        self.validity
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

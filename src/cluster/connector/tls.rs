//! TLS 1.2 and 1.3 to a host, by whose authority its certificate is valid.

use std::{io, sync::Arc};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, client::Resumption, pki_types::ServerName},
};
use url::Host;

use crate::domain::{ca_bundle::CaBundle, key_source::FetchError};

/// Whose certificates are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The system's certificate authorities.
    System,
    /// These certificate authorities, and none else.
    Bundle(Arc<CaBundle>),
}

/// Makes connections safe. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    system: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the system's certificate authorities, once.
    #[must_use]
    pub fn new() -> Self {
        let mut roots = RootCertStore::empty();
        let loaded = rustls_native_certs::load_native_certs();
        let (added, ignored) = roots.add_parsable_certificates(loaded.certs);
        if added == 0 {
            tracing::warn!(
                ignored,
                "no certificate authorities found: an https keysEndpoint without tls of its own will fail with TlsFailed"
            );
        }
        Self { system: Arc::new(config(roots)) }
    }

    /// A handshake with the host.
    ///
    /// # Errors
    /// `Tls`, whatever TLS finds wrong: what the other side says is not repeated. `Unreachable`, where the connection is cut.
    pub async fn connect(
        &self,
        host: &Host<&str>,
        stream: TcpStream,
        trust: &Trust,
    ) -> Result<TlsStream<TcpStream>, FetchError> {
        let config = match trust {
            Trust::System => self.system.clone(),
            // Made anew each time: it takes less than the handshake, and nothing has to be thrown away when the bundle changes.
            Trust::Bundle(bundle) => Arc::new(config(roots(bundle))),
        };
        let name = server_name(host).ok_or(FetchError::Tls)?;
        // An error of TLS itself comes as invalid data, others are the connection's.
        TlsConnector::from(config).connect(name, stream).await.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => FetchError::Tls,
            _ => FetchError::Unreachable,
        })
    }
}

fn roots(bundle: &CaBundle) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(bundle.certificates().iter().cloned());
    roots
}

fn config(roots: RootCertStore) -> ClientConfig {
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    // Each fetch sees a certificate: a resumed session would stand for one that was valid once.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

fn server_name(host: &Host<&str>) -> Option<ServerName<'static>> {
    match host {
        Host::Domain(name) => ServerName::try_from((*name).to_owned()).ok(),
        Host::Ipv4(ip) => Some(ServerName::from(std::net::IpAddr::from(*ip))),
        Host::Ipv6(ip) => Some(ServerName::from(std::net::IpAddr::from(*ip))),
    }
}

//! One HTTP GET to an endpoint that a user named: guarded where it dials, bounded in time and size.
//!
//! Built on hyper rather than on a full client, as the address must be judged between name resolution and dialling, on
//! every connection, together with the port. No redirect is followed, no proxy used, no cookie or credential sent.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};
use url::{Host, Url};

use crate::domain::{address::AddressPolicy, key_source::FetchError};

/// Bound on a whole fetch, name resolution to last byte.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Largest body.
pub const MAX_BODY: usize = 512 * 1024;

/// Fetches documents within an address policy. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    policy: Arc<AddressPolicy>,
    api_server: Arc<[(String, u16)]>,
    tls: TlsConnector,
}

impl Connector {
    /// A connector within this policy that never calls the API server, by whichever of these hosts and ports it is known,
    /// and trusts the system's certificate authorities (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured).
    #[must_use]
    pub fn new(policy: AddressPolicy, api_server: Vec<(String, u16)>) -> Self {
        let mut roots = RootCertStore::empty();
        let loaded = rustls_native_certs::load_native_certs();
        let (added, ignored) = roots.add_parsable_certificates(loaded.certs);
        if added == 0 {
            tracing::warn!(
                ignored,
                "no certificate authorities found: every https keysEndpoint will fail with TlsFailed"
            );
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Self { policy: Arc::new(policy), api_server: api_server.into(), tls: TlsConnector::from(Arc::new(config)) }
    }

    /// The body of the answer to a GET.
    ///
    /// # Errors
    /// Why there is none, without a word of the answer or its address.
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        tokio::time::timeout(TIMEOUT, self.fetch(url)).await.unwrap_or(Err(FetchError::Unreachable))
    }

    async fn fetch(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        // What the API server took for a URL may still be none (a host of 127.0.0.256): nothing answers there.
        let url = Url::parse(url).map_err(|_| FetchError::Unreachable)?;
        let host = url.host().ok_or(FetchError::Unreachable)?;
        let port = url.port_or_known_default().ok_or(FetchError::Unreachable)?;
        let stream = self.dial(&host, port).await?;
        if url.scheme() == "https" {
            let name = server_name(&host).ok_or(FetchError::Tls)?;
            let stream = self.tls.connect(name, stream).await.map_err(|_| FetchError::Tls)?;
            exchange(stream, &url).await
        } else {
            exchange(stream, &url).await
        }
    }

    async fn dial(&self, host: &Host<&str>, port: u16) -> Result<TcpStream, FetchError> {
        let resolved = match host {
            Host::Ipv4(ip) => vec![SocketAddr::new((*ip).into(), port)],
            Host::Ipv6(ip) => vec![SocketAddr::new((*ip).into(), port)],
            Host::Domain(name) => lookup(name, port).await?,
        };
        // Looked up each time, as it may move. Where it can't be, nothing is called: one answer could be it.
        let mut api_server = Vec::new();
        for (host, port) in self.api_server.iter() {
            api_server.extend(lookup(host, *port).await?);
        }
        let mut refused = false;
        for address in resolved {
            if !self.policy.permits(address, &api_server) {
                refused = true;
            } else if let Ok(stream) = TcpStream::connect(address).await {
                return Ok(stream);
            }
        }
        Err(if refused { FetchError::AddressForbidden } else { FetchError::Unreachable })
    }
}

async fn lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, FetchError> {
    let addresses = tokio::net::lookup_host((host, port)).await;
    addresses.map(Iterator::collect).map_err(|_| FetchError::Unreachable)
}

fn server_name(host: &Host<&str>) -> Option<ServerName<'static>> {
    match host {
        Host::Domain(name) => ServerName::try_from((*name).to_owned()).ok(),
        Host::Ipv4(ip) => Some(ServerName::from(std::net::IpAddr::from(*ip))),
        Host::Ipv6(ip) => Some(ServerName::from(std::net::IpAddr::from(*ip))),
    }
}

async fn exchange<S>(stream: S, url: &Url) -> Result<Vec<u8>, FetchError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let unreachable = |_| FetchError::Unreachable;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
    let exchange = async {
        let response = sender.send_request(request(url)?).await.map_err(unreachable)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(FetchError::Redirect(status.as_u16()));
        }
        if status != StatusCode::OK {
            return Err(FetchError::UnexpectedStatus(status.as_u16()));
        }
        if response.headers().contains_key(header::CONTENT_ENCODING) {
            return Err(FetchError::Encoded);
        }
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
        body.map(|collected| collected.to_bytes().to_vec()).map_err(|error| {
            if error.is::<LengthLimitError>() { FetchError::BodyTooLarge } else { FetchError::Unreachable }
        })
    };
    tokio::pin!(connection);
    // The connection is driven beside the exchange and dropped with it: nothing outlives a fetch.
    tokio::pin!(exchange);
    tokio::select! {
        result = &mut exchange => result,
        _ = &mut connection => exchange.await,
    }
}

fn request(url: &Url) -> Result<Request<Empty<Bytes>>, FetchError> {
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err(FetchError::Unreachable),
    };
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    Request::get(target)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/jwk-set+json, application/json")
        .header(header::USER_AGENT, concat!("idp-operator/", env!("CARGO_PKG_VERSION")))
        .body(Empty::new())
        .map_err(|_| FetchError::Unreachable)
}

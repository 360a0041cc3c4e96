//! An identity provider's endpoints, over HTTP and over HTTPS, with real keys made at its start.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::get,
    serve::Listener,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
    server::TlsStream,
};

use crate::{
    Error,
    public_keys::{ed25519, p256, rsa},
};

/// Where the manifests in examples/ expect it, over HTTP.
const HTTP: &str = "127.0.0.1:8180";
/// The same over HTTPS, with a certificate of its own authority.
const HTTPS: &str = "127.0.0.1:8543";

const JWKS: &str = "application/jwk-set+json";

/// A running provider; stops when dropped.
pub struct Provider {
    /// Where it listens, over HTTP.
    pub address: SocketAddr,
    /// The same over HTTPS.
    pub https: SocketAddr,
    /// The certificate of the authority of its HTTPS endpoint, in PEM.
    pub authority: String,
    login: Arc<Mutex<Login>>,
    tasks: [AbortHandle; 2],
}

/// What `/keys` answers.
struct Login {
    keys: Vec<Value>,
    down: bool,
}

impl Drop for Provider {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Provider {
    /// Starts it where the manifests expect it, or at any free ports where those are taken.
    pub async fn start() -> Result<Self, Error> {
        let keys = vec![rsa("login-rsa")?, p256("login-p256")?, ed25519("login-ed25519")?];
        let login = Arc::new(Mutex::new(Login { keys, down: false }));
        let mobypay = jwks(&[p256("mobypay-p256")?]);
        let intranet = jwks(&[p256("intranet-p256")?]);
        let shared = login.clone();
        let http = Router::new()
            .route("/", get(async || Html("<!doctype html><title>Login</title><p>Welcome.\n")))
            .route("/keys", get(async move || answer(&shared)))
            .route("/mobypay/keys", get(async || ([(CONTENT_TYPE, JWKS)], mobypay)))
            .fallback(async || Redirect::to("/"));
        let https = Router::new().route("/keys", get(async || ([(CONTENT_TYPE, JWKS)], intranet)));
        let (authority, acceptor) = certified()?;
        let plain = listen(HTTP).await?;
        let tls = Tls { tcp: listen(HTTPS).await?, acceptor };
        Ok(Self {
            address: plain.local_addr()?,
            authority,
            https: tls.tcp.local_addr()?,
            login,
            tasks: [
                tokio::spawn(async move { axum::serve(plain, http).await }).abort_handle(),
                tokio::spawn(async move { axum::serve(tls, https).await }).abort_handle(),
            ],
        })
    }

    /// Whether it is elsewhere than the manifests expect it.
    pub fn moved(&self) -> bool {
        self.address.to_string() != HTTP || self.https.to_string() != HTTPS
    }

    /// Text of a manifest, with the addresses where the provider is in place of those that it expects.
    pub fn found_in(&self, text: &str) -> String {
        text.replace(HTTP, &self.address.to_string()).replace(HTTPS, &self.https.to_string())
    }

    /// Publishes one more key at `/keys`.
    pub fn publish_another(&self, kid: &str) -> Result<(), Error> {
        let key = p256(kid)?;
        self.login.lock().unwrap_or_else(PoisonError::into_inner).keys.push(key);
        Ok(())
    }

    /// From now on `/keys` answers with 503, or with keys again.
    pub fn set_down(&self, down: bool) {
        self.login.lock().unwrap_or_else(PoisonError::into_inner).down = down;
    }
}

fn answer(login: &Mutex<Login>) -> Response {
    let login = login.lock().unwrap_or_else(PoisonError::into_inner);
    if login.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    ([(CONTENT_TYPE, JWKS)], jwks(&login.keys)).into_response()
}

fn jwks(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

async fn listen(address: &str) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => TcpListener::bind("127.0.0.1:0").await,
        bound => bound,
    }
}

/// An authority, in PEM, and a server's side with a certificate of it for loopback.
fn certified() -> Result<(String, TlsAcceptor), Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "The demo's authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key)?;
    Ok((authority.pem(), TlsAcceptor::from(Arc::new(config))))
}

/// Takes one handshake after the other: the operator is the only client.
struct Tls {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.tcp).await;
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

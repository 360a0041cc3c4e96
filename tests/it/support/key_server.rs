//! An endpoint that answers what a test wants, over HTTP or HTTPS.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// Ed25519 key of RFC 8037, appendix A.2.
pub const ED25519: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"ed"}"#;

/// EC key of RFC 7517, appendix A.1.
pub const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","kid":"ec"}"#;

/// A set of these keys.
pub fn jwks(keys: &[&str]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

/// A server on loopback.
pub struct KeyServer {
    url: String,
    answer: Arc<Mutex<Vec<u8>>>,
    hits: Arc<AtomicUsize>,
}

impl KeyServer {
    /// Answers this body with status 200.
    pub async fn http(body: &str) -> Self {
        Self::serve(body, None).await
    }

    /// The same with TLS. Also returns the certificate, in PEM, which is its own authority.
    pub async fn https(body: &str) -> (Self, String) {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let issued = rcgen::generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .unwrap();
        (Self::serve(body, Some(TlsAcceptor::from(Arc::new(config)))).await, issued.cert.pem())
    }

    async fn serve(body: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let server = Self { url, answer: Arc::default(), hits: Arc::default() };
        server.answer("200 OK", "", body);
        let (answer, hits) = (server.answer.clone(), server.hits.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, hits, tls) = (answer.clone(), hits.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => respond(stream, &answer, &hits).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                respond(stream, &answer, &hits).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    /// Answers this from now on.
    pub fn answer(&self, status: &str, headers: &str, body: &str) {
        let text =
            format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len());
        *self.answer.lock().unwrap() = text.into_bytes();
    }

    /// URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Requests answered.
    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

async fn respond(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &Mutex<Vec<u8>>, hits: &AtomicUsize) {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    hits.fetch_add(1, Ordering::SeqCst);
    let answer = answer.lock().unwrap().clone();
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

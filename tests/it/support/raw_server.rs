//! A server that answers bytes, however wrong, and tells what became of them.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
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

/// What a server does once a request, or whatever comes first, has come.
#[derive(Clone)]
pub enum Script {
    /// Sends this and hangs up.
    Whole(Vec<u8>),
    /// Sends this and says no more.
    Stall(Vec<u8>),
    /// Sends this, then a byte of that every 50 ms, for ever.
    Drip(Vec<u8>, Vec<u8>),
    /// Sends this, then that as often as it is taken.
    Endless(Vec<u8>, Vec<u8>),
    /// Answers a path's first request with status 503, and that only after more than a second; the others never.
    OnceLate,
}

/// A server on loopback.
pub struct RawServer {
    address: SocketAddr,
    seen: Arc<Seen>,
}

/// What a server has seen.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    unanswered: AtomicUsize,
    most_unanswered: AtomicUsize,
    taken: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl RawServer {
    pub async fn http(script: Script) -> Self {
        Self::on("127.0.0.1:0", script).await.unwrap()
    }

    /// On another address.
    pub async fn on(address: &str, script: Script) -> std::io::Result<Self> {
        Ok(Self::serve(TcpListener::bind(address).await?, script, None))
    }

    pub async fn https(script: Script, config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(listener, script, Some(TlsAcceptor::from(Arc::new(config))))
    }

    fn serve(listener: TcpListener, script: Script, tls: Option<TlsAcceptor>) -> Self {
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let server = Self { address, seen: seen.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                seen.connections.fetch_add(1, SeqCst);
                let (script, seen, tls) = (script.clone(), seen.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => drop(respond(stream, &script, &seen).await),
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                let _ = respond(stream, &script, &seen).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that were made to it.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(SeqCst)
    }

    /// Requests that wait for an answer that never comes.
    pub fn unanswered(&self) -> usize {
        self.seen.unanswered.load(SeqCst)
    }

    /// Most of these at any time.
    pub fn most_unanswered(&self) -> usize {
        self.seen.most_unanswered.load(SeqCst)
    }

    /// Bytes of an endless answer that the other side or the buffers between took.
    pub fn taken(&self) -> usize {
        self.seen.taken.load(SeqCst)
    }

    /// What came, wholly.
    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }
}

async fn respond(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: &Script, seen: &Seen) -> std::io::Result<()> {
    let mut request = Vec::new();
    // What is no request at all (a ClientHello) ends with what comes at once.
    while stream.read_buf(&mut request).await? > 0 {
        if !request.starts_with(b"GET ") || request.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let is_first = {
        let mut requests = seen.requests.lock().unwrap();
        let is_first = !requests.contains(&request);
        requests.push(request);
        is_first
    };
    match script {
        Script::Whole(bytes) => {
            stream.write_all(bytes).await?;
            stream.shutdown().await?;
        }
        Script::Stall(bytes) => {
            stream.write_all(bytes).await?;
            stream.flush().await?;
            never(stream, seen).await;
        }
        Script::Drip(head, bytes) => {
            stream.write_all(head).await?;
            for byte in bytes.iter().cycle() {
                stream.write_all(&[*byte]).await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Script::Endless(head, block) => {
            stream.write_all(head).await?;
            loop {
                stream.write_all(block).await?;
                seen.taken.fetch_add(block.len(), SeqCst);
            }
        }
        Script::OnceLate if is_first => {
            tokio::time::sleep(Duration::from_millis(1200)).await;
            stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await?;
        }
        Script::OnceLate => never(stream, seen).await,
    }
    Ok(())
}

/// Until the other side has had enough.
async fn never(mut stream: impl AsyncRead + Unpin, seen: &Seen) {
    let now = seen.unanswered.fetch_add(1, SeqCst) + 1;
    seen.most_unanswered.fetch_max(now, SeqCst);
    let mut buffer = [0; 1024];
    while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
    seen.unanswered.fetch_sub(1, SeqCst);
}

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server's side, with a certificate for these names that is valid but for this change.
    pub fn issue(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap()
    }
}

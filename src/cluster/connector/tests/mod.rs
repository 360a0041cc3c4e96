//! Fetches from servers that a test plays, on loopback addresses.

mod certificates;
mod guard;
mod hostile;
mod request;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use super::*;

/// What a server does after a request has come.
#[derive(Clone)]
enum Answer {
    /// Sends this and hangs up.
    Whole(Vec<u8>),
    /// Sends this and says no more.
    Stall(Vec<u8>),
    /// Sends this, then a byte of that each second, for ever.
    Drip(Vec<u8>, Vec<u8>),
    /// Sends this, then that as often as it is taken.
    Endless(Vec<u8>, Vec<u8>),
}

/// A server that is seen from outside.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// Bytes that the other side, or the buffers between, took.
    taken: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: Answer) -> Self {
        Self::on(listen("127.0.0.1:0"), answer, None)
    }

    fn https(answer: Answer, config: ServerConfig) -> Self {
        Self::on(listen("127.0.0.1:0"), answer, Some(TlsAcceptor::from(Arc::new(config))))
    }

    fn on(listener: TcpListener, answer: Answer, tls: Option<TlsAcceptor>) -> Self {
        let address = listener.local_addr().unwrap();
        let server = Self { address, connections: Arc::default(), taken: Arc::default(), requests: Arc::default() };
        let (connections, taken, requests) =
            (server.connections.clone(), server.taken.clone(), server.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (answer, taken, requests) = (answer.clone(), taken.clone(), requests.clone());
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => drop(respond(stream, answer, &taken, &requests).await),
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                let _ = respond(stream, answer, &taken, &requests).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/keys", self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Listens. With a backlog and no accept, connections are made all the same.
fn listen(address: &str) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address.parse().unwrap()).unwrap();
    socket.listen(64).unwrap()
}

async fn respond(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: Answer,
    taken: &AtomicUsize,
    requests: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    requests.lock().unwrap().push(String::from_utf8(request).unwrap());
    match answer {
        Answer::Whole(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        }
        Answer::Stall(bytes) => {
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            std::future::pending().await
        }
        Answer::Drip(head, bytes) => {
            stream.write_all(&head).await?;
            for byte in bytes.iter().cycle() {
                stream.write_all(&[*byte]).await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Ok(())
        }
        Answer::Endless(head, block) => {
            stream.write_all(&head).await?;
            loop {
                stream.write_all(&block).await?;
                taken.fetch_add(block.len(), Ordering::SeqCst);
            }
        }
    }
}

fn good() -> Answer {
    Answer::Whole(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nkeys".to_vec())
}

/// A connector that may call these networks beside the usual.
fn allowing(allow: &str) -> Connector {
    resolving(allow, |host, _| Err(io::Error::other(format!("who is {host}?"))))
}

/// The same, where names are looked up so.
fn resolving<F>(allow: &str, lookup: F) -> Connector
where
    F: Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
{
    let lookup: Lookup = Arc::new(move |host, port| std::future::ready(lookup(&host, port)).boxed());
    let policy = AddressPolicy { allow: vec![allow.parse().unwrap()], deny: Vec::new() };
    Connector::with_lookup(policy, Vec::new(), lookup)
}

fn failure(error: FetchError) -> Result<Vec<u8>, Failure> {
    Err(error.into())
}

//! A way to the API server that can be cut so that nobody is told: connections stay open, and nothing passes.

use std::{io::Write as _, path::Path};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::support::Plane;

/// The way. Dropped, it takes no new connections.
pub struct Way {
    kubeconfig: tempfile::NamedTempFile,
    is_open: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Way {
    /// An open way for the chart's `ServiceAccount`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plane = Plane::shared();
        let server = plane.control_plane.server_url();
        let here = format!("https://{}", listener.local_addr().unwrap());
        let kubeconfig = std::fs::read_to_string(&plane.operator_kubeconfig).unwrap();
        assert!(kubeconfig.contains(server), "{server}");
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(kubeconfig.replace(server, &here).as_bytes()).unwrap();
        let (is_open, there) = (watch::Sender::new(true), server.trim_start_matches("https://").to_owned());
        let gate = is_open.clone();
        let server = tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let to = TcpStream::connect(&there).await.unwrap();
                let ((from_reads, from_writes), (to_reads, to_writes)) = (from.into_split(), to.into_split());
                tokio::spawn(pass(from_reads, to_writes, gate.subscribe()));
                tokio::spawn(pass(to_reads, from_writes, gate.subscribe()));
            }
        });
        Self { kubeconfig: file, is_open, server }
    }

    /// Kubeconfig for who is to go this way.
    pub fn kubeconfig(&self) -> &Path {
        self.kubeconfig.path()
    }

    /// From now on nothing passes.
    pub fn cut(&self) {
        self.is_open.send_replace(false);
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut is_open: watch::Receiver<bool>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if is_open.wait_for(|is_open| *is_open).await.is_err() || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

//! The network between one operator and the API server: TCP connections that can be cut.

use std::{io::Write as _, net::SocketAddr, path::Path};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
    task::JoinHandle,
};

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    Works,
    /// Nothing comes through in either direction, and nobody is told. What was sent comes through once it works again,
    /// as TCP sends it again.
    Silent,
    /// The same, but only from the operator to the API server: it still hears what it watches.
    Mute,
    /// Every connection is closed at once.
    Closes,
    /// There is nobody to connect to.
    Refuses,
}

/// A running link. Dropped, it carries no new connections.
pub struct Link {
    kubeconfig: tempfile::NamedTempFile,
    network: watch::Sender<Network>,
    task: JoinHandle<()>,
}

impl Link {
    /// A link for who goes by this kubeconfig.
    pub async fn of(kubeconfig: &Path) -> Self {
        let mut config: Value = serde_json::from_slice(&std::fs::read(kubeconfig).unwrap()).unwrap();
        let server = &mut config["clusters"][0]["cluster"]["server"];
        let target = server.as_str().unwrap().strip_prefix("https://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        *server = format!("https://{}", listener.local_addr().unwrap()).into();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "{config}").unwrap();
        let network = watch::Sender::new(Network::Works);
        let task = tokio::spawn(serve(listener, target, network.subscribe()));
        Self { kubeconfig: file, network, task }
    }

    /// Kubeconfig for who is to go through the link.
    pub fn kubeconfig(&self) -> &Path {
        self.kubeconfig.path()
    }

    /// Lets the network be so.
    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut listener: TcpListener, target: SocketAddr, network: watch::Receiver<Network>) {
    let address = listener.local_addr().unwrap();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                tokio::spawn(carry(accepted.unwrap().0, target, network.clone()));
            }
            () = until(&network, |network| network == Network::Refuses) => {
                drop(listener);
                until(&network, |network| network != Network::Refuses).await;
                listener = TcpListener::bind(address).await.unwrap();
            }
        }
    }
}

/// Waits until the network is so.
async fn until(network: &watch::Receiver<Network>, is_so: impl Fn(Network) -> bool) {
    // An error is the end of the test.
    let _ = network.clone().wait_for(|network| is_so(*network)).await;
}

/// Carries a connection, until one of both sides or the network ends it.
async fn carry(client: TcpStream, target: SocketAddr, network: watch::Receiver<Network>) {
    let carried = async {
        until(&network, |network| network != Network::Silent).await;
        let Ok(server) = TcpStream::connect(target).await else { return };
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        tokio::join!(
            pump(from_client, to_server, &network, &[Network::Silent, Network::Mute]),
            pump(from_server, to_client, &network, &[Network::Silent]),
        );
    };
    tokio::select! {
        () = carried => {}
        () = until(&network, |network| matches!(network, Network::Closes | Network::Refuses)) => {}
    }
}

/// Carries one direction, but holds it while the network is one of these.
async fn pump(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    network: &watch::Receiver<Network>,
    holding: &[Network],
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or_default();
        until(network, |network| !holding.contains(&network)).await;
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            let _ = to.shutdown().await;
            return;
        }
    }
}

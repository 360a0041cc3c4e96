//! Kubeconfig files, and clients made from them.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use kube::config::{Cluster, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use serde_json::{Value, json};
use thiserror::Error;

/// Why a kubeconfig could not be written or used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It can't be read, or makes no sense.
    #[error("can't use the kubeconfig {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<KubeconfigError>,
    },
    /// Its current context names no cluster with a server.
    #[error("the current context of the kubeconfig {} has no server", .0.display())]
    NoServer(PathBuf),
    /// It can't be written.
    #[error("can't write the kubeconfig {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// No client could be made of it.
    #[error("can't make a client of the kubeconfig {}", path.display())]
    Client {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<kube::Error>,
    },
}

fn read(path: &Path) -> Result<Kubeconfig, ConfigError> {
    Kubeconfig::read_from(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source: Box::new(source) })
}

/// The settings of kube's client for the current context of a kubeconfig file, to change before making a client.
pub async fn client_config(kubeconfig: &Path) -> Result<Config, ConfigError> {
    let read = read(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
        .await
        .map_err(|source| ConfigError::Read { path: kubeconfig.to_owned(), source: Box::new(source) })?;
    // kube takes HTTPS_PROXY for every server, and is built without support for proxies here.
    if config.cluster_url.host() == Some("127.0.0.1") {
        config.proxy_url = None;
    }
    Ok(config)
}

/// A client for the current context of a kubeconfig file.
///
/// It belongs to the Tokio runtime it is made in: one for each `#[tokio::test]`.
pub async fn client(kubeconfig: &Path) -> Result<Client, ConfigError> {
    let config = client_config(kubeconfig).await?;
    Client::try_from(config)
        .map_err(|source| ConfigError::Client { path: kubeconfig.to_owned(), source: Box::new(source) })
}

/// The cluster, and its server's URL, of the current context of a kubeconfig file.
pub(crate) fn cluster_of(kubeconfig: &Path) -> Result<(Cluster, String), ConfigError> {
    let Kubeconfig { clusters, contexts, current_context, .. } = read(kubeconfig)?;
    contexts
        .into_iter()
        .find(|context| Some(&context.name) == current_context.as_ref())
        .and_then(|context| context.context)
        .and_then(|context| clusters.into_iter().find(|cluster| cluster.name == context.cluster))
        .and_then(|named| named.cluster)
        .and_then(|cluster| cluster.server.clone().map(|server| (cluster, server)))
        .ok_or_else(|| ConfigError::NoServer(kubeconfig.to_owned()))
}

/// Writes a kubeconfig, readable by its owner only, that authenticates by a bearer token. `cluster` is what the format
/// calls a cluster: the server's URL and how to verify it.
pub(crate) fn write(path: &Path, cluster: &Value, token: &str, namespace: &str) -> Result<(), ConfigError> {
    // JSON is YAML.
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "test", "cluster": cluster }],
        "users": [{ "name": "test", "user": { "token": token } }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test", "namespace": namespace } }],
        "current-context": "test",
    });
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(format!("{kubeconfig:#}\n").as_bytes()))
        .map_err(|source| ConfigError::Write { path: path.to_owned(), source })
}

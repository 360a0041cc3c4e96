//! Builds, caches and runs a real Kubernetes control plane: etcd, kube-apiserver and kube-controller-manager.
//!
//! No container engine and no download of ready programs: they are built once from the Go modules pinned in
//! `go/go.mod`, kept under `$XDG_CACHE_HOME/idp-operator` (or `~/.cache/idp-operator`), and run as plain processes that
//! never outlive this one. There is no kubelet and no scheduler: Pods are stored but don't run. Needs a Unix system.
//!
//! | Environment | Effect |
//! |---|---|
//! | `KUBEBUILDER_ASSETS` | folder with `kube-apiserver` and `etcd` to use, and the other programs if present |
//! | `IDP_OPERATOR_TEST_KUBECONFIG` | administrator's kubeconfig of a running cluster to use: none is started |

mod binaries;
mod credentials;
mod go;
mod kubeconfig;
mod scratch;
mod start;
mod supervise;

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use thiserror::Error;

pub use binaries::BinariesError;
pub use credentials::CredentialsError;
pub use kubeconfig::{ConfigError, client, client_config};
pub use start::StartError;
pub use supervise::{GRACE, SuperviseError, Supervised, supervise};

use binaries::{Binaries, Sources};
use scratch::Scratch;
use start::Processes;

/// Names the kubeconfig of a running cluster to use in place of a new one.
pub const KUBECONFIG_VARIABLE: &str = "IDP_OPERATOR_TEST_KUBECONFIG";

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Why there is no control plane, or why it did not do what was asked.
#[derive(Debug, Error)]
pub enum Error {
    /// Its programs are missing and can't be built.
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    /// It did not come up.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A kubeconfig can't be read or written.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no temporary folder for its files.
    #[error("can't create a temporary folder")]
    Scratch(#[source] io::Error),
    /// There is no thread or Tokio runtime to start it on.
    #[error("can't run the start")]
    Runtime(#[source] io::Error),
    /// The start panicked.
    #[error("the start panicked")]
    Panicked,
    /// Arguments can't be passed to an API server that runs already.
    #[error("a test that sets arguments of the API server can't use the cluster of {KUBECONFIG_VARIABLE}")]
    Arguments,
    /// Only an API server of one's own can be stopped.
    #[error("a test that stops the API server can't use the cluster of {KUBECONFIG_VARIABLE}")]
    NotOurs,
    /// The API server issued no token.
    #[error("can't get a token of ServiceAccount {namespace}/{name}")]
    Token {
        /// The `ServiceAccount`'s namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// The API server's answer to a request for a token has none.
    #[error("the API server's answer holds no token")]
    NoToken,
}

/// A running control plane; stops when dropped, or with this process.
#[derive(Debug)]
pub struct ControlPlane {
    // Fields are dropped in this order: processes end before their files vanish.
    processes: Processes,
    dir: Scratch,
    binaries: Binaries,
    kubeconfig: PathBuf,
    server_url: String,
}

/// Settings of a [`ControlPlane`] to start.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    api_server_args: Vec<String>,
}

impl Builder {
    /// Adds an argument of kube-apiserver, `--flag=value`.
    #[must_use]
    pub fn api_server_arg(mut self, arg: impl Into<String>) -> Self {
        self.api_server_args.push(arg.into());
        self
    }

    /// See [`ControlPlane::start`].
    pub fn start(self) -> Result<ControlPlane, Error> {
        let running = env::var_os(KUBECONFIG_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        if running.is_some() && !self.api_server_args.is_empty() {
            return Err(Error::Arguments);
        }
        let binaries = Sources::from_env().binaries()?;
        let dir = Scratch::new().map_err(Error::Scratch)?;
        let (processes, kubeconfig) = match running {
            Some(kubeconfig) => (Processes::default(), kubeconfig),
            None => block_on(|| start::start(&binaries, dir.path(), &self.api_server_args))??,
        };
        let (_, server_url) = kubeconfig::cluster_of(&kubeconfig)?;
        Ok(ControlPlane { processes, dir, binaries, kubeconfig, server_url })
    }
}

impl ControlPlane {
    /// Starts a control plane, or uses that of `IDP_OPERATOR_TEST_KUBECONFIG`, and waits until it works.
    ///
    /// Blocks the thread: some 5 seconds, and the first time on a machine as long as the build takes. Belongs to no
    /// Tokio runtime, so that a `static` can share it among tests.
    pub fn start() -> Result<Self, Error> {
        Self::builder().start()
    }

    /// To start a control plane with settings of its own.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Stops the processes and removes their files. Blocks the thread.
    pub fn stop(self) {
        drop(self);
    }

    /// Kills the API server, which breaks all its connections, and leaves the rest running. Blocks the thread.
    pub fn kill_api_server(&mut self) -> Result<(), Error> {
        self.processes.kill_api_server()?.then_some(()).ok_or(Error::NotOurs)
    }

    /// Starts the API server again, on the same port and with the same data, and waits until it is ready. Blocks the
    /// thread for some seconds.
    pub fn start_api_server(&mut self) -> Result<(), Error> {
        block_on(|| self.processes.start_api_server())??.then_some(()).ok_or(Error::NotOurs)
    }

    /// Kubeconfig of a user in `system:masters`.
    #[must_use]
    pub fn admin_kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The API server's URL.
    #[must_use]
    pub fn server_url(&self) -> &str {
        &self.server_url
    }

    /// A temporary folder, readable by this user only, removed with the control plane.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// An administrator's client, for the Tokio runtime it is called in.
    pub async fn client(&self) -> Result<Client, ConfigError> {
        client(&self.kubeconfig).await
    }

    /// `kubectl`, as the administrator.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        let mut kubectl = Command::new(&self.binaries.kubectl);
        kubectl.env("KUBECONFIG", &self.kubeconfig).env("KUBECACHEDIR", self.dir().join("kubectl"));
        kubectl
    }

    /// `helm`, as the administrator, apart from the user's repositories and plugins. Its discovery cache is apart too:
    /// what it keeps there from before a CRD would hide the kind from the user's `kubectl`.
    #[must_use]
    pub fn helm(&self) -> Command {
        let home = self.dir().join("helm");
        let mut helm = Command::new(&self.binaries.helm);
        helm.env("KUBECONFIG", &self.kubeconfig)
            .env("HELM_CACHE_HOME", home.join("cache"))
            .env("HELM_CONFIG_HOME", home.join("config"))
            .env("HELM_DATA_HOME", home.join("data"))
            .env("KUBECACHEDIR", home.join("kube"));
        helm
    }

    /// Writes a kubeconfig that authenticates as an existing `ServiceAccount`, with a token of 24 hours. Its context's
    /// namespace is the `ServiceAccount`'s. A second call replaces the file.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf, Error> {
        let token_error =
            |source| Error::Token { namespace: namespace.to_owned(), name: name.to_owned(), source: Box::new(source) };
        let request = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(DAY_SECONDS), ..TokenRequestSpec::default() },
            ..TokenRequest::default()
        };
        let token = Api::<ServiceAccount>::namespaced(self.client().await?, namespace)
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .map_err(token_error)?
            .status
            .ok_or(Error::NoToken)?
            .token;
        let (cluster, _) = kubeconfig::cluster_of(&self.kubeconfig)?;
        let cluster = serde_json::to_value(cluster).map_err(|error| token_error(kube::Error::SerdeError(error)))?;
        let path = self.dir().join(format!("{namespace}.{name}.kubeconfig"));
        kubeconfig::write(&path, &cluster, &token, namespace)?;
        Ok(path)
    }
}

/// An error with its causes, on one line: what `unwrap` and `main` print of an error, `Debug`, is hard to read.
#[must_use]
pub fn report(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Runs a future to its end on a thread and runtime of its own, since the caller may be inside a runtime already.
fn block_on<T: Send, F: Future<Output = T>>(future: impl FnOnce() -> F + Send) -> Result<T, Error> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(future()))
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, run).map_err(Error::Runtime)?;
        thread.join().map_err(|_| Error::Panicked)?.map_err(Error::Runtime)
    })
}

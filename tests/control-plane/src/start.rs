//! Starts the processes of a control plane and waits until they work.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};
use serde_json::json;
use thiserror::Error;

use crate::binaries::Binaries;
use crate::credentials::{Credentials, CredentialsError};
use crate::kubeconfig::{self, ConfigError};
use crate::supervise::{SuperviseError, Supervised, supervise, tail};

/// Each part takes seconds; a loaded machine of one core still stays below.
const LIMIT: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(100);
const ATTEMPTS: usize = 3;

const CONTROLLERS: &str = "garbage-collector-controller,namespace-controller,serviceaccount-controller,\
    serviceaccount-token-controller,clusterrole-aggregation-controller,root-ca-certificate-publisher-controller";

/// Why the control plane did not come up.
#[derive(Debug, Error)]
pub enum StartError {
    /// A process could not be started.
    #[error(transparent)]
    Supervise(#[from] SuperviseError),
    /// The credentials could not be made.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The administrator's kubeconfig could not be made.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no free port.
    #[error("can't find a free port on the loopback interface")]
    Port(#[source] io::Error),
    /// A process ended before it was ready.
    #[error("{name} ended ({status}); its last output:\n{output}")]
    Ended {
        /// The program.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines it wrote.
        output: String,
    },
    /// A process was not ready in time.
    #[error("{name} is not ready after {LIMIT:?}; its last output:\n{output}")]
    NotReady {
        /// The program.
        name: String,
        /// The last lines it wrote.
        output: String,
    },
}

impl StartError {
    /// Between choosing a free port and its use by a child, anybody can take it.
    fn port_was_taken(&self) -> bool {
        matches!(self, Self::Ended { output, .. } if output.contains("address already in use"))
    }
}

/// Running processes, in the order of their start. They end in the reverse order: without etcd, the API server would
/// take minutes to shut down.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    running: Vec<Supervised>,
    api_server: Option<ApiServer>,
}

/// How the API server was started.
#[derive(Debug)]
struct ApiServer {
    /// Among the processes.
    position: usize,
    command: Command,
    /// The administrator's, to ask it with.
    kubeconfig: PathBuf,
}

impl Processes {
    /// Kills the API server: it can't end its connections in good order. False: there is none of ours.
    pub(crate) fn kill_api_server(&mut self) -> Result<bool, StartError> {
        let Some(process) = self.api_server.as_ref().and_then(|server| self.running.get_mut(server.position)) else {
            return Ok(false);
        };
        process.kill()?;
        Ok(true)
    }

    /// Starts it again with the same arguments, so on the same port and data, and waits until it is ready. False: there
    /// is none of ours.
    pub(crate) async fn start_api_server(&mut self) -> Result<bool, StartError> {
        let Some(ApiServer { position, command, kubeconfig }) = &self.api_server else { return Ok(false) };
        let Some(process) = self.running.get_mut(*position) else { return Ok(false) };
        *process = supervise(command, process.log())?;
        let client = impatient_client(kubeconfig).await?;
        wait(std::slice::from_mut(process), async || is_ready(&client).await).await?;
        Ok(true)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        while let Some(mut process) = self.running.pop() {
            // It is killed when dropped, at the latest.
            let _ = process.terminate();
        }
    }
}

/// Starts all processes, with their files in `dir`; returns them and the administrator's kubeconfig.
pub(crate) async fn start(
    binaries: &Binaries,
    dir: &Path,
    api_server_args: &[String],
) -> Result<(Processes, PathBuf), StartError> {
    let credentials = Credentials::generate(dir)?;
    let mut attempt = 1;
    loop {
        let mut starting = Starting {
            binaries,
            // What a failed attempt wrote is not to be mixed with what the next one writes.
            dir: dir.join(format!("attempt-{attempt}")),
            credentials: &credentials,
            processes: Processes::default(),
        };
        match starting.start(api_server_args).await {
            Ok(kubeconfig) => return Ok((starting.processes, kubeconfig)),
            Err(error) if error.port_was_taken() && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

struct Starting<'a> {
    binaries: &'a Binaries,
    dir: PathBuf,
    credentials: &'a Credentials,
    processes: Processes,
}

impl Starting<'_> {
    async fn start(&mut self, api_server_args: &[String]) -> Result<PathBuf, StartError> {
        std::fs::create_dir(&self.dir).map_err(|source| CredentialsError::Io { path: self.dir.clone(), source })?;
        let etcd = self.start_etcd().await?;
        let kubeconfig = self.start_api_server(etcd, api_server_args).await?;
        self.start_controller_manager(&kubeconfig).await?;
        Ok(kubeconfig)
    }

    async fn start_etcd(&mut self) -> Result<SocketAddr, StartError> {
        let address = free_address()?;
        let url = format!("http://{address}");
        let mut command = Command::new(&self.binaries.etcd);
        command
            .arg("--data-dir")
            .arg(self.dir.join("etcd"))
            .args(["--listen-client-urls", &url, "--advertise-client-urls", &url])
            // A cluster of one: the port for other members is anyone's.
            .args(["--listen-peer-urls", "http://127.0.0.1:0"])
            // The data need not survive a power failure.
            .args(["--unsafe-no-fsync", "--log-level", "warn"]);
        self.spawn(&command)?;
        self.wait(async || TcpStream::connect_timeout(&address, POLL).is_ok()).await?;
        Ok(address)
    }

    async fn start_api_server(&mut self, etcd: SocketAddr, args: &[String]) -> Result<PathBuf, StartError> {
        let address = free_address()?;
        let certificates = self.dir.join("certificates");
        let mut command = Command::new(&self.binaries.kube_apiserver);
        command
            .args(["--etcd-servers", &format!("http://{etcd}")])
            .args(["--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1"])
            .args(["--secure-port", &address.port().to_string()])
            // Endpoints may not hold loopback addresses, and nothing runs in this cluster that would use them.
            .args(["--endpoint-reconciler-type", "none"])
            .arg("--cert-dir")
            .arg(&certificates)
            .arg("--service-account-key-file")
            .arg(&self.credentials.public_key)
            .arg("--service-account-signing-key-file")
            .arg(&self.credentials.signing_key)
            .args(["--service-account-issuer", "https://kubernetes.default.svc"])
            .arg("--token-auth-file")
            .arg(&self.credentials.tokens)
            .args(["--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16"])
            .arg("--allow-privileged")
            .args(args);
        self.spawn(&command)?;

        // The API server writes its certificate, with that of its CA, before it listens.
        let certificate = certificates.join("apiserver.crt");
        self.wait(async || certificate.is_file() && TcpStream::connect_timeout(&address, POLL).is_ok()).await?;
        let kubeconfig = self.dir.join("admin.kubeconfig");
        let cluster = json!({ "server": format!("https://{address}"), "certificate-authority": certificate });
        kubeconfig::write(&kubeconfig, &cluster, &self.credentials.admin_token, "default")?;

        let client = impatient_client(&kubeconfig).await?;
        self.wait(async || is_ready(&client).await).await?;
        let position = self.processes.running.len().saturating_sub(1);
        self.processes.api_server = Some(ApiServer { position, command, kubeconfig: kubeconfig.clone() });
        Ok(kubeconfig)
    }

    async fn start_controller_manager(&mut self, kubeconfig: &Path) -> Result<(), StartError> {
        let mut command = Command::new(&self.binaries.kube_controller_manager);
        command
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .arg("--service-account-private-key-file")
            .arg(&self.credentials.signing_key)
            .arg("--root-ca-file")
            .arg(self.dir.join("certificates").join("apiserver.crt"))
            .args(["--controllers", CONTROLLERS])
            .args(["--leader-elect=false", "--secure-port", "0"]);
        self.spawn(&command)?;
        let accounts = Api::<ServiceAccount>::namespaced(impatient_client(kubeconfig).await?, "default");
        self.wait(async || matches!(accounts.get_opt("default").await, Ok(Some(_)))).await
    }

    fn spawn(&mut self, command: &Command) -> Result<(), StartError> {
        let name = Path::new(command.get_program()).with_extension("log");
        let log = self.dir.join(name.file_name().unwrap_or_default());
        self.processes.running.push(supervise(command, &log)?);
        Ok(())
    }

    /// Waits until the process started last is ready, as long as all run.
    async fn wait(&mut self, ready: impl AsyncFnMut() -> bool) -> Result<(), StartError> {
        wait(&mut self.processes.running, ready).await
    }
}

/// Waits until the last of these processes is ready, as long as all run.
async fn wait(processes: &mut [Supervised], mut ready: impl AsyncFnMut() -> bool) -> Result<(), StartError> {
    let start = Instant::now();
    loop {
        for process in &mut *processes {
            if let Some(status) = process.try_wait()? {
                let (name, output) = (process.name().to_owned(), process.log_tail());
                return Err(StartError::Ended { name, status, output });
            }
        }
        if ready().await {
            return Ok(());
        }
        if start.elapsed() > LIMIT {
            let last = processes.last();
            let (name, output) = last.map(|last| (last.name().to_owned(), tail(last.log()))).unwrap_or_default();
            return Err(StartError::NotReady { name, output });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A client that reports at once what kube's default would try again for a long time.
async fn impatient_client(path: &Path) -> Result<Client, ConfigError> {
    let mut config = kubeconfig::client_config(path).await?;
    config.default_retry = false;
    config.read_timeout = Some(Duration::from_secs(5));
    Client::try_from(config).map_err(|source| ConfigError::Client { path: path.to_owned(), source: Box::new(source) })
}

async fn is_ready(client: &Client) -> bool {
    let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else {
        return false;
    };
    matches!(client.request_text(request).await.as_deref(), Ok("ok"))
}

fn free_address() -> Result<SocketAddr, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).map_err(StartError::Port)
}

//! The operator, as a process of this machine under the chart's `ServiceAccount`.

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use control_plane::{Supervised, supervise};

use crate::Error;

/// The demo's first argument that makes it the operator: one program to build, and always the one of this checkout.
pub const COMMAND: &str = "operator";

/// What the demo gives `idp-operator run`.
pub const FLAGS: &str = "--allow-cidr=127.0.0.0/8";

const LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(100);
const TAIL_LINES: usize = 25;

/// The operator's process; killed when dropped.
pub struct Operator {
    process: Supervised,
    command: Command,
    log: PathBuf,
    admin: SocketAddr,
}

impl Operator {
    /// Starts it and waits until it is ready.
    pub async fn start(kubeconfig: &Path, log: &Path) -> Result<Self, Error> {
        let admin = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(env::current_exe()?);
        command.args([COMMAND, "run", FLAGS, "--admin-address", &admin.to_string()]).env("KUBECONFIG", kubeconfig);
        // The API server is on loopback: no proxy leads there.
        for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(name);
        }
        let process = supervise(&command, log)?;
        let mut operator = Self { process, command, log: log.to_owned(), admin };
        operator.wait_until_ready().await?;
        Ok(operator)
    }

    /// Stops it and starts it again.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.stop()?;
        self.process = supervise(&self.command, &self.log)?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&mut self) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            self.must_run()?;
            let answer = self.get("/readyz").unwrap_or_default();
            if answer.trim() == "ok" {
                return Ok(());
            }
            if start.elapsed() > LIMIT {
                return Err(format!("the operator is not ready after {LIMIT:?}: {answer}").into());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// An error if it ended.
    pub fn must_run(&mut self) -> Result<(), Error> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("the operator ended by itself ({status})").into()),
        }
    }

    /// How many reconciles this process has done, by its metrics.
    pub fn reconciles(&self) -> io::Result<u64> {
        let metrics = self.get("/metrics")?;
        let counts = metrics.lines().filter(|line| line.starts_with("idp_operator_reconciles_total"));
        Ok(counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }

    /// Where it serves `/readyz` and `/metrics`.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Asks it to end, and waits until it has finished what it was doing.
    pub fn stop(&mut self) -> Result<(), Error> {
        let status = self.process.terminate()?;
        if status.success() { Ok(()) } else { Err(format!("the operator did not stop cleanly ({status})").into()) }
    }

    /// The body of an answer of its admin server.
    fn get(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.admin, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        // HTTP/1.0: the body comes in one piece, and ends with the connection.
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }
}

/// The last lines of a log; none if there is no log.
pub fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let skipped = text.lines().count().saturating_sub(TAIL_LINES);
    text.lines().skip(skipped).collect::<Vec<_>>().join("\n")
}

//! The operator as a process of its own.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use control_plane::{Supervised, supervise};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A running operator. Dropped, it is killed.
pub struct Operator {
    process: Supervised,
    address: String,
    _dir: tempfile::TempDir,
}

/// How an operator is started.
pub struct Start {
    program: Vec<String>,
    kubeconfig: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Start {
    pub fn new(kubeconfig: impl Into<PathBuf>) -> Self {
        let program = vec![env!("CARGO_BIN_EXE_idp-operator").to_owned()];
        Self { program, kubeconfig: kubeconfig.into(), args: Vec::new(), env: Vec::new() }
    }

    /// Starts it by this command, which takes the program's arguments, instead of the program that cargo built.
    pub fn by(mut self, program: &[String]) -> Self {
        program.clone_into(&mut self.program);
        self
    }

    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Starts it and waits until it serves its admin address.
    pub async fn spawn(self) -> Operator {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(&self.program[0]);
        command.args(&self.program[1..]).args(["run", "--admin-address", "127.0.0.1:0"]).args(&self.args);
        command.env("KUBECONFIG", &self.kubeconfig).env_remove("HTTPS_PROXY").env_remove("https_proxy");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let process = supervise(&command, &dir.path().join("operator.log")).unwrap();
        let mut operator = Operator { process, address: String::new(), _dir: dir };
        let deadline = Instant::now() + Duration::from_secs(20);
        while operator.address.is_empty() {
            assert!(Instant::now() < deadline, "the operator did not start:\n{}", operator.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
            operator.address = admin_address(&operator.log()).unwrap_or_default();
        }
        operator
    }

    /// Starts it and waits until it is ready.
    pub async fn ready(self) -> Operator {
        let operator = self.spawn().await;
        operator.wait_ready().await;
        operator
    }
}

fn admin_address(log: &str) -> Option<String> {
    let rest = log.split_once("admin_address")?.1.trim_start_matches(['=', '"', ':']);
    let end = rest.find(|character: char| !(character.is_ascii_digit() || character == '.' || character == ':'))?;
    Some(rest[..end].to_owned())
}

impl Operator {
    pub async fn wait_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let (status, body) = self.get("/readyz").await;
            if status == 200 {
                return;
            }
            assert!(Instant::now() < deadline, "the operator is not ready: {status} {body}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Status and body of a GET on the admin server.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let (head, body) = self.get_with(path, "").await;
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
    }

    /// Head and body of the answer to a GET with these header lines.
    pub async fn get_with(&self, path: &str, headers: &str) -> (String, String) {
        let mut stream = tokio::net::TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.0\r\n{headers}\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    /// Sum of all samples of this name whose labels contain these texts.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (_, text) = self.get("/metrics").await;
        text.lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Waits until it has reconciled an object of this kind.
    pub async fn has_reconciled(&self, kind: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.metric("idp_operator_reconciles_total", &[kind, "result=\"ok\""]).await < 1.0 {
            assert!(Instant::now() < deadline, "no {kind} is reconciled:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Requests that changed something.
    pub async fn writes(&self) -> f64 {
        let mut sum = 0.0;
        for verb in ["create", "update", "patch", "delete"] {
            sum += self.metric("idp_operator_api_requests_total", &[&format!("verb=\"{verb}\"")]).await;
        }
        sum
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn log_file(&self) -> &Path {
        self.process.log()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.process.log()).unwrap_or_default()
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(mut self) -> (ExitStatus, String) {
        let status = self.process.terminate().unwrap();
        (status, self.log())
    }

    /// SIGTERM, and waits for its end. Cancelled, it is killed.
    pub async fn drained(mut self) {
        self.signal("TERM");
        loop {
            match self.wait(Duration::ZERO) {
                None => tokio::time::sleep(Duration::from_millis(10)).await,
                Some(status) => return assert!(status.success(), "{status}\n{}", self.log()),
            }
        }
    }

    /// Waits for its end without blocking the thread: other parts of a test go on.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.wait(Duration::ZERO) {
                return status;
            }
            assert!(Instant::now() < deadline, "it still runs:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits for its end.
    pub fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        self.process.wait_timeout(timeout).unwrap()
    }

    pub fn signal(&mut self, name: &str) {
        self.process.signal(name).unwrap();
    }
}

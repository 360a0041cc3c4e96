//! What processes take of the machine, as Linux tells in `/proc`.

use std::{
    fs,
    time::{Duration, Instant},
};

/// `USER_HZ`: what `/proc` counts CPU time in, on every architecture that we run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process.
pub struct Process {
    pid: u32,
}

/// Memory in MiB.
pub struct Memory {
    pub now: f64,
    pub peak: f64,
}

impl Process {
    pub fn this() -> Self {
        Self { pid: std::process::id() }
    }

    /// The newest process of this name that was started by this one, or by one that was.
    pub fn named(name: &str) -> Option<Self> {
        let processes: Vec<(u32, u32, String)> = fs::read_dir("/proc")
            .ok()?
            .filter_map(|entry| {
                let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
                let (comm, fields) = stat(pid)?;
                Some((pid, fields.get(1)?.parse().ok()?, comm))
            })
            .collect();
        let parent = |pid: u32| processes.iter().find(|process| process.0 == pid).map(|process| process.1);
        let is_ours =
            |pid: u32| std::iter::successors(Some(pid), |pid| parent(*pid)).any(|pid| pid == std::process::id());
        let found = processes.iter().filter(|(pid, _, comm)| comm == name && is_ours(*pid));
        found.map(|(pid, ..)| Self { pid: *pid }).max_by_key(|process| process.pid)
    }

    /// CPU seconds until now, of user and system.
    pub fn cpu(&self) -> f64 {
        let ticks = stat(self.pid)
            .and_then(|(_, fields)| Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?));
        ticks.unwrap_or(f64::NAN) / TICKS_PER_SECOND
    }

    /// Memory that is resident now, and at most until now.
    pub fn memory(&self) -> Memory {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
        };
        Memory { now: field("VmRSS:").unwrap_or(f64::NAN), peak: field("VmHWM:").unwrap_or(f64::NAN) }
    }
}

/// A process's name, and what follows it in `/proc/PID/stat`.
fn stat(pid: u32) -> Option<(String, Vec<String>)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, rest) = text.rsplit_once(')')?;
    let (_, comm) = head.split_once('(')?;
    Some((comm.to_owned(), rest.split_whitespace().map(str::to_owned).collect()))
}

/// Requests to the API server.
#[derive(Clone, Copy)]
pub struct Requests {
    pub writes: usize,
    /// GETs and LISTs; pages of a list count each.
    pub reads: usize,
}

impl Requests {
    pub fn since(self, before: Self) -> Self {
        Self { writes: self.writes - before.writes, reads: self.reads - before.reads }
    }
}

/// What happened in a phase. CPU in seconds; NaN where it is unknown.
pub struct Phase {
    pub wall: Duration,
    pub writer: f64,
    pub api_server: f64,
    pub etcd: f64,
    pub requests: Requests,
}

impl Phase {
    /// CPU seconds of all that took part.
    pub fn cpu(&self) -> f64 {
        self.writer + self.api_server + self.etcd
    }
}

/// Measures a phase.
pub struct Meter {
    writer: f64,
    api_server: f64,
    etcd: f64,
    started: Instant,
}

impl Meter {
    /// Starts now. A writer that is not there yet has taken no CPU.
    pub fn start(writer: Option<&Process>) -> Self {
        let writer = writer.map_or(0.0, Process::cpu);
        Self { writer, api_server: cpu("kube-apiserver"), etcd: cpu("etcd"), started: Instant::now() }
    }

    /// Ends now; `wall` is how much of the time counts.
    pub fn stop(self, wall: Duration, writer: &Process, requests: Requests) -> Phase {
        debug_assert!(wall <= self.started.elapsed());
        Phase {
            wall,
            writer: writer.cpu() - self.writer,
            api_server: cpu("kube-apiserver") - self.api_server,
            etcd: cpu("etcd") - self.etcd,
            requests,
        }
    }
}

fn cpu(name: &str) -> f64 {
    Process::named(name).map_or(f64::NAN, |process| process.cpu())
}

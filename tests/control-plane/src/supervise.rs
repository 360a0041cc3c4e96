//! Child processes that never outlive their parent.
//!
//! `PR_SET_PDEATHSIG` needs `unsafe` code and exists on Linux only. A small `sh` script does it everywhere: it reads
//! from a pipe which only this process holds open for writing; the kernel closes it at any end, SIGKILL included.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

const SCRIPT: &str = include_str!("supervise.sh");

/// How long a process gets between SIGTERM and SIGKILL.
pub const GRACE: Duration = Duration::from_secs(15);

const POLL: Duration = Duration::from_millis(20);
const TAIL_LINES: usize = 25;

/// Why a process could not be run or controlled.
#[derive(Debug, Error)]
pub enum SuperviseError {
    /// The supervising shell did not start.
    #[error("can't start a supervisor for {program}")]
    Spawn {
        /// The program that was to run.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// The supervising shell ended without having started the program.
    #[error("the supervisor of {program} reported no process: {reported:?}")]
    NoProcess {
        /// The program that was to run.
        program: String,
        /// What it said instead of a process id.
        reported: String,
    },
    /// A signal could not be passed on: the process has most likely ended.
    #[error("can't send {signal} to {program}")]
    Signal {
        /// The program.
        program: String,
        /// Name of the signal.
        signal: String,
        /// The cause.
        source: io::Error,
    },
    /// Waiting failed.
    #[error("can't wait for {program}")]
    Wait {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
}

/// A running process that ends at the latest when this one does, killed when dropped.
#[derive(Debug)]
pub struct Supervised {
    name: String,
    supervisor: Child,
    control: Option<ChildStdin>,
    pid: u32,
    log: PathBuf,
}

/// Starts `command` in a process group of its own (Ctrl-C on the terminal does not reach it), with no input, and its
/// output appended to `log`.
///
/// Program, arguments, working directory and environment changes of `command` are kept; its `stdin`, `stdout`, `stderr`
/// and `env_clear` are not. SIGINT and SIGQUIT are ignored unless the program handles them, as in any
/// background job of a shell. A program that can't be executed shows as exit code 126 or 127, with the cause in `log`.
pub fn supervise(command: &Command, log: &Path) -> Result<Supervised, SuperviseError> {
    let path = Path::new(command.get_program());
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(SCRIPT).arg("supervise").arg(log).arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(key),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        shell.current_dir(dir);
    }
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);

    let spawn_error = |source| SuperviseError::Spawn { program: name.clone(), source };
    let mut supervisor = shell.spawn().map_err(spawn_error)?;
    let mut reported = String::new();
    if let Some(stdout) = supervisor.stdout.take() {
        BufReader::new(stdout).read_line(&mut reported).map_err(spawn_error)?;
    }
    let Ok(pid) = reported.trim().parse() else {
        // Its input, the control pipe, is closed by `wait`, which ends it if it still runs at all.
        supervisor.wait().map_err(spawn_error)?;
        return Err(SuperviseError::NoProcess { program: name, reported });
    };
    Ok(Supervised { name, control: supervisor.stdin.take(), supervisor, pid, log: log.to_owned() })
}

impl Supervised {
    /// File name of the program.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Process id of the program itself, not of its supervisor.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The file that holds the program's output.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of the program's output.
    #[must_use]
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }

    /// Sends a signal, by its name without `SIG`: `TERM`, `HUP`, `STOP`, `CONT`.
    pub fn signal(&mut self, signal: &str) -> Result<(), SuperviseError> {
        let sent = match &mut self.control {
            Some(control) => control.write_all(format!("{signal}\n").as_bytes()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        sent.map_err(|source| SuperviseError::Signal { program: self.name.clone(), signal: signal.to_owned(), source })
    }

    /// The exit status if the program has ended: its code, or 128 plus the number of the signal that ended it.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, SuperviseError> {
        let status = self.supervisor.try_wait();
        status.map_err(|source| SuperviseError::Wait { program: self.name.clone(), source })
    }

    /// Waits for the program to end by itself; `None` when it still runs after `limit`. Blocks the thread.
    pub fn wait_timeout(&mut self, limit: Duration) -> Result<Option<ExitStatus>, SuperviseError> {
        let start = Instant::now();
        loop {
            let status = self.try_wait()?;
            if status.is_some() || start.elapsed() >= limit {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
    }

    /// Asks the program to end with SIGTERM, kills it when it has not within [`GRACE`], and returns how it ended: code
    /// 0 if it shut down cleanly. Blocks the thread. Does nothing to a program that has ended.
    pub fn terminate(&mut self) -> Result<ExitStatus, SuperviseError> {
        if let Some(status) = self.try_wait()? {
            return Ok(status);
        }
        // It may have ended in between: not an error.
        let _ = self.signal("TERM");
        match self.wait_timeout(GRACE)? {
            Some(status) => Ok(status),
            None => self.kill(),
        }
    }

    /// Kills the program and waits for its end.
    pub fn kill(&mut self) -> Result<ExitStatus, SuperviseError> {
        self.control = None;
        let status = self.supervisor.wait();
        status.map_err(|source| SuperviseError::Wait { program: self.name.clone(), source })
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // Nobody is left to report to; without its control pipe the program ends in any case.
        let _ = self.kill();
    }
}

/// The last lines of a log, or a word on why there are none.
pub(crate) fn tail(log: &Path) -> String {
    match fs::read(log) {
        Ok(bytes) if bytes.is_empty() => "(no output)".to_owned(),
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            let skipped = lines.len().saturating_sub(TAIL_LINES);
            lines.into_iter().skip(skipped).collect::<Vec<_>>().join("\n")
        }
        Err(error) => format!("(no log: {error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(script: &str) -> (Supervised, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        (supervise(&command, &dir.path().join("log")).unwrap(), dir)
    }

    fn wait_for_output(process: &Supervised) {
        while fs::metadata(process.log()).map_or(0, |meta| meta.len()) == 0 {
            thread::sleep(POLL);
        }
    }

    #[test]
    fn the_exit_code_and_the_output_of_a_program_are_kept() {
        let (mut process, _dir) = script("echo out; echo err >&2; exit 7");
        assert_eq!(process.wait_timeout(GRACE).unwrap().and_then(|status| status.code()), Some(7));
        assert_eq!(process.log_tail(), "out\nerr");
    }

    #[test]
    fn a_terminated_program_can_shut_down_cleanly() {
        let (mut process, _dir) = script("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done");
        wait_for_output(&process);
        assert_eq!(process.terminate().unwrap().code(), Some(0));
        assert_eq!(process.log_tail(), "up\nbye");
    }

    #[test]
    fn a_program_that_ignores_sigterm_is_killed() {
        let (mut process, _dir) = script("trap '' TERM; echo up; while :; do sleep 0.05; done");
        wait_for_output(&process);
        process.signal("TERM").unwrap();
        assert_eq!(process.wait_timeout(Duration::from_millis(200)).unwrap(), None);
        assert_eq!(process.kill().unwrap().code(), Some(128 + 9));
    }

    #[test]
    fn a_missing_program_says_so_in_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut process = supervise(&Command::new("/missing/program"), &dir.path().join("log")).unwrap();
        assert_eq!(process.wait_timeout(GRACE).unwrap().and_then(|status| status.code()), Some(127));
        assert!(process.log_tail().contains("/missing/program"), "{}", process.log_tail());
    }
}

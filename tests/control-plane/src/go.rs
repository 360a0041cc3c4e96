//! Builds the control plane from the Go modules pinned in `go/go.mod`.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::binaries::{BinariesError, io_error};
use crate::supervise::{supervise, tail};

const GO_MOD: &str = include_str!("../go/go.mod");
const GO_SUM: &str = include_str!("../go/go.sum");

const PACKAGES: [&str; 5] = [
    "go.etcd.io/etcd/server/v3",
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes/cmd/kube-controller-manager",
    "k8s.io/kubernetes/cmd/kubectl",
    "helm.sh/helm/v4/cmd/helm",
];

/// What the result of a build depends on, short enough for a folder's name.
pub(crate) fn fingerprint() -> String {
    // FNV-1a: the same in every version of Rust, unlike the standard library's hash.
    let inputs = [GO_MOD, GO_SUM, &linker_flags(), env::consts::OS, env::consts::ARCH];
    let hash = inputs
        .iter()
        .flat_map(|input| input.bytes().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

/// Kubernetes' own build sets its version by the linker; without, the API server calls itself `v0.0.0-master` and no
/// chart's `kubeVersion` is met.
fn linker_flags() -> String {
    let version = GO_MOD
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "))
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap_or_default();
    let mut parts = version.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let settings = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].map(|package| {
        format!(
            "-X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor} \
             -X {package}.gitTreeState=clean"
        )
    });
    format!("-s -w {}", settings.join(" "))
}

/// Looks `go` up in the folders of a `PATH`.
pub(crate) fn find(path: Option<&OsStr>) -> Option<PathBuf> {
    env::split_paths(path?).map(|folder| folder.join("go")).find(|file| file.is_file())
}

/// Builds into `target`, which exists either whole or not at all. `target` must not be in use, nor another build of it
/// be under way.
pub(crate) fn build(go: &Path, target: &Path, progress: bool) -> Result<(), BinariesError> {
    let work = target.with_extension("building");
    if work.exists() {
        // Left by a build that was killed.
        fs::remove_dir_all(&work).map_err(io_error("remove", &work))?;
    }
    let (module, bin, log) = (work.join("module"), work.join("bin"), work.join("log"));
    for folder in [&module, &bin] {
        fs::create_dir_all(folder).map_err(io_error("create", folder))?;
    }
    for (name, content) in [("go.mod", GO_MOD), ("go.sum", GO_SUM)] {
        let file = module.join(name);
        fs::write(&file, content).map_err(io_error("write", &file))?;
    }

    let mut install = Command::new(go);
    install
        .args(["install", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false"])
        .arg(format!("-ldflags={}", linker_flags()))
        .args(PACKAGES)
        .current_dir(&module)
        .env("CGO_ENABLED", "0")
        .env("GOBIN", &bin)
        .env("GOWORK", "off")
        // A cross compilation can't be installed, nor run here.
        .env_remove("GOOS")
        .env_remove("GOARCH");
    let mut process = supervise(&install, &log)?;
    let mut progress = progress.then(|| Progress::start(target));
    let status = loop {
        if let Some(status) = process.wait_timeout(Duration::from_millis(500))? {
            break status;
        }
        if let Some(progress) = &mut progress {
            progress.show(&log);
        }
    };
    if let Some(progress) = progress {
        progress.end();
    }
    if !status.success() {
        return Err(BinariesError::Build { status, output: tail(&log) });
    }

    fs::rename(bin.join("server"), bin.join("etcd")).map_err(io_error("rename", &bin))?;
    if target.exists() {
        fs::remove_dir_all(target).map_err(io_error("remove", target))?;
    }
    fs::rename(&bin, target).map_err(io_error("rename", target))?;
    fs::remove_dir_all(&work).map_err(io_error("remove", &work))
}

/// Tells a person on standard error that the build goes on. Not by `eprintln!`, which `cargo test` captures.
struct Progress {
    start: Instant,
    shown: Instant,
    terminal: bool,
}

impl Progress {
    fn start(target: &Path) -> Self {
        say(&format!(
            "Building kube-apiserver, kube-controller-manager, etcd, kubectl and helm from pinned Go modules.\n\
             This happens once, takes about 15 minutes on 2 cores, and is kept in {}\n",
            target.display()
        ));
        let now = Instant::now();
        Self { start: now, shown: now, terminal: io::stderr().is_terminal() }
    }

    fn show(&mut self, log: &Path) {
        let every = if self.terminal { Duration::from_secs(1) } else { Duration::from_secs(15) };
        if self.shown.elapsed() < every {
            return;
        }
        self.shown = Instant::now();
        let seconds = self.start.elapsed().as_secs();
        // With `-v`, Go writes the name of each package it has compiled.
        let output = fs::read_to_string(log).unwrap_or_default();
        let step: String = output.lines().last().unwrap_or("…").chars().take(80).collect();
        let line = format!("{:3}:{:02} {step}", seconds / 60, seconds % 60);
        // Return to the start of the line and erase it.
        say(&if self.terminal { format!("\r\x1b[K{line}") } else { format!("{line}\n") });
    }

    fn end(self) {
        let seconds = self.start.elapsed().as_secs();
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        say(&format!("{clear}Go is done after {}:{:02} minutes.\n", seconds / 60, seconds % 60));
    }
}

/// Writes to standard error, past the capture of `cargo test`. Who closed it doesn't want to read.
pub(crate) fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linker_sets_the_version_that_go_mod_pins() {
        let flags = linker_flags();
        assert!(flags.contains("-X k8s.io/component-base/version.gitVersion=v1."), "{flags}");
        assert!(flags.contains("-X k8s.io/component-base/version.gitMajor=1 "), "{flags}");
    }

    #[test]
    fn every_package_is_a_tool_of_go_mod() {
        for package in PACKAGES {
            assert!(GO_MOD.lines().any(|line| line.trim() == package), "{package}");
        }
    }
}

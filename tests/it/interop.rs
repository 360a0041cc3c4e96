//! Real consumers and real identity providers: Envoy, kube-apiserver, `PyJWT`, and two providers of npm; and what
//! Prometheus makes of alerts and metrics.

mod alerts;
mod api_server;
mod envoy;
mod gateway;
mod helm3;
mod lint;
mod provider;
mod published;
mod rotation;
mod tenant;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

/// The folder that `tests/interop/install` made.
static ENVIRONMENT: LazyLock<PathBuf> = LazyLock::new(|| {
    let output = Command::new(dir().join("install")).arg("--where").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().into()
});

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

/// What a script of tests/interop prints; an error is the exception by which it refuses a token.
fn run_python(script: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let mut process = Command::new(ENVIRONMENT.join("bin/python"))
        .args(["-I", "-B"])
        .arg(dir().join(script))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    match output.status.code() {
        Some(0) => Ok(text),
        Some(3) => Err(text),
        _ => panic!("{script} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

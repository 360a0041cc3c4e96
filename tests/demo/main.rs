//! `cargo demo`: the operator at work on a real Kubernetes API server.

mod cluster;
mod identities;
mod keys;
mod manifests;
mod objects;
mod operator;
mod provider;
mod public_keys;
mod rotation;
mod screen;
mod tour;
mod verdicts;

use std::{env, ffi::OsString, iter, process::ExitCode};

use clap::Parser;
use control_plane::{ControlPlane, KUBECONFIG_VARIABLE};

use screen::Screen;

type Error = Box<dyn std::error::Error>;

/// Shows the operator at work: installs it on a real Kubernetes API server, applies examples/ and examples/broken/, and
/// tells what came of each object. Ends with 0 if that is what was expected.
///
/// The API server is built the first time, which needs Go and takes some minutes; nothing of it runs on afterwards.
#[derive(Parser)]
#[command(name = "cargo demo", bin_name = "cargo demo")]
struct Cli {
    /// Stay up until Ctrl-C, to try things with kubectl
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1).peekable();
    if args.next_if(|arg| arg == operator::COMMAND).is_some() {
        return idp_operator::cli::main(iter::once(OsString::from("idp-operator")).chain(args));
    }
    let cli = Cli::parse();
    let screen = Screen::detect();
    match demo(&screen, cli.keep) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            screen.failure(&control_plane::report(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn demo(screen: &Screen, keep: bool) -> Result<(), Error> {
    if env::var_os(KUBECONFIG_VARIABLE).is_some_and(|path| !path.is_empty()) {
        return Err(format!("the demo changes no cluster but its own: unset {KUBECONFIG_VARIABLE}").into());
    }
    screen.heading("A Kubernetes API server");
    screen.text("etcd, kube-apiserver and kube-controller-manager start as processes of this machine.");
    let plane = ControlPlane::start()?;
    screen.text(&format!("They run, at {}.", plane.server_url()));

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(tour::tour(&plane, screen, keep));
    plane.stop();
    result
}

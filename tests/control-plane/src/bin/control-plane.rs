//! Runs a control plane until it is stopped by Ctrl-C or SIGTERM. Arguments are passed to kube-apiserver.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use control_plane::{Builder, ControlPlane, report};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Writing to a closed terminal is no reason to panic.
            let _ = writeln!(io::stderr(), "{}", report(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let plane = env::args().skip(1).fold(ControlPlane::builder(), Builder::api_server_arg).start()?;
    let mut stdout = io::stdout();
    writeln!(stdout, "# {} runs until Ctrl-C; its files are in {}", plane.server_url(), plane.dir().display())?;
    writeln!(stdout, "export KUBECONFIG='{}'", plane.admin_kubeconfig().display())?;
    stdout.flush()?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        io::Result::Ok(())
    })?;
    plane.stop();
    Ok(())
}

//! `helm` and `kubectl`, shown as they are run.

use std::{path::PathBuf, process::Command};

use control_plane::ControlPlane;

use crate::{Error, screen::Screen};

/// Runs commands on the control plane.
pub struct Cluster<'a> {
    /// The control plane.
    pub plane: &'a ControlPlane,
    /// Shows the commands.
    pub screen: &'a Screen,
    /// The folder to run them in, with charts/ and examples/.
    pub root: PathBuf,
}

/// How a command ended.
pub struct Outcome {
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error, if it failed.
    pub failure: Option<String>,
}

impl Cluster<'_> {
    /// Shows and runs `helm`; it must succeed.
    pub fn helm(&self, args: &[&str]) -> Result<String, Error> {
        let outcome = self.run(self.plane.helm(), "helm", args)?;
        succeeded("helm", args, outcome)
    }

    /// Shows and runs `kubectl`; it must succeed.
    pub fn kubectl(&self, args: &[&str]) -> Result<String, Error> {
        let outcome = self.try_kubectl(args)?;
        succeeded("kubectl", args, outcome)
    }

    /// Shows and runs `kubectl`, which may fail.
    pub fn try_kubectl(&self, args: &[&str]) -> Result<Outcome, Error> {
        self.run(self.plane.kubectl(), "kubectl", args)
    }

    fn run(&self, mut command: Command, name: &str, args: &[&str]) -> Result<Outcome, Error> {
        self.screen.command(&format!("{name} {}", shown(args)));
        let output = command.args(args).current_dir(&self.root).output()?;
        let failure = (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).trim().to_owned());
        Ok(Outcome { stdout: String::from_utf8_lossy(&output.stdout).into_owned(), failure })
    }
}

/// Arguments as they could be typed.
fn shown(args: &[&str]) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=+,./:@%".contains(&byte);
    let quoted = |arg: &&str| if arg.bytes().all(is_plain) { (*arg).to_owned() } else { format!("'{arg}'") };
    args.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn succeeded(name: &str, args: &[&str], outcome: Outcome) -> Result<String, Error> {
    match outcome.failure {
        None => Ok(outcome.stdout),
        Some(failure) => Err(format!("{name} {} failed: {failure}", shown(args)).into()),
    }
}

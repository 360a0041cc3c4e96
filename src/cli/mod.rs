//! The command line.

use std::{ffi::OsString, io::Write as _, process::ExitCode};

use clap::{Parser, Subcommand, error::ErrorKind};

use crate::{
    api,
    runtime::{
        flags::{LogFormat, RunFlags},
        run,
    },
};

/// Makes identity configuration declarative: identity providers, tenants' JWT secrets, federated identities and login
/// strategies as Kubernetes resources.
#[derive(Parser, Debug)]
#[command(name = "idp-operator", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Runs the controllers until SIGTERM
    Run(Box<RunFlags>),
    /// Prints the CustomResourceDefinitions as YAML
    Crds,
}

/// Runs the program with these arguments, the program's name first. Exit codes: 0, 1 for a failure, 2 for wrong usage.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    match cli.command {
        Command::Run(flags) => run_to_end(*flags),
        Command::Crds => print_crds(),
    }
}

/// Help and version, which are asked for, go out as they are; what is wrong is told in one line: a pod's log.
fn explain(error: &clap::Error) -> ExitCode {
    // There is nobody to tell when the stream is closed.
    let _ = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            error.print()
        }
        _ => writeln!(std::io::stderr(), "idp-operator: {}", one_line(&error.render().to_string())),
    };
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// What clap says, without the usage: paragraphs become clauses.
fn one_line(text: &str) -> String {
    let is_said = |part: &&str| !part.is_empty() && !part.starts_with("Usage: ") && !part.starts_with("For more info");
    let parts = text.trim_start_matches("error: ").split("\n\n").map(str::trim).filter(is_said);
    let clauses = parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    format!("{}; --help lists what there is", clauses.collect::<Vec<_>>().join("; "))
}

fn run_to_end(flags: RunFlags) -> ExitCode {
    let is_json = flags.log_format == LogFormat::Json;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(run::run(flags));
            // A name that is being resolved can't be cut off: it must not hold up the end.
            runtime.shutdown_background();
            result
        }
        Err(error) => return fail(&error),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    // A log of JSON lines is one to its end, as far as it had begun.
    if is_json && tracing::dispatcher::has_been_set() {
        tracing::error!(error = causes(&error), "ended");
    } else {
        fail(&error);
    }
    ExitCode::from(if matches!(error, run::RunError::Flag(_)) { 2 } else { 1 })
}

fn print_crds() -> ExitCode {
    let yaml = match crds_yaml() {
        Ok(yaml) => yaml,
        Err(error) => return fail(error.as_ref()),
    };
    match std::io::stdout().write_all(yaml.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn crds_yaml() -> Result<String, Box<dyn std::error::Error>> {
    let documents: Result<Vec<String>, _> = api::crds()?.iter().map(serde_saphyr::to_string).collect();
    Ok(documents?.iter().fold(String::new(), |all, document| format!("{all}---\n{document}")))
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "idp-operator: {}", causes(error));
    ExitCode::FAILURE
}

/// One line: the error and its causes.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Many errors tell their cause themselves.
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}

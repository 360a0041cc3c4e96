//! Flags, exit codes, messages.

use std::{
    io::Write as _,
    net::TcpListener,
    process::{Command, Output, Stdio},
};

use rstest::rstest;

use crate::support::Plane;

const FLAGS: [&str; 11] = [
    "watch-namespace",
    "leader-elect",
    "leader-election-namespace",
    "concurrency",
    "admin-address",
    "log-format",
    "log-level",
    "allow-cidr",
    "deny-cidr",
    "tenant-claims",
    "strategy-catalog",
];

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_idp-operator"));
    command.args(args).stdin(Stdio::null()).env_clear();
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_tells_every_flag_with_its_twin_in_the_environment() {
    let output = program(&["run", "--help"]).output().unwrap();
    assert!(output.status.success());
    let help = stdout(&output);
    let told: Vec<&str> = help
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("--"))
        .filter_map(|line| line.split([' ', '=']).next())
        .collect();
    assert_eq!(told, FLAGS);
    for flag in FLAGS {
        let twin = format!("[env: IDP_OPERATOR_{}=]", flag.to_uppercase().replace('-', "_"));
        assert!(help.contains(&twin), "no {twin} in\n{help}");
    }
}

#[test]
fn help_tells_every_command_and_nothing_is_asked_by_mistake() {
    let output = program(&["--help"]).output().unwrap();
    assert!(output.status.success());
    let commands =
        stdout(&output).lines().filter(|line| line.starts_with("  run ") || line.starts_with("  crds ")).count();
    assert_eq!(commands, 2);
    let nothing = program(&[]).output().unwrap();
    assert_eq!((nothing.status.code(), stdout(&nothing).as_str()), (Some(2), ""));
}

#[test]
fn the_version_is_the_packages() {
    let output = program(&["--version"]).output().unwrap();
    assert_eq!(stdout(&output), format!("idp-operator {}\n", env!("CARGO_PKG_VERSION")));
}

#[rstest]
#[case(&["run", "--concurrency", "0"], "--concurrency")]
#[case(&["run", "--concurrency", "1025"], "--concurrency")]
#[case(&["run", "--allow-cidr", "nonsense"], "--allow-cidr")]
#[case(&["run", "--deny-cidr", "10.0.0.0/33"], "--deny-cidr")]
#[case(&["run", "--tenant-claims", "on"], "--tenant-claims")]
#[case(&["run", "--log-format", "xml"], "--log-format")]
#[case(&["run", "--log-level", "=,"], "--log-level")]
#[case(&["run", "--log-level", "inof"], "--log-level")]
#[case(&["run", "--admin-address", "nonsense"], "--admin-address")]
#[case(&["run", "--watch-namespace", "Team_A"], "--watch-namespace")]
#[case(&["run", "--watch-namespace", ""], "--watch-namespace")]
#[case(&["run", "--leader-election-namespace", "a/b"], "--leader-election-namespace")]
#[case(&["run", "--flies"], "--flies")]
#[case(&["fly"], "fly")]
#[case(&["run", "--concurency", "3"], "a similar argument exists: '--concurrency'")]
#[case(&["run", "--concurrency"], "--concurrency")]
#[case(&["run", "extra"], "extra")]
#[case(&["run", "--strategy-catalog", "/not/there"], "/not/there")]
fn wrong_usage_ends_with_2_and_one_line_that_names_what_is_wrong(#[case] args: &[&str], #[case] named: &str) {
    let output = program(args).output().unwrap();
    assert_wrong_usage(&output, named);
}

fn assert_wrong_usage(output: &Output, named: &str) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.starts_with("idp-operator: ") && text.contains(named), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_eq!(stdout(output), "");
}

#[test]
fn a_wrong_twin_is_wrong_usage_too() {
    let output = program(&["run"]).env("IDP_OPERATOR_CONCURRENCY", "many").output().unwrap();
    assert_wrong_usage(&output, "--concurrency");
}

fn assert_fails_with_one_line(output: &Output, wanted: &[&str]) {
    assert_eq!(output.status.code(), Some(1), "{}", stderr(output));
    let text = stderr(output);
    assert_eq!(text.lines().count(), 1, "{text}");
    for part in wanted {
        assert_eq!(text.matches(part).count(), 1, "{part} should be said once: {text}");
    }
}

#[test]
fn an_occupied_admin_address_ends_it_with_one_line_that_names_it() {
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    let output = program(&["run", "--admin-address", &address])
        .env("KUBECONFIG", &Plane::shared().operator_kubeconfig)
        .output()
        .unwrap();
    assert_fails_with_one_line(&output, &[&format!("--admin-address {address}"), "in use"]);
}

#[rstest]
#[case("missing.yaml", "failed to read kubeconfig from")]
#[case("empty.yaml", "kubeconfig: ")]
fn without_a_kubeconfig_it_ends_with_one_line(#[case] file: &str, #[case] cause: &str) {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("empty.yaml"), "").unwrap();
    let output = program(&["run"]).env("HOME", home.path()).env("KUBECONFIG", home.path().join(file)).output().unwrap();
    assert_fails_with_one_line(&output, &["neither a ServiceAccount nor a kubeconfig", cause]);
}

#[test]
fn the_api_server_takes_the_crds_that_are_printed() {
    let printed = program(&["crds"]).output().unwrap();
    assert!(printed.status.success());
    let mut kubectl = Plane::shared().control_plane.kubectl();
    let mut kubectl = kubectl
        .args(["apply", "--dry-run=server", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    kubectl.stdin.take().unwrap().write_all(&printed.stdout).unwrap();
    let output = kubectl.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output).matches("(server dry run)").count(), 4);
}

#[test]
fn printing_into_a_closed_pipe_is_no_panic() {
    let mut child = program(&["crds"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
}

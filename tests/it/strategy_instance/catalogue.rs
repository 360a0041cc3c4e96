//! The file of `--strategy-catalog`, in the program: at its start, and while it runs.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use idp_operator::api::StrategyInstance;
use k8s_openapi::api::core::v1::Secret;
use rstest::rstest;
use serde_json::json;

use crate::{
    program::{so, soon},
    support::{
        Mount, Operator, Scene, ready,
        scene::{core, version},
    },
};

const GITLAB: &str = "
  gitlab:
    canLoginRegister: true
    canSync: true
    allowsImplicitSignup: false
    requiredConfig: [{key: root-url, format: url}]
    requiredSecretKeys: [token]
";
const USERPASS_SYNCS: &str = "\n  userpass: {canLoginRegister: true, canSync: true, allowsImplicitSignup: false}\n";
const GAUGE: &str = "idp_operator_strategy_catalog_last_reload_successful";

/// What the kubelet mounts of a ConfigMap.
fn volume(types: &str) -> Secret {
    let data = format!("types:{types}");
    let data = [("catalog.yaml".to_owned(), k8s_openapi::ByteString(data.into_bytes()))].into();
    Secret { data: Some(data), ..Secret::default() }
}

async fn operator(scene: &Scene, mount: &Mount) -> Operator {
    let file = mount.path().join("catalog.yaml");
    scene.start().arg(format!("--strategy-catalog={}", file.display())).ready().await
}

async fn gauge(operator: &Operator, expected: &str) {
    soon("the gauge is so", async || {
        let (_, text) = operator.get("/metrics").await;
        so(text.lines().any(|line| line == format!("{GAUGE}{{}} {expected}")))
    })
    .await;
}

#[tokio::test]
async fn types_come_change_and_go_with_the_file_and_a_bad_file_changes_nothing() {
    let scene = Scene::new("catalogue").await;
    let mut mount = Mount::new(&volume(" {}"));
    let operator = operator(&scene, &mount).await;
    gauge(&operator, "1").await;
    let gitlab = json!({
        "type": "gitlab", "config": { "root-url": "https://gitlab.example.com" }, "configSecretRef": { "name": "gitlab" },
    });
    scene.apply::<StrategyInstance>("gitlab", gitlab).await;
    scene.apply::<StrategyInstance>("other", json!({ "type": "ldap" })).await;
    scene.apply::<StrategyInstance>("syncs", json!({ "type": "userpass", "isSyncActive": true })).await;
    let untouched: StrategyInstance = {
        scene.apply::<StrategyInstance>("untouched", json!({ "type": "github-token" })).await;
        scene.verdict("untouched", "True", "Ready").await
    };
    scene.verdict::<StrategyInstance>("gitlab", "False", "UnknownStrategyType").await;
    scene.verdict::<StrategyInstance>("other", "False", "UnknownStrategyType").await;
    scene.verdict::<StrategyInstance>("syncs", "False", "CapabilityNotSupported").await;

    // A type comes: who is of it is judged by it, and who is of an unknown one is told of it.
    mount.update(&volume(GITLAB));
    scene.verdict::<StrategyInstance>("gitlab", "False", "ConfigSecretNotFound").await;
    scene.secret_with("gitlab", &[("token", "x")]).await;
    let object: StrategyInstance = scene.verdict("gitlab", "True", "Ready").await;
    assert_eq!(
        serde_json::to_value(object.status.unwrap().effective).unwrap(),
        json!({ "isLoginActive": true, "isSelfRegisterActive": true, "isSyncActive": true, "doesImplicitRegister": false })
    );
    let known = "type 'ldap' is not known: it must be one of userpass, github, jira, github-token, jira-token-cloud, \
                 jira-token-datacenter, gitlab";
    scene.until("other", |object: &StrategyInstance| ready(object).is_some_and(|(_, _, told)| told == known)).await;

    // A built-in one is given what it lacked, and that is taken away again.
    mount.update(&volume(&format!("{GITLAB}{USERPASS_SYNCS}")));
    scene.verdict::<StrategyInstance>("syncs", "True", "Ready").await;
    mount.update(&volume(GITLAB));
    scene.verdict::<StrategyInstance>("syncs", "False", "CapabilityNotSupported").await;

    // Bad and worse: what was in force stays.
    let bad = |log: &str| log.lines().filter(|line| line.contains("strategy catalogue is refused")).count();
    mount.update(&volume(" {gitlab: {canSync: true}}"));
    gauge(&operator, "0").await;
    mount.update(&volume(" {gitlab: {canSync: maybe}}"));
    soon("another complaint", async || so(bad(&operator.log()) == 2)).await;
    mount.update(&Secret::default());
    soon("the file is missed", async || so(bad(&operator.log()) == 3)).await;
    let log = operator.log();
    for told in [
        "error=\"types.gitlab.canLoginRegister must be set, to true or false\"",
        "error=\"it can't be read: No such file or directory (os error 2)\"",
    ] {
        assert!(log.contains(told), "no {told} in\n{log}");
    }
    scene.apply::<StrategyInstance>("late", json!({ "type": "gitlab" })).await;
    scene.verdict::<StrategyInstance>("late", "False", "InvalidConfig").await;

    // Good again, without the type.
    mount.update(&volume(" {}"));
    scene.verdict::<StrategyInstance>("gitlab", "False", "UnknownStrategyType").await;
    scene.verdict::<StrategyInstance>("late", "False", "UnknownStrategyType").await;
    gauge(&operator, "1").await;
    assert_eq!(bad(&operator.log()), 3);
    let after: StrategyInstance = scene.api().get("untouched").await.unwrap();
    assert_eq!(version(&after), version(&untouched));
}

#[tokio::test]
async fn a_restart_by_the_same_file_writes_nothing_and_without_the_flag_there_is_no_gauge() {
    let scene = Scene::new("catalogue").await;
    let mount = Mount::new(&volume(USERPASS_SYNCS));
    let first = operator(&scene, &mount).await;
    scene.apply::<StrategyInstance>("a", json!({ "type": "userpass", "isSyncActive": true })).await;
    scene.apply::<StrategyInstance>("b", json!({ "type": "ldap" })).await;
    scene.verdict::<StrategyInstance>("a", "True", "Ready").await;
    let unknown: StrategyInstance = scene.verdict("b", "False", "UnknownStrategyType").await;
    assert_eq!(core(&unknown).errors.len(), 1);
    scene.event("StrategyInstance/b Warning UnknownStrategyType").await;
    first.terminate();
    let second = operator(&scene, &mount).await;
    let looked = async |operator: &Operator| {
        let metric = "idp_operator_reconciles_total";
        soon("both are looked at", async || so(operator.metric(metric, &["StrategyInstance", "ok"]).await > 1.5)).await;
    };
    looked(&second).await;
    assert!(second.writes().await.abs() < f64::EPSILON);
    second.terminate();

    let third = scene.operator().await;
    scene.verdict::<StrategyInstance>("a", "False", "CapabilityNotSupported").await;
    let (_, metrics) = third.get("/metrics").await;
    assert!(!metrics.contains("strategy_catalog"), "{metrics}");
}

fn start(file: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_idp-operator"));
    command.args(["run", "--strategy-catalog"]).arg(file).stdin(Stdio::null()).env_clear();
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[rstest]
#[case::empty(b"", "it must not be empty: 'types: {}' adds nothing")]
#[case::broken(b"types:\n  - [", "line 2, column 5: it must be YAML: unclosed bracket '['")]
#[case::unknown_field(
    b"types: {a: {canFly: true}}",
    "types.a.canFly must be left out: a type has the keys canLoginRegister, canSync, allowsImplicitSignup, requiredConfig, \
     requiredSecretKeys"
)]
#[case::half(b"types: {jira: {canSync: true}}", "types.jira.canLoginRegister must be set, to true or false")]
#[case::no_text(b"types: {}\n# \xff", "it must be text in UTF-8")]
fn a_bad_file_ends_the_start_as_a_wrong_flag_does(#[case] content: &[u8], #[case] told: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("catalog.yaml");
    std::fs::write(&file, content).unwrap();
    let line = format!("idp-operator: --strategy-catalog {}: {told}\n", file.display());
    assert_eq!(start(&file), (Some(2), line));
}

#[test]
fn what_can_t_be_read_ends_the_start_and_nothing_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let large = dir.path().join("large");
    std::fs::write(&large, vec![b' '; 1024 * 1024 + 1]).unwrap();
    for (file, told) in [
        (dir.path().join("missing"), "it can't be read: No such file or directory (os error 2)"),
        (dir.path().to_owned(), "it can't be read: it must be a file"),
        (pipe, "it can't be read: it must be a file"),
        ("/dev/zero".into(), "it can't be read: it must be a file"),
        (large, "it must have at most 1048576 bytes"),
    ] {
        let line = format!("idp-operator: --strategy-catalog {}: {told}\n", file.display());
        assert_eq!(start(&file), (Some(2), line));
    }
}

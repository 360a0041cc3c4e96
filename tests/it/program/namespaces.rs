//! `--watch-namespace`, and the twins in the environment.

use std::{process::Command, time::Duration};

use control_plane::supervise;
use idp_operator::api::StrategyInstance;
use serde_json::json;

use super::{so, soon};
use crate::support::{Plane, Scene, ready};

async fn strategy(scene: &Scene, name: &str) {
    scene.apply::<StrategyInstance>(name, json!({ "type": "userpass" })).await;
}

async fn served(scene: &Scene, name: &str) {
    scene.verdict::<StrategyInstance>(name, "True", "Ready").await;
}

async fn assert_untouched(scene: &Scene, name: &str) {
    let object = scene.api::<StrategyInstance>().get(name).await.unwrap();
    assert_eq!(ready(&object), None);
}

#[tokio::test]
async fn only_the_namespaces_that_are_named_are_served() {
    let (a, b, other) = (Scene::new("ns-a").await, Scene::new("ns-b").await, Scene::new("ns-other").await);
    for scene in [&a, &b, &other] {
        strategy(scene, "before").await;
    }
    let operator = a.start().arg("--watch-namespace").arg(&b.namespace).ready().await;
    for scene in [&other, &a, &b] {
        strategy(scene, "after").await;
    }
    for name in ["before", "after"] {
        served(&a, name).await;
        served(&b, name).await;
        assert_untouched(&other, name).await;
    }
    assert!((operator.metric("idp_operator_objects", &["StrategyInstance"]).await - 4.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn twins_in_the_environment_do_what_the_flags_do() {
    let (a, b, other) = (Scene::new("env-a").await, Scene::new("env-b").await, Scene::new("env-other").await);
    for scene in [&other, &a, &b] {
        strategy(scene, "x").await;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_idp-operator"));
    command.arg("run").env("KUBECONFIG", &Plane::shared().operator_kubeconfig);
    command.env("IDP_OPERATOR_ADMIN_ADDRESS", "127.0.0.1:0");
    command.env("IDP_OPERATOR_WATCH_NAMESPACE", format!("{},{}", a.namespace, b.namespace));
    command.env("IDP_OPERATOR_LOG_FORMAT", "json");
    command.env("IDP_OPERATOR_CONCURRENCY", "2");
    let mut process = supervise(&command, &dir.path().join("log")).unwrap();
    served(&a, "x").await;
    served(&b, "x").await;
    assert_untouched(&other, "x").await;
    assert_eq!(process.terminate().unwrap().code(), Some(0));
    let log = std::fs::read_to_string(process.log()).unwrap();
    let first: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    let address = first["admin_address"].as_str().unwrap();
    assert!(address.starts_with("127.0.0.1:") && address != "127.0.0.1:8080", "{address}");
}

#[tokio::test]
async fn a_namespace_without_rights_is_named_and_keeps_the_operator_from_being_ready() {
    let plane = Plane::shared();
    let (mine, foreign) = (Scene::new("rights-a").await, Scene::new("rights-b").await);
    let release = crate::chart::Release::render(
        plane,
        "narrow",
        &mine.namespace,
        &["crds.install=false", "rbac.aggregate=false", &format!("watchNamespaces={{{}}}", mine.namespace)],
    );
    release.apply(plane);
    let operator = release.start(plane, "narrow-idp-operator").await.arg("--watch-namespace").arg(&foreign.namespace);
    let operator = operator.spawn().await;
    let why = "the API server answered 403 Forbidden: the operator's role must allow list and watch; \
        or take a namespace that is gone from those to watch";
    let plurals = [
        "configmaps",
        "identityproviders",
        "secrets",
        "strategyinstances",
        "tenantjwtsecrets",
        "useridpauthenticators",
    ];
    let expected: String =
        plurals.map(|plural| format!("{plural}: in namespace {}: {why}\n", foreign.namespace)).concat();
    soon("readyz names the namespace", async || {
        so(operator.get("/readyz").await == (503, format!("waiting for\n{expected}")))
    })
    .await;
    // One that fails does not make the other's watch look as if it recovered, over and over.
    strategy(&mine, "x").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let log = operator.log();
    assert_eq!(log.matches("watch failed, trying on").count(), 6, "{log}");
    assert!(!log.contains("watch works again"), "{log}");
    assert_untouched(&mine, "x").await;
}

//! In whatever state a strategy is, a restart writes nothing.

use std::{collections::BTreeMap, time::Duration};

use idp_operator::api::StrategyInstance;
use k8s_openapi::api::events::v1::Event;
use kube::{ResourceExt as _, api::ListParams};
use serde_json::json;

use crate::{
    program::{so, soon},
    support::{Scene, ready, scene::version},
};

async fn versions(scene: &Scene) -> BTreeMap<String, String> {
    let objects = scene.api::<StrategyInstance>().list(&ListParams::default()).await.unwrap().items;
    let events = scene.api::<Event>().list(&ListParams::default()).await.unwrap().items;
    let mut all: BTreeMap<_, _> = objects.iter().map(|object| (object.name_any(), version(object))).collect();
    all.extend(events.iter().map(|event| (format!("event {}", event.name_any()), version(event))));
    all
}

#[tokio::test]
async fn a_restart_writes_nothing_in_any_state() {
    let scene = Scene::new("steady").await;
    let operator = scene.operator().await;
    scene.secret_with("full", &[("clientId", "x"), ("clientSecret", "y")]).await;
    scene.secret_with("half", &[("clientId", "x")]).await;
    let id = "12345678-90ab-cdef-fedc-ab0987654321";
    let secret = |name: &str| json!({ "type": "github", "configSecretRef": { "name": name } });
    let rows = [
        ("plain", json!({ "type": "userpass", "id": id }), "Ready"),
        ("unknown", json!({ "type": "ldap" }), "UnknownStrategyType"),
        ("refused", json!({ "type": "userpass", "isSyncActive": true }), "CapabilityNotSupported"),
        ("clamped", json!({ "type": "userpass", "isSyncActive": true, "capabilityPolicy": "Clamp" }), "Ready"),
        ("idle", json!({ "type": "userpass", "isLoginActive": false, "isSelfRegisterActive": true }), "Ready"),
        ("invalid", json!({ "type": "jira" }), "InvalidConfig"),
        ("waiting", secret("nowhere"), "ConfigSecretNotFound"),
        ("lacking", secret("half"), "ConfigSecretNotFound"),
        ("settled", secret("full"), "Ready"),
        ("suspended", json!({ "type": "userpass", "isSyncActive": true, "capabilityPolicy": "Clamp" }), "Ready"),
    ];
    let count = 11.0;
    for (name, spec, reason) in rows {
        scene.apply::<StrategyInstance>(name, spec).await;
        let is_so = |object: &StrategyInstance| ready(object).is_some_and(|(_, why, _)| why == reason);
        scene.until(name, is_so).await;
    }
    // Created later, to the second in which API servers count.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    scene.apply::<StrategyInstance>("second", json!({ "type": "userpass", "id": id })).await;
    scene.verdict::<StrategyInstance>("second", "False", "DuplicateId").await;
    // To and fro: the conditions' order is another by then on the API server, if it ever is.
    let policy = |policy: &str| json!({ "spec": { "capabilityPolicy": policy } });
    scene.merge::<StrategyInstance>("clamped", policy("Reject")).await;
    scene.verdict::<StrategyInstance>("clamped", "False", "CapabilityNotSupported").await;
    scene.merge::<StrategyInstance>("clamped", policy("Clamp")).await;
    scene.verdict::<StrategyInstance>("clamped", "True", "Ready").await;
    scene.merge::<StrategyInstance>("suspended", json!({ "spec": { "suspend": true } })).await;
    scene
        .until("suspended", |object: &StrategyInstance| {
            let core = crate::support::scene::core(object);
            core.condition("Suspended").is_some() && core.condition("FlagsClamped").is_some()
        })
        .await;
    scene.event("StrategyInstance/clamped Normal Ready").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let objects = scene.api::<StrategyInstance>().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(objects.len(), 11);
    let before = versions(&scene).await;
    operator.terminate();
    let operator = scene.operator().await;
    let reconciled = async || operator.metric("idp_operator_reconciles_total", &["StrategyInstance", "ok"]).await;
    soon("every object is looked at", async || so(reconciled().await >= count)).await;
    // Whatever is in a Secret beside what is needed.
    scene.secret_with("full", &[("clientId", "other"), ("clientSecret", "other")]).await;
    soon("it is looked at again", async || so(reconciled().await > count)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(operator.writes().await.abs() < f64::EPSILON, "{}", operator.get("/metrics").await.1);
    assert_eq!(versions(&scene).await, before);
}

//! A steady state writes nothing, in whatever phase an object is.

use std::{collections::BTreeMap, time::Duration};

use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::{core::v1::Secret, events::v1::Event};
use kube::{ResourceExt as _, api::ListParams};
use serde_json::{Value, json};

use super::foreign;
use crate::support::{
    Scene, Tenant,
    scene::version,
    tenant::{GOOD, base64},
};

async fn versions(scene: &Scene) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for object in scene.api::<TenantJwtSecret>().list(&ListParams::default()).await.unwrap() {
        all.insert(format!("object {}", object.name_any()), version(&object));
    }
    for secret in scene.api::<Secret>().list(&ListParams::default()).await.unwrap() {
        all.insert(format!("secret {}", secret.name_any()), version(&secret));
    }
    for event in scene.api::<Event>().list(&ListParams::default()).await.unwrap() {
        all.insert(format!("event {}", event.name_any()), version(&event));
    }
    all
}

const GRACE: &str = r#"{ "rotation": { "gracePeriod": "5h" } }"#;
const LEAD: &str = r#"{ "rotation": { "gracePeriod": "5h", "leadTime": "2h", "interval": "100h" } }"#;

/// One in each phase, and with each of the fields.
async fn populate(scene: &Scene) -> Vec<&'static str> {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    scene.secret("source", "secret", base64(GOOD).as_bytes()).await;
    foreign(scene, "adopted-jwt", json!({})).await;
    foreign(scene, "foreign-jwt", json!({})).await;
    let good: Vec<(&'static str, Value)> = vec![
        ("plain", json!({})),
        ("interval", parse(LEAD)),
        ("retained", json!({ "deletionPolicy": "Retain" })),
        ("adopted", json!({ "adopt": true })),
        ("referenced", json!({ "secretRef": { "name": "source" } })),
        ("forms", json!({ "outputs": { "jwks": true, "raw": true } })),
        ("template", json!({ "template": { "labels": { "a": "b" }, "annotations": { "c": "d" } } })),
        ("grace", parse(GRACE)),
        ("lead", parse(LEAD)),
        ("three", parse(GRACE)),
        ("suspended", parse(GRACE)),
        ("held", parse(GRACE)),
        ("frozen", json!({})),
        ("bad", json!({ "secretRef": { "name": "source-of-bad" } })),
    ];
    scene.secret("source-of-bad", "secret", base64(GOOD).as_bytes()).await;
    for (name, fields) in &good {
        Tenant::named(scene, name).ready(fields.clone()).await;
    }
    for name in ["grace", "lead", "three", "suspended", "held"] {
        Tenant::named(scene, name).rotate("once").await;
        Tenant::named(scene, name).settled(|values| values.previous.is_some() || values.next.is_some()).await;
    }
    let three = Tenant::named(scene, "three");
    three.ready(parse(LEAD)).await;
    three.rotate("twice").await;
    three.settled(|values| values.previous.is_some() && values.next.is_some()).await;
    scene.merge::<TenantJwtSecret>("suspended", json!({ "spec": { "suspend": true } })).await;
    scene.merge::<TenantJwtSecret>("held", json!({ "spec": { "signingAlgorithm": null } })).await;
    scene.merge::<Secret>("frozen-jwt", json!({ "immutable": true })).await;
    scene.merge::<TenantJwtSecret>("frozen", json!({ "spec": { "signingAlgorithm": "HS512" } })).await;
    scene.secret("source-of-bad", "secret", b"bad").await;
    Tenant::named(scene, "foreign").apply(json!({})).await;
    let mut names: Vec<&'static str> = good.into_iter().map(|(name, _)| name).collect();
    names.push("foreign");
    for (name, reason) in [
        ("held", "SigningAlgorithmNotConfigured"),
        ("frozen", "SecretImmutable"),
        ("bad", "InvalidRequest"),
        ("foreign", "SecretConflict"),
    ] {
        scene.verdict::<TenantJwtSecret>(name, "False", reason).await;
    }
    names
}

#[tokio::test]
async fn in_every_phase_wakes_and_restarts_write_nothing() {
    let scene = Scene::new("steady").await;
    let operator = scene.operator().await;
    let names = populate(&scene).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = versions(&scene).await;
    #[allow(clippy::cast_precision_loss)] // some
    let count = names.len() as f64;
    let mut operator = operator;
    for round in 0..2 {
        operator.terminate();
        operator = scene.operator().await;
        while operator.metric("idp_operator_reconciles_total", &[]).await < count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(operator.writes().await.abs() < f64::EPSILON, "round {round}\n{}", operator.get("/metrics").await.1);
        assert_eq!(versions(&scene).await, before, "round {round}");
    }
    // Woken by themselves and by their Secrets.
    let mut expected = before;
    for number in 0..3 {
        for name in &names {
            let label = json!({ "metadata": { "labels": { "poke": number.to_string() } } });
            let object: TenantJwtSecret = scene.merge(name, label).await;
            expected.insert(format!("object {name}"), version(&object));
            let annotation = json!({ "metadata": { "annotations": { "poke": number.to_string() } } });
            let secret: Secret = scene.merge(&format!("{name}-jwt"), annotation).await;
            expected.insert(format!("secret {name}-jwt"), version(&secret));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(operator.writes().await.abs() < f64::EPSILON, "{}", operator.get("/metrics").await.1);
    assert_eq!(versions(&scene).await, expected);
}

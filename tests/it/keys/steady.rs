//! A steady state writes nothing, in whatever state keys are.

use std::{collections::BTreeMap, time::Duration};

use idp_operator::api::IdentityProvider;
use k8s_openapi::api::{core::v1::ConfigMap, events::v1::Event};
use kube::{ResourceExt as _, api::ListParams};
use serde_json::json;

use super::Idp;
use crate::support::{KeyServer, Scene, scene::version};

async fn versions(scene: &Scene) -> BTreeMap<String, String> {
    let list = ListParams::default();
    let objects = scene.api::<IdentityProvider>().list(&list).await.unwrap();
    let configmaps = scene.api::<ConfigMap>().list(&list).await.unwrap();
    let events = scene.api::<Event>().list(&list).await.unwrap();
    let mut all = BTreeMap::new();
    all.extend(objects.iter().map(|object| (format!("object {}", object.name_any()), version(object))));
    all.extend(configmaps.iter().map(|configmap| (format!("configmap {}", configmap.name_any()), version(configmap))));
    all.extend(events.iter().map(|event| (format!("event {}", event.name_any()), version(event))));
    all
}

#[tokio::test]
async fn in_every_state_fetches_wakes_and_restarts_write_nothing() {
    let scene = &Scene::new("steady").await;
    let mut operator = scene.operator().await;
    let (_, certificate) = KeyServer::https("").await;
    let configmap = json!({ "metadata": { "name": "authorities" }, "data": { "ca.crt": certificate } });
    let configmap: ConfigMap = serde_json::from_value(configmap).unwrap();
    scene.api().create(&kube::api::PostParams::default(), &configmap).await.unwrap();
    let keys_from = |name: &str| json!({ "keysFrom": { "configMapKeyRef": { "name": name, "key": "jwks" } } });
    let bundle =
        |name: &str| json!({ "tls": { "caBundleRef": { "kind": "ConfigMap", "name": name, "key": "ca.crt" } } });
    let example = |expect: &str| json!({ "audiences": ["api"], "examples": [{ "name": "a", "claims": {}, "at": "2026-01-01T00:00:00Z", "expect": expect }] });
    let rows = [
        ("plain", json!({}), "True Ready: ed"),
        ("outage", json!({}), "True Ready: ed"),
        ("never", json!({}), "False UnexpectedStatus KeysReachable-UnexpectedStatus: no output"),
        ("inactive", json!({ "state": "Inactive" }), "True Inactive Active-Inactive: no output"),
        ("watched", keys_from("keys"), "True Ready: ed"),
        ("missing", keys_from("nowhere"), "False ReferenceNotFound ReferencesResolved-ReferenceNotFound: no output"),
        ("vouched", bundle("authorities"), "True Ready: ed"),
        ("unvouched", bundle("nowhere"), "False ReferenceNotFound ReferencesResolved-ReferenceNotFound: no output"),
        ("passed", example("Reject"), "True Ready: ed"),
        ("failed", example("Accept"), "False ExampleFailed ExamplesPassed-ExampleFailed: ed"),
        ("suspended", json!({}), "True Ready: ed"),
    ];
    let mut idps = Vec::new();
    for (name, change, told) in rows {
        let mut idp = Idp::new(scene, name).await;
        idp.source("keys", "ed").await;
        if name == "never" {
            idp.answers("500");
        }
        idp.set(&change).await;
        idp.comes_to(told).await;
        idps.push(idp);
    }
    idps[1].answers("500");
    let refresh =
        |token: usize| json!({ "metadata": { "annotations": { "idp-operator.dev/refresh": token.to_string() } } });
    scene.merge::<IdentityProvider>("outage", refresh(0)).await;
    idps[1].comes_to("True Ready KeysReachable-UnexpectedStatus: ed").await;
    scene.merge::<IdentityProvider>("suspended", json!({ "spec": { "suspend": true } })).await;
    scene
        .until::<IdentityProvider>("suspended", |object| {
            crate::support::scene::conditions(&crate::support::scene::core(object))
                .contains(&"Suspended=True Suspended".into())
        })
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = versions(scene).await;
    for round in 0..2 {
        operator.terminate();
        operator = scene.operator().await;
        // Those whose endpoints are asked, in the outage more than once.
        while operator.metric("idp_operator_keys_fetches_total", &[]).await < 8.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(operator.writes().await.abs() < f64::EPSILON, "round {round}\n{}", operator.get("/metrics").await.1);
        assert_eq!(versions(scene).await, before, "round {round}");
    }
    let mut expected = before;
    for token in 1..3 {
        for idp in &idps {
            let object: IdentityProvider = scene.merge(&idp.name, refresh(token)).await;
            expected.insert(format!("object {}", idp.name), version(&object));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(operator.writes().await.abs() < f64::EPSILON, "{}", operator.get("/metrics").await.1);
    assert_eq!(versions(scene).await, expected);
}

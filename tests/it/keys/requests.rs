//! When an endpoint is asked.

use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use idp_operator::api::IdentityProvider;
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::json;

use super::Idp;
use crate::support::{
    KeyServer, Scene,
    key_server::{ED25519, jwks},
    ready,
    scene::version,
};

async fn refresh(idp: &Idp<'_>, token: &str) {
    let patch = json!({ "metadata": { "annotations": { "idp-operator.dev/refresh": token } } });
    idp.scene.merge::<IdentityProvider>(&idp.name, patch).await;
}

/// Another object was created, fetched for and told about: what was asked for before would have come.
async fn passes(scene: &Scene, name: &str) {
    let mut other = Idp::new(scene, name).await;
    other.set(&json!({})).await;
    other.comes_to("True Ready: ed").await;
}

#[tokio::test]
async fn each_token_asks_for_one_fetch_and_a_restart_for_none_beside_its_own() {
    let scene = &Scene::new("requests").await;
    let operator = scene.operator().await;
    let mut idp = Idp::new(scene, "login").await;
    idp.set(&json!({})).await;
    idp.comes_to("True Ready: ed").await;
    for (hits, token) in [(2, "a"), (3, "b"), (4, "a")] {
        refresh(&idp, token).await;
        idp.is_asked(hits).await;
        refresh(&idp, token).await;
        passes(scene, &format!("other-{hits}")).await;
        assert_eq!(idp.server.hits(), hits);
    }
    // None of it was worth a word.
    let before = version(&scene.api::<IdentityProvider>().get("login").await.unwrap());
    operator.terminate();
    let operator = scene.operator().await;
    idp.is_asked(5).await;
    passes(scene, "other-5").await;
    assert_eq!(idp.server.hits(), 5);
    assert_eq!(version(&scene.api::<IdentityProvider>().get("login").await.unwrap()), before);
    drop(operator);
}

#[tokio::test]
async fn an_endpoint_that_asks_to_be_left_alone_is_but_not_against_an_edit() {
    let scene = &Scene::new("requests").await;
    let _operator = scene.operator().await;
    let (mut patient, mut other) = (Idp::new(scene, "patient").await, Idp::new(scene, "other").await);
    patient.server.answer("429 Too Many Requests", "retry-after: 600\r\n", "");
    other.server.answer("429 Too Many Requests", "", "");
    for idp in [&mut patient, &mut other] {
        idp.set(&json!({})).await;
        idp.comes_to("False UnexpectedStatus KeysReachable-UnexpectedStatus: no output").await;
    }
    other.is_asked(4).await;
    assert_eq!(patient.server.hits(), 1);
    patient.server.answer("200 OK", "", &jwks(&[ED25519]));
    refresh(&patient, "now").await;
    patient.comes_to("True Ready: ed").await;
}

#[tokio::test]
async fn no_call_is_made_for_what_is_suspended_inactive_or_a_loser() {
    let scene = &Scene::new("requests").await;
    let operator = scene.operator().await;
    let mut holder = Idp::new(scene, "holder").await;
    holder.set(&json!({ "issuer": "urn:one" })).await;
    holder.comes_to("True Ready: ed").await;
    // Creation times are whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let mut quiet = Vec::new();
    for (name, change, told) in [
        ("suspended", json!({ "suspend": true }), "Unknown Suspended: no output"),
        ("inactive", json!({ "state": "Inactive" }), "True Inactive Active-Inactive: no output"),
        ("loser", json!({ "issuer": "urn:one" }), "False DuplicateIssuer IssuerUnique-DuplicateIssuer: no output"),
    ] {
        let mut idp = Idp::new(scene, name).await;
        idp.set(&change).await;
        idp.comes_to(told).await;
        refresh(&idp, "now").await;
        quiet.push(idp);
    }
    passes(scene, "other").await;
    operator.terminate();
    let operator = scene.operator().await;
    passes(scene, "another").await;
    for idp in &quiet {
        assert_eq!(idp.server.hits(), 0, "{}", idp.name);
    }
    // Promoted, it starts as new. What is gone or not fetched for is not measured.
    let verified = async |name: &str| {
        let labels = [format!("namespace=\"{}\"", scene.namespace), format!("name=\"{name}\"")];
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        operator.metric("idp_operator_keys_verified_timestamp_seconds", &labels).await > 1e9
    };
    assert!(verified("holder").await);
    scene.delete::<IdentityProvider>("holder").await;
    quiet[2].comes_to("True Ready: ed").await;
    assert!(verified("loser").await && !verified("holder").await);
    quiet[2].set(&json!({ "state": "Inactive" })).await;
    quiet[2].comes_to("True Inactive Active-Inactive:").await;
    assert!(!verified("loser").await);
}

/// Every verdict on this object from now on that differs from the one before: generation, `Ready` and its reason.
async fn verdicts(scene: &Scene, name: &str) -> impl Fn() -> Vec<String> {
    let said = Arc::new(Mutex::new(Vec::new()));
    let told = said.clone();
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut watch = Box::pin(watcher::watcher(scene.api::<IdentityProvider>(), config).applied_objects());
    // The first one is what is there already.
    watch.next().await.unwrap().unwrap();
    tokio::spawn(async move {
        while let Some(Ok(object)) = watch.next().await {
            let Some((status, reason, _)) = ready(&object) else { continue };
            let verdict = format!("{} {status} {reason}", object.metadata.generation.unwrap());
            let mut said = said.lock().unwrap();
            if said.last() != Some(&verdict) {
                said.push(verdict);
            }
        }
    });
    move || told.lock().unwrap().clone()
}

#[tokio::test]
async fn another_source_trust_or_set_of_algorithms_is_looked_at_before_anything_is_said() {
    let scene = &Scene::new("requests").await;
    let _operator = scene.operator().await;
    let (server, certificate) = KeyServer::https(&jwks(&[ED25519])).await;
    let mut idp = Idp::new(scene, "login").await;
    let untrusted = json!({ "keysEndpoint": server.url("/keys") });
    idp.set(&untrusted).await;
    idp.comes_to("False TlsFailed KeysReachable-TlsFailed: no output").await;
    let verdicts = verdicts(scene, "login").await;
    idp.source("keys", "ec").await;
    let keys_from = json!({ "keysFrom": { "configMapKeyRef": { "name": "keys", "key": "jwks" } } });
    let endpoint = idp.server.url("/keys");
    for (change, told) in [
        (json!({ "tls": { "caBundle": certificate } }), "True Ready: ed"),
        (json!({ "algorithms": ["ES256"] }), "False NoUsableKey KeysValid-NoUsableKey:"),
        (json!({ "algorithms": ["EdDSA", "ES256"] }), "True Ready: ed"),
        (keys_from, "True Ready: ec"),
        (json!({ "keysFrom": null, "keysEndpoint": endpoint }), "True Ready: ed"),
    ] {
        idp.set(&change).await;
        idp.comes_to(told).await;
    }
    assert_eq!(verdicts(), ["2 True Ready", "3 False NoUsableKey", "4 True Ready", "5 True Ready", "6 True Ready"]);
}

//! When an endpoint is asked.

use idp_operator::api::IdentityProvider;
use serde_json::json;

use super::Idp;
use crate::support::{
    Scene,
    key_server::{ED25519, jwks},
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
    let _operator = scene.operator().await;
    passes(scene, "another").await;
    for idp in &quiet {
        assert_eq!(idp.server.hits(), 0, "{}", idp.name);
    }
    // Promoted, it starts as new.
    scene.delete::<IdentityProvider>("holder").await;
    quiet[2].comes_to("True Ready: ed").await;
}

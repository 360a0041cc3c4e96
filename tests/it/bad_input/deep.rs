//! Claims of an example that are nested deeper than JSON is read, or more than fits into memory many times over: the API
//! server takes them.

use std::time::{Duration, Instant};

use idp_operator::api::IdentityProvider;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::Kind;
use crate::support::{
    Scene,
    key_server::{ED25519, jwks},
    scene::PATIENCE,
};

/// Creates one, and waits until it is ready. Only its text can be read: what it holds is too deep for this client as well.
async fn create(scene: &Scene, name: &str, claims: &str) {
    let mut spec = Kind::Idp.with(&json!({ "issuer": name, "keysFrom": keys_from() }));
    spec["examples"] =
        json!([{ "name": "deep", "claims": "CLAIMS", "at": "2026-01-31T12:00:00Z", "expect": "Reject" }]);
    let object = json!({
        "apiVersion": "idp-operator.dev/v1alpha1", "kind": "IdentityProvider", "metadata": { "name": name }, "spec": spec,
    });
    let url = format!("/apis/idp-operator.dev/v1alpha1/namespaces/{}/identityproviders", scene.namespace);
    let request = http::Request::post(&url).header("content-type", "application/json");
    let body = object.to_string().replace("\"CLAIMS\"", claims);
    scene.client.request_text(request.body(body.into_bytes()).unwrap()).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let request = http::Request::get(format!("{url}/{name}")).body(Vec::new()).unwrap();
        let text = scene.client.request_text(request).await.unwrap();
        if text.contains(r#""message":"1 key is published in ConfigMap"#) {
            return;
        }
        assert!(Instant::now() < deadline, "{name} does not become ready");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn keys_from() -> Value {
    json!({ "configMapKeyRef": { "name": "source", "key": "jwks.json" } })
}

/// A good one is made, and answered by the operator.
async fn is_served(scene: &Scene, name: &str) {
    scene.apply::<IdentityProvider>(name, Kind::Idp.with(&json!({ "issuer": name, "keysFrom": keys_from() }))).await;
    scene.verdict::<IdentityProvider>(name, "True", "Ready").await;
}

#[tokio::test]
async fn one_that_is_nested_or_long_without_end_delays_no_other() {
    let scene = Scene::new("deep").await;
    let source: Value = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "source" }, "data": { "jwks.json": jwks(&[ED25519]) },
    });
    let params = PatchParams::apply("it");
    scene.api::<ConfigMap>().patch("source", &params, &Patch::Apply(&source)).await.unwrap();
    // Each operator lists one, and is then told of one by the watch.
    for round in 0..2 {
        let _operator = scene.operator().await;
        is_served(&scene, &format!("before-{round}")).await;
        let depth = 130 + 5000 * round;
        let deep = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        create(&scene, &format!("deep-{round}"), &deep).await;
        // Each number takes sixteen times its text in memory. No token holds as many.
        let wide = format!(r#"{{"a":[{}0]}}"#, "0,".repeat(600_000));
        create(&scene, &format!("wide-{round}"), &wide).await;
        is_served(&scene, &format!("after-{round}")).await;
    }
}

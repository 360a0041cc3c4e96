//! The output as a whole: what is published, and what is left once it is withdrawn.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::Idp;
use crate::support::{KeyServer, Scene};

async fn output(scene: &Scene) -> BTreeMap<String, String> {
    scene.api::<ConfigMap>().get("login-jwks").await.unwrap().data.unwrap()
}

#[tokio::test]
async fn everything_that_consumers_need_is_published_healed_and_withdrawn() {
    let scene = &Scene::new("outputs").await;
    let _operator = scene.operator().await;
    let mut idp = Idp::new(scene, "login").await;
    let (_, certificate) = KeyServer::https("").await;
    idp.set(&json!({
        "issuer": "https://login.example.com", "headerName": "x-token", "audiences": ["api", "shop"], "clockSkew": "1500ms",
        "tls": { "caBundle": certificate },
    }))
    .await;
    idp.comes_to("True Ready: ed").await;
    let published = output(scene).await;
    let keys: Vec<&str> = published.keys().map(String::as_str).collect();
    assert_eq!(keys, ["authentication-configuration.yaml", "envoy-jwt-provider.json", "issuer", "jwks.json"]);
    assert_eq!(published["issuer"], "https://login.example.com");
    let provider: Value = serde_json::from_str(&published["envoy-jwt-provider.json"]).unwrap();
    assert_eq!(
        provider,
        json!({
            "issuer": "https://login.example.com",
            "audiences": ["api", "shop"],
            "from_headers": [{ "name": "x-token" }],
            "forward": true,
            "require_expiration": true,
            "clock_skew_seconds": 2,
            "local_jwks": { "inline_string": published["jwks.json"] },
        })
    );
    let configuration: Value = serde_saphyr::from_str(&published["authentication-configuration.yaml"]).unwrap();
    let issuer = &configuration["jwt"][0]["issuer"];
    assert_eq!(issuer["audiences"], json!(["api", "shop"]));
    assert_eq!(issuer["certificateAuthority"].as_str().unwrap().trim(), certificate.replace("\r\n", "\n").trim());

    // Each edit follows; without audiences there is nothing for kube-apiserver, which demands them.
    idp.set(&json!({ "audiences": null, "headerName": "" })).await;
    idp.comes_to("True Ready: ed").await;
    let bare = output(scene).await;
    let keys: Vec<&str> = bare.keys().map(String::as_str).collect();
    assert_eq!(keys, ["envoy-jwt-provider.json", "issuer", "jwks.json"]);
    let provider: Value = serde_json::from_str(&bare["envoy-jwt-provider.json"]).unwrap();
    assert_eq!(provider["from_headers"], json!([{ "name": "authorization", "value_prefix": "Bearer " }]));

    // What somebody else writes into our keys goes, what stands beside them stays.
    let planted = json!({
        "data": { "issuer": "https://evil.example.com", "mine": "x", "envoy-jwt-provider.json": null },
        "binaryData": { "authentication-configuration.yaml": "AAAA", "theirs": "AAAA" },
    });
    scene.merge::<ConfigMap>("login-jwks", planted).await;
    let is_healed = |configmap: &ConfigMap| {
        configmap.data.as_ref().is_some_and(|data| data["issuer"] == "https://login.example.com")
    };
    let healed: ConfigMap = scene.until("login-jwks", is_healed).await;
    let mut expected = bare.clone();
    expected.insert("mine".to_owned(), "x".to_owned());
    assert_eq!(healed.data, Some(expected));
    assert_eq!(healed.binary_data.unwrap().into_keys().collect::<Vec<_>>(), ["theirs"]);

    idp.set(&json!({ "state": "Inactive" })).await;
    idp.comes_to("True Inactive Active-Inactive:").await;
    let withdrawn = output(scene).await;
    let expected = [("jwks.json", r#"{"keys":[]}"#), ("mine", "x")];
    assert_eq!(withdrawn, expected.map(|(key, text)| (key.to_owned(), text.to_owned())).into());
}

#[tokio::test]
async fn who_is_not_vouched_for_is_not_to_be_trusted_by_an_api_server_either() {
    let scene = &Scene::new("outputs").await;
    let _operator = scene.operator().await;
    let mut idp = Idp::new(scene, "login").await;
    idp.source("keys", "ed").await;
    idp.set(&json!({
        "audiences": ["api"],
        "keysFrom": { "configMapKeyRef": { "name": "keys", "key": "jwks" } },
        "tls": { "caBundleRef": { "kind": "Secret", "name": "authorities", "key": "ca.crt" } },
    }))
    .await;
    // Its keys are not for want of an authority.
    idp.comes_to("False ReferenceNotFound ReferencesResolved-ReferenceNotFound: ed").await;
    assert!(!output(scene).await.contains_key("authentication-configuration.yaml"));
    let (_, certificate) = KeyServer::https("").await;
    scene.secret("authorities", "ca.crt", certificate.as_bytes()).await;
    idp.comes_to("True Ready: ed").await;
    let configmap: ConfigMap = scene.api().get("login-jwks").await.unwrap();
    assert!(configmap.data.as_ref().unwrap()["authentication-configuration.yaml"].contains("BEGIN CERTIFICATE"));
    assert_eq!(configmap.labels()["idp-operator.dev/managed"], "true");
}

#[tokio::test]
async fn an_output_that_can_t_be_withdrawn_is_told_and_withdrawn_once_it_can() {
    let scene = &Scene::new("outputs").await;
    let _operator = scene.operator().await;
    let mut idp = Idp::new(scene, "login").await;
    idp.set(&json!({})).await;
    idp.comes_to("True Ready: ed").await;
    scene.merge::<ConfigMap>("login-jwks", json!({ "immutable": true })).await;
    idp.set(&json!({ "state": "Inactive" })).await;
    idp.comes_to("False PublishConflict Active-Inactive Published-PublishConflict: ed").await;
    scene.delete::<ConfigMap>("login-jwks").await;
    idp.comes_to("True Inactive Active-Inactive: no output").await;
}

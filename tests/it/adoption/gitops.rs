//! A manifest that is applied again changes nothing: defaults stand in the schema.

use idp_operator::api::{IdentityProvider, TenantJwtSecret};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{
    Plane, Scene,
    key_server::{ED25519, jwks},
    plane::succeed,
    scene::version,
};

fn manifests(namespace: &str) -> Vec<Value> {
    let object = |name: &str, spec: Value| {
        json!({
            "apiVersion": "idp-operator.dev/v1alpha1", "kind": "TenantJwtSecret",
            "metadata": { "name": name, "namespace": namespace }, "spec": spec,
        })
    };
    vec![
        object("least", json!({ "tenantId": "least", "signingAlgorithm": "HS256" })),
        object("empty", json!({ "tenantId": "empty", "rotation": {}, "outputs": {}, "template": {} })),
        object(
            "whole",
            json!({
                "tenantId": "whole", "signingAlgorithm": "HS512", "secretName": "whole",
                "rotation": { "interval": "2160h", "gracePeriod": "86400s", "leadTime": "90m" },
                "outputs": { "jwks": true, "raw": false },
                "template": { "labels": { "a": "" }, "annotations": { "b": "c" } },
                "adopt": false, "deletionPolicy": "Retain", "suspend": false,
            }),
        ),
        object("odd", json!({ "tenantId": "odd", "rotation": { "gracePeriod": "1m60s1000ms", "leadTime": "0h0m" } })),
        object(
            "referenced",
            json!({ "tenantId": "referenced", "signingAlgorithm": "HS256", "secretRef": { "name": "source" } }),
        ),
    ]
}

#[tokio::test]
async fn by_kubectl_with_and_without_server_side() {
    for server_side in [false, true] {
        let scene = Scene::new("gitops").await;
        let _operator = scene.operator().await;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("all.json");
        let manifests = manifests(&scene.namespace);
        std::fs::write(&file, json!({ "apiVersion": "v1", "kind": "List", "items": manifests }).to_string()).unwrap();
        let apply = |args: &[&str]| {
            let mut kubectl = Plane::shared().control_plane.kubectl();
            kubectl.args(args).args(server_side.then_some("--server-side")).arg("--filename").arg(&file);
            let output = succeed(&mut kubectl);
            String::from_utf8(output.stdout).unwrap()
        };
        apply(&["apply"]);
        for (name, status, reason) in [
            ("least", "True", "Ready"),
            ("empty", "False", "SigningAlgorithmNotConfigured"),
            ("whole", "True", "Ready"),
            ("odd", "False", "SigningAlgorithmNotConfigured"),
            ("referenced", "False", "AuthenticationSecretNotConfigured"),
        ] {
            scene.verdict::<TenantJwtSecret>(name, status, reason).await;
        }
        let versions = async || {
            let list = scene.api::<TenantJwtSecret>().list(&kube::api::ListParams::default()).await.unwrap();
            list.items.iter().map(version).collect::<Vec<_>>()
        };
        let before = versions().await;
        let told = apply(&["apply"]);
        assert!(server_side || told.lines().all(|line| line.ends_with("unchanged")), "{told}");
        assert_eq!(versions().await, before);
        // Nor is there a difference to show.
        assert_eq!(apply(&["diff"]), "");
    }
}

fn identity_providers(namespace: &str) -> Vec<Value> {
    let object = |name: &str, fields: Value| {
        let mut spec = json!({
            "issuer": name, "jwtEndpoint": "https://127.0.0.1:1/jwt", "keysEndpoint": "https://127.0.0.1:1/keys",
        });
        spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({
            "apiVersion": "idp-operator.dev/v1alpha1", "kind": "IdentityProvider",
            "metadata": { "name": name, "namespace": namespace }, "spec": spec,
        })
    };
    vec![
        object("least", json!({})),
        object("empty", json!({ "keys": {}, "examples": [], "headerName": "" })),
        object(
            "whole",
            json!({
                "headerName": "x-token", "displayName": "Login", "state": "Active", "linkingAllowed": false,
                "audiences": ["web", "api"], "algorithms": ["RS256", "EdDSA", "ES256"],
                "clockSkew": "1s500ms", "maxTokenAge": "3600s", "allowInsecureHttp": false,
                "tls": { "caBundleRef": { "kind": "ConfigMap", "name": "kube-root-ca.crt", "key": "ca.crt" } },
                "keys": { "refreshInterval": "0h5m", "staleAfter": "86400s" },
                "keysFrom": { "configMapKeyRef": { "name": "source", "key": "jwks.json" } },
                "publish": { "configMapName": "whole-keys" },
                "examples": [
                    { "name": "old", "token": "Bearer x.y.z", "at": "2026-01-31T12:00:00.5+01:00", "expect": "Reject" },
                    {
                        "name": "claims", "at": "2026-01-31T12:00:00Z", "expect": "Accept",
                        "claims": { "iss": "whole", "aud": ["api"], "iat": 1_769_860_800, "exp": 1_769_860_860.5, "x": { "y": [null] } },
                    },
                ],
                "suspend": false,
            }),
        ),
        object("other", json!({ "tls": { "caBundle": "-----BEGIN CERTIFICATE-----\nMIIB\n" }, "suspend": true })),
    ]
}

#[tokio::test]
async fn identity_providers_by_kubectl_with_and_without_server_side() {
    for server_side in [false, true] {
        let scene = Scene::new("gitops").await;
        let source = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "source" }, "data": { "jwks.json": jwks(&[ED25519]) },
        });
        let params = PatchParams::apply("it");
        scene.api::<ConfigMap>().patch("source", &params, &Patch::Apply(&source)).await.unwrap();
        let _operator = scene.operator().await;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("all.json");
        let manifests = identity_providers(&scene.namespace);
        std::fs::write(&file, json!({ "apiVersion": "v1", "kind": "List", "items": manifests }).to_string()).unwrap();
        let apply = |args: &[&str]| {
            let mut kubectl = Plane::shared().control_plane.kubectl();
            kubectl.args(args).args(server_side.then_some("--server-side")).arg("--filename").arg(&file);
            String::from_utf8(succeed(&mut kubectl).stdout).unwrap()
        };
        apply(&["apply"]);
        scene.verdict::<IdentityProvider>("least", "False", "KeysUnreachable").await;
        scene.verdict::<IdentityProvider>("empty", "False", "KeysUnreachable").await;
        scene.verdict::<IdentityProvider>("whole", "True", "Ready").await;
        let versions = async || {
            let list = scene.api::<IdentityProvider>().list(&kube::api::ListParams::default()).await.unwrap();
            list.items.iter().map(version).collect::<Vec<_>>()
        };
        let before = versions().await;
        let told = apply(&["apply"]);
        assert!(server_side || told.lines().all(|line| line.ends_with("unchanged")), "{told}");
        assert_eq!(versions().await, before);
        assert_eq!(apply(&["diff"]), "");
    }
}

/// Server-side apply takes away what a manifest had and has no more, down to what the schema then makes of it.
#[tokio::test]
async fn what_a_manifest_had_and_has_no_more_is_gone() {
    let scene = Scene::new("gitops").await;
    let least = json!({ "tenantId": "acme", "signingAlgorithm": "HS256" });
    let before = scene.apply::<TenantJwtSecret>("acme", least.clone()).await;
    let mut wrong = Vec::new();
    for fields in [
        json!({ "rotation": {} }),
        json!({ "rotation": { "interval": "100h", "gracePeriod": "1h", "leadTime": "1h" } }),
        json!({ "outputs": {} }),
        json!({ "outputs": { "jwks": true, "raw": true } }),
        json!({ "template": {} }),
        json!({ "template": { "labels": {} } }),
        json!({ "template": { "labels": { "a": "b" } } }),
        json!({ "template": { "labels": { "a": "b" }, "annotations": {} } }),
        json!({ "template": { "labels": { "a": "b" }, "annotations": { "c": "d" } } }),
        json!({ "secretRef": { "name": "source" } }),
        json!({ "secretRef": { "name": "source", "key": "value" } }),
        json!({ "adopt": true, "deletionPolicy": "Retain", "suspend": true }),
    ] {
        let mut more = least.clone();
        more.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        scene.apply::<TenantJwtSecret>("acme", more).await;
        match scene.try_apply::<TenantJwtSecret>("acme", least.clone()).await {
            Ok(after) if after.spec == before.spec => {}
            Ok(after) => wrong.push(format!("{fields}: {:?}", after.spec)),
            Err(message) => wrong.push(format!("{fields}: {message}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// As a chart renders it that loops over values of which there are none any more.
#[tokio::test]
async fn what_was_full_may_be_applied_empty() {
    let scene = Scene::new("gitops").await;
    let spec = |field: &str, value: &Value| json!({ "tenantId": "acme", "signingAlgorithm": "HS256", field: value });
    let templates = [
        json!({}),
        json!({ "labels": {} }),
        json!({ "labels": { "a": "b" } }),
        json!({ "labels": { "a": "b" }, "annotations": {} }),
        json!({ "labels": { "a": "b" }, "annotations": { "c": "d" } }),
    ];
    let rotations = [json!({}), json!({ "leadTime": "1h" }), json!({ "interval": "100h", "gracePeriod": "1h" })];
    let outputs = [json!({}), json!({ "raw": true })];
    let mut refused = Vec::new();
    for (field, variants) in [("template", &templates[..]), ("rotation", &rotations), ("outputs", &outputs)] {
        for before in variants {
            for after in variants {
                scene.apply::<TenantJwtSecret>("acme", spec(field, before)).await;
                if let Err(message) = scene.try_apply::<TenantJwtSecret>("acme", spec(field, after)).await {
                    refused.push(format!("{field}: {before} then {after}: {message}"));
                }
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

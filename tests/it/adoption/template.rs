//! `template`: labels and annotations of the output.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::support::{Scene, Tenant};

/// What is on it beside what the operator puts there.
fn on(secret: &Secret) -> [BTreeMap<String, String>; 2] {
    [secret.labels(), secret.annotations()].map(|all| {
        all.iter()
            .filter(|(name, _)| !name.starts_with("idp-operator.dev/"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    })
}

fn map(pairs: Value) -> BTreeMap<String, String> {
    serde_json::from_value(pairs).unwrap()
}

#[tokio::test]
async fn what_it_holds_is_applied_changed_and_removed_and_what_others_put_there_stays() {
    let scene = Scene::new("template").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let template =
        |labels: Value, annotations: Value| json!({ "template": { "labels": labels, "annotations": annotations } });
    let are = async |labels: Value, annotations: Value| {
        let expected = [map(labels), map(annotations)];
        tenant.until(|secret| on(secret) == expected).await;
        tenant.is_quiet().await;
    };
    let (_, first) =
        tenant.ready(template(json!({ "a": "1", "example.com/b": "" }), json!({ "c": "any text\n{}" }))).await;
    are(json!({ "a": "1", "example.com/b": "" }), json!({ "c": "any text\n{}" })).await;

    let theirs = json!({ "metadata": { "labels": { "theirs": "x" }, "annotations": { "theirs": "y" } } });
    scene.merge::<Secret>("acme-jwt", theirs).await;
    tenant.ready(template(json!({ "a": "2" }), json!({ "d": "4" }))).await;
    are(json!({ "a": "2", "theirs": "x" }), json!({ "d": "4", "theirs": "y" })).await;

    // What somebody changed or took away is as it was again.
    for edit in [
        json!({ "labels": { "a": "3" } }),
        json!({ "labels": { "a": null } }),
        json!({ "annotations": { "d": null } }),
        json!({ "annotations": { "idp-operator.dev/template": null } }),
        json!({ "annotations": { "idp-operator.dev/template": "garbage" } }),
        json!({ "labels": { "idp-operator.dev/managed": null }, "annotations": { "d": "5" } }),
    ] {
        scene.merge::<Secret>("acme-jwt", json!({ "metadata": edit })).await;
        are(json!({ "a": "2", "theirs": "x" }), json!({ "d": "4", "theirs": "y" })).await;
    }
    // A forged record takes nothing of the operator's away.
    let forged = r#"{"labels":["idp-operator.dev/managed"],"annotations":["idp-operator.dev/tenant-id"]}"#;
    scene
        .merge::<Secret>("acme-jwt", json!({ "metadata": { "annotations": { "idp-operator.dev/template": forged } } }))
        .await;
    are(json!({ "a": "2", "theirs": "x" }), json!({ "d": "4", "theirs": "y" })).await;
    let output = tenant.output().await;
    assert_eq!(output.labels()["idp-operator.dev/managed"], "true");
    assert_eq!(output.annotations()["idp-operator.dev/tenant-id"], "acme.example.com");

    tenant.ready(json!({ "template": {} })).await;
    are(json!({ "theirs": "x" }), json!({ "theirs": "y" })).await;
    tenant.ready(template(json!({ "e": "5" }), json!({}))).await;
    are(json!({ "e": "5", "theirs": "x" }), json!({ "theirs": "y" })).await;
    tenant.ready(json!({})).await;
    are(json!({ "theirs": "x" }), json!({ "theirs": "y" })).await;
    assert_eq!(tenant.settled(|_| true).await.1, first);
}

#[tokio::test]
async fn the_largest_one_fits() {
    let scene = Scene::new("template").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let prefix = format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61));
    let name = |number: usize| format!("{prefix}/{number:0>63}");
    let labels: BTreeMap<_, _> = (0..16).map(|number| (name(number), "x".repeat(63))).collect();
    let annotations: BTreeMap<_, _> = (0..16).map(|number| (name(number), "\u{1f511}".repeat(2048))).collect();
    tenant.ready(json!({ "template": { "labels": labels, "annotations": annotations } })).await;
    tenant.until(|secret| on(secret) == [labels.clone(), annotations.clone()]).await;
    tenant.is_quiet().await;
}

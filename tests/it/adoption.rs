//! Whose the output is: taken over, retained, collected, restored; and what else stands in it.

mod deletion;
mod gitops;
mod names;
mod outputs;
mod refused;
mod restored;
mod steady;
mod template;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    ResourceExt as _,
    api::{ObjectMeta, PostParams},
};
use serde_json::{Value, json};

use crate::support::{
    Scene, Tenant,
    tenant::{GOOD, base64, text, values},
};

/// Creates a Secret as somebody else would, with these changes to it.
async fn foreign(scene: &Scene, name: &str, change: Value) -> Secret {
    let mut secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": { "secret": base64(GOOD) },
    });
    let Value::Object(change) = change else { panic!("no change: {change}") };
    for (field, value) in change {
        if field == "metadata" {
            secret["metadata"].as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        } else {
            secret[field] = value;
        }
    }
    let secret: Secret = serde_json::from_value(secret).unwrap();
    scene.api().create(&PostParams::default(), &secret).await.unwrap()
}

/// An ownerReference of somebody else, who exists.
async fn other_owner(scene: &Scene, is_controller: bool) -> Value {
    let metadata = ObjectMeta { name: Some("other-owner".to_owned()), ..ObjectMeta::default() };
    let api = scene.api::<ConfigMap>();
    let owner = match api.get_opt("other-owner").await.unwrap() {
        Some(owner) => owner,
        None => api.create(&PostParams::default(), &ConfigMap { metadata, ..ConfigMap::default() }).await.unwrap(),
    };
    let mut reference =
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "other-owner", "uid": owner.uid().unwrap() });
    if is_controller {
        reference["controller"] = true.into();
    }
    reference
}

/// UIDs of who owns it.
fn owners(secret: &Secret) -> Vec<String> {
    secret.owner_references().iter().map(|owner| owner.uid.clone()).collect()
}

#[tokio::test]
async fn a_good_secret_is_taken_over_with_all_that_is_on_it_and_never_owned() {
    let scene = Scene::new("adopt").await;
    let owner = other_owner(&scene, false).await;
    let change = json!({
        "metadata": {
            "labels": { "team": "a" }, "annotations": { "note": "b" }, "ownerReferences": [owner],
        },
        "stringData": { "secret": base64(GOOD).trim_end_matches('='), "other": "c" },
    });
    let before = foreign(&scene, "acme-jwt", change).await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (object, adopted) = tenant.ready(json!({ "adopt": true })).await;
    assert_eq!((adopted.current.value.clone(), adopted.current.algorithm.as_str()), (base64(GOOD), "HS256"));
    assert_eq!((adopted.previous.as_ref(), adopted.next.as_ref()), (None, None));
    let is_whole = |secret: &Secret| {
        assert_eq!(text(secret, "other").as_deref(), Some("c"));
        assert_eq!((secret.labels()["team"].as_str(), secret.annotations()["note"].as_str()), ("a", "b"));
        assert_eq!(secret.labels()["idp-operator.dev/managed"], "true");
        assert_eq!(secret.annotations()["idp-operator.dev/tenant-id"], "acme.example.com");
        assert_eq!(secret.annotations()["idp-operator.dev/format"], "1");
        assert_eq!(owners(secret), owners(&before));
        assert_eq!(secret.uid(), before.uid());
    };
    is_whole(&tenant.output().await);
    assert_eq!(format!("{:?}", object.status.unwrap().deletion_policy), "Some(Retain)");
    tenant.is_quiet().await;
    assert_eq!(scene.events().await, Vec::<String>::new());

    // It is not handed over later either.
    for fields in
        [json!({ "adopt": false }), json!({ "deletionPolicy": "Retain" }), json!({ "deletionPolicy": "Delete" })]
    {
        let (_, values) = tenant.ready(fields).await;
        assert_eq!(values, adopted);
        is_whole(&tenant.output().await);
        tenant.is_quiet().await;
    }
    // Nor when it loses the mark of it. A forged generation is no obstacle either.
    for fields in [json!({ "adopt": true }), json!({ "adopt": false })] {
        tenant.ready(fields).await;
        let uid = tenant.object().await.uid().unwrap();
        let damage =
            json!({ "idp-operator.dev/adopted": null, "idp-operator.dev/written-for": format!("{uid}/999999") });
        scene.merge::<Secret>("acme-jwt", json!({ "metadata": { "annotations": damage } })).await;
        tenant.until(|secret| secret.annotations().contains_key("idp-operator.dev/adopted")).await;
        tenant.is_quiet().await;
        let output = tenant.output().await;
        is_whole(&output);
        assert!(!output.annotations()["idp-operator.dev/written-for"].ends_with("/999999"));
    }
    // It rotates as any other.
    tenant.rotate("once").await;
    let (_, rotated) = tenant.settled(|values| !values.current.is(&adopted.current)).await;
    assert!(rotated.previous.as_ref().unwrap().is(&adopted.current));
    is_whole(&tenant.output().await);

    // Nor with another object, which takes it up.
    tenant.recreate().await;
    scene.verdict::<idp_operator::api::TenantJwtSecret>("acme", "True", "Ready").await;
    assert_eq!(tenant.settled(|_| true).await.1, rotated);
    is_whole(&tenant.output().await);
}

#[tokio::test]
async fn an_adopted_secret_without_owners_outlives_its_object() {
    let scene = Scene::new("adopt").await;
    let before = foreign(&scene, "acme-jwt", json!({})).await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, adopted) = tenant.ready(json!({ "adopt": true, "deletionPolicy": "Delete" })).await;
    assert_eq!(owners(&tenant.output().await), Vec::<String>::new());
    scene.delete::<idp_operator::api::TenantJwtSecret>("acme").await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let after = tenant.output().await;
    assert_eq!((after.uid(), values(&after)), (before.uid(), adopted));
}

#[tokio::test]
async fn a_value_is_adopted_for_what_it_is_good_for_and_then_follows_the_spec() {
    let scene = Scene::new("adopt").await;
    let _operator = scene.operator().await;
    // What describes it is wrong: it is set right.
    let wrong =
        json!({ "secret": base64(GOOD), "algorithm": "none", "issued-at": "long ago", "next-secret": "planted" });
    foreign(&scene, "wrong-jwt", json!({ "stringData": wrong })).await;
    let (_, adopted) = Tenant::named(&scene, "wrong").ready(json!({ "adopt": true })).await;
    assert_eq!((adopted.current.value, adopted.current.algorithm.as_str()), (base64(GOOD), "HS256"));

    // A referenced value replaces it, and it stays through its grace period.
    foreign(&scene, "referenced-jwt", json!({})).await;
    let other: String = GOOD.chars().rev().collect();
    scene.secret("source", "secret", base64(&other).as_bytes()).await;
    let (_, adopted) =
        Tenant::named(&scene, "referenced").ready(json!({ "adopt": true, "secretRef": { "name": "source" } })).await;
    assert_eq!((adopted.current.value, adopted.previous.unwrap().value), (base64(&other), base64(GOOD)));

    // So does a token that is there already.
    foreign(&scene, "token-jwt", json!({})).await;
    let tenant = Tenant::named(&scene, "token");
    tenant.create(json!({ "adopt": true }), "once").await;
    let (_, adopted) = tenant.settled(|values| values.previous.is_some()).await;
    assert_eq!(adopted.previous.unwrap().value, base64(GOOD));

    // There is nothing to adopt: one is made, and owned.
    let tenant = Tenant::named(&scene, "nothing");
    let (object, _) = tenant.ready(json!({ "adopt": true })).await;
    assert_eq!(owners(&tenant.output().await), [object.uid().unwrap()]);

    // Without an algorithm nothing is adopted.
    let foreign = foreign(&scene, "none-jwt", json!({})).await;
    Tenant::named(&scene, "none").apply(json!({ "adopt": true, "signingAlgorithm": null })).await;
    scene.verdict::<idp_operator::api::TenantJwtSecret>("none", "False", "SigningAlgorithmNotConfigured").await;
    assert_eq!(scene.api::<Secret>().get("none-jwt").await.unwrap().resource_version(), foreign.resource_version());
}

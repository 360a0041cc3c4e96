//! Referenced values: published, described, and never made.

use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::support::{
    Scene, Tenant,
    tenant::{GOOD, OTHER, Values, base64, text, values},
};

fn referenced(algorithm: &str) -> Value {
    json!({ "secretRef": { "name": "source" }, "signingAlgorithm": algorithm, "rotation": { "gracePeriod": "1h" } })
}

/// All of them but the current value's algorithm.
fn without_algorithm(values: &Values) -> Values {
    let mut values = values.clone();
    values.current.algorithm = String::new();
    values
}

#[tokio::test]
async fn of_a_value_that_is_good_for_another_algorithm_too_only_the_algorithm_is_rewritten() {
    let scene = Scene::new("source").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    scene.secret("source", "secret", base64(GOOD).as_bytes()).await;
    let (_, first) = tenant.ready(referenced("HS256")).await;
    tenant.ready(referenced("HS384")).await;
    let (_, second) = tenant.settled(|values| values.current.algorithm == "HS384").await;
    assert_eq!(without_algorithm(&second), without_algorithm(&first));
    // It is too short for this one: what is published stays as it is.
    tenant.apply(referenced("HS512")).await;
    scene.verdict::<TenantJwtSecret>("acme", "False", "InvalidRequest").await;
    assert_eq!(tenant.settled(|_| true).await.1, second);
    tenant.ready(referenced("HS384")).await;
    assert_eq!(tenant.settled(|_| true).await.1, second);
    tenant.is_quiet().await;
}

#[tokio::test]
async fn a_value_that_goes_and_comes_back_is_published_each_time_with_another_id() {
    let scene = Scene::new("source").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let mut ids = std::collections::BTreeSet::new();
    let mut before: Option<Values> = None;
    for raw in [GOOD, OTHER, GOOD, OTHER] {
        scene.secret("source", "secret", base64(raw).as_bytes()).await;
        tenant.apply(referenced("HS256")).await;
        let (_, now) = tenant.settled(|values| values.current.value == base64(raw)).await;
        assert!(ids.insert(now.current.key_id.clone()));
        if let Some(before) = &before {
            assert_eq!(now.previous.as_ref().map(|previous| &previous.key_id), Some(&before.current.key_id));
        }
        before = Some(now);
    }
}

#[tokio::test]
async fn a_broken_output_gets_the_source_s_value_again_and_none_where_the_source_is_bad() {
    let scene = Scene::new("source").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    scene.secret("source", "secret", base64(GOOD).as_bytes()).await;
    let (_, first) = tenant.ready(referenced("HS256")).await;
    tenant.plant(&[("secret", Some("no base64!")), ("next-secret", Some("planted"))]).await;
    let (_, second) = tenant.settled(|values| values.current.value == base64(GOOD)).await;
    assert_eq!((&second.previous, &second.next), (&None, &None));
    assert_ne!(second.current.key_id, first.current.key_id);
    scene.event("TenantJwtSecret/acme Warning SecretRepaired").await;

    scene.delete::<Secret>("source").await;
    scene.verdict::<TenantJwtSecret>("acme", "False", "AuthenticationSecretNotConfigured").await;
    assert_eq!(values(&tenant.output().await), second);
    tenant.plant(&[("secret", Some("no base64!"))]).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(text(&tenant.output().await, "secret").as_deref(), Some("no base64!"));
    scene.delete::<Secret>("acme-jwt").await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(scene.api::<Secret>().get_opt("acme-jwt").await.unwrap().is_none());
    scene.verdict::<TenantJwtSecret>("acme", "False", "AuthenticationSecretNotConfigured").await;

    let source = scene.secret("source", "secret", base64(OTHER).as_bytes()).await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    let (_, third) = tenant.settled(|values| values.current.value == base64(OTHER)).await;
    assert_eq!(third.previous, None);
    // It was only ever read.
    assert_eq!(scene.api::<Secret>().get("source").await.unwrap().resource_version(), source.resource_version());
}

#[tokio::test]
async fn a_token_that_did_nothing_to_a_reference_rotates_once_the_reference_ends() {
    let scene = Scene::new("source").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    scene.secret("source", "secret", base64(GOOD).as_bytes()).await;
    let (_, first) = tenant.ready(referenced("HS256")).await;
    tenant.rotate("waiting").await;
    tenant.is_quiet().await;
    tenant.apply(json!({ "rotation": { "gracePeriod": "1h" } })).await;
    let (_, second) = tenant.settled(|values| !values.current.is(&first.current)).await;
    assert!(second.previous.as_ref().unwrap().is(&first.current));
    tenant.is_quiet().await;
    assert_eq!(tenant.settled(|_| true).await.1, second);
}

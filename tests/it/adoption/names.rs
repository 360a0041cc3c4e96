//! `secretName`.

use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::json;

use super::owners;
use crate::support::{
    Scene, ready,
    scene::version,
    tenant::{text, values},
};

#[tokio::test]
async fn the_output_has_the_name_that_is_asked_for() {
    let scene = Scene::new("names").await;
    let _operator = scene.operator().await;
    // Long names are no obstacle then.
    let name = "x".repeat(253);
    for secret_name in ["a", "my.secret-1", name.as_str()] {
        let object = if secret_name == name { name.as_str() } else { secret_name };
        let spec = json!({ "tenantId": format!("t{}", secret_name.len()), "signingAlgorithm": "HS256", "secretName": secret_name });
        scene.apply::<TenantJwtSecret>(object, spec).await;
        let object: TenantJwtSecret = scene.verdict(object, "True", "Ready").await;
        assert_eq!(ready(&object).unwrap().2, format!("the secret is in Secret '{secret_name}'"));
        assert_eq!(object.status.as_ref().unwrap().secret_name.as_deref(), Some(secret_name));
        let output = scene.api::<Secret>().get(secret_name).await.unwrap();
        assert_eq!(owners(&output), [object.uid().unwrap()]);
    }
    assert_eq!(scene.api::<Secret>().list(&kube::api::ListParams::default()).await.unwrap().items.len(), 3);
    // It is looked after as any other.
    scene.delete::<Secret>("a").await;
    scene.until::<Secret>("a", |secret| text(secret, "secret").is_some()).await;
}

#[tokio::test]
async fn of_two_tenants_with_the_same_secret_the_first_has_it() {
    let scene = Scene::new("names").await;
    let _operator = scene.operator().await;
    let spec = |tenant: &str| json!({ "tenantId": tenant, "signingAlgorithm": "HS256", "secretName": "shared", "adopt": tenant == "second" });
    scene.apply::<TenantJwtSecret>("first", spec("first")).await;
    scene.verdict::<TenantJwtSecret>("first", "True", "Ready").await;
    let before = scene.api::<Secret>().get("shared").await.unwrap();
    for second in ["second", "third"] {
        scene.apply::<TenantJwtSecret>(second, spec(second)).await;
        let object: TenantJwtSecret = scene.verdict(second, "False", "SecretConflict").await;
        assert_eq!(object.status.unwrap().secret_name, None);
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(version(&scene.api::<Secret>().get("shared").await.unwrap()), version(&before));
    scene.verdict::<TenantJwtSecret>("first", "True", "Ready").await;

    scene.delete::<TenantJwtSecret>("first").await;
    scene.delete::<TenantJwtSecret>("third").await;
    let _ = scene.api::<Secret>().delete("shared", &kube::api::DeleteParams::default()).await;
    let object: TenantJwtSecret = scene.verdict("second", "True", "Ready").await;
    let after = scene.api::<Secret>().get("shared").await.unwrap();
    assert_eq!(
        (owners(&after), after.annotations()["idp-operator.dev/tenant-id"].as_str()),
        (vec![object.uid().unwrap()], "second")
    );
}

#[tokio::test]
async fn of_two_objects_of_one_tenant_with_the_same_secret_the_older_one_writes_it_and_the_younger_one_inherits_it() {
    let scene = Scene::new("names").await;
    let _operator = scene.operator().await;
    let spec = |label: &str| {
        json!({
            "tenantId": "acme", "signingAlgorithm": "HS256", "secretName": "shared", "deletionPolicy": "Retain",
            "template": { "labels": { "of": label } },
        })
    };
    scene.apply::<TenantJwtSecret>("older", spec("older")).await;
    scene.verdict::<TenantJwtSecret>("older", "True", "Ready").await;
    let before = scene.api::<Secret>().get("shared").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    scene.apply::<TenantJwtSecret>("younger", spec("younger")).await;
    let object: TenantJwtSecret = scene.verdict("younger", "False", "TenantConflict").await;
    assert_eq!(object.status.unwrap().secret_name, None);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(version(&scene.api::<Secret>().get("shared").await.unwrap()), version(&before));

    scene.delete::<TenantJwtSecret>("older").await;
    scene.verdict::<TenantJwtSecret>("younger", "True", "Ready").await;
    let after = scene.until::<Secret>("shared", |secret| secret.labels()["of"] == "younger").await;
    assert_eq!(values(&after), values(&before));
}

//! Outputs that were stripped, restored from a backup, or made immutable.

use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    ResourceExt as _,
    api::{ObjectMeta, PostParams},
};
use serde_json::{Value, json};

use super::owners;
use crate::support::{
    Scene, Tenant, ready,
    scene::version,
    tenant::{base64, text, values},
};

#[tokio::test]
async fn labels_and_annotations_are_healed_on_a_secret_that_is_owned_and_a_conflict_on_another() {
    let scene = Scene::new("strip").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(json!({ "template": { "labels": { "a": "b" } } })).await;
    let whole = tenant.output().await;
    let strip = json!({ "metadata": { "labels": null, "annotations": null } });
    scene.merge::<Secret>("acme-jwt", strip.clone()).await;
    let is_healed = |secret: &Secret| secret.labels() == whole.labels() && secret.annotations() == whole.annotations();
    tenant.until(is_healed).await;
    // A tenant-id of somebody else's too, while it is owned.
    let other = json!({ "metadata": { "annotations": { "idp-operator.dev/tenant-id": "other" } } });
    scene.merge::<Secret>("acme-jwt", other).await;
    tenant.until(is_healed).await;
    assert_eq!(tenant.settled(|_| true).await.1, first);

    tenant.ready(json!({ "deletionPolicy": "Retain" })).await;
    scene.merge::<Secret>("acme-jwt", strip).await;
    let object: TenantJwtSecret = scene.verdict("acme", "False", "SecretConflict").await;
    assert!(ready(&object).unwrap().2.contains("set adopt to true"));
    let (_, adopted) = tenant.ready(json!({ "deletionPolicy": "Retain", "adopt": true })).await;
    assert_eq!(adopted, first);
}

#[tokio::test]
async fn a_backup_is_taken_up_without_rotating() {
    let scene = Scene::new("restore").await;
    let operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let spec = json!({ "rotation": { "interval": "100h", "leadTime": "1h", "gracePeriod": "2h" }, "deletionPolicy": "Retain" });
    tenant.ready(spec).await;
    tenant.rotate("once").await;
    let (_, before) = tenant.settled(|values| values.next.is_some()).await;
    let mut backup = tenant.output().await;
    for is_running in [true, false] {
        scene.delete::<TenantJwtSecret>("acme").await;
        scene.delete::<Secret>("acme-jwt").await;
        backup.metadata = ObjectMeta {
            name: backup.metadata.name,
            labels: backup.metadata.labels,
            annotations: backup.metadata.annotations,
            ..ObjectMeta::default()
        };
        scene.api::<Secret>().create(&PostParams::default(), &backup).await.unwrap();
        let spec = json!({ "rotation": { "interval": "100h", "leadTime": "1h", "gracePeriod": "2h" }, "deletionPolicy": "Retain" });
        tenant.create(spec, "once").await;
        if !is_running {
            break;
        }
        scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
        assert_eq!(tenant.settled(|_| true).await.1, before);
    }
    operator.terminate();
    let _operator = scene.operator().await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    assert_eq!(tenant.settled(|_| true).await.1, before);
    tenant.is_quiet().await;
}

#[tokio::test]
async fn an_immutable_secret_is_described_but_never_changed_nor_deleted() {
    let scene = Scene::new("frozen").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(json!({})).await;
    let frozen: Secret = scene.merge("acme-jwt", json!({ "immutable": true })).await;
    // It is as good as any while nothing is to change.
    let labelled = json!({ "template": { "labels": { "a": "b" } } });
    let (object, _) = tenant.ready(labelled.clone()).await;
    tenant.until(|secret| secret.labels().get("a").is_some_and(|value| value == "b")).await;
    scene.merge::<Secret>("acme-jwt", json!({ "metadata": { "labels": null } })).await;
    tenant.until(|secret| secret.labels().len() == 2).await;
    tenant.ready(json!({ "deletionPolicy": "Retain" })).await;
    tenant.until(|secret| owners(secret).is_empty() && secret.labels().len() == 1).await;
    tenant.ready(json!({})).await;
    assert_eq!(owners(&tenant.output().await), [object.uid().unwrap()]);
    tenant.is_quiet().await;

    for change in [
        json!({ "signingAlgorithm": "HS512" }),
        json!({ "outputs": { "raw": true } }),
        json!({ "outputs": { "jwks": true } }),
        json!({ "secretRef": { "name": "source" } }),
    ] {
        let other: String = super::GOOD.chars().rev().collect();
        scene.secret("source", "secret", base64(other).as_bytes()).await;
        tenant.apply(change.clone()).await;
        let object: TenantJwtSecret = scene.verdict("acme", "False", "SecretImmutable").await;
        assert_eq!(
            ready(&object).unwrap().2,
            "Secret 'acme-jwt' is immutable and would have to change: delete it and a new one is made; until then its \
             value is served as it is"
        );
        let status = object.status.unwrap();
        assert_eq!((status.key_id, status.last_error), (Some(first.current.key_id.clone()), None), "{change}");
        tenant.ready(json!({})).await;
    }
    tenant.rotate("once").await;
    scene.verdict::<TenantJwtSecret>("acme", "False", "SecretImmutable").await;
    // Metadata is healed all the same.
    scene.merge::<Secret>("acme-jwt", json!({ "metadata": { "labels": null } })).await;
    let healed = tenant.until(|secret| secret.labels().len() == 1).await;
    assert_eq!((healed.uid(), values(&healed)), (frozen.uid(), first));
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let quiet = version(&tenant.output().await);
    tenant.poke().await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(version(&tenant.output().await), quiet);

    scene.delete::<Secret>("acme-jwt").await;
    tenant.until(|secret| secret.uid() != frozen.uid()).await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    let told = tenant.settled(|_| true).await.0.status.unwrap();
    assert_eq!(Some(told.rotate_token.unwrap()), text(&tenant.output().await, "rotate-tokens"));
}

#[tokio::test]
async fn phases_that_can_t_end_in_an_immutable_secret_are_told_and_cost_nothing() {
    let scene = Scene::new("frozen").await;
    let operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let rotation: Value = json!({ "rotation": { "leadTime": "1s", "gracePeriod": "1h" } });
    tenant.ready(rotation).await;
    tenant.rotate("once").await;
    let (_, before) = tenant.settled(|values| values.next.is_some()).await;
    scene.merge::<Secret>("acme-jwt", json!({ "immutable": true })).await;
    scene.verdict::<TenantJwtSecret>("acme", "False", "SecretImmutable").await;
    let reconciles = async || operator.metric("idp_operator_reconciles_total", &[]).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let looked = reconciles().await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!(reconciles().await - looked < 2.0, "{} looks in 2 s", reconciles().await - looked);
    assert_eq!(values(&tenant.output().await), before);
}

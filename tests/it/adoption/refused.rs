//! Secrets that are not taken over, and what is told.

use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::{foreign, other_owner};
use crate::support::{
    Scene, Tenant, ready,
    scene::{conditions, core, version},
    tenant::{base64, text},
};

#[tokio::test]
async fn each_is_told_why_and_never_touched() {
    let scene = Scene::new("refuse").await;
    let _operator = scene.operator().await;
    let controller = other_owner(&scene, true).await;
    let of_our_kind = scene.apply::<TenantJwtSecret>("other", json!({ "tenantId": "other" })).await;
    let owned = json!({
        "apiVersion": "idp-operator.dev/v1alpha1", "kind": "TenantJwtSecret", "name": "other",
        "uid": of_our_kind.metadata.uid.clone().unwrap(),
    });
    let managed = |tenant: &str, format: &str| {
        json!({ "metadata": {
            "labels": { "idp-operator.dev/managed": "true" },
            "annotations": { "idp-operator.dev/tenant-id": tenant, "idp-operator.dev/format": format },
        } })
    };
    let opaque = ", nor can it be adopted, as its type must be Opaque: delete it, or ";
    let has_controller = ", nor can it be adopted, as another controller owns it: delete it, or ";
    let breaks = ", nor can it be adopted, as its key 'secret' must hold a value that obeys the rules: delete it, or correct its \
                  value and set adopt to true, or ";
    let another = ", but for another TenantJwtSecret: ";
    let later = ", but by another version of the operator: run that version, or ";
    let value = |value: &str| json!({ "stringData": { "secret": value } });
    let rows: Vec<(&'static str, Value, &str)> = vec![
        ("typed", json!({ "type": "example.com/other" }), opaque),
        ("controlled", json!({ "metadata": { "ownerReferences": [controller] } }), has_controller),
        ("short", value(&base64("too short")), breaks),
        ("uncoded", value("no base64!"), breaks),
        ("newline", value(&format!("{}\n", base64(super::GOOD))), breaks),
        ("empty", value(""), breaks),
        ("without-value", json!({ "stringData": { "other": "x" } }), breaks),
        ("without-data", json!({ "stringData": {} }), breaks),
        ("others", managed("somebody.example.com", "1"), another),
        ("others-in-case", managed("Others-in-case.example.com", "1"), another),
        ("owned", json!({ "metadata": { "ownerReferences": [owned] } }), another),
        ("later", managed("later.example.com", "2"), later),
        ("later-foreign", json!({ "metadata": { "annotations": { "idp-operator.dev/format": "10" } } }), later),
    ];
    let mut made = Vec::new();
    for (name, change, why) in rows {
        let secret = foreign(&scene, &format!("{name}-jwt"), change).await;
        Tenant::named(&scene, name).apply(json!({ "adopt": true })).await;
        made.push((name, secret, why));
    }
    let mut wrong = Vec::new();
    for (name, secret, why) in made {
        let object: TenantJwtSecret = scene.verdict(name, "False", "SecretConflict").await;
        let expected = format!(
            "Secret '{name}-jwt' was not made for this tenant{why}name another one in secretName of a new TenantJwtSecret"
        );
        let (.., message) = ready(&object).unwrap();
        if message != expected {
            wrong.push(format!("{name}\n  is   {message}\n  not  {expected}"));
        }
        assert!(conditions(&core(&object)).contains(&"Stalled=True SecretConflict".to_owned()), "{name}");
        let status = object.status.unwrap();
        assert_eq!((status.secret_name, status.key_id, status.last_error), (None, None, None), "{name}");
        let after = scene.api::<Secret>().get(&format!("{name}-jwt")).await.unwrap();
        assert_eq!(version(&after), version(&secret), "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_is_corrected_or_asked_for_is_taken_over() {
    let scene = Scene::new("refuse").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let before = foreign(&scene, "acme-jwt", json!({})).await;
    tenant.apply(json!({})).await;
    let object: TenantJwtSecret = scene.verdict("acme", "False", "SecretConflict").await;
    assert_eq!(
        ready(&object).unwrap().2,
        "Secret 'acme-jwt' was not made for this tenant: delete it, or set adopt to true to have it taken over, or name \
         another one in secretName of a new TenantJwtSecret"
    );
    tenant.plant(&[("secret", Some("short"))]).await;
    let breaks = |object: &TenantJwtSecret| {
        ready(object).is_some_and(|(.., message)| message.contains("must hold a value that obeys the rules"))
    };
    scene.until::<TenantJwtSecret>("acme", breaks).await;
    tenant.apply(json!({ "adopt": true })).await;
    scene.until::<TenantJwtSecret>("acme", breaks).await;
    assert_eq!(text(&tenant.output().await, "secret").as_deref(), Some("short"));
    assert_eq!(tenant.output().await.labels(), before.labels());
    tenant.plant(&[("secret", Some(&base64(super::GOOD)))]).await;
    let (_, values) = tenant.ready(json!({ "adopt": true })).await;
    assert_eq!(values.current.value, base64(super::GOOD));
}

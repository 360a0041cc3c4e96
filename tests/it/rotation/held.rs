//! Phases of objects that may make no value.

use std::time::Duration;

use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::rotation;
use crate::support::{
    Plane, Scene, Tenant,
    operator::Start,
    plane::SYSTEM,
    scene::{core, version},
    tenant::{GOOD, after, base64, now, text, values},
};

#[tokio::test]
async fn without_an_algorithm_phases_end_in_time_and_nothing_begins() {
    let scene = Scene::new("held").await;
    let operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let without = |lead: &str, grace: &str| {
        let mut spec = rotation(lead, grace);
        spec["signingAlgorithm"] = json!(null);
        spec
    };
    let (_, first) = tenant.ready(rotation("5s", "2s")).await;
    tenant.rotate("a").await;
    let (_, second) = tenant.settled(|values| values.next.is_some()).await;
    tenant.apply(without("5s", "2s")).await;
    scene.verdict::<TenantJwtSecret>("acme", "False", "SigningAlgorithmNotConfigured").await;
    assert_eq!(tenant.settled(|_| true).await.1, second);

    let next = second.next.unwrap();
    let (_, third) = tenant.settled(|values| values.next.is_none()).await;
    assert!(now() >= next.time && third.current.is(&next));
    let previous = third.previous.unwrap();
    assert!(previous.is(&first.current));
    let (_, fourth) = tenant.settled(|values| values.previous.is_none()).await;
    assert!(now() >= previous.time);

    // Neither a token, nor age, nor damage makes a value.
    tenant.rotate("b").await;
    let damage = [("secret", Some("no base64!")), ("key-id", None), ("issued-at", Some("-000001-01-01T00:00:00Z"))];
    tenant.plant(&damage).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let output = tenant.output().await;
    assert_eq!(text(&output, "secret").as_deref(), Some("no base64!"));
    let object: TenantJwtSecret = scene.verdict("acme", "False", "SigningAlgorithmNotConfigured").await;
    let status = object.status.unwrap();
    assert_eq!((status.key_id, status.issued_time), (None, None));
    assert!(operator.metric("idp_operator_reconciles_total", &["result=\"error\""]).await.abs() < f64::EPSILON);
    scene.delete::<Secret>("acme-jwt").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(scene.api::<Secret>().get_opt("acme-jwt").await.unwrap().is_none());

    // All of that is done with the algorithm, by one value.
    tenant.ready(rotation("0s", "1h")).await;
    let (object, fifth) = tenant.settled(|_| true).await;
    assert!(!fifth.current.is(&fourth.current) && fifth.previous.is_none());
    assert!(object.status.unwrap().rotate_token.is_some());
    tenant.is_quiet().await;
}

#[tokio::test]
async fn who_lost_the_tenant_ends_the_phases_of_the_secret_that_it_keeps() {
    let (here, there) = (Scene::new("older").await, Scene::new("younger").await);
    let spec = Tenant::new(&here).spec(json!({}));
    here.apply::<TenantJwtSecret>("acme", spec).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let tenant = Tenant::new(&there);
    let alone = there.operator().await;
    let (_, first) = tenant.ready(rotation("4s", "2s")).await;
    tenant.rotate("a").await;
    let next = tenant.settled(|values| values.next.is_some()).await.1.next.unwrap();
    alone.terminate();

    let start = Start::new(&Plane::shared().operator_kubeconfig);
    let both = start.arg("--watch-namespace").arg(&here.namespace).arg("--watch-namespace").arg(&there.namespace);
    let _both = both.ready().await;
    there.verdict::<TenantJwtSecret>("acme", "False", "TenantConflict").await;
    let (_, second) = tenant.settled(|values| values.current.is(&next)).await;
    assert!(now() >= next.time && second.next.is_none());
    let previous = second.previous.unwrap();
    assert!(previous.is(&first.current));
    tenant.settled(|values| values.previous.is_none()).await;
    assert!(now() >= previous.time);
    tenant.rotate("b").await;
    tenant.is_quiet().await;
    assert!(tenant.settled(|_| true).await.1.current.is(&next));

    // Promoted, it goes on with what it has, and the token that waited is honoured.
    here.delete::<TenantJwtSecret>("acme").await;
    there.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    let (_, third) = tenant.settled(|values| values.next.is_some()).await;
    assert!(third.current.is(&next));
}

#[tokio::test]
async fn a_namespace_that_may_not_hold_the_tenant_any_more_ends_the_phases_of_the_secret_that_it_keeps() {
    let scene = Scene::new("unclaimed").await;
    let claim = async |tenants: Option<&str>| {
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { "idp-operator.dev/tenants": tenants } } }));
        let namespaces = Api::<Namespace>::all(scene.client.clone());
        namespaces.patch(&scene.namespace, &PatchParams::default(), &patch).await.unwrap();
    };
    claim(Some("*.example.com")).await;
    // A namespace is read by its name.
    let (plane, account) = (Plane::shared(), format!("{SYSTEM}:idp-operator"));
    let in_it = ["--namespace", scene.namespace.as_str()];
    plane.kubectl(&[&["create", "role", "claims", "--verb=get", "--resource=namespaces"], &in_it[..]].concat());
    let binding = ["create", "rolebinding", "claims", "--role=claims", "--serviceaccount", account.as_str()];
    plane.kubectl(&[&binding, &in_it[..]].concat());
    let start = || Start::new(&Plane::shared().operator_kubeconfig).arg("--tenant-claims=required");
    let start = || start().arg("--watch-namespace").arg(&scene.namespace);
    let operator = start().ready().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(rotation("4s", "2s")).await;
    tenant.rotate("a").await;
    let next = tenant.settled(|values| values.next.is_some()).await.1.next.unwrap();
    claim(None).await;
    operator.terminate();
    let _operator = start().ready().await;
    scene.verdict::<TenantJwtSecret>("acme", "False", "TenantNotClaimed").await;
    let (_, second) = tenant.settled(|values| values.current.is(&next)).await;
    let previous = second.previous.unwrap();
    assert!(now() >= next.time && previous.is(&first.current));
    tenant.settled(|values| values.previous.is_none()).await;
    assert!(now() >= previous.time);
}

#[tokio::test]
async fn a_suspended_object_s_phases_end_when_it_is_resumed() {
    let scene = Scene::new("held").await;
    let operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(rotation("1s", "1h")).await;
    tenant.rotate("a").await;
    let (_, second) = tenant.settled(|values| values.next.is_some()).await;
    let next = second.next.clone().unwrap();
    let suspend = |is: bool| json!({ "spec": { "suspend": is } });
    scene.merge::<TenantJwtSecret>("acme", suspend(true)).await;
    let object = scene.until::<TenantJwtSecret>("acme", |object| core(object).condition("Suspended").is_some()).await;
    assert_eq!(object.status.unwrap().next_rotation_time.unwrap().0, next.time);
    let output = version(&tenant.output().await);
    let object =
        version(&scene.merge::<TenantJwtSecret>("acme", json!({ "metadata": { "labels": { "a": "b" } } })).await);
    tenant.plant(&[]).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!((version(&tenant.output().await), version(&tenant.object().await)), (output, object));
    // Nor are edits of the output healed.
    tenant.plant(&[("previous-secret", Some("planted"))]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(text(&tenant.output().await, "previous-secret").as_deref(), Some("planted"));
    drop(operator);
    let _operator = scene.operator().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(text(&tenant.output().await, "next-key-id"), Some(next.key_id.clone()));

    scene.merge::<TenantJwtSecret>("acme", suspend(false)).await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    let (_, third) = tenant.settled(|values| values.next.is_none()).await;
    assert!(third.current.is(&next) && third.previous.unwrap().is(&first.current));
}

#[tokio::test]
async fn a_source_that_is_bad_keeps_no_previous_value_longer() {
    let scene = Scene::new("held").await;
    let operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    scene.secret("source", "secret", base64(GOOD).as_bytes()).await;
    let spec = |grace: &str| json!({ "secretRef": { "name": "source" }, "rotation": { "gracePeriod": grace } });
    let (_, first) = tenant.ready(spec("3s")).await;
    let other: String = GOOD.chars().rev().collect();
    scene.secret("source", "secret", base64(&other).as_bytes()).await;
    let (_, second) = tenant.settled(|values| values.previous.is_some()).await;
    assert!(second.previous.as_ref().unwrap().is(&first.current));
    scene.secret("source", "secret", b"bad").await;
    scene.verdict::<TenantJwtSecret>("acme", "False", "InvalidRequest").await;
    assert_eq!(values(&tenant.output().await), second);
    let (_, third) = tenant.settled(|values| values.previous.is_none()).await;
    assert!(now() >= second.previous.unwrap().time);
    assert_eq!(third.current, second.current);
    // What describes it may be damaged, but the status is still one that the API server takes.
    tenant.plant(&[("issued-at", Some("-000001-01-01T00:00:00Z")), ("previous-expires-at", Some(&after(60)))]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    scene.verdict::<TenantJwtSecret>("acme", "False", "InvalidRequest").await;
    assert!(operator.metric("idp_operator_reconciles_total", &["result=\"error\""]).await.abs() < f64::EPSILON);
}

//! What becomes of the output when its object goes.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::{other_owner, owners};
use crate::{
    program::{so, soon},
    support::{Plane, Scene, Tenant, plane::succeed, tenant::values},
};

fn policy(policy: &str) -> Value {
    json!({ "deletionPolicy": policy })
}

#[tokio::test]
async fn the_policy_is_in_force_once_the_status_shows_it() {
    let scene = Scene::new("policy").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (object, first) = tenant.ready(json!({})).await;
    let uid = object.uid().unwrap();
    for (fields, expected) in [
        (policy("Retain"), vec![]),
        (policy("Delete"), vec![uid.clone()]),
        (policy("Retain"), vec![]),
        (json!({}), vec![uid.clone()]),
    ] {
        tenant.apply(fields).await;
        let told = if expected.is_empty() { "Some(Retain)" } else { "Some(Delete)" };
        scene
            .until::<TenantJwtSecret>("acme", |object| {
                object.status.as_ref().is_some_and(|status| format!("{:?}", status.deletion_policy) == told)
            })
            .await;
        let output = tenant.output().await;
        assert_eq!(owners(&output), expected);
        assert!(output.owner_references().iter().all(|owner| {
            (owner.controller, owner.block_owner_deletion, owner.name.as_str()) == (None, None, "acme")
        }));
        assert_eq!(values(&output), first);
        tenant.is_quiet().await;
    }
}

#[tokio::test]
async fn a_retained_secret_is_taken_up_by_the_next_object_without_rotating() {
    let scene = Scene::new("policy").await;
    let operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(policy("Retain")).await;
    let before = tenant.output().await;
    scene.delete::<TenantJwtSecret>("acme").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(tenant.output().await.resource_version(), before.resource_version());
    // With another operator, to begin with.
    operator.terminate();
    let _operator = scene.operator().await;
    let (object, second) = tenant.ready(policy("Delete")).await;
    assert_eq!(second, first);
    assert_eq!(owners(&tenant.output().await), [object.uid().unwrap()]);
    assert_eq!(scene.events().await, Vec::<String>::new());
}

#[tokio::test]
async fn owners_of_our_kind_that_are_gone_go_and_others_stay() {
    let scene = Scene::new("policy").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (object, first) = tenant.ready(json!({})).await;
    let other = other_owner(&scene, false).await;
    let other_uid = other["uid"].as_str().unwrap().to_owned();
    let mut own = serde_json::to_value(tenant.output().await.owner_references()).unwrap()[0].clone();
    let uid = object.uid().unwrap();
    let mut stale = own.clone();
    stale["uid"] = "00000000-0000-0000-0000-000000000000".into();
    stale["name"] = "somebody".into();
    let set = async |owners: Value| {
        scene.merge::<Secret>("acme-jwt", json!({ "metadata": { "ownerReferences": owners } })).await;
    };
    let are = async |expected: &[&String]| {
        tenant.until(|secret| owners(secret).iter().collect::<Vec<_>>() == expected).await;
    };
    set(json!([stale, other])).await;
    are(&[&other_uid, &uid]).await;
    // A reference that was made stronger is as it was again.
    own["blockOwnerDeletion"] = true.into();
    own["controller"] = true.into();
    set(json!([other, own])).await;
    tenant
        .until(|secret| {
            secret
                .owner_references()
                .iter()
                .all(|owner| owner.controller.is_none() && owner.block_owner_deletion.is_none())
        })
        .await;
    are(&[&other_uid, &uid]).await;
    set(json!([other])).await;
    are(&[&other_uid, &uid]).await;
    tenant.ready(policy("Retain")).await;
    are(&[&other_uid]).await;
    assert_eq!(tenant.settled(|_| true).await.1, first);
    tenant.is_quiet().await;
}

#[tokio::test]
async fn a_forced_replacement_under_retain_keeps_the_value() {
    let scene = Scene::new("force").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(json!({ "deletionPolicy": "Retain" })).await;
    let dir = tempfile::tempdir().unwrap();
    let file = manifest(&scene, &tenant, json!({ "deletionPolicy": "Retain" }), dir.path());
    for round in 0..3 {
        let old = tenant.object().await.uid();
        let mut kubectl = Plane::shared().control_plane.kubectl();
        succeed(kubectl.args(["replace", "--force", "--filename"]).arg(&file));
        let (object, values) = tenant.settled(|_| true).await;
        assert_ne!(object.uid(), old);
        assert_eq!(values, first, "round {round}");
        assert_eq!(owners(&tenant.output().await), Vec::<String>::new());
    }
}

fn manifest(scene: &Scene, tenant: &Tenant<'_>, spec: Value, dir: &Path) -> PathBuf {
    let manifest = json!({
        "apiVersion": "idp-operator.dev/v1alpha1", "kind": "TenantJwtSecret",
        "metadata": { "name": "acme", "namespace": scene.namespace }, "spec": tenant.spec(spec),
    });
    let file = dir.join("acme.json");
    std::fs::write(&file, manifest.to_string()).unwrap();
    file
}

/// The garbage collector and the operator race for what is left over: whoever wins, it ends well.
#[tokio::test]
async fn a_forced_replacement_ends_with_one_owned_secret_that_the_status_tells() {
    let scene = Scene::new("force").await;
    let _operator = scene.operator().await;
    // The garbage collector learns of new CRDs every 30 s.
    let known = Tenant::named(&scene, "known");
    known.ready(json!({})).await;
    scene.delete::<TenantJwtSecret>("known").await;
    let deadline = std::time::Instant::now() + Duration::from_secs(90);
    while scene.api::<Secret>().get_opt("known-jwt").await.unwrap().is_some() {
        assert!(std::time::Instant::now() < deadline, "the garbage collector does nothing");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let tenant = Tenant::new(&scene);
    tenant.ready(json!({})).await;
    let dir = tempfile::tempdir().unwrap();
    let file = manifest(&scene, &tenant, json!({}), dir.path());
    for round in 0..6 {
        let old = tenant.object().await.uid();
        let mut kubectl = Plane::shared().control_plane.kubectl();
        succeed(kubectl.args(["replace", "--force", "--filename"]).arg(&file));
        let object = tenant.object().await;
        assert_ne!(object.uid(), old);
        let uid = object.uid().unwrap();
        let is_settled = async || {
            let output = scene.api::<Secret>().get_opt("acme-jwt").await.unwrap()?;
            so(owners(&output) == std::slice::from_ref(&uid) && output.metadata.deletion_timestamp.is_none())
        };
        soon("a Secret of the new object's", is_settled).await;
        let (_, before) = tenant.settled(|_| true).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
        let (_, after) = tenant.settled(|_| true).await;
        assert_eq!(owners(&tenant.output().await), std::slice::from_ref(&uid), "round {round}");
        assert_eq!(before, after, "round {round}");
    }
}

//! A whole cluster's life with the operator, on a control plane of its own: before the CRDs are there, through objects
//! that can't be read and CRDs that go and come, to the end of the release.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use idp_operator::api::{StrategyInstance, TenantJwtSecret};
use k8s_openapi::{
    api::core::v1::Secret, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{so, soon};
use crate::{
    chart::Release,
    support::{
        Operator, Plane, Scene,
        plane::{SYSTEM, chart, succeed},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_its_crds_and_goes_on_whatever_happens_to_them() {
    let plane = Plane::start_without_crds();
    // Just as the chart's Deployment would run it.
    let release = Release::render(&plane, "idp-operator", SYSTEM, &[]);
    let waiting = release.start(&plane, "idp-operator").await.spawn().await;
    let operator = release.start(&plane, "idp-operator").await.spawn().await;
    without_crds_it_waits_and_says_so(&operator).await;
    sigterm_ends_it_at_once(waiting);

    plane.install_crds();
    let installed = Instant::now();
    soon("ready", async || so(operator.get("/readyz").await == (200, "ok\n".to_owned()))).await;
    assert!(installed.elapsed() < Duration::from_secs(15), "ready after {:?}", installed.elapsed());
    let (one, two) = (Scene::on(&plane, "one").await, Scene::on(&plane, "two").await);
    for scene in [&one, &two] {
        scene.apply::<StrategyInstance>("s", json!({ "type": "userpass" })).await;
        let tenant = json!({ "tenantId": scene.namespace, "signingAlgorithm": "HS256" });
        scene.apply::<TenantJwtSecret>("t", tenant).await;
    }
    for scene in [&one, &two] {
        scene.verdict::<StrategyInstance>("s", "True", "Ready").await;
        scene.verdict::<TenantJwtSecret>("t", "True", "Ready").await;
    }

    an_unreadable_object_is_told_and_delays_no_other(&one, &operator).await;
    a_crd_that_goes_and_comes_is_followed(&plane, &one, &operator).await;
    upgrading_to_the_same_chart_changes_nothing(&plane);
    sigterm_ends_it_at_once(operator);
    uninstalling_keeps_the_crds_and_every_object(&plane, &two).await;
}

async fn without_crds_it_waits_and_says_so(operator: &Operator) {
    assert_eq!(operator.get("/livez").await, (200, "ok\n".to_owned()));
    let expected: String = ["identityproviders", "strategyinstances", "tenantjwtsecrets", "useridpauthenticators"]
        .map(|plural| format!("{plural}: the CustomResourceDefinition is not installed\n"))
        .concat();
    let expected = (503, format!("waiting for\n{expected}"));
    soon("every watch was tried", async || so(!operator.get("/readyz").await.1.contains("not listed yet"))).await;
    assert_eq!(operator.get("/readyz").await, expected);
    assert_eq!(operator.log().matches("watch failed, trying on").count(), 4, "{}", operator.log());
    assert!(operator.metric("idp_operator_leader", &[]).await < 0.5);
}

fn sigterm_ends_it_at_once(operator: Operator) {
    let started = Instant::now();
    let (status, log) = operator.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(log.contains("stopping") && log.lines().last().unwrap().contains("stopped"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

async fn an_unreadable_object_is_told_and_delays_no_other(scene: &Scene, operator: &Operator) {
    let crds = Api::<CustomResourceDefinition>::all(scene.client.clone());
    let field = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/isLoginActive";
    let loosen = json!([{ "op": "replace", "path": field, "value": { "x-kubernetes-preserve-unknown-fields": true } }]);
    let patch = Patch::Json::<()>(serde_json::from_value(loosen).unwrap());
    crds.patch("strategyinstances.idp-operator.dev", &PatchParams::default(), &patch).await.unwrap();
    let resource = ApiResource::erase::<StrategyInstance>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(scene.client.clone(), &scene.namespace, &resource);
    let unreadable = DynamicObject::new("unreadable", &resource)
        .data(json!({ "spec": { "type": "userpass", "isLoginActive": "perhaps" } }));
    // The API server takes a moment to know of the change.
    soon("the object is taken", async || api.create(&PostParams::default(), &unreadable).await.ok()).await;
    soon("it is counted", async || so(unreadable_objects(operator).await > 0.5)).await;

    let started = Instant::now();
    scene.apply::<StrategyInstance>("other", json!({ "type": "userpass" })).await;
    scene.verdict::<StrategyInstance>("other", "True", "Ready").await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!((unreadable_objects(operator).await - 1.0).abs() < f64::EPSILON);
    let told: Vec<Value> = lines(operator).filter(|line| line.to_string().contains("can't be read")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["level"], &told[0]["name"]), (&json!("ERROR"), &json!("unreadable")));

    let fixed = Patch::Merge(json!({ "spec": { "isLoginActive": true } }));
    api.patch("unreadable", &PatchParams::default(), &fixed).await.unwrap();
    scene.verdict::<StrategyInstance>("unreadable", "True", "Ready").await;
}

fn lines(operator: &Operator) -> impl Iterator<Item = Value> {
    operator.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>().into_iter()
}

async fn unreadable_objects(operator: &Operator) -> f64 {
    operator.metric("idp_operator_unreadable_objects", &["StrategyInstance"]).await
}

async fn a_crd_that_goes_and_comes_is_followed(plane: &Plane, scene: &Scene, operator: &Operator) {
    let deleted = plane.kubectl(&["delete", "crd", "strategyinstances.idp-operator.dev", "--timeout=30s"]);
    assert!(deleted.status.success());
    soon("no strategy is known any more", async || {
        so(operator.metric("idp_operator_objects", &["StrategyInstance"]).await < 0.5)
    })
    .await;
    plane.install_crds();
    scene.apply::<StrategyInstance>("s", json!({ "type": "userpass", "isSyncActive": true })).await;
    scene.verdict::<StrategyInstance>("s", "False", "CapabilityNotSupported").await;
    scene.apply::<TenantJwtSecret>("later", json!({ "tenantId": "later", "signingAlgorithm": "HS512" })).await;
    scene.verdict::<TenantJwtSecret>("later", "True", "Ready").await;
}

/// resourceVersion of all that the release has and keeps.
fn versions(plane: &Plane) -> BTreeMap<String, String> {
    let kinds = "deployment,service,serviceaccount,clusterrole,clusterrolebinding,crd";
    let selector = "app.kubernetes.io/instance=idp-operator";
    let output = plane.kubectl(&["get", kinds, "--all-namespaces", "--selector", selector, "--output", "json"]);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let object = |item: &Value| {
        let metadata = &item["metadata"];
        let name = format!("{}/{}", item["kind"].as_str().unwrap(), metadata["name"].as_str().unwrap());
        let is_going = !metadata["deletionTimestamp"].is_null();
        (!is_going).then(|| (name, metadata["resourceVersion"].as_str().unwrap().to_owned()))
    };
    list["items"].as_array().unwrap().iter().filter_map(object).collect()
}

fn upgrading_to_the_same_chart_changes_nothing(plane: &Plane) {
    let before = versions(plane);
    assert_eq!(before.len(), 12, "{before:?}");
    plane.install_crds();
    assert_eq!(versions(plane), before);
}

async fn uninstalling_keeps_the_crds_and_every_object(plane: &Plane, scene: &Scene) {
    let tenant = scene.api::<TenantJwtSecret>().get("t").await.unwrap();
    let mut helm = plane.control_plane.helm();
    succeed(helm.args(["uninstall", "idp-operator", "--namespace", SYSTEM]));
    let left: Vec<_> = versions(plane).into_keys().collect();
    assert!(left.len() == 4 && left.iter().all(|name| name.starts_with("CustomResourceDefinition/")), "{left:?}");
    assert_eq!(scene.api::<TenantJwtSecret>().get("t").await.unwrap().resource_version(), tenant.resource_version());
    assert!(scene.api::<Secret>().get_opt("t-jwt").await.unwrap().is_some());
    // A release of the same name takes them up again, with no flags for that.
    let mut helm = plane.control_plane.helm();
    succeed(helm.args(["install", "idp-operator"]).arg(chart()).args(["--namespace", SYSTEM]));
    assert_eq!(versions(plane).len(), 12);
}

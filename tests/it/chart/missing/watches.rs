//! Rights that the whole program needs: to watch, and to hold its lease.

use idp_operator::api::StrategyInstance;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use serde_json::json;

use super::{super::Release, GROUP, Stage, right};
use crate::{
    program::{so, soon},
    support::{Plane, Scene},
};

/// The rights of the watches.
const WATCHED: [(&str, &str); 6] = [
    ("", "configmaps"),
    (GROUP, "identityproviders"),
    ("", "secrets"),
    (GROUP, "strategyinstances"),
    (GROUP, "tenantjwtsecrets"),
    (GROUP, "useridpauthenticators"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_not_allowed_is_waited_for_by_name() {
    let stage = Stage::new(&WATCHED.map(|(group, resource)| right(group, resource, "list"))).await;
    let operator = stage.start().await;
    let why = "the API server answered 403 Forbidden: the operator's role must allow list and watch; \
        or take a namespace that is gone from those to watch";
    let lines = stage
        .limited
        .iter()
        .map(|(right, scene)| format!("{}: in namespace {}: {why}\n", right.resource, scene.namespace));
    let expected = format!("waiting for\n{}", lines.collect::<String>());
    soon("readyz names each", async || so(operator.get("/readyz").await == (503, expected.clone()))).await;
    for (_, resource) in WATCHED {
        let refused = ["verb=\"list\"", &format!("kind=\"{resource}\""), "code=\"403\""];
        assert!(operator.metric("idp_operator_api_requests_total", &refused).await >= 1.0, "{resource}");
    }
    assert_eq!(operator.log().matches("watch failed, trying on").count(), 6, "{}", operator.log());
    stage.heal();
    operator.wait_ready().await;
    operator.drained().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_not_allowed_is_told_once() {
    let stage = Stage::new(&WATCHED.map(|(group, resource)| right(group, resource, "watch"))).await;
    let operator = stage.start().await;
    soon("the log has each", async || so(operator.log().matches("watch failed, trying on").count() == 6)).await;
    for (right, scene) in &stage.limited {
        let why = format!(
            "in namespace {}: the API server answered 403 Forbidden: the operator's role must allow list and watch; \
        or take a namespace that is gone from those to watch",
            scene.namespace
        );
        soon("the log names it", async || so(operator.log().contains(&why))).await;
        let refused = ["verb=\"watch\"", &format!("kind=\"{}\"", right.resource), "code=\"403\""];
        soon(
            "a second attempt",
            async || so(operator.metric("idp_operator_api_requests_total", &refused).await >= 2.0),
        )
        .await;
    }
    assert_eq!(operator.log().matches("watch failed, trying on").count(), 6, "{}", operator.log());
    // Others are looked after.
    stage.whole.apply::<StrategyInstance>("local", json!({ "type": "userpass" })).await;
    stage.whole.verdict::<StrategyInstance>("local", "True", "Ready").await;
    // What is missed meanwhile is made up for.
    let (_, blind) = stage.limited.iter().find(|(right, _)| right.resource == "strategyinstances").unwrap();
    blind.apply::<StrategyInstance>("late", json!({ "type": "userpass" })).await;
    stage.heal();
    blind.verdict::<StrategyInstance>("late", "True", "Ready").await;
    operator.drained().await;
}

/// Without this right on Leases a pod stands by, says so, and leads once it is granted.
async fn stands_by(verb: &'static str) {
    let (plane, scene) = (Plane::shared(), Scene::new("lease").await);
    let watched = format!("watchNamespaces={{{}}}", scene.namespace);
    let values = ["crds.install=false", "rbac.aggregate=false", "leaderElection.enabled=true", &watched];
    let release = Release::render(plane, "missing", &scene.namespace, &values);
    let less = release.changed(|object| {
        if object["kind"] == "Role" && object["metadata"]["name"] == "missing-idp-operator-leader-election" {
            right("coordination.k8s.io", "leases", verb).remove(object);
        }
    });
    less.apply(plane);
    if verb == "patch" {
        // One that an earlier pod left.
        let lease: Lease = serde_json::from_value(json!({ "metadata": { "name": "idp-operator" } })).unwrap();
        scene.api().create(&PostParams::default(), &lease).await.unwrap();
    }
    let operator = release.start(plane, "missing-idp-operator").await.ready().await;
    let refused = [&format!("verb=\"{verb}\""), "kind=\"leases\"", "code=\"403\""];
    soon("two attempts", async || so(operator.metric("idp_operator_api_requests_total", &refused).await >= 2.0)).await;
    let why = "the lease can't be held: the API server answered 403 Forbidden: the operator's role must allow get, create \
               and patch on leases";
    assert_eq!(operator.log().matches(why).count(), 1, "{}", operator.log());
    assert!(operator.metric("idp_operator_leader", &[]).await < 0.5);
    release.apply(plane);
    soon("it leads", async || so(operator.metric("idp_operator_leader", &[]).await > 0.5)).await;
    operator.drained().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_right_to_its_lease_a_pod_stands_by() {
    tokio::join!(stands_by("get"), stands_by("create"), stands_by("patch"));
}

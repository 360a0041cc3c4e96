//! The lease, under the chart's rights.

use std::time::{Duration, Instant};

use idp_operator::api::StrategyInstance;
use k8s_openapi::api::{coordination::v1::Lease, rbac::v1::RoleBinding};
use serde_json::json;

use super::{Candidates, LAPSE, LEASE, PROMPT, gives_up, leads, lease};
use crate::{
    program::{so, soon},
    support::Scene,
};

pub async fn one_of_several_leads_and_another_takes_over() {
    let scene = Scene::new("election").await;
    let candidates = Candidates::of(&scene).await;

    let first = candidates.start_leader("first", &candidates.account).await;
    let second = candidates.start("second").await;
    scene.apply::<StrategyInstance>("one", json!({ "type": "userpass" })).await;
    scene.verdict::<StrategyInstance>("one", "True", "Ready").await;
    assert!(leads(&first).await && !leads(&second).await);
    assert!(second.writes().await < 1.0, "a standby writes");

    // Released at the end: no need to wait until it lapses.
    let (status, log) = first.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    candidates.takes_over(Instant::now(), "released", &second, "second", PROMPT).await;

    // Killed: it lapses.
    let third = candidates.start("third").await;
    let mut second = second;
    second.signal("KILL");
    candidates.takes_over(Instant::now(), "killed", &third, "third", LAPSE).await;
    assert_eq!(lease(&scene).await.1, 2);
    scene.apply::<StrategyInstance>("two", json!({ "type": "userpass" })).await;
    scene.verdict::<StrategyInstance>("two", "True", "Ready").await;

    // Somebody else's: whoever lost it ends, as it can't know what it would break.
    let thief = json!({ "spec": { "holderIdentity": "thief", "leaseDurationSeconds": 3600 } });
    scene.merge::<Lease>(LEASE, thief).await;
    gives_up(third, PROMPT).await;
    assert_eq!(lease(&scene).await.0, "thief");
}

pub async fn who_cannot_renew_ends_before_others_take_over() {
    let scene = Scene::new("cut-off").await;
    let candidates = Candidates::of(&scene).await;
    let operator = candidates.start_leader("only", &candidates.account).await;
    scene.delete::<RoleBinding>("several-idp-operator-leader-election").await;
    let cut_off = Instant::now();
    gives_up(operator, LAPSE).await;
    let elapsed = cut_off.elapsed();
    assert!((Duration::from_secs(5)..Duration::from_secs(15)).contains(&elapsed), "{elapsed:?}");
}

#[tokio::test]
async fn sigterm_ends_a_standby_that_waits_without_a_lease_to_be_had() {
    let scene = Scene::new("standby").await;
    // The chart's ServiceAccount has no right to a lease here: that is told, and waited for.
    let operator = scene.start().arg("--leader-elect").arg("--leader-election-namespace").arg(&scene.namespace);
    let operator = operator.ready().await;
    soon("the log tells why", async || so(operator.log().contains("the lease can't be held"))).await;
    scene.apply::<StrategyInstance>("x", json!({ "type": "userpass" })).await;
    assert!(!leads(&operator).await);
    let started = Instant::now();
    let (status, log) = operator.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

//! Leader election, under the chart's rights.

use std::time::{Duration, Instant};

use idp_operator::api::StrategyInstance;
use k8s_openapi::api::{coordination::v1::Lease, rbac::v1::RoleBinding};
use serde_json::json;

use super::{so, soon};
use crate::{
    chart::Release,
    support::{Operator, Plane, Scene},
};

const LEASE: &str = "idp-operator";

/// How long a lease that is not renewed keeps others out, and a little more.
const LAPSE: Duration = Duration::from_secs(15 + 5);

/// How soon a released lease is taken, or a stolen one noticed.
const PROMPT: Duration = Duration::from_secs(6);

async fn leads(operator: &Operator) -> bool {
    operator.metric("idp_operator_leader", &[]).await > 0.5
}

async fn holder(scene: &Scene) -> String {
    let lease = scene.api::<Lease>().get(LEASE).await.unwrap();
    lease.spec.unwrap_or_default().holder_identity.unwrap_or_default()
}

struct Candidates<'a> {
    scene: &'a Scene,
    release: Release,
}

impl<'a> Candidates<'a> {
    /// With the rights that the chart gives them.
    fn of(scene: &'a Scene) -> Self {
        let watched = format!("watchNamespaces={{{}}}", scene.namespace);
        let values =
            ["crds.install=false", "rbac.aggregate=false", "leaderElection.enabled=true", "replicaCount=2", &watched];
        let release = Release::render(Plane::shared(), "pair", &scene.namespace, &values);
        release.apply(Plane::shared());
        Self { scene, release }
    }

    async fn start(&self, pod: &str) -> Operator {
        let start = self.release.start(Plane::shared(), "pair-idp-operator").await;
        start.env("POD_NAME", pod).ready().await
    }

    /// Waits until this one leads; it does so by then.
    async fn takes_over(&self, operator: &Operator, pod: &str, limit: Duration) {
        let started = Instant::now();
        soon("a leader", async || so(leads(operator).await)).await;
        assert!(started.elapsed() < limit, "{pod} took {:?}", started.elapsed());
        assert!(holder(self.scene).await.starts_with(&format!("{pod}_")), "{}", holder(self.scene).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_leads_and_another_takes_over() {
    let scene = Scene::new("election").await;
    let candidates = Candidates::of(&scene);

    let first = candidates.start("first").await;
    candidates.takes_over(&first, "first", PROMPT).await;
    let second = candidates.start("second").await;
    scene.apply::<StrategyInstance>("one", json!({ "type": "userpass" })).await;
    scene.verdict::<StrategyInstance>("one", "True", "Ready").await;
    assert!(leads(&first).await && !leads(&second).await);
    assert!(second.writes().await < 1.0, "a standby writes");

    // Released at the end: no need to wait until it lapses.
    let (status, log) = first.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    candidates.takes_over(&second, "second", PROMPT).await;

    // Killed: it lapses.
    let mut third = candidates.start("third").await;
    let mut second = second;
    second.signal("KILL");
    candidates.takes_over(&third, "third", LAPSE).await;
    scene.apply::<StrategyInstance>("two", json!({ "type": "userpass" })).await;
    scene.verdict::<StrategyInstance>("two", "True", "Ready").await;

    // Somebody else's: whoever lost it ends, as it can't know what it would break.
    let thief = json!({ "spec": { "holderIdentity": "thief", "leaseDurationSeconds": 3600 } });
    scene.merge::<Lease>(LEASE, thief).await;
    let status = tokio::task::block_in_place(|| third.wait(PROMPT)).expect("it should have ended");
    assert_eq!(status.code(), Some(1), "{}", third.log());
    assert!(third.log().contains("lost the lease"), "{}", third.log());
    assert_eq!(holder(&scene).await, "thief");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_cannot_renew_ends_before_others_take_over() {
    let scene = Scene::new("cut-off").await;
    let candidates = Candidates::of(&scene);
    let mut operator = candidates.start("only").await;
    candidates.takes_over(&operator, "only", PROMPT).await;
    scene.delete::<RoleBinding>("pair-idp-operator-leader-election").await;
    let cut_off = Instant::now();
    let status = tokio::task::block_in_place(|| operator.wait(LAPSE)).expect("it should have ended");
    assert_eq!(status.code(), Some(1), "{}", operator.log());
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

//! Several replicas: one at a time works, and another takes over whatever becomes of it.
//!
//! Nearly all of the time is spent in waiting for leases to lapse, so scenarios are gone through at the same time. How
//! long each take-over took is printed (`--nocapture`).

mod cut;
mod drain;
mod leader;
mod paused;
mod replicas;
mod restart;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use k8s_openapi::api::{coordination::v1::Lease, events::v1::Event};
use kube::api::ListParams;

use crate::{
    chart::Release,
    program::{so, soon},
    support::{Network, Operator, Plane, Scene, operator::Start, tenant::Values},
};

const LEASE: &str = "idp-operator";

/// How long a lease that is not renewed keeps others out, and what a busy machine may need besides.
const LAPSE: Duration = Duration::from_secs(15 + 10);

/// How soon a released lease is taken, or a stolen one noticed.
const PROMPT: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_works_and_another_takes_over_whatever_becomes_of_it() {
    let networks = [Network::Silent, Network::Mute, Network::Closes, Network::Refuses];
    let cuts =
        networks.map(|network| -> BoxFuture<'static, ()> { Box::pin(cut::ends_before_another_takes_over(network)) });
    let scenarios: [BoxFuture<'static, ()>; 7] = [
        Box::pin(leader::one_of_several_leads_and_another_takes_over()),
        Box::pin(leader::who_cannot_renew_ends_before_others_take_over()),
        Box::pin(replicas::whichever_is_left_takes_over_and_does_what_was_asked_for_meanwhile()),
        Box::pin(replicas::a_rolling_replacement_hands_over_at_once_and_no_rotation_is_lost_or_doubled()),
        Box::pin(replicas::a_lease_that_is_deleted_stays_with_who_leads()),
        Box::pin(paused::what_had_begun_before_a_pause_has_no_effect_once_another_leads()),
        Box::pin(drain::the_lease_is_renewed_until_what_is_under_way_is_done_and_then_released()),
    ];
    // Tasks of their own, so that a panic ends this one only.
    let scenarios: Vec<_> = scenarios.into_iter().chain(cuts).map(tokio::spawn).collect();
    let mut failed = 0;
    for scenario in scenarios {
        failed += usize::from(scenario.await.is_err());
    }
    assert_eq!(failed, 0, "scenarios failed, as told above");
}

async fn leads(operator: &Operator) -> bool {
    operator.metric("idp_operator_leader", &[]).await > 0.5
}

/// Who holds the lease, and how often it changed hands.
async fn lease(scene: &Scene) -> (String, i32) {
    let lease = scene.api::<Lease>().get(LEASE).await.unwrap().spec.unwrap_or_default();
    (lease.holder_identity.unwrap_or_default(), lease.lease_transitions.unwrap_or_default())
}

async fn is_held_by(scene: &Scene, pod: &str) -> bool {
    lease(scene).await.0.starts_with(&format!("{pod}_"))
}

struct Candidates<'a> {
    scene: &'a Scene,
    args: Vec<String>,
    account: PathBuf,
}

impl<'a> Candidates<'a> {
    async fn of(scene: &'a Scene) -> Self {
        Self::on(Plane::shared(), scene).await
    }

    /// With the arguments, the `ServiceAccount` and the rights that the chart gives them.
    async fn on(plane: &Plane, scene: &'a Scene) -> Self {
        let watched = format!("watchNamespaces={{{}}}", scene.namespace);
        let values =
            ["crds.install=false", "rbac.aggregate=false", "leaderElection.enabled=true", "replicaCount=3", &watched];
        let release = tokio::task::block_in_place(|| {
            let release = Release::render(plane, "several", &scene.namespace, &values);
            release.apply(plane);
            release
        });
        let account = plane.control_plane.service_account_kubeconfig(&scene.namespace, "several-idp-operator");
        let mut args = release.args();
        // The command, and the admin address that only one process of a machine can have.
        args.drain(..2);
        Self { scene, args, account: account.await.unwrap() }
    }

    /// As the chart starts it, but with another way to the API server.
    fn start_by(&self, pod: &str, kubeconfig: impl Into<PathBuf>) -> Start {
        self.args.iter().fold(Start::new(kubeconfig), Start::arg).env("POD_NAME", pod)
    }

    async fn start(&self, pod: &str) -> Operator {
        self.start_by(pod, &self.account).ready().await
    }

    /// The first one, that leads as nobody else does.
    async fn start_leader(&self, pod: &str, kubeconfig: impl Into<PathBuf>) -> Operator {
        let operator = self.start_by(pod, kubeconfig).ready().await;
        soon("a leader", async || so(leads(&operator).await)).await;
        assert!(is_held_by(self.scene, pod).await, "{:?}", lease(self.scene).await);
        operator
    }

    /// Waits until this one leads; it does so when so much has passed since then at the latest.
    async fn takes_over(&self, since: Instant, what: &str, operator: &Operator, pod: &str, limit: Duration) {
        soon("a leader", async || so(leads(operator).await)).await;
        let elapsed = since.elapsed();
        println!("{what}: {pod} took over after {elapsed:.1?}");
        assert!(elapsed < limit, "{pod} took {elapsed:?}");
        assert!(is_held_by(self.scene, pod).await, "{:?}", lease(self.scene).await);
    }
}

/// A leader that lost its lease has ended by itself, and says so.
async fn gives_up(mut operator: Operator, limit: Duration) {
    let status = operator.ended(limit).await;
    assert_eq!(status.code(), Some(1), "{}", operator.log());
    let log = operator.log();
    let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert!(last["error"].as_str().is_some_and(|error| error.starts_with("lost the lease: ")), "{log}");
}

/// Of one rotation: the value of before is the previous one.
fn is_next_after(before: &Values) -> impl Fn(&Values) -> bool {
    |after| after.previous.as_ref().is_some_and(|previous| previous.is(&before.current))
}

/// How often each object had an Event of this reason, by name.
async fn events(scene: &Scene, reason: &str) -> Vec<(String, i32)> {
    let list = scene.api::<Event>().list(&ListParams::default()).await.unwrap();
    let events = list.items.into_iter().filter(|event| event.reason.as_deref() == Some(reason));
    let mut counts = std::collections::BTreeMap::new();
    for event in events {
        let name = event.regarding.and_then(|object| object.name).unwrap_or_default();
        *counts.entry(name).or_default() += event.series.map_or(1, |series| series.count);
    }
    counts.into_iter().collect()
}

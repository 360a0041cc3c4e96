//! The API server is killed and started again, on a control plane of its own.

use std::time::{Duration, Instant};

use kube::ResourceExt as _;
use serde_json::json;

use super::{Candidates, events, gives_up, is_next_after, leads, lease};
use crate::{
    program::{so, soon},
    support::{Operator, Plane, Scene, Tenant, tenant::Values},
};

/// Longer than a lease lasts.
const LONG: Duration = Duration::from_secs(20);

/// A value was replaced once and no more, and the verdict is told.
async fn rotates_once(tenant: &Tenant<'_>, before: &Values, token: &str) -> Values {
    tenant.rotate(token).await;
    tenant.settled(is_next_after(before)).await.1
}

/// Nothing is written, and all watches deliver.
async fn is_steady(scene: &Scene, operator: &Operator, tenant: &Tenant<'_>) {
    tenant.is_quiet().await;
    let versions = async || (tenant.object().await.resource_version(), tenant.output().await.resource_version());
    // A lease is renewed by a patch; nothing else is.
    let others = async || {
        let renewals = operator.metric("idp_operator_api_requests_total", &["verb=\"patch\"", "kind=\"leases\""]);
        operator.writes().await - renewals.await
    };
    let before = (versions().await, others().await.to_string());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((versions().await, others().await.to_string()), before, "written in a steady state");
    // An output that is lost is noticed by its watch.
    let lost = tenant.output().await;
    scene.merge::<k8s_openapi::api::core::v1::Secret>(&lost.name_any(), json!({ "data": { "algorithm": null } })).await;
    tenant.settled(|_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_the_api_server_one_replica_leads_and_nothing_is_lost_or_done_twice() {
    let mut plane = tokio::task::block_in_place(Plane::start);
    let scene = Scene::on(&plane, "restart").await;
    let candidates = Candidates::on(&plane, &scene).await;
    let first = candidates.start_leader("first", &candidates.account).await;
    let second = candidates.start("second").await;
    let tenant = Tenant::new(&scene);
    let (_, mut values) = tenant.ready(json!({})).await;

    // For a moment, in the midst of a rotation.
    tenant.rotate("short").await;
    let down = Instant::now();
    tokio::task::block_in_place(|| {
        plane.control_plane.kill_api_server().unwrap();
        plane.control_plane.start_api_server().unwrap();
    });
    println!("API server: back after {:.1?}", down.elapsed());
    values = tenant.settled(is_next_after(&values)).await.1;
    println!("API server restarted: rotated {:.1?} after its end", down.elapsed());
    // It may have given up, depending on how long that took.
    let (leader, standby, pod) = if leads(&first).await { (first, second, "first") } else { (second, first, "second") };
    assert!(leads(&leader).await);
    is_steady(&scene, &leader, &tenant).await;
    let transitions = lease(&scene).await.1;

    // For longer than a lease lasts: the leader ends and comes back, and waits; the other one stands by all the time.
    let down = Instant::now();
    tokio::task::block_in_place(|| plane.control_plane.kill_api_server().unwrap());
    gives_up(leader, LONG).await;
    println!("API server down: the leader ended by itself after {:.1?}", down.elapsed());
    let mut back = candidates.start_by(pod, &candidates.account).spawn().await;
    tokio::time::sleep(LONG.saturating_sub(down.elapsed())).await;
    assert_eq!(back.get("/livez").await.0, 200);
    assert_eq!(back.get("/readyz").await.0, 503);
    assert_eq!(standby.get("/readyz").await.0, 200);
    tokio::task::block_in_place(|| plane.control_plane.start_api_server().unwrap());
    let up = Instant::now();
    soon("a leader", async || so(leads(&standby).await || leads(&back).await)).await;
    println!("API server down for {:.1?}: a leader {:.1?} after its start", up - down, up.elapsed());
    values = rotates_once(&tenant, &values, "long").await;
    back.wait_ready().await;
    assert!(leads(&standby).await != leads(&back).await, "two lead");
    let leader = if leads(&standby).await { &standby } else { &back };
    is_steady(&scene, leader, &tenant).await;
    rotates_once(&tenant, &values, "after").await;
    assert_eq!(lease(&scene).await.1, transitions + 1);
    assert_eq!(back.wait(Duration::ZERO), None, "it ended again: {}", back.log());
    let rotated: i32 = events(&scene, "SecretRotated").await.into_iter().map(|(_, count)| count).sum();
    assert_eq!(rotated, 3);
}

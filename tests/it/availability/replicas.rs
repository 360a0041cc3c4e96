//! Replicas that come and go.

use std::time::Instant;

use k8s_openapi::api::coordination::v1::Lease;
use serde_json::json;

use super::{Candidates, LAPSE, LEASE, PROMPT, events, gives_up, is_held_by, is_next_after, leads, lease};
use crate::{
    program::soon,
    support::{History, Operator, Scene, Tenant, history::values},
};

pub async fn whichever_is_left_takes_over_and_does_what_was_asked_for_meanwhile() {
    let scene = Scene::new("three").await;
    let candidates = Candidates::of(&scene).await;
    let mut first = candidates.start_leader("first", &candidates.account).await;
    let mut second = candidates.start("second").await;
    let third = candidates.start("third").await;
    let tenant = Tenant::new(&scene);
    let (_, before) = tenant.ready(json!({})).await;

    first.signal("KILL");
    second.signal("KILL");
    let killed = Instant::now();
    tenant.rotate("meanwhile").await;
    candidates.takes_over(killed, "two of three killed", &third, "third", LAPSE).await;
    tenant.settled(is_next_after(&before)).await;
    tenant.is_quiet().await;
    assert_eq!(events(&scene, "SecretRotated").await, [("acme".to_owned(), 1)]);
    assert_eq!(lease(&scene).await.1, 1);

    // They come back, and stand by.
    let back = [candidates.start("first").await, candidates.start("second").await];
    for standby in &back {
        assert!(!leads(standby).await && standby.writes().await < 1.0, "a standby writes");
    }
    assert!(leads(&third).await);
}

pub async fn a_rolling_replacement_hands_over_at_once_and_no_rotation_is_lost_or_doubled() {
    let scene = Scene::new("rolling").await;
    let candidates = Candidates::of(&scene).await;
    let history = History::of(&scene).await;
    let mut running = Vec::new();
    for pod in ["a", "b", "c"] {
        running.push(candidates.start(pod).await);
    }
    let tenant = Tenant::new(&scene);
    let (_, mut held) = tenant.ready(json!({})).await;

    for (pod, token) in [("d", "1"), ("e", "2"), ("f", "3")] {
        // As the Deployment does it: one more is ready before one goes.
        running.push(candidates.start(pod).await);
        let old: Operator = running.remove(0);
        let led = leads(&old).await;
        let told = Instant::now();
        // In the midst of the hand-over.
        let ((), ()) = tokio::join!(tenant.rotate(token), old.drained());
        held = tenant.settled(is_next_after(&held)).await.1;
        println!("SIGTERM to {}: rotated after {:.1?}", if led { "the leader" } else { "a standby" }, told.elapsed());
        assert!(told.elapsed() < PROMPT, "{:?}", told.elapsed());
    }
    let secret = tenant.output().await;
    history.until("all was seen", |seen| seen.saw(secret.metadata.resource_version.as_deref().unwrap())).await;
    let made = history.look(|seen| values(seen.versions("acme-jwt"), "").len());
    assert_eq!(made, 4);
    assert_eq!(events(&scene, "SecretRotated").await, [("acme".to_owned(), 3)]);
    let mut leading = 0;
    for operator in &running {
        leading += usize::from(leads(operator).await);
    }
    assert_eq!(leading, 1);
}

pub async fn a_lease_that_is_deleted_stays_with_who_leads() {
    let scene = Scene::new("deleted").await;
    let candidates = Candidates::of(&scene).await;
    let first = candidates.start_leader("first", &candidates.account).await;
    let second = candidates.start("second").await;
    let tenant = Tenant::new(&scene);
    let (_, before) = tenant.ready(json!({})).await;
    for _ in 0..2 {
        scene.delete::<Lease>(LEASE).await;
        soon("a lease", async || scene.api::<Lease>().get_opt(LEASE).await.unwrap()).await;
        assert!(is_held_by(&scene, "first").await, "{:?}", lease(&scene).await);
    }
    assert!(leads(&first).await && !leads(&second).await);
    tenant.rotate("after").await;
    tenant.settled(is_next_after(&before)).await;
    // Emptied by hand: who led ends, as it can't know what others did meanwhile.
    scene.merge::<Lease>(LEASE, json!({ "spec": { "holderIdentity": "" } })).await;
    let emptied = Instant::now();
    candidates.takes_over(emptied, "emptied by hand", &second, "second", PROMPT).await;
    gives_up(first, PROMPT).await;
}

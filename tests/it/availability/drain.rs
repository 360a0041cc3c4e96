//! A leader that is told to stop, and needs longer to finish than its lease lasts.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use k8s_openapi::api::coordination::v1::Lease;
use serde_json::json;

use super::{Candidates, LEASE, PROMPT, events, is_next_after, leads, lease};
use crate::support::{Holding, Scene, Tenant};

pub async fn the_lease_is_renewed_until_what_is_under_way_is_done_and_then_released() {
    let scene = Scene::new("drain").await;
    let candidates = Candidates::of(&scene).await;
    let proxy = Holding::of(&candidates.account).await;
    let mut first = candidates.start_leader("first", proxy.kubeconfig()).await;
    let second = candidates.start("second").await;
    let tenant = Tenant::new(&scene);
    let (_, before) = tenant.ready(json!({})).await;

    let mut write = proxy.hold(Method::PUT, "/secrets/acme-jwt");
    tenant.rotate("once").await;
    write.reached().await;
    first.signal("TERM");
    let told = Instant::now();
    while told.elapsed() < Duration::from_secs(17) {
        let spec = scene.api::<Lease>().get(LEASE).await.unwrap().spec.unwrap();
        let renewed = spec.renew_time.expect("the lease is released already").0;
        let age = jiff::Timestamp::now().duration_since(renewed);
        assert!(age.as_secs() < 10, "the lease is not renewed any more: {age}");
        assert!(!leads(&second).await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(write.let_go().await, StatusCode::OK);
    let status = first.ended(PROMPT).await;
    assert_eq!(status.code(), Some(0), "{}", first.log());
    candidates.takes_over(Instant::now(), "drained", &second, "second", PROMPT).await;
    tenant.settled(is_next_after(&before)).await;
    tenant.is_quiet().await;
    assert_eq!(events(&scene, "SecretRotated").await, [("acme".to_owned(), 1)]);
    assert_eq!(lease(&scene).await.1, 1);
}

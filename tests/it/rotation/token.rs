//! Rotation by token.

use std::{collections::BTreeSet, time::Duration};

use idp_operator::{api::TenantJwtSecret, domain::digest::sha256_hex};
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;

use super::{is_later_by, rotation};
use crate::support::{
    Scene, Tenant,
    tenant::{GOOD, base64, now, text, values},
};

#[tokio::test]
async fn without_a_lead_time_it_is_done_at_once_and_the_old_value_is_published_through_its_grace() {
    let scene = Scene::new("token").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(rotation("0s", "3s")).await;
    assert_eq!((first.previous.as_ref(), first.next.as_ref()), (None, None));

    let asked = now();
    tenant.rotate("once").await;
    let (object, second) = tenant.settled(|values| !values.current.is(&first.current)).await;
    assert_eq!(object.status.unwrap().rotate_token, Some(sha256_hex(&[b"once"])));
    let previous = second.previous.clone().unwrap();
    assert!(previous.is(&first.current) && second.next.is_none());
    assert!(is_later_by(previous.time, asked, 3), "{asked} {previous:?}");
    assert!(is_later_by(second.current.time, asked - jiff::SignedDuration::from_secs(1), 0), "{asked} {second:?}");

    let secret = tenant.until(|secret| text(secret, "previous-secret").is_none()).await;
    assert!(now() >= previous.time, "{} is before {}", now(), previous.time);
    assert!(now() < previous.time + jiff::SignedDuration::from_secs(15), "{} is long after {}", now(), previous.time);
    assert_eq!((values(&secret).previous, values(&secret).current), (None, second.current));
    scene.event("TenantJwtSecret/acme Normal SecretRotated").await;
    scene.event("TenantJwtSecret/acme Normal PreviousSecretRemoved").await;
    tenant.is_quiet().await;
}

#[tokio::test]
async fn a_token_is_honoured_once_whatever_is_lost() {
    let scene = Scene::new("token").await;
    let operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let spec = || json!({ "deletionPolicy": "Retain" });
    let (_, first) = tenant.ready(spec()).await;
    tenant.rotate("once").await;
    let (_, second) = tenant.settled(|values| !values.current.is(&first.current)).await;
    let is_the_same = async || assert_eq!(tenant.settled(|_| true).await.1, second);
    tenant.is_quiet().await;

    // The status.
    tenant.lose_status().await;
    is_the_same().await;
    // What the Secret remembers.
    tenant.plant(&[("rotate-tokens", None)]).await;
    tenant.until(|secret| text(secret, "rotate-tokens") == Some(sha256_hex(&[b"once"]))).await;
    is_the_same().await;
    tenant.plant(&[("rotate-tokens", Some("garbage\n\nmore"))]).await;
    tenant.until(|secret| text(secret, "rotate-tokens") == Some(sha256_hex(&[b"once"]))).await;
    is_the_same().await;
    // The operator.
    operator.terminate();
    let operator = scene.operator().await;
    is_the_same().await;
    tenant.is_quiet().await;
    // The operator, and then the status, and then what the Secret remembers.
    operator.terminate();
    tenant.lose_status().await;
    let _operator = scene.operator().await;
    is_the_same().await;
    // The object itself.
    tenant.recreate().await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    is_the_same().await;
    tenant.is_quiet().await;
}

#[tokio::test]
async fn a_token_stays_honoured_when_the_secret_loses_it_while_no_value_may_be_made() {
    let scene = Scene::new("token").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(json!({})).await;
    tenant.rotate("once").await;
    let (_, second) = tenant.settled(|values| !values.current.is(&first.current)).await;

    tenant.apply(json!({ "signingAlgorithm": null })).await;
    scene.verdict::<TenantJwtSecret>("acme", "False", "SigningAlgorithmNotConfigured").await;
    tenant.plant(&[("rotate-tokens", None)]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    tenant.ready(json!({})).await;
    tenant.is_quiet().await;
    assert_eq!(tenant.settled(|_| true).await.1, second);
}

#[tokio::test]
async fn what_is_no_new_token_rotates_nothing() {
    let scene = Scene::new("token").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    // One that is there from the start is recorded with the first value.
    tenant.create(json!({}), "a").await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    let (object, first) = tenant.settled(|_| true).await;
    assert_eq!(object.status.unwrap().rotate_token, Some(sha256_hex(&[b"a"])));

    tenant.rotate("b").await;
    let (_, second) = tenant.settled(|values| !values.current.is(&first.current)).await;
    for token in ["a", "", "b"] {
        tenant.rotate(token).await;
        tenant.is_quiet().await;
        assert_eq!(tenant.settled(|_| true).await.1, second, "token '{token}'");
    }
    scene
        .merge::<TenantJwtSecret>("acme", json!({ "metadata": { "annotations": { "idp-operator.dev/rotate": null } } }))
        .await;
    tenant.is_quiet().await;
    assert_eq!(tenant.settled(|_| true).await.1, second);
    // Tokens are told apart byte for byte, and may be as long as an annotation.
    tenant.rotate("B").await;
    let (_, third) = tenant.settled(|values| !values.current.is(&second.current)).await;
    tenant.rotate(&"B".repeat(200_000)).await;
    tenant.settled(|values| !values.current.is(&third.current)).await;
}

#[tokio::test]
async fn the_last_thirty_two_tokens_are_remembered() {
    let scene = Scene::new("token").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, mut last) = tenant.ready(rotation("0s", "0s")).await;
    let mut seen = BTreeSet::from([last.current.value.clone()]);
    for number in 0..33 {
        tenant.rotate(&number.to_string()).await;
        last = tenant.values(|values| !values.current.is(&last.current)).await;
        assert!(seen.insert(last.current.value.clone()));
    }
    let (object, last) = tenant.settled(|values| values.current.is(&last.current)).await;
    assert_eq!(last.previous, None);
    let tokens = text(&tenant.output().await, "rotate-tokens").unwrap();
    let digests: Vec<String> = (1..33).map(|number: i32| sha256_hex(&[number.to_string().as_bytes()])).collect();
    assert_eq!(tokens.lines().collect::<Vec<_>>(), digests);
    assert_eq!(object.status.unwrap().rotate_token.as_ref(), digests.last());
    tenant.rotate("1").await;
    tenant.is_quiet().await;
    assert_eq!(tenant.settled(|_| true).await.1, last);
}

#[tokio::test]
async fn tokens_do_nothing_to_a_referenced_value_and_are_not_recorded() {
    let scene = Scene::new("token").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    scene.secret("source", "secret", base64(GOOD).as_bytes()).await;
    let (_, first) = tenant.ready(json!({ "secretRef": { "name": "source" } })).await;
    tenant.rotate("once").await;
    tenant.is_quiet().await;
    let (object, second) = tenant.settled(|_| true).await;
    assert_eq!((object.status.unwrap().rotate_token, second), (None, first));
    assert_eq!(text(&scene.api::<Secret>().get("acme-jwt").await.unwrap(), "rotate-tokens"), None);
}

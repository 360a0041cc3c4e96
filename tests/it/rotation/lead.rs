//! Rotation with a lead time.

use idp_operator::api::TenantJwtSecret;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{foreseen, is_later_by, rotation, unix};
use crate::support::{
    Scene, Tenant,
    tenant::{now, text, values},
};

#[tokio::test]
async fn the_next_value_is_published_then_current_and_the_old_one_previous_until_its_time() {
    let scene = Scene::new("lead").await;
    let operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (object, first) = tenant.ready(rotation("2s", "3s")).await;
    assert_eq!(object.status.unwrap().next_rotation_time, None);
    assert!(foreseen(&operator, &scene, "acme").await.abs() < f64::EPSILON);

    let asked = now();
    tenant.rotate("once").await;
    let (_, second) = tenant.settled(|values| values.next.is_some()).await;
    let next = second.next.unwrap();
    assert_eq!((&second.current, &second.previous), (&first.current, &None));
    assert!(!next.is(&first.current) && is_later_by(next.time, asked, 2), "{asked} {next:?}");
    assert!((foreseen(&operator, &scene, "acme").await - unix(next.time)).abs() < f64::EPSILON);

    let third = tenant.values(|values| !values.current.is(&first.current)).await;
    let promoted = now();
    assert!(promoted >= next.time && promoted < next.time + SignedDuration::from_secs(15), "{promoted} {next:?}");
    assert!(third.current.is(&next) && third.next.is_none());
    assert!(third.current.time >= next.time && third.current.time <= promoted);
    let previous = third.previous.unwrap();
    assert!(previous.is(&first.current) && is_later_by(previous.time, next.time, 3), "{previous:?}");
    tenant.settled(|values| values.current.is(&next)).await;
    assert!(foreseen(&operator, &scene, "acme").await.abs() < f64::EPSILON);

    let last = values(&tenant.until(|secret| text(secret, "previous-secret").is_none()).await);
    let removed = now();
    assert!(removed >= previous.time && removed < previous.time + SignedDuration::from_secs(15), "{removed}");
    assert_eq!((last.current, last.next), (third.current, None));
    scene.event("TenantJwtSecret/acme Normal PreviousSecretRemoved").await;
    tenant.is_quiet().await;
}

#[tokio::test]
async fn all_three_values_stand_together_and_the_oldest_goes_when_the_next_becomes_current() {
    let scene = Scene::new("lead").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let with = |lead: &str| {
        let mut spec = rotation(lead, "1h");
        spec["outputs"] = json!({ "jwks": true, "raw": true });
        spec
    };
    let (_, first) = tenant.ready(with("0s")).await;
    tenant.rotate("a").await;
    let (_, second) = tenant.settled(|values| values.previous.is_some()).await;
    tenant.ready(with("2s")).await;
    tenant.rotate("b").await;
    let (_, third) = tenant.settled(|values| values.next.is_some()).await;
    assert_eq!((&third.current, &third.previous), (&second.current, &second.previous));
    let ids = |secret: &k8s_openapi::api::core::v1::Secret| -> Vec<String> {
        let jwks: Value = serde_json::from_str(&text(secret, "jwks.json").unwrap()).unwrap();
        jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    };
    let next = third.next.unwrap();
    let expected = [&second.current.key_id, &first.current.key_id, &next.key_id].map(String::clone);
    assert_eq!(ids(&tenant.output().await), expected);
    tenant.is_quiet().await;

    let (_, last) = tenant.settled(|values| values.next.is_none()).await;
    assert!(last.current.is(&next) && last.previous.as_ref().unwrap().is(&second.current));
    assert_eq!(ids(&tenant.output().await), [&next.key_id, &second.current.key_id].map(String::clone));
    scene.event("TenantJwtSecret/acme Normal PreviousSecretRemoved").await;
}

#[tokio::test]
async fn phases_that_end_while_no_operator_runs_end_when_one_does_and_the_grace_is_whole() {
    let scene = Scene::new("lead").await;
    let operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(rotation("1s", "4s")).await;
    tenant.rotate("once").await;
    let next = tenant.settled(|values| values.next.is_some()).await.1.next.unwrap();
    operator.terminate();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(text(&tenant.output().await, "next-secret").is_some());

    let started = now();
    let operator = scene.operator().await;
    let (_, second) = tenant.settled(|values| values.current.is(&next)).await;
    let previous = second.previous.unwrap();
    assert!(previous.is(&first.current) && is_later_by(previous.time, started, 4), "{started} {previous:?}");
    assert!(
        second.current.time >= started - SignedDuration::from_secs(1),
        "current since the write, not since its time"
    );
    operator.terminate();
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert!(text(&tenant.output().await, "previous-secret").is_some());

    let _operator = scene.operator().await;
    let (_, third) = tenant.settled(|values| values.previous.is_none()).await;
    assert_eq!(third.current, second.current);
    scene.event("TenantJwtSecret/acme Normal PreviousSecretRemoved").await;
}

#[tokio::test]
async fn a_lost_status_and_a_re_created_object_leave_the_phases_as_they_are() {
    let scene = Scene::new("lead").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let mut spec = rotation("0s", "1h");
    spec["deletionPolicy"] = "Retain".into();
    tenant.ready(spec.clone()).await;
    tenant.rotate("a").await;
    tenant.settled(|values| values.previous.is_some()).await;
    spec["rotation"]["leadTime"] = "1h".into();
    tenant.ready(spec).await;
    tenant.rotate("b").await;
    let (_, three) = tenant.settled(|values| values.next.is_some()).await;
    tenant.lose_status().await;
    tenant.is_quiet().await;
    assert_eq!(tenant.settled(|_| true).await.1, three);
    tenant.recreate().await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    tenant.is_quiet().await;
    assert_eq!(tenant.settled(|_| true).await.1, three);
}

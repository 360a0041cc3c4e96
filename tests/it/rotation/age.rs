//! Rotation by age.

use idp_operator::api::TenantJwtSecret;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{foreseen, is_later_by, unix};
use crate::support::{
    Scene, Tenant,
    tenant::{after, now, text},
};

const HOUR: i64 = 3600;

fn hourly(lead_time: &str, grace_period: &str) -> Value {
    json!({ "rotation": { "interval": "1h", "leadTime": lead_time, "gracePeriod": grace_period } })
}

fn next_rotation(object: &TenantJwtSecret) -> Timestamp {
    object.status.as_ref().unwrap().next_rotation_time.as_ref().unwrap().0
}

#[tokio::test]
async fn an_old_value_is_replaced_once_and_its_successor_is_due_an_interval_later() {
    let scene = Scene::new("age").await;
    let operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (object, first) = tenant.ready(hourly("0s", "30m")).await;
    let due = next_rotation(&object);
    assert!((foreseen(&operator, &scene, "acme").await - unix(due)).abs() < f64::EPSILON);

    // Half as old: nothing.
    tenant.plant(&[("issued-at", Some(&after(-HOUR / 2)))]).await;
    let (object, second) = tenant.settled(|values| values.current.time < first.current.time).await;
    assert!(second.current.is(&first.current) && second.previous.is_none());
    // The spread is always the same.
    assert_eq!(next_rotation(&object).duration_since(second.current.time), due.duration_since(first.current.time));
    tenant.is_quiet().await;

    let asked = now();
    tenant.plant(&[("issued-at", Some(&after(-2 * HOUR)))]).await;
    let (object, third) = tenant.settled(|values| !values.current.is(&first.current)).await;
    let previous = third.previous.unwrap();
    assert!(previous.is(&first.current) && is_later_by(previous.time, asked, HOUR / 2));
    assert!(is_later_by(third.current.time, asked - SignedDuration::from_secs(1), 0));
    let due = next_rotation(&object);
    assert!((foreseen(&operator, &scene, "acme").await - unix(due)).abs() < f64::EPSILON);
    tenant.is_quiet().await;

    // It is foreseen no more without an interval, and for an object that is gone.
    tenant.ready(json!({})).await;
    assert!(foreseen(&operator, &scene, "acme").await.abs() < f64::EPSILON);
    tenant.ready(hourly("0s", "30m")).await;
    assert!(foreseen(&operator, &scene, "acme").await > 0.0);
    scene.delete::<TenantJwtSecret>("acme").await;
    while foreseen(&operator, &scene, "acme").await > 0.0 {
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
}

#[tokio::test]
async fn it_comes_when_it_is_due_and_not_earlier() {
    let scene = Scene::new("age").await;
    let operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (object, first) = tenant.ready(hourly("0s", "30m")).await;
    let age = next_rotation(&object).duration_since(first.current.time);
    let due = now() + SignedDuration::from_secs(3);
    tenant.plant(&[("issued-at", Some(&format!("{:.0}", due - age)))]).await;
    let (object, _) = tenant.settled(|values| values.current.time < first.current.time).await;
    let due = next_rotation(&object);
    // A restart moves nothing.
    operator.terminate();
    let _operator = scene.operator().await;
    tenant.values(|values| !values.current.is(&first.current)).await;
    assert!(now() >= due, "{} is before {due}", now());
}

#[tokio::test]
async fn the_next_value_is_published_a_lead_time_before_and_a_whole_one_if_it_is_late() {
    let scene = Scene::new("age").await;
    let operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (object, first) = tenant.ready(hourly("3s", "10s")).await;
    let age = next_rotation(&object).duration_since(first.current.time);

    // In time.
    let due = now() + SignedDuration::from_secs(5);
    tenant.plant(&[("issued-at", Some(&format!("{:.0}", due - age)))]).await;
    let (object, _) = tenant.settled(|values| values.current.time < first.current.time).await;
    let due = next_rotation(&object);
    let published = tenant.values(|values| values.next.is_some()).await;
    let lead = due - SignedDuration::from_secs(3);
    assert!(now() >= lead, "{} is before {lead}", now());
    let next = published.next.unwrap();
    assert!(next.time >= due && next.time <= due + SignedDuration::from_secs(1), "{next:?} is not {due}");
    let (_, second) = tenant.settled(|values| values.current.is(&next)).await;
    assert!(now() >= next.time && second.previous.unwrap().is(&first.current));

    // Late.
    let asked = now();
    tenant.plant(&[("issued-at", Some(&after(-2 * HOUR)))]).await;
    let (_, third) = tenant.settled(|values| values.next.is_some()).await;
    let next = third.next.unwrap();
    assert!(is_later_by(next.time, asked, 3), "{asked} {next:?}");
    assert!((foreseen(&operator, &scene, "acme").await - unix(next.time)).abs() < f64::EPSILON);
    tenant.settled(|values| values.current.is(&next) && values.next.is_none()).await;
    tenant.is_quiet().await;
}

#[tokio::test]
async fn an_age_that_makes_no_sense_is_set_right_without_touching_the_value() {
    let scene = Scene::new("age").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(hourly("0s", "30m")).await;
    let in_an_hour = after(HOUR);
    for age in [None, Some("yesterday"), Some(""), Some(in_an_hour.as_str()), Some("-000001-01-01T00:00:00Z")] {
        let asked = now() - SignedDuration::from_secs(1);
        tenant.plant(&[("issued-at", age)]).await;
        let secret = tenant
            .until(|secret| {
                let issued = text(secret, "issued-at").and_then(|issued| issued.parse::<Timestamp>().ok());
                issued.is_some_and(|issued| issued >= asked && issued <= now())
            })
            .await;
        assert_eq!(text(&secret, "secret"), Some(first.current.value.clone()), "{age:?}");
        let (_, values) = tenant.settled(|_| true).await;
        assert!(values.current.is(&first.current) && values.previous.is_none(), "{age:?}");
    }
    // A little in the future is another machine's clock.
    let soon = after(120);
    tenant.plant(&[("issued-at", Some(&soon))]).await;
    tenant.is_quiet().await;
    assert_eq!(text(&tenant.output().await, "issued-at"), Some(soon));
    let events = scene.events().await;
    assert_eq!(events, Vec::<String>::new());
}

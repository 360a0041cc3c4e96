//! Phases that meet: each overlap ends as the contract has it.

use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::json;

use super::{leading, rotation};
use crate::support::{
    Scene, Tenant,
    tenant::{GOOD, after, base64, now, text},
};

#[tokio::test]
async fn a_token_in_a_lead_time_starts_nothing_and_is_honoured_by_the_promotion() {
    let scene = Scene::new("overlap").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    tenant.ready(rotation("3s", "1h")).await;
    tenant.rotate("a").await;
    let (object, first) = tenant.settled(|values| values.next.is_some()).await;
    let honoured = object.status.unwrap().rotate_token;
    tenant.rotate("b").await;
    let (object, second) = tenant.settled(|_| true).await;
    assert_eq!((object.status.unwrap().rotate_token, &second), (honoured.clone(), &first));

    let (object, third) = tenant.settled(|values| values.next.is_none()).await;
    assert!(third.current.is(&first.next.unwrap()));
    assert_ne!(object.status.unwrap().rotate_token, honoured);
    assert_eq!(text(&tenant.output().await, "rotate-tokens").unwrap().lines().count(), 2);
    tenant.is_quiet().await;
    assert_eq!(tenant.settled(|_| true).await.1, third);
}

#[tokio::test]
async fn a_value_that_comes_of_age_in_a_lead_time_starts_nothing() {
    let scene = Scene::new("overlap").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let spec = json!({ "rotation": { "interval": "4h", "leadTime": "1h", "gracePeriod": "2h" } });
    tenant.ready(spec).await;
    tenant.rotate("a").await;
    let (_, first) = tenant.settled(|values| values.next.is_some()).await;
    tenant.plant(&[("issued-at", Some(&after(-100 * 3600)))]).await;
    let (_, second) = tenant.settled(|values| values.current.time < first.current.time).await;
    assert_eq!((&second.next, second.current.is(&first.current)), (&first.next, true));
    tenant.is_quiet().await;
    assert_eq!(tenant.settled(|_| true).await.1, second);
}

#[tokio::test]
async fn another_algorithm_drops_the_next_value_and_replaces_the_current_one_at_once() {
    let scene = Scene::new("overlap").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let first = leading(&tenant).await;
    let mut spec = rotation("1h", "2h");
    spec["signingAlgorithm"] = "HS512".into();
    tenant.ready(spec).await;
    let (_, second) = tenant.settled(|values| values.current.algorithm == "HS512").await;
    assert!(second.previous.unwrap().is(&first.current) && second.next.is_none());
    assert!(!second.current.is(&first.next.unwrap()));
    tenant.is_quiet().await;
}

#[tokio::test]
async fn another_algorithm_and_a_token_in_one_edit_make_one_new_value() {
    let scene = Scene::new("overlap").await;
    let _operator = scene.operator().await;
    for (name, lead_time) in [("without-lead", "0s"), ("with-lead", "1h")] {
        let tenant = Tenant::named(&scene, name);
        let (_, first) = tenant.ready(rotation(lead_time, "1h")).await;
        let both = json!({
            "metadata": { "annotations": { "idp-operator.dev/rotate": "once" } },
            "spec": { "signingAlgorithm": "HS384" },
        });
        scene.merge::<TenantJwtSecret>(name, both).await;
        let (object, second) = tenant.settled(|values| !values.current.is(&first.current)).await;
        assert!(second.previous.as_ref().unwrap().is(&first.current) && second.next.is_none());
        assert!(object.status.unwrap().rotate_token.is_some());
        tenant.is_quiet().await;
        assert_eq!(tenant.settled(|_| true).await.1, second);
    }
}

#[tokio::test]
async fn a_referenced_value_drops_the_next_one_and_replaces_the_current_one_at_once() {
    let scene = Scene::new("overlap").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let first = leading(&tenant).await;
    scene.secret("source", "secret", base64(GOOD).as_bytes()).await;
    tenant.ready(json!({ "secretRef": { "name": "source" }, "rotation": { "gracePeriod": "2h" } })).await;
    let (_, second) = tenant.settled(|values| values.current.value == base64(GOOD)).await;
    assert!(second.previous.as_ref().unwrap().is(&first.current) && second.next.is_none());

    // The other way round the value stays, and ages from when it was published.
    let rotation = json!({ "rotation": { "interval": "4h", "gracePeriod": "2h" }, "secretRef": null });
    let annotations = json!({ "idp-operator.dev/rotate": null });
    scene.merge::<TenantJwtSecret>("acme", json!({ "metadata": { "annotations": annotations } })).await;
    tenant.ready(rotation).await;
    let (object, third) = tenant.settled(|_| true).await;
    assert_eq!(third, second);
    assert!(object.status.unwrap().next_rotation_time.unwrap().0 > now());
}

#[tokio::test]
async fn a_broken_or_missing_current_value_is_repaired_by_the_next_one_and_else_by_a_new_one() {
    let scene = Scene::new("overlap").await;
    let _operator = scene.operator().await;
    let names = ["broken", "missing", "empty"];
    let damages = [Some(base64("too short")), None, Some(String::new())];
    for (name, damage) in names.into_iter().zip(damages) {
        let tenant = Tenant::named(&scene, name);
        // With all three.
        tenant.ready(rotation("0s", "2h")).await;
        tenant.rotate("previous").await;
        tenant.settled(|values| values.previous.is_some()).await;
        let first = leading(&tenant).await;
        let next = first.next.clone().unwrap();
        tenant.plant(&[("secret", damage.as_deref())]).await;
        let (_, second) = tenant.settled(|values| values.current.is(&next)).await;
        // The previous one stays, and the broken one is no previous one.
        assert_eq!((&second.previous, &second.next), (&first.previous, &None), "{name}");
        assert!(second.previous.is_some());
        scene.event(&format!("TenantJwtSecret/{name} Warning SecretRepaired")).await;

        tenant.plant(&[("secret", damage.as_deref())]).await;
        let (_, third) =
            tenant.settled(|values| values.current.value != next.value && values.current.value.len() > 40).await;
        assert_eq!((&third.previous, &third.next), (&first.previous, &None), "{name}");
        assert!(!third.current.is(&next));
        tenant.is_quiet().await;
    }
}

#[tokio::test]
async fn a_next_value_that_is_broken_too_repairs_nothing() {
    let scene = Scene::new("overlap").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let first = leading(&tenant).await;
    let bad = base64("too short");
    tenant.plant(&[("secret", Some(&bad)), ("next-secret", Some(&bad))]).await;
    let (_, second) = tenant.settled(|values| values.current.value != bad).await;
    assert!(second.next.is_none() && second.previous.is_none());
    assert!(!second.current.is(&first.current));
}

#[tokio::test]
async fn without_a_lead_time_the_next_value_is_current_at_once() {
    let scene = Scene::new("overlap").await;
    let _operator = scene.operator().await;
    for (name, spec) in [("removed", json!({})), ("zero", rotation("0s", "2h")), ("zero-m", rotation("0m0s", "2h"))] {
        let tenant = Tenant::named(&scene, name);
        let first = leading(&tenant).await;
        tenant.apply(spec).await;
        let (_, second) = tenant.settled(|values| values.next.is_none()).await;
        assert!(second.current.is(&first.next.unwrap()), "{name}");
        assert!(second.previous.unwrap().is(&first.current), "{name}");
        tenant.is_quiet().await;
    }
}

#[tokio::test]
async fn times_are_fixed_when_they_are_written() {
    let scene = Scene::new("overlap").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    tenant.ready(rotation("0s", "1h")).await;
    tenant.rotate("previous").await;
    tenant.settled(|values| values.previous.is_some()).await;
    tenant.ready(rotation("1h", "2h")).await;
    tenant.rotate("lead").await;
    let (_, first) = tenant.settled(|values| values.next.is_some()).await;
    for (lead_time, grace_period) in [("1s", "1s"), ("24h", "8760h"), ("2h", "3h")] {
        tenant.ready(rotation(lead_time, grace_period)).await;
        tenant.is_quiet().await;
        assert_eq!(tenant.settled(|_| true).await.1, first, "{lead_time} {grace_period}");
    }
}

#[tokio::test]
async fn without_a_grace_period_the_previous_value_goes_at_once() {
    let scene = Scene::new("overlap").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    tenant.ready(rotation("0s", "1h")).await;
    tenant.rotate("previous").await;
    let (_, first) = tenant.settled(|values| values.previous.is_some()).await;
    tenant.ready(rotation("0s", "0s")).await;
    let (_, second) = tenant.settled(|values| values.previous.is_none()).await;
    assert_eq!(second.current, first.current);
    scene.event("TenantJwtSecret/acme Normal PreviousSecretRemoved").await;
    // And a replaced one is none from then on.
    tenant.rotate("again").await;
    let (_, third) = tenant.settled(|values| !values.current.is(&first.current)).await;
    assert_eq!(third.previous, None);
    tenant.is_quiet().await;
}

#[tokio::test]
async fn a_lost_output_loses_all_values_and_there_is_one_new_one() {
    let scene = Scene::new("overlap").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    tenant.ready(rotation("0s", "2h")).await;
    tenant.rotate("previous").await;
    tenant.settled(|values| values.previous.is_some()).await;
    let first = leading(&tenant).await;
    let lost = tenant.output().await;
    scene.delete::<Secret>("acme-jwt").await;
    tenant.until(|secret| secret.uid() != lost.uid()).await;
    let (_, second) = tenant.settled(|_| true).await;
    assert_eq!((&second.previous, &second.next), (&None, &None));
    assert!(
        [&first.current, first.previous.as_ref().unwrap(), first.next.as_ref().unwrap()]
            .iter()
            .all(|old| !second.current.is(old))
    );
    scene.event("TenantJwtSecret/acme Warning SecretGenerated").await;
    tenant.is_quiet().await;
    assert_eq!(tenant.settled(|_| true).await.1, second);
}

//! Previous and next values that somebody else put there.

use serde_json::json;

use super::rotation;
use crate::support::{
    Scene, Tenant,
    tenant::{OTHER, after, base64, text, values},
};

const ROLES: [(&str, &str); 2] = [("previous", "previous-expires-at"), ("next", "next-active-at")];

/// What is planted where nothing is missing, changed by one key: none takes it away.
fn set(role: &str, time_key: &str, (what, damage): (&str, Option<String>)) -> Vec<(String, Option<String>)> {
    let mut set = vec![
        (format!("{role}-secret"), Some(base64(OTHER))),
        (format!("{role}-algorithm"), Some("HS256".to_owned())),
        (format!("{role}-key-id"), Some("planted".to_owned())),
        (time_key.to_owned(), Some(after(3000))),
    ];
    let key = if what == "time" { time_key.to_owned() } else { format!("{role}-{what}") };
    if let Some((_, value)) = set.iter_mut().find(|(name, _)| *name == key) {
        *value = damage;
    }
    set
}

async fn plant(tenant: &Tenant<'_>, set: &[(String, Option<String>)]) {
    let set: Vec<(&str, Option<&str>)> = set.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
    tenant.plant(&set).await;
}

#[tokio::test]
async fn a_set_that_is_not_whole_breaks_the_rules_or_has_a_wrong_time_is_removed() {
    let scene = Scene::new("planted").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(rotation("1h", "2h")).await;
    let mut wrong = Vec::new();
    for (role, time_key) in ROLES {
        let damages = [
            ("secret", None),
            ("secret", Some(String::new())),
            ("secret", Some(base64("too short"))),
            ("secret", Some("no base64!".to_owned())),
            ("algorithm", None),
            ("algorithm", Some("HS999".to_owned())),
            // Long enough for the one, but not for this.
            ("algorithm", Some("HS512".to_owned())),
            ("key-id", None),
            ("key-id", Some(String::new())),
            ("key-id", Some("x".repeat(300))),
            ("key-id", Some(first.current.key_id.clone())),
            ("time", None),
            ("time", Some("soon".to_owned())),
            ("time", Some("-000001-01-01T00:00:00Z".to_owned())),
            ("time", Some("9999-12-31T23:59:59Z".to_owned())),
            // Beyond the longest grace period, and the longest lead time, by more than a clock is ever wrong.
            ("time", Some(after((7 * 24 + if role == "next" { 24 } else { 8760 }) * 3600 + 600))),
        ];
        for damage in damages {
            let what = format!("{role}-{} {:?}", damage.0, damage.1);
            plant(&tenant, &set(role, time_key, damage)).await;
            let patience = std::time::Instant::now() + std::time::Duration::from_secs(3);
            let is_clean = async || {
                let data = tenant.output().await.data.unwrap();
                !data.keys().any(|key| key.starts_with(role))
            };
            while !is_clean().await && std::time::Instant::now() < patience {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            if !is_clean().await {
                wrong.push(what);
                let all: Vec<(String, Option<String>)> =
                    set(role, time_key, ("secret", None)).into_iter().map(|(key, _)| (key, None)).collect();
                plant(&tenant, &all).await;
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(values(&tenant.output().await), first);
    tenant.is_quiet().await;
}

#[tokio::test]
async fn a_previous_value_that_is_past_is_removed_and_a_next_one_is_late() {
    let scene = Scene::new("planted").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(rotation("1h", "2h")).await;
    plant(&tenant, &set("previous", "previous-expires-at", ("time", Some(after(-1))))).await;
    tenant.until(|secret| text(secret, "previous-secret").is_none()).await;
    scene.event("TenantJwtSecret/acme Normal PreviousSecretRemoved").await;
    assert_eq!(values(&tenant.output().await), first);

    // As after a time without an operator.
    plant(&tenant, &set("next", "next-active-at", ("time", Some(after(-1))))).await;
    let (_, second) = tenant.settled(|values| values.next.is_none()).await;
    assert_eq!((second.current.value, second.previous.unwrap().is(&first.current)), (base64(OTHER), true));
}

#[tokio::test]
async fn a_whole_set_is_as_good_as_one_of_the_operator_s() {
    let scene = Scene::new("planted").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(rotation("1h", "2h")).await;
    for (role, time_key) in ROLES {
        plant(&tenant, &set(role, time_key, ("none", None))).await;
        tenant.is_quiet().await;
        assert_eq!(text(&tenant.output().await, &format!("{role}-key-id")).as_deref(), Some("planted"));
        let all: Vec<_> = set(role, time_key, ("none", None)).into_iter().map(|(key, _)| (key, None)).collect();
        plant(&tenant, &all).await;
        tenant.is_quiet().await;
    }
    assert_eq!(tenant.settled(|_| true).await.1, first);
}

#[tokio::test]
async fn what_describes_the_current_value_is_set_right_whatever_stands_there() {
    let scene = Scene::new("planted").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(json!({ "outputs": { "jwks": true, "raw": true } })).await;
    let long = "x".repeat(300);
    let unpadded = first.current.value.trim_end_matches('=').to_owned();
    let damages: [&[(&str, Option<&str>)]; 9] = [
        &[("algorithm", None)],
        &[("algorithm", Some("HS999"))],
        &[("algorithm", Some(""))],
        &[("key-id", None)],
        &[("key-id", Some(""))],
        &[("key-id", Some(&long))],
        &[("secret", Some(&unpadded))],
        &[("jwks.json", Some("{}"))],
        &[("raw", None)],
    ];
    for damage in damages {
        tenant.plant(damage).await;
        let (_, healed) = tenant
            .settled(|values| {
                values.current.value == first.current.value
                    && values.current.algorithm == "HS256"
                    && !values.current.key_id.is_empty()
                    && values.current.key_id.len() < 254
            })
            .await;
        assert_eq!((healed.previous, healed.next), (None, None), "{damage:?}");
        let is_whole = |secret: &k8s_openapi::api::core::v1::Secret| {
            let kid = text(secret, "key-id").unwrap();
            text(secret, "raw").is_some_and(|raw| base64(raw) == first.current.value)
                && text(secret, "jwks.json").is_some_and(|jwks| jwks.contains(&kid))
        };
        tenant.until(is_whole).await;
    }
    tenant.is_quiet().await;
    assert_eq!(scene.events().await, Vec::<String>::new());
}

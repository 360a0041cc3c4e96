//! Series on the real API server: labels have few values, and what is told of an object goes with it.

use std::collections::BTreeSet;

use idp_operator::api::{IdentityProvider, TenantJwtSecret};
use serde_json::{Value, json};

use super::{Sample, samples};
use crate::{
    program::{so, soon},
    support::{
        KeyServer, Operator, Scene,
        key_server::{ED25519, jwks},
    },
};

const KEYS: [&str; 2] = ["idp_operator_keys_stale_timestamp_seconds", "idp_operator_keys_verified_timestamp_seconds"];
const ROTATION: &str = "idp_operator_secret_next_rotation_timestamp_seconds";

async fn scrape(operator: &Operator) -> Vec<Sample> {
    samples(&operator.get("/metrics").await.1)
}

fn label<'a>(sample: &'a Sample, name: &str) -> Option<&'a str> {
    sample.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
}

/// What is told of objects by name: the metric without its prefix, and the name.
async fn told(operator: &Operator, namespace: &str) -> BTreeSet<String> {
    let samples = scrape(operator).await;
    let named = samples.iter().filter(|sample| label(sample, "namespace") == Some(namespace));
    named.map(|sample| format!("{} {}", sample.name, label(sample, "name").unwrap())).collect()
}

fn of(keys: &[&str], rotations: &[&str]) -> BTreeSet<String> {
    let keys = keys.iter().flat_map(|name| KEYS.map(|metric| format!("{metric} {name}")));
    keys.chain(rotations.iter().map(|name| format!("{ROTATION} {name}"))).collect()
}

fn idp(server: &KeyServer, name: &str) -> Value {
    json!({
        "issuer": format!("https://{name}.example.com"),
        "jwtEndpoint": server.url("/jwt"),
        "keysEndpoint": server.url("/keys"),
        "allowInsecureHttp": true,
        "keys": { "refreshInterval": "1h", "staleAfter": "2h" },
    })
}

#[tokio::test]
async fn what_is_told_of_an_object_goes_with_it_and_not_all_is_told_by_standbys() {
    let scene = Scene::new("series").await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let operator = scene.operator().await;
    for name in ["a", "b", "c"] {
        scene.apply::<IdentityProvider>(name, idp(&server, name)).await;
        let tenant = format!("{name}.{}", scene.namespace);
        let tenant = json!({ "tenantId": tenant, "signingAlgorithm": "HS256", "rotation": { "interval": "48h" } });
        scene.apply::<TenantJwtSecret>(name, tenant).await;
        scene.verdict::<IdentityProvider>(name, "True", "Ready").await;
        scene.verdict::<TenantJwtSecret>(name, "True", "Ready").await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    // A loser of both kinds, an endpoint that is dead, and no interval.
    scene.apply::<IdentityProvider>("loser", idp(&server, "a")).await;
    let dead = json!({ "issuer": "urn:dead", "keysEndpoint": "http://127.0.0.1:1/keys" });
    let mut unseen = idp(&server, "dead");
    unseen.as_object_mut().unwrap().extend(dead.as_object().unwrap().clone());
    scene.apply::<IdentityProvider>("dead", unseen).await;
    let lost = json!({ "tenantId": format!("a.{}", scene.namespace), "signingAlgorithm": "HS256", "rotation": { "interval": "48h" } });
    scene.apply::<TenantJwtSecret>("loser", lost).await;
    scene.verdict::<IdentityProvider>("loser", "False", "DuplicateIssuer").await;
    scene.verdict::<IdentityProvider>("dead", "False", "KeysUnreachable").await;
    scene.verdict::<TenantJwtSecret>("loser", "False", "TenantConflict").await;
    assert_eq!(told(&operator, &scene.namespace).await, of(&["a", "b", "c"], &["a", "b", "c"]));

    // In two hours, to the second.
    let all = scrape(&operator).await;
    let of_a = |metric: &str| all.iter().find(|sample| sample.name == metric && label(sample, "name") == Some("a"));
    let [stale, verified] = KEYS.map(|metric| of_a(metric).unwrap().value);
    assert!((stale - verified - 7200.0).abs() < f64::EPSILON, "{stale} {verified}");
    labels_have_few_values(&all);
    // It may not have the lease: so it never leads.
    let standby =
        scene.start().arg("--leader-elect").arg("--leader-election-namespace").arg(&scene.namespace).ready().await;
    assert_eq!(told(&standby, &scene.namespace).await, of(&[], &["a", "b", "c"]));
    assert!(standby.metric("idp_operator_leader", &[]).await.abs() < f64::EPSILON);
    assert!(standby.metric("idp_operator_objects", &["ready=\"True\""]).await > 5.5);
    labels_have_few_values(&scrape(&standby).await);

    scene.merge::<IdentityProvider>("a", json!({ "spec": { "suspend": true } })).await;
    scene.merge::<IdentityProvider>("b", json!({ "spec": { "state": "Inactive" } })).await;
    scene.delete::<IdentityProvider>("c").await;
    scene.merge::<TenantJwtSecret>("a", json!({ "spec": { "suspend": true } })).await;
    scene.merge::<TenantJwtSecret>("b", json!({ "spec": { "rotation": null } })).await;
    scene.delete::<TenantJwtSecret>("c").await;
    for operator in [&operator, &standby] {
        soon("nothing is told", async || so(told(operator, &scene.namespace).await.is_empty())).await;
    }
    scene.merge::<IdentityProvider>("a", json!({ "spec": { "suspend": false } })).await;
    soon("it is told again", async || so(told(&operator, &scene.namespace).await == of(&["a"], &[]))).await;
}

/// Values of labels that are neither an object's name nor its namespace, nor a bucket's bound.
fn labels_have_few_values(samples: &[Sample]) {
    const KINDS: [&str; 4] = ["IdentityProvider", "StrategyInstance", "TenantJwtSecret", "UserIdpAuthenticator"];
    const RESOURCES: [&str; 11] = [
        "configmaps",
        "events",
        "identityproviders",
        "identityproviders/status",
        "leases",
        "secrets",
        "strategyinstances",
        "tenantjwtsecrets",
        "tenantjwtsecrets/status",
        "useridpauthenticators",
        "none",
    ];
    for sample in samples {
        for (name, value) in &sample.labels {
            let value = value.as_str();
            let is_known = match (sample.name.as_str(), name.as_str()) {
                (_, "namespace" | "name") => KEYS.contains(&sample.name.as_str()) || sample.name == ROTATION,
                ("idp_operator_api_requests_total", "kind") => RESOURCES.contains(&value),
                ("idp_operator_watch_last_event_timestamp_seconds", "kind") => {
                    KINDS.contains(&value) || ["Secret", "ConfigMap"].contains(&value)
                }
                (_, "kind") => KINDS.contains(&value),
                ("idp_operator_reconciles_total", "result") => ["ok", "error", "raced"].contains(&value),
                ("idp_operator_keys_fetches_total", "result") => ["ok", "KeysUnreachable"].contains(&value),
                (_, "ready") => ["True", "False", "Unknown"].contains(&value),
                (_, "verb") => ["get", "list", "watch", "create", "update", "patch", "delete"].contains(&value),
                (_, "code") => value == "none" || value.parse().is_ok_and(|code: u16| (200..600).contains(&code)),
                (_, "version") => value == env!("CARGO_PKG_VERSION"),
                ("idp_operator_reconcile_duration_seconds_bucket", "le") => true,
                _ => false,
            };
            assert!(is_known, "{name}=\"{value}\" in {sample:?}");
        }
    }
}

//! Metrics and logs: complete, well-formed, and silent about people.

use std::collections::{BTreeMap, BTreeSet};

use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator};
use serde_json::{Value, json};

use crate::support::{
    KeyServer, Operator, Scene,
    key_server::{ED25519, jwks},
};

const USER: &str = "user-4711";
const EXTERNAL_ID: &str = "external-0815";
const EXTERNAL_NAME: &str = "erika.mustermann";
const TENANT: &str = "tenant-of-note";
const ISSUER: &str = "https://issuer-of-note.example.com";

/// One object of each kind with values to look for, then one that fails.
async fn objects(scene: &Scene, server: &KeyServer) {
    let link = |idp: &str, user: &str| json!({ "userId": user, "idpRef": { "name": idp }, "idpUserId": EXTERNAL_ID, "idpUserName": EXTERNAL_NAME });
    // Before its IdentityProvider: two verdicts, and an Event.
    scene.apply::<UserIdpAuthenticator>("link", link("login", USER)).await;
    scene.verdict::<UserIdpAuthenticator>("link", "False", "IdpNotFound").await;
    let idp = json!({
        "issuer": ISSUER,
        "jwtEndpoint": server.url("/jwt"),
        "keysEndpoint": server.url("/keys"),
        "allowInsecureHttp": true,
    });
    scene.apply::<IdentityProvider>("login", idp).await;
    scene.apply::<TenantJwtSecret>("tenant", json!({ "tenantId": TENANT, "signingAlgorithm": "HS256" })).await;
    scene.apply::<StrategyInstance>("good", json!({ "type": "userpass" })).await;
    scene.apply::<StrategyInstance>("bad", json!({ "type": "userpass", "isSyncActive": true })).await;
    scene.verdict::<IdentityProvider>("login", "True", "Ready").await;
    scene.verdict::<TenantJwtSecret>("tenant", "True", "Ready").await;
    scene.verdict::<StrategyInstance>("good", "True", "Ready").await;
    scene.verdict::<StrategyInstance>("bad", "False", "CapabilityNotSupported").await;
    scene.verdict::<UserIdpAuthenticator>("link", "True", "IdentitySet").await;
}

#[tokio::test]
async fn metrics_logs_and_events_tell_all_but_who() {
    let scene = Scene::new("observed").await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let operator = scene.start().arg("--log-format=json").ready().await;
    objects(&scene, &server).await;
    scene.event("UserIdpAuthenticator/link Normal IdentitySet").await;
    let metrics = operator.get("/metrics").await.1;
    let families = families(&metrics);
    contract_has_them(&families);
    values_are_right(&scene, &operator).await;
    format_is_open_metrics_or_what_is_asked_for(&operator).await;
    for personal in [USER, EXTERNAL_ID, EXTERNAL_NAME, TENANT, ISSUER, "http"] {
        assert!(!samples(&metrics).any(|line| line.contains(personal)), "{personal} in\n{metrics}");
    }
    // Objects are named where there is one value each.
    let named: Vec<&str> = samples(&metrics).filter(|line| line.contains(&scene.namespace)).collect();
    let of = |metric: &str, line: &str| line.starts_with(&format!("idp_operator_keys_{metric}_timestamp_seconds{{"));
    assert!(matches!(named[..], [one, other] if of("verified", one) && of("stale", other)), "{named:#?}");
    let (_, log) = operator.terminate();
    lines_are_json_and_name_the_object(&log, &scene.namespace);
    let events = scene.api::<k8s_openapi::api::events::v1::Event>().list(&kube::api::ListParams::default()).await;
    let events = serde_json::to_string(&events.unwrap().items).unwrap();
    for personal in [EXTERNAL_ID, EXTERNAL_NAME] {
        assert!(!events.contains(personal), "{personal} in\n{events}");
    }
    for personal in [USER, EXTERNAL_ID, EXTERNAL_NAME] {
        assert!(!log.contains(personal), "{personal} in\n{log}");
    }
}

fn samples(metrics: &str) -> impl Iterator<Item = &str> {
    metrics.lines().filter(|line| !line.starts_with('#'))
}

/// Names and types of the metric families. Panics where the text is not OpenMetrics 1.0.
fn families(metrics: &str) -> BTreeMap<&str, &str> {
    assert!(metrics.ends_with("\n# EOF\n"), "{metrics}");
    let mut families = BTreeMap::new();
    let mut described = BTreeSet::new();
    let mut current = "";
    for line in metrics.lines().filter(|line| *line != "# EOF") {
        if let Some(comment) = line.strip_prefix("# ") {
            let (what, rest) = comment.split_once(' ').unwrap();
            let (name, text) = rest.split_once(' ').unwrap();
            assert!(current == name || !families.contains_key(name), "{name} is in two places");
            assert!(name.starts_with("idp_operator_"), "{line}");
            current = name;
            match what {
                "TYPE" => assert!(families.insert(name, text).is_none(), "{line} twice"),
                "HELP" => assert!(described.insert(name), "{line} twice"),
                "UNIT" => assert!(name.ends_with(&format!("_{text}")), "{line}"),
                other => panic!("{other} is no keyword of OpenMetrics"),
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap_or_else(|_| panic!("no value: {line}"));
        let name = name.split('{').next().unwrap();
        let suffixes: &[&str] = match families.get(current).copied() {
            Some("counter") => &["_total"],
            Some("gauge") => &[""],
            Some("histogram") => &["_bucket", "_sum", "_count"],
            Some("info") => &["_info"],
            other => panic!("{current} is {other:?}"),
        };
        assert!(suffixes.iter().any(|suffix| name == format!("{current}{suffix}")), "{line} in {current}");
    }
    assert_eq!(families.keys().copied().collect::<BTreeSet<_>>(), described, "each has both TYPE and HELP");
    families
}

fn contract_has_them(families: &BTreeMap<&str, &str>) {
    let expected = BTreeMap::from([
        ("idp_operator_reconciles", "counter"),
        ("idp_operator_reconcile_duration_seconds", "histogram"),
        ("idp_operator_objects", "gauge"),
        ("idp_operator_objects_not_ready_since_timestamp_seconds", "gauge"),
        ("idp_operator_unreadable_objects", "gauge"),
        ("idp_operator_api_requests", "counter"),
        ("idp_operator_keys_fetches", "counter"),
        ("idp_operator_keys_verified_timestamp_seconds", "gauge"),
        ("idp_operator_keys_stale_timestamp_seconds", "gauge"),
        ("idp_operator_start_timestamp_seconds", "gauge"),
        ("idp_operator_build", "info"),
        ("idp_operator_leader", "gauge"),
        ("idp_operator_watch_last_event_timestamp_seconds", "gauge"),
    ]);
    for (name, kind) in expected {
        assert_eq!(families.get(name), Some(&kind), "{name}");
    }
}

async fn values_are_right(scene: &Scene, operator: &Operator) {
    let one = |value: f64| (value - 1.0).abs() < f64::EPSILON;
    assert!(one(operator.metric("idp_operator_leader", &[]).await));
    assert!(one(operator.metric("idp_operator_build_info", &[env!("CARGO_PKG_VERSION")]).await));
    let strategies = ["kind=\"StrategyInstance\"", "ready=\"False\""];
    assert!(one(operator.metric("idp_operator_objects", &strategies).await));
    for kind in ["IdentityProvider", "TenantJwtSecret", "UserIdpAuthenticator", "StrategyInstance"] {
        let label = format!("kind=\"{kind}\"");
        assert!(one(operator.metric("idp_operator_objects", &[&label, "ready=\"True\""]).await), "{kind}");
        assert!(operator.metric("idp_operator_reconciles_total", &[&label, "result=\"ok\""]).await > 0.5, "{kind}");
        assert!(operator.metric("idp_operator_reconcile_duration_seconds_count", &[&label]).await > 0.5, "{kind}");
    }
    assert!(operator.metric("idp_operator_keys_fetches_total", &["result=\"ok\""]).await > 0.5);
    assert!(operator.metric("idp_operator_keys_verified_timestamp_seconds", &[&scene.namespace]).await > 1e9);
    let status = ["verb=\"patch\"", "kind=\"identityproviders/status\"", "code=\"200\""];
    assert!(operator.metric("idp_operator_api_requests_total", &status).await > 0.5);
    // On the API server's clock and this one's, give or take an hour.
    let now = scene.api::<StrategyInstance>().get("bad").await.unwrap().metadata.creation_timestamp.unwrap().0;
    for watch in ["IdentityProvider", "Secret", "ConfigMap"] {
        let label = format!("kind=\"{watch}\"");
        let seen = operator.metric("idp_operator_watch_last_event_timestamp_seconds", &[&label]).await;
        #[allow(clippy::cast_precision_loss)] // seconds
        let age = now.as_second() as f64 - seen;
        assert!(age.abs() < 3600.0, "{watch}: {age}");
    }
}

async fn format_is_open_metrics_or_what_is_asked_for(operator: &Operator) {
    let is_of_type = |head: &str, expected: &str| {
        assert!(head.lines().any(|line| line.eq_ignore_ascii_case(&format!("content-type: {expected}"))), "{head}");
    };
    let (head, _) = operator.get_with("/metrics", "").await;
    is_of_type(&head, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let (head, text) = operator.get_with("/metrics", "accept: text/plain;version=0.0.4\r\n").await;
    is_of_type(&head, "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.contains("\n# TYPE idp_operator_reconciles_total counter\n") && !text.contains("# EOF"), "{text}");
}

fn lines_are_json_and_name_the_object(log: &str, namespace: &str) {
    let mut named = BTreeSet::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");
        assert!(["ERROR", "WARN", "INFO"].contains(&line["level"].as_str().unwrap()), "{line}");
        assert!(!line["message"].as_str().unwrap().is_empty(), "{line}");
        let [kind, name] = ["kind", "name"].map(|field| line[field].as_str().unwrap_or_default().to_owned());
        // Whatever is told within a reconcile is about its object.
        if let Some(object) = line["span"]["object.ref"].as_str() {
            assert_eq!(line["namespace"], namespace, "{line}");
            assert_eq!(object, format!("{kind}.v1alpha1.idp-operator.dev/{name}.{namespace}"), "{line}");
        }
        if line["message"] == "verdict changed" {
            named.insert(format!("{kind}/{name} {}", line["reason"].as_str().unwrap()));
        }
    }
    let expected = [
        "StrategyInstance/bad CapabilityNotSupported",
        "UserIdpAuthenticator/link IdentitySet",
        "UserIdpAuthenticator/link IdpNotFound",
    ];
    assert_eq!(named.into_iter().collect::<Vec<_>>(), expected, "{log}");
}

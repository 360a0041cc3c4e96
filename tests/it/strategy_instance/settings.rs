//! What a type needs of `config` and of the Secret: judged, watched, and never shown.

use std::collections::BTreeSet;

use idp_operator::api::StrategyInstance;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::{
    hygiene::needles::Needles,
    program::{so, soon},
    support::{
        Scene, ready,
        scene::{conditions, core, version},
    },
};

const LACKS_BOTH: &str =
    "Secret 'settings' must have the keys clientId, clientSecret, and not empty: type 'github' needs it";

fn github() -> Value {
    json!({ "type": "github", "configSecretRef": { "name": "settings" } })
}

/// Waits for this reason and message.
async fn comes_to(scene: &Scene, name: &str, reason: &str, message: &str) -> StrategyInstance {
    let is_so =
        |object: &StrategyInstance| ready(object).is_some_and(|(_, why, told)| why == reason && told == message);
    scene.until(name, is_so).await
}

#[tokio::test]
async fn a_secret_is_waited_for_and_watched() {
    let scene = Scene::new("settings").await;
    let _operator = scene.operator().await;
    let missing = "configSecretRef must name a Secret of this namespace: there is none of the name 'settings'";
    let lacks_secret = "Secret 'settings' must have the key clientSecret, and not empty: type 'github' needs it";
    let in_force = "the flags in status.effective are in force";
    scene.apply::<StrategyInstance>("hub", github()).await;
    let object = comes_to(&scene, "hub", "ConfigSecretNotFound", missing).await;
    assert_eq!(
        conditions(&core(&object)),
        [
            "CapabilitiesSupported=Unknown NotEvaluated",
            "ConfigValid=False ConfigSecretNotFound",
            "FlagsEffective=Unknown NotEvaluated",
            "IdUnique=True Succeeded",
            "Ready=False ConfigSecretNotFound",
            "Reconciling=True ConfigSecretNotFound",
            "TypeKnown=True Succeeded",
        ]
    );
    let error = core(&object).errors.remove(0);
    assert_eq!(
        (error.status.as_str(), error.code.as_str(), error.source.pointer.as_str()),
        ("404", "config-secret-not-found", "/spec/configSecretRef/name")
    );
    let off = json!({ "isLoginActive": false, "isSelfRegisterActive": false, "isSyncActive": false, "doesImplicitRegister": false });
    assert_eq!(serde_json::to_value(object.status.as_ref().unwrap().effective).unwrap(), off);

    // Each step by a watch alone.
    scene.secret_with("settings", &[("other", "x")]).await;
    comes_to(&scene, "hub", "ConfigSecretNotFound", LACKS_BOTH).await;
    scene.secret_with("settings", &[("clientId", "x"), ("clientSecret", "")]).await;
    comes_to(&scene, "hub", "ConfigSecretNotFound", lacks_secret).await;
    scene.secret_with("settings", &[("clientId", "x"), ("clientSecret", "y")]).await;
    let object = comes_to(&scene, "hub", "Ready", in_force).await;
    assert_eq!(core(&object).errors, vec![]);
    let on = json!({ "isLoginActive": true, "isSelfRegisterActive": true, "isSyncActive": true, "doesImplicitRegister": true });
    assert_eq!(serde_json::to_value(object.status.as_ref().unwrap().effective).unwrap(), on);
    scene.secret_with("settings", &[("clientId", "x")]).await;
    comes_to(&scene, "hub", "ConfigSecretNotFound", lacks_secret).await;
    scene.delete::<Secret>("settings").await;
    comes_to(&scene, "hub", "ConfigSecretNotFound", missing).await;
}

#[tokio::test]
async fn a_value_that_is_rotated_is_looked_at_and_nothing_is_written() {
    let scene = Scene::new("settings").await;
    let operator = scene.operator().await;
    scene.secret_with("settings", &[("clientId", "x"), ("clientSecret", "y")]).await;
    scene.apply::<StrategyInstance>("hub", github()).await;
    let before: StrategyInstance = scene.verdict("hub", "True", "Ready").await;
    let reconciles = async || operator.metric("idp_operator_reconciles_total", &["StrategyInstance", "ok"]).await;
    let writes = operator.writes().await;
    for value in ["z", "zz", "zzz"] {
        let looked = reconciles().await;
        scene.secret_with("settings", &[("clientId", "x"), ("clientSecret", value), ("more", value)]).await;
        soon("it is looked at", async || so(reconciles().await > looked)).await;
    }
    assert!((operator.writes().await - writes).abs() < f64::EPSILON);
    let after: StrategyInstance = scene.api().get("hub").await.unwrap();
    assert_eq!(version(&after), version(&before));
}

/// What an operator on the highest level writes, searched for values that stand in the wrong and in the right place.
#[tokio::test]
async fn no_value_is_told() {
    let scene = Scene::new("settings").await;
    let operator = scene.start().arg("--log-level=trace").ready().await;
    let (in_secret, in_config, in_url) =
        ("a-needle-in-the-secret-1", "a-needle-in-the-config-2", "the-url-s-needle-it-is-3");
    scene.secret_with("settings", &[("clientId", in_secret), ("other", in_secret)]).await;
    scene.apply::<StrategyInstance>("lacking", github()).await;
    comes_to(
        &scene,
        "lacking",
        "ConfigSecretNotFound",
        "Secret 'settings' must have the key clientSecret, and not empty: type 'github' needs it",
    )
    .await;
    scene.secret_with("settings", &[("clientId", in_secret), ("clientSecret", in_secret)]).await;
    scene.verdict::<StrategyInstance>("lacking", "True", "Ready").await;
    let mut exposed = json!({ "type": "jira", "configSecretRef": { "name": "settings" } });
    exposed["config"] =
        json!({ "clientSecret": in_config, "root-url": format!("https://me:{in_url}@jira.example.com") });
    scene.apply::<StrategyInstance>("exposed", exposed).await;
    scene.verdict::<StrategyInstance>("exposed", "False", "InvalidConfig").await;
    scene.event("StrategyInstance/exposed Warning InvalidConfig").await;

    let objects = scene.api::<StrategyInstance>().list(&ListParams::default()).await.unwrap().items;
    let statuses = serde_json::to_string(&objects.iter().map(|object| &object.status).collect::<Vec<_>>()).unwrap();
    let events = scene.api::<k8s_openapi::api::events::v1::Event>().list(&ListParams::default()).await.unwrap();
    let told = [
        ("statuses", statuses),
        ("events", serde_json::to_string(&events.items).unwrap()),
        ("metrics", operator.get("/metrics").await.1),
        ("log", operator.log()),
    ];
    let values = [in_secret, in_config, in_url].map(|value| value.as_bytes().to_vec());
    let needles = Needles::new(&values.into());
    // It finds what is there.
    let secrets = scene.api::<Secret>().list(&ListParams::default()).await.unwrap().items;
    assert!(!needles.found_in(&format!("{secrets:?}")).is_empty());
    for (place, text) in told {
        assert!(!text.is_empty(), "no {place}");
        assert_eq!(needles.found_in(&text), BTreeSet::new(), "{place}");
    }
}

#[tokio::test]
async fn a_secret_is_read_only_where_its_keys_matter() {
    let scene = Scene::new("settings").await;
    let operator = scene.operator().await;
    scene.secret_with("settings", &[("clientId", "x")]).await;
    let named = |type_: &str| json!({ "type": type_, "configSecretRef": { "name": "settings" } });
    scene.apply::<StrategyInstance>("needs-none", named("userpass")).await;
    scene.apply::<StrategyInstance>("wrong-anyway", named("jira")).await;
    scene.verdict::<StrategyInstance>("needs-none", "True", "Ready").await;
    scene.verdict::<StrategyInstance>("wrong-anyway", "False", "InvalidConfig").await;
    let reads =
        async || operator.metric("idp_operator_api_requests_total", &["verb=\"get\"", "kind=\"secrets\""]).await;
    assert!(reads().await < 0.5);
    scene.apply::<StrategyInstance>("needs-two", named("github")).await;
    scene.verdict::<StrategyInstance>("needs-two", "False", "ConfigSecretNotFound").await;
    assert!(reads().await > 0.5);
}

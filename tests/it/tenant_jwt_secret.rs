//! `TenantJwtSecret` on the real API server.

use std::time::Duration;

use base64::Engine as _;
use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use rstest::rstest;
use serde_json::json;

use crate::support::{
    Scene,
    scene::{conditions, core, version},
};

/// 48 bytes that obey every rule for HS256 and HS384.
const GOOD: &str = "Aa1!Bb2@Cc3#Dd4$Ee5%Ff6^Gg7&Hh8*Ii9(Jj0)Kk-_Ll=+";

fn base64(raw: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(raw)
}

fn text(secret: &Secret, key: &str) -> String {
    let data = secret.data.as_ref().and_then(|data| data.get(key));
    data.map(|bytes| String::from_utf8(bytes.0.clone()).unwrap()).unwrap_or_default()
}

fn generated(algorithm: &str) -> serde_json::Value {
    json!({ "tenantId": "acme.example.com", "signingAlgorithm": algorithm })
}

fn referenced(algorithm: &str) -> serde_json::Value {
    json!({ "tenantId": "acme.example.com", "signingAlgorithm": algorithm, "secretRef": { "name": "source" } })
}

#[rstest]
#[case("HS256", 40)]
#[case("HS384", 59)]
#[case("HS512", 79)]
#[tokio::test]
async fn a_generated_secret_obeys_the_policy_and_is_owned(#[case] algorithm: &str, #[case] length: usize) {
    let scene = Scene::new("tjs").await;
    let _operator = scene.operator().await;
    scene.apply::<TenantJwtSecret>("acme", generated(algorithm)).await;
    let object: TenantJwtSecret = scene.verdict("acme", "True", "Ready").await;
    let secret = scene.api::<Secret>().get("acme-jwt").await.unwrap();

    let value = base64::engine::general_purpose::STANDARD.decode(text(&secret, "secret")).unwrap();
    assert_eq!(value.len(), length);
    assert!(value.iter().any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_punctuation));
    assert_eq!(secret.type_.as_deref(), Some("Opaque"));
    assert_eq!(
        secret.data.as_ref().unwrap().keys().collect::<Vec<_>>(),
        ["algorithm", "issued-at", "key-id", "secret"]
    );
    assert_eq!(text(&secret, "algorithm"), algorithm);
    assert_eq!(secret.labels()["idp-operator.dev/managed"], "true");
    assert_eq!(secret.annotations()["idp-operator.dev/tenant-id"], "acme.example.com");
    assert_eq!(secret.annotations()["idp-operator.dev/format"], "1");
    let owner = &secret.owner_references()[0];
    assert_eq!((&owner.uid, owner.controller, owner.block_owner_deletion), (&object.uid().unwrap(), None, None));

    let status = object.status.clone().unwrap();
    assert_eq!(status.secret_name.as_deref(), Some("acme-jwt"));
    assert_eq!(status.key_id, Some(text(&secret, "key-id")));
    assert_eq!(status.algorithm.as_deref(), Some(algorithm));
    assert_eq!(status.issued_time.unwrap().0.to_string(), text(&secret, "issued-at"));
    assert_eq!((status.last_error, status.core.errors), (None, vec![]));
    assert_eq!(
        conditions(&core(&object)),
        [
            "AlgorithmConfigured=True Succeeded",
            "Ready=True Ready",
            "SecretConfigured=True Succeeded",
            "TenantValid=True Succeeded",
        ]
    );
    // A first verdict that is good is no news.
    assert_eq!(scene.events().await, Vec::<String>::new());
}

#[tokio::test]
async fn without_an_algorithm_nothing_is_made_and_the_seed_s_code_says_so() {
    let scene = Scene::new("tjs").await;
    let _operator = scene.operator().await;
    scene.apply::<TenantJwtSecret>("acme", json!({ "tenantId": "acme.example.com" })).await;
    let object: TenantJwtSecret = scene.verdict("acme", "False", "SigningAlgorithmNotConfigured").await;
    assert_eq!(
        conditions(&core(&object)),
        [
            "AlgorithmConfigured=False SigningAlgorithmNotConfigured",
            "Ready=False SigningAlgorithmNotConfigured",
            "SecretConfigured=Unknown NotEvaluated",
            "Stalled=True SigningAlgorithmNotConfigured",
            "TenantValid=True Succeeded",
        ]
    );
    let message = "Signing Algorithm not configured: set signingAlgorithm to HS256, HS384 or HS512";
    let status = object.status.clone().unwrap();
    let id = status.core.errors[0].id.clone();
    assert_eq!(
        serde_json::to_value(&status.core.errors).unwrap(),
        json!([{
            "id": id, "status": "404", "code": "101018", "title": "Signing Algorithm not configured",
            "detail": message, "source": { "pointer": "/spec/signingAlgorithm" },
        }])
    );
    assert_eq!(
        serde_json::to_value(status.last_error).unwrap(),
        json!({ "code": 101_018, "message": "Signing Algorithm not configured", "errors": [message] })
    );
    assert!(scene.api::<Secret>().get_opt("acme-jwt").await.unwrap().is_none());
    scene.event("TenantJwtSecret/acme Warning SigningAlgorithmNotConfigured").await;

    scene.apply::<TenantJwtSecret>("acme", generated("HS256")).await;
    let object: TenantJwtSecret = scene.verdict("acme", "True", "Ready").await;
    assert_eq!(object.status.unwrap().last_error, None);

    // Taken away again, the secret stays where it is and is still told of.
    let before = version(&scene.api::<Secret>().get("acme-jwt").await.unwrap());
    scene.apply::<TenantJwtSecret>("acme", json!({ "tenantId": "acme.example.com" })).await;
    let object: TenantJwtSecret = scene.verdict("acme", "False", "SigningAlgorithmNotConfigured").await;
    assert_eq!(object.status.unwrap().secret_name.as_deref(), Some("acme-jwt"));
    assert_eq!(version(&scene.api::<Secret>().get("acme-jwt").await.unwrap()), before);
}

#[tokio::test]
async fn a_referenced_value_is_judged_published_and_kept_when_its_source_turns_bad() {
    let scene = Scene::new("tjs").await;
    let _operator = scene.operator().await;
    scene.apply::<TenantJwtSecret>("acme", referenced("HS384")).await;
    let object: TenantJwtSecret = scene.verdict("acme", "False", "AuthenticationSecretNotConfigured").await;
    let status = object.status.clone().unwrap();
    assert_eq!(status.last_error.unwrap().code, 101_019);
    assert!(conditions(&status.core).contains(&"Reconciling=True AuthenticationSecretNotConfigured".to_owned()));

    // 47 bytes: one too few.
    scene.secret("source", "secret", base64(&GOOD[..47]).as_bytes()).await;
    let object: TenantJwtSecret = scene.verdict("acme", "False", "InvalidRequest").await;
    let status = object.status.unwrap();
    assert_eq!(
        serde_json::to_value(status.last_error).unwrap(),
        json!({
            "code": 101_017, "message": "Invalid request",
            "errors": ["the value must be at least 48 bytes for HS384, decoded, but is 47"],
        })
    );
    assert_eq!((status.core.errors[0].status.as_str(), status.core.errors[0].code.as_str()), ("400", "101017"));
    assert!(scene.api::<Secret>().get_opt("acme-jwt").await.unwrap().is_none());

    // Without padding: published with it.
    scene.secret("source", "secret", base64(GOOD).trim_end_matches('=').as_bytes()).await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    let published = scene.api::<Secret>().get("acme-jwt").await.unwrap();
    assert_eq!(text(&published, "secret"), base64(GOOD));

    scene.secret("source", "secret", b"\x01\x02").await;
    let object: TenantJwtSecret = scene.verdict("acme", "False", "InvalidRequest").await;
    assert_eq!(object.status.unwrap().secret_name.as_deref(), Some("acme-jwt"));
    scene.delete::<Secret>("source").await;
    scene.verdict::<TenantJwtSecret>("acme", "False", "AuthenticationSecretNotConfigured").await;
    assert_eq!(version(&scene.api::<Secret>().get("acme-jwt").await.unwrap()), version(&published));

    let other: String = GOOD.chars().rev().collect();
    scene.secret("source", "secret", base64(&other).as_bytes()).await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    let published = scene.until::<Secret>("acme-jwt", |secret| text(secret, "secret") == base64(&other)).await;
    // The source is never changed.
    let source = scene.api::<Secret>().get("source").await.unwrap();
    assert_eq!((source.owner_references(), source.labels().len()), (&[][..], 0));
    assert_ne!(text(&published, "key-id"), "");
    scene.event("TenantJwtSecret/acme Normal SecretRotated").await;
}

#[tokio::test]
async fn another_algorithm_gets_another_value_and_an_edit_of_anything_else_does_not() {
    let scene = Scene::new("tjs").await;
    let _operator = scene.operator().await;
    scene.apply::<TenantJwtSecret>("acme", generated("HS256")).await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    let first = scene.api::<Secret>().get("acme-jwt").await.unwrap();
    scene
        .merge::<TenantJwtSecret>(
            "acme",
            json!({ "metadata": { "annotations": { "a": "b" }, "labels": { "c": "d" } } }),
        )
        .await;
    scene.apply::<TenantJwtSecret>("acme", generated("HS512")).await;
    let object: TenantJwtSecret = scene.verdict("acme", "True", "Ready").await;
    let second = scene.api::<Secret>().get("acme-jwt").await.unwrap();
    assert_eq!(
        (text(&second, "algorithm").as_str(), object.status.unwrap().key_id),
        ("HS512", Some(text(&second, "key-id")))
    );
    assert_ne!((text(&first, "secret"), text(&first, "key-id")), (text(&second, "secret"), text(&second, "key-id")));
}

#[tokio::test]
async fn a_damaged_output_is_repaired_and_a_good_value_never_replaced_for_it() {
    let scene = Scene::new("tjs").await;
    let _operator = scene.operator().await;
    scene.apply::<TenantJwtSecret>("acme", generated("HS256")).await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    let first = scene.api::<Secret>().get("acme-jwt").await.unwrap();

    // What describes the value is restored around it.
    let stripped = json!({
        "metadata": { "labels": null, "annotations": null },
        "data": { "algorithm": null, "key-id": null, "issued-at": null, "foreign": "eA==" },
    });
    scene.merge::<Secret>("acme-jwt", stripped).await;
    let healed = scene
        .until::<Secret>("acme-jwt", |secret| {
            text(secret, "algorithm") == "HS256" && !text(secret, "key-id").is_empty() && secret.labels().len() == 1
        })
        .await;
    assert_eq!(text(&healed, "secret"), text(&first, "secret"));
    assert_eq!(text(&healed, "foreign"), "x");
    assert_eq!(healed.annotations()["idp-operator.dev/tenant-id"], "acme.example.com");

    // A value that breaks the rules is replaced.
    scene.merge::<Secret>("acme-jwt", json!({ "data": { "secret": base64(&base64("too short")) } })).await;
    let repaired = scene.until::<Secret>("acme-jwt", |secret| text(secret, "secret").len() > 40).await;
    assert_ne!(text(&repaired, "secret"), text(&first, "secret"));
    scene.event("TenantJwtSecret/acme Warning SecretRepaired").await;

    // A lost Secret is made again.
    scene.delete::<Secret>("acme-jwt").await;
    let made = scene.until::<Secret>("acme-jwt", |secret| secret.uid() != repaired.uid()).await;
    assert_ne!(text(&made, "secret"), text(&repaired, "secret"));
    scene.event("TenantJwtSecret/acme Warning SecretGenerated").await;
    scene
        .until::<TenantJwtSecret>("acme", |object| {
            object.status.as_ref().is_some_and(|status| status.key_id == Some(text(&made, "key-id")))
        })
        .await;
}

#[tokio::test]
async fn a_foreign_secret_is_never_touched_and_its_going_heals() {
    let scene = Scene::new("tjs").await;
    let foreign = scene.secret("acme-jwt", "secret", b"somebody else's").await;
    let _operator = scene.operator().await;
    scene.apply::<TenantJwtSecret>("acme", generated("HS256")).await;
    let object: TenantJwtSecret = scene.verdict("acme", "False", "SecretConflict").await;
    let status = object.status.unwrap();
    assert_eq!((status.secret_name, status.last_error), (None, None));
    assert_eq!(
        (status.core.errors[0].status.as_str(), status.core.errors[0].code.as_str()),
        ("409", "secret-conflict")
    );
    assert!(conditions(&status.core).contains(&"Stalled=True SecretConflict".to_owned()));
    assert_eq!(version(&scene.api::<Secret>().get("acme-jwt").await.unwrap()), version(&foreign));

    scene.delete::<Secret>("acme-jwt").await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
}

#[tokio::test]
async fn an_immutable_output_is_served_as_it_is_and_told_when_it_would_have_to_change() {
    let scene = Scene::new("tjs").await;
    let _operator = scene.operator().await;
    scene.apply::<TenantJwtSecret>("acme", generated("HS256")).await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    let frozen: Secret = scene.merge("acme-jwt", json!({ "immutable": true })).await;
    scene.apply::<TenantJwtSecret>("acme", generated("HS512")).await;
    let object: TenantJwtSecret = scene.verdict("acme", "False", "SecretImmutable").await;
    assert_eq!(object.status.unwrap().key_id, Some(text(&frozen, "key-id")));
    assert_eq!(version(&scene.api::<Secret>().get("acme-jwt").await.unwrap()), version(&frozen));
}

#[tokio::test]
async fn deleting_the_object_collects_its_secret() {
    let scene = Scene::new("tjs").await;
    let operator = scene.operator().await;
    scene.apply::<TenantJwtSecret>("acme", generated("HS256")).await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    // No operator is needed for it.
    operator.terminate();
    scene.delete::<TenantJwtSecret>("acme").await;
    // The controller-manager learns of new CRDs every 30 s.
    for _ in 0..900 {
        if scene.api::<Secret>().get_opt("acme-jwt").await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the garbage collector left the Secret");
}

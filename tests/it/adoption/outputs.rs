//! `outputs`: further forms of the value.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use crate::support::{
    Scene, Tenant,
    tenant::{Held, Values, text},
};

fn both() -> Value {
    json!({ "outputs": { "jwks": true, "raw": true }, "rotation": { "gracePeriod": "1h" } })
}

fn data<'a>(secret: &'a Secret, key: &str) -> Option<&'a [u8]> {
    secret.data.as_ref().unwrap().get(key).map(|bytes| bytes.0.as_slice())
}

/// The forms are those of the values.
fn are_right(secret: &Secret, values: &Values) {
    let jwk = |held: &Held| {
        let k = URL_SAFE_NO_PAD.encode(STANDARD.decode(&held.value).unwrap());
        json!({ "kty": "oct", "use": "sig", "kid": held.key_id, "alg": held.algorithm, "k": k })
    };
    let keys: Vec<Value> = [Some(&values.current), values.previous.as_ref(), values.next.as_ref()]
        .into_iter()
        .flatten()
        .map(jwk)
        .collect();
    let jwks: Value = serde_json::from_str(&text(secret, "jwks.json").unwrap()).unwrap();
    assert_eq!(jwks, json!({ "keys": keys }));
    assert_eq!(data(secret, "raw").unwrap(), STANDARD.decode(&values.current.value).unwrap());
}

#[tokio::test]
async fn they_come_with_the_value_follow_it_and_go_when_they_are_not_asked_for() {
    let scene = Scene::new("outputs").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let (_, first) = tenant.ready(both()).await;
    are_right(&tenant.output().await, &first);
    tenant.rotate("once").await;
    let (_, second) = tenant.settled(|values| !values.current.is(&first.current)).await;
    are_right(&tenant.output().await, &second);

    let (_, third) = tenant.ready(json!({ "outputs": { "raw": true }, "rotation": { "gracePeriod": "1h" } })).await;
    let output = tenant.until(|secret| data(secret, "jwks.json").is_none()).await;
    assert_eq!((data(&output, "raw").is_some(), &third), (true, &second));
    tenant.ready(json!({ "rotation": { "gracePeriod": "1h" } })).await;
    tenant.until(|secret| data(secret, "raw").is_none()).await;
    // What somebody else puts there is no form of the value.
    tenant.plant(&[("raw", Some("planted")), ("jwks.json", Some("{}"))]).await;
    tenant.until(|secret| data(secret, "raw").is_none() && data(secret, "jwks.json").is_none()).await;
    tenant.ready(both()).await;
    are_right(&tenant.output().await, &second);
    assert_eq!(tenant.settled(|_| true).await.1, second);
    tenant.is_quiet().await;
}

#[tokio::test]
async fn a_referenced_value_of_any_bytes_has_them_too() {
    let scene = Scene::new("outputs").await;
    let _operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    let bytes: Vec<u8> = (0..=255).collect();
    scene.secret("source", "secret", STANDARD.encode(&bytes).as_bytes()).await;
    let (_, values) =
        tenant.ready(json!({ "secretRef": { "name": "source" }, "outputs": { "jwks": true, "raw": true } })).await;
    let output = tenant.output().await;
    assert_eq!(data(&output, "raw").unwrap(), bytes);
    are_right(&output, &values);
}

#[tokio::test]
async fn a_form_that_can_t_be_made_is_not_tried_again_and_again() {
    let scene = Scene::new("outputs").await;
    let operator = scene.operator().await;
    let tenant = Tenant::new(&scene);
    tenant.ready(both()).await;
    let mut without = both();
    without["signingAlgorithm"] = json!(null);
    tenant.apply(without).await;
    scene.verdict::<TenantJwtSecret>("acme", "False", "SigningAlgorithmNotConfigured").await;
    tenant.plant(&[("secret", Some("no base64!"))]).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let before = operator.writes().await;
    for _ in 0..3 {
        tenant.poke().await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert!((operator.writes().await - before).abs() < f64::EPSILON, "{} writes", operator.writes().await - before);
}

//! Envoy with `envoy-jwt-provider.json` as it stands in the output.

use std::time::{Duration, Instant};

use idp_operator::{api::IdentityProvider, desired::envoy::jwt_provider};
use jsonwebtoken::get_current_timestamp;
use serde_json::{Value, json};

use super::{
    gateway::{Answer, Gateway, Site},
    published::Publisher,
};
use crate::support::{
    KeyServer,
    scene::PATIENCE,
    tokens::{Key, but, claims, jwks},
};

const ISSUER: &str = "https://login.example.com";
const NOT_FOR_US: &str = "Audiences in Jwt are not allowed";
const MALFORMED: &str = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections";

fn spec(server: &KeyServer, changed: &Value) -> Value {
    let mut spec = json!({
        "jwtEndpoint": server.url("/jwt"),
        "issuer": ISSUER,
        "keysEndpoint": server.url("/keys"),
        "allowInsecureHttp": true,
    });
    for (name, value) in changed.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec
}

fn refused(why: &str) -> Answer {
    let status = if why == NOT_FOR_US { 403 } else { 401 };
    (status, why.to_owned())
}

#[tokio::test]
#[ignore = "needs what tests/interop/install installs: just interop"]
async fn envoy_accepts_good_tokens_and_no_others() {
    let (rsa, p256, p384, ed25519) = (Key::rsa("rsa"), Key::p256("p256"), Key::p384("p384"), Key::ed25519("ed25519"));
    let stranger = Key::rsa("rsa");
    let server = KeyServer::http(&jwks(&[&rsa, &p256, &p384, &ed25519]).to_string()).await;
    let publisher = Publisher::new().await;
    let output = publisher.publish("login", spec(&server, &json!({ "audiences": ["api", "web"] }))).await;
    let site = Site { name: "login", provider: &output["envoy-jwt-provider.json"], header: "authorization" };
    let gateway = Gateway::start(&[site]).await;
    let ask = async |token: &str| gateway.get("login", &[("authorization", &format!("Bearer {token}"))]).await;

    let good = claims(ISSUER, "api");
    for (key, algorithm) in [
        (&rsa, "RS256"),
        (&rsa, "RS384"),
        (&rsa, "RS512"),
        (&rsa, "PS256"),
        (&rsa, "PS384"),
        (&rsa, "PS512"),
        (&p256, "ES256"),
        (&p384, "ES384"),
        (&ed25519, "EdDSA"),
    ] {
        let token = key.token(algorithm, &good);
        // It reaches the service.
        assert_eq!(ask(&token).await, (200, format!("Bearer {token}")), "{algorithm}");
    }
    let sign = |claims: &Value| p256.token("ES256", claims);
    let now = get_current_timestamp();
    for accepted in [
        claims(ISSUER, "web"),
        but(&good, "aud", json!(["other", "web"])),
        // Within the clock skew.
        but(&good, "nbf", json!(now + 2)),
    ] {
        let token = sign(&accepted);
        assert_eq!(ask(&token).await, (200, format!("Bearer {token}")), "{accepted}");
    }

    // What it leaves to the service: docs/consumers.md says so.
    for token in [
        sign(&but(&good, "iat", Value::Null)),
        sign(&but(&good, "iat", json!(now - 7200))),
        p256.critical("ES256", &good),
    ] {
        assert_eq!(ask(&token).await.0, 200, "{token}");
    }

    for (token, why) in [
        (stranger.token("RS256", &good), "Jwt verification fails"),
        (p256.token_as("rsa", "ES256", &good), "Jwt verification fails"),
        (p256.token_as("new", "ES256", &good), "Jwks doesn't have key to match kid or alg from Jwt"),
        (sign(&but(&good, "iss", json!("https://login.example.org"))), "Jwt issuer is not configured"),
        (sign(&but(&good, "iss", json!("https://login.example.com/"))), "Jwt issuer is not configured"),
        (sign(&but(&good, "iss", Value::Null)), "Jwt issuer is not configured"),
        (sign(&but(&good, "aud", json!("other"))), NOT_FOR_US),
        (sign(&but(&good, "aud", Value::Null)), NOT_FOR_US),
        (sign(&but(&good, "exp", json!(now - 10))), "Jwt is expired"),
        (sign(&but(&good, "exp", Value::Null)), "Jwt verification fails"),
        (sign(&but(&good, "nbf", json!(now + 60))), "Jwt not yet valid"),
        (rsa.unsigned(&good), MALFORMED),
        (p256.token("none", &good), "Jwt header [alg] is not supported"),
        (rsa.confused(&good), "Jwt verification fails"),
        ("e30.e30.AA".to_owned(), "Jwt header [alg] field is required and must be a string"),
        (String::new(), "Jwt is missing"),
    ] {
        assert_eq!(ask(&token).await, refused(why), "{token}");
    }

    let token = sign(&good);
    assert_eq!(gateway.get("login", &[]).await, refused("Jwt is missing"));
    assert_eq!(gateway.get("login", &[("authorization", &token)]).await, refused("Jwt is missing"));
    assert_eq!(gateway.get(&format!("login?access_token={token}"), &[]).await, refused("Jwt is missing"));
    // A good token does not cover for a bad one.
    let [one, other] = [format!("Bearer {token}"), format!("Bearer {}", rsa.unsigned(&good))];
    let both = gateway.get("login", &[("authorization", &one), ("authorization", &other)]).await;
    assert_eq!(both, refused(MALFORMED));
}

#[tokio::test]
#[ignore = "needs what tests/interop/install installs: just interop"]
async fn in_a_header_of_its_own_a_token_stands_alone() {
    let key = Key::p256("one");
    let server = KeyServer::http(&jwks(&[&key]).to_string()).await;
    let publisher = Publisher::new().await;
    let output =
        publisher.publish("login", spec(&server, &json!({ "headerName": "X-Jwt-Assertion", "clockSkew": "0s" }))).await;
    let site = Site { name: "login", provider: &output["envoy-jwt-provider.json"], header: "x-jwt-assertion" };
    let gateway = Gateway::start(&[site]).await;
    // There are no audiences: none and any are good.
    let good = claims(ISSUER, "other");
    for accepted in [&good, &but(&good, "aud", Value::Null)] {
        let token = key.token("ES256", accepted);
        assert_eq!(gateway.get("login", &[("x-jwt-assertion", &token)]).await, (200, token.clone()));
        assert_eq!(gateway.get("login", &[("X-JWT-ASSERTION", &token)]).await, (200, token.clone()));
        let with_scheme = format!("Bearer {token}");
        let answer = gateway.get("login", &[("x-jwt-assertion", &with_scheme)]).await;
        assert_eq!(answer, refused("Jwt header is an invalid JSON"));
        assert_eq!(gateway.get("login", &[("authorization", &with_scheme)]).await, refused("Jwt is missing"));
    }
    // No tolerance is not Envoy's default one.
    let expired = key.token("ES256", &but(&good, "exp", json!(get_current_timestamp() - 10)));
    assert_eq!(gateway.get("login", &[("x-jwt-assertion", &expired)]).await, refused("Jwt is expired"));
}

#[tokio::test]
#[ignore = "needs what tests/interop/install installs: just interop"]
async fn any_text_of_an_identity_provider_is_loaded_by_envoy_and_compared_as_it_is() {
    let key = Key::p256("one");
    let server = KeyServer::http(&jwks(&[&key]).to_string()).await;
    let publisher = Publisher::new().await;
    let long = "i".repeat(200);
    let texts = ["no", "null", "1e3", "a: b # c", "\"'\\", "{{ .Values.issuer }}", "ä🔑\u{2028}z", "%REQ(x)%", &long];
    let header = "!#$%&'*+-.^_`|~09azAZ";
    let mut providers = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let name = format!("idp-{number}");
        let changed = json!({ "issuer": text, "audiences": [text], "headerName": header });
        let output = publisher.publish(&name, spec(&server, &changed)).await;
        providers.push((name, output["envoy-jwt-provider.json"].clone()));
    }
    let sites: Vec<Site> = providers.iter().map(|(name, provider)| Site { name, provider, header: "x" }).collect();
    let gateway = Gateway::start(&sites).await;
    for (text, (name, _)) in texts.iter().zip(&providers) {
        let good = claims(text, text);
        let ask = async |claims: &Value| gateway.get(name, &[(header, &key.token("ES256", claims))]).await;
        assert_eq!(ask(&good).await.0, 200, "{text}");
        assert_eq!(ask(&but(&good, "iss", json!("other"))).await, refused("Jwt issuer is not configured"), "{text}");
        assert_eq!(ask(&but(&good, "aud", json!("other"))).await, refused(NOT_FOR_US), "{text}");
    }
}

#[tokio::test]
#[ignore = "needs what tests/interop/install installs: just interop"]
async fn envoy_takes_up_other_keys_while_it_runs_but_never_an_empty_set() {
    let (old, new) = (Key::p256("old"), Key::p256("new"));
    let server = KeyServer::http(&jwks(&[&old]).to_string()).await;
    let publisher = Publisher::new().await;
    let output = publisher.publish("login", spec(&server, &json!({}))).await;
    let site = |provider| [Site { name: "login", provider, header: "authorization" }];
    let gateway = Gateway::start(&site(&output["envoy-jwt-provider.json"])).await;
    let ask = async |key: &Key| {
        let token = key.token("ES256", &claims(ISSUER, "api"));
        gateway.get("login", &[("authorization", &format!("Bearer {token}"))]).await.0
    };
    assert_eq!((ask(&old).await, ask(&new).await), (200, 401));

    server.answer("200 OK", "", &jwks(&[&new]).to_string());
    publisher.refresh("login", "rotated").await;
    let output = publisher.until("login", |output| output["jwks.json"].contains("new")).await;
    gateway.deliver(&site(&output["envoy-jwt-provider.json"]));
    let deadline = Instant::now() + PATIENCE;
    while ask(&new).await != 200 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ask(&old).await, 401);

    // Withdrawn keys come as no provider at all: with an empty set in it, Envoy would go on with the one before.
    publisher.scene.apply::<IdentityProvider>("login", spec(&server, &json!({ "state": "Inactive" }))).await;
    let withdrawn = publisher.until("login", |output| output["jwks.json"] == r#"{"keys":[]}"#).await;
    assert_eq!(withdrawn.keys().collect::<Vec<_>>(), ["jwks.json"]);
    let provider = jwt_provider(ISSUER, &[], "authorization", Duration::from_secs(3), &withdrawn["jwks.json"]);
    gateway.deliver(&site(&provider));
    let deadline = Instant::now() + PATIENCE;
    while gateway.rejections().await == 0 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ask(&new).await, 200);
    let log = Gateway::try_start(&site(&provider)).await.err().unwrap();
    assert!(log.contains("Jwks doesn't have any valid public key"), "{log}");
}

//! Examples: tests of a configuration that its author ships with it.

use idp_operator::api::{IdentityProvider, UserIdpAuthenticator};
use serde_json::{Value, json};

use super::Idp;
use crate::support::{
    Scene,
    scene::core,
    tokens::{Key, jwks},
};

const ISSUER: &str = "https://login.example.com";
const FAILED: &str = "False ExampleFailed ExamplesPassed-ExampleFailed: one";

/// Claims of the first of January 2026, midnight, for an hour.
fn claims(audience: &str) -> Value {
    json!({ "iss": ISSUER, "aud": audience, "sub": "mini", "iat": 1_767_225_600, "exp": 1_767_229_200 })
}

fn example(name: &str, token: &str, expect: &str) -> Value {
    json!({ "name": name, "token": token, "at": "2026-01-01T00:30:00Z", "expect": expect })
}

async fn passed(scene: &Scene) -> String {
    let object: IdentityProvider = scene.api().get("login").await.unwrap();
    let core = core(&object);
    let passed = core.condition("ExamplesPassed").unwrap();
    format!("{}: {}", passed.status, passed.message)
}

#[tokio::test]
async fn an_example_that_comes_out_otherwise_stops_readiness_but_not_the_keys() {
    let scene = &Scene::new("examples").await;
    let _operator = scene.operator().await;
    let (one, two) = (Key::ed25519("one"), Key::p256("two"));
    let mut idp = Idp::new(scene, "login").await;
    let serve = |idp: &Idp<'_>, keys: &[&Key]| idp.server.answer("200 OK", "", &jwks(keys).to_string());
    serve(&idp, &[&one]);
    let good = one.token("EdDSA", &claims("api"));
    let examples = json!([
        example("good", &good, "Accept"),
        example("by-header", &format!("Bearer {good}"), "Accept"),
        example("for-others", &one.token("EdDSA", &claims("shop")), "Reject"),
        example("forged", &two.token_as("one", "ES256", &claims("api")), "Reject"),
        example("of-another-key", &two.token("ES256", &claims("api")), "Accept"),
        { "name": "late", "claims": claims("api"), "at": "2026-01-01T01:30:00+00:00", "expect": "Reject" },
        { "name": "claims", "claims": claims("api"), "at": "2026-01-01T01:30:00+01:00", "expect": "Accept" },
    ]);
    idp.set(&json!({ "issuer": ISSUER, "audiences": ["api"], "examples": examples })).await;
    idp.comes_to("True Ready: one").await;
    assert_eq!(
        passed(scene).await,
        "True: 6 examples come out as expected; 1 is not judged, as its key is not published"
    );

    // The field that they test is edited: each that comes out otherwise is told, and a link is not in force.
    let link = json!({ "userId": "1", "idpRef": { "name": "login" }, "idpUserId": "2", "idpUserName": "3" });
    scene.apply::<UserIdpAuthenticator>("link", link).await;
    scene.verdict::<UserIdpAuthenticator>("link", "True", "IdentitySet").await;
    idp.set(&json!({ "audiences": ["shop"] })).await;
    idp.comes_to(FAILED).await;
    scene.verdict::<UserIdpAuthenticator>("link", "False", "IdpNotReady").await;
    let object: IdentityProvider = scene.api().get("login").await.unwrap();
    let told = core(&object);
    assert_eq!(told.condition("Stalled").unwrap().reason, "ExampleFailed");
    let aud = "the claim 'aud' must be or hold one of audiences, byte for byte";
    let cure = "correct the example, or the field that it tests";
    assert_eq!(
        told.condition("Ready").unwrap().message,
        format!(
            "example 'good' must be accepted, but is rejected: {aud}; example 'by-header' must be accepted, but is rejected: {aud}; \
             example 'for-others' must be rejected, but is accepted; example 'claims' must be accepted, but is rejected: {aud}; {cure}"
        )
    );
    let errors: Vec<String> = told
        .errors
        .iter()
        .map(|error| format!("{} {} {} {}", error.status, error.code, error.source.pointer, error.detail))
        .collect();
    assert_eq!(
        errors,
        [
            format!(
                "400 example-failed /spec/examples/0 example 'good' must be accepted, but is rejected: {aud}; {cure}"
            ),
            format!(
                "400 example-failed /spec/examples/1 example 'by-header' must be accepted, but is rejected: {aud}; {cure}"
            ),
            format!(
                "400 example-failed /spec/examples/2 example 'for-others' must be rejected, but is accepted; {cure}"
            ),
            format!(
                "400 example-failed /spec/examples/6 example 'claims' must be accepted, but is rejected: {aud}; {cure}"
            ),
        ]
    );
    let ids: Vec<&str> = told.errors.iter().map(|error| error.id.as_str()).collect();
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());

    // Its keys are looked after all the same, in a rotation too.
    serve(&idp, &[&one, &two]);
    let patch = json!({ "metadata": { "annotations": { "idp-operator.dev/refresh": "1" } } });
    scene.merge::<IdentityProvider>("login", patch).await;
    idp.comes_to(&FAILED.replace("one", "one two")).await;
    idp.set(&json!({ "audiences": ["api"] })).await;
    idp.comes_to("True Ready: one two").await;
    assert_eq!(passed(scene).await, "True: 7 examples come out as expected");

    // An ordinary rotation fails nothing.
    serve(&idp, &[&two]);
    let patch = json!({ "metadata": { "annotations": { "idp-operator.dev/refresh": "2" } } });
    scene.merge::<IdentityProvider>("login", patch).await;
    idp.comes_to("True Ready: two").await;
    assert_eq!(
        passed(scene).await,
        "True: 3 examples come out as expected; 4 are not judged, as their keys are not published"
    );
    scene.verdict::<UserIdpAuthenticator>("link", "True", "IdentitySet").await;
}

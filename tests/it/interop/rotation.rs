//! Keys of real identity providers, as they are published, and tokens that these providers issue.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use idp_operator::{
    api::identity_provider::Algorithm,
    domain::{
        jwks::KeySet,
        token::{Refusal, Terms, judge_token},
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{provider::Provider, published::Publisher, run_python};
use crate::support::scene::PATIENCE;

const AUDIENCE: &str = "https://api.example.com";

/// What our judge says of a token, by this output: the `kid` and algorithm that it was signed with.
fn judge(output: &BTreeMap<String, String>, audience: &str, token: &str) -> Result<(String, &'static str), Refusal> {
    let keys = KeySet::judge(output["jwks.json"].as_bytes(), &Algorithm::ALL).unwrap();
    let terms = Terms {
        issuer: &output["issuer"],
        audiences: &[audience.to_owned()],
        algorithms: &Algorithm::ALL,
        clock_skew: Duration::from_secs(3),
        max_token_age: Some(Duration::from_hours(1)),
    };
    let accepted = judge_token(token, &terms, keys.keys(), Timestamp::now())?;
    Ok((accepted.key.id.clone().unwrap(), accepted.algorithm.as_str()))
}

/// What `PyJWT` says of a token, by this output: its claims.
fn python_judges(output: &BTreeMap<String, String>, audience: &str, token: &str) -> Result<Value, String> {
    let input = json!({ "jwks": output["jwks.json"], "token": token }).to_string();
    let claims = run_python("published.py", &[&output["issuer"], audience], &input)?;
    Ok(serde_json::from_str(&claims).unwrap())
}

fn ids(output: &BTreeMap<String, String>) -> Vec<String> {
    KeySet::judge(output["jwks.json"].as_bytes(), &Algorithm::ALL).unwrap().ids()
}

#[tokio::test]
#[ignore = "needs what tests/interop/install installs: just interop"]
async fn tokens_of_real_identity_providers_verify_by_what_is_published() {
    let publisher = Publisher::new().await;
    let all = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];
    for (name, kind, algorithms) in [
        ("rsa", "oidc-provider", &["RS256"][..]),
        ("ec", "oidc-provider", &["ES256"]),
        ("ed", "oidc-provider", &["EdDSA"]),
        ("mock", "oauth2-mock-server", &all),
    ] {
        let mut provider = Provider::start(kind, algorithms);
        let output = publisher.publish(name, provider.spec(AUDIENCE)).await;
        let tokens: Vec<String> = algorithms.iter().map(|_| provider.token(AUDIENCE)).collect();
        let mut accepted: Vec<&str> = tokens.iter().map(|token| judge(&output, AUDIENCE, token).unwrap().1).collect();
        let mut expected = algorithms.to_vec();
        accepted.sort_unstable();
        expected.sort_unstable();
        assert_eq!(accepted, expected, "{kind}");
        for token in &tokens {
            let claims = python_judges(&output, AUDIENCE, token).unwrap();
            assert_eq!((&claims["iss"], &claims["aud"]), (&json!(provider.issuer), &json!(AUDIENCE)), "{kind}");
            assert_eq!(judge(&output, "https://other.example.com", token), Err(Refusal::WrongAudience), "{kind}");
            let refused = python_judges(&output, "https://other.example.com", token).unwrap_err();
            assert!(refused.starts_with("InvalidAudienceError"), "{kind}: {refused}");
        }
    }
}

/// Takes tokens, and judges each at once by what is published then, until that has these keys.
async fn judging_until(publisher: &Publisher, provider: &mut Provider, wanted: &[String]) -> usize {
    let deadline = Instant::now() + PATIENCE;
    let mut judged = 0;
    loop {
        let output = publisher.output("login").await;
        let token = provider.token(AUDIENCE);
        assert_eq!(judge(&output, AUDIENCE, &token).map(|_| ()), Ok(()), "{output:?}");
        judged += 1;
        if ids(&output) == wanted {
            return judged;
        }
        assert!(Instant::now() < deadline, "{wanted:?} is not published: {:?}", ids(&output));
    }
}

#[tokio::test]
#[ignore = "needs what tests/interop/install installs: just interop"]
async fn a_rotation_with_a_key_published_ahead_is_followed_without_one_false_refusal() {
    let publisher = Publisher::new().await;
    let mut provider = Provider::start("oidc-provider", &["RS256"]);
    publisher.publish("login", provider.spec(AUDIENCE)).await;
    let mut judged = 0;
    for round in 0..3 {
        let old = provider.token(AUDIENCE);
        let (old_key, _) = judge(&publisher.output("login").await, AUDIENCE, &old).unwrap();

        let both = provider.publish();
        publisher.refresh("login", &format!("{round} publish")).await;
        judged += judging_until(&publisher, &mut provider, &both).await;

        assert_eq!(provider.sign(), both);
        judged += judging_until(&publisher, &mut provider, &both).await;
        let output = publisher.output("login").await;
        let (new_key, _) = judge(&output, AUDIENCE, &provider.token(AUDIENCE)).unwrap();
        assert_ne!(new_key, old_key);
        // What was issued before is good as long as its key is there.
        assert_eq!(judge(&output, AUDIENCE, &old).unwrap().0, old_key);

        let one = provider.retire();
        assert_eq!(one, [new_key]);
        publisher.refresh("login", &format!("{round} retire")).await;
        judged += judging_until(&publisher, &mut provider, &one).await;
        assert_eq!(judge(&publisher.output("login").await, AUDIENCE, &old), Err(Refusal::UnknownKey));
    }
    assert!(judged >= 9, "{judged}");

    // Without publishing ahead, a token is refused until the next fetch.
    provider.publish();
    let both = provider.sign();
    let token = provider.token(AUDIENCE);
    assert_eq!(judge(&publisher.output("login").await, AUDIENCE, &token), Err(Refusal::UnknownKey));
    publisher.refresh("login", "late").await;
    let output = publisher.until("login", |output| ids(output) == both).await;
    assert!(judge(&output, AUDIENCE, &token).is_ok());
}

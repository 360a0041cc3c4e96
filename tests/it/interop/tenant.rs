//! Tokens between services: Rust with jsonwebtoken, Python with `PyJWT`, each with what a pod sees of a tenant's secret.

use idp_operator::domain::secret_output::Role;
use rstest::rstest;
use serde_json::json;

use super::run_python;
use crate::{
    consumers::{Claims, Tenant, bytes, sign, verify, verify_by_set},
    support::Mount,
};

/// What `PyJWT` makes of it; an error is its exception.
fn python(mount: &Mount, arguments: &[&str], input: &str) -> Result<String, String> {
    let (command, rest) = arguments.split_first().unwrap();
    run_python("mounted.py", &[&[command, mount.path().to_str().unwrap()], rest].concat(), input)
}

fn python_signs(mount: &Mount, role: &str, claims: &Claims) -> String {
    python(mount, &["sign", role], &json!(claims).to_string()).unwrap()
}

fn python_verifies(mount: &Mount, how: &str, token: &str) -> Result<Claims, String> {
    python(mount, &[how], token).map(|claims| serde_json::from_str(&claims).unwrap())
}

/// Every way to verify a token, in both languages, comes to these claims.
fn verifies_everywhere(mount: &Mount, token: &str, claims: &Claims) {
    assert_eq!(verify(mount, token).as_ref(), Ok(claims));
    assert_eq!(verify_by_set(mount, token).as_ref(), Ok(claims));
    assert_eq!(python_verifies(mount, "verify", token).as_ref(), Ok(claims));
    assert_eq!(python_verifies(mount, "verify-by-set", token).as_ref(), Ok(claims));
}

#[rstest]
#[case("HS256")]
#[case("HS384")]
#[case("HS512")]
#[tokio::test]
#[ignore = "needs what tests/interop/install installs: just interop"]
async fn what_one_library_signs_the_other_verifies(#[case] algorithm: &str) {
    let tenant = Tenant::new(algorithm, json!({})).await;
    let claims = Claims::of("mini");
    for token in [sign(&tenant.mount, Role::Current, &claims), python_signs(&tenant.mount, "current", &claims)] {
        verifies_everywhere(&tenant.mount, &token, &claims);
        assert_eq!(python_verifies(&tenant.mount, "verify-raw", &token).as_ref(), Ok(&claims));
    }
}

#[tokio::test]
#[ignore = "needs what tests/interop/install installs: just interop"]
async fn tokens_of_the_current_the_previous_and_the_next_value_verify_and_of_a_removed_one_not() {
    let mut tenant = Tenant::new("HS256", json!({ "gracePeriod": "1h" })).await;
    let claims = Claims::of("mini");
    let old = [sign(&tenant.mount, Role::Current, &claims), python_signs(&tenant.mount, "current", &claims)];
    tenant.rotate().await;
    // From now on there is a lead time too: a further rotation leaves the previous value where it is.
    tenant.set(json!({ "gracePeriod": "1h", "leadTime": "1h" }), |_| true).await;
    tenant.rotate().await;
    let new: Vec<String> = [(Role::Current, "current"), (Role::Previous, "previous"), (Role::Next, "next")]
        .into_iter()
        .flat_map(|(role, name)| [sign(&tenant.mount, role, &claims), python_signs(&tenant.mount, name, &claims)])
        .collect();
    assert_eq!(tenant.ids().len(), 3);
    for token in old.iter().chain(&new) {
        verifies_everywhere(&tenant.mount, token, &claims);
    }

    tenant
        .set(json!({ "gracePeriod": "0s", "leadTime": "1h" }), |secret| bytes(secret, "previous-secret").is_empty())
        .await;
    for token in &old {
        assert!(verify(&tenant.mount, token).is_err() && verify_by_set(&tenant.mount, token).is_err());
        for how in ["verify", "verify-by-set"] {
            let refused = python_verifies(&tenant.mount, how, token).unwrap_err();
            assert!(refused.starts_with("KeyError"), "{refused}");
        }
    }
}

#[tokio::test]
#[ignore = "needs what tests/interop/install installs: just interop"]
async fn a_token_of_another_tenant_s_value_is_refused() {
    let (tenant, other) = (Tenant::new("HS384", json!({})).await, Tenant::new("HS384", json!({})).await);
    let claims = Claims::of("mini");
    // It says that it was signed with the tenant's value.
    let forge = other.mount_with("key-id", tenant.mount.text("key-id").as_bytes());
    for token in [sign(&forge, Role::Current, &claims), python_signs(&forge, "current", &claims)] {
        assert_eq!(verify(&tenant.mount, &token).unwrap_err().to_string(), "InvalidSignature");
        assert_eq!(verify_by_set(&tenant.mount, &token).unwrap_err().to_string(), "InvalidSignature");
        for how in ["verify", "verify-by-set", "verify-raw"] {
            let refused = python_verifies(&tenant.mount, how, &token).unwrap_err();
            assert!(refused.starts_with("InvalidSignatureError"), "{refused}");
        }
    }
}

#[tokio::test]
#[ignore = "needs what tests/interop/install installs: just interop"]
async fn the_text_of_the_value_is_not_its_key() {
    let tenant = Tenant::new("HS512", json!({})).await;
    let claims = Claims::of("mini");
    let token = sign(&tenant.mount, Role::Current, &claims);
    let wrong = tenant.mount_with("raw", tenant.mount.text("secret").as_bytes());
    let refused = python_verifies(&wrong, "verify-raw", &token).unwrap_err();
    assert!(refused.starts_with("InvalidSignatureError"), "{refused}");
}

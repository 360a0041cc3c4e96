//! An `IdentityProvider` for Envoy: a `JwtProvider` of its filter `envoy.filters.http.jwt_authn`.
//!
//! Only fields that every Envoy since 1.30 knows are set: Envoy refuses a configuration that has one it does not know.
//! See <https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/jwt_authn/v3/config.proto>.

use std::time::Duration;

use serde_json::{Value, json};

/// Key of the provider in the output.
pub const KEY: &str = "envoy-jwt-provider.json";

/// An `envoy.extensions.filters.http.jwt_authn.v3.JwtProvider` as JSON, indented, the same text for the same input.
///
/// - `jwks`, a JWK Set with at least one key, stands in it: Envoy refuses a provider without a key.
/// - `audiences`: any one matches; where there are none, Envoy does not check `aud`.
/// - `header_name` is a field name in any case. In `authorization` the token must follow `Bearer ` (RFC 6750); in
///   any other header it stands alone. One provider can't take both: Envoy demands that everything it is told to look for
///   and finds is a good token, and where it looks for a bare one, `Bearer ` is a part of it. The query parameter
///   `access_token`, where Envoy looks by default, is not looked at.
/// - `clock_skew` is rounded up to whole seconds, and to one second at least, as 0 means a minute to Envoy.
/// - A token must have `exp`. It is forwarded, as upstream services mostly look at it too.
#[must_use]
pub fn jwt_provider(issuer: &str, audiences: &[String], header_name: &str, clock_skew: Duration, jwks: &str) -> String {
    let mut members = vec![
        ("issuer", json!(issuer)),
        ("from_headers", json!([location(header_name)])),
        ("forward", json!(true)),
        ("require_expiration", json!(true)),
        ("clock_skew_seconds", json!(seconds(clock_skew))),
        ("local_jwks", json!({ "inline_string": jwks })),
    ];
    if !audiences.is_empty() {
        members.push(("audiences", json!(audiences)));
    }
    let provider: Value = members.into_iter().collect();
    format!("{provider:#}\n")
}

fn location(header_name: &str) -> Value {
    if header_name.eq_ignore_ascii_case("authorization") {
        json!({ "name": header_name, "value_prefix": "Bearer " })
    } else {
        json!({ "name": header_name })
    }
}

/// Whole seconds, as many as Envoy's field holds at most.
fn seconds(skew: Duration) -> u32 {
    let rounded = skew.as_secs().saturating_add(u64::from(skew.subsec_nanos() > 0));
    u32::try_from(rounded.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const JWKS: &str = r#"{"keys":[{"alg":"EdDSA","crv":"Ed25519","kty":"OKP","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    fn parsed(issuer: &str, audiences: &[String], header_name: &str, skew: Duration) -> Value {
        serde_json::from_str(&jwt_provider(issuer, audiences, header_name, skew, JWKS)).unwrap()
    }

    #[test]
    fn a_provider_has_all_that_the_identity_provider_says() {
        let audiences = ["api".to_owned(), "web".to_owned()];
        let skew = Duration::from_secs(3);
        let provider = jwt_provider("https://login.example.com", &audiences, "authorization", skew, JWKS);
        expect![[r#"
            {
              "audiences": [
                "api",
                "web"
              ],
              "clock_skew_seconds": 3,
              "forward": true,
              "from_headers": [
                {
                  "name": "authorization",
                  "value_prefix": "Bearer "
                }
              ],
              "issuer": "https://login.example.com",
              "local_jwks": {
                "inline_string": "{\"keys\":[{\"alg\":\"EdDSA\",\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"use\":\"sig\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"
              },
              "require_expiration": true
            }
        "#]]
        .assert_eq(&provider);
    }

    #[test]
    fn without_audiences_the_field_is_absent() {
        assert_eq!(
            parsed("login", &[], "authorization", Duration::from_mins(5)),
            json!({
                "issuer": "login",
                "from_headers": [{ "name": "authorization", "value_prefix": "Bearer " }],
                "forward": true,
                "require_expiration": true,
                "clock_skew_seconds": 300,
                "local_jwks": { "inline_string": JWKS },
            })
        );
    }

    #[rstest]
    #[case("authorization", json!({ "name": "authorization", "value_prefix": "Bearer " }))]
    #[case("Authorization", json!({ "name": "Authorization", "value_prefix": "Bearer " }))]
    #[case("x-jwt-assertion", json!({ "name": "x-jwt-assertion" }))]
    #[case("!#$%&'*+-.^_`|~09azAZ", json!({ "name": "!#$%&'*+-.^_`|~09azAZ" }))]
    fn only_in_authorization_a_token_follows_bearer(#[case] header_name: &str, #[case] location: Value) {
        assert_eq!(parsed("login", &[], header_name, Duration::ZERO)["from_headers"], json!([location]));
    }

    #[rstest]
    #[case(Duration::ZERO, 1)]
    #[case(Duration::from_millis(1), 1)]
    #[case(Duration::from_secs(1), 1)]
    #[case(Duration::from_millis(1001), 2)]
    #[case(Duration::from_secs(3), 3)]
    #[case(Duration::MAX, u32::MAX)]
    fn a_clock_skew_is_rounded_up_and_never_zero(#[case] skew: Duration, #[case] expected: u32) {
        assert_eq!(parsed("login", &[], "authorization", skew)["clock_skew_seconds"], expected);
    }

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_was(issuer in "\\PC{1,200}", audience in "\\PC{1,200}", header in "[!-~]{1,200}") {
            let provider = parsed(&issuer, std::slice::from_ref(&audience), &header, Duration::from_secs(3));
            prop_assert_eq!(&provider["issuer"], &issuer);
            prop_assert_eq!(&provider["audiences"], &json!([audience]));
            prop_assert_eq!(&provider["from_headers"][0]["name"], &header);
        }
    }
}

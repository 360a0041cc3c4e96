//! An `IdentityProvider` for kube-apiserver: the file of `--authentication-config`.
//!
//! See <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration>. What
//! kube-apiserver demands of it is in its package `k8s.io/apiserver/pkg/apis/apiserver/validation`.

use serde::Serialize;
use serde_saphyr::DoubleQuoted;
use url::Url;

/// Key of the configuration in the output.
pub const KEY: &str = "authentication-configuration.yaml";

/// Kubernetes 1.34 and later load it: all versions that get fixes. `v1beta1` would load from 1.30 on, but a version after
/// 1.36 may drop it, and a control plane that is upgraded with a file that it refuses does not start.
const API_VERSION: &str = "apiserver.config.k8s.io/v1";

const NO_SYSTEM_USER: &str = "!claims.sub.startsWith('system:')";
const NO_SYSTEM_USER_MESSAGE: &str = "sub must not start with 'system:'";

// `DoubleQuoted` where the text is not ours: nothing that YAML 1.1, which kube-apiserver reads, sees in a plain scalar.

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthenticationConfiguration<'a> {
    api_version: &'static str,
    kind: &'static str,
    jwt: [JwtAuthenticator<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JwtAuthenticator<'a> {
    issuer: Issuer<'a>,
    claim_validation_rules: [ClaimValidationRule; 1],
    claim_mappings: ClaimMappings,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issuer<'a> {
    url: DoubleQuoted<&'a str>,
    audiences: Vec<DoubleQuoted<&'a str>>,
    audience_match_policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority: Option<&'a str>,
}

#[derive(Serialize)]
struct ClaimValidationRule {
    expression: &'static str,
    message: &'static str,
}

#[derive(Serialize)]
struct ClaimMappings {
    username: PrefixedClaim,
}

#[derive(Serialize)]
struct PrefixedClaim {
    claim: &'static str,
    prefix: DoubleQuoted<String>,
}

/// An `AuthenticationConfiguration` with this one issuer, as YAML. None where kube-apiserver would refuse it: it demands
/// an audience, and an issuer that is an https URL without user info, query and fragment.
///
/// - A user's name is `<issuer>#<sub>`, so that no issuer's users are taken for those of another one or of the cluster.
///   A `sub` that starts with `system:` is refused all the same. No claim gives groups.
/// - kube-apiserver finds the keys by itself, by `<issuer>/.well-known/openid-configuration`; `ca`, certificates in PEM,
///   is what it trusts there. None: what its host trusts.
#[must_use]
pub fn render(issuer: &str, audiences: &[String], ca: Option<&str>) -> Option<String> {
    // It refuses two that are the same, and an empty one.
    let mut distinct: Vec<&str> =
        audiences.iter().map(String::as_str).filter(|audience| !audience.is_empty()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.is_empty() || !is_loadable(issuer) {
        return None;
    }
    let configuration = AuthenticationConfiguration {
        api_version: API_VERSION,
        kind: "AuthenticationConfiguration",
        jwt: [JwtAuthenticator {
            issuer: Issuer {
                url: DoubleQuoted(issuer),
                audiences: distinct.into_iter().map(DoubleQuoted).collect(),
                // It may be absent where there is one audience only, and means the same then.
                audience_match_policy: "MatchAny",
                certificate_authority: ca,
            },
            claim_validation_rules: [ClaimValidationRule {
                expression: NO_SYSTEM_USER,
                message: NO_SYSTEM_USER_MESSAGE,
            }],
            claim_mappings: ClaimMappings {
                username: PrefixedClaim { claim: "sub", prefix: DoubleQuoted(format!("{issuer}#")) },
            },
        }],
    };
    serde_saphyr::to_string(&configuration).ok()
}

/// Whether kube-apiserver takes it for an issuer's URL, and can look for keys there. Go's `url.Parse`, by which it reads
/// one, is stricter than the URL Standard in some points and laxer in others: both must agree.
fn is_loadable(issuer: &str) -> bool {
    let Some(rest) = issuer.strip_prefix("https://") else {
        return false;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    // No user info ('@'), query or fragment either.
    rest.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'\\'))
        && authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
        && !authority.is_empty()
        && !authority.ends_with(':')
        && percent_encoding_is_whole(rest)
        && Url::parse(issuer).is_ok()
}

/// Whether two hexadecimal digits follow each `%`.
fn percent_encoding_is_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes().take(2);
        digits.len() == 2 && digits.all(|digit| digit.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    const LOGIN: &str = "https://login.example.com";

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn parsed(yaml: &str) -> Value {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn a_configuration_has_all_that_the_identity_provider_says() {
        let ca = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        let text = render(LOGIN, &strings(&["web", "api", "web", ""]), Some(ca)).unwrap();
        expect![[r#"
            apiVersion: apiserver.config.k8s.io/v1
            kind: AuthenticationConfiguration
            jwt:
            - issuer:
                url: "https://login.example.com"
                audiences:
                - "api"
                - "web"
                audienceMatchPolicy: MatchAny
                certificateAuthority: |
                  -----BEGIN CERTIFICATE-----
                  MIIB
                  -----END CERTIFICATE-----
              claimValidationRules:
              - expression: "!claims.sub.startsWith('system:')"
                message: sub must not start with 'system:'
              claimMappings:
                username:
                  claim: sub
                  prefix: "https://login.example.com#"
        "#]]
        .assert_eq(&text);
        assert_eq!(parsed(&text)["jwt"][0]["issuer"]["certificateAuthority"], ca);
    }

    #[test]
    fn without_a_bundle_there_is_no_authority() {
        assert_eq!(
            parsed(&render(LOGIN, &strings(&["api"]), None).unwrap()),
            json!({
                "apiVersion": "apiserver.config.k8s.io/v1",
                "kind": "AuthenticationConfiguration",
                "jwt": [{
                    "issuer": { "url": LOGIN, "audiences": ["api"], "audienceMatchPolicy": "MatchAny" },
                    "claimValidationRules": [{
                        "expression": "!claims.sub.startsWith('system:')",
                        "message": "sub must not start with 'system:'",
                    }],
                    "claimMappings": { "username": { "claim": "sub", "prefix": "https://login.example.com#" } },
                }],
            })
        );
    }

    #[rstest]
    #[case::none(&[])]
    #[case::empty(&[""])]
    fn there_is_no_configuration_without_an_audience(#[case] audiences: &[&str]) {
        assert_eq!(render(LOGIN, &strings(audiences), None), None);
    }

    #[rstest]
    #[case("https://login.example.com")]
    #[case("https://login.example.com/")]
    #[case("https://login.example.com:8443/realms/a_b/~c;d=e,f+g")]
    #[case("https://login_1.example.com/%C3%A4")]
    #[case("https://192.0.2.1")]
    #[case("https://[2001:db8::1]:8443/a:b@c")]
    #[case("https://login.example.com/\"{{quoted}}\"")]
    fn an_https_url_is_an_issuer(#[case] issuer: &str) {
        let text = render(issuer, &strings(&["api"]), None).unwrap();
        let issuer_and_prefix = &parsed(&text)["jwt"][0];
        assert_eq!(issuer_and_prefix["issuer"]["url"], issuer);
        assert_eq!(issuer_and_prefix["claimMappings"]["username"]["prefix"], format!("{issuer}#"));
    }

    #[rstest]
    #[case::a_name("login")]
    #[case::empty("")]
    #[case::http("http://login.example.com")]
    #[case::another_spelling("HTTPS://login.example.com")]
    #[case::no_host("https://")]
    #[case::no_host_but_a_path("https:///login")]
    #[case::no_host_but_a_port("https://:443")]
    #[case::opaque("https:login.example.com")]
    #[case::user("https://user@login.example.com")]
    #[case::user_and_password("https://user:password@login.example.com")]
    #[case::empty_user("https://@login.example.com")]
    #[case::query("https://login.example.com?a=b")]
    #[case::empty_query("https://login.example.com?")]
    #[case::fragment("https://login.example.com#a")]
    #[case::empty_fragment("https://login.example.com#")]
    #[case::space("https://login.example.com/a b")]
    #[case::space_in_host("https://login example.com")]
    #[case::port("https://login.example.com:port")]
    #[case::empty_port("https://login.example.com:")]
    #[case::great_port("https://login.example.com:65536")]
    #[case::braces_in_host("https://{{host}}/")]
    #[case::bracket("https://[2001:db8::1")]
    #[case::percent("https://login.example.com/100%")]
    #[case::percent_and_no_digits("https://login.example.com/%zz")]
    #[case::backslash("https://login.example.com\\a")]
    #[case::not_ascii("https://login.example.com/ä")]
    #[case::next_line("https://login.example.com/\u{85}")]
    fn anything_else_is_not(#[case] issuer: &str) {
        assert_eq!(render(issuer, &strings(&["api"]), None), None);
    }

    #[rstest]
    #[case("no", r#""no""#)]
    #[case("null", r#""null""#)]
    #[case("~", r#""~""#)]
    #[case("1e3", r#""1e3""#)]
    #[case("1:20", r#""1:20""#)]
    #[case("0o17", r#""0o17""#)]
    #[case("2026-11-22", r#""2026-11-22""#)]
    #[case("a: b # c", r#""a: b # c""#)]
    #[case("{{ .Values.audience }}", r#""{{ .Values.audience }}""#)]
    #[case("\"'\\", r#""\"'\\""#)]
    #[case("ä\u{1f511}", "\"ä\u{1f511}\"")]
    // Line breaks to YAML 1.1, and what it refuses.
    #[case("a\u{85}b\u{2028}c\u{2029}d", r#""a\Nb\Lc\Pd""#)]
    #[case("\u{feff}\u{7f}\u{80}", r#""\uFEFF\x7F\x80""#)]
    fn an_audience_is_quoted(#[case] audience: &str, #[case] written: &str) {
        let text = render(LOGIN, &strings(&[audience]), None).unwrap();
        let line = text.lines().find(|line| line.trim_start().starts_with("- \""));
        assert_eq!(line.map(|line| line.trim_start().trim_start_matches("- ")), Some(written));
        assert_eq!(parsed(&text)["jwt"][0]["issuer"]["audiences"], json!([audience]));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_was(path in "[!-~]{0,180}", audience in "\\PC{1,200}") {
            let issuer = format!("{LOGIN}/{path}");
            if let Some(text) = render(&issuer, std::slice::from_ref(&audience), None) {
                let read = parsed(&text);
                let jwt = &read["jwt"][0];
                prop_assert_eq!(&jwt["issuer"]["url"], &issuer);
                prop_assert_eq!(&jwt["issuer"]["audiences"], &json!([audience]));
                prop_assert_eq!(&jwt["claimMappings"]["username"]["prefix"], &format!("{issuer}#"));
            }
        }
    }
}

//! What a strategy's type needs of `spec.config` and of the Secret that `spec.configSecretRef` names.

use k8s_openapi::api::core::v1::Secret;
use url::Url;

use super::{
    catalogue::{Format, StrategyType},
    secret_output,
};
use crate::api::StrategyInstanceSpec;

/// What is wrong with a strategy's settings, as far as its manifest shows. Says nothing of values: they could be secrets
/// that stand in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigFault {
    /// This key of `config` is missing.
    Missing(String),
    /// This key of `config` has only white space.
    Blank(String),
    /// This key of `config` is no absolute http or https URL.
    NotAUrl(String),
    /// This key of `config` belongs in the Secret.
    Exposed(String),
    /// There is no `configSecretRef`, and the type needs these keys of a Secret.
    NoSecret(Vec<String>),
}

/// All that is wrong.
#[must_use]
pub fn faults(spec: &StrategyInstanceSpec, of: &StrategyType) -> Vec<ConfigFault> {
    let config = of.required_config.iter().filter_map(|required| {
        let key = required.key.clone();
        match spec.config.get(&key).map(|value| value.trim()) {
            None => Some(ConfigFault::Missing(key)),
            Some("") => Some(ConfigFault::Blank(key)),
            Some(_) if required.format == Format::Text => None,
            // Not trimmed: a consumer takes it as it is.
            Some(_) => (!spec.config.get(&key).is_some_and(|url| is_url(url))).then_some(ConfigFault::NotAUrl(key)),
        }
    });
    let secrets = of.required_secret_keys.iter();
    let exposed = secrets.filter(|key| spec.config.contains_key(*key)).cloned().map(ConfigFault::Exposed);
    let has_none = spec.config_secret_ref.is_none() && !of.required_secret_keys.is_empty();
    let no_secret = has_none.then(|| ConfigFault::NoSecret(of.required_secret_keys.clone()));
    config.chain(exposed).chain(no_secret).collect()
}

/// Absolute http or https with a host, and without user info and fragment; written as RFC 3986 has it, not as browsers
/// mend it.
fn is_url(text: &str) -> bool {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    let Some(scheme) = ["http://", "https://"].into_iter().find(|scheme| lower.starts_with(scheme)) else {
        return false;
    };
    let rest = text.get(scheme.len()..).unwrap_or_default();
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let is_mended = |character: char| character.is_whitespace() || character.is_control() || character == '\\';
    !authority.is_empty()
        && !authority.contains('@')
        && !text.contains('#')
        && !text.contains(is_mended)
        && Url::parse(text).is_ok_and(|url| url.has_host())
}

/// What is known of the Secret of `configSecretRef`. Of its values nothing but that they are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigSecret {
    /// None is named, or it makes no difference.
    Unread,
    /// There is none of that name.
    NotFound,
    /// It is there, but for a value of each of these keys.
    Lacks(Vec<String>),
}

impl ConfigSecret {
    /// Looks for what a type needs.
    #[must_use]
    pub fn of(secret: Option<&Secret>, of: &StrategyType) -> Self {
        let Some(secret) = secret else { return Self::NotFound };
        let is_there = |key: &&String| secret_output::data(secret, key).is_some_and(|value| !value.0.is_empty());
        Self::Lacks(of.required_secret_keys.iter().filter(|key| !is_there(key)).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::catalogue::{self, Catalogue};

    fn spec(type_: &str, change: &Value) -> StrategyInstanceSpec {
        let mut spec = json!({ "type": type_ });
        spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    fn of(type_: &str, change: &Value) -> Vec<ConfigFault> {
        faults(&spec(type_, change), Catalogue::default().get(type_).unwrap())
    }

    #[rstest]
    #[case("https://jira.example.com")]
    #[case("http://jira")]
    #[case("HTTPS://Jira.Example.com:8443/jira/?a=b@c")]
    #[case("https://192.0.2.1/")]
    #[case("https://[2001:db8::1]:8443/jira")]
    #[case("https://jira.example.com/~user@home")]
    #[case("https://münchen.example.com/jira")]
    fn a_url_of_a_server_is_good(#[case] url: &str) {
        assert_eq!(of("jira-token-cloud", &json!({ "config": { "root-url": url } })), []);
    }

    #[rstest]
    #[case::relative("/jira")]
    #[case::no_scheme("jira.example.com")]
    #[case::another_scheme("ftp://jira.example.com")]
    #[case::script("javascript://jira.example.com/%0aalert(1)")]
    #[case::one_slash("https:/jira.example.com")]
    #[case::no_slash("https:jira.example.com")]
    #[case::three_slashes("https:///jira.example.com")]
    #[case::backslashes("https:\\\\jira.example.com")]
    #[case::backslash_in_the_host("https://jira.example.com\\@evil.example.com")]
    #[case::no_host("https://")]
    #[case::only_a_port("https://:443/jira")]
    #[case::only_a_query("https://?jira.example.com")]
    #[case::port_too_large("https://jira.example.com:65536")]
    #[case::port_of_letters("https://jira.example.com:https")]
    #[case::user("https://me@jira.example.com")]
    #[case::empty_user("https://@jira.example.com")]
    #[case::password("https://me:hunter2@jira.example.com")]
    #[case::fragment("https://jira.example.com/#projects")]
    #[case::empty_fragment("https://jira.example.com/#")]
    #[case::space_before(" https://jira.example.com")]
    #[case::line_break_after("https://jira.example.com\n")]
    #[case::tab_inside("https://jira.exa\tmple.com")]
    #[case::space_in_the_path("https://jira.example.com/my projects")]
    #[case::bad_ipv6("https://[2001:db8::1")]
    #[case::bad_ipv4("https://256.0.0.1")]
    #[case::cut_character("https:/é/jira.example.com")]
    fn anything_else_is_none(#[case] url: &str) {
        let expected = [ConfigFault::NotAUrl("root-url".to_owned())];
        assert_eq!(of("jira-token-cloud", &json!({ "config": { "root-url": url } })), expected);
    }

    #[test]
    fn all_faults_are_found_at_once_and_more_than_is_needed_is_none() {
        let key = |key: &str| key.to_owned();
        let both = vec![key("clientId"), key("clientSecret")];
        let named = json!({ "configSecretRef": { "name": "a" } });
        assert_eq!(of("userpass", &json!({})), []);
        assert_eq!(of("userpass", &json!({ "config": { "clientSecret": "of nobody's business" } })), []);
        assert_eq!(of("userpass", &named), []);
        assert_eq!(of("github", &named), []);
        assert_eq!(of("github", &json!({})), [ConfigFault::NoSecret(both.clone())]);
        assert_eq!(
            of("jira", &json!({ "config": { "clientSecret": "", "clientId": "x", "root-url": "x", "other": " " } })),
            [
                ConfigFault::NotAUrl(key("root-url")),
                ConfigFault::Exposed(key("clientId")),
                ConfigFault::Exposed(key("clientSecret")),
                ConfigFault::NoSecret(both),
            ]
        );
        assert_eq!(of("jira-token-cloud", &json!({})), [ConfigFault::Missing(key("root-url"))]);
        let blank = json!({ "config": { "root-url": " \u{a0}\n" } });
        assert_eq!(of("jira-token-cloud", &blank), [ConfigFault::Blank(key("root-url"))]);
    }

    #[test]
    fn a_text_may_be_anything_but_blank() {
        let file = b"types: {a: {canLoginRegister: true, canSync: true, allowsImplicitSignup: true, requiredConfig: [{key: k}]}}";
        let catalogue = catalogue::parse(file).unwrap();
        let of = |value: &str| faults(&spec("a", &json!({ "config": { "k": value } })), catalogue.get("a").unwrap());
        assert_eq!(of(" ftp://x # \u{0} "), []);
        assert_eq!(of(""), [ConfigFault::Blank("k".to_owned())]);
    }

    #[test]
    fn a_secret_lacks_the_keys_that_are_missing_or_empty() {
        let catalogue = Catalogue::default();
        let secret = |data: &[(&str, &str)]| Secret {
            data: Some(
                data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))).collect(),
            ),
            ..Secret::default()
        };
        let look = |secret: Option<&Secret>| ConfigSecret::of(secret, catalogue.get("github").unwrap());
        let lacks = |keys: &[&str]| ConfigSecret::Lacks(keys.iter().map(|key| (*key).to_owned()).collect());
        assert_eq!(look(None), ConfigSecret::NotFound);
        assert_eq!(look(Some(&Secret::default())), lacks(&["clientId", "clientSecret"]));
        assert_eq!(look(Some(&secret(&[]))), lacks(&["clientId", "clientSecret"]));
        assert_eq!(look(Some(&secret(&[("clientId", "x"), ("clientSecret", "")]))), lacks(&["clientSecret"]));
        assert_eq!(look(Some(&secret(&[("clientid", "x"), ("clientSecret", "x")]))), lacks(&["clientId"]));
        assert_eq!(look(Some(&secret(&[("clientId", " "), ("clientSecret", "x"), ("a", "")]))), lacks(&[]));
        let string_data = Some(BTreeMap::from([("clientId".to_owned(), "x".to_owned())]));
        let unsaved = Secret { string_data, ..secret(&[("clientSecret", "x")]) };
        assert_eq!(look(Some(&unsaved)), lacks(&["clientId"]));
    }
}

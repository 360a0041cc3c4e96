//! What a strategy's type needs of `spec.config` and of the Secret that `spec.configSecretRef` names.

use std::net::{Ipv4Addr, Ipv6Addr};

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
        match (spec.config.get(&key), required.format) {
            (None, _) => Some(ConfigFault::Missing(key)),
            (Some(value), _) if value.trim().is_empty() => Some(ConfigFault::Blank(key)),
            (Some(url), Format::Url) if !is_url(url) => Some(ConfigFault::NotAUrl(key)),
            (Some(_), _) => None,
        }
    });
    let secrets = of.required_secret_keys.iter();
    let exposed = secrets.filter(|key| spec.config.contains_key(*key)).cloned().map(ConfigFault::Exposed);
    let has_none = spec.config_secret_ref.is_none() && !of.required_secret_keys.is_empty();
    let no_secret = has_none.then(|| ConfigFault::NoSecret(of.required_secret_keys.clone()));
    config.chain(exposed).chain(no_secret).collect()
}

/// Absolute http or https with a host, and without user info and fragment, as RFC 3986 has it: what browsers would mend,
/// and placeholders that nobody filled in, are none. Other letters have to stand there as punycode and per cent codes.
fn is_url(text: &str) -> bool {
    let rest =
        text.split_once("://").filter(|(scheme, _)| matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https"));
    let Some((_, rest)) = rest else { return false };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    is_server(authority) && is_path(path) && Url::parse(text).is_ok_and(|url| url.has_host())
}

/// A host, perhaps with a port: an IP address, or a DNS name. Services of container networks have `_` in theirs.
fn is_server(authority: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(address) = authority.strip_prefix('[') {
        let Some((address, rest)) = address.split_once(']') else { return false };
        return address.parse::<Ipv6Addr>().is_ok() && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // What ends in a number is an address, whose short and hexadecimal forms are read in more ways than one.
    let is_number =
        |label: &str| label.starts_with(|character: char| character.is_ascii_digit()) && label.parse::<u64>().is_ok();
    let ends_in_number =
        name.rsplit('.').next().is_some_and(|last| is_number(last) || last.to_ascii_lowercase().starts_with("0x"));
    is_port(port)
        && name.len() <= 253
        && name.split('.').all(is_label)
        && (!ends_in_number || host.parse::<Ipv4Addr>().is_ok())
}

/// Path and query (RFC 3986, 3.3 and 3.4).
fn is_path(text: &str) -> bool {
    let is_hex = |digit: Option<&u8>| digit.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => is_hex(bytes.get(at + 1)) && is_hex(bytes.get(at + 2)),
        _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(byte),
    })
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
    #[case("https://xn--mnchen-3ya.example.com/%C3%BC?q=a%20b&c='*'")]
    #[case("http://jira_server.")]
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
    #[case::placeholder("https://${JIRA_HOST}/")]
    #[case::placeholder_in_parentheses("https://$(x)/")]
    #[case::placeholder_in_a_host("https://{tenant}.example.com")]
    #[case::placeholder_in_a_path("https://jira.example.com/{tenant}")]
    #[case::wildcard("https://*.example.com")]
    #[case::two_hosts("https://a.example.com,b.example.com")]
    #[case::semicolon("https://jira.example.com;x/")]
    #[case::quotes("https://'x'.example.com")]
    #[case::empty_label("https://jira..example.com")]
    #[case::only_a_dot("https://./")]
    #[case::long_label("https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.com")]
    #[case::zero_width_space("https://jira\u{200b}.example.com")]
    #[case::soft_hyphen("https://ji\u{ad}ra.example.com")]
    #[case::byte_order_mark("https://\u{feff}jira.example.com")]
    #[case::full_width("https://ｊira.example.com")]
    #[case::other_letters("https://münchen.example.com")]
    #[case::coded_dot("https://jira%2eexample.com")]
    #[case::address_as_one_number("https://2130706433/")]
    #[case::short_address("https://127.1")]
    #[case::hexadecimal_address("https://0x7f.1")]
    #[case::hexadecimal_end("https://127.0x1")]
    #[case::hexadecimal_end_in_capitals("https://127.0X1")]
    #[case::zone("https://[fe80::1%25eth0]/")]
    #[case::after_ipv6("https://[2001:db8::1]x/")]
    #[case::angle("https://jira.example.com/<b>")]
    #[case::bad_code("https://jira.example.com/%zz")]
    #[case::cut_code("https://jira.example.com/%4")]
    #[case::right_to_left("https://jira.example.com/\u{202e}")]
    #[case::brackets_in_the_query("https://jira.example.com/?a[]=1")]
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

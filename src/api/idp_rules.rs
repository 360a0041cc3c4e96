//! CEL rules of an `IdentityProvider`.

use serde_json::{Value, json};

use super::rules::{identifier_rule, is_duration, presence, rule, rule_on};

/// Rules on the spec: what depends on another field, and what is not to be repeated in a refusal.
#[must_use]
pub fn spec() -> Vec<Value> {
    let mut rules = endpoints(&["jwtEndpoint", "keysEndpoint"]);
    rules.push(presence("publish"));
    rules
}

/// Parent rules on endpoints: what depends on another field, and what is not to be repeated in a refusal.
#[must_use]
fn endpoints(fields: &[&str]) -> Vec<Value> {
    fields
        .iter()
        .flat_map(|field| {
            [
                rule_on(
                    field,
                    &format!("self.allowInsecureHttp || !self.{field}.startsWith('http://')"),
                    &format!("{field} must be an 'https://' URL, or allowInsecureHttp must be true"),
                ),
                rule_on(
                    field,
                    &format!("!self.{field}.matches('^[a-z]+://[^/?#]*@')"),
                    &format!("{field} must be a URL without user info ('user:password@')"),
                ),
            ]
        })
        .collect()
}

/// A URL with a host, without a fragment; user info is judged by [`endpoints`]. Each mistake breaks exactly one rule.
#[must_use]
pub fn endpoint(field: &str) -> Value {
    const SCHEME: &str = r"self.matches('^https?://')";
    const VISIBLE: &str = r"self.matches('^[!-~]*$')";
    const PORT: &str = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]";
    json!([
        rule(
            &format!("size(self) == 0 || !{VISIBLE} || {SCHEME}"),
            &format!(
                "{field} must be a URL that starts with 'https://', or with 'http://' where allowInsecureHttp is true"
            ),
        ),
        rule(
            VISIBLE,
            &format!(
                "{field} must be a URL of visible ASCII characters, without white space: percent-encode any others, or use Punycode ('xn--') in the host"
            ),
        ),
        rule(r"!self.contains('#')", &format!("{field} must be a URL without a fragment ('#')")),
        rule(
            &format!(
                r"!{SCHEME} || !{VISIBLE} || self.matches('^[a-z]+://([^/?#]*@)?([A-Za-z0-9._-]*[A-Za-z0-9_-]\\.?|\\[[0-9A-Fa-f:.]+\\])(:({PORT}))?([/?#]|$)')"
            ),
            &format!(
                "{field} must be a URL with a host (an IPv6 address in brackets), and a port from 1 to 65535 if any"
            ),
        ),
    ])
}

/// An issuer: compared byte for byte with `iss`; one that is a URL has neither query nor fragment (OpenID Connect
/// Core 1.0, section 2).
#[must_use]
pub fn issuer(field: &str) -> Value {
    json!([
        identifier_rule(field),
        rule(
            r"!self.matches('^https?://') || !self.matches('[?#]')",
            &format!("{field} must be without query ('?') and fragment ('#') where it is a URL"),
        ),
    ])
}

/// Parent rules on `keys`: an outage is noticed before keys are withdrawn.
#[must_use]
pub fn keys() -> Value {
    let are_durations = ["self.staleAfter", "self.refreshInterval"].map(|field| format!("({})", is_duration(field)));
    json!([rule_on(
        "staleAfter",
        &format!(
            "!({}) || duration(self.staleAfter) < duration('1m') || duration(self.refreshInterval) > duration('24h') || \
             duration(self.staleAfter) >= duration(self.refreshInterval) + duration(self.refreshInterval)",
            are_durations.join(" && ")
        ),
        "keys.staleAfter must be at least twice refreshInterval",
    )])
}

/// A header name: an RFC 9110 token, neither hop-by-hop nor one that carries something else. Empty means the default.
#[must_use]
pub fn header_name(field: &str) -> Value {
    json!([
        rule(
            r"self.matches('^[-!#$%&\'*+.^_`|~0-9A-Za-z]*$')",
            &format!("{field} must be an RFC 9110 token: letters, digits and !#$%&'*+-.^_`|~"),
        ),
        rule(
            "!(self.lowerAscii() in ['connection', 'cookie', 'host', 'keep-alive', 'proxy-authenticate', \
             'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'])",
            &format!("{field} must be a header that can carry a token: not a hop-by-hop header, 'host' or 'cookie'"),
        ),
    ])
}

/// Parent rules on `tls`. The bundle is not repeated in a refusal.
#[must_use]
pub fn tls() -> Value {
    json!([
        rule(
            "has(self.caBundle) != has(self.caBundleRef)",
            "exactly one of tls.caBundle and tls.caBundleRef must be set",
        ),
        rule_on(
            "caBundle",
            "!has(self.caBundle) || size(self.caBundle) == 0 || self.caBundle.contains('-----BEGIN CERTIFICATE-----')",
            "tls.caBundle must be PEM with one certificate at least ('-----BEGIN CERTIFICATE-----')",
        ),
        rule_on(
            "caBundle",
            "!has(self.caBundle) || !self.caBundle.contains('PRIVATE KEY-----')",
            "tls.caBundle must be without private keys: whoever may read this object can read it, so replace that key",
        ),
    ])
}

/// Rules on `audiences`: identifiers, none twice.
#[must_use]
pub fn audiences() -> Value {
    json!([
        rule(
            "self.all(audience, size(audience) == 0 || (size(audience.trim()) > 0 && audience.trim() == audience))",
            "audiences must each be without white space around it, and not blank",
        ),
        unique("audiences"),
    ])
}

/// Rules on `algorithms`: none twice.
#[must_use]
pub fn algorithms() -> Value {
    json!([unique("algorithms")])
}

/// These lists are no `set`: of one, server-side apply would never remove what a default put in.
fn unique(field: &str) -> Value {
    rule("self.all(one, self.exists_one(other, one == other))", &format!("{field} must have no value twice"))
}

/// Rules on each example.
#[must_use]
pub fn example() -> Value {
    json!([rule(
        "has(self.token) != has(self.claims)",
        "exactly one of token and claims must be set in each of examples",
    )])
}

/// A time as RFC 3339 writes it, of a day that there is. The schema has no `format: date-time`: by that the API server would
/// take times that the operator can't read, such as one with the zone `+99:99` or ten digits of a second.
#[must_use]
pub fn time(field: &str) -> Value {
    const DAY: &str = "(19[7-9]|2[0-9]{2})[0-9]-\
                       ((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))";
    const LEAP_DAY: &str = "(19(7[26]|8[048]|9[26])|2[0-9](0[48]|[2468][048]|[13579][26])|2[048]00)-02-29";
    const HOUR: &str = "([01][0-9]|2[0-3]):[0-5][0-9]";
    json!([rule(
        &format!("self.matches('^({DAY}|{LEAP_DAY})T{HOUR}:[0-5][0-9]([.][0-9]{{1,9}})?(Z|[-+]{HOUR})$')"),
        &format!("{field} must be an RFC 3339 time from 1970 to 2999, such as '2026-01-31T23:59:59Z'"),
    )])
}

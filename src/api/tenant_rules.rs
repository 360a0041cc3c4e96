//! CEL rules of a `TenantJwtSecret`.

use serde_json::{Value, json};

use super::rules::{SUBDOMAIN, is_duration, presence, rule, rule_on};

/// Rules on the spec: what depends on another field.
#[must_use]
pub fn spec() -> Value {
    const ZERO: &str = "^(0+(ms|s|m|h))+$";
    json!([
        presence("secretName"),
        rule_on(
            "secretRef",
            "!has(self.secretRef) || !(self.secretRef.key in ['previous-secret', 'next-secret'])",
            "secretRef.key must be another than 'previous-secret' and 'next-secret': those change with every rotation",
        ),
        rule_on(
            "rotation",
            "!has(self.secretRef) || !has(self.rotation.interval)",
            "rotation.interval must be absent with secretRef: a referenced value is replaced at its source",
        ),
        rule_on(
            "rotation",
            &format!("!has(self.secretRef) || self.rotation.leadTime.matches('{ZERO}')"),
            "rotation.leadTime must be 0s with secretRef: a referenced value is published at once",
        ),
    ])
}

/// Rules on `rotation`: a value lives longer than its first and last phase.
#[must_use]
pub fn rotation() -> Value {
    let are_durations = ["self.interval", "self.leadTime", "self.gracePeriod"]
        .map(|field| format!("({})", is_duration(field)))
        .join(" && ");
    json!([rule_on(
        "interval",
        &format!(
            "!has(self.interval) || !({are_durations}) || duration(self.interval) < duration('1h') || \
             duration(self.interval) > duration(self.leadTime) + duration(self.gracePeriod)"
        ),
        "rotation.interval must be more than leadTime and gracePeriod together",
    )])
}

/// Rules on keys of labels and annotations: well-formed, and none that belongs to Kubernetes or to the operator.
#[must_use]
pub fn template_keys(field: &str) -> Vec<Value> {
    vec![
        rule(
            &format!(
                "self.all(key, key.indexOf('/') <= 253 && \
                 key.matches('^({SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$'))"
            ),
            &format!(
                "{field} must have keys of the form 'name' or 'prefix/name': a name of at most 63 letters, digits, '-', '_' and '.', \
                 a prefix that is a DNS subdomain"
            ),
        ),
        rule(
            "self.all(key, !key.contains('kubernetes.io/') && !key.contains('k8s.io/') && !key.startsWith('idp-operator.dev/'))",
            &format!("{field} must be without keys of '*kubernetes.io/', '*k8s.io/' and 'idp-operator.dev/'"),
        ),
    ]
}

/// Rules on labels: as on keys, and values that Kubernetes takes.
#[must_use]
pub fn template_labels(field: &str) -> Vec<Value> {
    let mut rules = template_keys(field);
    rules.push(rule(
        r"self.all(key, self[key].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'))",
        &format!(
            "{field} must have values of at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends"
        ),
    ));
    rules
}

//! CEL rules that several fields share. Each message names the field and says what it must be.

use serde_json::{Value, json};

pub(super) fn rule(expression: &str, message: &str) -> Value {
    json!({ "rule": expression, "message": message })
}

/// A parent's rule on one of its fields. Unlike with a rule on the field itself, the API server does not repeat the
/// field's value in its refusal.
pub(super) fn rule_on(field: &str, expression: &str, message: &str) -> Value {
    json!({ "rule": expression, "message": message, "fieldPath": format!(".{field}") })
}

/// A field that is set at creation and then stays as it is.
///
/// The other half of the promise, that it is neither removed nor added later, stands on the parent: [`presence`].
#[must_use]
pub fn immutable(field: &str) -> Value {
    json!([immutable_rule(field)])
}

fn immutable_rule(field: &str) -> Value {
    rule("self == oldSelf", &format!("{field} must stay as it was created: it is immutable"))
}

/// Parent rule: this optional field is neither added nor removed after creation.
#[must_use]
pub fn presence(field: &str) -> Value {
    rule_on(
        field,
        &format!("has(self.{field}) == has(oldSelf.{field})"),
        &format!("{field} must stay as it was created: it may be neither added nor removed"),
    )
}

/// Parent rules: exactly one of two optional fields, and always the same one.
#[must_use]
pub fn one_of(one: &str, other: &str) -> Vec<Value> {
    vec![
        rule(
            &format!("has(self.{one}) != has(self.{other})"),
            &format!("exactly one of {one} and {other} must be set"),
        ),
        rule(
            &format!("has(self.{one}) == has(self.{other}) || has(self.{one}) == has(oldSelf.{one})"),
            &format!("{one} and {other} must stay as they were created: one can't be exchanged for the other"),
        ),
    ]
}

/// An identifier: neither blank nor with white space around it.
#[must_use]
pub fn identifier(field: &str) -> Value {
    json!([identifier_rule(field)])
}

/// An identifier that never changes.
#[must_use]
pub fn immutable_identifier(field: &str) -> Value {
    json!([identifier_rule(field), immutable_rule(field)])
}

pub(super) fn identifier_rule(field: &str) -> Value {
    rule(
        "size(self) == 0 || (size(self.trim()) > 0 && self.trim() == self)",
        &format!("{field} must be without white space around it, and not blank"),
    )
}

/// Text for people: not blank.
#[must_use]
pub fn not_blank(field: &str) -> Value {
    json!([rule("size(self) == 0 || size(self.trim()) > 0", &format!("{field} must be more than white space"))])
}

/// A DNS-1123 subdomain, as names of Secrets and of our own objects are.
#[must_use]
pub fn object_name(field: &str) -> Value {
    json!([object_name_rule(field)])
}

/// An object's name that never changes.
#[must_use]
pub fn immutable_object_name(field: &str) -> Value {
    json!([object_name_rule(field), immutable_rule(field)])
}

/// A DNS subdomain (RFC 1123), but for its length.
pub(super) const SUBDOMAIN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

fn object_name_rule(field: &str) -> Value {
    rule(
        &format!("size(self) == 0 || self.matches('^{SUBDOMAIN}$')"),
        &format!(
            "{field} must be the name of an object: parts of lower-case letters, digits and '-', each with a letter or digit \
             at both ends, with '.' between them"
        ),
    )
}

/// A key of a Secret's or ConfigMap's data.
#[must_use]
pub fn data_key(field: &str) -> Value {
    json!([rule(
        r"size(self) == 0 || self.matches('^[-._a-zA-Z0-9]+$')",
        &format!("{field} must be a data key: letters, digits, '-', '_' and '.'"),
    )])
}

/// An id of letters and digits with `.`, `_` and `-` inside, or a fully qualified domain name without a trailing dot.
#[must_use]
pub fn tenant_id(field: &str) -> Value {
    json!([
        rule(
            r"size(self) == 0 || self.matches('^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$')",
            &format!("{field} must be a tenant id or FQDN: letters and digits, with '.', '_' and '-' inside"),
        ),
        immutable_rule(field),
    ])
}

/// A strategy's type name.
#[must_use]
pub fn strategy_type(field: &str) -> Value {
    json!([
        rule(
            r"size(self) == 0 || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            &format!("{field} must be a strategy type: lower-case letters and digits, with '-' inside"),
        ),
        immutable_rule(field),
    ])
}

/// A UUID as the seed writes it: 8-4-4-4-12 lower-case hexadecimal digits, whatever its version.
#[must_use]
pub fn uuid(field: &str) -> Value {
    json!([
        rule(
            r"self.matches('^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')",
            &format!("{field} must be a UUID of 8-4-4-4-12 lower-case hexadecimal digits"),
        ),
        immutable_rule(field),
    ])
}

/// A duration as Go writes it, in whole numbers, within bounds.
#[must_use]
pub fn duration(field: &str, least: &str, most: &str) -> Value {
    json!([
        rule(
            &format!("self.matches('{DURATION}')"),
            &format!(
                "{field} must be a duration such as '36h' or '1h30m': whole numbers with the units h, m, s and ms"
            ),
        ),
        rule(
            &format!(
                "!self.matches('{DURATION}') || \
                 ({} && duration(self) >= duration('{least}') && duration(self) <= duration('{most}'))",
                countable("self")
            ),
            &format!("{field} must be {least} to {most}"),
        ),
    ])
}

const DURATION: &str = "^([0-9]{1,9}(ms|s|m|h))+$";

/// Whether CEL's `duration()` can take it without an overflow, which would be an error of its own.
fn countable(duration: &str) -> String {
    format!("!{duration}.matches('[0-9]{{6,}}h|[0-9]{{8,}}m([0-9]|$)')")
}

/// Whether it is a duration at all: what compares durations leaves any other to the rules on the field.
pub(super) fn is_duration(field: &str) -> String {
    format!("{field}.matches('{DURATION}') && {}", countable(field))
}

//! CEL rules of a `StrategyInstance`.

use serde_json::Value;

use super::rules::rule;

/// Rules on `config`: well-formed keys.
#[must_use]
pub fn config(field: &str) -> Vec<Value> {
    vec![rule(
        "self.all(key, key.matches('^[-._a-zA-Z0-9]{1,63}$'))",
        &format!("{field} must have keys of 1 to 63 letters, digits, '-', '_' and '.'"),
    )]
}

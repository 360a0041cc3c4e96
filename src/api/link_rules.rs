//! CEL rules of a `UserIdpAuthenticator`.

use serde_json::Value;

use super::rules::{one_of, rule_on};

/// Rules on the spec: what depends on another field.
#[must_use]
pub fn spec() -> Vec<Value> {
    let mut rules = one_of("idpRef", "idpId");
    rules.push(rule_on(
        "requires",
        "!has(self.idpRef) || !self.requires.exists(required, required.name == self.idpRef.name)",
        "requires must name further IdentityProviders, not the one of idpRef",
    ));
    rules
}

//! What an `IdentityProvider`'s tokens must be like, and examples of them.

use std::time;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::Duration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::claims::Claims;
use crate::api::{idp_rules, rules};

/// A signature algorithm (RFC 7518, section 3.1; RFC 8037, section 3.1): the asymmetric ones that are supported.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // docs on variants would turn the schema's enum into a oneOf
pub enum Algorithm {
    ES256,
    ES384,
    EdDSA,
    PS256,
    PS384,
    PS512,
    RS256,
    RS384,
    RS512,
}

impl Algorithm {
    /// Every one that is supported.
    pub const ALL: [Self; 9] = [
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
    ];

    /// Its name, as `alg` has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
        }
    }
}

/// A token or claims, and what is to become of them: a test of this configuration that its author ships with it.
/// Exactly one of `token` and `claims`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = idp_rules::example()))]
pub struct Example {
    /// Name of the example, 1 to 63 characters.
    #[schemars(length(min = 1, max = 63), extend("x-kubernetes-validations" = rules::identifier("name")))]
    pub name: String,

    /// A signed JWT in the compact form, of at most 8 KiB, with or without `Bearer ` before it. Whoever may read this object
    /// can read it: use one that is expired, with `at`. It is not judged while its `kid` is not that of a published key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8199))]
    pub token: Option<String>,

    /// The claims of a token, at most 6 KiB, whose signature is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_object")]
    pub claims: Option<Claims>,

    /// The time as of which it is judged: RFC 3339, from 1970 to 2999.
    #[schemars(with = "String", length(max = 40), extend("x-kubernetes-validations" = idp_rules::time("at")))]
    pub at: Time,

    /// What is to become of it.
    pub expect: Expectation,
}

/// What is to become of an example.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // docs on variants would turn the schema's enum into a oneOf
pub enum Expectation {
    Accept,
    Reject,
}

fn free_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "The claims of a token, at most 6 KiB, whose signature is not judged.",
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

pub(super) fn default_algorithms() -> Vec<Algorithm> {
    Algorithm::ALL.to_vec()
}

pub(super) fn default_clock_skew() -> Duration {
    time::Duration::from_secs(3).into()
}

pub(super) fn default_max_token_age() -> Duration {
    time::Duration::from_hours(1).into()
}

pub(super) fn default_linking_allowed() -> bool {
    true
}

//! `TenantJwtSecret`: a tenant's HMAC signing secret (seed: `Tenant Level - Set JWT Authentication Secret`).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    refs::SecretKeyRef,
    rules,
    status::{HasCore, StatusCore},
};

/// A tenant's secret for signing JWTs with HMAC.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "idp-operator.dev",
    version = "v1alpha1",
    kind = "TenantJwtSecret",
    namespaced,
    status = "TenantJwtSecretStatus",
    derive = "PartialEq",
    shortname = "tjs",
    category = "identity",
    selectable = ".spec.tenantId",
    doc = "A tenant's HMAC signing secret, generated or taken from a Secret, published in the Secret `<name>-jwt`.",
    printcolumn(name = "Tenant", type_ = "string", json_path = ".spec.tenantId"),
    printcolumn(name = "Algorithm", type_ = "string", json_path = ".spec.signingAlgorithm"),
    printcolumn(name = "Secret", type_ = "string", json_path = ".status.secretName"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Key-Id", type_ = "string", json_path = ".status.keyId", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    validation = Rule::new("size(self.metadata.name) <= 249")
        .message("metadata.name must be at most 249 characters, as the Secret '<name>-jwt' is named after it"),
    validation = Rule::new("!has(self.spec.secretRef) || self.spec.secretRef.name != self.metadata.name + '-jwt'")
        .message("spec.secretRef.name must be another Secret than the output '<name>-jwt'")
        .field_path(".spec.secretRef.name")
)]
#[serde(rename_all = "camelCase")]
pub struct TenantJwtSecretSpec {
    /// The tenant's id or FQDN, 1 to 253 characters; upper and lower case are the same. The oldest object of a tenant
    /// holds it, over all namespaces. Immutable.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = rules::tenant_id("tenantId")))]
    pub tenant_id: String,

    /// The HMAC algorithm (RFC 7518, section 3.2) that the secret signs with. It decides how long the secret is.
    /// Absent: no secret is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_algorithm: Option<SigningAlgorithm>,

    /// Take the secret's value from here, in standard Base64, check it and publish it. Absent: generate one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,

    /// Stop all work on this object; what is published stays published.
    #[serde(default)]
    pub suspend: bool,
}

/// An HMAC algorithm of RFC 7518, section 3.2.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)] // docs on variants would turn the schema's enum into a oneOf
pub enum SigningAlgorithm {
    Hs256,
    Hs384,
    Hs512,
}

impl SigningAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hs256, Self::Hs384, Self::Hs512];

    /// The name in RFC 7518.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

/// What the operator published. It never holds a secret's value, nor a digest of one.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TenantJwtSecretStatus {
    #[serde(flatten)]
    #[allow(missing_docs)] // a doc here would become the schema's
    pub core: StatusCore,

    /// Why there is no valid secret, in the shape of the REST operation's failure body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,

    /// Name of the Secret that holds the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub secret_name: Option<String>,

    /// Random id of the current value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub key_id: Option<String>,

    /// Algorithm that the current value was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub algorithm: Option<String>,

    /// When the current value became current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_time: Option<Time>,
}

impl HasCore for TenantJwtSecretStatus {
    fn core(&self) -> &StatusCore {
        &self.core
    }

    fn core_mut(&mut self) -> &mut StatusCore {
        &mut self.core
    }
}

/// The `error` of the REST operation's failure body.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LastError {
    /// 101017, 101018, 101019 or 101020.
    #[schemars(range(min = 101_017, max = 101_020))]
    pub code: i64,
    /// The message that belongs to the code.
    #[schemars(length(max = 128))]
    pub message: String,
    /// Each thing that is wrong.
    #[schemars(
        length(max = 8),
        inner(length(max = 1024)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub errors: Vec<String>,
}

//! `TenantJwtSecret`: a tenant's HMAC signing secret (seed: `Tenant Level - Set JWT Authentication Secret`).

use std::{collections::BTreeMap, time};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, core::Duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    refs::SecretKeyRef,
    rules,
    status::{HasCore, StatusCore},
    tenant_rules,
};

/// A tenant's secret for signing JWTs with HMAC.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
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
    doc = "A tenant's HMAC signing secret, generated or taken from a Secret, published in a Secret and rotated.",
    printcolumn(name = "Tenant", type_ = "string", json_path = ".spec.tenantId"),
    printcolumn(name = "Algorithm", type_ = "string", json_path = ".spec.signingAlgorithm"),
    printcolumn(name = "Secret", type_ = "string", json_path = ".status.secretName"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Key-Id", type_ = "string", json_path = ".status.keyId", priority = 1),
    printcolumn(name = "Next-Rotation", type_ = "string", json_path = ".status.nextRotationTime", priority = 1),
    printcolumn(name = "Deletion", type_ = "string", json_path = ".status.deletionPolicy", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    validation = Rule::new("has(self.spec.secretName) || size(self.metadata.name) <= 249").message(
        "metadata.name must be at most 249 characters, as the Secret '<name>-jwt' is named after it; or secretName must be set"
    ),
    validation = Rule::new(
        "!has(self.spec.secretRef) || self.spec.secretRef.name != (has(self.spec.secretName) ? self.spec.secretName : self.metadata.name + '-jwt')"
    )
    .message("spec.secretRef.name must be another Secret than the output (secretName, or '<name>-jwt')")
    .field_path(".spec.secretRef.name")
)]
#[schemars(extend("x-kubernetes-validations" = tenant_rules::spec()))]
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

    /// Name of the Secret that is written, in this namespace. Default: `<name>-jwt`. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = rules::immutable_object_name("secretName")))]
    pub secret_name: Option<String>,

    /// When the value is replaced by a new one, and how long both are known.
    #[serde(default)]
    #[schemars(extend("default" = {}, "x-kubernetes-validations" = tenant_rules::rotation()))]
    pub rotation: Rotation,

    /// Further forms of the value in the output Secret.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub outputs: Outputs,

    /// Labels and annotations of the output Secret.
    // Without a default, server-side apply of an empty map where a full one was leaves a null, which is refused. So below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = {}))]
    pub template: Option<Template>,

    /// Take over an existing Secret of the output's name: an Opaque one, without a controller, whose value obeys the rules.
    /// Its value stays, and it is never deleted with this object.
    #[serde(default)]
    pub adopt: bool,

    /// What becomes of the output Secret when this object is deleted. In force once `status.deletionPolicy` shows it.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// Stop all work on this object; what is published stays published.
    #[serde(default)]
    pub suspend: bool,
}

/// When a value is replaced.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// Age at which a generated value is replaced, plus up to 5 % of it: 1h to 87600h, more than `leadTime` and
    /// `gracePeriod` together. Absent: never for its age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 32), extend("x-kubernetes-validations" = rules::duration("interval", "1h", "87600h")))]
    pub interval: Option<Duration>,

    /// How long a replaced value is still published: 0s to 8760h.
    #[serde(default = "default_grace_period")]
    #[schemars(
        with = "String",
        length(max = 32),
        extend("default" = "24h", "x-kubernetes-validations" = rules::duration("gracePeriod", "0s", "8760h"))
    )]
    pub grace_period: Duration,

    /// How long the next value is published before it becomes current: 0s to 24h.
    #[serde(default = "default_lead_time")]
    #[schemars(
        with = "String",
        length(max = 32),
        extend("default" = "0s", "x-kubernetes-validations" = rules::duration("leadTime", "0s", "24h"))
    )]
    pub lead_time: Duration,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { interval: None, grace_period: default_grace_period(), lead_time: default_lead_time() }
    }
}

fn default_grace_period() -> Duration {
    time::Duration::from_hours(24).into()
}

fn default_lead_time() -> Duration {
    time::Duration::ZERO.into()
}

/// Further forms of the value.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Outputs {
    /// Also `jwks.json`: a JWK Set (RFC 7517) of `oct` keys with the current, the previous and the next value.
    #[serde(default)]
    pub jwks: bool,

    /// Also `raw`: the current value's decoded bytes.
    #[serde(default)]
    pub raw: bool,
}

/// Labels and annotations of the output Secret.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// At most 16.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend(
        "default" = {},
        "maxProperties" = 16,
        "additionalProperties" = { "type": "string", "maxLength": 63 },
        "x-kubernetes-validations" = tenant_rules::template_labels("labels")
    ))]
    pub labels: BTreeMap<String, String>,

    /// At most 16. What Kubernetes takes in all, 256 KiB, is more than they can be.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend(
        "default" = {},
        "maxProperties" = 16,
        "additionalProperties" = { "type": "string", "maxLength": 2048 },
        "x-kubernetes-validations" = tenant_rules::template_keys("annotations")
    ))]
    pub annotations: BTreeMap<String, String>,
}

/// What becomes of an output when its object is deleted.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // docs on variants would turn the schema's enum into a oneOf
pub enum DeletionPolicy {
    #[default]
    Delete,
    Retain,
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

    /// When the next value becomes current; absent where none is foreseen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_rotation_time: Option<Time>,

    /// Until when the previous value is published; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_expires_time: Option<Time>,

    /// What becomes of the Secret when this object is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// Digest of the token that was honoured last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub rotate_token: Option<String>,
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

//! What every kind's status has: conditions, and the seeds' errors for machines.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{self, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::text::Text;

/// Condition types that every kind shares.
pub mod condition {
    /// The spec is in force as declared.
    pub const READY: &str = "Ready";
    /// Not ready, and the operator works on it or waits for something (kstatus: `InProgress`).
    pub const RECONCILING: &str = "Reconciling";
    /// Not ready, and nothing but an edit or a deletion helps (kstatus: `Failed`).
    pub const STALLED: &str = "Stalled";
    /// `spec.suspend` is true.
    pub const SUSPENDED: &str = "Suspended";
}

/// The part of a status that all kinds share.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StatusCore {
    /// The `metadata.generation` that this status speaks of; -1 until the first verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// `Ready` and, where it is not True, `Reconciling` or `Stalled`, and the conditions that lead to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,

    /// Why the object is not ready, for machines; empty when it is. Shaped as JSON:API error objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub errors: Vec<ErrorObject>,
}

impl StatusCore {
    /// The condition of this type, if it was ever written.
    #[must_use]
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == type_)
    }

    /// `status.observedGeneration`, or -1.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.observed_generation.unwrap_or(-1)
    }
}

/// A `metav1.Condition`, whose texts are kept once for all objects: they are most of what an object takes of memory.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// When `status` last changed.
    pub last_transition_time: Time,
    /// For people: what was found.
    #[serde(default)]
    pub message: Text,
    /// The `metadata.generation` that it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// For machines: why.
    #[serde(default)]
    pub reason: Text,
    /// `True`, `False` or `Unknown`.
    #[serde(default)]
    pub status: Text,
    /// What it is about; once in a status.
    #[serde(rename = "type", default)]
    pub type_: Text,
}

impl JsonSchema for Condition {
    fn schema_name() -> Cow<'static, str> {
        v1::Condition::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        v1::Condition::json_schema(generator)
    }
}

/// Access to the shared part of a kind's status.
pub trait HasCore {
    /// The shared part.
    fn core(&self) -> &StatusCore;
    /// The shared part, to be replaced.
    fn core_mut(&mut self) -> &mut StatusCore;
}

/// One problem, as a [JSON:API error object](https://jsonapi.org/format/#error-objects).
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ErrorObject {
    /// Stable for as long as this problem of this generation lasts.
    #[schemars(length(max = 64))]
    pub id: String,
    /// HTTP status code, as a string.
    #[schemars(length(max = 3))]
    pub status: String,
    /// The error's code; never varies for one kind of problem.
    #[schemars(length(max = 64))]
    pub code: String,
    /// Short summary; never varies for one code.
    #[schemars(length(max = 128))]
    pub title: String,
    /// What exactly is wrong, and the cure.
    #[schemars(length(max = 1024))]
    pub detail: String,
    /// Where in this object the cause stands.
    pub source: ErrorSource,
}

/// Where a problem's cause stands.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ErrorSource {
    /// JSON Pointer (RFC 6901) into this object, e.g. `/spec/idpRef/name`.
    #[schemars(length(max = 253))]
    pub pointer: String,
}

/// What the seeds' REST operations answered to a change.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// A number, as a string: one more for each change of the effective configuration. Starts at "1".
    #[schemars(length(max = 20))]
    pub sequence: String,
    /// When the object was created. Absent on a `UserIdpAuthenticator`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_date: Option<Time>,
    /// When the effective configuration last changed.
    pub change_date: Time,
    /// The namespace.
    #[schemars(length(max = 63))]
    pub resource_owner: String,
    /// SHA-256 of the effective configuration, as lower-case hexadecimal digits.
    #[schemars(length(max = 64))]
    pub config_digest: String,
}

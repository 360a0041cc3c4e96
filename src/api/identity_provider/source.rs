//! Where an `IdentityProvider`'s keys come from, how they are asked for and where they are published.

use std::time;

use kube::core::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::rules;

/// How often keys are fetched, and how long the last good ones serve.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    /// Time between fetches of a working endpoint, up to a quarter shorter so that many don't come together: 30s to 24h.
    #[serde(default = "default_refresh_interval")]
    #[schemars(
        with = "String",
        length(max = 32),
        extend("default" = "5m", "x-kubernetes-validations" = rules::duration("refreshInterval", "30s", "24h"))
    )]
    pub refresh_interval: Duration,

    /// How long the last good keys stay published while the endpoint gives no good ones: 1m to 168h, at least twice
    /// `refreshInterval`.
    #[serde(default = "default_stale_after")]
    #[schemars(
        with = "String",
        length(max = 32),
        extend("default" = "24h", "x-kubernetes-validations" = rules::duration("staleAfter", "1m", "168h"))
    )]
    pub stale_after: Duration,
}

impl Default for Keys {
    fn default() -> Self {
        Self { refresh_interval: default_refresh_interval(), stale_after: default_stale_after() }
    }
}

fn default_refresh_interval() -> Duration {
    time::Duration::from_mins(5).into()
}

fn default_stale_after() -> Duration {
    time::Duration::from_hours(24).into()
}

/// Where the keys are published.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Publish {
    /// Name of the ConfigMap, in this namespace. Immutable.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = rules::immutable_object_name("configMapName")))]
    pub config_map_name: String,
}

/// The certificate authorities that `keysEndpoint` is trusted by, instead of the operator's own. Exactly one of
/// `caBundle` and `caBundleRef`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// The certificates, in PEM: at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub ca_bundle: Option<String>,

    /// Where the certificates are, in PEM: at most 256 KiB. It is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<CaBundleRef>,
}

/// One key of a ConfigMap or Secret of this namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
pub struct CaBundleRef {
    /// Kind of the object.
    pub kind: BundleKind,

    /// Name of the object, in this namespace.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = rules::object_name("name")))]
    pub name: String,

    /// Key of its data that holds the certificates, e.g. `ca.crt`.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = rules::data_key("key")))]
    pub key: String,
}

/// What certificates can be in.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // docs on variants would turn the schema's enum into a oneOf
pub enum BundleKind {
    ConfigMap,
    Secret,
}

/// Keys from this namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KeysFrom {
    /// The ConfigMap that holds the JWK Set.
    pub config_map_key_ref: ConfigMapKeyRef,
}

/// One key of a ConfigMap of this namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap, in this namespace. Not the one where the keys are published.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = rules::object_name("name")))]
    pub name: String,

    /// Key of its data that holds the JWK Set.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = rules::data_key("key")))]
    pub key: String,
}

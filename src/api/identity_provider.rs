//! `IdentityProvider`: a JWT identity provider (seed: `Update JWT Identity Provider`).

use std::time;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, core::Duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    rules,
    status::{Details, HasCore, StatusCore},
};

/// A JWT identity provider: who issues tokens, and where the keys that sign them are published.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "idp-operator.dev",
    version = "v1alpha1",
    kind = "IdentityProvider",
    namespaced,
    status = "IdentityProviderStatus",
    derive = "PartialEq",
    shortname = "idp",
    category = "identity",
    selectable = ".spec.issuer",
    selectable = ".spec.state",
    doc = "A JWT identity provider. Its signing keys are fetched, checked and published in the ConfigMap `<name>-jwks`.",
    printcolumn(name = "Issuer", type_ = "string", json_path = ".spec.issuer"),
    printcolumn(name = "Keys", type_ = "integer", json_path = ".status.keys.count"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "State", type_ = "string", json_path = ".spec.state", priority = 1),
    printcolumn(name = "Keys-Endpoint", type_ = "string", json_path = ".spec.keysEndpoint", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    validation = Rule::new("has(self.spec.publish) || size(self.metadata.name) <= 248").message(
        "metadata.name must be at most 248 characters, as the ConfigMap '<name>-jwks' is named after it; or publish.configMapName must be set"
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::identity_provider()))]
pub struct IdentityProviderSpec {
    /// The endpoint where the JWT can be extracted: a URL of 1 to 200 characters.
    #[schemars(length(min = 1, max = 200), extend("x-kubernetes-validations" = rules::endpoint("jwtEndpoint")))]
    pub jwt_endpoint: String,

    /// The issuer of the JWT, 1 to 200 characters. It is compared byte for byte with the claim `iss`.
    /// Within a namespace the oldest object of an issuer holds it.
    #[schemars(length(min = 1, max = 200), extend("x-kubernetes-validations" = rules::issuer("issuer")))]
    pub issuer: String,

    /// The endpoint of the keys (JWK Set, RFC 7517) that sign the JWT: a URL of 1 to 200 characters.
    #[schemars(length(min = 1, max = 200), extend("x-kubernetes-validations" = rules::endpoint("keysEndpoint")))]
    pub keys_endpoint: String,

    /// The name of the header where the JWT is sent in, an RFC 9110 token of at most 200 characters. Empty means
    /// `authorization`.
    #[serde(default = "default_header_name")]
    #[schemars(length(max = 200), extend("x-kubernetes-validations" = rules::header_name("headerName")))]
    pub header_name: String,

    /// `Inactive`: no keys are fetched, those that are published are withdrawn, and links to it are not in force. It holds
    /// no issuer.
    #[serde(default)]
    pub state: State,

    /// Allow `http://` in `jwtEndpoint` and `keysEndpoint`. Whoever can change what travels there can then forge
    /// tokens: for tests only.
    #[serde(default)]
    pub allow_insecure_http: bool,

    /// How often keys are fetched, and how long the last good ones serve.
    #[serde(default)]
    #[schemars(extend(
        "default" = { "refreshInterval": "5m", "staleAfter": "24h" },
        "x-kubernetes-validations" = rules::keys()
    ))]
    pub keys: Keys,

    /// Where the keys are published. Default: the ConfigMap `<name>-jwks`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<Publish>,

    /// Stop all work on this object; what is published stays published.
    #[serde(default)]
    pub suspend: bool,
}

/// Where the keys are published.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Publish {
    /// Name of the ConfigMap, in this namespace. Immutable.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = rules::immutable_object_name("configMapName")))]
    pub config_map_name: String,
}

/// Whether tokens of this identity provider are to be trusted.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // docs on variants would turn the schema's enum into a oneOf
pub enum State {
    #[default]
    Active,
    Inactive,
}

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

/// What `headerName` means when it is absent or empty.
pub const DEFAULT_HEADER_NAME: &str = "authorization";

fn default_header_name() -> String {
    DEFAULT_HEADER_NAME.to_owned()
}

/// What the operator found and published.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IdentityProviderStatus {
    #[serde(flatten)]
    #[allow(missing_docs)] // a doc here would become the schema's
    pub core: StatusCore,

    /// Id of this identity provider: its `metadata.uid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub idp_id: Option<String>,

    /// The published keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeysStatus>,

    /// What changed last, as the REST operation answered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

impl HasCore for IdentityProviderStatus {
    fn core(&self) -> &StatusCore {
        &self.core
    }

    fn core_mut(&mut self) -> &mut StatusCore {
        &mut self.core
    }
}

/// The published keys.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KeysStatus {
    /// Number of published keys, 1..64.
    #[schemars(range(min = 0, max = 64))]
    pub count: i64,

    /// The keys' ids (`kid`), sorted; a key without one is not listed.
    #[schemars(
        length(max = 64),
        inner(length(max = 256)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub key_ids: Vec<String>,

    /// The signature algorithms that the keys can be used with, sorted.
    #[schemars(
        length(max = 16),
        inner(length(max = 16)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub algorithms: Vec<String>,

    /// SHA-256 over issuer, source and canonical keys, as lower-case hexadecimal digits.
    #[schemars(length(max = 64))]
    pub sha256: String,

    /// When the set of keys last changed.
    pub change_time: Time,

    /// When these keys were last seen at their source: written with a changed set, and when `KeysReachable` or
    /// `KeysValid` turns False.
    pub verified_time: Time,
}

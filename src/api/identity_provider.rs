//! `IdentityProvider`: a JWT identity provider (seed: `Update JWT Identity Provider`).

mod claims;
mod source;
mod tokens;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, core::Duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    claims::Claims,
    source::{BundleKind, CaBundleRef, ConfigMapKeyRef, Keys, KeysFrom, Publish, Tls},
    tokens::{Algorithm, Example, Expectation},
};
use super::{
    idp_rules, rules,
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
    printcolumn(
        name = "Reachable",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='KeysReachable')].status",
        priority = 1
    ),
    printcolumn(name = "Keys-Endpoint", type_ = "string", json_path = ".spec.keysEndpoint", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    validation = Rule::new("has(self.spec.publish) || size(self.metadata.name) <= 248").message(
        "metadata.name must be at most 248 characters, as the ConfigMap '<name>-jwks' is named after it; or publish.configMapName must be set"
    ),
    validation = Rule::new(
        "!has(self.spec.keysFrom) || self.spec.keysFrom.configMapKeyRef.name != \
         (has(self.spec.publish) ? self.spec.publish.configMapName : self.metadata.name + '-jwks')"
    )
    .message(
        "spec.keysFrom.configMapKeyRef.name must be another ConfigMap than the output (publish.configMapName, or '<name>-jwks')"
    )
    .field_path(".spec.keysFrom.configMapKeyRef.name")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = idp_rules::spec()))]
pub struct IdentityProviderSpec {
    /// The endpoint where the JWT can be extracted: a URL of 1 to 200 characters.
    #[schemars(length(min = 1, max = 200), extend("x-kubernetes-validations" = idp_rules::endpoint("jwtEndpoint")))]
    pub jwt_endpoint: String,

    /// The issuer of the JWT, 1 to 200 characters. It is compared byte for byte with the claim `iss`.
    /// Within a namespace the oldest object of an issuer holds it.
    #[schemars(length(min = 1, max = 200), extend("x-kubernetes-validations" = idp_rules::issuer("issuer")))]
    pub issuer: String,

    /// The endpoint of the keys (JWK Set, RFC 7517) that sign the JWT: a URL of 1 to 200 characters.
    #[schemars(length(min = 1, max = 200), extend("x-kubernetes-validations" = idp_rules::endpoint("keysEndpoint")))]
    pub keys_endpoint: String,

    /// The name of the header where the JWT is sent in, an RFC 9110 token of at most 200 characters. Empty means
    /// `authorization`.
    #[serde(default = "default_header_name")]
    #[schemars(length(max = 200), extend("x-kubernetes-validations" = idp_rules::header_name("headerName")))]
    pub header_name: String,

    /// The name that is shown for it, 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), extend("x-kubernetes-validations" = rules::not_blank("displayName")))]
    pub display_name: Option<String>,

    /// `Inactive`: no keys are fetched, those that are published are withdrawn, and links to it are not in force. It holds
    /// no issuer.
    #[serde(default)]
    pub state: State,

    /// Whether users' identities at this identity provider may be linked to users.
    #[serde(default = "tokens::default_linking_allowed")]
    pub linking_allowed: bool,

    /// The audiences of the JWT, 1 to 16 of 1 to 200 characters: any one of them must be in the claim `aud`, byte for
    /// byte. Absent: `aud` is not checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 16),
        inner(length(min = 1, max = 200)),
        extend("x-kubernetes-list-type" = "atomic", "x-kubernetes-validations" = idp_rules::audiences())
    )]
    pub audiences: Option<Vec<String>>,

    /// The algorithms that a JWT may be signed with. Default: every asymmetric one that is supported. Keys of others are not
    /// published.
    #[serde(default = "tokens::default_algorithms")]
    #[schemars(
        length(min = 1, max = 9),
        extend(
            "default" = Algorithm::ALL,
            "x-kubernetes-list-type" = "atomic",
            "x-kubernetes-validations" = idp_rules::algorithms()
        )
    )]
    pub algorithms: Vec<Algorithm>,

    /// By how much the clocks of issuer and judge may differ: 0s to 5m.
    #[serde(default = "tokens::default_clock_skew")]
    #[schemars(
        with = "String",
        length(max = 32),
        extend("default" = "3s", "x-kubernetes-validations" = rules::duration("clockSkew", "0s", "5m"))
    )]
    pub clock_skew: Duration,

    /// Greatest age of a JWT by its claim `iat`: 1m to 24h.
    #[serde(default = "tokens::default_max_token_age")]
    #[schemars(
        with = "String",
        length(max = 32),
        extend("default" = "1h", "x-kubernetes-validations" = rules::duration("maxTokenAge", "1m", "24h"))
    )]
    pub max_token_age: Duration,

    /// Allow `http://` in `jwtEndpoint` and `keysEndpoint`. Whoever can change what travels there can then forge
    /// tokens: for tests only.
    #[serde(default)]
    pub allow_insecure_http: bool,

    /// The certificate authorities that `keysEndpoint` is trusted by, instead of the operator's own: exactly one of
    /// `caBundle` and `caBundleRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = idp_rules::tls()))]
    pub tls: Option<Tls>,

    /// How often keys are fetched, and how long the last good ones serve.
    #[serde(default)]
    #[schemars(extend(
        "default" = { "refreshInterval": "5m", "staleAfter": "24h" },
        "x-kubernetes-validations" = idp_rules::keys()
    ))]
    pub keys: Keys,

    /// Keys from a ConfigMap of this namespace, which is watched; `keysEndpoint` is then not called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_from: Option<KeysFrom>,

    /// Where the keys are published. Default: the ConfigMap `<name>-jwks`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<Publish>,

    /// Tests of this configuration, at most 16: what is to become of a token or of claims. Not ready while one comes out
    /// otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub examples: Option<Vec<Example>>,

    /// Stop all work on this object; what is published stays published.
    #[serde(default)]
    pub suspend: bool,
}

/// Whether tokens of this identity provider are to be trusted.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // docs on variants would turn the schema's enum into a oneOf
pub enum State {
    #[default]
    Active,
    Inactive,
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
    /// Number of published keys, at most 64.
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

    /// When these keys were last seen at their source: written with a changed set, and when `ReferencesResolved`,
    /// `KeysReachable` or `KeysValid` turns False. Absent where an earlier version wrote the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_time: Option<Time>,
}

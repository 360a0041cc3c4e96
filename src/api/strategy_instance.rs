//! `StrategyInstance`: a login strategy with its flags (seed: `Edit an existing strategy instance`).

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    refs::LocalRef,
    rules,
    status::{HasCore, StatusCore},
    strategy_rules,
};

/// An instance of a login strategy.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "idp-operator.dev",
    version = "v1alpha1",
    kind = "StrategyInstance",
    namespaced,
    status = "StrategyInstanceStatus",
    derive = "PartialEq",
    shortname = "si",
    category = "identity",
    selectable = ".spec.type",
    doc = "An instance of a login strategy: what users may do through it, as far as the strategy's type is capable of it.",
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Display-Name", type_ = "string", json_path = ".spec.name"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Id", type_ = "string", json_path = ".status.id", priority = 1),
    printcolumn(name = "Login", type_ = "boolean", json_path = ".status.effective.isLoginActive", priority = 1),
    printcolumn(
        name = "Self-Register",
        type_ = "boolean",
        json_path = ".status.effective.isSelfRegisterActive",
        priority = 1
    ),
    printcolumn(name = "Sync", type_ = "boolean", json_path = ".status.effective.isSyncActive", priority = 1),
    printcolumn(
        name = "Implicit-Register",
        type_ = "boolean",
        json_path = ".status.effective.doesImplicitRegister",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [rules::presence("id")]))]
pub struct StrategyInstanceSpec {
    /// The strategy that this is an instance of, e.g. `userpass`, `github` or `jira`. Immutable.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 63), extend("x-kubernetes-validations" = rules::strategy_type("type")))]
    pub type_: String,

    /// Unique id of this instance, a UUID in lower case. Absent: `status.id` is the object's `metadata.uid`.
    /// Within a namespace the oldest object of an id holds it. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36), extend("x-kubernetes-validations" = rules::uuid("id")))]
    pub id: Option<String>,

    /// Human readable name, 1 to 200 characters. It can be shown to users and need not be unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), extend("x-kubernetes-validations" = rules::not_blank("name")))]
    pub name: Option<String>,

    /// Whether registered users may log in. Can only be true if the type can log in (`canLoginRegister`), which is the
    /// default value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_login_active: Option<bool>,

    /// Whether users can create an account themselves. Can only be true if the type can register
    /// (`canLoginRegister`), which is the default value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_self_register_active: Option<bool>,

    /// Whether the sync service can retrieve access tokens. Can only be true if the type can sync (`canSync`), which is
    /// the default value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_sync_active: Option<bool>,

    /// Whether an unknown user who logs in is registered. Can only be true if the type allows implicit sign-up
    /// (`allowsImplicitSignup`), which is the default value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub does_implicit_register: Option<bool>,

    /// What becomes of a flag that is set to true although the type is not capable of it: the object is not ready
    /// (`Reject`), or the flag is off (`Clamp`). In `status.effective` it is off either way.
    #[serde(default)]
    pub capability_policy: CapabilityPolicy,

    /// Settings of the type that are no secrets, e.g. `root-url`. At most 32; a key has 1 to 63 characters, a value at most
    /// 1024.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend(
        "default" = {},
        "maxProperties" = 32,
        "additionalProperties" = { "type": "string", "maxLength": 1024 },
        "x-kubernetes-validations" = strategy_rules::config("config")
    ))]
    pub config: BTreeMap<String, String>,

    /// The Secret of this namespace with the settings of the type that are secrets, e.g. `clientSecret`. Needed where the
    /// type has any; it is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_secret_ref: Option<LocalRef>,

    /// Stop all work on this object; its status stays as it is.
    #[serde(default)]
    pub suspend: bool,
}

/// What becomes of a flag beyond its type's capabilities.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // docs on variants would turn the schema's enum into a oneOf
pub enum CapabilityPolicy {
    #[default]
    Reject,
    Clamp,
}

/// What a login service should obey.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StrategyInstanceStatus {
    #[serde(flatten)]
    #[allow(missing_docs)] // a doc here would become the schema's
    pub core: StatusCore,

    /// Unique id of this instance: `spec.id`, or the object's `metadata.uid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub id: Option<String>,

    /// The strategy that this is an instance of.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub type_: Option<String>,

    /// Human readable name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub name: Option<String>,

    /// The flags in force: asked for, or by default, and within the type's capabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<EffectiveFlags>,
}

impl HasCore for StrategyInstanceStatus {
    fn core(&self) -> &StatusCore {
        &self.core
    }

    fn core_mut(&mut self) -> &mut StatusCore {
        &mut self.core
    }
}

/// The four flags in force.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools)] // the seed's four flags
pub struct EffectiveFlags {
    /// Registered users may log in.
    pub is_login_active: bool,
    /// Users can create an account themselves.
    pub is_self_register_active: bool,
    /// The sync service can retrieve access tokens.
    pub is_sync_active: bool,
    /// An unknown user who logs in is registered.
    pub does_implicit_register: bool,
}

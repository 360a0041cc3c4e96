//! References to other objects, always in the same namespace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// An object of this namespace, by name.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
pub struct LocalRef {
    /// Name of the object, in this namespace.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = rules::object_name("name")))]
    pub name: String,
}

/// One key of a Secret of this namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
pub struct SecretKeyRef {
    /// Name of the Secret, in this namespace.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = rules::object_name("name")))]
    pub name: String,

    /// Key of the Secret that holds the value.
    #[serde(default = "default_secret_key")]
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = rules::data_key("key")))]
    pub key: String,
}

fn default_secret_key() -> String {
    "secret".to_owned()
}

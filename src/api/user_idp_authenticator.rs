//! `UserIdpAuthenticator`: a user's federated identity (seeds: `Add an IDP authenticator to a user`, `Define federated
//! identity`).

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    link_rules,
    refs::LocalRef,
    rules,
    status::{Details, HasCore, StatusCore},
};

/// A link between a user and the user's identity at an `IdentityProvider`.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "idp-operator.dev",
    version = "v1alpha1",
    kind = "UserIdpAuthenticator",
    namespaced,
    status = "UserIdpAuthenticatorStatus",
    derive = "PartialEq",
    shortname = "uia",
    category = "identity",
    selectable = ".spec.userId",
    selectable = ".spec.idpUserId",
    selectable = ".spec.idpRef.name",
    doc = "A user's federated identity: allows the user to authenticate with an IdentityProvider of this namespace.",
    printcolumn(name = "User", type_ = "string", json_path = ".spec.userId"),
    printcolumn(name = "IdP", type_ = "string", json_path = ".spec.idpRef.name"),
    printcolumn(name = "IdP-User", type_ = "string", json_path = ".spec.idpUserName"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "IdP-Id", type_ = "string", json_path = ".spec.idpId", priority = 1),
    printcolumn(name = "IdP-User-Id", type_ = "string", json_path = ".spec.idpUserId", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = link_rules::spec()))]
pub struct UserIdpAuthenticatorSpec {
    /// Unique identifier of the user, 1 to 200 characters. Immutable.
    #[schemars(length(min = 1, max = 200), extend("x-kubernetes-validations" = rules::immutable_identifier("userId")))]
    pub user_id: String,

    /// The `IdentityProvider`, by name. Exactly one of `idpRef` and `idpId` is set. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = rules::immutable("idpRef")))]
    pub idp_ref: Option<LocalRef>,

    /// The `IdentityProvider`, by its `status.idpId`, 1 to 200 characters. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), extend("x-kubernetes-validations" = rules::immutable_identifier("idpId")))]
    pub idp_id: Option<String>,

    /// The user's id at the identity provider (claim `sub`), 1 to 200 characters. Immutable.
    #[schemars(length(min = 1, max = 200), extend("x-kubernetes-validations" = rules::immutable_identifier("idpUserId")))]
    pub idp_user_id: String,

    /// Username of the user provided by the identity provider, 1 to 200 characters.
    #[schemars(length(min = 1, max = 200), extend("x-kubernetes-validations" = rules::identifier("idpUserName")))]
    pub idp_user_name: String,

    /// Further `IdentityProvider`s of this namespace that the user must be linked to, at most 8. Each needs a link of this
    /// user's `userId` to it that holds its identity there and whose `IdentityProvider` is ready. What those links require
    /// themselves is not asked, so two links may require each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        extend("default" = [], "x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub requires: Vec<LocalRef>,

    /// Stop all work on this object; its verdict stays as it is.
    #[serde(default)]
    pub suspend: bool,
}

/// What the operator found.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct UserIdpAuthenticatorStatus {
    #[serde(flatten)]
    #[allow(missing_docs)] // a doc here would become the schema's
    pub core: StatusCore,

    /// What changed last, as the REST operation answered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

impl HasCore for UserIdpAuthenticatorStatus {
    fn core(&self) -> &StatusCore {
        &self.core
    }

    fn core_mut(&mut self) -> &mut StatusCore {
        &mut self.core
    }
}

//! The four kinds of `idp-operator.dev/v1alpha1`: their shapes, defaults and the rules the API server judges at apply.

#![allow(clippy::duplicated_attributes, reason = "printcolumn(..) repeats type_ and priority: each is a column's own")]

pub mod identity_provider;
mod idp_rules;
pub mod labels;
mod link_rules;
pub mod refs;
pub mod rules;
pub mod schema;
pub mod status;
pub mod strategy_instance;
mod strategy_rules;
pub mod tenant_jwt_secret;
mod tenant_rules;
pub mod text;
pub mod user_idp_authenticator;

pub use identity_provider::{IdentityProvider, IdentityProviderSpec, IdentityProviderStatus};
pub use schema::crds;
pub use strategy_instance::{StrategyInstance, StrategyInstanceSpec, StrategyInstanceStatus};
pub use tenant_jwt_secret::{TenantJwtSecret, TenantJwtSecretSpec, TenantJwtSecretStatus};
pub use user_idp_authenticator::{UserIdpAuthenticator, UserIdpAuthenticatorSpec, UserIdpAuthenticatorStatus};

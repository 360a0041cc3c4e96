//! The problems of each kind: an enum a kind, whose reason, message, weight and errors are told in one place.

pub mod identity_provider;
pub mod identity_provider_examples;
pub mod identity_provider_keys;
pub mod strategy_instance;
pub mod tenant_jwt_secret;
pub mod user_idp_authenticator;

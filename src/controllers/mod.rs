//! One folder a kind: observe → decide → apply → report, and what wakes an object.

pub mod contests;
pub mod context;
pub mod identity_provider;
pub mod kinds;
pub mod pipeline;
pub mod queues;
pub mod run;
pub mod strategy_instance;
pub mod tenant_jwt_secret;
pub mod triggers;
pub mod user_idp_authenticator;
pub mod world;

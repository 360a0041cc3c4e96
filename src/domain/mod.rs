//! The rules: pure functions on values. No I/O, no clock, no entropy of their own.

pub mod address;
pub mod ca_bundle;
pub mod capability;
pub mod catalogue;
pub mod claims;
pub mod details;
pub mod digest;
pub mod examples;
pub mod json;
pub mod jwk;
pub mod jwks;
pub mod key_source;
pub mod oct_jwks;
pub mod policy;
pub mod reasons;
pub mod retry_after;
pub mod rotation;
pub mod schedule;
pub mod secret_output;
pub mod strategy_config;
pub mod template;
pub mod token;
pub mod verdict;
pub mod verdicts;

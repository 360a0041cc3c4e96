//! Integration tests: on a real API server, with the operator as a process of its own under the chart's ServiceAccount.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::too_many_lines,
    missing_docs,
    reason = "tests"
)]

mod adoption;
mod availability;
mod bad_input;
mod chart;
mod claims;
mod consumers;
mod contest;
mod crash;
mod crds;
mod examples;
mod fetch;
mod gitops;
mod hygiene;
mod identity_provider;
mod image;
mod interop;
mod keys;
mod layers;
mod observability;
mod pipeline;
mod program;
mod reasons;
mod rotation;

mod storm;
mod strategy_instance;
mod support;
mod tenant_jwt_secret;
mod user_idp_authenticator;

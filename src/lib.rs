//! A Kubernetes operator that makes identity configuration declarative.
//!
//! One way through the house; a file uses only layers above its own in this list:
//! - [`api`]: the four kinds, as users write them
//! - [`domain`]: the rules, pure
//! - [`desired`]: what ought to exist and be said, pure
//! - [`cluster`]: the only I/O
//! - [`controllers`]: observe → decide → apply → report, one folder a kind
//! - [`runtime`], [`cli`]: the program

pub mod api;
pub mod cli;
pub mod cluster;
pub mod controllers;
pub mod desired;
pub mod domain;
pub mod runtime;

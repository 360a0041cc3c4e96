//! What an identity provider's verdict depends on.

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::{
    api::IdentityProvider,
    controllers::{context::Context, kinds::Managed as _},
    domain::key_source::{KeySource, KeysSeen},
};

/// What is known when an identity provider is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Its keys.
    pub keys: KeysSeen,
    /// Now.
    pub now: Timestamp,
}

/// What is known of the keys; nothing before the first look has ended, which wakes the object.
pub fn observe(object: &IdentityProvider, ctx: &Context) -> Option<Observed> {
    let now = ctx.now();
    let source = KeySource::of(&object.spec);
    let keys = ctx
        .fetcher
        .look(&object.key(), &object.uid().unwrap_or_default(), &source, now)?;
    Some(Observed { keys, now })
}

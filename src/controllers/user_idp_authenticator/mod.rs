//! `UserIdpAuthenticator`: observe → decide → report; there is no output.

#[cfg(test)]
mod any_order;
pub mod decide;
pub mod idp_view;
pub mod observe;
pub mod readiness;

use std::sync::Arc;

use super::{
    context::Context,
    pipeline::{Reads, Step},
};
use crate::{
    api::{UserIdpAuthenticator, UserIdpAuthenticatorStatus},
    cluster::error::Error,
};

/// Looks at one link.
///
/// # Errors
/// None: it makes no calls.
pub async fn step(
    object: Arc<UserIdpAuthenticator>,
    ctx: Arc<Context>,
    _reads: Reads,
) -> Result<Step<UserIdpAuthenticatorStatus>, Error> {
    let seen = observe::observe(&object, &ctx);
    Ok(decide::decide(&object, &seen))
}

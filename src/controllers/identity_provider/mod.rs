//! `IdentityProvider`: observe → decide → apply → report.

pub mod apply;
pub mod decide;
pub mod observe;
mod references;
mod status;

use std::sync::Arc;

use super::{
    context::Context,
    kinds::Managed as _,
    pipeline::{Reads, Step},
};
use crate::{
    api::{IdentityProvider, IdentityProviderStatus, identity_provider::State},
    cluster::error::Error,
};

/// Looks at one identity provider.
///
/// # Errors
/// When calls to the API server fail.
pub async fn step(
    object: Arc<IdentityProvider>,
    ctx: Arc<Context>,
    reads: Reads,
) -> Result<Step<IdentityProviderStatus>, Error> {
    if object.spec.state == State::Inactive {
        // It starts as new when it is active again.
        ctx.fetcher.forget(&object.key());
        let output = apply::withdraw(&object, &ctx, reads).await?;
        return Ok(decide::inactive(&object, output, ctx.now()).into());
    }
    if let Some(rival) = ctx.world.rival(object.as_ref()) {
        // It is not fetched for, and starts as new if it is promoted.
        ctx.fetcher.forget(&object.key());
        let output = apply::withdraw(&object, &ctx, reads).await?;
        return Ok(decide::duplicate(&object, &rival.name, output, ctx.now()).into());
    }
    let Some(seen) = observe::observe(&object, &ctx, reads).await? else {
        return Ok(Step::Wait);
    };
    let output = apply::apply(&object, &ctx, &seen, reads).await?;
    Ok(decide::decide(&object, &seen, output).map_or(Step::Wait, Step::from))
}

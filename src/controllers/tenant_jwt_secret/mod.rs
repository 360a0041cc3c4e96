//! `TenantJwtSecret`: observe → decide → apply → report.

pub mod apply;
pub mod decide;
pub mod observe;
pub mod verdict;

#[cfg(test)]
mod life;

use std::sync::Arc;

use super::{
    context::Context,
    pipeline::{Reads, Step},
};
use crate::{
    api::{TenantJwtSecret, TenantJwtSecretStatus},
    cluster::error::Error,
};

/// Looks at one tenant's secret.
///
/// # Errors
/// When calls to the API server fail.
pub async fn step(
    object: Arc<TenantJwtSecret>,
    ctx: Arc<Context>,
    reads: Reads,
) -> Result<Step<TenantJwtSecretStatus>, Error> {
    let seen = observe::observe(&object, &ctx, reads).await?;
    observe::is_latest(&object, &ctx, &seen).await?;
    let plan = decide::plan(&object, &seen);
    let output = apply::apply(&object, &ctx, &plan, &seen).await?;
    Ok(verdict::verdict(&object, &seen, &plan, output.as_ref()).into())
}

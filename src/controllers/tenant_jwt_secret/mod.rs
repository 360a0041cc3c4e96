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
use kube::ResourceExt as _;

use crate::{
    api::{TenantJwtSecret, TenantJwtSecretStatus},
    cluster::error::Error,
    desired,
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
    let generation = object.metadata.generation.unwrap_or_default();
    if seen.output.as_ref().is_some_and(|output| output.is_ahead_of(&object.uid().unwrap_or_default(), generation)) {
        // Another process knows a later spec: this one must not take that back.
        return Err(Error::Behind { name: desired::secret::name(&object) });
    }
    let plan = decide::plan(&object, &seen);
    let output = apply::apply(&object, &ctx, &plan, &seen).await?;
    Ok(verdict::verdict(&object, &seen, &plan, output.as_ref()).into())
}

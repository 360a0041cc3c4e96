//! `StrategyInstance`: observe → decide → report; there is no output.

pub mod catalogue;
pub mod decide;
pub mod observe;

#[cfg(test)]
mod every_combination;

use std::sync::Arc;

use super::{
    context::Context,
    pipeline::{Reads, Step},
};
use crate::{
    api::{StrategyInstance, StrategyInstanceStatus},
    cluster::error::Error,
};

/// Looks at one strategy.
///
/// # Errors
/// When calls to the API server fail.
pub async fn step(
    object: Arc<StrategyInstance>,
    ctx: Arc<Context>,
    reads: Reads,
) -> Result<Step<StrategyInstanceStatus>, Error> {
    let seen = observe::observe(&object, &ctx, reads).await?;
    Ok(decide::decide(&object, &seen).into())
}

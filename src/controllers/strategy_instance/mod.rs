//! `StrategyInstance`: decide → report; the spec alone decides, and there is no output.

pub mod decide;

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
/// None: it makes no calls.
pub async fn step(
    object: Arc<StrategyInstance>,
    _ctx: Arc<Context>,
    _reads: Reads,
) -> Result<Step<StrategyInstanceStatus>, Error> {
    Ok(decide::decide(&object).into())
}

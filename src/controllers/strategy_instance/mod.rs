//! `StrategyInstance`: decide → report; the spec and the contest for the id decide, and there is no output.

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
    ctx: Arc<Context>,
    _reads: Reads,
) -> Result<Step<StrategyInstanceStatus>, Error> {
    let rival = ctx.world.rival(object.as_ref());
    Ok(decide::decide(&object, rival.as_ref().map(|rival| rival.name.as_str())).into())
}

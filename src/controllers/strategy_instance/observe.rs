//! What a strategy depends on: the catalogue, who holds its id, its Secret.

use k8s_openapi::api::core::v1::Secret;
use secrecy::zeroize::Zeroize as _;

use super::decide::Observed;
use crate::{
    api::StrategyInstance,
    cluster::error::Error,
    controllers::{context::Context, kinds::Managed as _, pipeline::Reads},
    domain::{
        catalogue::StrategyType,
        strategy_config::{self, ConfigSecret},
    },
};

/// Reads what is not known: the Secret, where one is named and makes a difference.
///
/// # Errors
/// When calls to the API server fail.
pub async fn observe(object: &StrategyInstance, ctx: &Context, reads: Reads) -> Result<Observed, Error> {
    let catalogue = ctx.catalogue.now();
    let rival = ctx.world.rival(object).map(|rival| rival.name.to_string());
    let secret = match catalogue.get(&object.spec.type_) {
        // What the manifest alone shows is told whether the Secret can be read or not.
        Some(of) if rival.is_none() && strategy_config::faults(&object.spec, of).is_empty() => {
            secret(object, of, ctx, reads).await?
        }
        _ => ConfigSecret::Unread,
    };
    Ok(Observed { catalogue, rival, secret })
}

/// What is known of the Secret. Its values are wiped, and only which of them are there is kept.
async fn secret(
    object: &StrategyInstance,
    of: &StrategyType,
    ctx: &Context,
    reads: Reads,
) -> Result<ConfigSecret, Error> {
    let Some(reference) = &object.spec.config_secret_ref else { return Ok(ConfigSecret::Unread) };
    let key = object.sibling(&reference.name);
    if of.required_secret_keys.is_empty() {
        let is_there = ctx.world.secrets.version(&key).is_some();
        return Ok(if is_there { ConfigSecret::Lacks(Vec::new()) } else { ConfigSecret::NotFound });
    }
    let mut found: Option<Secret> = ctx.get(&key, reads).await?;
    let seen = ConfigSecret::of(found.as_ref(), of);
    let values = found.iter_mut().filter_map(|secret| secret.data.as_mut()).flat_map(|data| data.values_mut());
    values.for_each(|value| value.0.zeroize());
    Ok(seen)
}

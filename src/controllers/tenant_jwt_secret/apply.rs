//! Writing the output Secret: created, or replaced from a live read.

use k8s_openapi::api::core::v1::Secret;
use rand::{TryRng, rngs::SysRng};

use super::{
    decide::Plan,
    observe::{Observed, Source},
};
use crate::{
    api::TenantJwtSecret,
    cluster::{
        child::{self, Child as _},
        error::Error,
        key::ObjectKey,
    },
    controllers::{context::Context, kinds::Managed as _},
    desired::{
        secret,
        secret_values::{NewValue, Parts},
    },
    domain::{
        policy,
        rotation::{Current, Next},
        secret_output::OutputFacts,
    },
};

/// Carries out the plan. Returns what stands there then.
///
/// # Errors
/// When calls to the API server fail, or the output is not any more what was decided on.
pub async fn apply(
    object: &TenantJwtSecret,
    ctx: &Context,
    plan: &Plan,
    seen: &Observed,
) -> Result<Option<OutputFacts>, Error> {
    if !plan.is_written {
        return Ok(seen.output.clone());
    }
    let key = object.sibling(&secret::name(object));
    let existing = match &seen.output {
        None => None,
        Some(decided_on) => Some(live(ctx, &key, &decided_on.resource_version).await?),
    };
    let desired = output(object, plan, seen, existing, &mut SysRng).map_err(Error::Entropy)?;
    let written = child::write(&ctx.client, &desired).await?;
    let facts = OutputFacts::read(&written);
    ctx.outputs.set_secret(&key, Some(facts.clone()));
    Ok(Some(facts))
}

/// The Secret as it is now, which must be what was decided on.
async fn live(ctx: &Context, key: &ObjectKey, version: &str) -> Result<Secret, Error> {
    let existing: Option<Secret> = child::get(&ctx.client, key).await?;
    existing
        .filter(|existing| existing.metadata.resource_version.as_deref() == Some(version))
        .ok_or_else(|| Error::Raced { kind: Secret::KIND, name: key.name.to_string() })
}

/// The output after the plan was carried out on the existing one.
///
/// # Errors
/// When the random source fails.
pub fn output<R: TryRng>(
    object: &TenantJwtSecret,
    plan: &Plan,
    seen: &Observed,
    existing: Option<Secret>,
    rng: &mut R,
) -> Result<Secret, R::Error> {
    let value = match (plan.change.current, plan.change.next, &seen.source) {
        (Current::New(..), _, Source::Value { value, .. }) => Some(value.text.clone()),
        (Current::New(algorithm, _), ..) | (_, Next::New(algorithm, _), _) => Some(policy::generate(algorithm, rng)?),
        _ => None,
    };
    let value = match value {
        Some(text) => Some(NewValue { text, key_id: key_id(rng)? }),
        None => None,
    };
    let parts = Parts { change: &plan.change, value, key_id: key_id(rng)?, describes: plan.describes, now: seen.now };
    Ok(secret::desired(object, &parts, existing))
}

/// A random UUID.
fn key_id<R: TryRng>(rng: &mut R) -> Result<String, R::Error> {
    let mut bytes = [0; 16];
    rng.try_fill_bytes(&mut bytes)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

//! Writing the output Secret: created, or replaced from a live read.

use k8s_openapi::api::core::v1::Secret;
use rand::rngs::SysRng;
use secrecy::SecretString;
use uuid::Uuid;

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
        rotation::{Change, Current, Next},
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
    let value = new_value(&plan.change, &seen.source)?;
    let parts = Parts { change: &plan.change, value, key_id: new_key_id(), describes: plan.describes, now: seen.now };
    let written = child::write(&ctx.client, &secret::desired(object, &parts, existing)).await?;
    let facts = OutputFacts::read(&written);
    ctx.outputs.set_secret(&key, Some(facts.clone()));
    Ok(Some(facts))
}

/// The Secret as it is now, which must be what was decided on.
async fn live(ctx: &Context, key: &ObjectKey, version: &str) -> Result<Secret, Error> {
    let existing: Option<Secret> = child::get(&ctx.client, key).await?;
    existing
        .filter(|existing| existing.metadata.resource_version.as_deref() == Some(version))
        .ok_or_else(|| Error::Raced { kind: Secret::KIND, name: key.name.clone() })
}

/// The new value that the change asks for, if it does: the referenced one, or a generated one.
pub(super) fn new_value(change: &Change, source: &Source) -> Result<Option<NewValue>, Error> {
    let text: SecretString = match (change.current, change.next, source) {
        (Current::New(..), _, Source::Value { value, .. }) => value.text.clone(),
        (Current::New(algorithm, _), _, _) | (_, Next::New(algorithm, _), _) => {
            policy::generate(algorithm, &mut SysRng).map_err(Error::Entropy)?
        }
        _ => return Ok(None),
    };
    Ok(Some(NewValue { text, key_id: new_key_id() }))
}

pub(super) fn new_key_id() -> String {
    Uuid::new_v4().to_string()
}

//! Writing the output Secret: created, or replaced from a live read.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use rand::rngs::SysRng;
use secrecy::SecretString;
use uuid::Uuid;

use super::{decide::Action, observe::Observed};
use crate::{
    api::TenantJwtSecret,
    cluster::{
        child::{self, Child as _},
        error::Error,
    },
    controllers::{context::Context, kinds::Managed as _},
    desired::secret::{self, NewValue, Parts},
    domain::{policy, secret_output::OutputFacts},
};

/// Carries out the action. Returns what stands there then.
///
/// # Errors
/// When calls to the API server fail, or the output is not any more what was decided on.
pub async fn apply(
    object: &TenantJwtSecret,
    ctx: &Context,
    action: &Action,
    seen: &Observed,
) -> Result<Option<OutputFacts>, Error> {
    let (algorithm, value) = match action {
        Action::Keep => return Ok(seen.output.clone()),
        Action::Heal(algorithm) => (*algorithm, None),
        Action::Generate(algorithm) => {
            (*algorithm, Some(new_value(policy::generate(*algorithm, &mut SysRng).map_err(Error::Entropy)?)))
        }
        Action::Publish(algorithm, text) => (*algorithm, Some(new_value(text.clone()))),
    };
    let output = seen.output.as_ref();
    let parts = Parts {
        value,
        algorithm,
        key_id: output.and_then(|output| output.key_id.clone()).unwrap_or_else(new_key_id),
        now: seen.now,
        issued_at: output.and_then(|output| output.sane_issued_at(seen.now)),
    };
    let key = object.sibling(&secret::name(&object.name_any()));
    let existing = match output {
        None => None,
        Some(decided_on) => Some(live(ctx, &key, &decided_on.resource_version).await?),
    };
    let written = child::write(&ctx.client, &secret::desired(object, &parts, existing)).await?;
    let facts = OutputFacts::read(&written);
    ctx.outputs.set_secret(&key, Some(facts.clone()));
    Ok(Some(facts))
}

/// The Secret as it is now, which must be what was decided on.
async fn live(ctx: &Context, key: &crate::cluster::key::ObjectKey, version: &str) -> Result<Secret, Error> {
    let existing: Option<Secret> = child::get(&ctx.client, key).await?;
    existing
        .filter(|existing| existing.metadata.resource_version.as_deref() == Some(version))
        .ok_or_else(|| Error::Raced { kind: Secret::KIND, name: key.name.clone() })
}

fn new_value(text: SecretString) -> NewValue {
    NewValue { text, key_id: new_key_id() }
}

fn new_key_id() -> String {
    Uuid::new_v4().to_string()
}

//! Publishing keys: the output ConfigMap is made, kept as it ought to be, or left alone.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Resource as _, ResourceExt as _};

use super::decide::Plan;
use crate::{
    api::IdentityProvider,
    cluster::{child, error::Error, key::ObjectKey},
    controllers::{
        context::{Context, Published},
        kinds::Managed as _,
        pipeline::Reads,
    },
    desired::configmap,
    domain::{digest::sha256_hex, jwks::KeySet},
};

/// What became of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// It is as it ought to be.
    Published,
    /// One of its name is not ours, and was left alone.
    NotOurs,
    /// It was left as it is: nothing is known that could replace what is there.
    Left,
}

/// Makes the output what the plan says.
///
/// # Errors
/// When calls to the API server fail.
pub async fn apply(object: &IdentityProvider, ctx: &Context, plan: &Plan, reads: Reads) -> Result<Output, Error> {
    let key = object.sibling(&configmap::name(&object.name_any()));
    match plan {
        Plan::Publish(keys) => publish(object, ctx, &key, Some(keys), reads).await,
        Plan::Withdraw => publish(object, ctx, &key, None, reads).await,
        Plan::Leave => Ok(Output::Left),
    }
}

async fn publish(
    object: &IdentityProvider,
    ctx: &Context,
    key: &ObjectKey,
    keys: Option<&KeySet>,
    reads: Reads,
) -> Result<Output, Error> {
    let known = ctx.world.configmaps.version(key);
    let digest = digest(object, keys);
    if let Some(version) = &known
        && ctx.outputs.is_published(
            key,
            &Published {
                version: version.clone(),
                digest: digest.clone(),
            },
        )
    {
        return Ok(Output::Published);
    }
    let existing: Option<ConfigMap> = match (known, reads) {
        (None, Reads::Watched) => None,
        _ => child::get(&ctx.client, key).await?,
    };
    if existing
        .as_ref()
        .is_some_and(|existing| !configmap::is_ours(existing, object))
    {
        return Ok(Output::NotOurs);
    }
    // None is made only to be withdrawn.
    if existing.is_none() && keys.is_none() {
        return Ok(Output::Published);
    }
    let desired = configmap::desired(object, keys, existing.as_ref());
    let is_same = existing.is_some_and(|mut existing| {
        existing.metadata.managed_fields = None;
        existing == desired
    });
    let published = if is_same {
        desired
    } else {
        child::write(&ctx.client, &desired).await?
    };
    let version = published.meta().resource_version.clone().unwrap_or_default();
    ctx.outputs.set_published(key, Some(Published { version, digest }));
    Ok(Output::Published)
}

/// Of all that goes into the output.
fn digest(object: &IdentityProvider, keys: Option<&KeySet>) -> String {
    let keys = keys.map(KeySet::to_json).unwrap_or_default();
    let uid = object.uid().unwrap_or_default();
    sha256_hex(&[uid.as_bytes(), object.spec.issuer.as_bytes(), keys.as_bytes()])
}

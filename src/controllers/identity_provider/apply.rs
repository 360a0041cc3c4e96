//! Publishing keys: the output ConfigMap is made, kept as it ought to be, or left alone.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Resource as _, ResourceExt as _};

use super::{decide, observe::Observed};
use crate::{
    api::IdentityProvider,
    cluster::{child, error::Error},
    controllers::{
        context::{Context, Published},
        kinds::Managed as _,
        pipeline::Reads,
    },
    desired::configmap,
    domain::digest::sha256_hex,
};

/// What became of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// It is as it ought to be.
    Published,
    /// There is none, and none is made only to be withdrawn.
    None,
    /// One of its name is not ours, and was left alone.
    NotOurs,
    /// It is immutable, and would have to change.
    Immutable,
}

/// Publishes the last good keys, or none: what is there is withdrawn.
///
/// # Errors
/// When calls to the API server fail.
pub async fn apply(object: &IdentityProvider, ctx: &Context, seen: &Observed, reads: Reads) -> Result<Output, Error> {
    let data = decide::plan(seen).map(|keys| {
        let authority = seen.authority.as_ref().map(|bundle| bundle.as_deref());
        configmap::published(&object.spec, keys, authority)
    });
    write(object, ctx, data.as_ref(), reads).await
}

/// Withdraws what is published.
///
/// # Errors
/// When calls to the API server fail.
pub async fn withdraw(object: &IdentityProvider, ctx: &Context, reads: Reads) -> Result<Output, Error> {
    write(object, ctx, None, reads).await
}

async fn write(
    object: &IdentityProvider,
    ctx: &Context,
    data: Option<&configmap::Data>,
    reads: Reads,
) -> Result<Output, Error> {
    let key = &object.sibling(&configmap::name(object));
    let known = ctx.world.configmaps.version(key);
    let digest = digest(object, data);
    if let Some(version) = &known
        && ctx.outputs.is_published(key, &Published { version: version.clone(), digest: digest.clone() })
    {
        return Ok(Output::Published);
    }
    let existing: Option<ConfigMap> = ctx.get(key, reads).await?;
    if existing.as_ref().is_some_and(|existing| !configmap::is_ours(existing, object)) {
        return Ok(Output::NotOurs);
    }
    if existing.is_none() && data.is_none() {
        return Ok(Output::None);
    }
    let desired = configmap::desired(object, data, existing.as_ref());
    let published = match existing {
        Some(existing) if existing == desired => desired,
        Some(existing) if existing.immutable == Some(true) => return Ok(Output::Immutable),
        _ => child::write(&ctx.client, &desired).await?,
    };
    let version = published.meta().resource_version.clone().unwrap_or_default();
    ctx.outputs.set_published(key, Some(Published { version, digest }));
    Ok(Output::Published)
}

/// Of all that goes into the output.
fn digest(object: &IdentityProvider, data: Option<&configmap::Data>) -> String {
    let uid = object.uid().unwrap_or_default();
    let entries = data.into_iter().flatten().flat_map(|(key, text)| [key.as_bytes(), text.as_bytes()]);
    sha256_hex(&[uid.as_bytes()].into_iter().chain(entries).collect::<Vec<_>>())
}

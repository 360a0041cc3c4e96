//! What an identity provider's spec refers to: certificate authorities, and keys in a ConfigMap.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use crate::{
    api::{
        IdentityProvider,
        identity_provider::{Algorithm, BundleKind, CaBundleRef},
    },
    cluster::error::Error,
    controllers::{context::Context, kinds::Managed as _, pipeline::Reads},
    domain::{ca_bundle::CaBundle, jwks::KeySet, key_source::KeysError, verdicts::identity_provider_keys::TrustError},
};

/// The certificate authorities of `spec.tls`, if any are set.
///
/// # Errors
/// When calls to the API server fail.
pub async fn authority(
    object: &IdentityProvider,
    ctx: &Context,
    reads: Reads,
) -> Result<Result<Option<Arc<CaBundle>>, TrustError>, Error> {
    let Some(tls) = &object.spec.tls else { return Ok(Ok(None)) };
    let bundle = match (&tls.ca_bundle, &tls.ca_bundle_ref) {
        (_, Some(reference)) => referenced(object, ctx, reads, reference).await?,
        (inline, None) => CaBundle::parse(inline.as_deref().unwrap_or_default().as_bytes()).map_err(TrustError::Inline),
    };
    Ok(bundle.map(|bundle| Some(Arc::new(bundle))))
}

async fn referenced(
    object: &IdentityProvider,
    ctx: &Context,
    reads: Reads,
    CaBundleRef { kind, name, key }: &CaBundleRef,
) -> Result<Result<CaBundle, TrustError>, Error> {
    let (kind, value) = match kind {
        BundleKind::ConfigMap => {
            ("ConfigMap", config_map_value(object, ctx, reads, (name, key)).await?.map(String::into_bytes))
        }
        BundleKind::Secret => {
            let found: Option<Secret> = ctx.get(&object.sibling(name), reads).await?;
            ("Secret", found.and_then(|found| found.data?.remove(key)).map(|value| value.0))
        }
    };
    let Some(value) = value else { return Ok(Err(TrustError::NotFound(kind, name.clone(), key.clone()))) };
    Ok(CaBundle::parse(&value).map_err(|error| TrustError::Referenced(kind, name.clone(), key.clone(), error)))
}

/// The keys that `spec.keysFrom` names, judged.
///
/// # Errors
/// When calls to the API server fail.
pub async fn keys(
    object: &IdentityProvider,
    ctx: &Context,
    reads: Reads,
    algorithms: &[Algorithm],
) -> Result<Result<KeySet, KeysError>, Error> {
    let Some(from) = &object.spec.keys_from else { return Ok(Err(KeysError::Unresolved)) };
    let reference = &from.config_map_key_ref;
    let value = config_map_value(object, ctx, reads, (&reference.name, &reference.key)).await?;
    Ok(value
        .ok_or(KeysError::Unresolved)
        .and_then(|text| KeySet::judge(text.as_bytes(), algorithms).map_err(KeysError::Judged)))
}

async fn config_map_value(
    object: &IdentityProvider,
    ctx: &Context,
    reads: Reads,
    (name, key): (&str, &str),
) -> Result<Option<String>, Error> {
    let found: Option<ConfigMap> = ctx.get(&object.sibling(name), reads).await?;
    Ok(found.and_then(|found| found.data?.remove(key)))
}

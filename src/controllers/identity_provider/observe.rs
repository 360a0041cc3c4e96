//! What an identity provider's verdict depends on.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;

use crate::{
    api::{
        IdentityProvider,
        identity_provider::{Algorithm, KeysStatus},
        status::StatusCore,
    },
    cluster::{child, error::Error},
    controllers::{context::Context, kinds::Managed as _},
    desired::configmap,
    domain::{
        jwks::{KeySet, KeySetError},
        key_source::{KeySource, KeysError, KeysSeen},
        verdicts::identity_provider::{KEYS_REACHABLE, KEYS_VALID},
    },
};

/// What is known when an identity provider is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Its keys.
    pub keys: KeysSeen,
    /// Now.
    pub now: Timestamp,
}

/// What is known of the keys; nothing before the first look has ended, which wakes the object.
///
/// # Errors
/// When calls to the API server fail.
pub async fn observe(object: &IdentityProvider, ctx: &Context) -> Result<Option<Observed>, Error> {
    let now = ctx.now();
    let source = KeySource::of(&object.spec);
    let (key, uid) = (object.key(), object.uid().unwrap_or_default());
    let Some(mut keys) = ctx.fetcher.look(&key, &uid, (&source, object.spec.keys.refresh_interval.into()), now) else {
        return Ok(None);
    };
    let told = object.status.as_ref().and_then(|status| status.keys.as_ref());
    if let (None, Err(error), Some(told)) = (&keys.good, keys.last, told)
        && error != KeysError::Judged(KeySetError::PrivateKeyPublished)
    {
        let output = object.sibling(&configmap::name(object));
        let published: Option<ConfigMap> = child::get(&ctx.client, &output).await?;
        if let Some(set) = published.and_then(|published| published_keys(&published, &source, told)) {
            let at = verified_at(object, told, now);
            if ctx.fetcher.take_up(&key, &uid, &source, &set, at) {
                keys.good = Some((set, at));
            } else {
                // A look that ended meanwhile knows better, and wakes the object.
                return Ok(None);
            }
        }
    }
    Ok(Some(Observed { keys, now }))
}

/// The published keys, if they are those that the status tells of, of this very source. Nobody who may edit a ConfigMap
/// can plant a key: the digest in the status, which they can't write, would differ.
fn published_keys(published: &ConfigMap, source: &KeySource, told: &KeysStatus) -> Option<KeySet> {
    let text = published.data.as_ref()?.get(configmap::JWKS)?;
    let set = KeySet::judge(text.as_bytes(), &Algorithm::ALL).ok()?;
    (set.digest(&source.issuer, &source.endpoint) == told.sha256).then_some(set)
}

/// When the published keys were last good: while the endpoint works, no status is written to say so, so that an earlier
/// process may have seen them until it ended.
fn verified_at(object: &IdentityProvider, told: &KeysStatus, now: Timestamp) -> Timestamp {
    let core = object.status.as_ref().map(|status| &status.core);
    if core.is_some_and(works) { now } else { told.verified_time.0 }
}

/// Whether the last verdict was that the endpoint gives good keys.
#[must_use]
pub fn works(core: &StatusCore) -> bool {
    [KEYS_REACHABLE, KEYS_VALID]
        .iter()
        .all(|type_| core.condition(type_).is_some_and(|condition| condition.status == "True"))
}

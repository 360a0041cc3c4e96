//! What an identity provider's verdict depends on.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;

use super::{references, status};
use crate::{
    api::{
        IdentityProvider,
        identity_provider::{Algorithm, KeysStatus},
        labels,
    },
    cluster::{child, connector::Trust, error::Error, fetcher::Terms},
    controllers::{context::Context, kinds::Managed as _, pipeline::Reads},
    desired::configmap,
    domain::{
        ca_bundle::CaBundle,
        digest::sha256_hex,
        examples::{self, ExamplesVerdict},
        jwks::KeySet,
        key_source::{KeySource, KeysError, KeysSeen, Lost, Place},
        reasons::IdentityProviderReason as Reason,
        verdicts::{
            identity_provider::{KEYS_FRESH, KEYS_REACHABLE},
            identity_provider_keys::TrustError,
        },
    },
};

/// What is known when an identity provider is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Whose keys, and from where.
    pub source: KeySource,
    /// Its keys.
    pub keys: KeysSeen,
    /// The certificate authorities of `spec.tls`, if any are set.
    pub authority: Result<Option<Arc<CaBundle>>, TrustError>,
    /// What became of the examples by the last good keys, if there are any.
    pub examples: Option<ExamplesVerdict>,
    /// Now.
    pub now: Timestamp,
}

/// What is known of the keys; nothing before the first look has ended, which wakes the object.
///
/// # Errors
/// When calls to the API server fail.
pub async fn observe(object: &IdentityProvider, ctx: &Context, reads: Reads) -> Result<Option<Observed>, Error> {
    let now = ctx.now();
    let source = KeySource::of(&object.spec);
    let authority = references::authority(object, ctx, reads).await?;
    let terms = terms(object, authority.as_ref().ok());
    let (key, uid) = (object.key(), object.uid().unwrap_or_default());
    let asked = (&source, &terms);
    let seen = match &source.place {
        Place::ConfigMap(..) => {
            let result = references::keys(object, ctx, reads, &terms.algorithms).await?;
            Some(ctx.fetcher.note(&key, &uid, asked, result, now))
        }
        Place::Endpoint(_) if authority.is_err() => {
            Some(ctx.fetcher.note(&key, &uid, asked, Err(KeysError::Unresolved), now))
        }
        Place::Endpoint(_) => ctx.fetcher.look(&key, &uid, asked, now),
    };
    if !is_wanted(object, ctx) {
        return Ok(None);
    }
    let Some(mut keys) = seen else { return Ok(None) };
    if let Some(left) = left_over(object, ctx, &source, &keys, now).await? {
        match ctx.fetcher.take_up(&key, &uid, &source, left) {
            Some(known) => keys = known,
            // A look that ended meanwhile knows better, and wakes the object.
            None => return Ok(None),
        }
    }
    if keys.is_stale(terms.stale_after, now) {
        match ctx.fetcher.expire(&key, &uid, &source, now) {
            Some(known) => keys = known,
            None => return Ok(None),
        }
    }
    if keys.good.is_none()
        && keys.lost.is_none()
        && keys.last.is_err()
        && status::was(object, KEYS_FRESH, Reason::KeysStale)
    {
        // What an earlier process withdrew for its age is forgotten: only the status knows why.
        keys = keys.without(Lost::Stale);
    }
    let examples = keys.good.as_ref().map(|(set, _)| examples(object, ctx, set));
    Ok(Some(Observed { source, keys, authority, examples, now }))
}

/// Judged once for each set of keys: signatures cost time, and `at` is fixed.
fn examples(object: &IdentityProvider, ctx: &Context, keys: &KeySet) -> ExamplesVerdict {
    if object.spec.examples.is_none() {
        return ExamplesVerdict::default();
    }
    let generation = object.metadata.generation.unwrap_or_default().to_string();
    let (uid, keys_text) = (object.uid().unwrap_or_default(), keys.to_json());
    let digest = sha256_hex(&[uid.as_bytes(), generation.as_bytes(), keys_text.as_bytes()]);
    ctx.examples.judged(&object.key(), &digest, || examples::judge(&object.spec, keys.keys()))
}

/// Whether the object is still there and not suspended: a fetch that was started after the watch told so must end, too.
fn is_wanted(object: &IdentityProvider, ctx: &Context) -> bool {
    let key = object.key();
    match ctx.world.identity_providers.live(&key).filter(|live| live.uid() == object.uid()) {
        None => ctx.fetcher.forget(&key),
        Some(live) if live.spec.suspend => ctx.fetcher.halt(&key),
        Some(_) => return true,
    }
    false
}

/// How keys are asked for; none is known who vouches for the endpoint: then it is not asked.
fn terms(object: &IdentityProvider, authority: Option<&Option<Arc<CaBundle>>>) -> Terms {
    let mut algorithms: Vec<Algorithm> = object.spec.algorithms.clone();
    algorithms.sort_unstable();
    Terms {
        trust: authority.map(|bundle| bundle.clone().map_or(Trust::System, Trust::Bundle)),
        algorithms,
        interval: object.spec.keys.refresh_interval.into(),
        stale_after: object.spec.keys.stale_after.into(),
        was_dead: status::was(object, KEYS_REACHABLE, Reason::KeysUnreachable),
        // It may be as long as annotations are.
        refresh: object.annotations().get(labels::REFRESH).map(|token| sha256_hex(&[token.as_bytes()])),
    }
}

/// The keys that an earlier process published for this source, where this one has seen none, and when they were good.
async fn left_over(
    object: &IdentityProvider,
    ctx: &Context,
    source: &KeySource,
    seen: &KeysSeen,
    now: Timestamp,
) -> Result<Option<(KeySet, Timestamp)>, Error> {
    let told = object.status.as_ref().and_then(|status| status.keys.as_ref());
    let Some(told) = told.filter(|_| seen.good.is_none() && seen.lost.is_none()) else { return Ok(None) };
    let published: Option<ConfigMap> = child::get(&ctx.client, &object.sibling(&configmap::name(object))).await?;
    let set = published.and_then(|published| published_keys(&published, source, told));
    Ok(set.map(|set| (set, verified_at(object, told, now))))
}

/// The published keys, if they are those that the status tells of, of this very source. Nobody who may edit a ConfigMap
/// can plant a key: the digest in the status, which they can't write, would differ.
fn published_keys(published: &ConfigMap, source: &KeySource, told: &KeysStatus) -> Option<KeySet> {
    let text = published.data.as_ref()?.get(configmap::JWKS)?;
    let set = KeySet::judge(text.as_bytes(), &Algorithm::ALL).ok()?;
    (source.digest(&set) == told.sha256).then_some(set)
}

/// When the published keys were last good: while the source works, no status is written to say so, so that an earlier
/// process may have seen them until it ended. Of a status without that time, of an earlier version, it is known only when
/// they came.
fn verified_at(object: &IdentityProvider, told: &KeysStatus, now: Timestamp) -> Timestamp {
    let core = object.status.as_ref().map(|status| &status.core);
    let told = told.verified_time.as_ref().unwrap_or(&told.change_time);
    if core.is_some_and(status::works) { now } else { told.0.min(now) }
}

//! What a change of one object means for others.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    ResourceExt as _,
    api::PartialObjectMeta,
    core::{DeserializeGuard, error_boundary::InvalidObject},
};

use super::{
    context::Context,
    kinds::Managed,
    user_idp_authenticator::observe::IdpView,
    world::{Relation, World},
};
use crate::{
    api::IdentityProvider,
    cluster::{key::ObjectKey, metrics::KindLabels, relist::Change},
};

/// A change of an object of ours.
pub fn on_change<K: Managed>(ctx: &Context, change: Change<DeserializeGuard<K>>) -> Option<(Option<Arc<K>>, Option<Arc<K>>)> {
    match change {
        Change::Applied(DeserializeGuard(Ok(object))) => {
            let request = World::request::<K>(object.key());
            let changed = K::objects(&ctx.world).apply(object);
            let new = changed.new?;
            ctx.world.relate(&request, new.relations());
            ctx.world.wake(&request);
            Some((changed.old, Some(new)))
        }
        Change::Applied(DeserializeGuard(Err(unreadable))) => {
            let key = tell_unreadable::<K>(ctx, &unreadable);
            Some((remove::<K>(ctx, &key), None))
        }
        Change::Deleted(key) => Some((remove::<K>(ctx, &key), None)),
    }
}

fn remove<K: Managed>(ctx: &Context, key: &ObjectKey) -> Option<Arc<K>> {
    let request = World::request::<K>(key.clone());
    ctx.world.relate(&request, Vec::new());
    ctx.failures.clear(&request);
    K::objects(&ctx.world).remove(key)
}

/// Once per change, as a watch delivers each once. The object waits for its next change; nothing else is delayed.
fn tell_unreadable<K: Managed>(ctx: &Context, object: &InvalidObject) -> ObjectKey {
    let kind = K::KIND.as_str();
    let key = ObjectKey::new(
        object.metadata.namespace.clone().unwrap_or_default(),
        object.metadata.name.clone().unwrap_or_default(),
    );
    tracing::error!(kind, namespace = key.namespace, name = key.name, error = object.error, "object can't be read: is its CustomResourceDefinition of this version?");
    ctx.metrics.unreadable_objects.get_or_create(&KindLabels { kind }).inc();
    key
}

/// A change of an `IdentityProvider`: its links are woken if, and only if, it matters to them.
pub fn on_identity_provider(ctx: &Context, change: Change<DeserializeGuard<IdentityProvider>>) {
    let Some((old, new)) = on_change(ctx, change) else { return };
    let view = |idp: &Option<Arc<IdentityProvider>>| idp.as_deref().and_then(IdpView::of);
    if view(&old) != view(&new) {
        for idp in [&old, &new].into_iter().flatten() {
            ctx.world.wake_related(&Relation::NeedsIdp(idp.key()));
            ctx.world.wake_related(&Relation::NeedsIdpId(idp.sibling(&idp.uid().unwrap_or_default())));
        }
    }
    if let (Some(old), None) = (old, new) {
        ctx.fetcher.forget(&old.key());
    }
}

/// A Secret came, changed or went.
pub fn on_secret(ctx: &Context, change: Change<PartialObjectMeta<Secret>>) {
    let (key, version) = parts(change);
    if version.is_none() {
        ctx.outputs.set_secret(&key, None);
    }
    ctx.world.secrets.set(key.clone(), version);
    ctx.world.wake_related(&Relation::Secret(key));
}

/// A ConfigMap came, changed or went.
pub fn on_configmap(ctx: &Context, change: Change<PartialObjectMeta<ConfigMap>>) {
    let (key, version) = parts(change);
    if version.is_none() {
        ctx.outputs.set_published(&key, None);
    }
    ctx.world.configmaps.set(key.clone(), version);
    ctx.world.wake_related(&Relation::ConfigMap(key));
}

fn parts<K>(change: Change<PartialObjectMeta<K>>) -> (ObjectKey, Option<String>)
where
    PartialObjectMeta<K>: kube::Resource,
{
    match change {
        Change::Applied(object) => (ObjectKey::of(&object), Some(object.resource_version().unwrap_or_default())),
        Change::Deleted(key) => (key, None),
    }
}

//! What a change of one object means for others.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{
    ResourceExt as _,
    api::{ObjectMeta, PartialObjectMeta},
    core::{DeserializeGuard, error_boundary::InvalidObject},
};

use super::{
    context::Context,
    kinds::Managed,
    world::{Relation, World},
};
use crate::{
    api::labels,
    cluster::{
        key::{ObjectKey, Request},
        relist::Change,
    },
    domain::claims::Claims,
};

/// A change of an object of ours.
pub fn on_change<K: Managed>(ctx: &Context, change: Change<DeserializeGuard<K>>) {
    match change {
        Change::Applied(DeserializeGuard(Ok(object))) => {
            let request = World::request::<K>(object.key());
            let (changed, is_held_back) = ctx.world.watched(&request, object);
            // Not before it is in the store: who looks meanwhile must not find it in neither.
            let was_unread = ctx.unreadable.forget(&request);
            if let Some(new) = changed.new {
                ctx.world.relate(&request, new.relations());
                K::introduce(&ctx.world, &request.key, Some(new.meta()));
                ctx.world.contend(&request, Some(new.as_ref()));
                match &changed.old {
                    Some(old) if is_held_back && is_status_only(old.meta(), new.meta()) => {}
                    _ => ctx.world.wake(&request),
                }
                K::after_change(ctx, changed.old.as_deref(), Some(&new));
            }
            if was_unread {
                K::after_unread(ctx, &request.key);
            }
        }
        Change::Applied(DeserializeGuard(Err(unreadable))) => {
            let (request, is_news) = tell_unreadable::<K>(ctx, &unreadable);
            let old = remove::<K>(ctx, &request, Some(&unreadable.metadata));
            ctx.world.unread(&request, &unreadable.metadata);
            if let Some(old) = &old {
                K::after_change(ctx, Some(old), None);
            }
            // It is there, which one that was being deleted was not any more.
            if is_news {
                K::after_unread(ctx, &request.key);
            }
        }
        Change::Deleted(key) => {
            let request = World::request::<K>(key);
            ctx.unreadable.forget(&request);
            let old = remove::<K>(ctx, &request, None);
            // Not before it is out of the store, from which a change of facts enters objects.
            ctx.world.contend::<K>(&request, None);
            gone(ctx, &request, old.as_deref());
        }
    }
}

/// Whether nothing that a user can change is different.
fn is_status_only(old: &ObjectMeta, new: &ObjectMeta) -> bool {
    old.uid == new.uid
        && old.generation == new.generation
        && old.deletion_timestamp == new.deletion_timestamp
        && old.annotations == new.annotations
        && old.labels == new.labels
}

/// `rest` is what is known of it still, if it can't be read any more.
fn remove<K: Managed>(ctx: &Context, request: &Request, rest: Option<&ObjectMeta>) -> Option<Arc<K>> {
    ctx.world.relate(request, Vec::new());
    ctx.failures.clear(request);
    let old = K::objects(&ctx.world).remove(&request.key);
    K::introduce(&ctx.world, &request.key, rest);
    old
}

/// After what it held is another one's: who is woken once more by this must not see it as its holder.
fn gone<K: Managed>(ctx: &Context, request: &Request, old: Option<&K>) {
    match old {
        Some(old) => K::after_change(ctx, Some(old), None),
        // It could not be read before, or can't be now as little as then.
        None => K::after_unread(ctx, &request.key),
    }
}

/// Told once per version, however often it is listed: returns whether it was. The object waits for its next change; nothing
/// else is delayed.
fn tell_unreadable<K: Managed>(ctx: &Context, object: &InvalidObject) -> (Request, bool) {
    let kind = K::KIND.as_str();
    let meta = &object.metadata;
    let key = ObjectKey::new(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
    let request = World::request::<K>(key.clone());
    let is_news = ctx.unreadable.is_news(&request, meta);
    if is_news {
        // What stands before it repeats the value, which could be an external id.
        let expected = object.error.rsplit_once("expected").map_or("another schema", |(_, expected)| expected.trim());
        tracing::error!(
            kind,
            namespace = key.namespace.as_str(),
            name = key.name.as_str(),
            expected,
            "object can't be read: is its CustomResourceDefinition of this version?"
        );
    }
    (request, is_news)
}

/// A Secret came, changed or went.
pub fn on_secret(ctx: &Context, change: Change<PartialObjectMeta<Secret>>) {
    let (key, version) = parts(change);
    if version.is_none() {
        ctx.outputs.set_secret(&key, None);
    }
    if ctx.world.secrets.set(key.clone(), version) {
        ctx.world.wake_related(&Relation::Secret(key));
    }
}

/// A ConfigMap came, changed or went.
pub fn on_configmap(ctx: &Context, change: Change<PartialObjectMeta<ConfigMap>>) {
    let (key, version) = parts(change);
    if version.is_none() {
        ctx.outputs.set_published(&key, None);
    }
    if ctx.world.configmaps.set(key.clone(), version) {
        ctx.world.wake_related(&Relation::ConfigMap(key));
    }
}

/// A namespace came, changed or went: its claims may have changed.
pub fn on_namespace(ctx: &Context, change: Change<PartialObjectMeta<Namespace>>) {
    let (name, claims) = match change {
        Change::Applied(namespace) => {
            let annotation = namespace.annotations().get(labels::TENANTS);
            (namespace.name_any(), annotation.map(|annotation| Claims::parse(annotation)).unwrap_or_default())
        }
        Change::Deleted(key) => (key.name.to_string(), Claims::default()),
    };
    ctx.world.claim(&name, claims);
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

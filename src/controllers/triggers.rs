//! What a change of one object means for others.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    ResourceExt as _,
    api::PartialObjectMeta,
    core::{DeserializeGuard, error_boundary::InvalidObject},
};

use super::{
    context::Context,
    kinds::Managed,
    world::{Relation, World},
};
use crate::cluster::{key::ObjectKey, metrics::KindLabels, relist::Change};

/// A change of an object of ours.
pub fn on_change<K: Managed>(ctx: &Context, change: Change<DeserializeGuard<K>>) {
    match change {
        Change::Applied(DeserializeGuard(Ok(object))) => {
            let request = World::request::<K>(object.key());
            ctx.unreadable.forget(&request);
            contested::<K>(ctx, &request.key, object.relations(), || {
                let relations = object.relations();
                let changed = K::objects(&ctx.world).apply(object);
                if let Some(new) = changed.new {
                    ctx.world.relate(&request, relations);
                    ctx.world.wake(&request);
                    K::after_change(ctx, changed.old.as_deref(), Some(&new));
                }
            });
        }
        Change::Applied(DeserializeGuard(Err(unreadable))) => {
            let key = tell_unreadable::<K>(ctx, &unreadable);
            remove::<K>(ctx, &key);
        }
        Change::Deleted(key) => {
            ctx.unreadable.forget(&World::request::<K>(key.clone()));
            remove::<K>(ctx, &key);
        }
    }
}

fn remove<K: Managed>(ctx: &Context, key: &ObjectKey) {
    let request = World::request::<K>(key.clone());
    ctx.failures.clear(&request);
    contested::<K>(ctx, key, Vec::new(), || {
        ctx.world.relate(&request, Vec::new());
        if let Some(old) = K::objects(&ctx.world).remove(key) {
            K::after_change(ctx, Some(&old), None);
        }
    });
}

/// Makes a change, and wakes all contenders for what has another holder by it.
fn contested<K: Managed>(ctx: &Context, key: &ObjectKey, new: Vec<Relation>, change: impl FnOnce()) {
    let old = K::objects(&ctx.world).known(key).map(|old| old.relations()).unwrap_or_default();
    let relations: Vec<Relation> = old.into_iter().chain(new).filter(Relation::is_contest).collect();
    let holders = || -> Vec<Option<String>> {
        relations.iter().map(|contest| ctx.world.holder::<K>(contest).and_then(|holder| holder.uid())).collect()
    };
    let before = holders();
    change();
    for (contest, (before, after)) in relations.iter().zip(before.into_iter().zip(holders())) {
        if before != after {
            ctx.world.wake_related(contest);
        }
    }
}

/// Told once per version, however often it is listed. The object waits for its next change; nothing else is delayed.
fn tell_unreadable<K: Managed>(ctx: &Context, object: &InvalidObject) -> ObjectKey {
    let kind = K::KIND.as_str();
    let meta = &object.metadata;
    let key = ObjectKey::new(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
    let version = meta.resource_version.as_deref().unwrap_or_default();
    if ctx.unreadable.is_news(&World::request::<K>(key.clone()), version) {
        // What stands before it repeats the value, which could be an external id.
        let expected = object.error.rsplit_once("expected").map_or("another schema", |(_, expected)| expected.trim());
        tracing::error!(
            kind,
            namespace = key.namespace,
            name = key.name,
            expected,
            "object can't be read: is its CustomResourceDefinition of this version?"
        );
        ctx.metrics.unreadable_objects.get_or_create(&KindLabels { kind: kind.to_owned() }).inc();
    }
    key
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

//! The objects of one kind as the watch last told them, with our own writes added at once.
//!
//! Without that, a reconcile that comes before the watch's echo would judge from a status that is already replaced.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
};

use kube::{
    Resource, ResourceExt as _,
    runtime::{
        reflector::{ObjectRef, Store, store::Writer},
        watcher::Event,
    },
};

use super::{key::ObjectKey, sync::lock};

/// `kubectl apply` keeps a copy of the whole manifest in this annotation. Nobody here reads it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A kind's objects. `K`'s contents come from a watch through [`Objects::apply`] and [`Objects::remove`].
pub struct Objects<K: Resource<DynamicType = ()> + Clone + 'static> {
    reader: Store<K>,
    writer: Mutex<Writer<K>>,
}

/// An object before and after a change.
#[derive(Debug)]
pub struct Changed<K> {
    /// As it was, if it was there.
    pub old: Option<Arc<K>>,
    /// As it is, unless the change was older than what is known.
    pub new: Option<Arc<K>>,
}

impl<K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static> Default for Objects<K> {
    fn default() -> Self {
        let mut writer = Writer::<K>::default();
        // Ready from the start: the gate holds the controllers until the watch has listed.
        writer.apply_watcher_event(&Event::Init);
        writer.apply_watcher_event(&Event::InitDone);
        Self { reader: writer.as_reader(), writer: Mutex::new(writer) }
    }
}

impl<K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static> Objects<K> {
    /// The store that the controller reads.
    #[must_use]
    pub fn store(&self) -> Store<K> {
        self.reader.clone()
    }

    /// The object, unless it does not exist or is being deleted: both count as missing.
    #[must_use]
    pub fn live(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.known(key).filter(|object| object.meta().deletion_timestamp.is_none())
    }

    /// The object as it is known, being deleted or not.
    #[must_use]
    pub fn known(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.reader.get(&reference(key))
    }

    /// The watch saw this object. What is older than what is known, or as old, brings no change.
    pub fn apply(&self, object: K) -> Changed<K> {
        self.put(object, |_| true)
    }

    /// The watch saw that this object is gone.
    pub fn remove(&self, key: &ObjectKey) -> Option<Arc<K>> {
        let mut writer = lock(&self.writer);
        let old = self.known(key)?;
        writer.apply_watcher_event(&Event::Delete((*old).clone()));
        Some(old)
    }

    /// We wrote this object's status, and nobody changed it in between: it is known before the watch tells, unless it is
    /// gone meanwhile. The watch's echo will bring no change: what a change is for is to be done now.
    pub fn written(&self, object: K) -> Changed<K> {
        let uid = object.uid();
        self.put(object, |old| old.is_some_and(|old| old.uid() == uid))
    }

    fn put(&self, mut object: K, accepts: impl Fn(Option<&K>) -> bool) -> Changed<K> {
        if let Some(annotations) = object.meta_mut().annotations.as_mut() {
            annotations.remove(LAST_APPLIED);
        }
        let mut writer = lock(&self.writer);
        let key = ObjectKey::of(&object);
        let old = self.known(&key);
        let is_news = old.as_deref().is_none_or(|old| is_newer(&object, old));
        if !is_news || !accepts(old.as_deref()) {
            return Changed { old, new: None };
        }
        writer.apply_watcher_event(&Event::Apply(object));
        Changed { old, new: self.known(&key) }
    }
}

fn reference<K: Resource<DynamicType = ()>>(key: &ObjectKey) -> ObjectRef<K> {
    ObjectRef::new(&key.name).within(&key.namespace)
}

/// resourceVersions of one resource are decimal numbers that grow (KEP-5504). Where they are not, whatever comes is
/// taken for newer.
fn is_newer<K: Resource>(object: &K, known: &K) -> bool {
    let version = |object: &K| object.resource_version().and_then(|version| version.parse::<u128>().ok());
    match (version(object), version(known)) {
        (Some(new), Some(old)) => new > old,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::ObjectMeta;

    use super::*;

    fn object(uid: &str, version: &str) -> ConfigMap {
        ConfigMap {
            metadata: ObjectMeta {
                namespace: Some("ns".into()),
                name: Some("a".into()),
                uid: Some(uid.into()),
                resource_version: Some(version.into()),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        }
    }

    fn version(objects: &Objects<ConfigMap>) -> Option<String> {
        objects.live(&ObjectKey::new("ns", "a")).and_then(|object| object.resource_version())
    }

    #[test]
    fn an_event_older_than_our_own_write_changes_nothing() {
        let objects = Objects::default();
        objects.apply(object("u", "9"));
        objects.written(object("u", "11"));
        assert!(objects.apply(object("u", "10")).new.is_none());
        assert!(objects.apply(object("u", "11")).new.is_none());
        assert_eq!(version(&objects).as_deref(), Some("11"));
        assert!(objects.apply(object("u", "12")).new.is_some());
    }

    #[test]
    fn a_manifest_is_not_kept_twice() {
        let objects = Objects::default();
        let mut applied = object("u", "9");
        applied.annotations_mut().insert(LAST_APPLIED.into(), "{}".into());
        applied.annotations_mut().insert("idp-operator.dev/refresh".into(), "1".into());
        let known = objects.apply(applied).new.unwrap();
        assert_eq!(known.annotations(), &[("idp-operator.dev/refresh".to_owned(), "1".to_owned())].into());
    }

    #[test]
    fn a_write_to_an_object_that_is_gone_or_another_one_brings_it_not_back() {
        let objects = Objects::default();
        objects.apply(object("u", "9"));
        objects.remove(&ObjectKey::new("ns", "a"));
        objects.written(object("u", "10"));
        assert_eq!(version(&objects), None);
        objects.apply(object("v", "11"));
        objects.written(object("u", "12"));
        assert_eq!(version(&objects).as_deref(), Some("11"));
    }
}

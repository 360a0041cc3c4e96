//! Deletions that a watch did not see.
//!
//! A watch that was interrupted lists again: what is gone by then is simply not in the list. This remembers what was
//! seen and delivers the difference.

use std::collections::HashSet;

use kube::{Resource, runtime::watcher::Event};

use super::key::ObjectKey;

/// What happened to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<K> {
    /// It is there, perhaps changed.
    Applied(K),
    /// It is gone.
    Deleted(ObjectKey),
}

/// What one watch has seen.
#[derive(Debug, Default)]
pub struct Relist {
    seen: HashSet<ObjectKey>,
    listing: HashSet<ObjectKey>,
    listed: bool,
}

impl Relist {
    /// Whether the watch has listed at least once.
    #[must_use]
    pub fn has_listed(&self) -> bool {
        self.listed
    }

    /// The changes that an event of the watch brings.
    pub fn step<K: Resource>(&mut self, event: Event<K>) -> Vec<Change<K>> {
        match event {
            Event::Init => {
                self.listing.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                let key = ObjectKey::of(&object);
                self.listing.insert(key.clone());
                self.seen.insert(key);
                vec![Change::Applied(object)]
            }
            Event::InitDone => {
                self.listed = true;
                let listing = std::mem::take(&mut self.listing);
                let gone = self.seen.difference(&listing).cloned().map(Change::Deleted).collect();
                self.seen = listing;
                gone
            }
            Event::Apply(object) => {
                self.seen.insert(ObjectKey::of(&object));
                vec![Change::Applied(object)]
            }
            Event::Delete(object) => {
                let key = ObjectKey::of(&object);
                self.seen.remove(&key);
                vec![Change::Deleted(key)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::ObjectMeta;

    use super::*;

    fn object(name: &str) -> ConfigMap {
        let metadata = ObjectMeta { namespace: Some("ns".into()), name: Some(name.into()), ..ObjectMeta::default() };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    fn gone(name: &str) -> Change<ConfigMap> {
        Change::Deleted(ObjectKey::new("ns", name))
    }

    fn list(relist: &mut Relist, names: &[&str]) -> Vec<Change<ConfigMap>> {
        let mut changes = relist.step(Event::Init);
        for name in names {
            changes.extend(relist.step(Event::InitApply(object(name))));
        }
        changes.extend(relist.step(Event::InitDone));
        changes
    }

    #[test]
    fn what_is_gone_after_a_relist_is_delivered_as_deleted() {
        let mut relist = Relist::default();
        assert_eq!(list(&mut relist, &["a", "b"]), [Change::Applied(object("a")), Change::Applied(object("b"))]);
        relist.step(Event::Apply(object("c")));
        relist.step(Event::Delete(object("a")));
        assert!(relist.has_listed());

        let mut changes = list(&mut relist, &["c", "d"]);
        changes.sort_by_key(|change| matches!(change, Change::Deleted(_)));
        assert_eq!(changes, [Change::Applied(object("c")), Change::Applied(object("d")), gone("b")]);
        assert_eq!(list(&mut relist, &[]).len(), 2);
    }

    #[test]
    fn a_list_that_breaks_off_forgets_nothing() {
        let mut relist = Relist::default();
        list(&mut relist, &["a", "b"]);
        relist.step::<ConfigMap>(Event::Init);
        relist.step(Event::InitApply(object("a")));
        assert_eq!(list(&mut relist, &["a"]), [Change::Applied(object("a")), gone("b")]);
    }
}

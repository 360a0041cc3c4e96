//! Secrets and ConfigMaps as far as the watch tells: that they exist, and at which resourceVersion. Their contents are
//! never kept.

use std::{collections::HashMap, sync::RwLock};

use super::{key::ObjectKey, sync};

/// Which objects of one kind exist.
#[derive(Debug, Default)]
pub struct MetaStore {
    versions: RwLock<HashMap<ObjectKey, String>>,
}

impl MetaStore {
    /// The object's resourceVersion, if it exists.
    #[must_use]
    pub fn version(&self, key: &ObjectKey) -> Option<String> {
        sync::read(&self.versions).get(key).cloned()
    }

    /// The object is at this resourceVersion now; absent: it is gone. Returns whether that is news: a watch that lists again
    /// tells of all once more.
    pub fn set(&self, key: ObjectKey, version: Option<String>) -> bool {
        let mut versions = sync::write(&self.versions);
        let is_there = version.clone();
        let old = match version {
            Some(version) => versions.insert(key, version),
            None => versions.remove(&key),
        };
        old != is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_version_is_news() {
        let store = MetaStore::default();
        let key = ObjectKey::new("ns", "a");
        let set = |version: Option<&str>| store.set(key.clone(), version.map(str::to_owned));
        assert_eq!(
            [None, Some("1"), Some("1"), Some("2"), None, None].map(set),
            [false, true, false, true, true, false]
        );
    }
}

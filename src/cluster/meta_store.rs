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

    /// The object is at this resourceVersion now; absent: it is gone.
    pub fn set(&self, key: ObjectKey, version: Option<String>) {
        let mut versions = sync::write(&self.versions);
        match version {
            Some(version) => versions.insert(key, version),
            None => versions.remove(&key),
        };
    }
}

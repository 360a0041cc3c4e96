//! Secrets and ConfigMaps as far as the watch tells: that they exist, and at which resourceVersion. Their contents are
//! never kept.

use std::{collections::HashMap, sync::RwLock};

use super::key::ObjectKey;

/// Which objects of one kind exist.
#[derive(Debug, Default)]
pub struct MetaStore {
    versions: RwLock<HashMap<ObjectKey, String>>,
}

impl MetaStore {
    /// The object's resourceVersion, if it exists.
    #[must_use]
    pub fn version(&self, key: &ObjectKey) -> Option<String> {
        self.versions.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(key).cloned()
    }

    /// The object is at this resourceVersion now; absent: it is gone.
    pub fn set(&self, key: ObjectKey, version: Option<String>) {
        let mut versions = self.versions.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        match version {
            Some(version) => versions.insert(key, version),
            None => versions.remove(&key),
        };
    }
}

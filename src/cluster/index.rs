//! Who refers to what: kept up by the watches, so that a look-up costs no scan.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

/// A many-to-many relation between keys and members, looked up by key.
#[derive(Debug)]
pub struct Index<K, M> {
    members: HashMap<K, BTreeSet<M>>,
    keys: HashMap<M, Vec<K>>,
}

impl<K, M> Default for Index<K, M> {
    fn default() -> Self {
        Self { members: HashMap::new(), keys: HashMap::new() }
    }
}

impl<K: Hash + Eq + Clone, M: Hash + Ord + Clone> Index<K, M> {
    /// The member has exactly these keys from now on; none removes it.
    pub fn set(&mut self, member: &M, keys: Vec<K>) {
        // Most changes of an object are of its status.
        if self.keys(member) == keys {
            return;
        }
        for key in self.keys.remove(member).unwrap_or_default() {
            if let Some(members) = self.members.get_mut(&key) {
                members.remove(member);
                if members.is_empty() {
                    self.members.remove(&key);
                }
            }
        }
        for key in &keys {
            self.members.entry(key.clone()).or_default().insert(member.clone());
        }
        if !keys.is_empty() {
            self.keys.insert(member.clone(), keys);
        }
    }

    /// The keys that this member has, in the order in which they were set.
    pub fn keys(&self, member: &M) -> &[K] {
        self.keys.get(member).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether no member has any key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.keys.is_empty()
    }

    /// The members that have this key, in order.
    pub fn get(&self, key: &K) -> impl Iterator<Item = &M> {
        self.members.get(key).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the naive model: a map from member to keys, scanned.
        #[test]
        fn it_answers_as_a_scan_would(steps in proptest::collection::vec((0u8..8, proptest::collection::btree_set(0u8..6, 0..4)), 0..60)) {
            let mut index = Index::default();
            let mut model: BTreeMap<u8, BTreeSet<u8>> = BTreeMap::new();
            for (member, keys) in steps {
                index.set(&member, keys.iter().copied().collect());
                model.insert(member, keys);
                for key in 0..6 {
                    let expected: Vec<u8> = model.iter().filter(|(_, keys)| keys.contains(&key)).map(|(member, _)| *member).collect();
                    prop_assert_eq!(index.get(&key).copied().collect::<Vec<_>>(), expected);
                }
            }
            for (member, keys) in &model {
                prop_assert_eq!(index.keys(member), keys.iter().copied().collect::<Vec<u8>>());
            }
            prop_assert_eq!(index.keys.len(), model.values().filter(|keys| !keys.is_empty()).count());
        }
    }
}

//! Who refers to what: kept up by the watches, so that a look-up costs no scan.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::Arc,
};

/// A many-to-many relation between keys and members, looked up by key. Both tables share keys and members.
#[derive(Debug)]
pub struct Index<K, M> {
    members: HashMap<Arc<K>, Members<M>>,
    keys: HashMap<Arc<M>, Box<[Arc<K>]>>,
}

/// The members of a key, of which there is at least one. Most keys have no more: a set of one would take ten times its
/// memory, as it makes room for eleven.
#[derive(Debug)]
enum Members<M> {
    One(Arc<M>),
    #[allow(clippy::box_collection, reason = "a set takes twice as much in every place of the table, and few are sets")]
    Many(Box<BTreeSet<Arc<M>>>),
}

impl<M: Ord> Members<M> {
    fn insert(&mut self, member: &Arc<M>) {
        match self {
            Self::One(only) if only == member => {}
            Self::One(only) => *self = Self::Many(Box::new(BTreeSet::from([only.clone(), member.clone()]))),
            Self::Many(members) => {
                members.insert(member.clone());
            }
        }
    }

    /// Whether nobody is left.
    fn remove(&mut self, member: &M) -> bool {
        match self {
            Self::One(only) => **only == *member,
            Self::Many(members) => {
                members.remove(member);
                members.is_empty()
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = &M> {
        let (one, many) = match self {
            Self::One(only) => (Some(only), None),
            Self::Many(members) => (None, Some(members)),
        };
        one.into_iter().chain(many.into_iter().flat_map(|members| members.iter())).map(Arc::as_ref)
    }
}

impl<K, M> Default for Index<K, M> {
    fn default() -> Self {
        Self { members: HashMap::new(), keys: HashMap::new() }
    }
}

impl<K: Hash + Eq, M: Hash + Ord + Clone> Index<K, M> {
    /// The member has exactly these keys from now on; none removes it.
    pub fn set(&mut self, member: &M, keys: Vec<K>) {
        // Most changes of an object are of its status.
        if self.keys(member).eq(&keys) {
            return;
        }
        for key in self.keys.remove(member).unwrap_or_default() {
            if self.members.get_mut(&key).is_some_and(|members| members.remove(member)) {
                self.members.remove(&key);
            }
        }
        if keys.is_empty() {
            return;
        }
        let member = Arc::new(member.clone());
        let keys = keys.into_iter().map(|key| {
            let key = self.members.get_key_value(&key).map_or_else(|| Arc::new(key), |(known, _)| known.clone());
            let members = self.members.entry(key.clone()).or_insert_with(|| Members::One(member.clone()));
            members.insert(&member);
            key
        });
        let keys = keys.collect();
        self.keys.insert(member, keys);
    }

    /// The keys that this member has, in the order in which they were set.
    pub fn keys(&self, member: &M) -> impl Iterator<Item = &K> {
        self.keys.get(member).into_iter().flatten().map(Arc::as_ref)
    }

    /// Whether no member has any key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.keys.is_empty()
    }

    /// The members that have this key, in order.
    pub fn get(&self, key: &K) -> impl Iterator<Item = &M> {
        self.members.get(key).into_iter().flat_map(Members::iter)
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
                prop_assert!(index.keys(member).eq(keys));
            }
            prop_assert_eq!(index.keys.len(), model.values().filter(|keys| !keys.is_empty()).count());
        }
    }
}

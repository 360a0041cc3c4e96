//! When the API server was last heard on each watch.
//!
//! kube's watcher keeps to itself what tells that a watch without news is alive: bookmarks, which the API server sends about
//! every minute, and the start of another watch, as each ends after 5 minutes. So the client tells of each answer to a watch
//! and of each part of it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use jiff::Timestamp;

use super::sync::lock;

/// When the API server was last heard on each watch. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SignsOfLife(Arc<Mutex<HashMap<String, Watch>>>);

#[derive(Debug)]
struct Watch {
    kind: String,
    heard: Timestamp,
}

impl SignsOfLife {
    /// From now on this path is to be heard of; other paths are none of ours.
    pub fn expect(&self, path: &str, kind: &str, now: Timestamp) {
        lock(&self.0).insert(path.to_owned(), Watch { kind: kind.to_owned(), heard: now });
    }

    /// The API server was heard on this path.
    pub fn heard(&self, path: &str, now: Timestamp) {
        if let Some(watch) = lock(&self.0).get_mut(path) {
            watch.heard = now;
        }
    }

    /// For each kind, when the watch was heard that has been silent for longest.
    #[must_use]
    pub fn oldest(&self) -> BTreeMap<String, Timestamp> {
        let mut oldest = BTreeMap::<String, Timestamp>::new();
        for watch in lock(&self.0).values() {
            oldest.entry(watch.kind.clone()).and_modify(|at| *at = watch.heard.min(*at)).or_insert(watch.heard);
        }
        oldest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn of_several_watches_of_a_kind_the_most_silent_one_counts() {
        let life = SignsOfLife::default();
        life.expect("/a/secrets", "Secret", at(10));
        life.expect("/b/secrets", "Secret", at(10));
        life.expect("/configmaps", "ConfigMap", at(10));
        life.heard("/a/secrets", at(20));
        life.heard("/configmaps", at(30));
        life.heard("/leases", at(40));
        let expected = |secret| BTreeMap::from([("ConfigMap".to_owned(), at(30)), ("Secret".to_owned(), at(secret))]);
        assert_eq!(life.oldest(), expected(10));
        life.heard("/b/secrets", at(15));
        assert_eq!(life.oldest(), expected(15));
    }
}

//! Fetches of keys, apart from all reconciles: a reconcile reads what is known and, where a look is due, has one
//! started; its result wakes the object.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::{
    connector::Connector,
    key::ObjectKey,
    metrics::{FetchLabels, Metrics},
    sync::lock,
};
use crate::{
    api::identity_provider::Algorithm,
    domain::{
        jwks::{KeySet, KeySetError},
        key_source::{KeySource, KeysError, KeysSeen, rescheduled},
        verdicts::identity_provider::keys_problem,
    },
};

/// Fetches at the same time.
const SLOTS: usize = 64;

/// Called with the object whose keys were looked for.
pub type Wake = Arc<dyn Fn(ObjectKey) + Send + Sync>;

/// What is known of every object's keys. Clones share it.
#[derive(Clone)]
pub struct Fetcher {
    connector: Connector,
    slots: Arc<Semaphore>,
    known: Arc<Mutex<HashMap<ObjectKey, Known>>>,
    wake: Wake,
    metrics: Metrics,
}

struct Known {
    uid: String,
    source: KeySource,
    interval: Duration,
    seen: Option<KeysSeen>,
    in_flight: bool,
}

impl Fetcher {
    /// A fetcher that calls `wake` after each fetch.
    #[must_use]
    pub fn new(connector: Connector, wake: Wake, metrics: Metrics) -> Self {
        Self { connector, slots: Arc::new(Semaphore::new(SLOTS)), known: Arc::default(), wake, metrics }
    }

    /// What is known of this object's keys from this source: nothing, where the source is new or the object another
    /// one. Starts a look where one is due, one at a time per object.
    #[must_use]
    pub fn look(
        &self,
        key: &ObjectKey,
        uid: &str,
        (source, interval): (&KeySource, Duration),
        now: Timestamp,
    ) -> Option<KeysSeen> {
        let mut known = lock(&self.known);
        let entry = known.entry(key.clone()).or_insert_with(|| Known::new(uid, source, interval));
        if entry.uid != uid || entry.source != *source {
            *entry = Known::new(uid, source, interval);
        }
        if entry.interval != interval {
            entry.interval = interval;
            entry.seen = entry.seen.take().map(|seen| rescheduled(seen, interval, now));
        }
        let due = entry.seen.as_ref().is_none_or(|seen| seen.next <= now);
        if due && !entry.in_flight {
            entry.in_flight = true;
            let (this, key, uid, source) = (self.clone(), key.clone(), uid.to_owned(), source.clone());
            tokio::spawn(async move { this.fetch(key, uid, source).await });
        }
        entry.seen.clone()
    }

    /// These are the last good keys of this source, seen by an earlier process at this time. False where more is known by
    /// now: good keys, or that none are to be trusted.
    pub fn take_up(&self, key: &ObjectKey, uid: &str, source: &KeySource, keys: &KeySet, at: Timestamp) -> bool {
        let mut known = lock(&self.known);
        let entry = known.get_mut(key).filter(|entry| entry.uid == uid && entry.source == *source);
        let seen = entry.and_then(|entry| entry.seen.as_mut());
        let is_open = |seen: &&mut KeysSeen| {
            seen.good.is_none() && seen.last != Err(KeysError::Judged(KeySetError::PrivateKeyPublished))
        };
        match seen.filter(is_open) {
            Some(seen) => {
                seen.good = Some((keys.clone(), at));
                true
            }
            None => false,
        }
    }

    /// The object is gone.
    pub fn forget(&self, key: &ObjectKey) {
        lock(&self.known).remove(key);
    }

    async fn fetch(self, key: ObjectKey, uid: String, source: KeySource) {
        // The semaphore is never closed.
        let _slot = self.slots.acquire().await;
        let result = match self.connector.get(&source.endpoint).await {
            Ok(body) => KeySet::judge(&body, &Algorithm::ALL).map_err(KeysError::Judged),
            Err(error) => Err(KeysError::Fetch(error)),
        };
        self.count(&result);
        {
            let mut known = lock(&self.known);
            // Meanwhile the object may be gone, made anew, or have another source.
            let Some(entry) = known.get_mut(&key).filter(|entry| entry.uid == uid && entry.source == source) else {
                return;
            };
            entry.in_flight = false;
            let every = (entry.interval, rand::random());
            entry.seen = Some(KeysSeen::after(entry.seen.take(), result, Timestamp::now(), every));
        }
        (self.wake)(key);
    }

    fn count(&self, result: &Result<KeySet, KeysError>) {
        let result = match result {
            Ok(_) => "ok",
            Err(error) => keys_problem(*error, false).1.reason,
        };
        self.metrics.keys_fetches.get_or_create(&FetchLabels { result }).inc();
    }
}

impl Known {
    fn new(uid: &str, source: &KeySource, interval: Duration) -> Self {
        Self { uid: uid.to_owned(), source: source.clone(), interval, seen: None, in_flight: false }
    }
}

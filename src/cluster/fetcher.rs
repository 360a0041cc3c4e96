//! Fetches of keys, apart from all reconciles: a reconcile reads what is known and, where a look is due, has one
//! started; its result wakes the object.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::task::AbortHandle;

use super::{
    connector::{Connector, Trust},
    key::ObjectKey,
    metrics::{FetchLabels, Metrics, NameLabels},
    pools::{Pools, SLOW},
    sync::lock,
};
use crate::{
    api::identity_provider::Algorithm,
    domain::{
        jwks::KeySet,
        key_source::{KeySource, KeysError, KeysSeen, Lost, Place, Schedule},
        verdicts::identity_provider_keys::fetch_result,
    },
};

/// Called with the object whose keys were looked for.
pub type Wake = Arc<dyn Fn(ObjectKey) + Send + Sync>;

/// How keys are asked for. Another one than before is asked with at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who vouches for the endpoint. None: that is not known, so it is not asked.
    pub trust: Option<Trust>,
    /// The algorithms that keys are wanted for.
    pub algorithms: Vec<Algorithm>,
    /// Between looks at an endpoint that works.
    pub interval: Duration,
    /// For how long the last good keys serve.
    pub stale_after: Duration,
    /// An earlier process had no answer from it: it is asked among the slow ones, and does not delay others after a start.
    pub was_dead: bool,
    /// A digest of the token that asks for a fetch: another one asks for another.
    pub refresh: Option<String>,
}

/// What is known of every object's keys. Clones share it.
#[derive(Clone)]
pub struct Fetcher {
    connector: Connector,
    pools: Pools,
    known: Arc<Mutex<HashMap<ObjectKey, Known>>>,
    flights: Arc<AtomicU64>,
    wake: Wake,
    metrics: Metrics,
}

struct Known {
    uid: String,
    source: KeySource,
    terms: Terms,
    seen: Option<KeysSeen>,
    /// The fetch under way.
    flight: Option<Flight>,
    /// What is known was found under other terms: nothing is said before the fetch under way has ended.
    is_superseded: bool,
    /// How long the last fetch took.
    took: Duration,
}

/// A fetch under way. Dropped, it ends.
struct Flight {
    number: u64,
    task: AbortHandle,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fetcher {
    /// A fetcher that calls `wake` after each fetch.
    #[must_use]
    pub fn new(connector: Connector, wake: Wake, metrics: Metrics) -> Self {
        Self { connector, pools: Pools::default(), known: Arc::default(), flights: Arc::default(), wake, metrics }
    }

    /// What is known of this object's keys from this endpoint: nothing, where the source or the terms are new or the object
    /// another one. Starts a fetch where one is due, one at a time per object.
    #[must_use]
    pub fn look(
        &self,
        key: &ObjectKey,
        uid: &str,
        (source, terms): (&KeySource, &Terms),
        now: Timestamp,
    ) -> Option<KeysSeen> {
        let mut known = lock(&self.known);
        let entry = entry(&mut known, key, uid, (source, terms));
        let is_asked = entry.adopt(terms, now);
        let due = entry.seen.as_ref().is_none_or(|seen| seen.next <= now);
        if is_asked || ((due || entry.is_superseded) && entry.flight.is_none()) {
            // What was under way is for what was asked before.
            entry.flight = self.start(key, entry);
        }
        entry.seen.clone().filter(|_| !(entry.is_superseded && entry.flight.is_some()))
    }

    /// A look that needs no fetch came to this. Returns what is known by it.
    pub fn note(
        &self,
        key: &ObjectKey,
        uid: &str,
        (source, terms): (&KeySource, &Terms),
        result: Result<KeySet, KeysError>,
        now: Timestamp,
    ) -> KeysSeen {
        let mut known = lock(&self.known);
        let entry = entry(&mut known, key, uid, (source, terms));
        entry.adopt(terms, now);
        entry.flight = None;
        entry.is_superseded = false;
        let is_verified = result.is_ok();
        let schedule = Schedule { is_watched: true, ..entry.schedule() };
        let seen = KeysSeen::after(entry.seen.take(), result.map_err(|error| (error, None)), now, schedule);
        entry.seen = Some(seen.clone());
        if is_verified {
            self.verified(key, now);
        }
        seen
    }

    /// These are the last good keys of this source, seen by an earlier process at this time. Returns what is known by it:
    /// nothing where more was known by now, good keys or that none are to be trusted.
    pub fn take_up(
        &self,
        key: &ObjectKey,
        uid: &str,
        source: &KeySource,
        (keys, at): (KeySet, Timestamp),
    ) -> Option<KeysSeen> {
        let mut known = lock(&self.known);
        let entry = known.get_mut(key).filter(|entry| entry.uid == uid && entry.source == *source)?;
        let seen = entry.seen.take_if(|seen| seen.good.is_none() && seen.lost.is_none())?;
        self.verified(key, at);
        let seen = KeysSeen { good: Some((keys, at)), ..seen }.under(&entry.terms.algorithms);
        entry.seen = Some(seen.clone());
        Some(seen)
    }

    /// The last good keys are withdrawn for their age: only a good look brings any back.
    pub fn expire(&self, key: &ObjectKey, uid: &str, source: &KeySource) {
        let mut known = lock(&self.known);
        if let Some(entry) = known.get_mut(key).filter(|entry| entry.uid == uid && entry.source == *source) {
            entry.seen = entry.seen.take().map(|seen| seen.without(Lost::Stale));
        }
    }

    /// The object is suspended: no calls are made for it.
    pub fn halt(&self, key: &ObjectKey) {
        if let Some(entry) = lock(&self.known).get_mut(key) {
            entry.flight = None;
        }
    }

    /// The object is gone, or is not to be fetched for.
    pub fn forget(&self, key: &ObjectKey) {
        if lock(&self.known).remove(key).is_some() {
            self.metrics.keys_verified.remove(&labels(key));
        }
    }

    fn start(&self, key: &ObjectKey, entry: &Known) -> Option<Flight> {
        let (Place::Endpoint(url), Some(trust)) = (entry.source.place.clone(), entry.terms.trust.clone()) else {
            return None;
        };
        let number = self.flights.fetch_add(1, Ordering::Relaxed);
        let (algorithms, is_slow) = (entry.terms.algorithms.clone(), entry.took > SLOW);
        let (this, key) = (self.clone(), key.clone());
        let task = tokio::spawn(async move {
            let _place = this.pools.enter(&key.namespace, is_slow).await;
            let started = Instant::now();
            let result = this.fetch(&url, &trust, &algorithms).await;
            let took = started.elapsed();
            this.landed(key, number, result, took);
        });
        Some(Flight { number, task: task.abort_handle() })
    }

    async fn fetch(&self, url: &str, trust: &Trust, algorithms: &[Algorithm]) -> Fetched {
        match self.connector.get(url, trust).await {
            Ok(body) => KeySet::judge(&body, algorithms).map_err(|error| (KeysError::Judged(error), None)),
            Err(failure) => Err((KeysError::Fetch(failure.error), failure.retry_after)),
        }
    }

    fn landed(&self, key: ObjectKey, number: u64, result: Fetched, took: Duration) {
        let label = fetch_result(result.as_ref().err().map(|(error, _)| *error));
        self.metrics.keys_fetches.get_or_create(&FetchLabels { result: label }).inc();
        let now = Timestamp::now();
        {
            let mut known = lock(&self.known);
            let is_awaited = |entry: &&mut Known| entry.flight.as_ref().is_some_and(|flight| flight.number == number);
            // Meanwhile the object may be gone, or something else be asked for.
            let Some(entry) = known.get_mut(&key).filter(is_awaited) else { return };
            entry.flight = None;
            entry.is_superseded = false;
            entry.took = took;
            if result.is_ok() {
                self.verified(&key, now);
            }
            entry.seen = Some(KeysSeen::after(entry.seen.take(), result, now, entry.schedule()));
        }
        (self.wake)(key);
    }

    fn verified(&self, key: &ObjectKey, now: Timestamp) {
        self.metrics.keys_verified.get_or_create(&labels(key)).set(now.as_second());
    }
}

/// Keys, or why there are none and when to come again.
type Fetched = Result<KeySet, (KeysError, Option<Duration>)>;

fn entry<'a>(
    known: &'a mut HashMap<ObjectKey, Known>,
    key: &ObjectKey,
    uid: &str,
    (source, terms): (&KeySource, &Terms),
) -> &'a mut Known {
    let entry = known.entry(key.clone()).or_insert_with(|| Known::new(uid, source, terms));
    if entry.uid != uid || entry.source != *source {
        *entry = Known::new(uid, source, terms);
    }
    entry
}

fn labels(key: &ObjectKey) -> NameLabels {
    NameLabels { namespace: key.namespace.clone(), name: key.name.clone() }
}

impl Known {
    fn new(uid: &str, source: &KeySource, terms: &Terms) -> Self {
        Self {
            uid: uid.to_owned(),
            source: source.clone(),
            terms: terms.clone(),
            seen: None,
            flight: None,
            is_superseded: false,
            took: if terms.was_dead { SLOW + SLOW } else { Duration::ZERO },
        }
    }

    /// From now on these are the terms. Whether a fetch is asked for by that.
    fn adopt(&mut self, terms: &Terms, now: Timestamp) -> bool {
        if self.terms == *terms {
            return false;
        }
        let old = std::mem::replace(&mut self.terms, terms.clone());
        self.terms.refresh = terms.refresh.clone().or_else(|| old.refresh.clone());
        let is_other = old.trust != terms.trust || old.algorithms != terms.algorithms;
        if old.algorithms != terms.algorithms {
            self.seen = self.seen.take().map(|seen| seen.under(&terms.algorithms));
        }
        if old.interval != terms.interval {
            self.seen = self.seen.take().map(|seen| seen.rescheduled(terms.interval, now));
        }
        self.is_superseded |= is_other;
        is_other || old.refresh != self.terms.refresh
    }

    fn schedule(&self) -> Schedule {
        Schedule {
            interval: self.terms.interval,
            is_watched: false,
            stale_after: self.terms.stale_after,
            spread: rand::random(),
        }
    }
}

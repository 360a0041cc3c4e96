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
    metrics::{FetchLabels, Metrics},
    pools::{Pools, SLOW},
    sync::lock,
};
use crate::{
    api::identity_provider::Algorithm,
    domain::{
        jwks::KeySet,
        key_source::{KeySource, KeysError, KeysSeen, LONGEST_TURN, Lost, Place, Schedule},
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
    /// When they were last seen to be good, be they withdrawn since or not.
    verified: Option<Timestamp>,
    /// The fetch under way.
    flight: Option<Flight>,
    /// What is known was found under other terms: nothing is said before the fetch under way has ended.
    is_superseded: bool,
    /// How long the last fetch took.
    took: Duration,
}

/// How old an object's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysAge {
    /// The object.
    pub key: ObjectKey,
    /// When they were last seen to be good.
    pub verified: Timestamp,
    /// When they are too old to be trusted, unless they were lost before.
    pub stale: Option<Timestamp>,
}

/// A fetch under way, or waiting for its turn. Dropped, it ends.
struct Flight {
    number: u64,
    task: AbortHandle,
    since: Timestamp,
    has_begun: bool,
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
        let entry = Self::entry(&mut known, key, uid, (source, terms));
        let is_asked = entry.adopt(terms, now);
        let is_due = entry.is_superseded || entry.seen.as_ref().is_none_or(|seen| seen.next <= now);
        // One that is finished but has not landed panicked.
        let is_wanted = match entry.flight.as_ref().filter(|flight| !flight.task.is_finished()) {
            None => is_asked || is_due,
            // What has begun is for what was asked before.
            Some(flight) => is_asked && flight.has_begun,
        };
        if is_wanted {
            entry.flight = self.start(key, &source.place, now);
            // For so long it has been waited for, however long the object was suspended.
            if let Some(seen) = entry.seen.as_mut() {
                seen.next = now;
            }
        }
        // Without end where there is nothing to tell: it was never asked.
        let is_unasked = |seen: &KeysSeen| seen.good.is_none() && seen.last == Err(KeysError::Unresolved);
        let is_unasked = entry.seen.as_ref().is_none_or(is_unasked);
        let waits = |flight: &Flight| is_unasked || flight.since.checked_add(LONGEST_TURN).is_ok_and(|end| now < end);
        let is_awaited = entry.is_superseded && entry.flight.as_ref().is_some_and(waits);
        entry.seen.clone().filter(|_| !is_awaited)
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
        let entry = Self::entry(&mut known, key, uid, (source, terms));
        entry.adopt(terms, now);
        entry.flight = None;
        entry.is_superseded = false;
        if result.is_ok() {
            entry.verified = Some(now);
        }
        let schedule = Schedule { is_watched: true, ..entry.schedule() };
        let seen = KeysSeen::after(entry.seen.take(), result.map_err(|error| (error, None)), now, schedule);
        entry.seen = Some(seen.clone());
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
        entry.verified = Some(at);
        let seen = KeysSeen { good: Some((keys, at)), ..seen }.under(&entry.terms.algorithms);
        entry.seen = Some(seen.clone());
        Some(seen)
    }

    /// The last good keys are withdrawn for their age: only a good look brings any back. Returns what is known by it: a look
    /// may have brought some meanwhile.
    pub fn expire(&self, key: &ObjectKey, uid: &str, source: &KeySource, now: Timestamp) -> Option<KeysSeen> {
        let mut known = lock(&self.known);
        let entry = known.get_mut(key).filter(|entry| entry.uid == uid && entry.source == *source)?;
        let seen = entry.seen.take()?;
        let is_stale = seen.is_stale(entry.terms.stale_after, now);
        let seen = if is_stale { seen.without(Lost::Stale) } else { seen };
        entry.seen = Some(seen.clone());
        Some(seen)
    }

    /// The object is suspended: no calls are made for it.
    pub fn halt(&self, key: &ObjectKey) {
        if let Some(entry) = lock(&self.known).get_mut(key) {
            entry.flight = None;
        }
    }

    /// The object is gone, or is not to be fetched for.
    pub fn forget(&self, key: &ObjectKey) {
        lock(&self.known).remove(key);
    }

    /// How old keys are, of those objects that good ones were ever seen of.
    #[must_use]
    pub fn ages(&self) -> Vec<KeysAge> {
        lock(&self.known).iter().filter_map(|(key, entry)| entry.age(key)).collect()
    }

    fn start(&self, key: &ObjectKey, place: &Place, now: Timestamp) -> Option<Flight> {
        let Place::Endpoint(url) = place.clone() else { return None };
        let number = self.flights.fetch_add(1, Ordering::Relaxed);
        let (this, key) = (self.clone(), key.clone());
        let task = tokio::spawn(async move {
            let Some(is_slow) = this.of_flight(&key, number, |entry| entry.took > SLOW) else { return };
            let _place = this.pools.enter(&key.namespace, is_slow).await;
            // As it is wanted now, not when it began to wait.
            let Some(Some((trust, algorithms))) = this.of_flight(&key, number, Known::begin) else { return };
            let started = Instant::now();
            let result = this.fetch(&url, &trust, &algorithms).await;
            this.landed(key, number, result, started.elapsed());
        });
        Some(Flight { number, task: task.abort_handle(), since: now, has_begun: false })
    }

    /// What this says of the entry whose flight has the number, if that is still awaited.
    fn of_flight<T>(&self, key: &ObjectKey, number: u64, say: impl FnOnce(&mut Known) -> T) -> Option<T> {
        let mut known = lock(&self.known);
        known.get_mut(key).filter(|entry| entry.flight.as_ref().is_some_and(|flight| flight.number == number)).map(say)
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
        // Meanwhile the object may be gone, or something else be asked for.
        let is_told = self.of_flight(&key, number, |entry| {
            entry.flight = None;
            entry.is_superseded = false;
            entry.took = took;
            if result.is_ok() {
                entry.verified = Some(now);
            }
            entry.seen = Some(KeysSeen::after(entry.seen.take(), result, now, entry.schedule()));
        });
        if is_told.is_some() {
            (self.wake)(key);
        }
    }

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
}

/// Keys, or why there are none and when to come again.
type Fetched = Result<KeySet, (KeysError, Option<Duration>)>;

impl Known {
    fn new(uid: &str, source: &KeySource, terms: &Terms) -> Self {
        Self {
            uid: uid.to_owned(),
            source: source.clone(),
            terms: terms.clone(),
            seen: None,
            verified: None,
            flight: None,
            is_superseded: false,
            took: if terms.was_dead { SLOW + SLOW } else { Duration::ZERO },
        }
    }

    /// From now on these are the terms. Whether a fetch is asked for by that.
    fn adopt(&mut self, terms: &Terms, now: Timestamp) -> bool {
        self.seen = self.seen.take().map(|seen| seen.as_of(now, terms.interval));
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

    /// The fetch begins: who is trusted in it, and which algorithms keys are wanted for.
    fn begin(&mut self) -> Option<(Trust, Vec<Algorithm>)> {
        if let Some(flight) = self.flight.as_mut() {
            flight.has_begun = true;
        }
        Some((self.terms.trust.clone()?, self.terms.algorithms.clone()))
    }

    /// From the start of an outage on, age counts as it does for the keys that are served.
    fn age(&self, key: &ObjectKey) -> Option<KeysAge> {
        let verified = self.verified?;
        let counts_from = self.seen.as_ref().and_then(|seen| seen.good.as_ref()).map_or(verified, |(_, at)| *at);
        let is_lost = self.seen.as_ref().is_some_and(|seen| seen.lost.is_some());
        let stale = counts_from.checked_add(self.terms.stale_after).unwrap_or(Timestamp::MAX);
        Some(KeysAge { key: key.clone(), verified, stale: (!is_lost).then_some(stale) })
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

#[cfg(test)]
mod tests {
    use futures::future;
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::{address::AddressPolicy, key_source::FetchError};

    /// A fetcher for whom names have no address, or whose fetches never end.
    fn fetcher(answers: bool) -> Fetcher {
        let lookup: crate::cluster::connector::Lookup =
            Arc::new(
                move |_, _| {
                    if answers { Box::pin(future::ready(Ok(Vec::new()))) } else { Box::pin(future::pending()) }
                },
            );
        let connector = Connector::with_lookup(AddressPolicy::default(), Vec::new(), lookup);
        Fetcher::new(connector, Arc::new(|_| ()), Metrics::default())
    }

    fn source() -> KeySource {
        KeySource { issuer: "a".into(), place: Place::Endpoint("https://a.invalid/keys".into()) }
    }

    fn terms(algorithms: &[Algorithm]) -> Terms {
        Terms {
            trust: Some(Trust::System),
            algorithms: algorithms.to_vec(),
            interval: Duration::from_mins(5),
            stale_after: Duration::from_hours(24),
            was_dead: false,
            refresh: None,
        }
    }

    fn key() -> ObjectKey {
        ObjectKey::new("ns", "login")
    }

    fn look(fetcher: &Fetcher, terms: &Terms, now: Timestamp) -> Option<KeysSeen> {
        fetcher.look(&key(), "u", (&source(), terms), now)
    }

    /// The number of the fetch under way, and whether it has begun.
    fn flight(fetcher: &Fetcher) -> Option<(u64, bool)> {
        let known = lock(&fetcher.known);
        known.get(&key())?.flight.as_ref().map(|flight| (flight.number, flight.has_begun))
    }

    async fn landed(fetcher: &Fetcher) {
        while flight(fetcher).is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn an_edit_keeps_the_place_in_the_queue_and_ends_what_has_begun() {
        let (fetcher, now) = (fetcher(false), Timestamp::now());
        let taken = future::join_all((0..16).map(|_| fetcher.pools.enter("ns", false))).await;
        assert_eq!(look(&fetcher, &terms(&[Algorithm::RS256]), now), None);
        tokio::task::yield_now().await;
        assert_eq!(flight(&fetcher), Some((0, false)));
        assert_eq!(look(&fetcher, &terms(&[Algorithm::ES256]), now), None);
        assert_eq!(flight(&fetcher), Some((0, false)));
        drop(taken);
        while flight(&fetcher) != Some((0, true)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let _ = look(&fetcher, &terms(&[Algorithm::ES256]), now);
        assert_eq!(flight(&fetcher), Some((0, true)));
        let _ = look(&fetcher, &Terms { refresh: Some("b".into()), ..terms(&[Algorithm::ES256]) }, now);
        assert_eq!(flight(&fetcher).map(|(number, _)| number), Some(1));
        fetcher.halt(&key());
        assert_eq!(flight(&fetcher), None);
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_puts_no_fetch_off() {
        let (fetcher, terms, now) = (fetcher(true), terms(&Algorithm::ALL), Timestamp::now());
        assert_eq!(look(&fetcher, &terms, now), None);
        landed(&fetcher).await;
        let seen = look(&fetcher, &terms, now).unwrap();
        assert_eq!(seen.last, Err(KeysError::Fetch(FetchError::Unreachable)));
        assert_eq!(flight(&fetcher), None);
        let _ = look(&fetcher, &terms, now - SignedDuration::from_hours(48));
        assert!(flight(&fetcher).is_some());
    }

    #[tokio::test]
    async fn keys_that_came_while_they_expired_stay() {
        let (fetcher, terms, now) = (fetcher(false), terms(&Algorithm::ALL), Timestamp::now());
        let text = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        let keys = KeySet::judge(text, &Algorithm::ALL).unwrap();
        let note = |result, now| fetcher.note(&key(), "u", (&source(), &terms), result, now);
        note(Ok(keys.clone()), now);
        let late = now + SignedDuration::from_hours(25);
        assert!(note(Err(KeysError::Unresolved), now).is_stale(terms.stale_after, late));
        note(Ok(keys.clone()), late);
        assert_eq!(fetcher.expire(&key(), "u", &source(), late).unwrap().good, Some((keys.clone(), late)));
        note(Err(KeysError::Unresolved), late);
        let age = KeysAge { key: key(), verified: late, stale: Some(late + SignedDuration::from_hours(24)) };
        assert_eq!(fetcher.ages(), std::slice::from_ref(&age));
        let expired = fetcher.expire(&key(), "u", &source(), late + SignedDuration::from_hours(25)).unwrap();
        assert_eq!((expired.good, expired.lost), (None, Some(Lost::Stale)));
        // From now on the status tells since when.
        assert_eq!(fetcher.ages(), [KeysAge { stale: None, ..age }]);
        // What is forgotten is not taken up from what an earlier process left.
        assert_eq!(fetcher.take_up(&key(), "u", &source(), (keys, late)), None);
    }

    #[tokio::test]
    async fn what_was_never_asked_is_awaited_however_long_its_turn_is_in_coming() {
        let (fetcher, now) = (fetcher(false), Timestamp::now());
        let _taken = future::join_all((0..16).map(|_| fetcher.pools.enter("ns", false))).await;
        let resolved = terms(&Algorithm::ALL);
        let unresolved = Terms { trust: None, ..resolved.clone() };
        fetcher.note(&key(), "u", (&source(), &unresolved), Err(KeysError::Unresolved), now);
        assert_eq!(look(&fetcher, &resolved, now), None);
        assert_eq!(look(&fetcher, &resolved, now + SignedDuration::from_hours(1)), None);
        // What was seen under other terms is told after a while.
        let error = Err(KeysError::Fetch(FetchError::Unreachable));
        let known = fetcher.note(&key(), "u", (&source(), &resolved), error, now);
        let fewer = terms(&[Algorithm::ES256]);
        assert_eq!(look(&fetcher, &fewer, now), None);
        let told = look(&fetcher, &fewer, now + SignedDuration::from_mins(2)).map(|seen| (seen.last, seen.good));
        assert_eq!(told, Some((known.last, None)));
    }
}

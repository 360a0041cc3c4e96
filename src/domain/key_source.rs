//! Where an `IdentityProvider`'s keys come from, and what a look there came to.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    jwks::{KeySet, KeySetError},
    schedule,
};
use crate::api::{IdentityProviderSpec, identity_provider::Algorithm};

/// Whose keys, and from where: the last good keys belong to exactly this.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeySource {
    /// `spec.issuer`.
    pub issuer: String,
    /// Where the keys are.
    pub place: Place,
}

/// Where keys are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// `spec.keysEndpoint`.
    Endpoint(String),
    /// `spec.keysFrom`: name and key of a ConfigMap.
    ConfigMap(String, String),
}

impl KeySource {
    /// The source that the spec names.
    #[must_use]
    pub fn of(spec: &IdentityProviderSpec) -> Self {
        let from = spec.keys_from.as_ref().map(|from| &from.config_map_key_ref);
        let place = match from {
            None => Place::Endpoint(spec.keys_endpoint.clone()),
            Some(from) => Place::ConfigMap(from.name.clone(), from.key.clone()),
        };
        Self { issuer: spec.issuer.clone(), place }
    }

    /// SHA-256 over issuer, source and canonical keys: what binds published keys to their source.
    #[must_use]
    pub fn digest(&self, keys: &KeySet) -> String {
        match &self.place {
            Place::Endpoint(url) => keys.digest(&self.issuer, url),
            // No URL begins so.
            Place::ConfigMap(name, key) => keys.digest(&self.issuer, &format!("configmap:{name}/{key}")),
        }
    }
}

/// Why there was no answer to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// Refused, timed out, or no such host.
    Unreachable,
    /// The address may not be called.
    AddressForbidden,
    /// The TLS handshake failed.
    Tls,
    /// Another HTTP status than 200.
    UnexpectedStatus(u16),
    /// A `Content-Encoding`, which could be a bomb.
    Encoded,
    /// A redirect.
    Redirect(u16),
    /// More than 512 KiB.
    BodyTooLarge,
}

/// Why there are no good keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysError {
    /// What the spec refers to is missing or bad, so that there was nothing to ask, or nobody to trust.
    Unresolved,
    /// There was no answer to judge.
    Fetch(FetchError),
    /// The answer holds no good keys.
    Judged(KeySetError),
}

/// What is known of a source's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysSeen {
    /// What the last look came to.
    pub last: Result<(), KeysError>,
    /// The last good keys, and when they were seen.
    pub good: Option<(KeySet, Timestamp)>,
    /// Why good keys were forgotten: then only a good look brings any back.
    pub lost: Option<Lost>,
    /// Looks in a row that brought no good keys.
    pub failures: u32,
    /// When to look again.
    pub next: Timestamp,
}

/// Why good keys were forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// They were too old.
    Stale,
    /// A private key was published: every key of the source is in doubt.
    InDoubt,
    /// The algorithms leave none.
    Unwanted,
}

/// When a source is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Between looks at a source that works.
    pub interval: Duration,
    /// It is looked at when it changes, too: until then it is what it was.
    pub is_watched: bool,
    /// For how long the last good keys serve.
    pub stale_after: Duration,
    /// Anything: spreads looks that would come together.
    pub spread: u64,
}

impl Schedule {
    /// After a look that brought good keys.
    fn after_success(&self, now: Timestamp) -> Timestamp {
        later(now, schedule::shorten(self.interval, self.spread))
    }

    /// After so many failed ones. What the endpoint asks for (`Retry-After`) is obeyed up to an hour or a quarter of the
    /// time that the last good keys serve: who answers it could be anybody.
    fn after_failure(&self, now: Timestamp, failures: u32, retry_after: Option<Duration>) -> Timestamp {
        if self.is_watched {
            return self.after_success(now);
        }
        let most = LONGEST_RETRY_AFTER.min(self.stale_after / 4);
        let asked = retry_after.unwrap_or_default().min(most);
        later(now, schedule::backoff(failures, self.spread).min(self.interval).max(asked))
    }
}

/// How long a look that is due is waited for where something depends on it.
pub const LONGEST_TURN: Duration = Duration::from_mins(1);

/// Longest `Retry-After` that is obeyed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

impl KeysSeen {
    /// The state after a look that ended now. The last good keys are kept whatever else came back, but for a
    /// published private key: then every key of the source is in doubt.
    #[must_use]
    pub fn after(
        before: Option<Self>,
        result: Result<KeySet, (KeysError, Option<Duration>)>,
        now: Timestamp,
        schedule: Schedule,
    ) -> Self {
        let (error, retry_after) = match result {
            Ok(keys) => {
                let next = schedule.after_success(now);
                return Self { last: Ok(()), good: Some((keys, now)), lost: None, failures: 0, next };
            }
            Err(failure) => failure,
        };
        let was_good = before.as_ref().is_some_and(|before| before.last.is_ok());
        let (good, lost, failures) =
            before.map_or((None, None, 0), |before| (before.good, before.lost, before.failures));
        let failures = failures.saturating_add(1);
        let is_in_doubt = error == KeysError::Judged(KeySetError::PrivateKeyPublished);
        let (good, lost) = if is_in_doubt { (None, Some(Lost::InDoubt)) } else { (good, lost) };
        // While it works it is looked at every interval, or watched; if it was not, as the object was suspended, age counts
        // from when it would have been.
        let floor = match (was_good, schedule.is_watched) {
            (false, _) => Timestamp::MIN,
            (true, false) => earlier(now, schedule.interval),
            (true, true) => now,
        };
        let good = good.map(|(keys, at)| (keys, at.max(floor)));
        let next = schedule.after_failure(now, failures, retry_after);
        Self { last: Err(error), good, lost, failures, next }
    }

    /// When the last good keys are too old to be trusted. Never, while their source gives them.
    #[must_use]
    pub fn stale_at(&self, stale_after: Duration) -> Option<Timestamp> {
        let (_, at) = self.good.as_ref().filter(|_| self.last.is_err())?;
        Some(later(*at, stale_after))
    }

    /// From when on they are not served any more, if nothing changes. A look that is due by then is awaited first, but not
    /// for ever: there may be a queue.
    #[must_use]
    pub fn served_until(&self, stale_after: Duration, now: Timestamp) -> Option<Timestamp> {
        let at = self.stale_at(stale_after)?;
        let is_before_next = now < self.next && at < self.next;
        Some(if is_before_next { at } else { at.max(later(self.next, LONGEST_TURN)) })
    }

    /// Whether the last good keys are too old to be trusted.
    #[must_use]
    pub fn is_stale(&self, stale_after: Duration, now: Timestamp) -> bool {
        self.served_until(stale_after, now).is_some_and(|until| until <= now)
    }

    /// The state as a clock tells it that was set back since: nothing was seen in the future, and the next look is not
    /// further away than it can be.
    #[must_use]
    pub fn as_of(self, now: Timestamp, interval: Duration) -> Self {
        let good = self.good.map(|(keys, at)| (keys, at.min(now)));
        // A look may have ended since.
        let is_near = self.next <= later(now, interval.max(LONGEST_RETRY_AFTER) + LONGEST_TURN);
        Self { good, next: if is_near { self.next } else { now }, ..self }
    }

    /// The state when keys are to be looked for at this interval from now on.
    #[must_use]
    pub fn rescheduled(self, interval: Duration, now: Timestamp) -> Self {
        Self { next: self.next.min(later(now, interval)), ..self }
    }

    /// The state under these algorithms: keys that they leave out are forgotten.
    #[must_use]
    pub fn under(self, algorithms: &[Algorithm]) -> Self {
        let Some((keys, at)) = self.good else { return self };
        if let Some(keys) = keys.under(algorithms) {
            return Self { good: Some((keys, at)), ..self };
        }
        // What came last was good, but not for these.
        let last = self.last.and(Err(KeysError::Judged(KeySetError::NoUsableKey)));
        Self { good: None, lost: Some(Lost::Unwanted), last, ..self }
    }

    /// The state once good keys are forgotten for this.
    #[must_use]
    pub fn without(self, lost: Lost) -> Self {
        Self { good: None, lost: Some(lost), ..self }
    }
}

fn earlier(now: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| now.checked_sub(by).ok()).unwrap_or(Timestamp::MIN)
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait).ok().and_then(|wait| now.checked_add(wait).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::identity_provider::Algorithm;

    const KEYS: &[u8] =
        br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    const EVERY: Schedule = Schedule {
        interval: Duration::from_mins(5),
        is_watched: false,
        stale_after: Duration::from_hours(24),
        spread: 0,
    };

    const WATCHED: Schedule = Schedule { is_watched: true, ..EVERY };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn good() -> KeySet {
        KeySet::judge(KEYS, &Algorithm::ALL).unwrap()
    }

    fn unreachable() -> KeysError {
        KeysError::Fetch(FetchError::Unreachable)
    }

    fn failed(error: KeysError) -> Result<KeySet, (KeysError, Option<Duration>)> {
        Err((error, None))
    }

    #[test]
    fn the_last_good_keys_outlive_failures_which_are_backed_off_to_the_interval() {
        let mut seen = KeysSeen::after(None, Ok(good()), at(0), EVERY);
        assert_eq!((seen.last, seen.failures, seen.next), (Ok(()), 0, at(300)));
        let mut waits = Vec::new();
        for failure in 1..=10 {
            seen = KeysSeen::after(Some(seen), failed(unreachable()), at(300), EVERY);
            assert_eq!((seen.last, seen.failures), (Err(unreachable()), failure));
            assert_eq!(seen.good, Some((good(), at(0))));
            waits.push(seen.next.duration_since(at(300)).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        seen = KeysSeen::after(Some(seen), Ok(good()), at(2000), EVERY);
        assert_eq!((seen.good, seen.failures), (Some((good(), at(2000))), 0));
    }

    #[test]
    fn after_a_long_suspension_age_counts_from_the_resume() {
        let seen = KeysSeen::after(None, Ok(good()), at(0), EVERY);
        let seen = KeysSeen::after(Some(seen), failed(unreachable()), at(200_000), EVERY);
        assert_eq!(seen.good, Some((good(), at(199_700))));
        let seen = KeysSeen::after(Some(seen), failed(unreachable()), at(300_000), EVERY);
        assert_eq!(seen.good, Some((good(), at(199_700))));
    }

    #[test]
    fn a_published_private_key_ends_all_trust_in_the_source_s_keys() {
        let seen = KeysSeen::after(None, Ok(good()), at(0), EVERY);
        let error = KeysError::Judged(KeySetError::PrivateKeyPublished);
        let seen = KeysSeen::after(Some(seen), failed(error), at(1), EVERY);
        assert_eq!((seen.good.clone(), seen.lost, seen.last), (None, Some(Lost::InDoubt), Err(error)));
        // What is withdrawn is forgotten: an outage after it brings nothing back.
        let seen = KeysSeen::after(Some(seen), failed(unreachable()), at(2), EVERY);
        assert_eq!((seen.good.clone(), seen.lost), (None, Some(Lost::InDoubt)));
        assert_eq!(KeysSeen::after(Some(seen), Ok(good()), at(3), EVERY).lost, None);
    }

    #[test]
    fn a_shorter_interval_brings_the_next_look_nearer_and_a_longer_one_does_not_put_it_off() {
        let seen = KeysSeen::after(None, Ok(good()), at(0), EVERY);
        assert_eq!(seen.clone().rescheduled(Duration::from_secs(30), at(10)).next, at(40));
        assert_eq!(seen.clone().rescheduled(Duration::from_hours(1), at(10)), seen);
    }

    #[test]
    fn what_the_endpoint_asks_for_is_obeyed_up_to_an_hour_or_a_quarter_of_the_time_that_keys_serve() {
        let wait = |failures: u32, asked: u64, stale_after: Duration| {
            let schedule = Schedule { stale_after, ..EVERY };
            let before = KeysSeen { failures, ..KeysSeen::after(None, failed(unreachable()), at(0), EVERY) };
            let failure = Err((unreachable(), Some(Duration::from_secs(asked))));
            KeysSeen::after(Some(before), failure, at(0), schedule).next.duration_since(at(0)).as_secs()
        };
        let day = Duration::from_hours(24);
        assert_eq!(wait(0, 0, day), 1);
        assert_eq!(wait(0, 120, day), 120);
        assert_eq!(wait(9, 120, day), 300);
        assert_eq!(wait(0, u64::MAX, day), 3600);
        assert_eq!(wait(0, 3600, Duration::from_mins(20)), 300);
    }

    #[test]
    fn what_is_watched_is_good_until_the_moment_when_it_turns_bad() {
        let seen = KeysSeen::after(None, Ok(good()), at(0), WATCHED);
        assert_eq!((seen.next, seen.stale_at(EVERY.stale_after)), (at(300), None));
        let seen = KeysSeen::after(Some(seen), failed(KeysError::Unresolved), at(200_000), WATCHED);
        assert_eq!((seen.good.clone(), seen.next), (Some((good(), at(200_000))), at(200_300)));
        assert_eq!(seen.stale_at(EVERY.stale_after), Some(at(286_400)));
        let seen = KeysSeen::after(Some(seen), failed(KeysError::Unresolved), at(286_300), WATCHED);
        assert_eq!(seen.good, Some((good(), at(200_000))));
        assert!(!seen.is_stale(EVERY.stale_after, at(286_399)));
        assert!(seen.is_stale(EVERY.stale_after, at(286_400)));
    }

    #[test]
    fn a_look_that_is_due_is_awaited_before_keys_are_too_old_but_not_for_ever() {
        let (hour, minute) = (Duration::from_hours(1), 60);
        let good = Some((good(), at(0)));
        let seen = |next: i64| KeysSeen {
            last: Err(unreachable()),
            good: good.clone(),
            lost: None,
            failures: 1,
            next: at(next),
        };
        let until = |next: i64, now: i64| seen(next).served_until(hour, at(now)).unwrap().as_second();
        // The next look is later.
        assert_eq!((until(4000, 10), until(4000, 3600)), (3600, 3600));
        // It is due by then, or has been since the object was resumed.
        assert_eq!((until(3590, 3000), until(3590, 3600)), (3590 + minute, 3590 + minute));
        assert_eq!(until(9000, 9000), 9000 + minute);
        assert_eq!(until(1000, 2000), 3600);
        assert!(!seen(9000).is_stale(hour, at(9059)));
        assert!(seen(9000).is_stale(hour, at(9060)));
    }

    #[test]
    fn a_clock_that_was_set_back_puts_nothing_off() {
        let seen = KeysSeen::after(None, Ok(good()), at(200_000), EVERY);
        assert_eq!(seen.clone().as_of(at(200_100), EVERY.interval), seen);
        assert_eq!(seen.clone().as_of(at(199_999), EVERY.interval).next, seen.next);
        let back = seen.as_of(at(1000), EVERY.interval);
        assert_eq!((back.good, back.next), (Some((good(), at(1000))), at(1000)));
    }

    #[test]
    fn keys_that_the_algorithms_leave_out_are_forgotten() {
        let seen = KeysSeen::after(None, Ok(good()), at(0), EVERY);
        assert_eq!(seen.clone().under(&[Algorithm::EdDSA, Algorithm::RS256]), seen);
        let left = seen.under(&[Algorithm::RS256]);
        assert_eq!((left.good.clone(), left.lost), (None, Some(Lost::Unwanted)));
        assert_eq!(left.last, Err(KeysError::Judged(KeySetError::NoUsableKey)));
        assert_eq!(left.under(&Algorithm::ALL).good, None);
    }

    #[test]
    fn a_digest_binds_keys_to_their_issuer_and_source() {
        let source = |issuer: &str, place| KeySource { issuer: issuer.into(), place };
        let endpoint = |url: &str| Place::Endpoint(url.into());
        let config_map = |name: &str, key: &str| Place::ConfigMap(name.into(), key.into());
        let sources = [
            source("a", endpoint("https://b")),
            source("a", endpoint("https://c")),
            source("b", endpoint("https://b")),
            source("a", config_map("b", "c")),
            source("a", config_map("b", "d")),
            source("a", config_map("c", "c")),
        ];
        let digests: std::collections::BTreeSet<_> = sources.iter().map(|source| source.digest(&good())).collect();
        assert_eq!(digests.len(), sources.len());
    }
}

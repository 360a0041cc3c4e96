//! Where an `IdentityProvider`'s keys come from, and what a look there came to.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::jwks::{KeySet, KeySetError};
use crate::api::IdentityProviderSpec;

/// Whose keys, and from where: the last good keys belong to exactly this.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeySource {
    /// `spec.issuer`.
    pub issuer: String,
    /// `spec.keysEndpoint`.
    pub endpoint: String,
}

impl KeySource {
    /// The source that the spec names.
    #[must_use]
    pub fn of(spec: &IdentityProviderSpec) -> Self {
        Self { issuer: spec.issuer.clone(), endpoint: spec.keys_endpoint.clone() }
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
    /// Looks in a row that brought no good keys.
    pub failures: u32,
    /// When to look again.
    pub next: Timestamp,
}

impl KeysSeen {
    /// The state after a look that ended now. The last good keys are kept whatever else came back, but for a
    /// published private key: then every key of the source is in doubt.
    #[must_use]
    pub fn after(
        before: Option<Self>,
        result: Result<KeySet, KeysError>,
        now: Timestamp,
        (interval, spread): (Duration, u64),
    ) -> Self {
        match result {
            Ok(keys) => Self {
                last: Ok(()),
                good: Some((keys, now)),
                failures: 0,
                next: later(now, super::schedule::shorten(interval, spread)),
            },
            Err(error) => {
                let was_good = before.as_ref().is_some_and(|before| before.last.is_ok());
                let (good, failures) = before.map_or((None, 0), |before| (before.good, before.failures));
                let failures = failures.saturating_add(1);
                let good = good.filter(|_| error != KeysError::Judged(KeySetError::PrivateKeyPublished));
                // While it works it is looked at every interval; if it was not, as the object was suspended, age counts
                // from when it would have been.
                let floor = if was_good { earlier(now, interval) } else { Timestamp::MIN };
                let good = good.map(|(keys, at)| (keys, at.max(floor)));
                let wait = super::schedule::backoff(failures, spread).min(interval);
                Self { last: Err(error), good, failures, next: later(now, wait) }
            }
        }
    }
}

/// The state when keys are to be looked for at this interval from now on.
#[must_use]
pub fn rescheduled(seen: KeysSeen, interval: Duration, now: Timestamp) -> KeysSeen {
    let next = seen.next.min(later(now, interval));
    KeysSeen { next, ..seen }
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

    const EVERY: (Duration, u64) = (Duration::from_mins(5), 0);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn good() -> KeySet {
        KeySet::judge(KEYS, &Algorithm::ALL).unwrap()
    }

    fn unreachable() -> KeysError {
        KeysError::Fetch(FetchError::Unreachable)
    }

    #[test]
    fn the_last_good_keys_outlive_failures_which_are_backed_off_to_the_interval() {
        let mut seen = KeysSeen::after(None, Ok(good()), at(0), EVERY);
        assert_eq!((seen.last, seen.failures, seen.next), (Ok(()), 0, at(300)));
        let mut waits = Vec::new();
        for failure in 1..=10 {
            seen = KeysSeen::after(Some(seen), Err(unreachable()), at(300), EVERY);
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
        let seen = KeysSeen::after(Some(seen), Err(unreachable()), at(200_000), EVERY);
        assert_eq!(seen.good, Some((good(), at(199_700))));
        let seen = KeysSeen::after(Some(seen), Err(unreachable()), at(300_000), EVERY);
        assert_eq!(seen.good, Some((good(), at(199_700))));
    }

    #[test]
    fn a_published_private_key_ends_all_trust_in_the_source_s_keys() {
        let seen = KeysSeen::after(None, Ok(good()), at(0), EVERY);
        let error = KeysError::Judged(KeySetError::PrivateKeyPublished);
        let seen = KeysSeen::after(Some(seen), Err(error), at(1), EVERY);
        assert_eq!((seen.good.clone(), seen.last), (None, Err(error)));
        // What is withdrawn is forgotten: an outage after it brings nothing back.
        assert_eq!(KeysSeen::after(Some(seen), Err(unreachable()), at(2), EVERY).good, None);
    }

    #[test]
    fn a_shorter_interval_brings_the_next_look_nearer_and_a_longer_one_does_not_put_it_off() {
        let seen = KeysSeen::after(None, Ok(good()), at(0), EVERY);
        assert_eq!(rescheduled(seen.clone(), Duration::from_secs(30), at(10)).next, at(40));
        assert_eq!(rescheduled(seen.clone(), Duration::from_hours(1), at(10)), seen);
    }
}

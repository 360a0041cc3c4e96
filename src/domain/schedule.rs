//! When something is done again: back-off after failures, and a stable spread around an interval.

use std::time::Duration;

use jiff::SignedDuration;

/// First wait after a failed reconcile.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Longest wait after failed reconciles.
const LAST_RETRY: Duration = Duration::from_mins(5);

/// The wait after this many failures in a row (1, 2, ..): doubling from 1 s to 5 min, then up to a quarter shorter by
/// the spread, so that objects that failed together don't come back together.
#[must_use]
pub fn backoff(failures: u32, spread: u64) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1)));
    shorten(doubled.min(LAST_RETRY), spread)
}

/// The interval, up to a quarter shorter by the spread.
#[must_use]
pub fn shorten(interval: Duration, spread: u64) -> Duration {
    let permille = u32::try_from(spread % 251).unwrap_or(0);
    interval.saturating_sub(interval / 1000 * permille)
}

/// The interval, up to 5 % longer by the spread.
#[must_use]
pub fn lengthen(interval: SignedDuration, spread: u64) -> SignedDuration {
    let myriad = i32::try_from(spread % 501).unwrap_or(0);
    interval.saturating_add(SignedDuration::from_secs((interval / 10_000).saturating_mul(myriad).as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_five_minutes() {
        let waits: Vec<u64> = (1..=12).map(|failures| backoff(failures, 0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(backoff(u32::MAX, 0), LAST_RETRY);
    }

    #[test]
    fn the_spread_shortens_by_a_quarter_at_most() {
        for spread in 0..1000 {
            let wait = shorten(Duration::from_secs(100), spread);
            assert!((75..=100).contains(&wait.as_secs()), "{wait:?}");
        }
    }

    #[test]
    fn a_spread_interval_is_a_twentieth_longer_at_most() {
        let interval = SignedDuration::from_hours(2160);
        assert_eq!(lengthen(interval, 0), interval);
        assert_eq!(lengthen(interval, 500), SignedDuration::from_hours(2268));
        assert_eq!(lengthen(interval, 501), interval);
        assert_eq!(lengthen(SignedDuration::from_hours(87_600), 500), SignedDuration::from_hours(91_980));
    }
}

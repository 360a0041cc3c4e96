//! `Retry-After` (RFC 9110, section 10.2.3): when an endpoint wants to be asked again.

use std::time::Duration;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// The forms of an HTTP-date (RFC 9110, section 5.6.7), each of which must be understood: the preferred one, that of
/// RFC 850 and that of C's `asctime`. All are in UTC. Two digits of a year are of 1969 to 2068: what that may get wrong by
/// the RFC's rule is more than 40 years away, which is no wait that anybody means.
const FORMS: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// How long to wait from now on. A time in the past is no wait, a number beyond all bounds the longest one; what is in
/// none of the forms says nothing.
#[must_use]
pub fn parse(value: &[u8], now: Timestamp) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    if text.is_empty() {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Nothing but digits fails for one cause only: too many of them.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let at = FORMS.iter().find_map(|form| DateTime::strptime(form, text).ok())?;
    let at = at.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT, the RFC's example, is a minute away.
    fn present() -> Timestamp {
        "1994-11-06T08:48:37Z".parse().unwrap()
    }

    #[rstest]
    #[case("120", Some(120))]
    #[case("0", Some(0))]
    #[case(" 7\t", Some(7))]
    #[case("007", Some(7))]
    #[case("18446744073709551615", Some(u64::MAX))]
    #[case("99999999999999999999999999", Some(u64::MAX))]
    #[case("Sun, 06 Nov 1994 08:49:37 GMT", Some(60))]
    #[case("Sunday, 06-Nov-94 08:49:37 GMT", Some(60))]
    #[case("Sun Nov  6 08:49:37 1994", Some(60))]
    #[case::past("Sun, 06 Nov 1994 08:48:36 GMT", Some(0))]
    #[case::of_this_century("Friday, 06-Nov-26 08:49:37 GMT", Some(1_009_843_260))]
    #[case::wrong_day("Monday, 06-Nov-94 08:49:37 GMT", None)]
    #[case::negative("-5", None)]
    #[case("+5", None)]
    #[case("1.5", None)]
    #[case("", None)]
    #[case(" ", None)]
    #[case("soon", None)]
    #[case("Sun, 06 Nov 1994 08:49:37", None)]
    #[case("Sun, 06 Nov 1994 08:49:37 CET", None)]
    #[case("Sun, 31 Feb 1994 08:49:37 GMT", None)]
    #[case("1994-11-06T08:49:37Z", None)]
    fn is_read(#[case] value: &str, #[case] seconds: Option<u64>) {
        assert_eq!(parse(value.as_bytes(), present()), seconds.map(Duration::from_secs));
    }

    #[test]
    fn bytes_that_are_no_text_say_nothing() {
        assert_eq!(parse(b"\xff120", present()), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_nothing_breaks(value in prop::collection::vec(any::<u8>(), 0..64), second in -100_000_000_000i64..200_000_000_000) {
            let now = Timestamp::from_second(second).unwrap();
            let _ = parse(&value, now);
        }

        #[test]
        fn a_date_ahead_is_waited_for(ahead in 0u64..1_000_000_000) {
            let at = present() + Duration::from_secs(ahead);
            let text = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            prop_assert_eq!(parse(text.as_bytes(), present()), Some(Duration::from_secs(ahead)));
        }
    }
}

//! `status.details`: the seeds' object that says how often and when the effective configuration changed.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::status::Details;

/// The details after this look at the object: the sequence goes up by one when, and only when, the digest of the
/// effective configuration differs from the recorded one.
#[must_use]
pub fn next(
    old: Option<&Details>,
    config_digest: &str,
    owner: &str,
    created: Option<Timestamp>,
    now: Timestamp,
) -> Details {
    match old {
        Some(old) if old.config_digest == config_digest => {
            Details { creation_date: created.map(Time), resource_owner: owner.to_owned(), ..old.clone() }
        }
        _ => Details {
            sequence: old
                .and_then(|old| old.sequence.parse::<u64>().ok())
                .map_or(1, |sequence| sequence.saturating_add(1))
                .to_string(),
            creation_date: created.map(Time),
            change_date: Time(now),
            resource_owner: owner.to_owned(),
            config_digest: config_digest.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_sequence_starts_at_one_and_moves_only_with_the_configuration() {
        let first = next(None, "a", "ns", Some(at(1)), at(10));
        assert_eq!((first.sequence.as_str(), &first.change_date), ("1", &Time(at(10))));

        let same = next(Some(&first), "a", "ns", Some(at(1)), at(20));
        assert_eq!(same, first);

        let changed = next(Some(&same), "b", "ns", Some(at(1)), at(30));
        assert_eq!((changed.sequence.as_str(), &changed.change_date), ("2", &Time(at(30))));

        let back = next(Some(&changed), "a", "ns", Some(at(1)), at(40));
        assert_eq!(back.sequence, "3");
    }
}

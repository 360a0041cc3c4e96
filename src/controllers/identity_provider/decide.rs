//! What to publish, and the verdict on an identity provider.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::{
    apply::Output,
    observe::{Observed, works},
};
use crate::{
    api::{
        IdentityProvider, IdentityProviderStatus,
        identity_provider::{DEFAULT_HEADER_NAME, KeysStatus, State},
    },
    cluster::events::Notice,
    controllers::pipeline::Verdict,
    desired::configmap,
    domain::{
        details,
        digest::sha256_hex,
        jwks::KeySet,
        reasons::IdentityProviderReason as Reason,
        verdict::{Finding, Judgement, Problem},
        verdicts::identity_provider::{
            ACTIVE, ACTIVE_MESSAGE, ISSUER_UNIQUE, KEYS_FRESH, KEYS_REACHABLE, KEYS_VALID, PUBLISHED, duplicate_issuer,
            keys_problem, keys_stale, not_active, publish_conflict, publish_immutable,
        },
    },
};

/// What to publish: the last good keys while they are fresh. Nothing means to withdraw what is there: what is not known
/// to be good keys of this source is not to be trusted.
#[must_use]
pub fn plan<'a>(object: &IdentityProvider, seen: &'a Observed) -> Option<&'a KeySet> {
    let (keys, _) = seen.keys.good.as_ref()?;
    (!is_stale(object, seen)).then_some(keys)
}

/// When the last good keys are too old to be trusted.
fn stale_at(object: &IdentityProvider, seen: &Observed) -> Option<Timestamp> {
    let (_, at) = seen.keys.good.as_ref()?;
    at.checked_add(std::time::Duration::from(object.spec.keys.stale_after)).ok()
}

/// Keys turn stale only while their source gives none: a look that is due is awaited first.
fn is_stale(object: &IdentityProvider, seen: &Observed) -> bool {
    let is_awaited = seen.keys.next <= seen.now;
    seen.keys.last.is_err() && !is_awaited && stale_at(object, seen).is_some_and(|at| at <= seen.now)
}

/// The verdict, after the plan was carried out.
#[must_use]
pub fn decide(
    object: &IdentityProvider,
    seen: &Observed,
    plan: Option<&KeySet>,
    output: Output,
) -> Verdict<IdentityProviderStatus> {
    let served = plan.filter(|_| output == Output::Published);
    let keys = served.map(|keys| keys_status(object, keys, seen));
    let status = status(object, keys, seen.now);
    Verdict {
        judgement: judgement(object, seen, output, served),
        notices: rotation_notice(object.status.as_ref(), &status).into_iter().collect(),
        status,
        requeue: wait(object, seen),
    }
}

/// The verdict on an object whose issuer an older one has: what it published is withdrawn.
#[must_use]
pub fn duplicate(object: &IdentityProvider, holder: &str, now: Timestamp) -> Verdict<IdentityProviderStatus> {
    withdrawn(object, (ISSUER_UNIQUE, duplicate_issuer(holder)), Reason::Ready, now)
}

/// The verdict on an inactive object: what it published is withdrawn, and that is as declared.
#[must_use]
pub fn inactive(object: &IdentityProvider, now: Timestamp) -> Verdict<IdentityProviderStatus> {
    withdrawn(object, (ACTIVE, not_active()), Reason::Inactive, now)
}

fn withdrawn(
    object: &IdentityProvider,
    cause: (&'static str, Problem),
    ready_reason: Reason,
    now: Timestamp,
) -> Verdict<IdentityProviderStatus> {
    let order = [
        (ACTIVE, ACTIVE_MESSAGE),
        (ISSUER_UNIQUE, ""),
        (PUBLISHED, ""),
        (KEYS_REACHABLE, ""),
        (KEYS_VALID, ""),
        (KEYS_FRESH, ""),
    ];
    Verdict {
        judgement: Judgement {
            ready_message: cause.1.message.clone(),
            findings: Finding::in_order(&order, Some(cause)),
            ready_reason: ready_reason.into(),
        },
        notices: Vec::new(),
        status: status(object, None, now),
        requeue: None,
    }
}

fn status(object: &IdentityProvider, keys: Option<KeysStatus>, now: Timestamp) -> IdentityProviderStatus {
    let details = details::next(
        object.status.as_ref().and_then(|old| old.details.as_ref()),
        &config_digest(object),
        &object.namespace().unwrap_or_default(),
        object.creation_timestamp().map(|created| created.0),
        now,
    );
    IdentityProviderStatus { idp_id: object.uid(), keys, details: Some(details), ..IdentityProviderStatus::default() }
}

fn judgement(object: &IdentityProvider, seen: &Observed, output: Output, served: Option<&KeySet>) -> Judgement {
    let name = || configmap::name(object);
    let published = match output {
        Output::Published => Finding::succeeded(PUBLISHED, "the ConfigMap is as it ought to be"),
        Output::NotOurs => Finding::failed(PUBLISHED, publish_conflict(&name())),
        Output::Immutable => Finding::failed(PUBLISHED, publish_immutable(&name())),
        Output::None => Finding::not_evaluated(PUBLISHED),
    };
    let mut reachable = Finding::succeeded(KEYS_REACHABLE, "keysEndpoint answers");
    let mut valid = Finding::succeeded(KEYS_VALID, "keysEndpoint answers with good keys");
    if let Err(error) = seen.keys.last {
        let (condition, problem) = keys_problem(error, served.is_some());
        if condition == KEYS_REACHABLE {
            reachable = Finding::failed(KEYS_REACHABLE, problem);
            valid = Finding::not_evaluated(KEYS_VALID);
        } else {
            valid = Finding::failed(KEYS_VALID, problem);
        }
    }
    // What was withdrawn for its age is forgotten, so that after a restart only the status knows why.
    let was_stale = || {
        let old = object.status.as_ref();
        let fresh = old.and_then(|status| status.core.condition(KEYS_FRESH));
        let details = old.and_then(|status| status.details.as_ref());
        let is_same = details.is_some_and(|details| details.config_digest == config_digest(object));
        seen.keys.last.is_err() && is_same && fresh.is_some_and(|fresh| fresh.reason == Reason::KeysStale.as_str())
    };
    let fresh = match &seen.keys.good {
        Some(_) if is_stale(object, seen) => Finding::failed(KEYS_FRESH, keys_stale()),
        None if was_stale() => Finding::failed(KEYS_FRESH, keys_stale()),
        Some(_) => Finding::succeeded(KEYS_FRESH, "the published keys are fresh"),
        None => Finding::not_evaluated(KEYS_FRESH),
    };
    let active = Finding::succeeded(ACTIVE, ACTIVE_MESSAGE);
    let unique = Finding::succeeded(ISSUER_UNIQUE, "no older object of the namespace has the issuer");
    Judgement {
        findings: vec![active, unique, published, reachable, valid, fresh],
        ready_reason: Reason::Ready.into(),
        ready_message: served.map(published_message).unwrap_or_default(),
    }
}

fn published_message(keys: &KeySet) -> String {
    match keys.count() {
        1 => "1 key is published".to_owned(),
        count => format!("{count} keys are published"),
    }
}

fn keys_status(object: &IdentityProvider, keys: &KeySet, seen: &Observed) -> KeysStatus {
    let sha256 = keys.digest(&object.spec.issuer, &object.spec.keys_endpoint);
    let old = object.status.as_ref();
    let unchanged = old.and_then(|old| old.keys.as_ref()).filter(|told| told.sha256 == sha256);
    let good_at = seen.keys.good.as_ref().map_or(seen.now, |(_, at)| *at);
    // While the endpoint works it would be another status each time: then it is written once, when that ends.
    let ends_now = seen.keys.last.is_err() && old.is_some_and(|old| works(&old.core));
    let verified_time = match unchanged {
        Some(told) if !ends_now => told.verified_time.clone(),
        _ => Time(good_at),
    };
    KeysStatus {
        count: i64::try_from(keys.count()).unwrap_or(i64::MAX),
        key_ids: keys.ids(),
        algorithms: keys.algorithms(),
        change_time: unchanged.map_or_else(|| Time(seen.now), |told| told.change_time.clone()),
        verified_time,
        sha256,
    }
}

/// What the spec comes to, spelled in one way: an empty header name is the default.
fn config_digest(object: &IdentityProvider) -> String {
    let spec = &object.spec;
    let header = if spec.header_name.is_empty() { DEFAULT_HEADER_NAME } else { &spec.header_name };
    let insecure = spec.allow_insecure_http.to_string();
    // One spelling for '5m' and '300s'.
    let [refresh, stale] = [spec.keys.refresh_interval, spec.keys.stale_after]
        .map(|time| std::time::Duration::from(time).as_millis().to_string());
    let activity = match spec.state {
        State::Active => "Active",
        State::Inactive => "Inactive",
    };
    let fields = [activity, &spec.jwt_endpoint, &spec.issuer, &spec.keys_endpoint, header, &insecure, &refresh, &stale];
    sha256_hex(&fields.map(str::as_bytes))
}

/// Tells of another set of keys; not of the first one, nor of the same keys under another issuer or endpoint.
fn rotation_notice(old: Option<&IdentityProviderStatus>, new: &IdentityProviderStatus) -> Option<Notice> {
    let config = |status: &IdentityProviderStatus| status.details.as_ref().map(|details| details.config_digest.clone());
    let is_reconfigured = config(old?) != config(new);
    let (old, new) = (old?.keys.as_ref()?, new.keys.as_ref()?);
    let is_rotated = old.sha256 != new.sha256 && (!is_reconfigured || old.key_ids != new.key_ids);
    is_rotated.then(|| Notice {
        warning: false,
        reason: "SigningKeysRotated".to_owned(),
        note: format!("the published keys changed: there are {} now", new.count),
    })
}

/// Until the next look, or until keys turn stale. A look that is due is under way: its end wakes the object.
fn wait(object: &IdentityProvider, seen: &Observed) -> Option<std::time::Duration> {
    let times = [Some(seen.keys.next), stale_at(object, seen).filter(|_| seen.keys.last.is_err())];
    let next = times.into_iter().flatten().filter(|time| *time > seen.now).min()?;
    Some(next.duration_since(seen.now).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use crate::{
        api::{IdentityProviderSpec, identity_provider::Algorithm},
        domain::{
            key_source::{FetchError, KeysError, KeysSeen},
            verdict::Outcome,
        },
    };

    use super::*;

    const HOUR: i64 = 3600;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn keys() -> KeySet {
        KeySet::judge(
            br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
            &Algorithm::ALL,
        )
        .unwrap()
    }

    fn seen(good_at: Option<i64>, last: Result<(), KeysError>, now: i64) -> Observed {
        let good = good_at.map(|second| (keys(), at(second)));
        let keys = KeysSeen { last, good, failures: 1, next: at(now + 60) };
        Observed { keys, now: at(now) }
    }

    fn unreachable() -> Result<(), KeysError> {
        Err(KeysError::Fetch(FetchError::Unreachable))
    }

    fn object() -> IdentityProvider {
        let spec = serde_json::json!({ "jwtEndpoint": "https://a/jwt", "issuer": "https://a", "keysEndpoint": "https://a/keys" });
        let spec: IdentityProviderSpec = serde_json::from_value(spec).unwrap();
        IdentityProvider::new("login", spec)
    }

    /// Conditions that are False, and what stands against Ready.
    fn verdict(seen: &Observed) -> (Vec<&'static str>, Option<&'static str>) {
        let verdict = decide(&object(), seen, plan(&object(), seen), Output::Published);
        let failed = verdict.judgement.findings.iter().filter_map(|finding| match &finding.outcome {
            Outcome::Failed(problem) => Some(problem.reason),
            _ => None,
        });
        (failed.collect(), verdict.judgement.blocker().map(|problem| problem.reason))
    }

    #[test]
    fn an_outage_is_told_but_the_last_good_keys_serve_until_they_are_stale() {
        assert_eq!(verdict(&seen(Some(0), Ok(()), 10)), (vec![], None));
        let outage = seen(Some(0), unreachable(), 24 * HOUR - 1);
        assert_eq!(plan(&object(), &outage), Some(&keys()));
        assert_eq!(verdict(&outage), (vec!["KeysUnreachable"], None));
        let stale = seen(Some(0), unreachable(), 24 * HOUR);
        assert_eq!(plan(&object(), &stale), None);
        assert_eq!(verdict(&stale), (vec!["KeysUnreachable", "KeysStale"], Some("KeysUnreachable")));
    }

    #[test]
    fn keys_are_never_stale_before_a_look_has_failed() {
        let resumed = seen(Some(0), Ok(()), 48 * HOUR);
        assert_eq!((plan(&object(), &resumed), verdict(&resumed)), (Some(&keys()), (vec![], None)));
        // One that is due is under way.
        let mut due = seen(Some(0), unreachable(), 48 * HOUR);
        due.keys.next = due.now;
        assert_eq!(plan(&object(), &due), Some(&keys()));
    }

    #[test]
    fn without_good_keys_of_this_source_nothing_is_to_be_trusted() {
        let never = seen(None, unreachable(), 10);
        assert_eq!(plan(&object(), &never), None);
        assert_eq!(verdict(&never), (vec!["KeysUnreachable"], Some("KeysUnreachable")));
    }

    #[test]
    fn the_time_of_the_last_good_look_is_written_once_when_an_outage_begins() {
        let mut object = object();
        let mut look = |seen: &Observed| {
            let verdict = decide(&object, seen, plan(&object, seen), Output::Published);
            let subject = crate::desired::status::Subject { uid: "u", generation: 1, now: seen.now };
            let old = object.status.clone().unwrap_or_default();
            let core = crate::desired::status::judged(&old.core, &verdict.judgement, subject);
            let status = IdentityProviderStatus { core, ..verdict.status };
            object.status = Some(status.clone());
            status.keys.unwrap().verified_time.0.as_second()
        };
        assert_eq!(look(&seen(Some(0), Ok(()), 0)), 0);
        assert_eq!(look(&seen(Some(300), Ok(()), 300)), 0);
        assert_eq!(look(&seen(Some(300), unreachable(), 600)), 300);
        assert_eq!(look(&seen(Some(300), unreachable(), 900)), 300);
        assert_eq!(look(&seen(Some(1200), Ok(()), 1200)), 300);
    }

    #[test]
    fn the_next_look_is_when_keys_turn_stale_if_that_comes_first() {
        let seconds = |seen: &Observed| wait(&object(), seen).map(|wait| wait.as_secs());
        assert_eq!(seconds(&seen(Some(0), Ok(()), 10)), Some(60));
        assert_eq!(seconds(&seen(Some(0), unreachable(), 24 * HOUR - 20)), Some(20));
        assert_eq!(seconds(&seen(Some(0), unreachable(), 24 * HOUR + 20)), Some(60));
        // While a look is under way there is nothing to look at.
        let mut due = seen(None, unreachable(), 10);
        due.keys.next = due.now;
        assert_eq!(wait(&object(), &due), None);
    }

    #[test]
    fn an_empty_header_name_is_the_default_one() {
        let mut empty = object();
        empty.spec.header_name = String::new();
        assert_eq!(config_digest(&empty), config_digest(&object()));
        empty.spec.header_name = "x-token".into();
        assert_ne!(config_digest(&empty), config_digest(&object()));
    }
}

//! What to publish, and the verdict on an identity provider.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    apply::Output,
    observe::Observed,
    status::{keys_status, rotation_notice, status},
};
use crate::{
    api::{IdentityProvider, IdentityProviderSpec, IdentityProviderStatus},
    controllers::pipeline::Verdict,
    desired::configmap,
    domain::{
        jwks::KeySet,
        key_source::{KeysError, LONGEST_TURN, Lost, Place},
        reasons::IdentityProviderReason as Reason,
        verdict::{Finding, Judgement, Problem},
        verdicts::{
            identity_provider::{
                ACTIVE, ACTIVE_MESSAGE, AUDIENCE_CHECKED, ISSUER_UNIQUE, KEYS_FRESH, KEYS_REACHABLE, KEYS_VALID,
                PUBLISHED, REFERENCES_RESOLVED, duplicate_issuer, no_audiences, not_active, publish_conflict,
                publish_immutable,
            },
            identity_provider_examples::{EXAMPLES_PASSED, examples_failed, examples_message},
            identity_provider_keys::{keys_problem, keys_stale, trust_problem},
        },
    },
};

/// What to publish: the last good keys. Nothing means to withdraw what is there: what is not known to be good keys of
/// this source is not to be trusted.
#[must_use]
pub fn plan(seen: &Observed) -> Option<&KeySet> {
    seen.keys.good.as_ref().map(|(keys, _)| keys)
}

/// The verdict, after the plan was carried out. None where nothing is served and nothing says why: then it is not ready,
/// whatever else is well.
#[must_use]
pub fn decide(object: &IdentityProvider, seen: &Observed, output: Output) -> Option<Verdict<IdentityProviderStatus>> {
    let served = plan(seen).filter(|_| output == Output::Published);
    let keys = served.map(|keys| keys_status(object, keys, seen));
    let status = status(object, keys, seen.now);
    let judgement = judgement(object, seen, output, served);
    (served.is_some() || judgement.blocker().is_some()).then(|| Verdict {
        judgement,
        notices: rotation_notice(object.status.as_ref(), &status).into_iter().collect(),
        status,
        requeue: Some(wait(object, seen)),
    })
}

/// The verdict on an object whose issuer an older one has: what it published is withdrawn.
#[must_use]
pub fn duplicate(
    object: &IdentityProvider,
    holder: &str,
    output: Output,
    now: Timestamp,
) -> Verdict<IdentityProviderStatus> {
    let unique = Finding::failed(ISSUER_UNIQUE, duplicate_issuer(holder));
    withdrawn(object, vec![active(), Finding::not_evaluated(REFERENCES_RESOLVED), unique], output, now)
}

/// The verdict on an inactive object: what it published is withdrawn, and that is as declared.
#[must_use]
pub fn inactive(object: &IdentityProvider, output: Output, now: Timestamp) -> Verdict<IdentityProviderStatus> {
    let rest = [REFERENCES_RESOLVED, ISSUER_UNIQUE].map(Finding::not_evaluated);
    let verdict =
        withdrawn(object, [Finding::failed(ACTIVE, not_active())].into_iter().chain(rest).collect(), output, now);
    let judgement =
        Judgement { ready_reason: Reason::Inactive.into(), ready_message: not_active().message, ..verdict.judgement };
    Verdict { judgement, ..verdict }
}

/// Nothing is looked at of what keys depend on; but an output that can't be withdrawn is told.
fn withdrawn(
    object: &IdentityProvider,
    mut findings: Vec<Finding>,
    output: Output,
    now: Timestamp,
) -> Verdict<IdentityProviderStatus> {
    findings.push(match output {
        Output::Immutable => published(object, output),
        _ => Finding::not_evaluated(PUBLISHED),
    });
    let of_keys: &[&'static str] =
        if object.spec.keys_from.is_none() { &[KEYS_REACHABLE, KEYS_VALID, KEYS_FRESH] } else { &[KEYS_VALID] };
    findings.extend(of_keys.iter().chain(&[EXAMPLES_PASSED]).map(|condition| Finding::not_evaluated(condition)));
    findings.push(audience_checked(&object.spec));
    Verdict {
        judgement: Judgement { findings, ready_reason: Reason::Ready.into(), ready_message: String::new() },
        notices: Vec::new(),
        status: status(object, None, now),
        requeue: None,
    }
}

fn judgement(object: &IdentityProvider, seen: &Observed, output: Output, served: Option<&KeySet>) -> Judgement {
    let unique = Finding::succeeded(ISSUER_UNIQUE, "no older object of the namespace has the issuer");
    let problem = seen.keys.last.err().and_then(|error| keys_problem(error, &seen.source.place, served.is_some()));
    let problem = problem.as_ref();
    let mut findings =
        vec![active(), references_resolved(&object.spec, seen, problem), unique, published(object, output)];
    findings.extend(keys_found(seen, problem));
    findings.push(examples_passed(seen, served));
    findings.push(audience_checked(&object.spec));
    Judgement {
        findings,
        ready_reason: Reason::Ready.into(),
        ready_message: served.map(|keys| published_message(object, keys)).unwrap_or_default(),
    }
}

fn active() -> Finding {
    Finding::succeeded(ACTIVE, ACTIVE_MESSAGE)
}

/// What the last look came to, if nothing good, and the condition that tells of it.
type Failure = (&'static str, Problem);

fn problem_of(condition: &str, failure: Option<&Failure>) -> Option<Problem> {
    failure.filter(|(told, _)| *told == condition).map(|(_, problem)| problem.clone())
}

fn references_resolved(spec: &IdentityProviderSpec, seen: &Observed, failure: Option<&Failure>) -> Finding {
    let trust = seen.authority.as_ref().err().map(trust_problem);
    let refers = spec.keys_from.is_some() || spec.tls.is_some();
    match trust.or_else(|| problem_of(REFERENCES_RESOLVED, failure)) {
        Some(problem) => Finding::failed(REFERENCES_RESOLVED, problem),
        None if refers => Finding::succeeded(REFERENCES_RESOLVED, "everything that the spec refers to is there"),
        None => Finding::succeeded(REFERENCES_RESOLVED, "the spec refers to nothing"),
    }
}

fn published(object: &IdentityProvider, output: Output) -> Finding {
    let name = || configmap::name(object);
    match output {
        Output::Published => Finding::succeeded(PUBLISHED, format!("ConfigMap '{}' is as it ought to be", name())),
        Output::NotOurs => Finding::failed(PUBLISHED, publish_conflict(&name())),
        Output::Immutable => Finding::failed(PUBLISHED, publish_immutable(&name())),
        Output::None => Finding::not_evaluated(PUBLISHED),
    }
}

/// Of keys from a ConfigMap there is no reaching, and while they are good no age.
fn keys_found(seen: &Observed, failure: Option<&Failure>) -> Vec<Finding> {
    let is_endpoint = matches!(seen.source.place, Place::Endpoint(_));
    let (reaches, is_good) = if is_endpoint {
        ("keysEndpoint answers", "keysEndpoint answers with good keys")
    } else {
        ("", "keysFrom holds good keys")
    };
    let finding = |condition, message: &str, is_looked_at: bool| match problem_of(condition, failure) {
        Some(problem) => Finding::failed(condition, problem),
        None if is_looked_at => Finding::succeeded(condition, message),
        None => Finding::not_evaluated(condition),
    };
    let was_judged = matches!(seen.keys.last, Ok(()) | Err(KeysError::Judged(_)));
    let reachable = finding(KEYS_REACHABLE, reaches, was_judged);
    let valid = finding(KEYS_VALID, is_good, was_judged);
    let fresh = match (&seen.keys.good, seen.keys.lost == Some(Lost::Stale)) {
        (_, true) => Finding::failed(KEYS_FRESH, keys_stale(&seen.source.place)),
        (Some(_), false) => Finding::succeeded(KEYS_FRESH, "the last good keys are fresh"),
        (None, false) => Finding::not_evaluated(KEYS_FRESH),
    };
    let reachable = Some(reachable).filter(|_| is_endpoint);
    let fresh = Some(fresh).filter(|_| is_endpoint || seen.keys.last.is_err());
    reachable.into_iter().chain([valid]).chain(fresh).collect()
}

/// Examples are judged by the keys that are served.
fn examples_passed(seen: &Observed, served: Option<&KeySet>) -> Finding {
    match seen.examples.as_ref().filter(|_| served.is_some()) {
        None => Finding::not_evaluated(EXAMPLES_PASSED),
        Some(verdict) if verdict.failed.is_empty() => Finding::succeeded(EXAMPLES_PASSED, examples_message(verdict)),
        Some(verdict) => Finding::failed(EXAMPLES_PASSED, examples_failed(verdict)),
    }
}

fn audience_checked(spec: &IdentityProviderSpec) -> Finding {
    if spec.audiences.is_some() {
        Finding::succeeded(AUDIENCE_CHECKED, "a token must be for one of audiences")
    } else {
        Finding::failed(AUDIENCE_CHECKED, no_audiences())
    }
}

fn published_message(object: &IdentityProvider, keys: &KeySet) -> String {
    let count = match keys.count() {
        1 => "1 key is".to_owned(),
        count => format!("{count} keys are"),
    };
    format!("{count} published in ConfigMap '{}'", configmap::name(object))
}

/// Until the next look, or until keys turn stale. A look that is due is under way: its end wakes the object, and after a
/// while it is asked for.
fn wait(object: &IdentityProvider, seen: &Observed) -> Duration {
    let until = seen.keys.served_until(object.spec.keys.stale_after.into(), seen.now);
    let times = [Some(seen.keys.next), until];
    let next = times.into_iter().flatten().filter(|time| *time > seen.now).min();
    next.map_or(LONGEST_TURN, |next| next.duration_since(seen.now).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        api::identity_provider::Algorithm,
        controllers::identity_provider::status::{config_digest, works},
        desired::status::{Subject, judged},
        domain::{
            examples::ExamplesVerdict,
            key_source::{FetchError, KeySource, KeysSeen},
            verdict::Outcome,
            verdicts::identity_provider_keys::TrustError,
        },
    };

    const HOUR: i64 = 3600;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn keys() -> KeySet {
        let text = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        KeySet::judge(text, &Algorithm::ALL).unwrap()
    }

    fn object(change: &Value) -> IdentityProvider {
        let mut spec =
            json!({ "jwtEndpoint": "https://a/jwt", "issuer": "https://a", "keysEndpoint": "https://a/keys" });
        for (field, value) in change.as_object().unwrap() {
            spec[field] = value.clone();
        }
        IdentityProvider::new("login", serde_json::from_value(spec).unwrap())
    }

    fn seen(good_at: Option<i64>, last: Result<(), KeysError>, now: i64) -> Observed {
        let good = good_at.map(|second| (keys(), at(second)));
        let keys = KeysSeen { last, good, lost: None, failures: 1, next: at(now + 60) };
        Observed {
            source: KeySource::of(&object(&json!({})).spec),
            keys,
            authority: Ok(None),
            examples: Some(ExamplesVerdict::default()),
            now: at(now),
        }
    }

    fn unreachable() -> Result<(), KeysError> {
        Err(KeysError::Fetch(FetchError::Unreachable))
    }

    /// Conditions in order, `+`: True, `?`: Unknown, or the reason for which it is False; then what stands against Ready.
    fn told(object: &IdentityProvider, seen: &Observed) -> (String, Option<&'static str>) {
        let output = if plan(seen).is_some() { Output::Published } else { Output::None };
        let judgement = decide(object, seen, output).unwrap().judgement;
        let one = |finding: &Finding| match &finding.outcome {
            Outcome::Succeeded(_) | Outcome::Noted { .. } => format!("{}+", finding.condition),
            Outcome::NotEvaluated => format!("{}?", finding.condition),
            Outcome::Failed(problem) => format!("{}-{}", finding.condition, problem.reason),
        };
        let told: Vec<String> = judgement.findings.iter().map(one).collect();
        (told.join(" "), judgement.blocker().map(|problem| problem.reason))
    }

    #[rstest]
    #[case::good(Some(0), Ok(()), "KeysReachable+ KeysValid+ KeysFresh+ ExamplesPassed+", None)]
    #[case::outage(Some(0), unreachable(), "KeysReachable-KeysUnreachable KeysValid? KeysFresh+ ExamplesPassed+", None)]
    #[case::never_good(
        None,
        unreachable(),
        "KeysReachable-KeysUnreachable KeysValid? KeysFresh? ExamplesPassed?",
        Some("KeysUnreachable")
    )]
    #[case::bad_answer(
        Some(0),
        Err(KeysError::Judged(crate::domain::jwks::KeySetError::NotAJwks)),
        "KeysReachable+ KeysValid-NotAJwks KeysFresh+ ExamplesPassed+",
        None
    )]
    fn what_a_look_at_an_endpoint_comes_to(
        #[case] good: Option<i64>,
        #[case] last: Result<(), KeysError>,
        #[case] expected: &str,
        #[case] blocker: Option<&'static str>,
    ) {
        let published = if good.is_some() { "Published+" } else { "Published?" };
        let expected =
            format!("Active+ ReferencesResolved+ IssuerUnique+ {published} {expected} AudienceChecked-NoAudiences");
        assert_eq!(told(&object(&json!({})), &seen(good, last, 10)), (expected, blocker));
    }

    #[test]
    fn stale_keys_are_told_beside_why_there_are_no_others() {
        let mut stale = seen(None, unreachable(), 10);
        stale.keys.lost = Some(Lost::Stale);
        let (conditions, blocker) = told(&object(&json!({})), &stale);
        assert!(conditions.contains("KeysReachable-KeysUnreachable KeysValid? KeysFresh-KeysStale"), "{conditions}");
        assert_eq!(blocker, Some("KeysUnreachable"));
    }

    #[test]
    fn keys_from_a_config_map_are_not_reached_for_and_of_no_age_while_they_are_good() {
        let object = object(&json!({ "keysFrom": { "configMapKeyRef": { "name": "a", "key": "b" } } }));
        let look = |good, last| {
            let source = KeySource::of(&object.spec);
            told(&object, &Observed { source, ..seen(good, last, 10) })
        };
        let expected = |middle: &str| format!("Active+ {middle} AudienceChecked-NoAudiences");
        assert_eq!(
            look(Some(0), Ok(())),
            (expected("ReferencesResolved+ IssuerUnique+ Published+ KeysValid+ ExamplesPassed+"), None)
        );
        let missing = Err(KeysError::Unresolved);
        let middle =
            "ReferencesResolved-ReferenceNotFound IssuerUnique+ Published+ KeysValid? KeysFresh+ ExamplesPassed+";
        assert_eq!(look(Some(0), missing), (expected(middle), None));
        let middle =
            "ReferencesResolved-ReferenceNotFound IssuerUnique+ Published? KeysValid? KeysFresh? ExamplesPassed?";
        assert_eq!(look(None, missing), (expected(middle), Some("ReferenceNotFound")));
    }

    #[test]
    fn without_somebody_who_vouches_for_the_endpoint_the_last_good_keys_stay_but_it_is_not_ready() {
        let unresolved = Observed {
            authority: Err(TrustError::NotFound("Secret", "ca".into(), "ca.crt".into())),
            ..seen(Some(0), Err(KeysError::Unresolved), 10)
        };
        let expected = "Active+ ReferencesResolved-ReferenceNotFound IssuerUnique+ Published+ KeysReachable? KeysValid? \
                        KeysFresh+ ExamplesPassed+ AudienceChecked-NoAudiences";
        assert_eq!(told(&object(&json!({})), &unresolved), (expected.into(), Some("ReferenceNotFound")));
    }

    #[test]
    fn a_status_of_an_earlier_version_has_its_missing_time_filled_in_once() {
        let mut object = object(&json!({}));
        let look = |object: &mut IdentityProvider, now| {
            let status = decide(object, &seen(Some(now), Ok(()), now), Output::Published).unwrap().status;
            let keys = status.keys.clone().unwrap();
            object.status = Some(status);
            (keys.change_time.0.as_second(), keys.verified_time.unwrap().0.as_second())
        };
        assert_eq!(look(&mut object, 0), (0, 0));
        let mut earlier = serde_json::to_value(object.status.unwrap()).unwrap();
        earlier["keys"].as_object_mut().unwrap().remove("verifiedTime").unwrap();
        object.status = serde_json::from_value(earlier).unwrap();
        assert_eq!(look(&mut object, 300), (0, 300));
        assert_eq!(look(&mut object, 600), (0, 300));
    }

    #[test]
    fn the_time_of_the_last_good_look_is_written_once_when_an_outage_begins() {
        let mut object = object(&json!({}));
        let mut look = |seen: &Observed| {
            let verdict = decide(&object, seen, Output::Published).unwrap();
            let subject = Subject { uid: "u", generation: 1, now: seen.now };
            let old = object.status.clone().unwrap_or_default();
            let core = judged(&old.core, &verdict.judgement, subject);
            let status = IdentityProviderStatus { core, ..verdict.status };
            object.status = Some(status.clone());
            (status.keys.unwrap().verified_time.unwrap().0.as_second(), works(&status.core))
        };
        assert_eq!(look(&seen(Some(0), Ok(()), 0)), (0, true));
        assert_eq!(look(&seen(Some(300), Ok(()), 300)), (0, true));
        assert_eq!(look(&seen(Some(300), unreachable(), 600)), (300, false));
        assert_eq!(look(&seen(Some(300), unreachable(), 900)), (300, false));
        assert_eq!(look(&seen(Some(1200), Ok(()), 1200)), (300, true));
        assert_eq!(look(&seen(Some(1500), Err(KeysError::Unresolved), 1600)), (1500, false));
    }

    #[test]
    fn the_next_look_is_when_keys_turn_stale_if_that_comes_first() {
        let seconds = |seen: &Observed| wait(&object(&json!({})), seen).as_secs();
        assert_eq!(seconds(&seen(Some(0), Ok(()), 10)), 60);
        assert_eq!(seconds(&seen(Some(0), unreachable(), 24 * HOUR - 20)), 20);
        assert_eq!(seconds(&seen(Some(0), unreachable(), 24 * HOUR + 20)), 60);
        // A look that is under way wakes the object; one that never ends is asked for.
        let mut due = seen(None, unreachable(), 10);
        due.keys.next = due.now;
        assert_eq!(seconds(&due), 60);
        // But where keys would be too old by then, it is not waited for without end.
        let mut queued = seen(Some(0), unreachable(), 24 * HOUR + 20);
        queued.keys.next = at(24 * HOUR - 10);
        assert_eq!(seconds(&queued), 30);
    }

    #[rstest]
    #[case::header(&json!({ "headerName": "" }), true)]
    #[case::other_header(&json!({ "headerName": "x-token" }), false)]
    #[case::spelling(&json!({ "keys": { "refreshInterval": "300s", "staleAfter": "1440m" }, "maxTokenAge": "60m" }), true)]
    #[case::skew(&json!({ "clockSkew": "4s" }), false)]
    #[case::age(&json!({ "maxTokenAge": "2h" }), false)]
    #[case::interval(&json!({ "keys": { "refreshInterval": "6m", "staleAfter": "24h" } }), false)]
    #[case::stale_after(&json!({ "keys": { "staleAfter": "25h" } }), false)]
    #[case::jwt_endpoint(&json!({ "jwtEndpoint": "https://b/jwt" }), false)]
    #[case::issuer(&json!({ "issuer": "https://b" }), false)]
    #[case::keys_endpoint(&json!({ "keysEndpoint": "https://b/keys" }), false)]
    #[case::display_name(&json!({ "displayName": "Login" }), false)]
    #[case::insecure(&json!({ "allowInsecureHttp": true }), false)]
    #[case::audiences(&json!({ "audiences": ["a"] }), false)]
    #[case::publish(&json!({ "publish": { "configMapName": "keys" } }), false)]
    #[case::order(
        &json!({ "algorithms": ["RS512", "RS384", "RS256", "PS512", "PS384", "PS256", "EdDSA", "ES384", "ES256"] }),
        true
    )]
    #[case::fewer(&json!({ "algorithms": ["RS256"] }), false)]
    #[case::linking(&json!({ "linkingAllowed": false }), false)]
    #[case::inactive(&json!({ "state": "Inactive" }), false)]
    #[case::tls(&json!({ "tls": { "caBundle": "x" } }), false)]
    #[case::keys_from(&json!({ "keysFrom": { "configMapKeyRef": { "name": "a", "key": "b" } } }), false)]
    #[case::suspended(&json!({ "suspend": true }), true)]
    #[case::examples(
        &json!({ "examples": [{ "name": "a", "claims": {}, "at": "2026-01-01T00:00:00Z", "expect": "Reject" }] }),
        true
    )]
    fn only_what_is_in_force_is_configuration(#[case] change: &Value, #[case] is_same: bool) {
        let digests = [object(change), object(&json!({}))].map(|object| config_digest(&object));
        assert_eq!(digests[0] == digests[1], is_same);
    }

    /// A changed digest counts as a changed configuration: another version must not change it.
    #[test]
    fn the_digest_of_a_configuration_lasts() {
        let least = "27adb96ace16b98231074c5e761dbc7cb0ae7d7cea8154d77934b764968ad3dd";
        assert_eq!(config_digest(&object(&json!({}))), least);
        let orders = [json!(["a", "b"]), json!(["b", "a"])];
        let digests = orders.map(|audiences| config_digest(&object(&json!({ "audiences": audiences }))));
        assert_eq!(digests[0], digests[1]);
    }

    #[test]
    fn without_keys_it_is_never_ready() {
        for last in [Ok(()), Err(KeysError::Unresolved)] {
            for output in [Output::Published, Output::None] {
                let verdict = decide(&object(&json!({})), &seen(None, last, 10), output);
                assert!(verdict.is_none(), "{last:?} {output:?}: {:?}", verdict.map(|verdict| verdict.judgement));
            }
        }
    }

    #[test]
    fn an_output_that_can_t_be_withdrawn_is_told() {
        let look = |output| {
            let judgement = inactive(&object(&json!({})), output, at(1)).judgement;
            judgement.blocker().map(|problem| problem.reason)
        };
        assert_eq!((look(Output::Published), look(Output::None), look(Output::NotOurs)), (None, None, None));
        assert_eq!(look(Output::Immutable), Some("PublishConflict"));
        let judgement = duplicate(&object(&json!({})), "other", Output::Immutable, at(1)).judgement;
        let failed = judgement.findings.iter().filter(|finding| matches!(finding.outcome, Outcome::Failed(_)));
        let failed: Vec<&str> = failed.map(|finding| finding.condition).collect();
        assert_eq!(failed, ["IssuerUnique", "Published", "AudienceChecked"]);
    }

    /// Digest of the configuration, digest of the keys, and their ids.
    type Told = Option<(&'static str, &'static str, &'static [&'static str])>;

    #[allow(clippy::unnecessary_wraps)] // a cell of a row
    const fn told_keys(config: &'static str, keys: &'static str, ids: &'static [&'static str]) -> Told {
        Some((config, keys, ids))
    }

    #[rstest]
    #[case::first(None, told_keys("x", "1", &["a"]), None)]
    #[case::withdrawn(told_keys("x", "1", &["a"]), None, None)]
    #[case::same(told_keys("x", "1", &["a"]), told_keys("x", "1", &["a"]), None)]
    #[case::same_of_another_source(told_keys("x", "1", &["a"]), told_keys("y", "2", &["a"]), None)]
    #[case::rotated(
        told_keys("x", "1", &["a", "b"]),
        told_keys("x", "2", &["b", "c"]),
        Some("the published keys changed: 'c' added, 'a' removed, 2 now")
    )]
    #[case::rotated_and_reconfigured(
        told_keys("x", "1", &["a"]),
        told_keys("y", "2", &["a", "b", "c", "d", "e", "f"]),
        Some("the published keys changed: 'b', 'c', 'd', 'e' and 1 more added, none removed, 6 now")
    )]
    #[case::replaced(
        told_keys("x", "1", &["a"]),
        told_keys("x", "2", &["a"]),
        Some("the published keys changed: others have the same ids, 1 now")
    )]
    fn another_set_of_keys_is_told(#[case] old: Told, #[case] new: Told, #[case] note: Option<&str>) {
        let status = |told: Told| {
            let time = "2026-01-01T00:00:00Z";
            let keys = told.map(|(_, sha256, ids)| {
                json!({
                    "count": ids.len(), "keyIds": ids, "algorithms": [], "sha256": sha256, "changeTime": time, "verifiedTime": time,
                })
            });
            let details = json!({
                "sequence": "1", "changeDate": time, "resourceOwner": "ns", "configDigest": told.map_or("x", |told| told.0),
            });
            serde_json::from_value::<IdentityProviderStatus>(json!({ "keys": keys, "details": details })).unwrap()
        };
        let notice = rotation_notice(Some(&status(old)), &status(new));
        assert_eq!(notice.map(|notice| notice.note).as_deref(), note);
    }
}

//! The verdict on a strategy.

use std::sync::Arc;

use crate::{
    api::{
        StrategyInstance, StrategyInstanceSpec, StrategyInstanceStatus,
        strategy_instance::{CapabilityPolicy, EffectiveFlags},
    },
    controllers::pipeline::Verdict,
    domain::{
        capability::{self, Excess},
        catalogue::Catalogue,
        reasons::StrategyInstanceReason as Reason,
        strategy_config::{self, ConfigSecret},
        verdict::{Finding, Judgement, Outcome, Problem},
        verdicts::strategy_instance::{
            CAPABILITIES_SUPPORTED, CONFIG_VALID, FLAGS_EFFECTIVE, ID_UNIQUE, TYPE_KNOWN, capability_not_supported,
            config_secret_lacks, config_secret_not_found, duplicate_id, flags_clamped, flags_ineffective,
            invalid_config, unknown_strategy_type,
        },
    },
};

/// What is known when a strategy is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The known types.
    pub catalogue: Arc<Catalogue>,
    /// The name of the object that holds the id, if it is another one.
    pub rival: Option<String>,
    /// The Secret of `configSecretRef`.
    pub secret: ConfigSecret,
}

/// Judges a strategy. What is in force is told whatever the verdict: flags beyond the type's capabilities are off, and all
/// are where the strategy can't work: its type, its id or its settings are wrong.
#[must_use]
pub fn decide(object: &StrategyInstance, seen: &Observed) -> Verdict<StrategyInstanceStatus> {
    let spec = &object.spec;
    let (effective, excess, failing) = match allowed(spec, seen) {
        Err(failing) => (EffectiveFlags::default(), Vec::new(), Some(failing)),
        Ok((effective, excess)) => {
            let is_refused = !excess.is_empty() && spec.capability_policy == CapabilityPolicy::Reject;
            let failing = is_refused.then(|| (CAPABILITIES_SUPPORTED, capability_not_supported(&spec.type_, &excess)));
            (effective, excess, failing)
        }
    };
    let order = [
        (TYPE_KNOWN, "the type is in the catalogue"),
        (ID_UNIQUE, "no older object of the namespace has the id"),
        (CONFIG_VALID, "the settings that the type needs are there"),
        (CAPABILITIES_SUPPORTED, "no flag is on that the type is not capable of"),
    ];
    let mut notes =
        if failing.is_some() { vec![Finding::not_evaluated(FLAGS_EFFECTIVE)] } else { notes(spec, effective, &excess) };
    let ready_message = ready_message(&notes);
    let mut findings = Finding::in_order(&order, failing);
    findings.append(&mut notes);
    Verdict {
        judgement: Judgement { findings, ready_reason: Reason::Ready.into(), ready_message },
        status: StrategyInstanceStatus {
            id: capability::strategy_id(object),
            type_: Some(spec.type_.clone()),
            name: spec.name.clone(),
            effective: Some(effective),
            ..StrategyInstanceStatus::default()
        },
        notices: Vec::new(),
        requeue: None,
    }
}

/// What the type allows of the flags, and which ask for more; or what keeps the strategy from working at all.
fn allowed(
    spec: &StrategyInstanceSpec,
    seen: &Observed,
) -> Result<(EffectiveFlags, Vec<Excess>), (&'static str, Problem)> {
    let Some(of) = seen.catalogue.get(&spec.type_) else {
        return Err((TYPE_KNOWN, unknown_strategy_type(&spec.type_, seen.catalogue.names())));
    };
    if let Some(rival) = &seen.rival {
        return Err((ID_UNIQUE, duplicate_id(rival)));
    }
    let faults = strategy_config::faults(spec, of);
    if !faults.is_empty() {
        return Err((CONFIG_VALID, invalid_config(&spec.type_, &faults)));
    }
    let name = spec.config_secret_ref.as_ref().map_or("", |secret| &secret.name);
    match &seen.secret {
        ConfigSecret::NotFound => Err((CONFIG_VALID, config_secret_not_found(name))),
        ConfigSecret::Lacks(keys) if !keys.is_empty() => {
            Err((CONFIG_VALID, config_secret_lacks(&spec.type_, name, keys)))
        }
        ConfigSecret::Lacks(_) | ConfigSecret::Unread => Ok(capability::effective(spec, of.can)),
    }
}

/// What is worth knowing of flags that are in force.
fn notes(spec: &StrategyInstanceSpec, effective: EffectiveFlags, excess: &[Excess]) -> Vec<Finding> {
    let clamped = (!excess.is_empty()).then(|| flags_clamped(&spec.type_, excess));
    let ineffective = capability::ineffective(spec, effective);
    let is_effective = if ineffective.is_empty() {
        Finding::succeeded(FLAGS_EFFECTIVE, "no flag is set to true without effect")
    } else {
        Finding::failed(FLAGS_EFFECTIVE, flags_ineffective(&ineffective))
    };
    clamped.into_iter().chain([is_effective]).collect()
}

/// With the notes: who looks at the list of objects sees that not all is as it was asked for.
fn ready_message(notes: &[Finding]) -> String {
    let mut message = "the flags in status.effective are in force".to_owned();
    for note in notes {
        match &note.outcome {
            Outcome::Noted { message: note, .. } | Outcome::Failed(Problem { message: note, .. }) => {
                message.push_str("; ");
                message.push_str(note);
            }
            Outcome::Succeeded(_) | Outcome::NotEvaluated => {}
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::verdict::Weight;

    fn judged(spec: Value, rival: Option<&str>, secret: ConfigSecret) -> Verdict<StrategyInstanceStatus> {
        let mut object = StrategyInstance::new("a", serde_json::from_value(spec).unwrap());
        object.metadata.uid = Some("the uid".to_owned());
        decide(&object, &Observed { catalogue: Arc::default(), rival: rival.map(str::to_owned), secret })
    }

    /// With all that can be wrong at once: what comes first in the order is told, and then the next.
    #[rstest]
    #[case::type_("ldap", Some("b"), "x", ConfigSecret::NotFound, 1, "UnknownStrategyType", Weight::Stalls)]
    #[case::id("jira", Some("b"), "x", ConfigSecret::NotFound, 2, "DuplicateId", Weight::Stalls)]
    #[case::config("jira", None, "x", ConfigSecret::NotFound, 3, "InvalidConfig", Weight::Stalls)]
    #[case::secret("jira", None, "https://x", ConfigSecret::NotFound, 3, "ConfigSecretNotFound", Weight::Waits)]
    #[case::keys("jira", None, "https://x", ConfigSecret::Lacks(vec!["k".into()]), 3, "ConfigSecretNotFound", Weight::Waits)]
    #[case::capabilities("userpass", None, "x", ConfigSecret::Unread, 4, "CapabilityNotSupported", Weight::Stalls)]
    fn the_first_problem_of_the_order_is_ready_s_and_what_follows_is_not_looked_at(
        #[case] type_: &str,
        #[case] rival: Option<&str>,
        #[case] url: &str,
        #[case] secret: ConfigSecret,
        #[case] position: usize,
        #[case] reason: &str,
        #[case] weight: Weight,
    ) {
        let spec = json!({
            "type": type_, "name": "A", "isSyncActive": true, "isLoginActive": false, "isSelfRegisterActive": true,
            "config": { "root-url": url }, "configSecretRef": { "name": "s" },
        });
        let Verdict { judgement, status, .. } = judged(spec, rival, secret);
        let problem = judgement.blocker().unwrap();
        assert_eq!((problem.reason, problem.weight), (reason, weight));
        let order = [TYPE_KNOWN, ID_UNIQUE, CONFIG_VALID, CAPABILITIES_SUPPORTED, FLAGS_EFFECTIVE];
        let expected: Vec<(&str, &str)> = order
            .into_iter()
            .zip(1..)
            .map(|(condition, place)| match place.cmp(&position) {
                std::cmp::Ordering::Less => (condition, "succeeded"),
                std::cmp::Ordering::Equal => (condition, "failed"),
                std::cmp::Ordering::Greater => (condition, "not looked at"),
            })
            .collect();
        let told = |outcome: &Outcome| match outcome {
            Outcome::Succeeded(_) => "succeeded",
            Outcome::Noted { .. } => "noted",
            Outcome::NotEvaluated => "not looked at",
            Outcome::Failed(_) => "failed",
        };
        let found: Vec<_> =
            judgement.findings.iter().map(|finding| (finding.condition, told(&finding.outcome))).collect();
        assert_eq!(found, expected);
        // Only what the flags ask for is the flags' own matter.
        let self_register = EffectiveFlags { is_self_register_active: true, ..EffectiveFlags::default() };
        let effective = if reason == "CapabilityNotSupported" { self_register } else { EffectiveFlags::default() };
        let expected = StrategyInstanceStatus {
            id: Some("the uid".to_owned()),
            type_: Some(type_.to_owned()),
            name: Some("A".to_owned()),
            effective: Some(effective),
            ..StrategyInstanceStatus::default()
        };
        assert_eq!(status, expected);
    }

    #[test]
    fn no_message_repeats_a_setting() {
        let config = json!({ "root-url": "hunter2", "clientId": "hunter2", "clientSecret": "hunter2" });
        let Verdict { judgement, .. } = judged(json!({ "type": "jira", "config": config }), None, ConfigSecret::Unread);
        assert_eq!(judgement.blocker().unwrap().faults.len(), 4);
        assert!(!format!("{judgement:?}").contains("hunter2"), "{judgement:?}");
    }
}

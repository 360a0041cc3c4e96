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

//! The verdict on a strategy.

use crate::{
    api::{StrategyInstance, StrategyInstanceStatus, strategy_instance::EffectiveFlags},
    controllers::pipeline::Verdict,
    domain::{
        capability,
        reasons::StrategyInstanceReason as Reason,
        verdict::{Finding, Judgement},
        verdicts::strategy_instance::{
            CAPABILITIES_SUPPORTED, TYPE_KNOWN, capability_not_supported, unknown_strategy_type,
        },
    },
};

/// Judges a strategy. What is in force is told whatever the verdict: flags beyond the type's capabilities are off.
#[must_use]
pub fn decide(object: &StrategyInstance) -> Verdict<StrategyInstanceStatus> {
    let spec = &object.spec;
    let (effective, findings) = match capability::find(&spec.type_) {
        None => (
            EffectiveFlags::default(),
            vec![
                Finding::failed(TYPE_KNOWN, unknown_strategy_type(&spec.type_)),
                Finding::not_evaluated(CAPABILITIES_SUPPORTED),
            ],
        ),
        Some(can) => {
            let (effective, excess) = capability::effective(spec, can);
            let capabilities = if excess.is_empty() {
                Finding::succeeded(CAPABILITIES_SUPPORTED, "no flag asks for more than the type is capable of")
            } else {
                Finding::failed(CAPABILITIES_SUPPORTED, capability_not_supported(&spec.type_, &excess))
            };
            (effective, vec![Finding::succeeded(TYPE_KNOWN, "the type is in the catalogue"), capabilities])
        }
    };
    Verdict {
        judgement: Judgement {
            findings,
            ready_reason: Reason::Ready.into(),
            ready_message: "the flags in status.effective are in force".to_owned(),
        },
        status: StrategyInstanceStatus {
            id: spec.id.clone().or_else(|| object.metadata.uid.clone()),
            type_: Some(spec.type_.clone()),
            name: spec.name.clone(),
            effective: Some(effective),
            ..StrategyInstanceStatus::default()
        },
        notices: Vec::new(),
        requeue: None,
    }
}

//! The verdict on a strategy.

use crate::{
    api::{StrategyInstance, StrategyInstanceStatus, strategy_instance::EffectiveFlags},
    controllers::pipeline::Verdict,
    domain::{
        capability,
        reasons::StrategyInstanceReason as Reason,
        verdict::{Finding, Judgement},
        verdicts::strategy_instance::{
            CAPABILITIES_SUPPORTED, ID_UNIQUE, TYPE_KNOWN, capability_not_supported, duplicate_id,
            unknown_strategy_type,
        },
    },
};

/// Judges a strategy; `rival` is the name of the object that holds its id, if that is another one. What is in force is
/// told whatever the verdict: flags beyond the type's capabilities are off, and all are where the type or the id is wrong.
#[must_use]
pub fn decide(object: &StrategyInstance, rival: Option<&str>) -> Verdict<StrategyInstanceStatus> {
    let spec = &object.spec;
    let can = capability::find(&spec.type_);
    let (mut effective, excess) = can.map(|can| capability::effective(spec, can)).unwrap_or_default();
    let failing = match (can, rival) {
        (None, _) => Some((TYPE_KNOWN, unknown_strategy_type(&spec.type_))),
        (_, Some(rival)) => Some((ID_UNIQUE, duplicate_id(rival))),
        _ if !excess.is_empty() => Some((CAPABILITIES_SUPPORTED, capability_not_supported(&spec.type_, &excess))),
        _ => None,
    };
    if rival.is_some() {
        effective = EffectiveFlags::default();
    }
    let order = [
        (TYPE_KNOWN, "the type is in the catalogue"),
        (ID_UNIQUE, "no older object of the namespace has the id"),
        (CAPABILITIES_SUPPORTED, "no flag asks for more than the type is capable of"),
    ];
    let findings = Finding::in_order(&order, failing);
    Verdict {
        judgement: Judgement {
            findings,
            ready_reason: Reason::Ready.into(),
            ready_message: "the flags in status.effective are in force".to_owned(),
        },
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

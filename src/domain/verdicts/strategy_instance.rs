//! Problems of a `StrategyInstance`.

use crate::domain::{
    capability::{self, Excess},
    reasons::StrategyInstanceReason as Reason,
    verdict::{Fault, Problem, Weight},
};

/// `spec.type` is in the catalogue.
pub const TYPE_KNOWN: &str = "TypeKnown";
/// No older object of the namespace has the same id.
pub const ID_UNIQUE: &str = "IdUnique";
/// No flag asks for what the type is not capable of.
pub const CAPABILITIES_SUPPORTED: &str = "CapabilitiesSupported";

/// The type is not in the catalogue.
#[must_use]
pub fn unknown_strategy_type(type_: &str) -> Problem {
    Problem::new(
        Reason::UnknownStrategyType,
        Weight::Stalls,
        404,
        "Unknown strategy type",
        "/spec/type",
        format!(
            "type '{type_}' is not known: it must be one of {}",
            capability::known_types().collect::<Vec<_>>().join(", ")
        ),
    )
}

/// Flags ask for what the type is not capable of.
#[must_use]
pub fn capability_not_supported(type_: &str, excess: &[Excess]) -> Problem {
    const TITLE: &str = "Capability not supported";
    let detail = |excess: &Excess| {
        format!("{} must be false or absent: type '{type_}' has no {}", excess.flag, excess.capability)
    };
    let message = excess.iter().map(detail).collect::<Vec<_>>().join("; ");
    let problem = Problem::new(Reason::CapabilityNotSupported, Weight::Stalls, 400, TITLE, "/spec", message);
    let faults = excess
        .iter()
        .map(|excess| Fault {
            http: 400,
            code: "capability-not-supported".to_owned(),
            title: TITLE,
            detail: detail(excess),
            pointer: excess.pointer.into(),
            rule: excess.flag,
        })
        .collect();
    Problem { faults, ..problem }
}

/// An older object of the namespace has the same id.
#[must_use]
pub fn duplicate_id(holder: &str) -> Problem {
    Problem::new(
        Reason::DuplicateId,
        Weight::Stalls,
        409,
        "Duplicate id",
        "/spec/id",
        format!("id must be unique in the namespace: the older StrategyInstance '{holder}' has it; delete one of them"),
    )
}

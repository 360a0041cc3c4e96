//! Problems of a `StrategyInstance`.

use std::borrow::Cow;

use crate::domain::{
    capability::Excess,
    reasons::{StrategyInstanceReason as Reason, kebab_case},
    strategy_config::ConfigFault,
    verdict::{Fault, Finding, Outcome, Problem, Weight},
};

/// `spec.type` is in the catalogue.
pub const TYPE_KNOWN: &str = "TypeKnown";
/// No older object of the namespace has the same id.
pub const ID_UNIQUE: &str = "IdUnique";
/// `spec.config` and the Secret have what the type needs.
pub const CONFIG_VALID: &str = "ConfigValid";
/// No flag asks for what the type is not capable of.
pub const CAPABILITIES_SUPPORTED: &str = "CapabilitiesSupported";
/// Flags beyond the type's capabilities are off, as `capabilityPolicy` has it. Only there when it is True.
pub const FLAGS_CLAMPED: &str = "FlagsClamped";
/// No flag is on to no effect.
pub const FLAGS_EFFECTIVE: &str = "FlagsEffective";

/// The type is not in the catalogue; `known` are those that are.
#[must_use]
pub fn unknown_strategy_type<'a>(type_: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    Problem::new(
        Reason::UnknownStrategyType,
        Weight::Stalls,
        404,
        "Unknown strategy type",
        "/spec/type",
        format!("type '{type_}' is not known: it must be one of {}", known.collect::<Vec<_>>().join(", ")),
    )
}

/// Settings of the type are missing or wrong.
#[must_use]
pub fn invalid_config(type_: &str, faults: &[ConfigFault]) -> Problem {
    let told = faults.iter().map(|fault| told(type_, fault)).collect();
    of_several(Reason::InvalidConfig, 400, "Invalid configuration", told)
}

/// Pointer, rule and what must be done. Never a value.
fn told(type_: &str, fault: &ConfigFault) -> (Cow<'static, str>, &'static str, String) {
    let at = |key: &str| format!("/spec/config/{key}").into();
    match fault {
        ConfigFault::Missing(key) => (at(key), "missing", format!("config.{key} must be set: type '{type_}' needs it")),
        ConfigFault::Blank(key) => {
            (at(key), "blank", format!("config.{key} must be more than white space: type '{type_}' needs it"))
        }
        ConfigFault::NotAUrl(key) => (
            at(key),
            "url",
            format!("config.{key} must be an 'http://' or 'https://' URL with a host, without user info and fragment"),
        ),
        ConfigFault::Exposed(key) => (
            at(key),
            "exposed",
            format!(
                "config.{key} must be moved to the Secret of configSecretRef; if it is a secret, its value must be replaced"
            ),
        ),
        ConfigFault::NoSecret(keys) => (
            "/spec/configSecretRef".into(),
            "reference",
            format!("configSecretRef must name a Secret with {}: type '{type_}' needs it", listed(keys)),
        ),
    }
}

/// There is no such Secret.
#[must_use]
pub fn config_secret_not_found(name: &str) -> Problem {
    secret_problem(format!("configSecretRef must name a Secret of this namespace: there is none of the name '{name}'"))
}

/// The Secret lacks values of these keys.
#[must_use]
pub fn config_secret_lacks(type_: &str, name: &str, keys: &[String]) -> Problem {
    secret_problem(format!("Secret '{name}' must have {}, and not empty: type '{type_}' needs it", listed(keys)))
}

fn secret_problem(message: String) -> Problem {
    const POINTER: &str = "/spec/configSecretRef/name";
    Problem::new(Reason::ConfigSecretNotFound, Weight::Waits, 404, "Configuration Secret not found", POINTER, message)
}

fn listed(keys: &[String]) -> String {
    match keys {
        [key] => format!("the key {key}"),
        keys => format!("the keys {}", keys.join(", ")),
    }
}

/// Flags ask for what the type is not capable of.
#[must_use]
pub fn capability_not_supported(type_: &str, excess: &[Excess]) -> Problem {
    let told = excess.iter().map(|Excess { flag, pointer, capability }| {
        let detail = format!("{flag} must be false or absent: type '{type_}' has no {capability}");
        (Cow::Borrowed(*pointer), *flag, detail)
    });
    of_several(Reason::CapabilityNotSupported, 400, "Capability not supported", told.collect())
}

/// A problem that nothing but an edit helps against, made of several: pointer, rule and detail of each.
fn of_several(
    reason: Reason,
    http: u16,
    title: &'static str,
    told: Vec<(Cow<'static, str>, &'static str, String)>,
) -> Problem {
    let message = told.iter().map(|(.., detail)| detail.as_str()).collect::<Vec<_>>().join("; ");
    let code = kebab_case(reason.as_str());
    let fault = |(pointer, rule, detail)| Fault { http, code: code.clone(), title, detail, pointer, rule };
    let faults = told.into_iter().map(fault).collect();
    Problem { reason: reason.into(), message, weight: Weight::Stalls, faults }
}

/// Flags beyond the type's capabilities are off, as its author wants it.
#[must_use]
pub fn flags_clamped(type_: &str, excess: &[Excess]) -> Finding {
    let told = |Excess { flag, capability, .. }: &Excess| format!("{flag} is off: type '{type_}' has no {capability}");
    let message = excess.iter().map(told).collect::<Vec<_>>().join("; ");
    Finding { condition: FLAGS_CLAMPED, outcome: Outcome::Noted { reason: Reason::FlagsClamped.into(), message } }
}

/// Flags are set to true that have no effect while nobody can log in.
#[must_use]
pub fn flags_ineffective(flags: &[&str]) -> Problem {
    let verb = if flags.len() == 1 { "has" } else { "have" };
    Problem {
        reason: Reason::FlagsIneffective.into(),
        message: format!("{} {verb} no effect while isLoginActive is off in status.effective", flags.join(" and ")),
        weight: Weight::Advises,
        faults: Vec::new(),
    }
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

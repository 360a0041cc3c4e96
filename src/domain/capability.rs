//! What the capabilities of a strategy's type leave of its flags (seed: `Edit an existing strategy instance`).

use super::catalogue::Capabilities;
use crate::api::{StrategyInstance, StrategyInstanceSpec, strategy_instance::EffectiveFlags};

/// The id that a strategy goes by: its own, or else the object's UID.
#[must_use]
pub fn strategy_id(object: &StrategyInstance) -> Option<String> {
    object.spec.id.clone().or_else(|| object.metadata.uid.clone())
}

/// A flag that asks for what its type is not capable of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    /// The flag's name in the spec.
    pub flag: &'static str,
    /// JSON Pointer to the flag.
    pub pointer: &'static str,
    /// The capability that it needs.
    pub capability: &'static str,
}

/// The flags in force (asked for, or by default, and capable of), and the flags that ask for more.
#[must_use]
pub fn effective(spec: &StrategyInstanceSpec, can: Capabilities) -> (EffectiveFlags, Vec<Excess>) {
    let mut excess = Vec::new();
    let mut flag = |asked: Option<bool>, capable: bool, flag, pointer, capability| {
        if asked == Some(true) && !capable {
            excess.push(Excess { flag, pointer, capability });
        }
        asked.unwrap_or(capable) && capable
    };
    let flags = EffectiveFlags {
        is_login_active: flag(
            spec.is_login_active,
            can.can_login_register,
            "isLoginActive",
            "/spec/isLoginActive",
            "canLoginRegister",
        ),
        is_self_register_active: flag(
            spec.is_self_register_active,
            can.can_login_register,
            "isSelfRegisterActive",
            "/spec/isSelfRegisterActive",
            "canLoginRegister",
        ),
        is_sync_active: flag(spec.is_sync_active, can.can_sync, "isSyncActive", "/spec/isSyncActive", "canSync"),
        does_implicit_register: flag(
            spec.does_implicit_register,
            can.allows_implicit_signup,
            "doesImplicitRegister",
            "/spec/doesImplicitRegister",
            "allowsImplicitSignup",
        ),
    };
    (flags, excess)
}

/// Flags that are set to true, and to no effect while nobody can log in.
#[must_use]
pub fn ineffective(spec: &StrategyInstanceSpec, effective: EffectiveFlags) -> Vec<&'static str> {
    let flags =
        [("isSelfRegisterActive", spec.is_self_register_active), ("doesImplicitRegister", spec.does_implicit_register)];
    let is_set = |set: Option<bool>| set == Some(true) && !effective.is_login_active;
    flags.into_iter().filter(|(_, set)| is_set(*set)).map(|(flag, _)| flag).collect()
}

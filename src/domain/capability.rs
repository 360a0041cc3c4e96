//! What each strategy type is capable of, and what that leaves of the flags (seed: `Edit an existing strategy instance`).

use crate::api::{StrategyInstance, StrategyInstanceSpec, strategy_instance::EffectiveFlags};

/// What a strategy type can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Users can log in and register.
    pub can_login_register: bool,
    /// Tokens can be handed to the sync service.
    pub can_sync: bool,
    /// Unknown users can be registered on log-in.
    pub allows_implicit_signup: bool,
}

/// The built-in catalogue.
const CATALOGUE: [(&str, Capabilities); 6] = [
    ("userpass", capabilities(true, false, false)),
    ("github", capabilities(true, true, true)),
    ("jira", capabilities(true, true, true)),
    ("github-token", capabilities(false, true, false)),
    ("jira-token-cloud", capabilities(false, true, false)),
    ("jira-token-datacenter", capabilities(false, true, false)),
];

const fn capabilities(can_login_register: bool, can_sync: bool, allows_implicit_signup: bool) -> Capabilities {
    Capabilities { can_login_register, can_sync, allows_implicit_signup }
}

/// The capabilities of a type, if it is known.
#[must_use]
pub fn find(type_: &str) -> Option<Capabilities> {
    CATALOGUE.iter().find(|(name, _)| *name == type_).map(|(_, capabilities)| *capabilities)
}

/// The known types, in the catalogue's order.
pub fn known_types() -> impl Iterator<Item = &'static str> {
    CATALOGUE.iter().map(|(name, _)| *name)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(type_: &str, flags: [Option<bool>; 4]) -> StrategyInstanceSpec {
        let [is_login_active, is_self_register_active, is_sync_active, does_implicit_register] = flags;
        let mut spec: StrategyInstanceSpec = serde_json::from_value(serde_json::json!({ "type": type_ })).unwrap();
        (spec.is_login_active, spec.is_self_register_active) = (is_login_active, is_self_register_active);
        (spec.is_sync_active, spec.does_implicit_register) = (is_sync_active, does_implicit_register);
        spec
    }

    /// The seed's rule, said once more and differently: a flag is on if and only if the type is capable of it and it is
    /// not switched off.
    #[test]
    fn every_combination_of_type_and_flags_obeys_the_seed() {
        let table = [
            ("userpass", [true, true, false, false]),
            ("github", [true, true, true, true]),
            ("jira", [true, true, true, true]),
            ("github-token", [false, false, true, false]),
            ("jira-token-cloud", [false, false, true, false]),
            ("jira-token-datacenter", [false, false, true, false]),
        ];
        let choices = [None, Some(false), Some(true)];
        for (type_, capable) in table {
            for combination in 0..81usize {
                let asked = [1, 3, 9, 27].map(|power| choices[combination / power % 3]);
                let (flags, excess) = effective(&spec(type_, asked), find(type_).unwrap());
                let got = [
                    flags.is_login_active,
                    flags.is_self_register_active,
                    flags.is_sync_active,
                    flags.does_implicit_register,
                ];
                for position in 0..4 {
                    assert_eq!(got[position], capable[position] && asked[position] != Some(false), "{type_} {asked:?}");
                }
                let beyond = (0..4).filter(|i| asked[*i] == Some(true) && !capable[*i]).count();
                assert_eq!(excess.len(), beyond, "{type_} {asked:?}");
            }
        }
    }

    #[test]
    fn an_unknown_type_has_no_capabilities() {
        assert_eq!(find("ldap"), None);
        assert_eq!(known_types().count(), 6);
    }
}

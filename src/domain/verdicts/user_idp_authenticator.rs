//! Problems of a `UserIdpAuthenticator`.

use crate::domain::{
    reasons::{UserIdpAuthenticatorReason as Reason, kebab_case},
    verdict::{Fault, Problem, Weight},
};

/// The `IdentityProvider` exists and is ready.
pub const IDENTITY_PROVIDER_READY: &str = "IdentityProviderReady";

/// The `IdentityProvider` allows links to it.
pub const LINKING_ALLOWED: &str = "LinkingAllowed";

/// No older link has the user, or the user's id, at the `IdentityProvider`.
pub const LINK_UNIQUE: &str = "LinkUnique";

/// The user has every further identity that the link requires.
pub const LINKED_IDENTITY: &str = "LinkedIdentity";

/// How a spec names its `IdentityProvider`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdpName {
    /// `spec.idpRef.name`
    Ref(String),
    /// `spec.idpId`
    Id(String),
}

impl IdpName {
    fn pointer(&self) -> &'static str {
        match self {
            Self::Ref(_) => "/spec/idpRef/name",
            Self::Id(_) => "/spec/idpId",
        }
    }
}

/// There is no such `IdentityProvider`, or it is being deleted.
#[must_use]
pub fn idp_not_found(idp: &IdpName) -> Problem {
    let message = match idp {
        IdpName::Ref(name) => {
            format!("idpRef must name an IdentityProvider of this namespace: there is none of the name '{name}'")
        }
        IdpName::Id(id) => {
            format!(
                "idpId must be the status.idpId of an IdentityProvider of this namespace: there is none of the id '{id}'"
            )
        }
    };
    Problem::new(Reason::IdpNotFound, Weight::Waits, 404, "Resource not found", idp.pointer(), message)
}

/// The `IdentityProvider` is not ready; only an edit helps if only an edit helps there.
#[must_use]
pub fn idp_not_ready(idp: &IdpName, name: &str, stalled: bool) -> Problem {
    Problem::new(
        Reason::IdpNotReady,
        if stalled { Weight::Stalls } else { Weight::Waits },
        503,
        "IdentityProvider not ready",
        idp.pointer(),
        format!("IdentityProvider '{name}' is not ready: see its status for the cause"),
    )
}

/// The `IdentityProvider` is inactive.
#[must_use]
pub fn idp_inactive(idp: &IdpName, name: &str) -> Problem {
    Problem::new(
        Reason::IdpInactive,
        Weight::Stalls,
        403,
        "IdentityProvider inactive",
        idp.pointer(),
        format!("IdentityProvider '{name}' is inactive: set its state to Active, or delete the link"),
    )
}

/// The `IdentityProvider` allows no links to it.
#[must_use]
pub fn linking_not_allowed(idp: &IdpName, name: &str) -> Problem {
    Problem::new(
        Reason::LinkingNotAllowed,
        Weight::Stalls,
        403,
        "Linking not allowed",
        idp.pointer(),
        format!("IdentityProvider '{name}' allows no links: set its linkingAllowed to true, or delete the link"),
    )
}

/// What a link lost to older ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// The user's id at the `IdentityProvider`.
    pub external_id: bool,
    /// The place of the user's only link to it.
    pub user: bool,
}

/// Older links have what this one is to have. Nobody's id is named, and no link: ids are personal data, and who has it
/// changes with each link that goes.
#[must_use]
pub fn not_unique(lost: Lost) -> Option<Problem> {
    let taken = |reason, title, pointer: &'static str, message| {
        Problem::new(reason, Weight::Stalls, 409, title, pointer, message)
    };
    let external_id = || {
        taken(
            Reason::AlreadyLinked,
            "Already linked",
            "/spec/idpUserId",
            "idpUserId must be linked once at its IdentityProvider: an older UserIdpAuthenticator of this namespace has it; \
             delete one of them ('kubectl get uia --field-selector spec.idpUserId=...' lists them)",
        )
    };
    let user = || {
        taken(
            Reason::UserAlreadyLinked,
            "User already linked",
            "/spec/userId",
            "userId must be linked once to its IdentityProvider: an older UserIdpAuthenticator of this namespace does that; \
             delete one of them ('kubectl get uia --field-selector spec.userId=...' lists them)",
        )
    };
    match (lost.external_id, lost.user) {
        (false, false) => None,
        (true, false) => Some(external_id()),
        (false, true) => Some(user()),
        (true, true) => {
            let (first, second) = (external_id(), user());
            let message = format!("{}; {}", first.message, second.message);
            let faults = first.faults.into_iter().chain(second.faults).collect();
            Some(Problem { message, faults, ..first })
        }
    }
}

/// Why a user lacks an identity at an `IdentityProvider`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// There is no `IdentityProvider` of the name, or it is being deleted.
    Idp,
    /// The user has no link to it.
    Link,
    /// The user's link to it is not ready, or can't be read.
    Ready,
    /// The user's link to it lost its identity there to an older one.
    Unique,
}

/// The identity at an `IdentityProvider` that a user lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which entry of `requires`, from 0.
    pub position: usize,
    /// Name of the `IdentityProvider`.
    pub idp: String,
    /// What is wrong with it.
    pub lack: Lack,
}

impl Missing {
    fn told(&self) -> String {
        let idp = &self.idp;
        match self.lack {
            Lack::Idp => format!("'{idp}' does not exist"),
            Lack::Link => format!("'{idp}' has no UserIdpAuthenticator of this userId"),
            Lack::Ready => format!("that of '{idp}' is not ready, see its status"),
            Lack::Unique => format!("that of '{idp}' has lost to an older one, see its status"),
        }
    }
}

/// The user lacks identities that the link requires (seed: `Define federated identity`, 401); nothing if none is missing.
#[must_use]
pub fn missing_linked_identity(missing: &[Missing]) -> Option<Problem> {
    const TITLE: &str = "Missing linked identity for authorized access";
    const DETAIL: &str = "Linked identity is needed to access this resource, please check why the user does not have a \
                          linked identity";
    let reason: &str = Reason::MissingLinkedIdentity.into();
    let fault = |missing: &Missing| Fault {
        http: 401,
        code: kebab_case(reason),
        title: TITLE,
        detail: DETAIL.to_owned(),
        pointer: format!("/spec/requires/{}/name", missing.position).into(),
        rule: reason,
    };
    let told: Vec<String> = missing.iter().map(Missing::told).collect();
    let problem = Problem {
        reason,
        message: format!(
            "requires must name IdentityProviders that the user is linked to, so mend that or remove it from requires: {}",
            told.join("; ")
        ),
        weight: Weight::Waits,
        faults: missing.iter().map(fault).collect(),
    };
    (!missing.is_empty()).then_some(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lost_both_ids_is_told_of_both() {
        let both = not_unique(Lost { external_id: true, user: true }).unwrap();
        let one = not_unique(Lost { external_id: true, user: false }).unwrap();
        let other = not_unique(Lost { external_id: false, user: true }).unwrap();
        assert_eq!((one.reason, other.reason, both.reason), ("AlreadyLinked", "UserAlreadyLinked", "AlreadyLinked"));
        assert_eq!(both.message, format!("{}; {}", one.message, other.message));
        assert_eq!(both.faults, [one.faults, other.faults].concat());
        assert_eq!(not_unique(Lost::default()), None);
    }

    #[test]
    fn each_missing_identity_is_named_with_what_is_wrong_with_it_and_is_a_fault_of_the_seed_s_words() {
        let lacks = [Lack::Idp, Lack::Link, Lack::Ready, Lack::Unique];
        let missing = lacks.iter().zip(["a", "b", "c", "d"]).enumerate().map(|(position, (lack, idp))| Missing {
            position: position * 2,
            idp: idp.to_owned(),
            lack: *lack,
        });
        let problem = missing_linked_identity(&missing.collect::<Vec<_>>()).unwrap();
        assert_eq!(
            problem.message,
            "requires must name IdentityProviders that the user is linked to, so mend that or remove it from requires: 'a' \
             does not exist; 'b' has no UserIdpAuthenticator of this userId; that of 'c' is not ready, see its status; that \
             of 'd' has lost to an older one, see its status"
        );
        let told: Vec<_> =
            problem.faults.iter().map(|fault| (fault.http, &*fault.code, fault.title, &*fault.pointer)).collect();
        let fault =
            |pointer| (401, "missing-linked-identity", "Missing linked identity for authorized access", pointer);
        assert_eq!(
            told,
            [
                fault("/spec/requires/0/name"),
                fault("/spec/requires/2/name"),
                fault("/spec/requires/4/name"),
                fault("/spec/requires/6/name")
            ]
        );
        assert_eq!(
            problem.faults[0].detail,
            "Linked identity is needed to access this resource, please check why the user does not have a linked identity"
        );
        assert_eq!(missing_linked_identity(&[]), None);
    }
}

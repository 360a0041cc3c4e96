//! What links see of an `IdentityProvider`.

use kube::ResourceExt as _;

use crate::{
    api::{IdentityProvider, identity_provider::State, status::condition},
    domain::verdicts::identity_provider::ACTIVE,
};

/// What matters of an `IdentityProvider` to its links. Anything else of it may change without waking them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdpView {
    /// Its name.
    pub name: String,
    /// Its `metadata.uid`.
    pub uid: String,
    /// Its `Ready`.
    pub ready: IdpReady,
    /// Whether it is inactive, or was by its last verdict: active again, it is not ready before the next one.
    pub is_inactive: bool,
    /// `spec.linkingAllowed`.
    pub allows_linking: bool,
    /// Whether it is suspended with a verdict: what is edited is not in force yet.
    pub is_suspended: bool,
}

/// An `IdentityProvider`'s `Ready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdpReady {
    /// There is no verdict yet.
    NoVerdict,
    /// `Unknown`: the API server failed it for now. What its links were told last stands.
    Unknown,
    /// `True`
    True,
    /// `False`
    False {
        /// Whether only an edit helps.
        stalled: bool,
    },
}

impl IdpView {
    /// The view of this object; nothing if it is being deleted.
    #[must_use]
    pub fn of(idp: &IdentityProvider) -> Option<Self> {
        if idp.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let core = idp.status.as_ref().map(|status| &status.core);
        let condition = |type_| core.and_then(|core| core.condition(type_)).map(|condition| condition.status.as_str());
        // Unknown from the start, by failures or `spec.suspend`, it has none of its own conditions.
        let was_judged = condition(ACTIVE).is_some();
        let ready = match condition(condition::READY) {
            None => IdpReady::NoVerdict,
            Some("True") => IdpReady::True,
            Some("False") => IdpReady::False { stalled: condition(condition::STALLED) == Some("True") },
            Some(_) if was_judged => IdpReady::Unknown,
            // Nothing was ever told of it that could stand.
            Some(_) => IdpReady::False { stalled: false },
        };
        let is_inactive = idp.spec.state == State::Inactive || condition(ACTIVE) == Some("False");
        Some(Self {
            name: idp.name_any(),
            uid: idp.uid().unwrap_or_default(),
            ready,
            is_inactive,
            allows_linking: idp.spec.linking_allowed,
            is_suspended: idp.spec.suspend && was_judged,
        })
    }

    /// The view of one of this name that is there and can't be read: nothing is told of it.
    #[must_use]
    pub fn unread(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            uid: String::new(),
            ready: IdpReady::NoVerdict,
            is_inactive: false,
            allows_linking: true,
            is_suspended: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn idp(spec: &Value, conditions: &[(&str, &str)]) -> IdpView {
        let condition = |(type_, status): &(&str, &str)| {
            json!({
                "type": type_, "status": status, "reason": "X", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
            })
        };
        let mut whole = json!({ "jwtEndpoint": "j", "issuer": "i", "keysEndpoint": "k" });
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let idp: IdentityProvider = serde_json::from_value(json!({
            "apiVersion": "idp-operator.dev/v1alpha1", "kind": "IdentityProvider", "metadata": { "name": "login" },
            "spec": whole, "status": { "conditions": conditions.iter().map(condition).collect::<Vec<_>>() },
        }))
        .unwrap();
        IdpView::of(&idp).unwrap()
    }

    #[test]
    fn one_that_is_active_again_is_inactive_to_its_links_until_its_next_verdict() {
        let is_inactive =
            |state: &str, active| idp(&json!({ "state": state }), &[("Ready", "True"), ("Active", active)]).is_inactive;
        assert!(!is_inactive("Active", "True"));
        assert!(is_inactive("Inactive", "True"));
        assert!(is_inactive("Inactive", "False"));
        assert!(is_inactive("Active", "False"));
    }

    #[test]
    fn what_stands_while_it_is_unknown_or_suspended_must_have_been_told_of_it_once() {
        let suspended = json!({ "suspend": true });
        let seen = |conditions: &[(&str, &str)]| {
            let idp = idp(&suspended, conditions);
            (idp.ready, idp.is_suspended)
        };
        assert_eq!(seen(&[]), (IdpReady::NoVerdict, false));
        assert_eq!(seen(&[("Ready", "Unknown")]), (IdpReady::False { stalled: false }, false));
        assert_eq!(seen(&[("Ready", "Unknown"), ("Active", "True")]), (IdpReady::Unknown, true));
        assert_eq!(seen(&[("Ready", "True"), ("Active", "True")]), (IdpReady::True, true));
        let stalled = [("Ready", "False"), ("Active", "True"), ("Stalled", "True")];
        assert_eq!(seen(&stalled), (IdpReady::False { stalled: true }, true));
    }
}

//! What contests depend on beside the objects that take part.

use std::collections::HashMap;

use super::kinds::Managed as _;
use crate::{
    api::UserIdpAuthenticator,
    cluster::key::ObjectKey,
    domain::claims::{Claims, NamespaceClaims},
};

/// Claims of namespaces, and which `IdentityProvider` has which id.
#[derive(Debug, Default)]
pub struct Facts {
    claims: NamespaceClaims,
    /// The live `IdentityProvider` of an id: namespace and `metadata.uid`.
    names: HashMap<ObjectKey, ObjectKey>,
    /// Its id, by its name.
    ids: HashMap<ObjectKey, ObjectKey>,
}

impl Facts {
    /// These claims, and no `IdentityProvider`.
    #[must_use]
    pub fn new(claims: NamespaceClaims) -> Self {
        Self { claims, ..Self::default() }
    }

    /// Which namespace may hold which tenants.
    #[must_use]
    pub const fn claims(&self) -> &NamespaceClaims {
        &self.claims
    }

    /// The `IdentityProvider` that the link is to: the one that it names, whether there is one or not, or the live one of
    /// the id that it names.
    #[must_use]
    pub fn idp_of(&self, link: &UserIdpAuthenticator) -> Option<ObjectKey> {
        match (&link.spec.idp_ref, &link.spec.idp_id) {
            (Some(idp), _) => Some(link.sibling(&idp.name)),
            (None, Some(id)) => self.names.get(&link.sibling(id)).cloned(),
            (None, None) => None,
        }
    }

    /// The namespace has exactly these claims from now on. Returns whether that is a change.
    pub(super) fn set_claims(&mut self, namespace: &str, claims: Claims) -> bool {
        self.claims.set(namespace, claims)
    }

    /// The `IdentityProvider` of this name has this `metadata.uid` from now on; none: there is no live one. Returns the ids,
    /// with the namespace, that name another one by it, or none any more.
    pub(super) fn set_id(&mut self, idp: &ObjectKey, uid: Option<String>) -> Vec<ObjectKey> {
        let new = uid.map(|uid| ObjectKey::new(&idp.namespace, uid));
        let old = match &new {
            Some(new) => self.ids.insert(idp.clone(), new.clone()),
            None => self.ids.remove(idp),
        };
        if old == new {
            return Vec::new();
        }
        if let Some(old) = &old {
            self.names.remove(old);
        }
        if let Some(new) = &new {
            self.names.insert(new.clone(), idp.clone());
        }
        old.into_iter().chain(new).collect()
    }

    /// Whether no `IdentityProvider` is known.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.ids.is_empty()
    }
}

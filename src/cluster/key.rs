//! Names of objects and kinds, as maps, queues and metrics use them.

use kube::{Resource, ResourceExt as _};

/// Namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
}

impl ObjectKey {
    /// A key.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of this object.
    pub fn of<K: Resource>(object: &K) -> Self {
        Self::new(object.namespace().unwrap_or_default(), object.name_any())
    }
}

/// The kinds that are reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the kinds' names
pub enum Kind {
    IdentityProvider,
    TenantJwtSecret,
    UserIdpAuthenticator,
    StrategyInstance,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::IdentityProvider, Self::TenantJwtSecret, Self::UserIdpAuthenticator, Self::StrategyInstance];

    /// The kind's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IdentityProvider => "IdentityProvider",
            Self::TenantJwtSecret => "TenantJwtSecret",
            Self::UserIdpAuthenticator => "UserIdpAuthenticator",
            Self::StrategyInstance => "StrategyInstance",
        }
    }
}

/// An object to be looked at again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace and name.
    pub key: ObjectKey,
}

//! Names of objects and kinds, as maps, queues and metrics use them.

use kube::Resource;

use crate::api::text::Text;

/// Namespace and name of an object. Many tables have them: so they stand in memory once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// `metadata.namespace`
    pub namespace: Text,
    /// `metadata.name`
    pub name: Text,
}

impl ObjectKey {
    /// A key.
    pub fn new(namespace: impl AsRef<str>, name: impl AsRef<str>) -> Self {
        Self { namespace: Text::shared(namespace.as_ref()), name: Text::shared(name.as_ref()) }
    }

    /// The key of this object.
    pub fn of<K: Resource>(object: &K) -> Self {
        let meta = object.meta();
        // Named by the API server, if not by the user.
        let name = meta.name.as_deref().or(meta.generate_name.as_deref());
        Self::new(meta.namespace.as_deref().unwrap_or_default(), name.unwrap_or_default())
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

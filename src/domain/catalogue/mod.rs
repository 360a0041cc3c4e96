//! The strategy types: what each is capable of, and what it needs of `spec.config` and of its Secret (seed: `Edit an
//! existing strategy instance`, `Strategy.can..`).

mod built_in;
mod file;
#[cfg(test)]
mod tests;
mod yaml;

use std::sync::Arc;

pub use file::{CatalogueError, MAX_BYTES, parse};

/// What a strategy type is capable of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Users can log in and register.
    pub can_login_register: bool,
    /// Tokens can be handed to the sync service.
    pub can_sync: bool,
    /// Unknown users can be registered on log-in.
    pub allows_implicit_signup: bool,
}

/// What a value of `spec.config` must be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Anything but white space.
    Text,
    /// An absolute http or https URL.
    Url,
}

/// A key that `spec.config` must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigKey {
    /// The key: 1 to 63 letters, digits, `-`, `_` and `.`.
    pub key: String,
    /// What its value must be like.
    pub format: Format,
}

/// A strategy type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyType {
    /// What it is capable of.
    pub can: Capabilities,
    /// What `spec.config` must have; none of it is a secret.
    pub required_config: Vec<ConfigKey>,
    /// What the Secret of `spec.configSecretRef` must have.
    pub required_secret_keys: Vec<String>,
}

/// The known types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    /// The built-in ones as the page lists them, then those that were added, by name.
    types: Vec<(String, Arc<StrategyType>)>,
}

impl Default for Catalogue {
    /// The built-in types.
    fn default() -> Self {
        Self { types: built_in::types().map(|(name, of)| (name.to_owned(), Arc::new(of))).collect() }
    }
}

impl Catalogue {
    /// The built-in types with these added to them. One that is built in is replaced as a whole.
    #[must_use]
    pub fn with(mut additions: Vec<(String, StrategyType)>) -> Self {
        let mut types = Self::default().types;
        // In whatever order they were given: the names stand in messages, which must not change for nothing.
        additions.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (name, added) in additions {
            let added = Arc::new(added);
            match types.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = added,
                None => types.push((name, added)),
            }
        }
        Self { types }
    }

    /// The type of this name, if it is known.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<StrategyType>> {
        self.types.iter().find(|(known, _)| known == name).map(|(_, of)| of)
    }

    /// The names of the known types.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.types.iter().map(|(name, _)| name.as_str())
    }

    /// Whether what is said of an object of this type can be another by that catalogue. Of an unknown type the known
    /// ones are told.
    #[must_use]
    pub fn differs_on(&self, name: &str, other: &Self) -> bool {
        match (self.get(name), other.get(name)) {
            (None, None) => !self.names().eq(other.names()),
            (one, another) => one != another,
        }
    }
}

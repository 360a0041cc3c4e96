//! What a strategy's type needs of `spec.config` and of the Secret that `spec.configSecretRef` names.

use k8s_openapi::api::core::v1::Secret;
use url::Url;

use super::{
    catalogue::{Format, StrategyType},
    secret_output,
};
use crate::api::StrategyInstanceSpec;

/// What is wrong with a strategy's settings, as far as its manifest shows. Says nothing of values: they could be secrets
/// that stand in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigFault {
    /// This key of `config` is missing.
    Missing(String),
    /// This key of `config` has only white space.
    Blank(String),
    /// This key of `config` is no absolute http or https URL.
    NotAUrl(String),
    /// This key of `config` belongs in the Secret.
    Exposed(String),
    /// There is no `configSecretRef`, and the type needs these keys of a Secret.
    NoSecret(Vec<String>),
}

/// All that is wrong.
#[must_use]
pub fn faults(spec: &StrategyInstanceSpec, of: &StrategyType) -> Vec<ConfigFault> {
    let config = of.required_config.iter().filter_map(|required| {
        let key = required.key.clone();
        match spec.config.get(&key).map(|value| value.trim()) {
            None => Some(ConfigFault::Missing(key)),
            Some("") => Some(ConfigFault::Blank(key)),
            Some(_) if required.format == Format::Text => None,
            // Not trimmed: a consumer takes it as it is.
            Some(_) => (!spec.config.get(&key).is_some_and(|url| is_url(url))).then_some(ConfigFault::NotAUrl(key)),
        }
    });
    let secrets = of.required_secret_keys.iter();
    let exposed = secrets.filter(|key| spec.config.contains_key(*key)).cloned().map(ConfigFault::Exposed);
    let has_none = spec.config_secret_ref.is_none() && !of.required_secret_keys.is_empty();
    let no_secret = has_none.then(|| ConfigFault::NoSecret(of.required_secret_keys.clone()));
    config.chain(exposed).chain(no_secret).collect()
}

/// Absolute http or https with a host, and without user info and fragment; written as RFC 3986 has it, not as browsers
/// mend it.
fn is_url(text: &str) -> bool {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    let Some(scheme) = ["http://", "https://"].into_iter().find(|scheme| lower.starts_with(scheme)) else {
        return false;
    };
    let rest = text.get(scheme.len()..).unwrap_or_default();
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let is_mended = |character: char| character.is_whitespace() || character.is_control() || character == '\\';
    !authority.is_empty()
        && !authority.contains('@')
        && !text.contains('#')
        && !text.contains(is_mended)
        && Url::parse(text).is_ok_and(|url| url.has_host())
}

/// What is known of the Secret of `configSecretRef`. Of its values nothing but that they are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigSecret {
    /// None is named, or it makes no difference.
    Unread,
    /// There is none of that name.
    NotFound,
    /// It is there, but for a value of each of these keys.
    Lacks(Vec<String>),
}

impl ConfigSecret {
    /// Looks for what a type needs.
    #[must_use]
    pub fn of(secret: Option<&Secret>, of: &StrategyType) -> Self {
        let Some(secret) = secret else { return Self::NotFound };
        let is_there = |key: &&String| secret_output::data(secret, key).is_some_and(|value| !value.0.is_empty());
        Self::Lacks(of.required_secret_keys.iter().filter(|key| !is_there(key)).cloned().collect())
    }
}

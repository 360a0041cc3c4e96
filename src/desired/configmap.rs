//! An `IdentityProvider`'s output ConfigMap.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{ResourceExt as _, api::ObjectMeta};

use super::{authentication_configuration, envoy, owned_by};
use crate::{
    api::{IdentityProvider, IdentityProviderSpec, identity_provider::DEFAULT_HEADER_NAME, labels},
    domain::{ca_bundle::CaBundle, jwks::KeySet},
};

/// Key of the published JWK Set.
pub const JWKS: &str = "jwks.json";
/// Key of the issuer.
pub const ISSUER: &str = "issuer";

/// Keys of the output that are ours.
const KEYS: [&str; 4] = [JWKS, ISSUER, envoy::KEY, authentication_configuration::KEY];

/// Name of the output.
#[must_use]
pub fn name(idp: &IdentityProvider) -> String {
    let publish = idp.spec.publish.as_ref();
    publish.map_or_else(|| format!("{}-jwks", idp.name_any()), |publish| publish.config_map_name.clone())
}

/// Whether the operator may write it: it bears our label and this object's annotation, or is owned by this object.
#[must_use]
pub fn is_ours(existing: &ConfigMap, idp: &IdentityProvider) -> bool {
    let labelled = existing.labels().get(labels::MANAGED).map(String::as_str) == Some("true");
    match existing.annotations().get(labels::IDENTITY_PROVIDER) {
        Some(name) => *name == idp.name_any() && (labelled || is_owned(existing, idp)),
        None => is_owned(existing, idp),
    }
}

fn is_owned(existing: &ConfigMap, idp: &IdentityProvider) -> bool {
    existing.owner_references().iter().any(|owner| Some(&owner.uid) == idp.metadata.uid.as_ref())
}

/// What the output holds of ours.
pub type Data = BTreeMap<&'static str, String>;

/// What is published of these keys. Where it is not known who vouches for the issuer, nobody is told to trust it.
#[must_use]
pub fn published<E>(spec: &IdentityProviderSpec, keys: &KeySet, authority: Result<Option<&CaBundle>, E>) -> Data {
    let audiences = spec.audiences.as_deref().unwrap_or_default();
    let jwks = keys.to_json();
    let header_name = if spec.header_name.is_empty() { DEFAULT_HEADER_NAME } else { &spec.header_name };
    let provider = envoy::jwt_provider(&spec.issuer, audiences, header_name, spec.clock_skew.into(), &jwks);
    let configuration = authority.ok().and_then(|bundle| {
        authentication_configuration::render(&spec.issuer, audiences, bundle.map(CaBundle::to_pem).as_deref())
    });
    let mut data = Data::from([(JWKS, jwks), (ISSUER, spec.issuer.clone()), (envoy::KEY, provider)]);
    data.extend(configuration.map(|text| (authentication_configuration::KEY, text)));
    data
}

/// The output as it ought to be: with this data, or withdrawn (an empty set, so that verifiers refuse everything). What
/// others added to an existing one stays.
#[must_use]
pub fn desired(idp: &IdentityProvider, data: Option<&Data>, existing: Option<&ConfigMap>) -> ConfigMap {
    let mut configmap = existing.cloned().unwrap_or_else(|| ConfigMap {
        metadata: ObjectMeta { name: Some(name(idp)), namespace: idp.namespace(), ..ObjectMeta::default() },
        ..ConfigMap::default()
    });
    configmap.labels_mut().insert(labels::MANAGED.to_owned(), "true".to_owned());
    configmap.annotations_mut().insert(labels::IDENTITY_PROVIDER.to_owned(), idp.name_any());
    configmap.metadata.owner_references = Some(owned_by(configmap.owner_references(), idp));
    let withdrawn = Data::from([(JWKS, r#"{"keys":[]}"#.to_owned())]);
    let data = data.unwrap_or(&withdrawn);
    let held = configmap.data.get_or_insert_with(BTreeMap::new);
    held.retain(|key, _| !KEYS.contains(&key.as_str()));
    held.extend(data.iter().map(|(key, text)| ((*key).to_owned(), text.clone())));
    // A key that stands in both is refused.
    if let Some(binary) = &mut configmap.binary_data {
        binary.retain(|key, _| !KEYS.contains(&key.as_str()));
    }
    configmap
}

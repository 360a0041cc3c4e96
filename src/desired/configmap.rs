//! An `IdentityProvider`'s output ConfigMap.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{ResourceExt as _, api::ObjectMeta};

use super::owned_by;
use crate::{
    api::{IdentityProvider, labels},
    domain::jwks::KeySet,
};

/// Key of the published JWK Set.
pub const JWKS: &str = "jwks.json";
/// Key of the issuer.
pub const ISSUER: &str = "issuer";

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

/// The output as it ought to be: `keys` published, or withdrawn (an empty set, so that verifiers refuse everything).
/// What others added to an existing one stays.
#[must_use]
pub fn desired(idp: &IdentityProvider, keys: Option<&KeySet>, existing: Option<&ConfigMap>) -> ConfigMap {
    let mut configmap = existing.cloned().unwrap_or_else(|| ConfigMap {
        metadata: ObjectMeta { name: Some(name(idp)), namespace: idp.namespace(), ..ObjectMeta::default() },
        ..ConfigMap::default()
    });
    configmap.metadata.managed_fields = None;
    configmap.labels_mut().insert(labels::MANAGED.to_owned(), "true".to_owned());
    configmap.annotations_mut().insert(labels::IDENTITY_PROVIDER.to_owned(), idp.name_any());
    configmap.metadata.owner_references = Some(owned_by(configmap.owner_references(), idp));
    let data = configmap.data.get_or_insert_with(BTreeMap::new);
    if let Some(keys) = keys {
        data.insert(JWKS.to_owned(), keys.to_json());
        data.insert(ISSUER.to_owned(), idp.spec.issuer.clone());
    } else {
        data.insert(JWKS.to_owned(), r#"{"keys":[]}"#.to_owned());
        data.remove(ISSUER);
    }
    configmap
}

//! A tenant's output Secret.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{ResourceExt as _, api::ObjectMeta};
use secrecy::{ExposeSecret as _, SecretString};

use super::{owned_by, owner};
use crate::{
    api::{TenantJwtSecret, labels, tenant_jwt_secret::SigningAlgorithm},
    domain::secret_output::key,
};

/// Name of the output.
#[must_use]
pub fn name(tenant_jwt_secret: &str) -> String {
    format!("{tenant_jwt_secret}-jwt")
}

/// A value that becomes current.
#[derive(Debug)]
pub struct NewValue {
    /// Padded Base64 text.
    pub text: SecretString,
    /// Random id.
    pub key_id: String,
}

/// What a write of the output sets.
#[derive(Debug)]
pub struct Parts {
    /// A new value; absent: the existing one stays.
    pub value: Option<NewValue>,
    /// The algorithm it is for.
    pub algorithm: SigningAlgorithm,
    /// Id for an existing value that has none; ignored with a new value.
    pub key_id: String,
    /// Now: when a new value becomes current, or since when a damaged `issued-at` counts.
    pub now: Timestamp,
    /// `issued-at` of the existing value, where it is good.
    pub issued_at: Option<Timestamp>,
}

/// The output as it ought to be. What others added to an existing one stays.
#[must_use]
pub fn desired(object: &TenantJwtSecret, parts: &Parts, existing: Option<Secret>) -> Secret {
    let mut secret = existing.unwrap_or_else(|| Secret {
        metadata: ObjectMeta {
            name: Some(name(&object.name_any())),
            namespace: object.namespace(),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    });
    secret.metadata.managed_fields = None;
    secret.labels_mut().insert(labels::MANAGED.to_owned(), "true".to_owned());
    let annotations = secret.annotations_mut();
    annotations.insert(labels::TENANT_ID.to_owned(), object.spec.tenant_id.clone());
    annotations.insert(labels::FORMAT.to_owned(), labels::FORMAT_V1.to_owned());
    secret.metadata.owner_references = Some(owned_by(secret.owner_references(), &owner(object)));

    let data = secret.data.get_or_insert_with(BTreeMap::new);
    let mut set = |name: &str, text: &str| {
        data.insert(name.to_owned(), ByteString(text.as_bytes().to_vec()));
    };
    set(key::ALGORITHM, parts.algorithm.as_str());
    let (key_id, issued_at) = match &parts.value {
        Some(new) => {
            set(key::SECRET, new.text.expose_secret());
            (&new.key_id, parts.now)
        }
        None => (&parts.key_id, parts.issued_at.unwrap_or(parts.now)),
    };
    set(key::KEY_ID, key_id);
    set(key::ISSUED_AT, &format!("{issued_at:.0}"));
    secret
}

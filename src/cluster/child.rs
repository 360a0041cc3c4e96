//! Reads and writes of outputs: Secrets and ConfigMaps.
//!
//! Not server-side apply: that can neither say create-only, nor remove a key that another manager planted.

use std::fmt::Debug;

use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{Api, Client, Resource, api::PostParams};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::{Action, Error},
    key::ObjectKey,
};
use crate::api::{TenantJwtSecret, labels::OPERATOR};

/// An output's type.
pub trait Child:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug
{
    /// Its kind.
    const KIND: &'static str;
}

impl Child for Secret {
    const KIND: &'static str = "Secret";
}

/// Not an output, but read like one.
impl Child for TenantJwtSecret {
    const KIND: &'static str = "TenantJwtSecret";
}

impl Child for ConfigMap {
    const KIND: &'static str = "ConfigMap";
}

/// The object as the API server has it now, if it exists.
///
/// # Errors
/// When the API server refuses or gives no answer.
pub async fn get<T: Child>(client: &Client, key: &ObjectKey) -> Result<Option<T>, Error> {
    api::<T>(client, key).get_opt(&key.name).await.map_err(|error| Error::of(Action::Get, T::KIND, key, error))
}

/// Writes an output. One without a resourceVersion is created, and must not exist; one with is replaced, and must not
/// have changed since.
///
/// # Errors
/// [`Error::Raced`] where it did exist or change, others where the API server refuses or gives no answer.
pub async fn write<T: Child>(client: &Client, desired: &T) -> Result<T, Error> {
    let key = ObjectKey::of(desired);
    let params = PostParams { field_manager: Some(OPERATOR.to_owned()), ..PostParams::default() };
    if desired.meta().resource_version.is_none() {
        let created = api::<T>(client, &key).create(&params, desired).await;
        created.map_err(|error| Error::of(Action::Create, T::KIND, &key, error))
    } else {
        let replaced = api::<T>(client, &key).replace(&key.name, &params, desired).await;
        replaced.map_err(|error| Error::of(Action::Update, T::KIND, &key, error))
    }
}

fn api<T: Child>(client: &Client, key: &ObjectKey) -> Api<T> {
    Api::namespaced(client.clone(), &key.namespace)
}

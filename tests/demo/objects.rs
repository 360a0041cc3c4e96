//! The objects of the demo's namespace, and what the operator made for them.

use std::collections::BTreeMap;

use idp_operator::api::{
    IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator, labels,
    status::{Condition, StatusCore, condition},
};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde_json::Value;

use crate::Error;

/// An object of one of the four kinds.
#[derive(Clone, Debug)]
pub struct Object {
    /// Kind and name, as in `IdentityProvider/login`.
    pub id: String,
    /// `metadata.resourceVersion`: another one after each write.
    pub version: String,
    /// The condition Ready, once there is one for the present generation.
    pub ready: Option<Condition>,
    /// What the operator made for it.
    pub outputs: Vec<Output>,
}

/// A Secret or `ConfigMap` that the operator made.
#[derive(Clone, Debug)]
pub struct Output {
    /// What it is, and the names of what it holds.
    pub text: String,
    /// `metadata.resourceVersion`.
    pub version: String,
}

/// All objects, in no order.
pub async fn list(client: &Client, namespace: &str) -> Result<Vec<Object>, Error> {
    let mut outputs = outputs(client, namespace).await?;
    let mut objects = Vec::new();
    for kind in kinds() {
        let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &kind);
        for object in api.list(&ListParams::default()).await? {
            let status = object.data.get("status").cloned().unwrap_or_default();
            let status: StatusCore = serde_json::from_value(status)?;
            let judged = status.observed_generation == object.metadata.generation;
            objects.push(Object {
                id: id(&kind.kind, &object.name_any()),
                version: object.resource_version().unwrap_or_default(),
                ready: status.condition(condition::READY).filter(|_| judged).cloned(),
                outputs: object.uid().and_then(|uid| outputs.remove(&uid)).unwrap_or_default(),
            });
        }
    }
    Ok(objects)
}

/// The id of an object that kubectl names in this line, as in `identityprovider.idp-operator.dev/login created`.
pub fn named_in(line: &str) -> Option<String> {
    let (resource, name) = line.split_whitespace().next()?.split_once('/')?;
    let is_it = |kind: &ApiResource| resource == format!("{}.{}", kind.kind.to_lowercase(), kind.group);
    kinds().iter().find(|kind| is_it(kind)).map(|kind| id(&kind.kind, name))
}

fn id(kind: &str, name: &str) -> String {
    format!("{kind}/{name}")
}

fn kinds() -> [ApiResource; 4] {
    [
        ApiResource::erase::<IdentityProvider>(&()),
        ApiResource::erase::<TenantJwtSecret>(&()),
        ApiResource::erase::<UserIdpAuthenticator>(&()),
        ApiResource::erase::<StrategyInstance>(&()),
    ]
}

/// What the operator made, by the UID of the object it belongs to.
type Outputs = BTreeMap<String, Vec<Output>>;

async fn outputs(client: &Client, namespace: &str) -> Result<Outputs, Error> {
    let ours = ListParams::default().labels(&format!("{}=true", labels::MANAGED));
    let mut all = Outputs::new();
    for secret in Api::<Secret>::namespaced(client.clone(), namespace).list(&ours).await? {
        let names: Vec<&str> = secret.data.iter().flatten().map(|(name, _)| name.as_str()).collect();
        add(&mut all, &secret, format!("Secret {} ({})", secret.name_any(), names.join(", ")));
    }
    for map in Api::<ConfigMap>::namespaced(client.clone(), namespace).list(&ours).await? {
        let names: Vec<&str> = map.data.iter().flatten().map(|(name, _)| name.as_str()).collect();
        let text =
            format!("ConfigMap {} ({}) with keys {}", map.name_any(), names.join(", "), key_ids(&map).join(", "));
        add(&mut all, &map, text);
    }
    Ok(all)
}

fn add(all: &mut Outputs, object: &impl ResourceExt, text: String) {
    let output = Output { text, version: object.resource_version().unwrap_or_default() };
    for owner in object.owner_references() {
        all.entry(owner.uid.clone()).or_default().push(output.clone());
    }
}

/// The ids of the keys in an identity provider's output.
pub fn key_ids(map: &ConfigMap) -> Vec<String> {
    let jwks: Option<Value> =
        map.data.as_ref().and_then(|data| data.get("jwks.json")).and_then(|text| serde_json::from_str(text).ok());
    let keys = jwks.as_ref().and_then(|jwks| jwks.get("keys")).and_then(Value::as_array);
    keys.into_iter().flatten().filter_map(|key| key.get("kid")?.as_str().map(str::to_owned)).collect()
}

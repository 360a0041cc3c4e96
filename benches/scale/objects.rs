//! The objects: four kinds in a namespace.

use std::fmt::Debug;

use futures::{StreamExt as _, stream};
use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator};
use k8s_openapi::{NamespaceResourceScope, api::core::v1};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ApiResource, DynamicObject, ObjectMeta, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{CONCURRENCY, key_server::KeyServer};

/// A kind of ours.
pub trait Ours:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug
{
}

impl<K> Ours for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug
{
}

/// How many there are of each kind.
#[derive(Clone, Copy)]
pub struct Sizes {
    pub identity_providers: usize,
    pub tenant_jwt_secrets: usize,
    pub user_idp_authenticators: usize,
    pub strategy_instances: usize,
}

impl Sizes {
    /// So many in all, as 1 : 3 : 5 : 1; one of each at least.
    pub fn of(objects: usize) -> Self {
        let tenths = |tenths: usize| (objects * tenths / 10).max(1);
        Self {
            identity_providers: tenths(1),
            tenant_jwt_secrets: tenths(3),
            user_idp_authenticators: tenths(5),
            strategy_instances: tenths(1),
        }
    }

    pub fn by_kind(self) -> [(&'static str, usize); 4] {
        [
            ("IdentityProvider", self.identity_providers),
            ("TenantJwtSecret", self.tenant_jwt_secrets),
            ("UserIdpAuthenticator", self.user_idp_authenticators),
            ("StrategyInstance", self.strategy_instances),
        ]
    }

    pub fn total(self) -> usize {
        self.by_kind().iter().map(|(_, count)| count).sum()
    }
}

/// An object as it was created.
#[derive(Clone)]
pub struct Object {
    pub name: String,
    pub uid: String,
    pub version: String,
}

/// A namespace with objects that nobody has looked at.
pub struct Namespace {
    pub name: &'static str,
    pub identity_providers: Vec<Object>,
    pub tenant_jwt_secrets: Vec<Object>,
    pub user_idp_authenticators: Vec<Object>,
    pub strategy_instances: Vec<Object>,
}

impl Namespace {
    pub async fn populated(client: &Client, name: &'static str, sizes: Sizes, keys: &KeyServer) -> Self {
        let metadata = ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() };
        let namespace = v1::Namespace { metadata, ..v1::Namespace::default() };
        Api::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
        let idp = |number: usize| {
            json!({
                "issuer": format!("https://{}.example.com", object_name(number)), "allowInsecureHttp": true,
                "jwtEndpoint": keys.url("/jwt"), "keysEndpoint": keys.url("/keys"),
                "audiences": ["https://api.example.com"],
            })
        };
        let tenant = |number: usize| json!({ "tenantId": format!("{name}-{number}"), "signingAlgorithm": "HS384" });
        let link = |number: usize| {
            json!({
                "idpRef": { "name": object_name(number % sizes.identity_providers) },
                "userId": format!("user-{number}"), "idpUserId": format!("id-{number}"),
                "idpUserName": format!("user-{number}@example.com"),
            })
        };
        let strategy = |number: usize| json!({ "type": "userpass", "name": format!("Strategy {number}") });
        Self {
            name,
            identity_providers: create::<IdentityProvider>(client, name, sizes.identity_providers, idp).await,
            tenant_jwt_secrets: create::<TenantJwtSecret>(client, name, sizes.tenant_jwt_secrets, tenant).await,
            user_idp_authenticators: create::<UserIdpAuthenticator>(client, name, sizes.user_idp_authenticators, link)
                .await,
            strategy_instances: create::<StrategyInstance>(client, name, sizes.strategy_instances, strategy).await,
        }
    }
}

/// Equally long for all.
fn object_name(number: usize) -> String {
    format!("object-{number:06}")
}

async fn create<K: Ours>(client: &Client, namespace: &str, count: usize, spec: impl Fn(usize) -> Value) -> Vec<Object> {
    // As a manifest, in which what is not said is absent.
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<K>(&()));
    stream::iter(0..count)
        .map(|number| {
            let object = json!({
                "apiVersion": K::api_version(&()), "kind": K::kind(&()),
                "metadata": { "name": object_name(number) }, "spec": spec(number),
            });
            let (api, object) = (api.clone(), serde_json::from_value::<DynamicObject>(object).unwrap());
            async move {
                let created = api.create(&PostParams::default(), &object).await.unwrap();
                Object {
                    name: created.name_any(),
                    uid: created.uid().unwrap(),
                    version: created.resource_version().unwrap(),
                }
            }
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await
}

//! The floor: what the operator writes, written by a bare kube client that looks at nothing.

use futures::{StreamExt as _, future, stream};
use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator, labels::OPERATOR};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    CONCURRENCY,
    objects::{Namespace, Object, Ours},
};

/// The operator's writes, learned from what it wrote once for each kind.
pub struct Writes {
    configmap: Template,
    secret: Template,
    identity_provider: Template,
    tenant_jwt_secret: Template,
    user_idp_authenticator: Template,
    strategy_instance: Template,
}

/// A written object; with another name and UID in their places it is that of another object.
struct Template {
    text: String,
    name: String,
    uid: String,
}

impl Template {
    fn of(value: &Value, owner: &Object) -> Self {
        Self { text: value.to_string(), name: owner.name.clone(), uid: owner.uid.clone() }
    }

    fn for_object(&self, object: &Object) -> String {
        self.text.replace(&self.name, &object.name).replace(&self.uid, &object.uid)
    }
}

impl Writes {
    pub async fn learn(client: &Client, sample: &Namespace) -> Self {
        let (idp, tenant) = (&sample.identity_providers[0], &sample.tenant_jwt_secrets[0]);
        Self {
            configmap: output::<ConfigMap>(client, sample, idp).await,
            secret: output::<Secret>(client, sample, tenant).await,
            identity_provider: status::<IdentityProvider>(client, sample, idp).await,
            tenant_jwt_secret: status::<TenantJwtSecret>(client, sample, tenant).await,
            user_idp_authenticator: status::<UserIdpAuthenticator>(client, sample, &sample.user_idp_authenticators[0])
                .await,
            strategy_instance: status::<StrategyInstance>(client, sample, &sample.strategy_instances[0]).await,
        }
    }
}

/// The only output that belongs to this object.
async fn output<T: Ours>(client: &Client, sample: &Namespace, owner: &Object) -> Template {
    let all = Api::<T>::namespaced(client.clone(), sample.name).list(&kube::api::ListParams::default()).await.unwrap();
    let is_its = |output: &&T| output.name_any().starts_with(&owner.name);
    let mut output = all.items.iter().find(is_its).expect("the operator wrote an output").clone();
    let meta = output.meta_mut();
    meta.namespace = None;
    meta.managed_fields = None;
    meta.resource_version = None;
    meta.creation_timestamp = None;
    meta.uid = None;
    Template::of(&serde_json::to_value(&output).unwrap(), owner)
}

async fn status<K: Ours>(client: &Client, sample: &Namespace, owner: &Object) -> Template {
    let object = Api::<K>::namespaced(client.clone(), sample.name).get(&owner.name).await.unwrap();
    let status = serde_json::to_value(&object).unwrap()["status"].clone();
    assert_eq!(status["conditions"].as_array().map(Vec::is_empty), Some(false), "{status}");
    Template::of(&status, owner)
}

/// Writes everything for a namespace, all kinds side by side. Returns the number of writes.
pub async fn write(client: &Client, namespace: &Namespace, writes: &Writes) -> usize {
    let floor = Floor { client, namespace: namespace.name };
    let counts = future::join4(
        floor.write::<IdentityProvider, _>(&namespace.identity_providers, &writes.identity_provider, async |object| {
            floor.create::<ConfigMap>(&writes.configmap, object).await;
            1
        }),
        floor.write::<TenantJwtSecret, _>(&namespace.tenant_jwt_secrets, &writes.tenant_jwt_secret, async |object| {
            floor.create::<Secret>(&writes.secret, object).await;
            1
        }),
        floor.write::<UserIdpAuthenticator, _>(
            &namespace.user_idp_authenticators,
            &writes.user_idp_authenticator,
            async |_| 0,
        ),
        floor.write::<StrategyInstance, _>(&namespace.strategy_instances, &writes.strategy_instance, async |_| 0),
    )
    .await;
    counts.0 + counts.1 + counts.2 + counts.3
}

struct Floor<'a> {
    client: &'a Client,
    namespace: &'a str,
}

impl Floor<'_> {
    /// An output each, then a status each; so many objects at a time as the operator takes on.
    async fn write<K: Ours, F: AsyncFn(&Object) -> usize>(
        &self,
        objects: &[Object],
        status: &Template,
        create: F,
    ) -> usize {
        let (api, create) = (Api::<K>::namespaced(self.client.clone(), self.namespace), &create);
        stream::iter(objects)
            .map(|object| {
                let api = api.clone();
                async move {
                    let outputs = create(object).await;
                    let status: Value = serde_json::from_str(&status.for_object(object)).unwrap();
                    let patch = json!({
                        "apiVersion": K::api_version(&()), "kind": K::kind(&()), "status": status,
                        "metadata": { "name": object.name, "uid": object.uid, "resourceVersion": object.version },
                    });
                    let params = PatchParams::apply(OPERATOR).force();
                    api.patch_status(&object.name, &params, &Patch::Apply(&patch)).await.unwrap();
                    outputs + 1
                }
            })
            .buffer_unordered(CONCURRENCY)
            .fold(0, async |sum, writes| sum + writes)
            .await
    }

    async fn create<T: Ours>(&self, template: &Template, object: &Object) {
        let output: T = serde_json::from_str(&template.for_object(object)).unwrap();
        let params = PostParams { field_manager: Some(OPERATOR.to_owned()), ..PostParams::default() };
        Api::namespaced(self.client.clone(), self.namespace).create(&params, &output).await.unwrap();
    }
}

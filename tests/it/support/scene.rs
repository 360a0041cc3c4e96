//! A namespace of its own on the shared API server.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use idp_operator::api::status::{HasCore, StatusCore};
use k8s_openapi::{
    ByteString, NamespaceResourceScope,
    api::core::v1::{Namespace, Secret},
    api::events::v1::Event,
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams},
    core::object::HasStatus,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    operator::{Operator, Start},
    plane::Plane,
};

/// How long anything may take to become true.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A namespace of its own.
pub struct Scene {
    pub namespace: String,
    pub client: Client,
}

/// A kind of ours.
pub trait Ours:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + HasStatus<Status: HasCore>
    + DeserializeOwned
    + Clone
    + Debug
{
}

impl<K> Ours for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + HasStatus<Status: HasCore>
        + DeserializeOwned
        + Clone
        + Debug
{
}

/// Status, reason and message of `Ready`, if there is a verdict on the present generation.
pub fn ready<K: Ours>(object: &K) -> Option<(String, String, String)> {
    let core = object.status()?.core();
    let condition = core.condition("Ready")?;
    (core.observed_generation == object.meta().generation)
        .then(|| (condition.status.to_string(), condition.reason.to_string(), condition.message.to_string()))
}

impl Scene {
    /// A new namespace of this name and a number.
    pub async fn new(name: &str) -> Self {
        Self::on(Plane::shared(), name).await
    }

    /// A new namespace on this control plane.
    pub async fn on(plane: &Plane, name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let client = plane.control_plane.client().await.unwrap();
        let namespace = format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let metadata = ObjectMeta { name: Some(namespace.clone()), ..ObjectMeta::default() };
        Api::all(client.clone())
            .create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() })
            .await
            .unwrap();
        Self { namespace, client }
    }

    /// How an operator for this namespace is started: under the chart's ServiceAccount, loopback allowed.
    pub fn start(&self) -> Start {
        self.start_by(&Plane::shared().operator_kubeconfig)
    }

    /// The same, with another way to the API server.
    pub fn start_by(&self, kubeconfig: &Path) -> Start {
        Start::new(kubeconfig).arg("--watch-namespace").arg(&self.namespace).arg("--allow-cidr=127.0.0.0/8")
    }

    /// An operator for this namespace, ready.
    pub async fn operator(&self) -> Operator {
        self.start().ready().await
    }

    pub fn api<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies a spec as `kubectl apply --server-side` does, unknown fields refused. An error is the API server's message.
    pub async fn try_apply<K: Ours>(&self, name: &str, spec: Value) -> Result<K, String> {
        let object = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": { "name": name },
            "spec": spec,
        });
        let params = PatchParams { field_manager: Some("it".to_owned()), ..PatchParams::default() }.validation_strict();
        let params = PatchParams { force: true, ..params };
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::erase::<K>(&()));
        match api.patch(name, &params, &Patch::Apply(&object)).await {
            Ok(applied) => Ok(applied.try_parse().unwrap()),
            Err(kube::Error::Api(status)) => Err(status.message.clone()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Applies a spec that must be accepted.
    pub async fn apply<K: Ours>(&self, name: &str, spec: Value) -> K {
        self.try_apply(name, spec).await.unwrap_or_else(|message| panic!("{name} was refused: {message}"))
    }

    /// Waits for this verdict on the present generation.
    pub async fn verdict<K: Ours>(&self, name: &str, status: &str, reason: &str) -> K {
        self.until(name, |object: &K| ready(object).is_some_and(|(is, why, _)| is == status && why == reason)).await
    }

    /// Waits until this is true of an object.
    pub async fn until<K>(&self, name: &str, is_so: impl Fn(&K) -> bool) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    {
        let api = self.api::<K>();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let object = api.get_opt(name).await.unwrap();
            match object {
                Some(object) if is_so(&object) => return object,
                last => assert!(Instant::now() < deadline, "{name} does not become what it should be: {last:#?}"),
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    pub async fn delete<K>(&self, name: &str)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    {
        self.api::<K>().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Creates or replaces a Secret with this one key.
    pub async fn secret(&self, name: &str, key: &str, value: &[u8]) -> Secret {
        use base64::Engine as _;
        let data = json!({ key: base64::engine::general_purpose::STANDARD.encode(value) });
        let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "data": data });
        let params = PatchParams::apply("it").force();
        self.api::<Secret>().patch(name, &params, &Patch::Apply(&secret)).await.unwrap()
    }

    /// Creates or replaces a Secret with just these keys.
    pub async fn secret_with(&self, name: &str, data: &[(&str, &str)]) -> Secret {
        let data: BTreeMap<&str, ByteString> =
            data.iter().map(|(key, value)| (*key, ByteString(value.as_bytes().to_vec()))).collect();
        let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "data": data });
        let params = PatchParams::apply("it").force();
        self.api::<Secret>().patch(name, &params, &Patch::Apply(&secret)).await.unwrap()
    }

    /// Changes an object by a merge patch.
    pub async fn merge<K>(&self, name: &str, patch: Value) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    {
        self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap()
    }

    /// Reasons of all Events in this namespace, in the order of their names.
    pub async fn events(&self) -> Vec<String> {
        let list = self.api::<Event>().list(&ListParams::default()).await.unwrap();
        list.items
            .into_iter()
            .map(|event| {
                let on = event.regarding.unwrap_or_default();
                format!(
                    "{}/{} {} {}",
                    on.kind.unwrap_or_default(),
                    on.name.unwrap_or_default(),
                    event.type_.unwrap_or_default(),
                    event.reason.unwrap_or_default()
                )
            })
            .collect()
    }

    /// Waits for an Event.
    pub async fn event(&self, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.events().await.iter().any(|event| event == wanted) {
            assert!(Instant::now() < deadline, "no Event {wanted}: {:?}", self.events().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Conditions as `Type=Status Reason`, sorted.
pub fn conditions(core: &StatusCore) -> Vec<String> {
    let mut all: Vec<String> = core
        .conditions
        .iter()
        .map(|condition| format!("{}={} {}", condition.type_, condition.status, condition.reason))
        .collect();
    all.sort();
    all
}

/// Shared part of an object's status.
pub fn core<K: Ours>(object: &K) -> StatusCore {
    object.status().map(|status| status.core().clone()).unwrap_or_default()
}

/// resourceVersion.
pub fn version<K: Resource>(object: &K) -> String {
    object.resource_version().unwrap_or_default()
}

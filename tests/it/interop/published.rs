//! What the operator publishes of an `IdentityProvider`.

use std::collections::BTreeMap;

use idp_operator::api::IdentityProvider;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use crate::support::{Operator, Scene};

/// A namespace with an operator, as the chart starts it.
pub struct Publisher {
    pub scene: Scene,
    _operator: Operator,
}

impl Publisher {
    pub async fn new() -> Self {
        let scene = Scene::new("interop").await;
        let operator = scene.operator().await;
        Self { scene, _operator: operator }
    }

    /// The output of this `IdentityProvider`, once it is ready.
    pub async fn publish(&self, name: &str, spec: Value) -> BTreeMap<String, String> {
        self.scene.apply::<IdentityProvider>(name, spec).await;
        self.scene.verdict::<IdentityProvider>(name, "True", "Ready").await;
        self.output(name).await
    }

    /// What is published now.
    pub async fn output(&self, name: &str) -> BTreeMap<String, String> {
        self.until(name, |_| true).await
    }

    /// What is published, once this is true of it.
    pub async fn until(
        &self,
        name: &str,
        is_so: impl Fn(&BTreeMap<String, String>) -> bool,
    ) -> BTreeMap<String, String> {
        let is_so = |output: &ConfigMap| output.data.as_ref().is_some_and(&is_so);
        self.scene.until(&format!("{name}-jwks"), is_so).await.data.unwrap()
    }

    /// Asks for a fetch of the keys, by a token that was not used before.
    pub async fn refresh(&self, name: &str, token: &str) {
        let annotations = json!({ "idp-operator.dev/refresh": token });
        self.scene.merge::<IdentityProvider>(name, json!({ "metadata": { "annotations": annotations } })).await;
    }
}

//! What the operator publishes of an `IdentityProvider`.

use std::collections::BTreeMap;

use idp_operator::{
    api::IdentityProvider,
    desired::{authentication_configuration, envoy},
};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::support::{Operator, Scene};

/// A namespace with an operator.
pub struct Publisher {
    pub scene: Scene,
    _operator: Operator,
    _authorities: Option<NamedTempFile>,
}

impl Publisher {
    /// One with what the chart starts.
    pub async fn new() -> Self {
        let scene = Scene::new("interop").await;
        let operator = scene.operator().await;
        Self { scene, _operator: operator, _authorities: None }
    }

    /// One whose operator trusts these certificates, in PEM, and no other.
    pub async fn trusting(certificates: &str) -> Self {
        let scene = Scene::new("interop").await;
        let authorities = NamedTempFile::new().unwrap();
        std::fs::write(authorities.path(), certificates).unwrap();
        let start = scene.start().env("SSL_CERT_FILE", authorities.path().to_str().unwrap());
        let operator = start.ready().await;
        Self { scene, _operator: operator, _authorities: Some(authorities) }
    }

    /// The output of this `IdentityProvider`, once it is ready.
    pub async fn publish(&self, name: &str, spec: Value) -> BTreeMap<String, String> {
        self.scene.apply::<IdentityProvider>(name, spec).await;
        let object: IdentityProvider = self.scene.verdict(name, "True", "Ready").await;
        let output = self.scene.api::<ConfigMap>().get(&format!("{name}-jwks")).await.unwrap();
        let mut data = output.data.unwrap();
        assert_eq!(data["issuer"], object.spec.issuer);
        fill_in(&mut data, &object);
        data
    }
}

fn fill_in(data: &mut BTreeMap<String, String>, object: &IdentityProvider) {
    let spec = &object.spec;
    let audiences = spec.audiences.as_deref().unwrap_or_default();
    let jwks = data["jwks.json"].clone();
    data.entry(envoy::KEY.to_owned()).or_insert_with(|| {
        envoy::jwt_provider(&spec.issuer, audiences, &spec.header_name, spec.clock_skew.into(), &jwks)
    });
    let ca = spec.tls.as_ref().and_then(|tls| tls.ca_bundle.as_deref());
    if let Some(text) = authentication_configuration::render(&spec.issuer, audiences, ca) {
        data.entry(authentication_configuration::KEY.to_owned()).or_insert(text);
    }
}

//! The state of an `IdentityProvider`'s keys: each way from one to the next, over references, outages and restarts.

mod examples;
mod life;
mod outputs;
mod references;
mod requests;
mod steady;

use std::time::Instant;

use idp_operator::api::IdentityProvider;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use crate::support::{
    KeyServer, Scene,
    key_server::{ED25519, P256, jwks},
    ready,
    scene::{PATIENCE, core},
};

/// An `IdentityProvider` with an endpoint of its own.
pub struct Idp<'a> {
    scene: &'a Scene,
    name: String,
    server: KeyServer,
    spec: Value,
}

impl<'a> Idp<'a> {
    /// Not applied yet; its endpoint answers with the key `ed`.
    pub async fn new(scene: &'a Scene, name: &str) -> Self {
        let server = KeyServer::http(&jwks(&[ED25519])).await;
        let spec = json!({
            "jwtEndpoint": "https://login.example.com/jwt",
            "issuer": format!("https://{name}.example.com"),
            "keysEndpoint": server.url("/keys"),
            "allowInsecureHttp": true,
        });
        Self { scene, name: name.to_owned(), server, spec }
    }

    /// Applies its spec with this changed in it; `null` takes a field away.
    pub async fn set(&mut self, change: &Value) {
        crate::bad_input::merge(&mut self.spec, change);
        self.scene.apply::<IdentityProvider>(&self.name, self.spec.clone()).await;
    }

    /// What its endpoint answers from now on: a set of keys, or a status.
    pub fn answers(&self, what: &str) {
        match what {
            "500" => self.server.answer("500 Internal Server Error", "", ""),
            keys => self.server.answer("200 OK", "", &set(keys)),
        }
    }

    /// What a ConfigMap of this name holds under `jwks` from now on.
    pub async fn source(&self, name: &str, keys: &str) {
        let configmap = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "jwks": set(keys) },
        });
        let params = kube::api::PatchParams::apply("it").force();
        self.scene.api::<ConfigMap>().patch(name, &params, &kube::api::Patch::Apply(configmap)).await.unwrap();
    }

    /// `Ready` and its reason; then each other condition that is False, with its reason, but for `AudienceChecked`; then what
    /// is published: the keys' ids, nothing where they are withdrawn, `no output` where there is none.
    pub async fn told(&self) -> String {
        let object: IdentityProvider = self.scene.api().get(&self.name).await.unwrap();
        let Some((status, reason, _)) = ready(&object) else { return "no verdict".to_owned() };
        let failing = core(&object).conditions.into_iter().filter(|condition| {
            condition.status == "False" && !["Ready", "AudienceChecked"].contains(&condition.type_.as_str())
        });
        let failing: Vec<String> =
            failing.map(|condition| format!("{}-{}", condition.type_, condition.reason)).collect();
        let ids = object.status.and_then(|status| status.keys).map(|keys| keys.key_ids);
        let published = match (self.published().await, ids) {
            (None, _) => "no output".to_owned(),
            (Some(published), Some(ids)) if published != ids => format!("{published:?}, but {ids:?} by the status"),
            (Some(published), _) => published.join(" "),
        };
        format!("{status} {reason} {}: {published}", failing.join(" ")).replace(" :", ":").trim_end().to_owned()
    }

    /// Ids of the keys in the output.
    async fn published(&self) -> Option<Vec<String>> {
        let configmap: ConfigMap = self.scene.api().get_opt(&format!("{}-jwks", self.name)).await.unwrap()?;
        let set: Value = serde_json::from_str(&configmap.data?["jwks.json"]).unwrap();
        Some(set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect())
    }

    /// Waits until it is told to be so.
    pub async fn comes_to(&self, expected: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let told = self.told().await;
            if told == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{}\n  is   {told}\n  not  {expected}", self.name);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

impl Idp<'_> {
    /// Waits until its endpoint was asked so often.
    pub async fn is_asked(&self, hits: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.server.hits() < hits {
            assert!(Instant::now() < deadline, "{} was asked {} times, not {hits}", self.name, self.server.hits());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Is told to be so, and still is after another one came, was fetched for and judged.
    pub async fn undisturbed(&self, expected: &str) {
        let mut other = Idp::new(self.scene, &format!("beside-{}", self.server.hits())).await;
        other.set(&json!({})).await;
        other.comes_to("True Ready: ed").await;
        self.scene.delete::<IdentityProvider>(&other.name).await;
        self.comes_to(expected).await;
    }
}

/// A set of the keys of these names.
fn set(names: &str) -> String {
    let key = |name| match name {
        "ed" => ED25519.to_owned(),
        "ec" => P256.to_owned(),
        "private" => ED25519.replace("\"kid\"", "\"d\":\"AA\",\"kid\""),
        other => panic!("{other}"),
    };
    match names {
        "junk" => "<html>".to_owned(),
        names => {
            jwks(&names.split_whitespace().map(key).collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>())
        }
    }
}

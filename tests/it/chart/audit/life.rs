//! A life of objects in a namespace, long enough that the operator does all that it ever does.

use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace, Secret},
    events::v1::Event,
};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use crate::{
    program::{so, soon},
    support::{
        KeyServer, Scene,
        key_server::{ED25519, P256, jwks},
        tenant::{GOOD, base64, text},
    },
};

/// Secrets that specs refer to, or that the operator makes.
pub const SECRETS: [&str; 5] = ["authorities", "given", "given-jwt", "made-jwt", "oauth"];

/// The same of ConfigMaps.
pub const CONFIG_MAPS: [&str; 3] = ["keys", "login-jwks", "offline-jwks"];

/// What nobody refers to, in the same namespace: a Secret and a ConfigMap.
pub const STRANGER: &str = "stranger";

/// A namespace with all that specs will refer to.
pub async fn prepare(scene: &Scene) -> KeyServer {
    let (server, authority) = KeyServer::https(&jwks(&[ED25519])).await;
    scene.secret(STRANGER, "password", b"hunter2").await;
    scene.secret("authorities", "ca.crt", authority.as_bytes()).await;
    scene.secret("given", "secret", base64(GOOD).as_bytes()).await;
    scene.secret_with("oauth", &[("clientId", "an id"), ("clientSecret", "a secret")]).await;
    for (name, key, value) in [("keys", "jwks", jwks(&[ED25519])), (STRANGER, "a", "b".to_owned())] {
        let configmap = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { key: value },
        });
        let params = PatchParams::apply("it");
        scene.api::<ConfigMap>().patch(name, &params, &Patch::Apply(&configmap)).await.unwrap();
    }
    let claims =
        json!({ "metadata": { "annotations": { "idp-operator.dev/tenants": format!("*.{}", scene.namespace) } } });
    let namespaces = Api::<Namespace>::all(scene.client.clone());
    namespaces.patch(&scene.namespace, &PatchParams::default(), &Patch::Merge(&claims)).await.unwrap();
    server
}

/// Outputs are made, references read, verdicts told.
async fn begin(scene: &Scene, server: &KeyServer) {
    let tenant = |name: &str| format!("{name}.{}", scene.namespace);
    scene.apply::<TenantJwtSecret>("made", json!({ "tenantId": tenant("made"), "signingAlgorithm": "HS256" })).await;
    let given = json!({ "tenantId": tenant("given"), "signingAlgorithm": "HS256", "secretRef": { "name": "given" } });
    scene.apply::<TenantJwtSecret>("given", given).await;
    let login = json!({
        "issuer": "https://login.example.com",
        "jwtEndpoint": server.url("/jwt"),
        "keysEndpoint": server.url("/keys"),
        "tls": { "caBundleRef": { "kind": "Secret", "name": "authorities", "key": "ca.crt" } },
    });
    scene.apply::<IdentityProvider>("login", login).await;
    let offline = json!({
        "issuer": "https://offline.example.com",
        "jwtEndpoint": "https://offline.example.com/jwt",
        "keysEndpoint": "https://offline.example.com/keys",
        "keysFrom": { "configMapKeyRef": { "name": "keys", "key": "jwks" } },
    });
    scene.apply::<IdentityProvider>("offline", offline).await;
    let link =
        json!({ "userId": "1", "idpRef": { "name": "login" }, "idpUserId": "mini", "idpUserName": "mini@example.com" });
    scene.apply::<UserIdpAuthenticator>("link", link).await;
    scene.apply::<StrategyInstance>("hub", json!({ "type": "github", "configSecretRef": { "name": "oauth" } })).await;

    scene.verdict::<TenantJwtSecret>("made", "True", "Ready").await;
    scene.verdict::<TenantJwtSecret>("given", "True", "Ready").await;
    scene.verdict::<IdentityProvider>("login", "True", "Ready").await;
    scene.verdict::<IdentityProvider>("offline", "True", "Ready").await;
    scene.verdict::<UserIdpAuthenticator>("link", "True", "IdentitySet").await;
    scene.verdict::<StrategyInstance>("hub", "True", "Ready").await;
}

/// The same verdict changes to and fro: its second Event adds to the first.
async fn quarrel(scene: &Scene) {
    for is_sync_active in [true, false, true] {
        let spec = json!({ "type": "userpass", "isSyncActive": is_sync_active });
        scene.apply::<StrategyInstance>("local", spec).await;
        let (status, reason) = if is_sync_active { ("False", "CapabilityNotSupported") } else { ("True", "Ready") };
        scene.verdict::<StrategyInstance>("local", status, reason).await;
    }
    soon("a series of Events", async || {
        let events = scene.api::<Event>().list(&ListParams::default()).await.unwrap();
        so(events.iter().any(|event| event.series.is_some()))
    })
    .await;
}

/// Keys and secrets are replaced.
async fn rotate(scene: &Scene, server: &KeyServer) {
    server.answer("200 OK", "", &jwks(&[P256]));
    let annotate = |key: &str, value: &str| json!({ "metadata": { "annotations": { key: value } } });
    scene.merge::<IdentityProvider>("login", annotate("idp-operator.dev/refresh", "1")).await;
    scene
        .until::<ConfigMap>("login-jwks", |published| {
            published.data.as_ref().is_some_and(|data| data["jwks.json"].contains("\"ec\""))
        })
        .await;
    let value = |secret: &Secret| text(secret, "secret").unwrap();
    let before = value(&scene.api().get("made-jwt").await.unwrap());
    scene.merge::<TenantJwtSecret>("made", annotate("idp-operator.dev/rotate", "1")).await;
    let rotated = scene.until::<Secret>("made-jwt", |secret| value(secret) != before).await;
    // As if another pod had known a later spec.
    let written_for = "idp-operator.dev/written-for";
    let truth = rotated.metadata.annotations.as_ref().unwrap()[written_for].clone();
    let lie = format!("{}/999", truth.split('/').next().unwrap());
    scene.merge::<Secret>("made-jwt", annotate(written_for, &lie)).await;
    scene
        .until::<Secret>("made-jwt", |secret| secret.metadata.annotations.as_ref().unwrap()[written_for] == truth)
        .await;
}

/// All of it.
pub async fn live(scene: &Scene, server: &KeyServer) {
    begin(scene, server).await;
    quarrel(scene).await;
    rotate(scene, server).await;
}

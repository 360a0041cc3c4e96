//! Who vouches for an endpoint: `spec.tls`, given or referred to.

use idp_operator::api::{IdentityProvider, UserIdpAuthenticator};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::{Value, json};

use super::Idp;
use crate::support::{
    KeyServer, Scene,
    key_server::{ED25519, P256, jwks},
    ready,
    scene::core,
};

/// An `IdentityProvider` with an https endpoint of its own, and the certificate of its authority.
async fn https<'a>(scene: &'a Scene, name: &str) -> (Idp<'a>, String) {
    let (server, certificate) = KeyServer::https(&jwks(&[ED25519])).await;
    let mut idp = Idp::new(scene, name).await;
    idp.spec["keysEndpoint"] = json!(server.url("/keys"));
    idp.server = server;
    (idp, certificate)
}

fn bundle_ref(kind: &str) -> Value {
    json!({ "tls": { "caBundleRef": { "kind": kind, "name": "authorities", "key": "ca.crt" } } })
}

async fn message(idp: &Idp<'_>) -> String {
    ready(&idp.scene.api::<IdentityProvider>().get(&idp.name).await.unwrap()).unwrap().2
}

#[tokio::test]
async fn a_bundle_in_the_spec_is_trusted_and_an_edit_of_it_counts_at_once() {
    let scene = &Scene::new("trust").await;
    let _operator = scene.operator().await;
    let (mut idp, certificate) = https(scene, "login").await;
    idp.set(&json!({})).await;
    idp.comes_to("False TlsFailed KeysReachable-TlsFailed: no output").await;
    idp.set(&json!({ "tls": { "caBundle": certificate } })).await;
    idp.comes_to("True Ready: ed").await;
    let (_, other) = KeyServer::https("").await;
    idp.set(&json!({ "tls": { "caBundle": other } })).await;
    idp.comes_to("True Ready KeysReachable-TlsFailed: ed").await;
    idp.set(&json!({ "tls": { "caBundle": "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n" } })).await;
    idp.comes_to("False InvalidCaBundle ReferencesResolved-InvalidCaBundle: ed").await;
    assert_eq!(
        message(&idp).await,
        "tls.caBundle must hold X.509 certificates of authorities: one of its blocks is none"
    );
    let object: IdentityProvider = scene.api().get("login").await.unwrap();
    assert_eq!(core(&object).errors[0].source.pointer, "/spec/tls/caBundle");
    assert_eq!(core(&object).condition("Stalled").unwrap().reason, "InvalidCaBundle");
    idp.set(&json!({ "tls": { "caBundle": format!("{other}\n# ours\n{certificate}") } })).await;
    idp.comes_to("True Ready: ed").await;
}

#[tokio::test]
async fn a_bundle_in_a_config_map_is_watched() {
    let scene = &Scene::new("trust").await;
    let operator = scene.operator().await;
    let (mut idp, certificate) = https(scene, "login").await;
    let bundle = |text: &str| {
        let text = text.to_owned();
        async move {
            let configmap = json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "authorities" }, "data": { "ca.crt": text },
            });
            let patch = kube::api::Patch::Apply(configmap);
            let params = kube::api::PatchParams::apply("it").force();
            scene.api::<ConfigMap>().patch("authorities", &params, &patch).await.unwrap();
        }
    };
    idp.set(&bundle_ref("ConfigMap")).await;
    idp.comes_to("False ReferenceNotFound ReferencesResolved-ReferenceNotFound: no output").await;
    assert_eq!(
        message(&idp).await,
        "tls.caBundleRef: ConfigMap 'authorities' must be in this namespace and have data with the key 'ca.crt': create it, or \
         name another"
    );
    let link = json!({ "userId": "1", "idpRef": { "name": "login" }, "idpUserId": "2", "idpUserName": "3" });
    scene.apply::<UserIdpAuthenticator>("link", link).await;
    scene.verdict::<UserIdpAuthenticator>("link", "False", "IdpNotReady").await;
    bundle("no certificate").await;
    idp.comes_to("False InvalidCaBundle ReferencesResolved-InvalidCaBundle: no output").await;
    assert_eq!(
        message(&idp).await,
        "tls.caBundleRef: key 'ca.crt' of ConfigMap 'authorities' must hold at least one PEM block 'CERTIFICATE'"
    );
    assert_eq!(idp.server.hits(), 0);
    bundle(&certificate).await;
    idp.comes_to("True Ready: ed").await;
    scene.verdict::<UserIdpAuthenticator>("link", "True", "IdentitySet").await;

    // Another authority is asked by at once, and so is the endpoint when the right one is back.
    let (_, other) = KeyServer::https("").await;
    bundle(&other).await;
    idp.comes_to("True Ready KeysReachable-TlsFailed: ed").await;
    idp.server.answer("200 OK", "", &jwks(&[P256]));
    bundle(&certificate).await;
    idp.comes_to("True Ready: ec").await;

    // Nobody vouches for it any more: it is not called, and its last good keys stay; over a restart too.
    scene.delete::<ConfigMap>("authorities").await;
    idp.comes_to("False ReferenceNotFound ReferencesResolved-ReferenceNotFound: ec").await;
    let hits = idp.server.hits();
    operator.terminate();
    let _operator = scene.operator().await;
    idp.undisturbed("False ReferenceNotFound ReferencesResolved-ReferenceNotFound: ec").await;
    assert_eq!(idp.server.hits(), hits);
    bundle(&certificate).await;
    idp.comes_to("True Ready: ec").await;
}

#[tokio::test]
async fn a_bundle_in_a_secret_is_watched_and_a_private_key_in_it_is_not_told() {
    let scene = &Scene::new("trust").await;
    let operator = scene.operator().await;
    let (mut idp, certificate) = https(scene, "login").await;
    idp.set(&bundle_ref("Secret")).await;
    idp.comes_to("False ReferenceNotFound ReferencesResolved-ReferenceNotFound: no output").await;
    // A Secret without the key is as good as none.
    scene.secret("authorities", "tls.crt", certificate.as_bytes()).await;
    idp.undisturbed("False ReferenceNotFound ReferencesResolved-ReferenceNotFound: no output").await;
    let key = "-----BEGIN PRIVATE KEY-----\nbmVlZGxl\n-----END PRIVATE KEY-----\n";
    scene.secret("authorities", "ca.crt", format!("{certificate}{key}").as_bytes()).await;
    idp.comes_to("False InvalidCaBundle ReferencesResolved-InvalidCaBundle: no output").await;
    let object: IdentityProvider = scene.api().get("login").await.unwrap();
    let said = format!("{object:?}{}{:?}", operator.log(), scene.events().await);
    assert!(!said.contains("bmVlZGxl") && !said.contains("needle"));
    scene.secret("authorities", "ca.crt", certificate.as_bytes()).await;
    idp.comes_to("True Ready: ed").await;
    scene.delete::<Secret>("authorities").await;
    idp.comes_to("False ReferenceNotFound ReferencesResolved-ReferenceNotFound: ed").await;
}

//! What a link keeps while its `IdentityProvider` is told to be neither ready nor not.

use idp_operator::api::{IdentityProvider, UserIdpAuthenticator};
use k8s_openapi::api::core::v1::{ConfigMap, ResourceQuota};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::{a_restart_writes_nothing, a_second_later, by_ref, good_idp, ready_idps, requiring, versions};
use crate::support::{
    KeyServer, Scene,
    key_server::{ED25519, jwks},
    scene::{conditions, core},
};

/// Lets nobody create a ConfigMap.
async fn no_configmaps(scene: &Scene) {
    let quota = json!({ "metadata": { "name": "none" }, "spec": { "hard": { "count/configmaps": "0" } } });
    let quota: ResourceQuota = serde_json::from_value(quota).unwrap();
    scene.api::<ResourceQuota>().create(&PostParams::default(), &quota).await.unwrap();
    let counts = json!({ "count/configmaps": "0" });
    let status = json!({ "status": { "hard": counts, "used": counts } });
    let params = PatchParams::default();
    scene.api::<ResourceQuota>().patch_status("none", &params, &Patch::Merge(&status)).await.unwrap();
}

#[tokio::test]
async fn a_link_keeps_what_it_was_told_last_while_its_identity_provider_s_ready_is_unknown() {
    let scene = Scene::new("kept").await;
    let operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    ready_idps(&scene, &server, &["login"]).await;
    scene.apply::<UserIdpAuthenticator>("mini", by_ref("1", "login", "mini")).await;
    scene.verdict::<UserIdpAuthenticator>("mini", "True", "IdentitySet").await;
    let told = versions(&scene).await;
    no_configmaps(&scene).await;
    scene.delete::<ConfigMap>("login-jwks").await;
    scene.verdict::<IdentityProvider>("login", "Unknown", "InternalError").await;
    // Who comes now is told what is known: that it is not ready. So is who requires it.
    scene.apply::<UserIdpAuthenticator>("late", by_ref("2", "login", "late")).await;
    let late = scene.verdict::<UserIdpAuthenticator>("late", "False", "IdpNotReady").await;
    assert_eq!(
        conditions(&core(&late)),
        [
            "IdentityProviderReady=False IdpNotReady",
            "LinkUnique=True Succeeded",
            "LinkedIdentity=Unknown NotEvaluated",
            "LinkingAllowed=Unknown NotEvaluated",
            "Ready=False IdpNotReady",
            "Reconciling=True IdpNotReady",
        ]
    );
    assert_eq!(versions(&scene).await["mini"], told["mini"]);
    // Neither was one ever ready that never had a verdict.
    scene.apply::<IdentityProvider>("new", good_idp("new", &server)).await;
    scene.verdict::<IdentityProvider>("new", "Unknown", "InternalError").await;
    scene.apply::<UserIdpAuthenticator>("at-new", by_ref("1", "new", "mini")).await;
    scene.verdict::<UserIdpAuthenticator>("at-new", "False", "IdpNotReady").await;
    let operator = a_restart_writes_nothing(&scene, operator).await;
    assert_eq!(versions(&scene).await["mini"], told["mini"]);

    // All else is judged anew.
    scene.merge::<UserIdpAuthenticator>("mini", json!({ "spec": { "idpUserName": "maxi" } })).await;
    let renamed = scene.verdict::<UserIdpAuthenticator>("mini", "True", "IdentitySet").await;
    assert_eq!(renamed.status.unwrap().details.unwrap().sequence, "2");
    scene.merge::<UserIdpAuthenticator>("mini", json!({ "spec": { "requires": [{ "name": "new" }] } })).await;
    scene.verdict::<UserIdpAuthenticator>("mini", "False", "MissingLinkedIdentity").await;
    scene.merge::<UserIdpAuthenticator>("mini", json!({ "spec": { "requires": null } })).await;
    scene.verdict::<UserIdpAuthenticator>("mini", "True", "IdentitySet").await;
    scene.merge::<IdentityProvider>("login", json!({ "spec": { "linkingAllowed": false } })).await;
    scene.verdict::<UserIdpAuthenticator>("mini", "False", "LinkingNotAllowed").await;
    scene.merge::<IdentityProvider>("login", json!({ "spec": { "linkingAllowed": true } })).await;
    scene.verdict::<UserIdpAuthenticator>("mini", "True", "IdentitySet").await;

    scene.delete::<ResourceQuota>("none").await;
    let told = versions(&scene).await;
    scene.verdict::<IdentityProvider>("login", "True", "Ready").await;
    scene.verdict::<UserIdpAuthenticator>("late", "True", "IdentitySet").await;
    assert_eq!(versions(&scene).await["mini"], told["mini"]);
    drop(operator);
}

#[tokio::test]
async fn a_link_keeps_its_whole_verdict_while_its_identity_provider_is_suspended() {
    let scene = Scene::new("kept").await;
    let operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    ready_idps(&scene, &server, &["login", "hub"]).await;
    scene.apply::<UserIdpAuthenticator>("older", by_ref("1", "login", "mini")).await;
    scene.apply::<UserIdpAuthenticator>("requiring", requiring(by_ref("3", "login", "3"), &["hub"])).await;
    a_second_later().await;
    scene.apply::<UserIdpAuthenticator>("younger", by_ref("2", "login", "mini")).await;
    scene.verdict::<UserIdpAuthenticator>("younger", "False", "AlreadyLinked").await;
    scene.verdict::<UserIdpAuthenticator>("requiring", "False", "MissingLinkedIdentity").await;
    scene.merge::<IdentityProvider>("login", json!({ "spec": { "suspend": true } })).await;
    scene.until("login", |idp: &IdentityProvider| core(idp).condition("Suspended").is_some()).await;
    let told = versions(&scene).await;
    scene.delete::<UserIdpAuthenticator>("older").await;
    scene.apply::<UserIdpAuthenticator>("at-hub", by_ref("3", "hub", "3")).await;
    scene.verdict::<UserIdpAuthenticator>("at-hub", "True", "IdentitySet").await;
    let operator = a_restart_writes_nothing(&scene, operator).await;
    let now = versions(&scene).await;
    assert_eq!((&now["younger"], &now["requiring"]), (&told["younger"], &told["requiring"]));
    scene.merge::<IdentityProvider>("login", json!({ "spec": { "suspend": false } })).await;
    scene.verdict::<UserIdpAuthenticator>("younger", "True", "IdentitySet").await;
    scene.verdict::<UserIdpAuthenticator>("requiring", "True", "IdentitySet").await;
    // Whose IdentityProvider was never looked at is not ready.
    let mut suspended = good_idp("new", &server);
    suspended["suspend"] = json!(true);
    scene.apply::<IdentityProvider>("new", suspended).await;
    scene.apply::<UserIdpAuthenticator>("at-new", by_ref("1", "new", "mini")).await;
    scene.verdict::<UserIdpAuthenticator>("at-new", "False", "IdpNotReady").await;
    drop(operator);
}

//! Further identities that a link requires.

use idp_operator::api::{IdentityProvider, UserIdpAuthenticator};
use kube::ResourceExt as _;
use serde_json::json;

use super::{
    a_restart_writes_nothing, a_second_later, by_id, by_ref, good_idp, ready_idps, requiring, statuses, versions,
};
use crate::support::{
    KeyServer, Scene,
    key_server::{ED25519, jwks},
    scene::{conditions, core},
};

/// Waits until this link lacks identities, with this said of them.
async fn lacks(scene: &Scene, name: &str, what: &str) -> UserIdpAuthenticator {
    let message = format!(
        "requires must name IdentityProviders that the user is linked to, so mend that or remove it from requires: {what}"
    );
    let is_told = |link: &UserIdpAuthenticator| {
        let core = core(link);
        core.condition("Ready").is_some_and(|ready| ready.reason == "MissingLinkedIdentity" && ready.message == message)
    };
    scene.until(name, is_told).await
}

async fn is_set(scene: &Scene, name: &str) -> UserIdpAuthenticator {
    scene.verdict(name, "True", "IdentitySet").await
}

#[tokio::test]
async fn a_missing_identity_is_told_healed_by_its_link_and_missing_again_without_it() {
    let scene = Scene::new("requires").await;
    let operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    ready_idps(&scene, &server, &["login", "hub"]).await;
    scene.apply::<UserIdpAuthenticator>("mini", requiring(by_ref("1", "login", "mini"), &["hub", "moby"])).await;
    // Another user's link is none of this one's.
    scene.apply::<UserIdpAuthenticator>("other", by_ref("11", "hub", "other")).await;
    let link = lacks(&scene, "mini", "'hub' has no UserIdpAuthenticator of this userId; 'moby' does not exist").await;
    assert_eq!(
        conditions(&core(&link)),
        [
            "IdentityProviderReady=True Succeeded",
            "LinkUnique=True Succeeded",
            "LinkedIdentity=False MissingLinkedIdentity",
            "LinkingAllowed=True Succeeded",
            "Ready=False MissingLinkedIdentity",
            "Reconciling=True MissingLinkedIdentity",
        ]
    );
    let errors = core(&link).errors;
    let error = |id: &str, pointer: &str| {
        json!({
            "id": id,
            "status": "401",
            "code": "missing-linked-identity",
            "title": "Missing linked identity for authorized access",
            "detail": "Linked identity is needed to access this resource, please check why the user does not have a linked identity",
            "source": { "pointer": pointer },
        })
    };
    assert_eq!(
        serde_json::to_value(&errors).unwrap(),
        json!([error(&errors[0].id, "/spec/requires/0/name"), error(&errors[1].id, "/spec/requires/1/name")])
    );
    assert_ne!(errors[0].id, errors[1].id);
    let operator = a_restart_writes_nothing(&scene, operator).await;

    scene.apply::<UserIdpAuthenticator>("mini-at-hub", by_ref("1", "hub", "mini")).await;
    lacks(&scene, "mini", "'moby' does not exist").await;
    ready_idps(&scene, &server, &["moby"]).await;
    lacks(&scene, "mini", "'moby' has no UserIdpAuthenticator of this userId").await;
    let moby: IdentityProvider = scene.api().get("moby").await.unwrap();
    scene.apply::<UserIdpAuthenticator>("mini-at-moby", by_id("1", &moby, "mini")).await;
    is_set(&scene, "mini").await;

    // What the IdentityProvider of a required one becomes matters, and comes back.
    scene.merge::<IdentityProvider>("moby", json!({ "spec": { "state": "Inactive" } })).await;
    lacks(&scene, "mini", "that of 'moby' is not ready, see its status").await;
    scene.merge::<IdentityProvider>("moby", json!({ "spec": { "state": "Active" } })).await;
    is_set(&scene, "mini").await;
    // Whether it allows links is not asked: the identity is there.
    scene.merge::<IdentityProvider>("hub", json!({ "spec": { "linkingAllowed": false } })).await;
    scene.verdict::<UserIdpAuthenticator>("mini-at-hub", "False", "LinkingNotAllowed").await;
    let held = json!({ "metadata": { "finalizers": ["example.com/hold"] } });
    scene.merge::<IdentityProvider>("moby", held.clone()).await;
    scene.delete::<IdentityProvider>("moby").await;
    lacks(&scene, "mini", "'moby' does not exist").await;
    scene.merge::<IdentityProvider>("moby", json!({ "metadata": { "finalizers": null } })).await;
    // One that is being deleted is none.
    scene.merge::<UserIdpAuthenticator>("mini-at-hub", held).await;
    scene.delete::<UserIdpAuthenticator>("mini-at-hub").await;
    lacks(&scene, "mini", "'hub' has no UserIdpAuthenticator of this userId; 'moby' does not exist").await;
    scene.merge::<UserIdpAuthenticator>("mini-at-hub", json!({ "metadata": { "finalizers": null } })).await;
    // Nothing is required any more.
    scene.merge::<UserIdpAuthenticator>("mini", json!({ "spec": { "requires": null } })).await;
    is_set(&scene, "mini").await;
    a_restart_writes_nothing(&scene, operator).await;
}

#[tokio::test]
async fn links_that_require_each_other_have_their_verdicts_at_once_with_one_write_each() {
    let scene = Scene::new("requires").await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    for name in ["a", "b", "c", "d", "e"] {
        scene.apply::<IdentityProvider>(name, good_idp(name, &server)).await;
    }
    let c: IdentityProvider = scene.api().get("c").await.unwrap();
    let links = [
        // Two.
        ("two-a", requiring(by_ref("2", "a", "2"), &["b"])),
        ("two-b", requiring(by_ref("2", "b", "2"), &["a"])),
        // Three in a ring, one of them by id.
        ("ring-a", requiring(by_ref("3", "a", "3"), &["b"])),
        ("ring-b", requiring(by_ref("3", "b", "3"), &["c"])),
        ("ring-c", requiring(by_id("3", &c, "3"), &["a"])),
        // One in a row behind one that lacks an identity itself: one step is looked.
        ("row-d", requiring(by_ref("4", "d", "4"), &["e"])),
        ("row-e", requiring(by_ref("4", "e", "4"), &["a"])),
        // By id, what it requires can be its own.
        ("own", requiring(by_id("5", &c, "5"), &["c"])),
    ];
    let count = f64::from(u32::try_from(links.len()).unwrap());
    for (name, spec) in links {
        scene.apply::<UserIdpAuthenticator>(name, spec).await;
    }
    let operator = scene.operator().await;
    for name in ["two-a", "two-b", "ring-a", "ring-b", "ring-c", "row-d", "own"] {
        is_set(&scene, name).await;
    }
    lacks(&scene, "row-e", "'a' has no UserIdpAuthenticator of this userId").await;
    let operator = {
        assert!((statuses(&operator).await - count).abs() < f64::EPSILON);
        a_restart_writes_nothing(&scene, operator).await
    };
    scene.delete::<UserIdpAuthenticator>("ring-b").await;
    lacks(&scene, "ring-a", "'b' has no UserIdpAuthenticator of this userId").await;
    is_set(&scene, "ring-c").await;
    assert!((statuses(&operator).await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_required_identity_counts_while_its_link_holds_it() {
    let scene = Scene::new("requires").await;
    let operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    ready_idps(&scene, &server, &["login", "hub"]).await;
    scene.apply::<UserIdpAuthenticator>("holder", by_ref("9", "hub", "mini")).await;
    a_second_later().await;
    scene.apply::<UserIdpAuthenticator>("mini-at-hub", by_ref("1", "hub", "mini")).await;
    a_second_later().await;
    // This one has its own external id, but the user has an older link.
    scene.apply::<UserIdpAuthenticator>("mini-again", by_ref("1", "hub", "maxi")).await;
    scene.verdict::<UserIdpAuthenticator>("mini-at-hub", "False", "AlreadyLinked").await;
    scene.verdict::<UserIdpAuthenticator>("mini-again", "False", "UserAlreadyLinked").await;
    scene.apply::<UserIdpAuthenticator>("mini", requiring(by_ref("1", "login", "mini"), &["hub"])).await;
    lacks(&scene, "mini", "that of 'hub' has lost to an older one, see its status").await;
    let operator = a_restart_writes_nothing(&scene, operator).await;
    scene.delete::<UserIdpAuthenticator>("holder").await;
    is_set(&scene, "mini").await;
    scene.verdict::<UserIdpAuthenticator>("mini-at-hub", "True", "IdentitySet").await;
    // The other one takes over: the identity is another, and as good.
    let before = versions(&scene).await;
    scene.delete::<UserIdpAuthenticator>("mini-at-hub").await;
    scene.verdict::<UserIdpAuthenticator>("mini-again", "True", "IdentitySet").await;
    assert_eq!(versions(&scene).await["mini"], before["mini"]);
    scene.delete::<UserIdpAuthenticator>("mini-again").await;
    lacks(&scene, "mini", "'hub' has no UserIdpAuthenticator of this userId").await;
    drop(operator);
}

#[tokio::test]
async fn a_link_that_keeps_its_verdict_counts_by_it() {
    let scene = Scene::new("requires").await;
    let operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    ready_idps(&scene, &server, &["login", "hub"]).await;
    scene.apply::<UserIdpAuthenticator>("mini", requiring(by_ref("1", "login", "mini"), &["hub"])).await;
    lacks(&scene, "mini", "'hub' has no UserIdpAuthenticator of this userId").await;
    // Suspended from the start, it has no verdict that could count.
    let mut suspended = by_ref("1", "hub", "mini");
    suspended["suspend"] = json!(true);
    scene.apply::<UserIdpAuthenticator>("mini-at-hub", suspended).await;
    lacks(&scene, "mini", "that of 'hub' is not ready, see its status").await;
    scene.merge::<UserIdpAuthenticator>("mini-at-hub", json!({ "spec": { "suspend": false } })).await;
    is_set(&scene, "mini").await;
    // Suspended later, the one that it had counts, whatever becomes of its IdentityProvider.
    is_set(&scene, "mini-at-hub").await;
    scene.merge::<UserIdpAuthenticator>("mini-at-hub", json!({ "spec": { "suspend": true } })).await;
    scene.until("mini-at-hub", |link: &UserIdpAuthenticator| core(link).condition("Suspended").is_some()).await;
    scene.merge::<IdentityProvider>("hub", json!({ "spec": { "state": "Inactive" } })).await;
    scene.verdict::<IdentityProvider>("hub", "True", "Inactive").await;
    let operator = a_restart_writes_nothing(&scene, operator).await;
    is_set(&scene, "mini").await;
    scene.merge::<UserIdpAuthenticator>("mini-at-hub", json!({ "spec": { "suspend": false } })).await;
    lacks(&scene, "mini", "that of 'hub' is not ready, see its status").await;
    scene.merge::<IdentityProvider>("hub", json!({ "spec": { "state": "Active" } })).await;
    is_set(&scene, "mini").await;
    is_set(&scene, "mini-at-hub").await;

    // The same where the IdentityProvider is suspended: what is edited is not in force.
    scene.merge::<IdentityProvider>("hub", json!({ "spec": { "suspend": true, "state": "Inactive" } })).await;
    scene.until("hub", |idp: &IdentityProvider| core(idp).condition("Suspended").is_some()).await;
    let operator = a_restart_writes_nothing(&scene, operator).await;
    is_set(&scene, "mini").await;
    is_set(&scene, "mini-at-hub").await;
    // A new name is a new generation, judged by what is to be seen.
    scene.merge::<UserIdpAuthenticator>("mini-at-hub", json!({ "spec": { "idpUserName": "maxi" } })).await;
    scene.verdict::<UserIdpAuthenticator>("mini-at-hub", "False", "IdpInactive").await;
    let link = lacks(&scene, "mini", "that of 'hub' is not ready, see its status").await;
    a_restart_writes_nothing(&scene, operator).await;
    assert_eq!(link.name_any(), "mini");
}

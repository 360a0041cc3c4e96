//! `UserIdpAuthenticator` on the real API server.

mod kept;
mod requires;
mod unique;

use std::{collections::BTreeMap, time::Duration};

use idp_operator::api::{IdentityProvider, UserIdpAuthenticator};
use kube::{ResourceExt as _, api::ListParams};
use serde_json::json;

use crate::support::{
    KeyServer, Operator, Scene,
    key_server::{ED25519, jwks},
    scene::{conditions, core, version},
};

fn link(idp: &serde_json::Value) -> serde_json::Value {
    let mut spec = json!({ "userId": "69629023906488334", "idpUserId": "mini", "idpUserName": "mini@example.com" });
    spec.as_object_mut().unwrap().extend(idp.as_object().unwrap().clone());
    spec
}

fn provider(keys_endpoint: &str) -> serde_json::Value {
    json!({
        "jwtEndpoint": "https://login.example.com/jwt",
        "issuer": "https://login.example.com",
        "keysEndpoint": keys_endpoint,
        "allowInsecureHttp": true,
    })
}

/// An `IdentityProvider` of this name, with an issuer of its own and good keys.
fn good_idp(name: &str, server: &KeyServer) -> serde_json::Value {
    let mut spec = provider(&server.url("/keys"));
    spec["issuer"] = json!(format!("https://{name}.example.com"));
    spec
}

/// Applies `IdentityProvider`s, and waits until all are ready.
async fn ready_idps(scene: &Scene, server: &KeyServer, names: &[&str]) {
    for name in names {
        scene.apply::<IdentityProvider>(name, good_idp(name, server)).await;
    }
    for name in names {
        scene.verdict::<IdentityProvider>(name, "True", "Ready").await;
    }
}

/// A link of this user to the `IdentityProvider` of this name, as this one there.
fn by_ref(user: &str, idp: &str, id: &str) -> serde_json::Value {
    json!({ "userId": user, "idpRef": { "name": idp }, "idpUserId": id, "idpUserName": "x" })
}

/// A link of this user to the `IdentityProvider` of this id, as this one there.
fn by_id(user: &str, idp: &IdentityProvider, id: &str) -> serde_json::Value {
    json!({ "userId": user, "idpId": idp.uid(), "idpUserId": id, "idpUserName": "x" })
}

/// The same link, if the user has further ones to these.
fn requiring(mut link: serde_json::Value, idps: &[&str]) -> serde_json::Value {
    link["requires"] = idps.iter().map(|name| json!({ "name": name })).collect();
    link
}

/// Creation times are whole seconds: what comes after this is younger than what was there.
async fn a_second_later() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

/// Writes of statuses of links.
async fn statuses(operator: &Operator) -> f64 {
    let labels = ["verb=\"patch\"", "kind=\"useridpauthenticators/status\""];
    operator.metric("idp_operator_api_requests_total", &labels).await
}

/// Waits until the operator has looked at so many links since it started; at those that are being deleted it does not.
async fn has_looked(operator: &Operator, links: usize) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    let labels = ["UserIdpAuthenticator"];
    while operator.metric("idp_operator_reconciles_total", &labels).await < f64::from(u32::try_from(links).unwrap()) {
        assert!(std::time::Instant::now() < deadline, "the operator does not look:\n{}", operator.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// resourceVersions of all links.
async fn versions(scene: &Scene) -> BTreeMap<String, String> {
    let links = scene.api::<UserIdpAuthenticator>().list(&ListParams::default()).await.unwrap();
    links.iter().map(|link| (link.name_any(), version(link))).collect()
}

/// Whether another operator changes anything about the links.
async fn a_restart_writes_nothing(scene: &Scene, operator: Operator) -> Operator {
    operator.drained().await;
    let before = versions(scene).await;
    let operator = scene.operator().await;
    let links = scene.api::<UserIdpAuthenticator>().list(&ListParams::default()).await.unwrap();
    has_looked(&operator, links.iter().filter(|link| link.metadata.deletion_timestamp.is_none()).count()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(versions(scene).await, before);
    assert!(statuses(&operator).await < 1.0);
    operator
}

#[tokio::test]
async fn a_link_follows_its_identity_provider_s_coming_and_going() {
    let scene = Scene::new("uia").await;
    let operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    scene.apply::<UserIdpAuthenticator>("mini", link(&json!({ "idpRef": { "name": "login" } }))).await;
    let object: UserIdpAuthenticator = scene.verdict("mini", "False", "IdpNotFound").await;
    let message = "idpRef must name an IdentityProvider of this namespace: there is none of the name 'login'";
    let status = object.status.unwrap();
    let id = status.core.errors[0].id.clone();
    assert_eq!(
        serde_json::to_value(&status.core.errors).unwrap(),
        json!([{
            "id": id, "status": "404", "code": "idp-not-found", "title": "Resource not found",
            "detail": message, "source": { "pointer": "/spec/idpRef/name" },
        }])
    );
    assert_eq!(
        conditions(&status.core),
        [
            "IdentityProviderReady=False IdpNotFound",
            "LinkUnique=Unknown NotEvaluated",
            "LinkedIdentity=Unknown NotEvaluated",
            "LinkingAllowed=Unknown NotEvaluated",
            "Ready=False IdpNotFound",
            "Reconciling=True IdpNotFound",
        ]
    );
    assert_eq!(status.details, None);

    scene.apply::<IdentityProvider>("login", provider(&server.url("/keys"))).await;
    let object: UserIdpAuthenticator = scene.verdict("mini", "True", "IdentitySet").await;
    let details = object.status.clone().unwrap().details.unwrap();
    assert_eq!(
        (details.sequence.as_str(), details.creation_date, &details.resource_owner),
        ("1", None, &scene.namespace)
    );
    assert_eq!(
        conditions(&core(&object)),
        [
            "IdentityProviderReady=True Succeeded",
            "LinkUnique=True Succeeded",
            "LinkedIdentity=True Succeeded",
            "LinkingAllowed=True Succeeded",
            "Ready=True IdentitySet",
        ]
    );

    scene.delete::<IdentityProvider>("login").await;
    let gone: UserIdpAuthenticator = scene.verdict("mini", "False", "IdpNotFound").await;
    // The same problem of the same generation has the same id.
    assert_eq!(core(&gone).errors[0].id, id);
    scene.apply::<IdentityProvider>("login", provider(&server.url("/keys"))).await;
    let again: UserIdpAuthenticator = scene.verdict("mini", "True", "IdentitySet").await;
    // Another IdentityProvider, though of the same name.
    assert_eq!(again.status.unwrap().details.unwrap().sequence, "2");
    // Personal data stays out of the log.
    assert!(!operator.log().contains("mini@example.com"));
}

#[tokio::test]
async fn a_link_by_id_finds_the_identity_provider_of_that_id() {
    let scene = Scene::new("uia").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    scene.apply::<UserIdpAuthenticator>("lost", link(&json!({ "idpId": "no-such-id" }))).await;
    let lost: UserIdpAuthenticator = scene.verdict("lost", "False", "IdpNotFound").await;
    assert_eq!(
        core(&lost).errors[0].detail,
        "idpId must be the status.idpId of an IdentityProvider of this namespace: there is none of the id 'no-such-id'"
    );
    let idp: IdentityProvider = scene.apply("login", provider(&server.url("/keys"))).await;
    scene.apply::<UserIdpAuthenticator>("mini", link(&json!({ "idpId": idp.uid() }))).await;
    scene.verdict::<UserIdpAuthenticator>("mini", "True", "IdentitySet").await;
    scene.delete::<IdentityProvider>("login").await;
    scene.verdict::<UserIdpAuthenticator>("mini", "False", "IdpNotFound").await;
}

#[tokio::test]
async fn a_link_is_as_stalled_as_its_identity_provider_and_nothing_else_of_it_matters() {
    let scene = Scene::new("uia").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http("no keys").await;
    scene.apply::<IdentityProvider>("login", provider(&server.url("/keys"))).await;
    scene.apply::<UserIdpAuthenticator>("mini", link(&json!({ "idpRef": { "name": "login" } }))).await;
    let waiting: UserIdpAuthenticator = scene.verdict("mini", "False", "IdpNotReady").await;
    assert!(conditions(&core(&waiting)).contains(&"Reconciling=True IdpNotReady".to_owned()));
    assert_eq!(core(&waiting).errors[0].status, "503");

    // Metadata services stay forbidden whatever is allowed.
    scene.apply::<IdentityProvider>("login", provider("http://169.254.169.254/keys")).await;
    let stalled = scene
        .until::<UserIdpAuthenticator>("mini", |link| {
            conditions(&core(link)).contains(&"Stalled=True IdpNotReady".to_owned())
        })
        .await;
    assert!(!conditions(&core(&stalled)).contains(&"Reconciling=True IdpNotReady".to_owned()));

    server.answer("200 OK", "", &jwks(&[ED25519]));
    scene.apply::<IdentityProvider>("login", provider(&server.url("/keys"))).await;
    let ready: UserIdpAuthenticator = scene.verdict("mini", "True", "IdentitySet").await;
    let mut edited = provider(&server.url("/keys"));
    edited["headerName"] = json!("x-token");
    scene.apply::<IdentityProvider>("login", edited).await;
    scene
        .until::<IdentityProvider>("login", |idp| {
            idp.status
                .as_ref()
                .is_some_and(|status| status.details.as_ref().is_some_and(|details| details.sequence == "4"))
        })
        .await;
    assert_eq!(version(&scene.api::<UserIdpAuthenticator>().get("mini").await.unwrap()), version(&ready));
}

#[tokio::test]
async fn a_changed_name_is_another_configuration() {
    let scene = Scene::new("uia").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    scene.apply::<IdentityProvider>("login", provider(&server.url("/keys"))).await;
    let by_ref = json!({ "idpRef": { "name": "login" } });
    scene.apply::<UserIdpAuthenticator>("mini", link(&by_ref)).await;
    scene.verdict::<UserIdpAuthenticator>("mini", "True", "IdentitySet").await;
    let mut renamed = link(&by_ref);
    renamed["idpUserName"] = json!("maxi@example.com");
    scene.apply::<UserIdpAuthenticator>("mini", renamed).await;
    let object: UserIdpAuthenticator = scene.verdict("mini", "True", "IdentitySet").await;
    assert_eq!(object.status.unwrap().details.unwrap().sequence, "2");
}

#[tokio::test]
async fn a_link_is_in_force_only_while_its_identity_provider_allows_links() {
    let scene = Scene::new("uia").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let with = |allowed: bool| {
        let mut spec = provider(&server.url("/keys"));
        spec["linkingAllowed"] = json!(allowed);
        spec
    };
    scene.apply::<IdentityProvider>("login", with(false)).await;
    scene.verdict::<IdentityProvider>("login", "True", "Ready").await;
    scene.apply::<UserIdpAuthenticator>("mini", link(&json!({ "idpRef": { "name": "login" } }))).await;
    let object: UserIdpAuthenticator = scene.verdict("mini", "False", "LinkingNotAllowed").await;
    assert_eq!(
        conditions(&core(&object)),
        [
            "IdentityProviderReady=True Succeeded",
            "LinkUnique=True Succeeded",
            "LinkedIdentity=Unknown NotEvaluated",
            "LinkingAllowed=False LinkingNotAllowed",
            "Ready=False LinkingNotAllowed",
            "Stalled=True LinkingNotAllowed",
        ]
    );
    let error = core(&object).errors.remove(0);
    assert_eq!(
        [error.status, error.code, error.detail, error.source.pointer],
        [
            "403",
            "linking-not-allowed",
            "IdentityProvider 'login' allows no links: set its linkingAllowed to true, or delete the link",
            "/spec/idpRef/name"
        ]
    );
    scene.apply::<IdentityProvider>("login", with(true)).await;
    scene.verdict::<UserIdpAuthenticator>("mini", "True", "IdentitySet").await;
    scene.apply::<IdentityProvider>("login", with(false)).await;
    scene.verdict::<UserIdpAuthenticator>("mini", "False", "LinkingNotAllowed").await;

    // While it is suspended, what is edited is not in force.
    scene.merge::<IdentityProvider>("login", json!({ "spec": { "suspend": true } })).await;
    scene.until::<IdentityProvider>("login", |object| core(object).condition("Suspended").is_some()).await;
    let before = version(&scene.api::<UserIdpAuthenticator>().get("mini").await.unwrap());
    scene.merge::<IdentityProvider>("login", json!({ "spec": { "linkingAllowed": true } })).await;
    // Seen by the operator: a link that it sees before that has its verdict by what was.
    scene.until::<IdentityProvider>("login", |idp| core(idp).observed_generation == idp.metadata.generation).await;
    let other = json!({ "idpRef": { "name": "login" }, "userId": "2", "idpUserId": "other" });
    scene.apply::<UserIdpAuthenticator>("other", link(&other)).await;
    scene.verdict::<UserIdpAuthenticator>("other", "True", "IdentitySet").await;
    assert_eq!(version(&scene.api::<UserIdpAuthenticator>().get("mini").await.unwrap()), before);
    scene.merge::<IdentityProvider>("login", json!({ "spec": { "suspend": false } })).await;
    scene.verdict::<UserIdpAuthenticator>("mini", "True", "IdentitySet").await;
}

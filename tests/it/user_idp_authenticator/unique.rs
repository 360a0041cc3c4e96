//! One link per external id and one per user, at each `IdentityProvider`.

use std::collections::BTreeMap;

use idp_operator::api::{IdentityProvider, UserIdpAuthenticator};
use kube::api::ListParams;
use serde_json::{Value, json};

use super::{a_restart_writes_nothing, a_second_later, by_id, by_ref, good_idp, ready_idps, statuses, versions};
use crate::support::{
    KeyServer, Scene,
    key_server::{ED25519, jwks},
    ready,
    scene::{PATIENCE, conditions, core},
};

/// Waits until each link has this reason.
async fn reasons(scene: &Scene, expected: &BTreeMap<String, &str>) {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let links = scene.api::<UserIdpAuthenticator>().list(&ListParams::default()).await.unwrap();
        let is: BTreeMap<String, String> = links
            .iter()
            .map(|link| {
                (link.metadata.name.clone().unwrap(), ready(link).map(|(_, reason, _)| reason).unwrap_or_default())
            })
            .collect();
        if is.iter().map(|(name, reason)| (name.clone(), reason.as_str())).eq(expected.clone()) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{is:#?}\nis not\n{expected:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn ids_are_compared_byte_for_byte_and_each_with_its_identity_provider() {
    const SET: &str = "IdentitySet";
    let scene = Scene::new("unique").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    ready_idps(&scene, &server, &["a1", "a12"]).await;
    let a1: IdentityProvider = scene.api().get("a1").await.unwrap();
    let older: Vec<(&str, Value)> = vec![
        // What would be the same, were names and ids joined.
        ("joined-1", by_ref("1", "a1", "23")),
        ("joined-2", by_ref("12", "a1", "3")),
        ("joined-3", by_ref("23", "a1", "x1")),
        ("joined-4", by_ref("3", "a12", "3")),
        ("joined-5", by_ref("2a1", "a12", "23")),
        ("case-1", by_ref("mini", "a1", "mini")),
        ("case-2", by_ref("Mini", "a1", "Mini")),
        // One character, or a letter and an accent.
        ("composed", by_ref("\u{e9}", "a1", "\u{e9}")),
        ("decomposed", by_ref("e\u{301}", "a1", "e\u{301}")),
        ("one-user", by_ref("one", "a1", "one-here")),
        ("one-user-elsewhere", by_ref("one", "a12", "one-there")),
        ("one-id", by_ref("here", "a1", "id")),
        ("one-id-elsewhere", by_ref("there", "a12", "id")),
        ("named-by-id", by_id("named", &a1, "named")),
        ("zeros", by_ref("007", "a1", "7")),
        ("no-zeros", by_ref("7", "a1", "007")),
    ];
    let younger: Vec<(&str, Value, &str)> = vec![
        ("y-id", by_ref("other", "a1", "23"), "AlreadyLinked"),
        ("y-user", by_ref("1", "a1", "other"), "UserAlreadyLinked"),
        ("y-both-of-one", by_ref("mini", "a1", "mini"), "AlreadyLinked"),
        ("y-both-of-two", by_ref("mini", "a1", "Mini"), "AlreadyLinked"),
        ("y-composed", by_ref("o2", "a1", "\u{e9}"), "AlreadyLinked"),
        ("y-by-ref", by_ref("o3", "a1", "named"), "AlreadyLinked"),
        ("y-by-id", by_id("one", &a1, "o4"), "UserAlreadyLinked"),
        // Whoever loses one thing holds the other all the same.
        ("z-of-a-loser", by_id("o5", &a1, "other"), "AlreadyLinked"),
    ];
    let mut expected: BTreeMap<String, &str> = BTreeMap::new();
    for (name, spec) in older {
        scene.apply::<UserIdpAuthenticator>(name, spec).await;
        expected.insert(name.to_owned(), SET);
    }
    a_second_later().await;
    for (name, spec, reason) in younger {
        if name.starts_with('z') {
            a_second_later().await;
        }
        scene.apply::<UserIdpAuthenticator>(name, spec).await;
        expected.insert(name.to_owned(), reason);
    }
    reasons(&scene, &expected).await;
}

#[tokio::test]
async fn who_loses_is_told_what_and_is_promoted_when_the_holder_goes_with_one_write_for_each_that_changes() {
    let scene = Scene::new("unique").await;
    let operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    ready_idps(&scene, &server, &["login"]).await;
    scene.apply::<UserIdpAuthenticator>("first", by_ref("1", "login", "a")).await;
    let idp: IdentityProvider = scene.api().get("login").await.unwrap();
    for (name, spec) in
        [("second", by_id("1", &idp, "a")), ("third", by_ref("1", "login", "a")), ("fourth", by_ref("4", "login", "a"))]
    {
        a_second_later().await;
        scene.apply::<UserIdpAuthenticator>(name, spec).await;
    }
    let lost = scene.verdict::<UserIdpAuthenticator>("second", "False", "AlreadyLinked").await;
    assert_eq!(
        conditions(&core(&lost)),
        [
            "IdentityProviderReady=True Succeeded",
            "LinkUnique=False AlreadyLinked",
            "LinkedIdentity=Unknown NotEvaluated",
            "LinkingAllowed=True Succeeded",
            "Ready=False AlreadyLinked",
            "Stalled=True AlreadyLinked",
        ]
    );
    scene.verdict::<UserIdpAuthenticator>("third", "False", "AlreadyLinked").await;
    scene.verdict::<UserIdpAuthenticator>("fourth", "False", "AlreadyLinked").await;

    // A suspended one keeps what it holds, and one that is being deleted holds nothing.
    scene.merge::<UserIdpAuthenticator>("first", json!({ "spec": { "suspend": true } })).await;
    scene.until("first", |link: &UserIdpAuthenticator| core(link).condition("Suspended").is_some()).await;
    let held = json!({ "metadata": { "finalizers": ["example.com/hold"] } });
    scene.merge::<UserIdpAuthenticator>("first", held).await;
    let (before, writes) = (versions(&scene).await, statuses(&operator).await);
    scene.delete::<UserIdpAuthenticator>("first").await;
    scene.verdict::<UserIdpAuthenticator>("second", "True", "IdentitySet").await;
    let operator = a_restart_after(&scene, operator, writes, 1.0).await;
    let after = versions(&scene).await;
    assert_eq!((&after["third"], &after["fourth"]), (&before["third"], &before["fourth"]));

    // It is gone: that is nothing new to anybody.
    scene.merge::<UserIdpAuthenticator>("first", json!({ "metadata": { "finalizers": null } })).await;
    scene.delete::<UserIdpAuthenticator>("second").await;
    scene.verdict::<UserIdpAuthenticator>("third", "True", "IdentitySet").await;
    let operator = a_restart_after(&scene, operator, 0.0, 1.0).await;
    assert_eq!(versions(&scene).await["fourth"], after["fourth"]);
    scene.delete::<UserIdpAuthenticator>("third").await;
    scene.verdict::<UserIdpAuthenticator>("fourth", "True", "IdentitySet").await;
    drop(operator);
}

/// So many statuses were written since then, and another operator writes none.
async fn a_restart_after(
    scene: &Scene,
    operator: crate::support::Operator,
    since: f64,
    writes: f64,
) -> crate::support::Operator {
    assert!((statuses(&operator).await - since - writes).abs() < f64::EPSILON);
    a_restart_writes_nothing(scene, operator).await
}

#[tokio::test]
async fn uniqueness_is_told_whenever_the_identity_provider_exists() {
    let scene = Scene::new("unique").await;
    let operator = scene.operator().await;
    let server = KeyServer::http("no keys").await;
    scene.apply::<UserIdpAuthenticator>("older", by_ref("1", "login", "a")).await;
    a_second_later().await;
    scene.apply::<UserIdpAuthenticator>("younger", by_ref("1", "login", "b")).await;
    let link = |reason: &'static str| scene.verdict::<UserIdpAuthenticator>("younger", "False", reason);
    let unique = |link: &UserIdpAuthenticator| {
        let core = core(link);
        let condition = core.condition("LinkUnique").unwrap();
        (condition.status.to_string(), condition.reason.to_string())
    };
    let is = |status: &str, reason: &str| (status.to_owned(), reason.to_owned());
    assert_eq!(unique(&link("IdpNotFound").await), is("Unknown", "NotEvaluated"));
    scene.apply::<IdentityProvider>("login", good_idp("login", &server)).await;
    let not_ready = link("IdpNotReady").await;
    assert_eq!(unique(&not_ready), is("False", "UserAlreadyLinked"));
    // The errors are those of `Ready`.
    assert_eq!(core(&not_ready).errors.iter().map(|error| error.code.as_str()).collect::<Vec<_>>(), ["idp-not-ready"]);
    server.answer("200 OK", "", &jwks(&[ED25519]));
    let forbidding = json!({ "spec": { "linkingAllowed": false, "keysEndpoint": server.url("/other") } });
    scene.merge::<IdentityProvider>("login", forbidding).await;
    assert_eq!(unique(&link("LinkingNotAllowed").await), is("False", "UserAlreadyLinked"));
    scene.merge::<IdentityProvider>("login", json!({ "spec": { "linkingAllowed": true, "state": "Inactive" } })).await;
    assert_eq!(unique(&link("IdpInactive").await), is("False", "UserAlreadyLinked"));
    let operator = a_restart_writes_nothing(&scene, operator).await;
    scene.merge::<IdentityProvider>("login", json!({ "spec": { "state": "Active" } })).await;
    link("UserAlreadyLinked").await;
    drop(operator);
}

#[tokio::test]
async fn a_link_by_id_takes_part_while_its_identity_provider_is_there_and_one_by_name_always() {
    let scene = Scene::new("unique").await;
    let operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    ready_idps(&scene, &server, &["login"]).await;
    let idp: IdentityProvider = scene.api().get("login").await.unwrap();
    scene.apply::<UserIdpAuthenticator>("by-id", by_id("1", &idp, "a")).await;
    a_second_later().await;
    scene.apply::<UserIdpAuthenticator>("by-ref", by_ref("1", "login", "b")).await;
    a_second_later().await;
    scene.apply::<UserIdpAuthenticator>("third", by_ref("3", "login", "a")).await;
    scene.verdict::<UserIdpAuthenticator>("by-ref", "False", "UserAlreadyLinked").await;
    scene.verdict::<UserIdpAuthenticator>("third", "False", "AlreadyLinked").await;
    scene.verdict::<UserIdpAuthenticator>("by-id", "True", "IdentitySet").await;

    // Another one of the name has another id.
    let held = json!({ "metadata": { "finalizers": ["example.com/hold"] } });
    scene.merge::<IdentityProvider>("login", held).await;
    scene.delete::<IdentityProvider>("login").await;
    for name in ["by-id", "by-ref", "third"] {
        scene.verdict::<UserIdpAuthenticator>(name, "False", "IdpNotFound").await;
    }
    scene.merge::<IdentityProvider>("login", json!({ "metadata": { "finalizers": null } })).await;
    ready_idps(&scene, &server, &["login"]).await;
    scene.verdict::<UserIdpAuthenticator>("by-ref", "True", "IdentitySet").await;
    scene.verdict::<UserIdpAuthenticator>("third", "True", "IdentitySet").await;
    scene.verdict::<UserIdpAuthenticator>("by-id", "False", "IdpNotFound").await;
    a_restart_writes_nothing(&scene, operator).await;
}

//! `UserIdpAuthenticator`s that are accepted and answered in status.

use std::collections::BTreeMap;

use idp_operator::api::{IdentityProvider, UserIdpAuthenticator};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::{Answer, Kind, all_as_expected, expect_answers, merge};
use crate::support::{
    KeyServer, Scene,
    key_server::{ED25519, jwks},
};

/// A link's name, a change to a good spec, and what its status answers.
type Row = (&'static str, Value, Answer);

/// Applies them, each of a user of its own where the change says nothing else. Returns the answers by name.
async fn applied(scene: &Scene, rows: Vec<Row>) -> BTreeMap<String, Answer> {
    let mut expected = BTreeMap::new();
    for (name, change, answer) in rows {
        let mut spec = Kind::Uia.with(&json!({ "userId": name, "idpUserId": name }));
        merge(&mut spec, &change);
        scene.apply::<UserIdpAuthenticator>(name, spec).await;
        expected.insert(name.to_owned(), answer);
    }
    expected
}

async fn good_idp(scene: &Scene, server: &KeyServer, name: &str) -> IdentityProvider {
    let endpoint = json!({
        "issuer": format!("https://{name}.example.com"), "keysEndpoint": server.url("/keys"), "allowInsecureHttp": true,
    });
    scene.apply::<IdentityProvider>(name, Kind::Idp.with(&endpoint)).await;
    scene.verdict(name, "True", "Ready").await
}

#[tokio::test]
async fn links_say_what_their_identity_provider_lacks() {
    let scene = Scene::new("links").await;
    let _operator = scene.operator().await;
    let idp = |keys_endpoint: &str| {
        Kind::Idp.with(&json!({ "issuer": keys_endpoint, "keysEndpoint": keys_endpoint, "allowInsecureHttp": true }))
    };
    scene.apply::<IdentityProvider>("silent", idp("http://127.0.0.1:1/keys")).await;
    scene.apply::<IdentityProvider>("forbidden", idp("http://169.254.169.254/keys")).await;
    let silent: IdentityProvider = scene.verdict("silent", "False", "KeysUnreachable").await;
    let forbidden: IdentityProvider = scene.verdict("forbidden", "False", "AddressForbidden").await;
    let by_ref = |name: &str| json!({ "idpRef": { "name": name } });
    let by_id = |id: &str| json!({ "idpRef": null, "idpId": id });
    let missing = |message: &str, pointer: &str| {
        Answer::new("False IdpNotFound Reconciling", message, &[&format!("404 idp-not-found {pointer}")])
    };
    let not_ready = |name: &str, beside: &str, pointer: &str| {
        Answer::new(
            &format!("False IdpNotReady {beside}"),
            &format!("IdentityProvider '{name}' is not ready: see its status for the cause"),
            &[&format!("503 idp-not-ready {pointer}")],
        )
    };
    let rows: Vec<Row> = vec![
        (
            "missing-by-ref",
            by_ref("nowhere"),
            missing(
                "idpRef must name an IdentityProvider of this namespace: there is none of the name 'nowhere'",
                "/spec/idpRef/name",
            ),
        ),
        (
            "missing-by-id",
            by_id("nowhere"),
            missing(
                "idpId must be the status.idpId of an IdentityProvider of this namespace: there is none of the id 'nowhere'",
                "/spec/idpId",
            ),
        ),
        (
            "a-name-is-no-id",
            by_id("silent"),
            missing(
                "idpId must be the status.idpId of an IdentityProvider of this namespace: there is none of the id 'silent'",
                "/spec/idpId",
            ),
        ),
        (
            "an-id-in-capitals",
            by_id(&silent.uid().unwrap().to_uppercase()),
            missing(
                &format!(
                    "idpId must be the status.idpId of an IdentityProvider of this namespace: there is none of the id '{}'",
                    silent.uid().unwrap().to_uppercase()
                ),
                "/spec/idpId",
            ),
        ),
        ("not-ready-by-ref", by_ref("silent"), not_ready("silent", "Reconciling", "/spec/idpRef/name")),
        ("not-ready-by-id", by_id(&silent.uid().unwrap()), not_ready("silent", "Reconciling", "/spec/idpId")),
        ("stalled-by-ref", by_ref("forbidden"), not_ready("forbidden", "Stalled", "/spec/idpRef/name")),
        ("stalled-by-id", by_id(&forbidden.uid().unwrap()), not_ready("forbidden", "Stalled", "/spec/idpId")),
    ];
    expect_answers::<UserIdpAuthenticator>(&scene, applied(&scene, rows).await).await;
}

#[tokio::test]
async fn an_identity_provider_that_is_being_deleted_is_none() {
    let scene = Scene::new("links").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let going = good_idp(&scene, &server, "going").await;
    good_idp(&scene, &server, "login").await;
    let id = going.uid().unwrap();
    let none = |message: &str, pointer: &str| {
        Answer::new("False IdpNotFound Reconciling", message, &[&format!("404 idp-not-found {pointer}")])
    };
    let rows = || {
        vec![
            (
                "by-ref",
                json!({ "idpRef": { "name": "going" } }),
                none(
                    "idpRef must name an IdentityProvider of this namespace: there is none of the name 'going'",
                    "/spec/idpRef/name",
                ),
            ),
            (
                "by-id",
                json!({ "idpRef": null, "idpId": id }),
                none(
                    &format!(
                        "idpId must be the status.idpId of an IdentityProvider of this namespace: there is none of the id '{id}'"
                    ),
                    "/spec/idpId",
                ),
            ),
            (
                "required",
                json!({ "requires": [{ "name": "going" }] }),
                Answer::new(
                    "False MissingLinkedIdentity Reconciling",
                    "requires must name IdentityProviders that the user is linked to, so mend that or remove it \
                     from requires: 'going' does not exist",
                    &["401 missing-linked-identity /spec/requires/0/name"],
                ),
            ),
        ]
    };
    // Before, and after.
    applied(&scene, rows()).await;
    scene.verdict::<UserIdpAuthenticator>("by-ref", "True", "IdentitySet").await;
    scene.verdict::<UserIdpAuthenticator>("by-id", "True", "IdentitySet").await;
    scene.merge::<IdentityProvider>("going", json!({ "metadata": { "finalizers": ["example.com/hold"] } })).await;
    scene.delete::<IdentityProvider>("going").await;
    expect_answers::<UserIdpAuthenticator>(&scene, applied(&scene, rows()).await).await;
    for name in ["by-ref", "by-id", "required"] {
        scene.delete::<UserIdpAuthenticator>(name).await;
    }
    expect_answers::<UserIdpAuthenticator>(&scene, applied(&scene, rows()).await).await;
    scene.merge::<IdentityProvider>("going", json!({ "metadata": { "finalizers": null } })).await;
}

#[tokio::test]
async fn links_say_what_older_ones_have_and_which_identities_are_missing() {
    const ID: &str = "idpUserId must be linked once at its IdentityProvider: an older UserIdpAuthenticator of this namespace \
                      has it; delete one of them ('kubectl get uia --field-selector spec.idpUserId=...' lists them)";
    const USER: &str = "userId must be linked once to its IdentityProvider: an older UserIdpAuthenticator of this namespace \
                        does that; delete one of them ('kubectl get uia --field-selector spec.userId=...' lists them)";
    let scene = Scene::new("links").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let login = good_idp(&scene, &server, "login").await;
    good_idp(&scene, &server, "hub").await;
    let set = || Answer::new("True IdentitySet", "the user can authenticate with the IdentityProvider", &[]);
    let mut expected = applied(
        &scene,
        vec![
            ("ada", json!({}), set()),
            ("bob", json!({ "idpRef": null, "idpId": login.uid() }), set()),
            ("carol-at-hub", json!({ "userId": "carol", "idpRef": { "name": "hub" } }), set()),
            ("dave-at-hub", json!({ "userId": "dave", "idpRef": { "name": "hub" } }), set()),
        ],
    )
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let conflict =
        |reason: &str, message: &str, errors: &[&str]| Answer::new(&format!("False {reason} Stalled"), message, errors);
    let (no_id, no_user) = ("409 already-linked /spec/idpUserId", "409 user-already-linked /spec/userId");
    let requires = |names: &[&str]| names.iter().map(|name| json!({ "name": name })).collect::<Value>();
    let missing = |what: &str, errors: &[&str]| {
        let message = format!(
            "requires must name IdentityProviders that the user is linked to, so mend that or remove it from requires: {what}"
        );
        Answer::new("False MissingLinkedIdentity Reconciling", &message, errors)
    };
    let at = |position: usize| format!("401 missing-linked-identity /spec/requires/{position}/name");
    let rows: Vec<Row> = vec![
        ("same-id", json!({ "idpUserId": "ada" }), conflict("AlreadyLinked", ID, &[no_id])),
        ("same-user", json!({ "userId": "ada" }), conflict("UserAlreadyLinked", USER, &[no_user])),
        (
            "same-both",
            json!({ "userId": "ada", "idpUserId": "ada" }),
            conflict("AlreadyLinked", &format!("{ID}; {USER}"), &[no_id, no_user]),
        ),
        // One of each of two.
        (
            "two-holders",
            json!({ "userId": "ada", "idpUserId": "bob", "idpRef": null, "idpId": login.uid() }),
            conflict("AlreadyLinked", &format!("{ID}; {USER}"), &[no_id, no_user]),
        ),
        // What is before it is told first.
        (
            "same-id-and-missing",
            json!({ "idpUserId": "ada", "requires": requires(&["nowhere"]) }),
            conflict("AlreadyLinked", ID, &[no_id]),
        ),
        ("carol", json!({ "requires": requires(&["hub"]) }), set()),
        // Another case is another user.
        (
            "capital-carol",
            json!({ "userId": "Carol", "requires": requires(&["hub"]) }),
            missing("'hub' has no UserIdpAuthenticator of this userId", &[&at(0)]),
        ),
        (
            "dave",
            json!({ "requires": requires(&["nowhere", "hub", "elsewhere"]) }),
            missing("'nowhere' does not exist; 'elsewhere' does not exist", &[&at(0), &at(2)]),
        ),
    ];
    expected.extend(applied(&scene, rows).await);
    expect_answers::<UserIdpAuthenticator>(&scene, expected).await;
}

/// By server-side apply as by a merge patch, `requires` is what the last manifest says.
#[tokio::test]
async fn requires_can_be_shortened_and_emptied() {
    let scene = Scene::new("links").await;
    let names = |link: &UserIdpAuthenticator| {
        link.spec.requires.iter().map(|required| required.name.clone()).collect::<Vec<_>>().join(" ")
    };
    let requires = |names: &str| names.split_whitespace().map(|name| json!({ "name": name })).collect::<Vec<_>>();
    let steps = ["a b c", "c a", "b", "", "a", ""];
    let mut differ = Vec::new();
    for step in steps {
        let spec = json!({ "requires": requires(step) });
        let applied: UserIdpAuthenticator = scene.apply("applied", Kind::Uia.with(&spec)).await;
        scene.apply::<UserIdpAuthenticator>("merged", Kind::Uia.good()).await;
        let merged: UserIdpAuthenticator = scene.merge("merged", json!({ "spec": spec })).await;
        let is = [names(&applied), names(&merged)];
        if is != [step, step] {
            differ.push(format!("'{step}'\n  is   {is:?}"));
        }
    }
    all_as_expected(steps.len(), &differ);
    // Left out, it is as by default.
    let spec = json!({ "requires": requires("a b") });
    scene.apply::<UserIdpAuthenticator>("applied", Kind::Uia.with(&spec)).await;
    scene.merge::<UserIdpAuthenticator>("merged", json!({ "spec": spec })).await;
    assert_eq!(names(&scene.apply("applied", Kind::Uia.good()).await), "");
    assert_eq!(names(&scene.merge("merged", json!({ "spec": { "requires": null } })).await), "");
}

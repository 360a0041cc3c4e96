//! `UserIdpAuthenticator`s that are accepted and answered in status.

use std::collections::BTreeMap;

use idp_operator::api::{IdentityProvider, UserIdpAuthenticator};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::{Answer, Kind, expect_answers};
use crate::support::Scene;

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
    let rows: Vec<(&str, Value, Answer)> = vec![
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
    let mut expected = BTreeMap::new();
    for (name, change, answer) in rows {
        let user = json!({ "userId": name, "idpUserId": name });
        let mut spec = Kind::Uia.with(&change);
        super::merge(&mut spec, &user);
        scene.apply::<UserIdpAuthenticator>(name, spec).await;
        expected.insert(name.to_owned(), answer);
    }
    expect_answers::<UserIdpAuthenticator>(&scene, expected).await;
}

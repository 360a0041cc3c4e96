//! Events, as a person with kubectl finds them.

use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator};
use serde_json::json;

use crate::{
    program::{kubectl::kubectl, so, soon},
    support::Scene,
};

#[tokio::test(flavor = "multi_thread")]
async fn describe_and_events_show_them_for_all_four_kinds() {
    let scene = Scene::new("told").await;
    let _operator = scene.operator().await;
    let endpoint = "https://told.example.com/";
    let idp = json!({ "issuer": "urn:told", "jwtEndpoint": endpoint, "keysEndpoint": "https://127.0.0.1:1/keys" });
    scene.apply::<IdentityProvider>("one", idp).await;
    scene.apply::<TenantJwtSecret>("one", json!({ "tenantId": format!("one.{}", scene.namespace) })).await;
    let link = json!({ "userId": "u", "idpRef": { "name": "none" }, "idpUserId": "i", "idpUserName": "n" });
    scene.apply::<UserIdpAuthenticator>("one", link).await;
    scene.apply::<StrategyInstance>("one", json!({ "type": "none" })).await;
    for (kind, short, reason) in [
        ("IdentityProvider", "idp", "KeysUnreachable"),
        ("TenantJwtSecret", "tjs", "SigningAlgorithmNotConfigured"),
        ("UserIdpAuthenticator", "uia", "IdpNotFound"),
        ("StrategyInstance", "si", "UnknownStrategyType"),
    ] {
        scene.event(&format!("{kind}/one Warning {reason}")).await;
        soon("the Event in describe", async || {
            let described = kubectl(&scene, &["describe", short, "one"]);
            let events = described.split_once("Events:")?.1.to_owned();
            let words: Vec<&str> = events.lines().nth(3)?.split_whitespace().take(2).collect();
            so(words == ["Warning", reason] && events.contains("idp-operator"))
        })
        .await;
        let listed = kubectl(&scene, &["events", "--for", &format!("{short}/one")]);
        let row: Vec<&str> = listed.lines().nth(1).unwrap_or_default().split_whitespace().skip(1).take(3).collect();
        assert_eq!(row, ["Warning", reason, &format!("{kind}/one")], "{listed}");
        assert_eq!(listed.lines().count(), 2, "{listed}");
    }
}

//! What a person with kubectl sees.

use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator};
use serde_json::json;

use super::{so, soon};
use crate::support::{
    KeyServer, Plane, Scene,
    key_server::{ED25519, jwks},
};

/// What kubectl prints in this namespace; it must succeed.
pub fn kubectl(scene: &Scene, args: &[&str]) -> String {
    let output = Plane::shared().kubectl(&[args, &["--namespace", &scene.namespace]].concat());
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The cells of a table, two or more blanks apart, without the ages.
fn cells(line: &str) -> String {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("|")
}

fn headers(table: &str) -> Vec<String> {
    table.lines().filter(|line| line.starts_with("NAME ")).map(cells).collect()
}

async fn objects(scene: &Scene) {
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let idp = json!({
        "issuer": "https://seen.example.com",
        "jwtEndpoint": server.url("/jwt"),
        "keysEndpoint": server.url("/keys"),
        "allowInsecureHttp": true,
    });
    scene.apply::<IdentityProvider>("login", idp).await;
    scene
        .apply::<TenantJwtSecret>("acme", json!({ "tenantId": "acme.example.com", "signingAlgorithm": "HS256" }))
        .await;
    scene.apply::<TenantJwtSecret>("unset", json!({ "tenantId": "unset.example.com" })).await;
    for (name, idp) in [("mini", "login"), ("lost", "nowhere")] {
        let link = json!({ "userId": name, "idpRef": { "name": idp }, "idpUserId": name, "idpUserName": "x" });
        scene.apply::<UserIdpAuthenticator>(name, link).await;
    }
    scene.apply::<StrategyInstance>("local", json!({ "type": "userpass", "name": "Local" })).await;
    scene.apply::<StrategyInstance>("hub", json!({ "type": "github-token" })).await;
    // As a person waits: it returns, and soon.
    for object in ["idp/login", "tjs/acme", "uia/mini", "si/local", "si/hub"] {
        let waited = kubectl(scene, &["wait", "--for=condition=Ready", "--timeout=20s", object]);
        assert!(waited.contains("condition met"), "{waited}");
    }
    scene.verdict::<TenantJwtSecret>("unset", "False", "SigningAlgorithmNotConfigured").await;
    scene.verdict::<UserIdpAuthenticator>("lost", "False", "IdpNotFound").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_shows_what_a_person_looks_for() {
    let scene = Scene::new("seen").await;
    let _operator = scene.operator().await;
    objects(&scene).await;

    let all = kubectl(&scene, &["get", "identity"]);
    let expected = [
        "NAME|ISSUER|KEYS|READY|REASON|AGE",
        "NAME|TENANT|ALGORITHM|SECRET|READY|REASON|AGE",
        "NAME|TYPE|DISPLAY-NAME|READY|REASON|AGE",
        "NAME|USER|IDP|IDP-USER|READY|REASON|AGE",
    ];
    let mut shown = headers(&all);
    shown.sort();
    assert_eq!(shown, expected, "{all}");
    let row = |name: &str| all.lines().find(|line| line.contains(&format!("/{name} "))).map(cells).unwrap_or_default();
    assert!(row("login").contains("|https://seen.example.com|1|True|Ready|"), "{all}");
    assert!(row("acme").contains("|acme.example.com|HS256|acme-jwt|True|Ready|"), "{all}");
    assert!(row("lost").contains("|False|IdpNotFound|"), "{all}");

    let wide = kubectl(&scene, &["get", "identity", "--output", "wide"]);
    assert_eq!(headers(&wide).iter().filter(|header| header.ends_with("|MESSAGE")).count(), 4, "{wide}");

    fields_select(&scene);
    // The Event of a verdict that is bad, and of one that changed.
    scene.merge::<TenantJwtSecret>("unset", json!({ "spec": { "signingAlgorithm": "HS384" } })).await;
    soon("both Events in describe", async || {
        let described = kubectl(&scene, &["describe", "tjs/unset"]);
        let events = described.split_once("Events:")?.1.to_owned();
        so(events.contains("Warning  SigningAlgorithmNotConfigured") && events.contains("Normal   Ready"))
    })
    .await;
}

fn fields_select(scene: &Scene) {
    for (kind, selector, expected) in [
        ("idp", "spec.issuer=https://seen.example.com", "identityprovider.idp-operator.dev/login\n"),
        ("tjs", "spec.tenantId=acme.example.com", "tenantjwtsecret.idp-operator.dev/acme\n"),
        ("uia", "spec.idpRef.name=login", "useridpauthenticator.idp-operator.dev/mini\n"),
        ("uia", "spec.userId=lost", "useridpauthenticator.idp-operator.dev/lost\n"),
        ("uia", "spec.idpUserId=mini", "useridpauthenticator.idp-operator.dev/mini\n"),
        ("si", "spec.type=github-token", "strategyinstance.idp-operator.dev/hub\n"),
    ] {
        let found = kubectl(scene, &["get", kind, "--field-selector", selector, "--output", "name"]);
        assert_eq!(found, expected, "{selector}");
    }
}

#[test]
fn explain_describes_every_field() {
    for (kind, words) in [
        ("idp.spec", "The endpoint of the keys (JWK Set, RFC 7517)"),
        ("tjs.spec.signingAlgorithm", "The HMAC algorithm (RFC 7518, section 3.2)"),
        ("uia.spec", "Unique identifier of the user, 1 to 200 characters"),
        ("si.status.effective", "Registered users may log in"),
    ] {
        let explained = String::from_utf8(Plane::shared().kubectl(&["explain", kind]).stdout).unwrap();
        let text = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(words), "{kind}: {explained}");
        assert!(!text.contains("<no description>"), "{kind}: {explained}");
    }
}

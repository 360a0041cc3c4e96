//! One change that concerns thousands of objects: each is written once, no other is touched, nobody waits for them.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator};
use kube::{Api, ResourceExt as _, api::PostParams};
use serde_json::{Value, json};

use crate::support::{
    KeyServer, Operator, Plane, Scene,
    key_server::{ED25519, jwks},
    ready,
    scene::version,
};

/// Links of the `IdentityProvider` that flips.
const LINKS: usize = 5_000;

/// New ones of another, which come in the midst of it.
const NEW: usize = 5;

/// How many of them may be written while something else waits: far fewer than half of them, which is what it waits for in no
/// order at all.
const AHEAD: f64 = 500.0;

fn link(idp: &str, name: &str) -> UserIdpAuthenticator {
    let object = json!({
        "apiVersion": "idp-operator.dev/v1alpha1", "kind": "UserIdpAuthenticator", "metadata": { "name": name },
        "spec": { "userId": name, "idpRef": { "name": idp }, "idpUserId": name, "idpUserName": name },
    });
    serde_json::from_value(object).unwrap()
}

fn provider(server: &KeyServer, issuer: &str, examples: &Value) -> Value {
    json!({
        "jwtEndpoint": "https://login.example.com/jwt", "issuer": issuer, "keysEndpoint": server.url("/keys"),
        "allowInsecureHttp": true, "examples": examples,
    })
}

async fn create(scene: &Scene, links: impl Iterator<Item = UserIdpAuthenticator>) {
    let api: Api<UserIdpAuthenticator> = scene.api();
    let created = stream::iter(links).map(|link| {
        let api = api.clone();
        async move { api.create(&PostParams::default(), &link).await.map(drop).unwrap() }
    });
    created.buffer_unordered(32).collect::<()>().await;
}

/// Statuses of links that were written.
async fn statuses(operator: &Operator) -> f64 {
    operator.metric("idp_operator_api_requests_total", &["useridpauthenticators/status"]).await
}

async fn reconciles(operator: &Operator) -> f64 {
    operator.metric("idp_operator_reconciles_total", &["UserIdpAuthenticator"]).await
}

/// Waits until so many links have this `Ready`.
async fn told(operator: &Operator, status: &str, count: usize) {
    let labels = ["UserIdpAuthenticator", &format!("ready=\"{status}\"")];
    let deadline = Instant::now() + Duration::from_mins(5);
    loop {
        let is = operator.metric("idp_operator_objects", &labels).await;
        #[allow(clippy::cast_precision_loss)] // thousands
        if (is - count as f64).abs() < f64::EPSILON {
            return;
        }
        assert!(Instant::now() < deadline, "{is} of {count} links have Ready={status}:\n{}", operator.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn thousands_of_links_follow_their_identity_provider_and_nothing_else_waits_for_them() {
    let plane = Plane::start();
    let scene = Scene::on(&plane, "flip").await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let failing = json!([{ "name": "wrong", "claims": {}, "at": "2026-01-01T00:00:00Z", "expect": "Accept" }]);
    let big = |examples: &Value| provider(&server, "https://big.example.com", examples);
    scene.apply::<IdentityProvider>("big", big(&json!([]))).await;
    scene.apply::<IdentityProvider>("small", provider(&server, "https://small.example.com", &json!([]))).await;
    create(&scene, (0..LINKS).map(|number| link("big", &format!("link-{number}")))).await;
    create(&scene, std::iter::once(link("small", "other"))).await;
    scene.apply::<TenantJwtSecret>("other", json!({ "tenantId": "other", "signingAlgorithm": "HS256" })).await;
    scene.apply::<StrategyInstance>("other", json!({ "type": "userpass" })).await;
    let operator = scene.start_by(&plane.operator_kubeconfig).ready().await;
    told(&operator, "True", LINKS + 1).await;
    let others = async || {
        [
            version(&scene.api::<IdentityProvider>().get("small").await.unwrap()),
            version(&scene.api::<UserIdpAuthenticator>().get("other").await.unwrap()),
            version(&scene.api::<TenantJwtSecret>().get("other").await.unwrap()),
            version(&scene.api::<StrategyInstance>().get("other").await.unwrap()),
        ]
    };
    let untouched = others().await;

    let mut news = 1;
    for (status, examples) in [("False", &failing), ("True", &json!([]))] {
        let (written, looks) = (statuses(&operator).await, reconciles(&operator).await);
        scene.apply::<IdentityProvider>("big", big(examples)).await;
        while statuses(&operator).await < written + 5.0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let before = statuses(&operator).await;
        let names: Vec<String> = (0..NEW).map(|number| format!("new-{status}-{number}").to_lowercase()).collect();
        create(&scene, names.iter().map(|name| link("small", name))).await;
        for name in &names {
            scene.verdict::<UserIdpAuthenticator>(name, "True", "IdentitySet").await;
        }
        let ahead = statuses(&operator).await - before;
        assert!(ahead < AHEAD, "{ahead} links were written before new ones of another IdentityProvider");
        news += NEW;
        let expected = if status == "True" { LINKS + news } else { LINKS };
        told(&operator, status, expected).await;

        // Each once, and the new ones.
        #[allow(clippy::cast_precision_loss)] // thousands
        let once = (LINKS + NEW) as f64;
        let (written, looks) = (statuses(&operator).await - written, reconciles(&operator).await - looks);
        assert!((written - once).abs() < f64::EPSILON, "{written} statuses were written, not {once}");
        // What is new may be looked at twice: for itself, and for what it holds now.
        assert!((once..once + 8.0).contains(&looks), "{looks} looks at {once} links");
    }
    assert_eq!(others().await, untouched);
}

/// The one whose `Ready` is True, once all others have lost.
async fn winner(scene: &Scene, count: usize) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let all = scene.api::<UserIdpAuthenticator>().list(&kube::api::ListParams::default()).await.unwrap();
        let told: Vec<(String, String)> =
            all.iter().filter_map(|link| Some((ready(link)?.1, link.name_any()))).collect();
        let winners: Vec<&String> =
            told.iter().filter(|(reason, _)| reason == "IdentitySet").map(|(_, name)| name).collect();
        let losers = told.iter().filter(|(reason, _)| reason == "AlreadyLinked").count();
        if let ([winner], true) = (winners.as_slice(), losers + 1 == count) {
            return (*winner).clone();
        }
        assert!(Instant::now() < deadline, "{winners:?} and {losers} losers of {count}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn links_that_fight_for_one_external_id_are_promoted_one_by_one_by_one_write_each() {
    const LINKS: usize = 200;
    let scene = Scene::new("fight").await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    scene.apply::<IdentityProvider>("login", provider(&server, "https://login.example.com", &json!([]))).await;
    let fighter = |number: usize| {
        let mut link = link("login", &format!("link-{number}"));
        link.spec.idp_user_id = "mini".to_owned();
        link
    };
    create(&scene, (0..LINKS).map(fighter)).await;
    let operator = scene.operator().await;
    let mut written = {
        winner(&scene, LINKS).await;
        statuses(&operator).await
    };
    #[allow(clippy::cast_precision_loss)] // hundreds
    let first = LINKS as f64;
    assert!((written - first).abs() < f64::EPSILON, "{written} statuses for {first} first verdicts");
    for left in (1..LINKS).rev() {
        let holder = winner(&scene, left + 1).await;
        scene.delete::<UserIdpAuthenticator>(&holder).await;
        winner(&scene, left).await;
        let now = statuses(&operator).await;
        assert!((now - written - 1.0).abs() < f64::EPSILON, "{} statuses for one promotion", now - written);
        written = now;
    }
}

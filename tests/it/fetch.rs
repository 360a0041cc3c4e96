//! How keys are fetched: what is sent, and in which order many endpoints have their turn.

use idp_operator::api::IdentityProvider;
use serde_json::{Value, json};

use crate::support::{
    KeyServer, RawServer, Scene, Script,
    key_server::{ED25519, jwks},
    ready,
};

fn spec(issuer: &str, url: &str) -> Value {
    json!({ "jwtEndpoint": url, "issuer": issuer, "keysEndpoint": url, "allowInsecureHttp": true })
}

#[tokio::test]
async fn nothing_but_the_request_itself_is_sent_and_no_proxy_asked() {
    let scene = Scene::new("fetch").await;
    let proxy = RawServer::http(Script::Whole(Vec::new())).await;
    // HTTPS_PROXY is how the client of the API server is told of one.
    let names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let url = format!("http://{}", proxy.address());
    let _operator = names.iter().fold(scene.start(), |start, name| start.env(name, url.clone())).ready().await;
    let keys = jwks(&[ED25519]);
    let answer = format!("HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: {}\r\n\r\n{keys}", keys.len());
    let server = RawServer::http(Script::Whole(answer.into_bytes())).await;
    for (name, path) in [("one", "/a?b=c"), ("two", "/d/../e")] {
        scene.apply::<IdentityProvider>(name, spec(name, &format!("http://{}{path}", server.address()))).await;
        scene.verdict::<IdentityProvider>(name, "True", "Ready").await;
    }
    let expected = ["/a?b=c", "/e"].map(|target| {
        format!(
            "GET {target} HTTP/1.1\r\nhost: {}\r\naccept: application/jwk-set+json, application/json\r\n\
             accept-encoding: identity\r\nuser-agent: idp-operator/{}\r\nconnection: close\r\n\r\n",
            server.address(),
            env!("CARGO_PKG_VERSION")
        )
    });
    assert_eq!((server.requests(), proxy.connections()), (expected.to_vec(), 0));
}

#[tokio::test]
async fn a_hundred_dead_endpoints_that_are_known_as_slow_delay_no_other() {
    const DEAD: usize = 100;
    let scene = Scene::new("crowd").await;
    let _operator = scene.operator().await;
    let dead = RawServer::http(Script::OnceLate).await;
    for number in 0..DEAD {
        let name = format!("dead-{number}");
        scene.apply::<IdentityProvider>(&name, spec(&name, &format!("http://{}/{number}", dead.address()))).await;
    }
    for number in 0..DEAD {
        scene.until(&format!("dead-{number}"), |object: &IdentityProvider| ready(object).is_some()).await;
    }
    // By now all are slow, and those whose turn it is never get an answer: two of the namespace at a time.
    while dead.unanswered() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let before = dead.connections();
    scene.apply::<IdentityProvider>("good", spec("good", &server.url("/keys"))).await;
    scene.verdict::<IdentityProvider>("good", "True", "Ready").await;
    assert_eq!(dead.most_unanswered(), 2);
    // It was not behind them: of their hundred turns, few passed meanwhile.
    let passed = dead.connections() - before;
    assert!(passed < DEAD / 4, "{passed} of them had another turn before it");
}

#[tokio::test]
async fn who_is_suspended_in_the_queue_is_not_asked_and_the_dead_are_known_as_dead_after_a_restart() {
    // As many as a namespace may have at a time.
    const DEAD: usize = 16;
    let scene = Scene::new("crowd").await;
    let operator = scene.operator().await;
    let dead = RawServer::http(Script::Stall(Vec::new())).await;
    // All at once: the first of them is given up after 10 s.
    futures::future::join_all((0..DEAD).map(async |number| {
        let name = format!("dead-{number}");
        scene.apply::<IdentityProvider>(&name, spec(&name, &format!("http://{}/{number}", dead.address()))).await
    }))
    .await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let url = server.url("/keys");
    scene.apply::<IdentityProvider>("late", spec("late", &url)).await;
    let reconciled = async || operator.metric("idp_operator_reconciles_total", &["IdentityProvider"]).await;
    while reconciled().await < 17.0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!((dead.connections(), server.hits()), (DEAD, 0));
    scene.merge::<IdentityProvider>("late", json!({ "spec": { "suspend": true } })).await;
    for number in 0..DEAD {
        scene.verdict::<IdentityProvider>(&format!("dead-{number}"), "False", "KeysUnreachable").await;
    }
    scene.apply::<IdentityProvider>("good", spec("good", &url)).await;
    scene.verdict::<IdentityProvider>("good", "True", "Ready").await;
    assert_eq!(server.hits(), 1);

    operator.terminate();
    let before = dead.connections();
    let operator = scene.operator().await;
    operator.has_reconciled("IdentityProvider").await;
    scene.apply::<IdentityProvider>("other", spec("other", &url)).await;
    scene.verdict::<IdentityProvider>("other", "True", "Ready").await;
    // Never tried by this process, all of them would be asked at once.
    let asked = dead.connections() - before;
    assert!(asked < DEAD / 2, "{asked} of them were asked");
}

//! `IdentityProvider`s whose endpoint gives no answer that could be judged.

use std::collections::BTreeMap;

use idp_operator::api::IdentityProvider;
use serde_json::json;

use super::{Answer, Kind, expect_answers};
use crate::support::{
    KeyServer, Scene,
    key_server::{ED25519, jwks},
};

pub fn told(error: &str, reason: &str, message: &str) -> Answer {
    Answer::new(&format!("False {reason} Reconciling"), message, &[&format!("{error} /spec/keysEndpoint")])
}

pub fn published(message: &str) -> Answer {
    Answer::new("True Ready", &format!("{message} in ConfigMap '<name>-jwks'"), &[])
}

/// An object for each endpoint, and what its status answers.
pub async fn all_answer(scene: &Scene, rows: Vec<(&'static str, String, Answer)>) {
    let mut expected = BTreeMap::new();
    for (name, url, answer) in rows {
        let insecure = url.starts_with("http:");
        let spec = Kind::Idp.with(&json!({ "issuer": name, "keysEndpoint": url, "allowInsecureHttp": insecure }));
        scene.apply::<IdentityProvider>(name, spec).await;
        expected.insert(name.to_owned(), answer);
    }
    expect_answers::<IdentityProvider>(scene, expected).await;
}

/// The answer on an endpoint that gives none.
pub fn unreachable() -> Answer {
    told(
        "503 keys-unreachable",
        "KeysUnreachable",
        "keysEndpoint gives no answer: it must be a host that resolves, accepts connections and answers within 10 s",
    )
}

/// The answer on an endpoint whose certificate is not good.
pub fn tls_failed() -> Answer {
    told(
        "503 tls-failed",
        "TlsFailed",
        "keysEndpoint must have a certificate for its host that is valid now and issued by a trusted authority",
    )
}

/// The answer on an endpoint with another status than 200.
pub fn status(status: u16) -> Answer {
    let message = format!("keysEndpoint answered with HTTP status {status}: it must answer GET with 200");
    told("503 unexpected-status", "UnexpectedStatus", &message)
}

/// The answer on an endpoint that redirects.
pub fn redirect(status: u16) -> Answer {
    let message = format!("keysEndpoint answered with redirect {status}: it must be the URL of the keys themselves");
    told("503 redirect-refused", "RedirectRefused", &message)
}

/// The answer on an endpoint that encodes its answer.
pub fn encoded() -> Answer {
    let message = "keysEndpoint answered with a Content-Encoding: it must answer without one";
    told("503 unexpected-status", "UnexpectedStatus", message)
}

/// The answer on an endpoint that sends too much.
pub fn too_large() -> Answer {
    let message = "keysEndpoint answered with more than 512 KiB: it must be a JWK Set of at most 64 keys";
    told("503 body-too-large", "BodyTooLarge", message)
}

#[tokio::test]
async fn no_answer() {
    let scene = Scene::new("endpoints").await;
    let _operator = scene.operator().await;
    let (self_signed, _) = KeyServer::https(&jwks(&[ED25519])).await;
    let rows = vec![
        ("closed-port", "http://127.0.0.1:1/keys".to_owned(), unreachable()),
        ("no-such-host", "http://nowhere.invalid/keys".to_owned(), unreachable()),
        ("no-address", "http://127.0.0.256/keys".to_owned(), unreachable()),
        ("no-ipv6-address", "http://[1:2]/keys".to_owned(), unreachable()),
        ("self-signed", self_signed.url("/keys"), tls_failed()),
    ];
    all_answer(&scene, rows).await;
}

#[tokio::test]
async fn an_answer_that_is_not_to_be_judged() {
    let scene = Scene::new("endpoints").await;
    let _operator = scene.operator().await;
    let keys = jwks(&[ED25519]);
    let of_size = |size: usize| keys.clone() + &" ".repeat(size - keys.len());
    let table = [
        ("not-found", ("404 Not Found", "", String::new()), status(404)),
        ("keys-with-not-found", ("404 Not Found", "", keys.clone()), status(404)),
        ("unauthorized", ("401 Unauthorized", "www-authenticate: Basic\r\n", String::new()), status(401)),
        ("server-error", ("500 Internal Server Error", "", String::new()), status(500)),
        ("no-content", ("204 No Content", "", String::new()), status(204)),
        ("gzip", ("200 OK", "content-encoding: gzip\r\n", keys.clone()), encoded()),
        ("moved", ("301 Moved Permanently", "location: /other\r\n", String::new()), redirect(301)),
        ("found", ("302 Found", "location: http://169.254.169.254/\r\n", keys.clone()), redirect(302)),
        ("too-large", ("200 OK", "", of_size(512 * 1024 + 1)), too_large()),
        ("just-not-too-large", ("200 OK", "", of_size(512 * 1024)), published("1 key is published")),
    ];
    all_served(&scene, table).await;
}

/// One server each.
pub async fn all_served<const N: usize>(scene: &Scene, table: [(&'static str, (&str, &str, String), Answer); N]) {
    let mut servers = Vec::new();
    let mut rows = Vec::new();
    for (name, (status, headers, body), answer) in table {
        let server = KeyServer::http("").await;
        server.answer(status, headers, &body);
        rows.push((name, server.url("/keys"), answer));
        servers.push(server);
    }
    all_answer(scene, rows).await;
}

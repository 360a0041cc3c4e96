//! `IdentityProvider`s whose endpoint gives no answer that could be judged.

use std::collections::BTreeMap;

use idp_operator::api::IdentityProvider;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{Answer, Kind, expect_answers};
use crate::support::{
    KeyServer, Scene,
    key_server::{ED25519, jwks},
};

pub fn told(error: &str, reason: &str, message: &str) -> Answer {
    Answer::new(&format!("False {reason} Reconciling"), message, &[&format!("{error} /spec/keysEndpoint")])
}

pub fn published(message: &str) -> Answer {
    Answer::new("True Ready", message, &[])
}

async fn all_answer(scene: &Scene, rows: Vec<(&'static str, String, Answer)>) {
    let mut expected = BTreeMap::new();
    for (name, url, answer) in rows {
        let insecure = url.starts_with("http:");
        let spec = Kind::Idp.with(&json!({ "issuer": name, "keysEndpoint": url, "allowInsecureHttp": insecure }));
        scene.apply::<IdentityProvider>(name, spec).await;
        expected.insert(name.to_owned(), answer);
    }
    expect_answers::<IdentityProvider>(scene, expected).await;
}

/// A server on loopback that answers these bytes to the first bytes that come; `None` never answers.
async fn raw(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(answer) = answer else {
                silent.push(stream);
                continue;
            };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    address.to_string()
}

#[tokio::test]
async fn no_answer() {
    let unreachable = || {
        told(
            "503 keys-unreachable",
            "KeysUnreachable",
            "keysEndpoint gives no answer: it must be a host that resolves, accepts connections and answers within 10 s",
        )
    };
    let tls = || {
        told(
            "503 tls-failed",
            "TlsFailed",
            "keysEndpoint must have a certificate for its host that is valid now and issued by a trusted authority",
        )
    };
    let scene = Scene::new("endpoints").await;
    let _operator = scene.operator().await;
    let (self_signed, _) = KeyServer::https(&jwks(&[ED25519])).await;
    let bad_request = raw(Some("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")).await;
    let other_protocol = raw(Some("SSH-2.0-OpenSSH_9.9\r\n")).await;
    let hangs_up = raw(Some("")).await;
    let cut_short = raw(Some("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"keys\":[")).await;
    let never_answers = raw(None).await;
    let rows = vec![
        ("closed-port", "http://127.0.0.1:1/keys".to_owned(), unreachable()),
        ("no-such-host", "http://nowhere.invalid/keys".to_owned(), unreachable()),
        ("no-address", "http://127.0.0.256/keys".to_owned(), unreachable()),
        ("no-ipv6-address", "http://[1:2]/keys".to_owned(), unreachable()),
        ("other-protocol", format!("http://{other_protocol}/keys"), unreachable()),
        ("hangs-up", format!("http://{hangs_up}/keys"), unreachable()),
        ("cut-short", format!("http://{cut_short}/keys"), unreachable()),
        ("never-answers", format!("http://{never_answers}/keys"), unreachable()),
        ("self-signed", self_signed.url("/keys"), tls()),
        ("https-to-http", format!("https://{bad_request}/keys"), tls()),
    ];
    all_answer(&scene, rows).await;
}

#[tokio::test]
async fn an_answer_that_is_not_to_be_judged() {
    let scene = Scene::new("endpoints").await;
    let _operator = scene.operator().await;
    let keys = jwks(&[ED25519]);
    let status = |message| told("503 unexpected-status", "UnexpectedStatus", message);
    let redirect = |message| told("503 redirect-refused", "RedirectRefused", message);
    let of_size = |size: usize| keys.clone() + &" ".repeat(size - keys.len());
    let table = [
        (
            "not-found",
            ("404 Not Found", "", String::new()),
            status("keysEndpoint answered with HTTP status 404: it must answer GET with 200"),
        ),
        (
            "keys-with-not-found",
            ("404 Not Found", "", keys.clone()),
            status("keysEndpoint answered with HTTP status 404: it must answer GET with 200"),
        ),
        (
            "unauthorized",
            ("401 Unauthorized", "www-authenticate: Basic\r\n", String::new()),
            status("keysEndpoint answered with HTTP status 401: it must answer GET with 200"),
        ),
        (
            "server-error",
            ("500 Internal Server Error", "", String::new()),
            status("keysEndpoint answered with HTTP status 500: it must answer GET with 200"),
        ),
        (
            "no-content",
            ("204 No Content", "", String::new()),
            status("keysEndpoint answered with HTTP status 204: it must answer GET with 200"),
        ),
        (
            "gzip",
            ("200 OK", "content-encoding: gzip\r\n", keys.clone()),
            status("keysEndpoint answered with a Content-Encoding: it must answer without one"),
        ),
        (
            "moved",
            ("301 Moved Permanently", "location: /other\r\n", String::new()),
            redirect("keysEndpoint answered with redirect 301: it must be the URL of the keys themselves"),
        ),
        (
            "found",
            ("302 Found", "location: http://169.254.169.254/\r\n", keys.clone()),
            redirect("keysEndpoint answered with redirect 302: it must be the URL of the keys themselves"),
        ),
        (
            "too-large",
            ("200 OK", "", of_size(512 * 1024 + 1)),
            told(
                "503 body-too-large",
                "BodyTooLarge",
                "keysEndpoint answered with more than 512 KiB: it must be a JWK Set of at most 64 keys",
            ),
        ),
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

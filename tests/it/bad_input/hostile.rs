//! Endpoints that are made to harm: each comes to its reason, reads no more than it may, and leaves no word of what it
//! said anywhere.

use std::collections::BTreeSet;

use idp_operator::api::IdentityProvider;
use k8s_openapi::api::{core::v1::ConfigMap, events::v1::Event};
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use rcgen::date_time_ymd;

use super::{
    Answer,
    endpoints::{all_answer, encoded, published, redirect, status, tls_failed, told, too_large, unreachable},
};
use crate::{
    hygiene::needles::Needles,
    support::{
        Authority, Operator, RawServer, Scene, Script,
        key_server::{ED25519, P256, jwks},
    },
};

/// Stands in every answer: in the reason phrase, the headers and the body.
const NEEDLE: &str = "needle-in-every-answer-7f3a91c2";

const OK: &str = "200 OK";

fn not_a_jwks() -> Answer {
    told(
        "400 not-a-jwks",
        "NotAJwks",
        "keysEndpoint must answer with a JWK Set (RFC 7517) of at most 64 keys: {\"keys\": [..]}",
    )
}

fn no_usable_key() -> Answer {
    told(
        "400 no-usable-key",
        "NoUsableKey",
        "keysEndpoint has no usable key: it must have an RSA, P-256, P-384 or Ed25519 key for signatures by one of algorithms",
    )
}

/// A head with these headers.
fn head(status: &str, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} {NEEDLE}\r\nx-{NEEDLE}: {NEEDLE}\r\nset-cookie: a={NEEDLE}\r\n{headers}").into_bytes()
}

fn with(mut head: Vec<u8>, rest: impl AsRef<[u8]>) -> Vec<u8> {
    head.extend(rest.as_ref());
    head
}

/// A whole answer with a body of its true length.
fn whole(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Script {
    let headers = format!("{headers}content-length: {}\r\n\r\n", body.as_ref().len());
    Script::Whole(with(head(status, &headers), body))
}

/// Answers of a server that speaks HTTP well or badly.
fn spoken() -> Vec<(&'static str, Script, Answer)> {
    let page = format!("<!doctype html><title>{NEEDLE}</title>");
    let metadata = "location: http://169.254.169.254/latest/meta-data\r\n";
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    let length = |length: usize| format!("content-length: {length}\r\n\r\n");
    let block = NEEDLE.repeat(2048);
    let chunk = format!("{:x}\r\n{block}\r\n", block.len());
    let interim = with(head("103 Early Hints", "\r\n"), "").repeat(100);
    let many = format!("x-{NEEDLE}: {NEEDLE}\r\n").repeat(200);
    let keys = jwks(&[ED25519]);
    // What gzip makes of nothing but zeros: a thousandth of their number.
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xec\xc1\x01\x0d\0\0\0\xc2\xa0\xf7Om\x0e7\xa0\0";
    vec![
        ("hangs-up", Script::Whole(Vec::new()), unreachable()),
        ("other-protocol", Script::Whole(format!("SSH-2.0-{NEEDLE}\r\n").into_bytes()), unreachable()),
        ("http-0-9", Script::Whole(keys.clone().into_bytes()), unreachable()),
        ("never-answers", Script::Stall(Vec::new()), unreachable()),
        ("stops-in-the-head", Script::Stall(head(OK, "")), unreachable()),
        ("stops-in-the-body", Script::Stall(with(head(OK, &length(999)), &page)), unreachable()),
        ("stops-between-chunks", Script::Stall(with(head(OK, chunked), &chunk)), unreachable()),
        ("slow-head", Script::Drip(head(OK, ""), NEEDLE.into()), unreachable()),
        ("slow-body", Script::Drip(head(OK, &length(9999)), NEEDLE.into()), unreachable()),
        ("slow-interim", Script::Drip(Vec::new(), head("103 Early Hints", "\r\n")), unreachable()),
        ("endless-head", Script::Endless(head(OK, "x: "), block.clone().into()), unreachable()),
        ("endless-interim", Script::Endless(Vec::new(), interim), unreachable()),
        ("endless-body", Script::Endless(head(OK, "\r\n"), block.clone().into()), too_large()),
        ("endless-chunks", Script::Endless(head(OK, chunked), chunk.into()), too_large()),
        ("hundred-megabytes", Script::Endless(head(OK, &length(100_000_000)), block.into()), too_large()),
        ("two-hundred-headers", whole(OK, &many, &keys), unreachable()),
        ("two-lengths", whole(OK, "content-length: 5\r\n", &keys), unreachable()),
        ("cut-short", Script::Whole(with(head(OK, &length(999)), &page)), unreachable()),
        ("cut-short-in-a-chunk", Script::Whole(with(head(OK, chunked), format!("ff\r\n{NEEDLE}"))), unreachable()),
        ("no-chunk", Script::Whole(with(head(OK, chunked), NEEDLE)), unreachable()),
        ("no-content", Script::Whole(head("204", "\r\n")), status(204)),
        ("bad-request", whole("400", "", &page), status(400)),
        ("unauthorized", whole("401", "www-authenticate: Basic\r\n", &keys), status(401)),
        ("not-found", whole("404", "", &page), status(404)),
        ("too-many-requests", whole("429", "retry-after: 120\r\n", &page), status(429)),
        ("server-error", whole("500", "", &page), status(500)),
        ("unavailable", whole("503", "retry-after: Fri, 31 Dec 9999 23:59:59 GMT\r\n", &page), status(503)),
        ("switches", Script::Whole(head("999", "\r\n")), status(999)),
        ("moved-to-metadata", whole("301", metadata, &keys), redirect(301)),
        ("found-metadata", whole("302", metadata, &keys), redirect(302)),
        ("permanently-metadata", whole("308", metadata, &keys), redirect(308)),
        ("moved-to-nowhere", whole("307", "", &keys), redirect(307)),
        ("gzip-bomb", whole(OK, "content-encoding: gzip\r\n", gzip), encoded()),
        ("identity", whole(OK, "content-encoding: identity\r\n", &keys), encoded()),
        ("gzip-unsaid", whole(OK, "", gzip), not_a_jwks()),
    ]
}

/// Bodies that are no good keys.
fn bodies() -> Vec<(&'static str, Script, Answer)> {
    let private = told(
        "400 private-key-published",
        "PrivateKeyPublished",
        "keysEndpoint shows a private key to everybody: the provider must replace its keys and publish public ones only",
    );
    let symmetric = told(
        "400 symmetric-key-published",
        "SymmetricKeyPublished",
        "keysEndpoint shows a symmetric key to everybody: the provider must publish public keys only",
    );
    let kid = |key: &str| key.replace("\"ed\"", &format!("\"{NEEDLE}\"")).replace("\"ec\"", &format!("\"{NEEDLE}\""));
    let key = kid(ED25519);
    let many = |count: usize| jwks(&(0..count).map(|_| key.as_str()).collect::<Vec<_>>());
    let truncated = jwks(&[&key]);
    let truncated = truncated[..truncated.len() - 1].to_owned();
    let table = [
        ("html", format!("<!doctype html><title>{NEEDLE}</title>"), not_a_jwks()),
        ("truncated", truncated, not_a_jwks()),
        ("nothing", String::new(), not_a_jwks()),
        ("deep", "[".repeat(200_000), not_a_jwks()),
        ("deep-keys", format!("{{\"keys\":{}", "[".repeat(200_000)), not_a_jwks()),
        ("an-error", format!("{{\"error\":\"{NEEDLE}\"}}"), not_a_jwks()),
        ("sixty-five-keys", many(65), not_a_jwks()),
        ("no-keys", format!("{{\"keys\":[],\"{NEEDLE}\":1}}"), no_usable_key()),
        ("private-key", jwks(&[&key.replace("\"kid\"", &format!("\"d\":\"{NEEDLE}\",\"kid\""))]), private),
        ("symmetric", jwks(&[&format!("{{\"kty\":\"oct\",\"k\":\"{NEEDLE}\",\"kid\":\"{NEEDLE}\"}}")]), symmetric),
        ("encryption", jwks(&[&kid(P256).replace("\"kid\"", "\"use\":\"enc\",\"kid\"")]), no_usable_key()),
    ];
    table.into_iter().map(|(name, body, answer)| (name, whole(OK, "", body), answer)).collect()
}

#[tokio::test]
async fn whatever_an_endpoint_answers_it_comes_to_its_reason_and_no_word_of_it_is_told() {
    let scene = Scene::new("hostile").await;
    let public = Authority::new("public");
    let authorities = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(authorities.path(), public.pem()).unwrap();
    let start = scene.start().arg("--log-level=trace");
    let operator = start.env("SSL_CERT_FILE", authorities.path().to_str().unwrap()).ready().await;

    let mut servers = Vec::new();
    let mut rows = Vec::new();
    for (name, script, answer) in spoken().into_iter().chain(bodies()) {
        let server = RawServer::http(script).await;
        rows.push((name, format!("http://{}/keys", server.address()), answer));
        servers.push((name, server));
    }
    let keys = || whole(OK, "", jwks(&[ED25519]));
    let here = ["127.0.0.1"];
    // Of one that knows TLS 1.1 and no more.
    let hello = [&b"\x16\x03\x02\0\x2a\x02\0\0\x26\x03\x02"[..], &[7; 32], &b"\0\0\x2f\0"[..]].concat();
    let page = format!("HTTP/1.1 400 {NEEDLE}\r\n\r\n").into_bytes();
    let certificates = vec![
        ("valid", RawServer::https(keys(), public.issue(&here, |_| ())).await, published("1 key is published")),
        (
            "expired",
            RawServer::https(keys(), public.issue(&here, |params| params.not_after = date_time_ymd(2020, 1, 1))).await,
            tls_failed(),
        ),
        (
            "not-yet-valid",
            RawServer::https(keys(), public.issue(&here, |params| params.not_before = date_time_ymd(4000, 1, 1))).await,
            tls_failed(),
        ),
        ("other-host", RawServer::https(keys(), public.issue(&[NEEDLE], |_| ())).await, tls_failed()),
        (
            "private-authority",
            RawServer::https(keys(), Authority::new(NEEDLE).issue(&here, |_| ())).await,
            tls_failed(),
        ),
        ("tls-1-1", RawServer::http(Script::Whole(hello)).await, tls_failed()),
        ("old-alert", RawServer::http(Script::Whole(b"\x15\x03\x02\0\x02\x02\x46".to_vec())).await, tls_failed()),
        ("plain-http", RawServer::http(Script::Whole(page)).await, tls_failed()),
        ("cut-in-the-handshake", RawServer::http(Script::Whole(Vec::new())).await, unreachable()),
        ("never-shakes-hands", RawServer::http(Script::Stall(Vec::new())).await, unreachable()),
    ];
    for (name, server, answer) in certificates {
        rows.push((name, format!("https://{}/keys", server.address()), answer));
        servers.push((name, server));
    }
    assert!(rows.len() > 50);
    all_answer(&scene, rows).await;

    for (name, server) in &servers {
        assert!(server.connections() > 0, "{name} was not called");
        // What the kernel's buffers took was sent, but never read; some were called twice by now.
        assert!(server.taken() < 64 << 20, "{name}: {} bytes", server.taken());
    }
    expect_nothing_told(&scene, &operator, &servers).await;
}

/// Neither a word of any answer, nor where it came from, but for the spec itself.
async fn expect_nothing_told(scene: &Scene, operator: &Operator, servers: &[(&str, RawServer)]) {
    let needles = Needles::new(&BTreeSet::from([NEEDLE.as_bytes().to_vec()]));
    assert_eq!(needles.found_in(&format!("of {NEEDLE}.")).len(), 1);
    let resource = ApiResource::erase::<IdentityProvider>(&());
    let objects: Api<DynamicObject> = Api::namespaced_with(scene.client.clone(), &scene.namespace, &resource);
    let objects = objects.list(&ListParams::default()).await.unwrap().items;
    let statuses: Vec<_> = objects.iter().map(|object| &object.data["status"]).collect();
    let events = scene.api::<Event>().list(&ListParams::default()).await.unwrap().items;
    let configmaps = scene.api::<ConfigMap>().list(&ListParams::default()).await.unwrap().items;
    let outputs: Vec<_> = configmaps.iter().map(|configmap| configmap.metadata.name.as_deref().unwrap()).collect();
    assert_eq!(outputs, ["kube-root-ca.crt", "valid-jwks"]);
    let told = [
        ("log", operator.log()),
        ("events", serde_json::to_string(&events).unwrap()),
        ("statuses", serde_json::to_string(&statuses).unwrap()),
        ("configmaps", serde_json::to_string(&configmaps).unwrap()),
        ("metrics", operator.get("/metrics").await.1),
    ];
    for (place, text) in told {
        assert!(!text.is_empty(), "no {place}");
        let leaks = needles.found_in(&text);
        assert!(leaks.is_empty(), "{place}: {leaks:?}");
        for (name, server) in servers {
            assert!(!text.contains(&server.address().to_string()), "{place} has the address of {name}");
        }
    }
}

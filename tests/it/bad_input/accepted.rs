//! Borderline specs that must be accepted: no rule is over-strict.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Kind, all_as_expected, merge};
use crate::support::Scene;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

#[tokio::test]
async fn what_is_just_within_the_rules() {
    let endpoint = |url: &str| (Kind::Idp, json!({ "keysEndpoint": url, "jwtEndpoint": url }));
    let insecure =
        |url: &str| (Kind::Idp, json!({ "keysEndpoint": url, "jwtEndpoint": url, "allowInsecureHttp": true }));
    let issuer = |issuer: &str| (Kind::Idp, json!({ "issuer": issuer }));
    let header = |name: &str| (Kind::Idp, json!({ "headerName": name }));
    let idp = |change: Value| (Kind::Idp, change);
    let bundle = |bundle: String| (Kind::Idp, json!({ "tls": { "caBundle": bundle } }));
    let example = |change: Value| {
        let mut example = json!({ "name": "a", "claims": {}, "at": "2026-01-31T12:00:00Z", "expect": "Accept" });
        merge(&mut example, &change);
        example
    };
    let at = |at: &str| (Kind::Idp, json!({ "examples": [example(json!({ "at": at }))] }));
    let tenant = |id: &str| (Kind::Tjs, json!({ "tenantId": id }));
    let secret = |name: &str, key: &str| (Kind::Tjs, json!({ "secretRef": { "name": name, "key": key } }));
    let secret_name = |name: &str| (Kind::Tjs, json!({ "secretName": name }));
    let rotation = |rotation: Value| (Kind::Tjs, json!({ "rotation": rotation }));
    let template = |template: Value| (Kind::Tjs, json!({ "template": template }));
    let link = |field: &str, id: &str| (Kind::Uia, json!({ field: id }));
    let strategy = |field: &str, value: &str| (Kind::Si, json!({ field: value }));
    let rows: Vec<(Kind, Value)> = vec![
        endpoint(&format!("https://{:x<192}", "")),
        endpoint("https://login.example.com"),
        endpoint("https://login.example.com./"),
        endpoint("https://LOGIN.example.com/Keys"),
        endpoint("https://login"),
        endpoint("https://key_server.svc:1"),
        endpoint("https://login.example.com:65535/keys"),
        endpoint("https://login.example.com:8080?format=jwks&at=a@b"),
        endpoint("https://login.example.com/~user@home/keys.json;v=1?a=b/c"),
        endpoint("https://login.example.com/schl%C3%BCssel"),
        endpoint("https://xn--lgin-6qa.example.com/keys"),
        endpoint("https://192.0.2.1:8443/keys"),
        endpoint("https://[2001:db8::1]/keys"),
        endpoint("https://[2001:db8::1]:8443"),
        endpoint("https://[::ffff:192.0.2.1]/keys"),
        insecure("http://login.example.com/keys"),
        insecure("https://login.example.com/keys"),
        issuer("x"),
        issuer(&"x".repeat(200)),
        issuer(&"é".repeat(200)),
        issuer("urn:example:login?x#y"),
        issuer("login of the example company"),
        issuer("https://login.example.com/"),
        issuer("HTTPS://login.example.com"),
        header(""),
        header("x-token"),
        header("X_Forwarded.Token!#$%&'*+-.^`|~"),
        header(&"x".repeat(200)),
        (Kind::Idp, json!({ "allowInsecureHttp": true, "suspend": true })),
        (Kind::Idp, json!({ "keys": {} })),
        (Kind::Idp, json!({ "keys": { "refreshInterval": "30s", "staleAfter": "1m" } })),
        (Kind::Idp, json!({ "keys": { "refreshInterval": "24h", "staleAfter": "168h" } })),
        (Kind::Idp, json!({ "keys": { "refreshInterval": "86400000ms", "staleAfter": "47h59m60s" } })),
        idp(json!({ "displayName": " Login of Example & Co. \u{1f511} " })),
        idp(json!({ "displayName": "é".repeat(200), "linkingAllowed": false })),
        idp(json!({ "audiences": ["é".repeat(200), "x".repeat(200), "a b", "A", "a"] })),
        idp(json!({ "audiences": (0..16).map(|number| number.to_string()).collect::<Vec<_>>() })),
        idp(json!({ "algorithms": ["RS512", "RS256", "EdDSA", "ES256", "ES384", "PS256", "PS384", "PS512", "RS384"] })),
        idp(json!({ "algorithms": ["EdDSA"] })),
        idp(json!({ "clockSkew": "0s", "maxTokenAge": "1m" })),
        idp(json!({ "clockSkew": "5m", "maxTokenAge": "24h" })),
        idp(json!({ "clockSkew": "4m59s1000ms", "maxTokenAge": "86400000ms" })),
        bundle(CERTIFICATE.to_owned()),
        bundle(format!("# Example CA\r\n{CERTIFICATE}\n{CERTIFICATE}")),
        bundle(format!("{CERTIFICATE}{}", "x".repeat(65536 - CERTIFICATE.len()))),
        idp(json!({ "tls": { "caBundleRef": { "kind": "Secret", "name": "x".repeat(253), "key": "x".repeat(253) } } })),
        idp(json!({ "tls": { "caBundleRef": { "kind": "ConfigMap", "name": "kube-root-ca.crt", "key": "ca.crt" } } })),
        idp(json!({ "keysFrom": { "configMapKeyRef": { "name": "x".repeat(253), "key": "..keys_1" } } })),
        idp(json!({
            "keysFrom": { "configMapKeyRef": { "name": "a", "key": "b" } }, "publish": { "configMapName": "b" },
        })),
        idp(json!({ "examples": [] })),
        idp(
            json!({ "examples": (0..16).map(|number| example(json!({ "name": number.to_string() }))).collect::<Vec<_>>() }),
        ),
        idp(
            json!({ "examples": [example(json!({ "name": "é".repeat(63) })), example(json!({ "name": "no. 2 (old)" }))] }),
        ),
        idp(json!({ "examples": [example(json!({ "claims": null, "token": "x" }))] })),
        idp(
            json!({ "examples": [example(json!({ "claims": null, "token": format!("Bearer {}", "x".repeat(8192)) }))] }),
        ),
        idp(json!({ "examples": [example(json!({
            "claims": { "iss": 1, "exp": 1.5, "": null, "a": [{ "b": [true, "x", 1e300] }], "big": u64::MAX, "low": i64::MIN },
        }))] })),
        at("1970-01-01T00:00:00Z"),
        at("1970-01-01T00:00:00+23:59"),
        at("2999-12-31T23:59:59.999999999-23:59"),
        at("2024-02-29T23:59:59-00:00"),
        at("1972-02-29T00:00:00.0Z"),
        at("2000-02-29T00:00:00Z"),
        at("2800-02-29T00:00:00Z"),
        at("2096-02-29T00:00:00Z"),
        at("2026-02-28T00:00:00Z"),
        at("2026-04-30T00:00:00Z"),
        at("2026-12-31T00:00:00Z"),
        tenant("a"),
        tenant("42"),
        tenant("Acme_Corp-1.example"),
        tenant("a--b..c"),
        tenant(&"x".repeat(253)),
        (Kind::Tjs, json!({ "signingAlgorithm": null })),
        (Kind::Tjs, json!({ "secretRef": { "name": "source" } })),
        secret("my.source-1", "..data"),
        secret(&"x".repeat(253), &"X".repeat(253)),
        secret_name("a"),
        secret_name("my.secret-1"),
        secret_name(&"x".repeat(253)),
        // Of another Secret than its own.
        (Kind::Tjs, json!({ "secretName": "output", "secretRef": { "name": "source" } })),
        rotation(json!({ "interval": "1h", "gracePeriod": "0s" })),
        rotation(json!({ "interval": "87600h" })),
        rotation(json!({ "interval": "24h1ms" })),
        rotation(json!({ "interval": "60m", "gracePeriod": "3599s", "leadTime": "999ms" })),
        rotation(json!({ "interval": "8784h1ms", "gracePeriod": "8760h", "leadTime": "24h" })),
        rotation(json!({ "gracePeriod": "0s", "leadTime": "0s" })),
        rotation(json!({ "gracePeriod": "0h0m0s0ms", "leadTime": "0ms" })),
        rotation(json!({ "gracePeriod": "1h30m", "leadTime": "30m1h" })),
        rotation(json!({ "gracePeriod": "999999ms1s1m1h1h", "leadTime": "00001h" })),
        (
            Kind::Tjs,
            json!({ "secretRef": { "name": "source" }, "rotation": { "gracePeriod": "1h", "leadTime": "0m" } }),
        ),
        (Kind::Tjs, json!({ "adopt": true, "deletionPolicy": "Retain", "outputs": { "jwks": true, "raw": true } })),
        template(json!({})),
        template(json!({ "labels": {}, "annotations": {} })),
        template(json!({ "labels": { "a": "", "A_b.c-1": "x", "example.com/x": "X_y.z-1" } })),
        template(json!({ "labels": { "x": "x".repeat(63), "y".repeat(63): "y" } })),
        template(json!({ "labels": { format!("{}/{}", "x".repeat(253), "y".repeat(63)): "y" } })),
        // Like what is reserved, and not it.
        template(
            json!({ "labels": { "kubernetes.io": "x", "k8s.io.example.com/x": "x", "x.idp-operator.dev/x": "x" } }),
        ),
        template(json!({ "annotations": { "a": " any\ntext \u{1f511} {}", "b": "\u{1f511}".repeat(2048) } })),
        template(json!({ "labels": (0..16).map(|number| (format!("a{number}"), "x")).collect::<BTreeMap<_, _>>() })),
        (Kind::Uia, json!({ "idpRef": null, "idpId": "0d3a6e5e-1cd6-4c5c-9a51-0a3f6e2f0b6f" })),
        (Kind::Uia, json!({ "idpRef": null, "idpId": "é".repeat(200) })),
        (Kind::Uia, json!({ "idpRef": { "name": "login.example-1" } })),
        (Kind::Uia, json!({ "requires": [] })),
        (Kind::Uia, json!({ "requires": [{ "name": "github" }, { "name": "github.example-1" }] })),
        (
            Kind::Uia,
            json!({ "requires": (0..8).map(|number| json!({ "name": format!("{number}") })).collect::<Vec<_>>() }),
        ),
        // Which one an id stands for, the manifest does not tell.
        (Kind::Uia, json!({ "idpRef": null, "idpId": "1", "requires": [{ "name": "login" }] })),
        link("userId", "1"),
        link("userId", &"é".repeat(200)),
        link("idpUserId", "auth0|5f7c8ec7 c33c6c004bbafe82"),
        link("idpUserId", &"x".repeat(200)),
        link("idpUserName", "Mini M\u{fc}ller <mini@example.com>"),
        link("idpUserName", &"\u{1f511}".repeat(200)),
        strategy("type", "x"),
        strategy("type", &"x".repeat(63)),
        strategy("id", "00000000-0000-0000-0000-000000000000"),
        strategy("id", "12345678-90ab-cdef-fedc-ab0987654321"),
        strategy("id", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        strategy("name", " with space around "),
        strategy("name", &"é".repeat(200)),
        (Kind::Si, json!({ "name": null })),
        (Kind::Si, json!({ "capabilityPolicy": "Clamp" })),
        (Kind::Si, json!({ "config": {} })),
        (
            Kind::Si,
            json!({ "config": { "x".repeat(63): "é".repeat(1024), "-": "", "..a_B-9": "any\ntext \u{1f511}" } }),
        ),
        (Kind::Si, json!({ "config": (0..32).map(|key| (key.to_string(), "x")).collect::<BTreeMap<_, _>>() })),
        (Kind::Si, json!({ "configSecretRef": { "name": "x".repeat(253) } })),
        (Kind::Si, json!({ "configSecretRef": { "name": "my.settings-1" } })),
    ];
    let scene = Scene::new("accepted").await;
    let count = rows.len();
    let mut refused = Vec::new();
    for (number, (kind, change)) in rows.into_iter().enumerate() {
        if let Err(message) = kind.apply(&scene, &format!("good-{number}"), kind.with(&change)).await {
            refused.push(format!("{change}: {message}"));
        }
    }
    all_as_expected(count, &refused);
}

#[tokio::test]
async fn the_longest_names() {
    let scene = Scene::new("accepted").await;
    for (kind, length) in [(Kind::Idp, 248), (Kind::Tjs, 249), (Kind::Uia, 253), (Kind::Si, 253)] {
        kind.apply(&scene, &"x".repeat(length), kind.good()).await.unwrap();
    }
    Kind::Tjs.apply(&scene, &"y".repeat(253), Kind::Tjs.with(&json!({ "secretName": "short" }))).await.unwrap();
}

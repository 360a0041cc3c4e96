//! Refused at creation.

use serde_json::{Value, json};

use super::{Kind, all_as_expected};
use crate::support::Scene;

/// What is wrong, the change to a good spec, and the causes that the API server names.
type Row = (&'static str, Value, &'static str);

async fn all_are_refused(scene: &Scene, kind: Kind, rows: Vec<Row>) {
    let mut differ = Vec::new();
    let count = rows.len();
    for (what, change, causes) in rows {
        let got = kind.apply(scene, "wrong", kind.with(&change)).await;
        let expected = if causes.starts_with('.') {
            format!(
                "failed to create typed patch object ({}/wrong; idp-operator.dev/v1alpha1, Kind={}): {causes}",
                scene.namespace,
                kind.name()
            )
        } else {
            kind.invalid("wrong", causes)
        };
        if got.as_ref() != Err(&expected) {
            differ.push(format!("{what}\n  is   {got:?}\n  not  {expected:?}"));
        }
        if got.is_ok() {
            let _ = crate::support::Plane::shared().kubectl(&["delete", "identity", "wrong", "-n", &scene.namespace]);
            for k in ["idp", "tjs", "uia", "si"] { let _ = crate::support::Plane::shared().kubectl(&["delete", k, "wrong", "-n", &scene.namespace]); }
        }
    }
    all_as_expected(count, &differ);
}

fn x(count: usize) -> String {
    "x".repeat(count)
}

#[tokio::test]
async fn identity_providers() {
    let scene = Scene::new("refused-idp").await;
    let rows: Vec<Row> = vec![
        ("no jwtEndpoint", json!({ "jwtEndpoint": null }), "?"),
        ("no issuer", json!({ "issuer": null }), "?"),
        ("no keysEndpoint", json!({ "keysEndpoint": null }), "?"),
        ("nothing", json!({ "jwtEndpoint": null, "issuer": null, "keysEndpoint": null }), "?"),
        ("empty jwtEndpoint", json!({ "jwtEndpoint": "" }), "?"),
        ("empty issuer", json!({ "issuer": "" }), "?"),
        ("empty keysEndpoint", json!({ "keysEndpoint": "" }), "?"),
        ("blank jwtEndpoint", json!({ "jwtEndpoint": "  " }), "?"),
        ("blank issuer", json!({ "issuer": " \t" }), "?"),
        ("white space before issuer", json!({ "issuer": " https://login.example.com" }), "?"),
        ("line break after issuer", json!({ "issuer": "https://login.example.com\n" }), "?"),
        ("no-break space after issuer", json!({ "issuer": "login\u{a0}" }), "?"),
        ("white space before keysEndpoint", json!({ "keysEndpoint": " https://login.example.com/keys" }), "?"),
        ("line break after keysEndpoint", json!({ "keysEndpoint": "https://login.example.com/keys\n" }), "?"),
        ("201 chars issuer", json!({ "issuer": x(201) }), "?"),
        ("201 chars é issuer", json!({ "issuer": "é".repeat(201) }), "?"),
        ("201 chars keysEndpoint", json!({ "keysEndpoint": format!("https://{}", x(193)) }), "?"),
        ("201 chars jwtEndpoint", json!({ "jwtEndpoint": format!("https://{}", x(193)) }), "?"),
        ("201 chars headerName", json!({ "headerName": x(201) }), "?"),
        ("ftp", json!({ "keysEndpoint": "ftp://login.example.com/keys" }), "?"),
        ("ftp", json!({ "jwtEndpoint": "ftp://login.example.com/keys" }), "?"),
        ("no scheme", json!({ "keysEndpoint": "login.example.com/keys" }), "?"),
        ("file", json!({ "keysEndpoint": "file:///etc/passwd" }), "?"),
        ("upper case scheme", json!({ "keysEndpoint": "HTTPS://login.example.com/keys" }), "?"),
        ("single slash", json!({ "keysEndpoint": "https:/login.example.com/keys" }), "?"),
        ("http", json!({ "keysEndpoint": "http://login.example.com/keys" }), "?"),
        ("http jwt", json!({ "jwtEndpoint": "http://login.example.com/keys" }), "?"),
        ("http, allow false", json!({ "keysEndpoint": "http://login.example.com/keys", "allowInsecureHttp": false }), "?"),
        ("no host", json!({ "keysEndpoint": "https://" }), "?"),
        ("no host jwt", json!({ "jwtEndpoint": "https://" }), "?"),
        ("no host but path", json!({ "keysEndpoint": "https:///keys" }), "?"),
        ("no host but port", json!({ "keysEndpoint": "https://:443/keys" }), "?"),
        ("no host but query", json!({ "keysEndpoint": "https://?keys" }), "?"),
        ("port of letters", json!({ "keysEndpoint": "https://login.example.com:https/keys" }), "?"),
        ("empty port", json!({ "keysEndpoint": "https://login.example.com:/keys" }), "?"),
        ("port too large", json!({ "keysEndpoint": "https://login.example.com:99999/keys" }), "?"),
        ("port too large", json!({ "jwtEndpoint": "https://login.example.com:65536" }), "?"),
        ("port 0", json!({ "jwtEndpoint": "https://login.example.com:0" }), "?"),
        ("userinfo", json!({ "keysEndpoint": "https://user:password@login.example.com/keys" }), "?"),
        ("userinfo jwt", json!({ "jwtEndpoint": "https://user@login.example.com/keys" }), "?"),
        ("userinfo two @", json!({ "jwtEndpoint": "https://user@a@login.example.com/keys" }), "?"),
        ("fragment", json!({ "keysEndpoint": "https://login.example.com/keys#1" }), "?"),
        ("empty fragment", json!({ "jwtEndpoint": "https://login.example.com#" }), "?"),
        ("space inside", json!({ "keysEndpoint": "https://login.example.com/the keys" }), "?"),
        ("non-ascii host", json!({ "keysEndpoint": "https://lögin.example.com/keys" }), "?"),
        ("non-ascii path", json!({ "jwtEndpoint": "https://login.example.com/schlüssel" }), "?"),
        ("backslash", json!({ "jwtEndpoint": "https://login.example.com\\keys" }), "?"),
        ("ipv6 without brackets", json!({ "jwtEndpoint": "https://2001:db8::1/keys" }), "?"),
        ("quote", json!({ "jwtEndpoint": "\"https://login.example.com\"" }), "?"),
        ("issuer query", json!({ "issuer": "https://login.example.com?realm=1" }), "?"),
        ("issuer fragment", json!({ "issuer": "https://login.example.com/#1" }), "?"),
        ("header space", json!({ "headerName": "x token" }), "?"),
        ("header white space around", json!({ "headerName": "authorization " }), "?"),
        ("header colon", json!({ "headerName": "authorization:" }), "?"),
        ("header non-ascii", json!({ "headerName": "überschrift" }), "?"),
        ("header line break", json!({ "headerName": "a\r\nb" }), "?"),
        ("header cookie", json!({ "headerName": "cookie" }), "?"),
        ("header Host", json!({ "headerName": "Host" }), "?"),
        ("header TE", json!({ "headerName": "Transfer-Encoding" }), "?"),
        ("header blank", json!({ "headerName": " " }), "?"),
        ("number issuer", json!({ "issuer": 1 }), "?"),
        ("list issuer", json!({ "issuer": ["https://login.example.com"] }), "?"),
        ("string bool", json!({ "allowInsecureHttp": "true" }), "?"),
        ("string suspend", json!({ "suspend": "yes" }), "?"),
        ("unknown field", json!({ "jwksUri": "https://login.example.com/keys" }), "?"),
        ("misspelt field", json!({ "headername": "x-token" }), "?"),
        ("secret inline", json!({ "clientSecret": "c2VjcmV0" }), "?"),
        ("two", json!({ "issuer": " ", "keysEndpoint": "ftp://a" }), "?"),
    ];
    all_are_refused(&scene, Kind::Idp, rows).await;
}

#[tokio::test]
async fn tenant_jwt_secrets() {
    let scene = Scene::new("refused-tjs").await;
    let rows: Vec<Row> = vec![
        ("no tenantId", json!({ "tenantId": null }), "?"),
        ("empty", json!({ "tenantId": "" }), "?"),
        ("blank", json!({ "tenantId": " " }), "?"),
        ("white space", json!({ "tenantId": "acme " }), "?"),
        ("nl", json!({ "tenantId": "acme\n" }), "?"),
        ("254", json!({ "tenantId": x(254) }), "?"),
        ("dot", json!({ "tenantId": "acme.example.com." }), "?"),
        ("dash", json!({ "tenantId": "-acme" }), "?"),
        ("space", json!({ "tenantId": "acme corp" }), "?"),
        ("slash", json!({ "tenantId": "acme/corp" }), "?"),
        ("wild", json!({ "tenantId": "*.example.com" }), "?"),
        ("non-ascii", json!({ "tenantId": "größe" }), "?"),
        ("alg HS999", json!({ "signingAlgorithm": "HS999" }), "?"),
        ("alg none", json!({ "signingAlgorithm": "none" }), "?"),
        ("alg RS256", json!({ "signingAlgorithm": "RS256" }), "?"),
        ("alg hs256", json!({ "signingAlgorithm": "hs256" }), "?"),
        ("alg empty", json!({ "signingAlgorithm": "" }), "?"),
        ("alg ws", json!({ "signingAlgorithm": "HS256 " }), "?"),
        ("alg number", json!({ "signingAlgorithm": 256 }), "?"),
        ("secretRef empty", json!({ "secretRef": {} }), "?"),
        ("secretRef name empty", json!({ "secretRef": { "name": "" } }), "?"),
        ("secretRef name upper", json!({ "secretRef": { "name": "Acme" } }), "?"),
        ("secretRef name ws", json!({ "secretRef": { "name": "acme " } }), "?"),
        ("secretRef name namespace", json!({ "secretRef": { "name": "other/acme" } }), "?"),
        ("secretRef name 254", json!({ "secretRef": { "name": x(254) } }), "?"),
        ("secretRef key empty", json!({ "secretRef": { "name": "a", "key": "" } }), "?"),
        ("secretRef key space", json!({ "secretRef": { "name": "a", "key": "my key" } }), "?"),
        ("secretRef key 254", json!({ "secretRef": { "name": "a", "key": x(254) } }), "?"),
        ("secretRef string", json!({ "secretRef": "acme" }), "?"),
        ("secretRef namespace", json!({ "secretRef": { "name": "a", "namespace": "b" } }), "?"),
        ("secretRef own output", json!({ "secretRef": { "name": "wrong-jwt" } }), "?"),
        ("secret inline", json!({ "secret": "c2VjcmV0" }), "?"),
        ("value inline", json!({ "secretRef": { "name": "a", "value": "c2VjcmV0" } }), "?"),
        ("string suspend", json!({ "suspend": "yes" }), "?"),
    ];
    all_are_refused(&scene, Kind::Tjs, rows).await;
}

#[tokio::test]
async fn user_idp_authenticators() {
    let scene = Scene::new("refused-uia").await;
    let mut rows: Vec<Row> = vec![
        ("no userId", json!({ "userId": null }), "?"),
        ("no idpUserId", json!({ "idpUserId": null }), "?"),
        ("no idpUserName", json!({ "idpUserName": null }), "?"),
        ("neither", json!({ "idpRef": null }), "?"),
        ("both", json!({ "idpId": "1" }), "?"),
        ("idpId empty", json!({ "idpRef": null, "idpId": "" }), "?"),
        ("idpId blank", json!({ "idpRef": null, "idpId": " " }), "?"),
        ("idpId ws", json!({ "idpRef": null, "idpId": "1 " }), "?"),
        ("idpId 201", json!({ "idpRef": null, "idpId": x(201) }), "?"),
        ("ref empty", json!({ "idpRef": { "name": null } }), "?"),
        ("ref name empty", json!({ "idpRef": { "name": "" } }), "?"),
        ("ref name Upper", json!({ "idpRef": { "name": "Login" } }), "?"),
        ("ref name 254", json!({ "idpRef": { "name": x(254) } }), "?"),
        ("ref string", json!({ "idpRef": "login" }), "?"),
        ("ref namespace", json!({ "idpRef": { "namespace": "other" } }), "?"),
        ("userId number", json!({ "userId": 69_629_023_906_488_334_u64 }), "?"),
        ("idpUserName tab", json!({ "idpUserName": "\tmini" }), "?"),
        ("idpUserId nbsp", json!({ "idpUserId": "\u{a0}mini" }), "?"),
        ("userId nl", json!({ "userId": "1\n" }), "?"),
        ("password", json!({ "password": "mini" }), "?"),
    ];
    for field in ["userId", "idpUserId", "idpUserName"] {
        rows.push(("empty", json!({ field: "" }), "?"));
        rows.push(("blank", json!({ field: "   " }), "?"));
        rows.push(("201", json!({ field: x(201) }), "?"));
    }
    all_are_refused(&scene, Kind::Uia, rows).await;
}

#[tokio::test]
async fn strategy_instances() {
    let scene = Scene::new("refused-si").await;
    let rows: Vec<Row> = vec![
        ("no type", json!({ "type": null }), "?"),
        ("empty type", json!({ "type": "" }), "?"),
        ("upper", json!({ "type": "UserPass" }), "?"),
        ("ws", json!({ "type": " userpass" }), "?"),
        ("dash", json!({ "type": "userpass-" }), "?"),
        ("underscore", json!({ "type": "github_token" }), "?"),
        ("64", json!({ "type": x(64) }), "?"),
        ("number", json!({ "type": 1 }), "?"),
        ("id empty", json!({ "id": "" }), "?"),
        ("id upper", json!({ "id": "12345678-90AB-CDEF-FEDC-AB0987654321" }), "?"),
        ("id short", json!({ "id": "12345678-90ab-cdef-fedc-ab098765432" }), "?"),
        ("id long", json!({ "id": "12345678-90ab-cdef-fedc-ab09876543210" }), "?"),
        ("id braces", json!({ "id": "{12345678-90ab-cdef-fedc-ab0987654321}" }), "?"),
        ("id no dashes", json!({ "id": "1234567890abcdeffedcab0987654321" }), "?"),
        ("id groups", json!({ "id": "1234567-890ab-cdef-fedc-ab0987654321" }), "?"),
        ("id nl", json!({ "id": "12345678-90ab-cdef-fedc-ab098765432\n" }), "?"),
        ("name empty", json!({ "name": "" }), "?"),
        ("name blank", json!({ "name": " \u{a0}\t" }), "?"),
        ("name 201", json!({ "name": x(201) }), "?"),
        ("name 201 é", json!({ "name": "é".repeat(201) }), "?"),
        ("flag string", json!({ "isLoginActive": "true" }), "?"),
        ("flag number", json!({ "isSyncActive": 1 }), "?"),
        ("flag misspelt", json!({ "isSelfRegistrationActive": true }), "?"),
        ("config secret", json!({ "clientSecret": "c2VjcmV0" }), "?"),
    ];
    all_are_refused(&scene, Kind::Si, rows).await;
}

#[tokio::test]
async fn names() {
    let scene = Scene::new("refused-names").await;
    for (kind, name) in [(Kind::Idp, x(249)), (Kind::Tjs, x(250)), (Kind::Uia, x(254)), (Kind::Si, x(254)), (Kind::Si, "Upper".into())] {
        eprintln!("{:?}", kind.apply(&scene, &name, kind.good()).await);
    }
    panic!();
}

#[tokio::test]
async fn posted() {
    let scene = Scene::new("refused-post").await;
    for (kind, plural, change) in [
        (Kind::Idp, "identityproviders", json!({ "issuer": 1 })),
        (Kind::Idp, "identityproviders", json!({ "issuer": null })),
        (Kind::Idp, "identityproviders", json!({ "keysEndpoint": "ftp://a" })),
        (Kind::Tjs, "tenantjwtsecrets", json!({ "secret": "c2VjcmV0" })),
        (Kind::Uia, "useridpauthenticators", json!({ "userId": 1 })),
        (Kind::Si, "strategyinstances", json!({ "isLoginActive": "true" })),
        (Kind::Si, "strategyinstances", json!({ "isLogin": "true" })),
    ] {
        let object = json!({ "apiVersion": "idp-operator.dev/v1alpha1", "kind": kind.name(), "metadata": { "name": "wrong" }, "spec": kind.with(&change) });
        let request = http::Request::post(format!("/apis/idp-operator.dev/v1alpha1/namespaces/{}/{plural}?fieldValidation=Strict", scene.namespace))
            .header("content-type", "application/json").body(object.to_string().into_bytes()).unwrap();
        eprintln!("{:?}", scene.client.request::<Value>(request).await.map_err(|e| match e { kube::Error::Api(s) => s.message.clone(), e => e.to_string() }));
    }
    panic!();
}

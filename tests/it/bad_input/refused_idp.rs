//! `IdentityProvider`s that are refused when they are created.

use serde_json::json;

use super::{
    DURATION, IDENTIFIER, Kind, LONGER_THAN_200, OBJECT_NAME, REQUIRED,
    Says::{Apply, Empty, Must, Unrepeated, Whole},
    UNKNOWN_FIELD,
    refused::{Row, all_are_refused},
};

const SCHEME: &str = "be a URL that starts with 'https://', or with 'http://' where allowInsecureHttp is true";
const VISIBLE: &str = "be a URL of visible ASCII characters, without white space: percent-encode any others, \
                       or use Punycode ('xn--') in the host";
const HTTPS: &str = "be an 'https://' URL, or allowInsecureHttp must be true";
const FRAGMENT: &str = "be a URL without a fragment ('#')";
const USER_INFO: &str = "be a URL without user info ('user:password@')";
const HOST: &str = "be a URL with a host (an IPv6 address in brackets), and a port from 1 to 65535 if any";
const TOKEN: &str = "be an RFC 9110 token: letters, digits and !#$%&'*+-.^_`|~";
const CARRIER: &str = "be a header that can carry a token: not a hop-by-hop header, 'host' or 'cookie'";
const NO_QUERY: &str = "be without query ('?') and fragment ('#') where it is a URL";

#[tokio::test]
async fn required_fields_lengths_and_types() {
    let row = |what, field, change, says| (what, field, change, says);
    let rows: Vec<Row> = vec![
        row("missing", "jwtEndpoint", json!({ "jwtEndpoint": null }), REQUIRED),
        row("missing", "issuer", json!({ "issuer": null }), REQUIRED),
        row("missing", "keysEndpoint", json!({ "keysEndpoint": null }), REQUIRED),
        row("empty", "jwtEndpoint", json!({ "jwtEndpoint": "" }), Empty),
        row("empty", "issuer", json!({ "issuer": "" }), Empty),
        row("empty", "keysEndpoint", json!({ "keysEndpoint": "" }), Empty),
        row(
            "201 characters",
            "jwtEndpoint",
            json!({ "jwtEndpoint": format!("https://{:x<193}", "") }),
            LONGER_THAN_200,
        ),
        row("201 characters", "issuer", json!({ "issuer": "x".repeat(201) }), LONGER_THAN_200),
        row("201 characters, 402 bytes", "issuer", json!({ "issuer": "é".repeat(201) }), LONGER_THAN_200),
        row(
            "201 characters",
            "keysEndpoint",
            json!({ "keysEndpoint": format!("https://{:x<193}", "") }),
            LONGER_THAN_200,
        ),
        row("201 characters", "headerName", json!({ "headerName": "x".repeat(201) }), LONGER_THAN_200),
        row(
            "a number",
            "issuer",
            json!({ "issuer": 1 }),
            Apply("expected string, got &value.valueUnstructured{Value:1}"),
        ),
        row(
            "a string",
            "allowInsecureHttp",
            json!({ "allowInsecureHttp": "true" }),
            Apply("expected boolean, got &{true}"),
        ),
        row("a string", "suspend", json!({ "suspend": "yes" }), Apply("expected boolean, got &{yes}")),
        row("another name", "jwksUri", json!({ "jwksUri": "https://login.example.com/keys" }), UNKNOWN_FIELD),
        row("misspelt", "headername", json!({ "headername": "x-token" }), UNKNOWN_FIELD),
        row("secret inline", "clientSecret", json!({ "clientSecret": "c2VjcmV0" }), UNKNOWN_FIELD),
    ];
    all_are_refused(Kind::Idp, rows).await;
}

#[tokio::test]
async fn endpoints() {
    let keys = |what, url: &str, says| (what, "keysEndpoint", json!({ "keysEndpoint": url }), says);
    let jwt = |what, url: &str, says| (what, "jwtEndpoint", json!({ "jwtEndpoint": url }), says);
    let rows: Vec<Row> = vec![
        keys("blank", "  ", Must(VISIBLE)),
        keys("white space before", " https://login.example.com/keys", Must(VISIBLE)),
        keys("line break after", "https://login.example.com/keys\n", Must(VISIBLE)),
        keys("white space inside", "https://login.example.com/the keys", Must(VISIBLE)),
        jwt("no-break space after", "https://login.example.com/jwt\u{a0}", Must(VISIBLE)),
        keys("other letters in the host", "https://lögin.example.com/keys", Must(VISIBLE)),
        jwt("other letters in the path", "https://login.example.com/schlüssel", Must(VISIBLE)),
        keys("ftp", "ftp://login.example.com/keys", Must(SCHEME)),
        keys("file", "file:///etc/passwd", Must(SCHEME)),
        jwt("data", "data:application/json,%7B%7D", Must(SCHEME)),
        keys("no scheme", "login.example.com/keys", Must(SCHEME)),
        jwt("scheme of the page", "//login.example.com/jwt", Must(SCHEME)),
        keys("upper-case scheme", "HTTPS://login.example.com/keys", Must(SCHEME)),
        jwt("one slash", "https:/login.example.com/jwt", Must(SCHEME)),
        jwt("in quotes", "\"https://login.example.com/jwt\"", Must(SCHEME)),
        keys("no host", "https://", Must(HOST)),
        keys("path without host", "https:///keys", Must(HOST)),
        jwt("port without host", "https://:443", Must(HOST)),
        keys("query without host", "https://?keys", Must(HOST)),
        jwt("dot as host", "https://.", Must(HOST)),
        keys("port in letters", "https://login.example.com:https/keys", Must(HOST)),
        keys("empty port", "https://login.example.com:/keys", Must(HOST)),
        keys("port 99999", "https://login.example.com:99999/keys", Must(HOST)),
        jwt("port 65536", "https://login.example.com:65536", Must(HOST)),
        jwt("port 0", "https://login.example.com:0", Must(HOST)),
        jwt("backslash", "https://login.example.com\\jwt", Must(HOST)),
        jwt("IPv6 without brackets", "https://2001:db8::1/jwt", Must(HOST)),
        keys("IPv6 with a zone", "https://[fe80::1%25eth0]/keys", Must(HOST)),
        keys("user info", "https://user:password@login.example.com/keys", Unrepeated(USER_INFO)),
        jwt("user", "https://user@login.example.com", Unrepeated(USER_INFO)),
        jwt("two at signs", "https://user@evil@login.example.com", Unrepeated(USER_INFO)),
        keys("empty user info", "https://@login.example.com/keys", Unrepeated(USER_INFO)),
        keys("fragment", "https://login.example.com/keys#1", Must(FRAGMENT)),
        jwt("empty fragment", "https://login.example.com#", Must(FRAGMENT)),
        keys("plain http", "http://login.example.com/keys", Unrepeated(HTTPS)),
        jwt("plain http", "http://login.example.com/jwt", Unrepeated(HTTPS)),
    ];
    all_are_refused(Kind::Idp, rows).await;
}

#[tokio::test]
async fn issuers_and_header_names() {
    let issuer = |what, issuer: &str, says| (what, "issuer", json!({ "issuer": issuer }), says);
    let header = |what, name: &str, says| (what, "headerName", json!({ "headerName": name }), Must(says));
    let rows: Vec<Row> = vec![
        issuer("blank", " \t", IDENTIFIER),
        issuer("white space before", " https://login.example.com", IDENTIFIER),
        issuer("line break after", "https://login.example.com\n", IDENTIFIER),
        issuer("no-break space after", "login\u{a0}", IDENTIFIER),
        issuer("query", "https://login.example.com?realm=1", Must(NO_QUERY)),
        issuer("fragment", "https://login.example.com/#1", Must(NO_QUERY)),
        header("blank", " ", TOKEN),
        header("white space inside", "x token", TOKEN),
        header("white space after", "authorization ", TOKEN),
        header("colon", "authorization:", TOKEN),
        header("other letters", "schlüssel", TOKEN),
        header("two lines", "x-token\r\nhost", TOKEN),
        header("cookie", "cookie", CARRIER),
        header("host", "Host", CARRIER),
        header("connection", "Connection", CARRIER),
        header("hop by hop", "Transfer-Encoding", CARRIER),
        header("proxy", "PROXY-AUTHORIZATION", CARRIER),
    ];
    all_are_refused(Kind::Idp, rows).await;
}

/// Mistakes in two fields are told at once, one complaint each.
#[tokio::test]
async fn two_mistakes() {
    let scene = crate::support::Scene::new("refused").await;
    let spec = Kind::Idp.with(&json!({ "issuer": " ", "keysEndpoint": "ftp://login.example.com" }));
    let issuer = "spec.issuer: Invalid value: \" \": issuer must be without white space around it, and not blank";
    let keys = "spec.keysEndpoint: Invalid value: \"ftp://login.example.com\": keysEndpoint must be a URL that starts \
                with 'https://', or with 'http://' where allowInsecureHttp is true";
    let message = Kind::Idp.apply(&scene, "wrong", spec).await.unwrap_err();
    // The API server names fields in no particular order.
    let prefix = "IdentityProvider.idp-operator.dev \"wrong\" is invalid: ";
    let expected = [format!("{prefix}[{issuer}, {keys}]"), format!("{prefix}[{keys}, {issuer}]")];
    assert!(expected.contains(&message), "{message}");
}

#[tokio::test]
async fn times_and_places_of_keys() {
    let row = |field: &'static str, value: &str, says| {
        let (_, name) = field.rsplit_once('.').unwrap();
        ("wrong", field, json!({ "keys": { name: value } }), says)
    };
    let mut rows: Vec<Row> = Vec::new();
    for (field, bounds, values) in [
        ("keys.refreshInterval", "be 30s to 24h", ["0s", "29s999ms", "24h1ms", "25h", "999999999h"].as_slice()),
        ("keys.staleAfter", "be 1m to 168h", &["0s", "59s", "168h1ms", "169h", "999999999m"]),
    ] {
        rows.extend(["", "5", "5 m", "1.5h", "-1h", "1d"].map(|value| row(field, value, DURATION)));
        rows.extend(values.iter().map(|value| row(field, value, Must(bounds))));
    }
    let twice = "keys.staleAfter must be at least twice refreshInterval";
    for (refresh, stale) in [("5m", "9m59s"), ("24h", "24h"), ("31s", "1m")] {
        let change = json!({ "keys": { "refreshInterval": refresh, "staleAfter": stale } });
        rows.push(("too soon", "spec.keys.staleAfter", change, Whole(twice)));
    }
    for name in ["a..b", "-a", "A", "a_b", "a/b"] {
        rows.push(("wrong", "publish.configMapName", json!({ "publish": { "configMapName": name } }), OBJECT_NAME));
    }
    rows.push(("empty", "publish.configMapName", json!({ "publish": { "configMapName": "" } }), Empty));
    rows.push(("missing", "publish.configMapName", json!({ "publish": {} }), REQUIRED));
    rows.push(("misspelt", "keys.refresh", json!({ "keys": { "refresh": "1h" } }), UNKNOWN_FIELD));
    all_are_refused(Kind::Idp, rows).await;
}

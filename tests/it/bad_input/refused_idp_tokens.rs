//! `IdentityProvider`s that are refused when they are created, for what they say of tokens and of where keys come from.

use serde_json::{Value, json};

use super::{
    DURATION, IDENTIFIER, Kind, LONGER_THAN_200, LONGER_THAN_253, OBJECT_NAME, REQUIRED,
    Says::{self, Apply, Empty, Must, Own, Whole},
    UNKNOWN_FIELD,
    refused::{Row, all_are_refused},
};
use crate::support::Scene;

/// Of an output that would be its own source.
pub const OWN_CONFIG_MAP: &str = "spec.keysFrom.configMapKeyRef.name must be another ConfigMap than the output \
                                  (publish.configMapName, or '<name>-jwks')";
const ALGORITHMS: &[&str] = &["ES256", "ES384", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"];
const KINDS: &[&str] = &["ConfigMap", "Secret"];
const EXPECTATIONS: &[&str] = &["Accept", "Reject"];

/// The API server's words for a value that is none of these.
fn unsupported(value: &str, supported: &[&str]) -> Says {
    let supported: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
    Own(format!("Unsupported value: {value:?}: supported values: {}", supported.join(", ")).leak())
}

#[tokio::test]
async fn names_audiences_and_algorithms() {
    const AUDIENCES: &str = "audiences must each be without white space around it, and not blank";
    let name = |what, name: Value, says| (what, "displayName", json!({ "displayName": name }), says);
    let audiences = |what, field, list: Value, says| (what, field, json!({ "audiences": list }), says);
    let algorithms = |what, field, list: Value, says| (what, field, json!({ "algorithms": list }), says);
    let many: Vec<String> = (0..17).map(|number| number.to_string()).collect();
    let rows: Vec<Row> = vec![
        name("empty", json!(""), Empty),
        name("blank", json!(" \t"), Must("be more than white space")),
        name("201 characters", json!("x".repeat(201)), LONGER_THAN_200),
        ("a string", "linkingAllowed", json!({ "linkingAllowed": "no" }), Apply("expected boolean, got &{no}")),
        audiences("none", "spec.audiences", json!([]), Whole("0: spec.audiences in body should have at least 1 items")),
        audiences("17", "audiences", json!(many), Own("Too many: 17: must have at most 16 items")),
        audiences("empty", "audiences[1]", json!(["api", ""]), Empty),
        audiences("201 characters", "audiences[0]", json!(["x".repeat(201)]), LONGER_THAN_200),
        audiences("blank", "spec.audiences", json!(["api", " "]), Whole(AUDIENCES)),
        audiences("white space before", "spec.audiences", json!([" api"]), Whole(AUDIENCES)),
        audiences("line break after", "spec.audiences", json!(["api\n"]), Whole(AUDIENCES)),
        audiences("twice", "spec.audiences", json!(["a", "b", "a"]), Whole("audiences must have no value twice")),
        audiences("a string", "audiences", json!("api"), Apply("expected list, got &{api}")),
        algorithms(
            "none",
            "spec.algorithms",
            json!([]),
            Whole("0: spec.algorithms in body should have at least 1 items"),
        ),
        algorithms("HMAC", "algorithms[1]", json!(["RS256", "HS256"]), unsupported("HS256", ALGORITHMS)),
        algorithms("unsigned", "algorithms[0]", json!(["none"]), unsupported("none", ALGORITHMS)),
        algorithms("lower case", "algorithms[0]", json!(["rs256"]), unsupported("rs256", ALGORITHMS)),
        algorithms("empty", "algorithms[0]", json!([""]), unsupported("", ALGORITHMS)),
        algorithms("unsupported", "algorithms[0]", json!(["ES512"]), unsupported("ES512", ALGORITHMS)),
        algorithms("twice", "spec.algorithms", json!(["RS256", "RS256"]), Whole("algorithms must have no value twice")),
        algorithms(
            "ten",
            "algorithms",
            json!(["ES256", "ES384", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512", "RS512"]),
            Own("Too many: 10: must have at most 9 items"),
        ),
        algorithms("a string", "algorithms", json!("RS256"), Apply("expected list, got &{RS256}")),
    ];
    all_are_refused(Kind::Idp, rows).await;
}

#[tokio::test]
async fn times() {
    let mut rows: Vec<Row> = Vec::new();
    for (field, bounds, values) in [
        ("clockSkew", "be 0s to 5m", ["5m1ms", "301s", "1h", "999999999h"].as_slice()),
        ("maxTokenAge", "be 1m to 24h", &["0s", "59s999ms", "24h1ms", "25h", "999999999m"]),
    ] {
        let row = |value: &str, says| ("wrong", field, json!({ field: value }), says);
        rows.extend(["", "3", "3 s", "0.5s", "-3s", "1d", "1us", "3S"].map(|value| row(value, DURATION)));
        rows.extend(values.iter().map(|value| row(value, Must(bounds))));
        rows.push((
            "33 characters",
            field,
            json!({ field: format!("{:0>32}s", 3) }),
            Own("Too long: may not be more than 32 bytes"),
        ));
        rows.push((
            "a number",
            field,
            json!({ field: 3 }),
            Apply("expected string, got &value.valueUnstructured{Value:3}"),
        ));
    }
    all_are_refused(Kind::Idp, rows).await;
}

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

#[tokio::test]
async fn certificate_authorities() {
    const ONE: &str = "exactly one of tls.caBundle and tls.caBundleRef must be set";
    const PEM: &str = "tls.caBundle must be PEM with one certificate at least ('-----BEGIN CERTIFICATE-----')";
    const PRIVATE: &str =
        "tls.caBundle must be without private keys: whoever may read this object can read it, so replace that key";
    let tls = |what, field, tls: Value, says| (what, field, json!({ "tls": tls }), says);
    let bundle =
        |what, bundle: String, says| (what, "spec.tls.caBundle", json!({ "tls": { "caBundle": bundle } }), says);
    let reference = |what, field, change: Value, says| {
        let mut reference = json!({ "kind": "ConfigMap", "name": "authorities", "key": "ca.crt" });
        super::merge(&mut reference, &change);
        (what, field, json!({ "tls": { "caBundleRef": reference } }), says)
    };
    let secret = "MHcCAQEEIPrivate";
    let with_key = |type_: &str| format!("{CERTIFICATE}-----BEGIN {type_}-----\n{secret}\n-----END {type_}-----\n");
    let both = json!({ "caBundle": CERTIFICATE, "caBundleRef": { "kind": "Secret", "name": "a", "key": "b" } });
    let rows: Vec<Row> = vec![
        tls("neither", "spec.tls", json!({}), Whole(ONE)),
        tls("both", "spec.tls", both, Whole(ONE)),
        tls("misspelt", "tls.insecureSkipVerify", json!({ "insecureSkipVerify": true }), UNKNOWN_FIELD),
        tls("empty", "tls.caBundle", json!({ "caBundle": "" }), Empty),
        bundle("no certificate", "trust me".to_owned(), Whole(PEM)),
        bundle("base64 of PEM", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==".to_owned(), Whole(PEM)),
        bundle("a request for one", CERTIFICATE.replace("CERTIFICATE", "CERTIFICATE REQUEST"), Whole(PEM)),
        bundle("private key", with_key("PRIVATE KEY"), Whole(PRIVATE)),
        bundle("RSA private key", with_key("RSA PRIVATE KEY"), Whole(PRIVATE)),
        bundle("EC private key", with_key("EC PRIVATE KEY"), Whole(PRIVATE)),
        bundle("encrypted private key", with_key("ENCRYPTED PRIVATE KEY"), Whole(PRIVATE)),
        tls(
            "64 KiB and 1",
            "tls.caBundle",
            json!({ "caBundle": format!("{CERTIFICATE}{}", "\n".repeat(65537 - CERTIFICATE.len())) }),
            Own("Too long: may not be more than 65536 bytes"),
        ),
        reference(
            "other kind",
            "tls.caBundleRef.kind",
            json!({ "kind": "Certificate" }),
            unsupported("Certificate", KINDS),
        ),
        reference(
            "kind in lower case",
            "tls.caBundleRef.kind",
            json!({ "kind": "secret" }),
            unsupported("secret", KINDS),
        ),
        reference("no kind", "tls.caBundleRef.kind", json!({ "kind": null }), REQUIRED),
        reference("no name", "tls.caBundleRef.name", json!({ "name": null }), REQUIRED),
        reference("no key", "tls.caBundleRef.key", json!({ "key": null }), REQUIRED),
        reference("empty name", "tls.caBundleRef.name", json!({ "name": "" }), Empty),
        reference("empty key", "tls.caBundleRef.key", json!({ "key": "" }), Empty),
        reference("upper-case name", "tls.caBundleRef.name", json!({ "name": "Authorities" }), OBJECT_NAME),
        reference("name with namespace", "tls.caBundleRef.name", json!({ "name": "other/authorities" }), OBJECT_NAME),
        reference("long name", "tls.caBundleRef.name", json!({ "name": "x".repeat(254) }), LONGER_THAN_253),
        reference(
            "key with slash",
            "tls.caBundleRef.key",
            json!({ "key": "certs/ca.crt" }),
            Must("be a data key: letters, digits, '-', '_' and '.'"),
        ),
        reference("long key", "tls.caBundleRef.key", json!({ "key": "x".repeat(254) }), LONGER_THAN_253),
        reference("other namespace", "tls.caBundleRef.namespace", json!({ "namespace": "other" }), UNKNOWN_FIELD),
    ];
    all_are_refused(Kind::Idp, rows).await;
}

#[tokio::test]
async fn a_private_key_is_not_repeated() {
    let scene = Scene::new("refused").await;
    let bundle =
        format!("{CERTIFICATE}-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIP\n-----END PRIVATE KEY-----\n");
    for tls in [
        json!({ "caBundle": bundle }),
        json!({ "caBundle": bundle, "caBundleRef": {} }),
        json!({ "caBundle": bundle.repeat(400) }),
    ] {
        let message = Kind::Idp.apply(&scene, "wrong", Kind::Idp.with(&json!({ "tls": tls }))).await.unwrap_err();
        assert!(!message.contains("MC4CAQAwBQYDK2VwBCIEIP"), "{message}");
    }
}

#[tokio::test]
async fn keys_from_a_config_map() {
    let reference = |what, field, change: Value, says| {
        let mut reference = json!({ "name": "keys", "key": "jwks.json" });
        super::merge(&mut reference, &change);
        (what, field, json!({ "keysFrom": { "configMapKeyRef": reference } }), says)
    };
    let field = "keysFrom.configMapKeyRef";
    let rows: Vec<Row> = vec![
        ("empty", field, json!({ "keysFrom": {} }), REQUIRED),
        ("of a Secret", "keysFrom.secretKeyRef", json!({ "keysFrom": { "secretKeyRef": {} } }), UNKNOWN_FIELD),
        reference("no name", "keysFrom.configMapKeyRef.name", json!({ "name": null }), REQUIRED),
        reference("no key", "keysFrom.configMapKeyRef.key", json!({ "key": null }), REQUIRED),
        reference("empty name", "keysFrom.configMapKeyRef.name", json!({ "name": "" }), Empty),
        reference("empty key", "keysFrom.configMapKeyRef.key", json!({ "key": "" }), Empty),
        reference("wrong name", "keysFrom.configMapKeyRef.name", json!({ "name": "my_keys" }), OBJECT_NAME),
        reference("long name", "keysFrom.configMapKeyRef.name", json!({ "name": "x".repeat(254) }), LONGER_THAN_253),
        reference(
            "wrong key",
            "keysFrom.configMapKeyRef.key",
            json!({ "key": "jwks json" }),
            Must("be a data key: letters, digits, '-', '_' and '.'"),
        ),
        reference("long key", "keysFrom.configMapKeyRef.key", json!({ "key": "x".repeat(254) }), LONGER_THAN_253),
        reference("optional", "keysFrom.configMapKeyRef.optional", json!({ "optional": true }), UNKNOWN_FIELD),
    ];
    all_are_refused(Kind::Idp, rows).await;
}

#[tokio::test]
async fn keys_from_the_own_output() {
    let scene = Scene::new("refused").await;
    let from = |name: &str| json!({ "configMapKeyRef": { "name": name, "key": "jwks.json" } });
    for change in [
        json!({ "keysFrom": from("login-jwks") }),
        json!({ "keysFrom": from("output"), "publish": { "configMapName": "output" } }),
    ] {
        let spec = Kind::Idp.with(&change);
        let expected = Whole(OWN_CONFIG_MAP).message(Kind::Idp, "login", &spec, "spec.keysFrom.configMapKeyRef.name");
        assert_eq!(Kind::Idp.apply(&scene, "login", spec).await, Err(expected));
    }
    // The default name is free where another one is set.
    let change = json!({ "keysFrom": from("login-jwks"), "publish": { "configMapName": "output" } });
    Kind::Idp.apply(&scene, "login", Kind::Idp.with(&change)).await.unwrap();
}

#[tokio::test]
async fn examples() {
    const TIME: &str = "be an RFC 3339 time from 1970 to 2999, such as '2026-01-31T23:59:59Z'";
    const ONE: &str = "exactly one of token and claims must be set in each of examples";
    let good = || json!({ "name": "a", "claims": {}, "at": "2026-01-31T12:00:00Z", "expect": "Reject" });
    let example = |what, field, change: Value, says| {
        let mut example = good();
        super::merge(&mut example, &change);
        (what, field, json!({ "examples": [example] }), says)
    };
    let at = |what, at: &str, says| example(what, "examples[0].at", json!({ "at": at }), says);
    let many: Vec<Value> = (0..17)
        .map(|number| {
            let mut example = good();
            example["name"] = json!(number.to_string());
            example
        })
        .collect();
    let rows: Vec<Row> = vec![
        ("17", "examples", json!({ "examples": many }), Own("Too many: 17: must have at most 16 items")),
        (
            "two of a name",
            "examples",
            json!({ "examples": [good(), good()] }),
            Apply("duplicate entries for key [name=\"a\"]"),
        ),
        (
            "no list",
            "examples",
            json!({ "examples": good() }),
            Apply("expected list, got &{map[at:2026-01-31T12:00:00Z claims:map[] expect:Reject name:a]}"),
        ),
        example("neither", "spec.examples[0]", json!({ "claims": null }), Whole(ONE)),
        example("both", "spec.examples[0]", json!({ "token": "a.b.c" }), Whole(ONE)),
        example(
            "no name",
            "examples",
            json!({ "name": null }),
            Apply(
                "element 0: associative list with keys has an element that omits all key fields [\"name\"] (and doesn't have default values for any key fields)",
            ),
        ),
        example("empty name", "examples[0].name", json!({ "name": "" }), Empty),
        example("blank name", "examples[0].name", json!({ "name": " " }), IDENTIFIER),
        example(
            "name of 64 characters",
            "examples[0].name",
            json!({ "name": "x".repeat(64) }),
            Own("Too long: may not be more than 63 bytes"),
        ),
        example("empty token", "examples[0].token", json!({ "claims": null, "token": "" }), Empty),
        example(
            "token of 8200 characters",
            "examples[0].token",
            json!({ "claims": null, "token": "x".repeat(8200) }),
            Own("Too long: may not be more than 8199 bytes"),
        ),
        example(
            "claims in a list",
            "examples[name=\"a\"].claims",
            json!({ "claims": [] }),
            Apply("expected map, got &{[]}"),
        ),
        example(
            "claims in a string",
            "examples[name=\"a\"].claims",
            json!({ "claims": "{}" }),
            Apply("expected map, got &{{}}"),
        ),
        example("no time", "examples[0].at", json!({ "at": null }), REQUIRED),
        at("empty time", "", Must(TIME)),
        at("only a day", "2026-01-31", Must(TIME)),
        at("no zone", "2026-01-31T12:00:00", Must(TIME)),
        at("space between", "2026-01-31 12:00:00Z", Must(TIME)),
        at("lower case", "2026-01-31t12:00:00z", Must(TIME)),
        at("no seconds", "2026-01-31T12:00Z", Must(TIME)),
        at("seconds since 1970", "1769860800", Must(TIME)),
        at("30 February", "2026-02-30T12:00:00Z", Must(TIME)),
        at("29 February", "2027-02-29T12:00:00Z", Must(TIME)),
        at("24 o'clock", "2026-01-31T24:00:00Z", Must(TIME)),
        at("leap second", "2016-12-31T23:59:60Z", Must(TIME)),
        at("1969", "1969-12-31T23:59:59Z", Must(TIME)),
        at("3000", "3000-01-01T00:00:00Z", Must(TIME)),
        at("year of five digits", "12026-01-31T12:00:00Z", Must(TIME)),
        at("ten digits of a second", "2026-01-31T12:00:00.0123456789Z", Must(TIME)),
        at("zone of 24 hours", "2026-01-31T12:00:00+24:00", Must(TIME)),
        at("zone of 60 minutes", "2026-01-31T12:00:00-01:60", Must(TIME)),
        at("zone far out", "2026-01-31T12:00:00+99:99", Must(TIME)),
        at("named zone", "2026-01-31T12:00:00Z[UTC]", Must(TIME)),
        example("no expectation", "examples[0].expect", json!({ "expect": null }), REQUIRED),
        example("lower case", "examples[0].expect", json!({ "expect": "reject" }), unsupported("reject", EXPECTATIONS)),
        example("another word", "examples[0].expect", json!({ "expect": "Deny" }), unsupported("Deny", EXPECTATIONS)),
        example("misspelt", "examples[name=\"a\"].expected", json!({ "expected": "Accept" }), UNKNOWN_FIELD),
        example("kid beside", "examples[name=\"a\"].kid", json!({ "kid": "a" }), UNKNOWN_FIELD),
    ];
    all_are_refused(Kind::Idp, rows).await;
}

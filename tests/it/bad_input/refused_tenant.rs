//! What `TenantJwtSecret`s say of rotation, output and template, and is refused when they are created.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    DURATION, Kind, LONGER_THAN_253, OBJECT_NAME,
    Says::{Apply, Empty, Must, Own, Whole},
    UNKNOWN_FIELD,
    refused::{Row, all_are_refused},
};

#[tokio::test]
async fn durations() {
    let row = |field: &'static str, value: &str, says| {
        let (_, name) = field.rsplit_once('.').unwrap();
        let change = json!({ "rotation": { name: value } });
        ("wrong", field, change, says)
    };
    let mut rows: Vec<Row> = Vec::new();
    for (field, says) in [
        ("rotation.interval", "be 1h to 87600h"),
        ("rotation.gracePeriod", "be 0s to 8760h"),
        ("rotation.leadTime", "be 0s to 24h"),
    ] {
        let malformed = [
            "",
            " ",
            "1",
            "h",
            "-1h",
            "+1h",
            "1.5h",
            "1d",
            "1w",
            "1y",
            "1H",
            "1us",
            "1ns",
            "1 h",
            " 1h",
            "1h ",
            "1h\n",
            "1h-1m",
            "P1D",
            "soon",
            "1234567890h",
            "1h30",
            "\u{661}h",
        ];
        rows.extend(malformed.map(|value| row(field, value, DURATION)));
        // Whatever would overflow is out of bounds too.
        let overflowing = ["999999999h", "999999999m", "99999999m1s", "99999h99999h99999h", "1h999999999h"];
        rows.extend(overflowing.map(|value| row(field, value, Must(says))));
        rows.push(row(field, &"1h".repeat(17), Own("Too long: may not be more than 32 bytes")));
    }
    for (field, bound, values) in [
        (
            "rotation.interval",
            "be 1h to 87600h",
            ["0h", "0s", "59m59s999ms", "87600h1ms", "87601h", "5256001m"].as_slice(),
        ),
        ("rotation.gracePeriod", "be 0s to 8760h", &["8760h1ms", "8761h", "525601m", "31536001s"]),
        ("rotation.leadTime", "be 0s to 24h", &["24h1ms", "25h", "1441m", "86401s", "86400001ms"]),
    ] {
        rows.extend(values.iter().map(|value| row(field, value, Must(bound))));
    }
    for (field, name) in [("rotation.interval", "interval"), ("rotation.leadTime", "leadTime")] {
        let says = Apply("expected string, got &value.valueUnstructured{Value:3600}");
        rows.push(("a number", field, json!({ "rotation": { name: 3600 } }), says));
    }
    rows.push(("misspelt", "rotation.leadtime", json!({ "rotation": { "leadtime": "1h" } }), UNKNOWN_FIELD));
    all_are_refused(Kind::Tjs, rows).await;
}

#[tokio::test]
async fn rotations() {
    const INTERVAL: &str = "rotation.interval must be more than leadTime and gracePeriod together";
    let interval =
        |what, rotation: Value| (what, "spec.rotation.interval", json!({ "rotation": rotation }), Whole(INTERVAL));
    let with_source = |what, rotation: Value, words| {
        (what, "spec.rotation", json!({ "secretRef": { "name": "source" }, "rotation": rotation }), Whole(words))
    };
    let at_source = "rotation.interval must be absent with secretRef: a referenced value is replaced at its source";
    let at_once = "rotation.leadTime must be 0s with secretRef: a referenced value is published at once";
    let rows: Vec<Row> = vec![
        interval("less than the default grace period", json!({ "interval": "23h" })),
        interval("as long as the default grace period", json!({ "interval": "24h" })),
        interval("as long as both", json!({ "interval": "3h", "leadTime": "1h", "gracePeriod": "2h" })),
        interval("less than both", json!({ "interval": "3h", "leadTime": "2h", "gracePeriod": "2h" })),
        interval("in other units", json!({ "interval": "60m", "leadTime": "3599s1ms", "gracePeriod": "999ms" })),
        interval("the longest ones", json!({ "interval": "8784h", "leadTime": "24h", "gracePeriod": "8760h" })),
        with_source("an interval", json!({ "interval": "100h" }), at_source),
        with_source("a lead time", json!({ "leadTime": "1ms" }), at_once),
        with_source("a lead time of several parts", json!({ "leadTime": "0h1m" }), at_once),
    ];
    all_are_refused(Kind::Tjs, rows).await;
}

#[tokio::test]
async fn outputs() {
    let name = |what, name: &str, says| (what, "secretName", json!({ "secretName": name }), says);
    let policy = |what, policy: &str, words| (what, "deletionPolicy", json!({ "deletionPolicy": policy }), Own(words));
    let rows: Vec<Row> = vec![
        name("empty", "", Empty),
        name("254 characters", &"x".repeat(254), LONGER_THAN_253),
        name("upper case", "Output", OBJECT_NAME),
        name("blank", " ", OBJECT_NAME),
        name("white space after", "output ", OBJECT_NAME),
        name("line break after", "output\n", OBJECT_NAME),
        name("of another namespace", "other/output", OBJECT_NAME),
        name("underscore", "my_output", OBJECT_NAME),
        name("a dot first", ".output", OBJECT_NAME),
        name("a dash last", "output-", OBJECT_NAME),
        name("two dots", "my..output", OBJECT_NAME),
        name("a dash before a dot", "my-.output", OBJECT_NAME),
        name("a dash after a dot", "my.-output", OBJECT_NAME),
        policy("unknown", "Keep", r#"Unsupported value: "Keep": supported values: "Delete", "Retain""#),
        policy("lower case", "retain", r#"Unsupported value: "retain": supported values: "Delete", "Retain""#),
        policy("empty", "", r#"Unsupported value: "": supported values: "Delete", "Retain""#),
        ("a string", "adopt", json!({ "adopt": "true" }), Apply("expected boolean, got &{true}")),
        ("a list", "outputs", json!({ "outputs": ["jwks"] }), Apply("expected map, got &{[jwks]}")),
        ("unknown", "outputs.pem", json!({ "outputs": { "pem": true } }), UNKNOWN_FIELD),
    ];
    all_are_refused(Kind::Tjs, rows).await;
}

#[tokio::test]
async fn templates() {
    const FORM: &str = "must have keys of the form 'name' or 'prefix/name': a name of at most 63 letters, digits, '-', '_' \
                        and '.', a prefix that is a DNS subdomain";
    const RESERVED: &str = "must be without keys of '*kubernetes.io/', '*k8s.io/' and 'idp-operator.dev/'";
    const VALUES: &str =
        "must have values of at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends";
    let leak = |field: &str, words: &str| -> &'static str { format!("{field} {words}").leak() };
    let mut rows: Vec<Row> = Vec::new();
    for (field, path) in [("labels", "spec.template.labels"), ("annotations", "spec.template.annotations")] {
        let key = |key: &str, words| -> Row {
            (path, path, json!({ "template": { field: { key: "x" } } }), Whole(leak(field, words)))
        };
        let long = "x".repeat(64);
        let long_prefix = format!("{}/x", "x".repeat(254));
        let malformed = [
            "",
            " ",
            "/",
            "a/",
            "/a",
            "a/b/c",
            "a b",
            "a\n",
            "-a",
            "a-",
            ".a",
            "a_",
            "A.example/x",
            "a..b/x",
            "a.-b/x",
            "-a/x",
            "a-/x",
            "a_b/x",
            "größe",
            long.as_str(),
            long_prefix.as_str(),
        ];
        rows.extend(malformed.map(|name| key(name, FORM)));
        let reserved = [
            "kubernetes.io/x",
            "app.kubernetes.io/x",
            "k8s.io/x",
            "x.k8s.io/y",
            "node.x.k8s.io/y",
            "mykubernetes.io/x",
            "idp-operator.dev/managed",
            "idp-operator.dev/z",
        ];
        rows.extend(reserved.map(|name| key(name, RESERVED)));
        let many: BTreeMap<String, &str> = (0..17).map(|number| (format!("a{number}"), "x")).collect();
        let too_many = Own("Too many: 17: must have at most 16 items");
        let bare = if field == "labels" { "template.labels" } else { "template.annotations" };
        rows.push(("17", bare, json!({ "template": { field: many } }), too_many));
    }
    let label = |what, value: &str| {
        let change = json!({ "template": { "labels": { "a": value } } });
        (what, "spec.template.labels", change, Whole(leak("labels", VALUES)))
    };
    let long = |field: &'static str, map: &str, length: usize, words| {
        ("too long", field, json!({ "template": { map: { "a": "x".repeat(length) } } }), Own(words))
    };
    let number = Apply("expected string, got &value.valueUnstructured{Value:1}");
    rows.extend([
        label("blank", " "),
        label("white space after", "x "),
        label("line break after", "x\n"),
        label("a dash first", "-x"),
        label("a dot last", "x."),
        label("a slash", "x/y"),
        label("other letters", "größe"),
        long("template.labels.a", "labels", 64, "Too long: may not be more than 63 bytes"),
        long("template.annotations.a", "annotations", 2049, "Too long: may not be more than 2048 bytes"),
        ("a number", "template.labels.a", json!({ "template": { "labels": { "a": 1 } } }), number),
        ("unknown", "template.name", json!({ "template": { "name": "x" } }), UNKNOWN_FIELD),
    ]);
    all_are_refused(Kind::Tjs, rows).await;
}

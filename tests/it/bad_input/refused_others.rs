//! Objects of the other three kinds that are refused when they are created.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    IDENTIFIER, Kind, LONGER_THAN_200, LONGER_THAN_253, OBJECT_NAME, REQUIRED,
    Says::{self, Apply, Empty, Must, Own, Whole},
    UNKNOWN_FIELD,
    refused::{Row, all_are_refused},
};

#[tokio::test]
async fn tenant_jwt_secrets() {
    const TENANT: Says = Must("be a tenant id or FQDN: letters and digits, with '.', '_' and '-' inside");
    let tenant = |what, id: &str| (what, "tenantId", json!({ "tenantId": id }), TENANT);
    let algorithm =
        |what, name: &str, words| (what, "signingAlgorithm", json!({ "signingAlgorithm": name }), Own(words));
    let name = |what, name: &str, says| (what, "secretRef.name", json!({ "secretRef": { "name": name } }), says);
    let key =
        |what, key: &str, says| (what, "secretRef.key", json!({ "secretRef": { "name": "source", "key": key } }), says);
    let rows: Vec<Row> = vec![
        ("missing", "tenantId", json!({ "tenantId": null }), REQUIRED),
        ("empty", "tenantId", json!({ "tenantId": "" }), Empty),
        ("254 characters", "tenantId", json!({ "tenantId": "x".repeat(254) }), LONGER_THAN_253),
        tenant("blank", " "),
        tenant("white space after", "acme "),
        tenant("line break after", "acme\n"),
        tenant("trailing dot", "acme.example.com."),
        tenant("leading dash", "-acme"),
        tenant("white space inside", "acme corp"),
        tenant("slash", "acme/corp"),
        tenant("wildcard", "*.example.com"),
        tenant("other letters", "größe"),
        algorithm("unknown", "HS999", r#"Unsupported value: "HS999": supported values: "HS256", "HS384", "HS512""#),
        algorithm("none", "none", r#"Unsupported value: "none": supported values: "HS256", "HS384", "HS512""#),
        algorithm("asymmetric", "RS256", r#"Unsupported value: "RS256": supported values: "HS256", "HS384", "HS512""#),
        algorithm("lower case", "hs256", r#"Unsupported value: "hs256": supported values: "HS256", "HS384", "HS512""#),
        algorithm(
            "white space after",
            "HS256 ",
            r#"Unsupported value: "HS256 ": supported values: "HS256", "HS384", "HS512""#,
        ),
        algorithm("empty", "", r#"Unsupported value: "": supported values: "HS256", "HS384", "HS512""#),
        ("missing", "secretRef.name", json!({ "secretRef": {} }), REQUIRED),
        name("empty", "", Empty),
        name("254 characters", &"x".repeat(254), LONGER_THAN_253),
        name("upper case", "Source", OBJECT_NAME),
        name("white space after", "source ", OBJECT_NAME),
        name("of another namespace", "other/source", OBJECT_NAME),
        name("two dots", "my..source", OBJECT_NAME),
        key("empty", "", Empty),
        key("254 characters", &"x".repeat(254), LONGER_THAN_253),
        key("white space inside", "my key", Must("be a data key: letters, digits, '-', '_' and '.'")),
        ("a string", "secretRef", json!({ "secretRef": "source" }), Apply("expected map, got &{source}")),
        (
            "a number",
            "signingAlgorithm",
            json!({ "signingAlgorithm": 256 }),
            Apply("expected string, got &value.valueUnstructured{Value:256}"),
        ),
        (
            "another namespace",
            "secretRef.namespace",
            json!({ "secretRef": { "name": "source", "namespace": "other" } }),
            UNKNOWN_FIELD,
        ),
        ("secret inline", "secret", json!({ "secret": "c2VjcmV0" }), UNKNOWN_FIELD),
        (
            "secret inline",
            "secretRef.value",
            json!({ "secretRef": { "name": "source", "value": "c2VjcmV0" } }),
            UNKNOWN_FIELD,
        ),
    ];
    all_are_refused(Kind::Tjs, rows).await;
}

#[tokio::test]
async fn user_idp_authenticators() {
    const EXACTLY_ONE: Says = Whole("exactly one of idpRef and idpId must be set");
    const NO_KEY: &str = "element 0: associative list with keys has an element that omits all key fields [\"name\"] (and \
                          doesn't have default values for any key fields)";
    const NO_MAP: &str = "element 0: associative list with keys may not have non-map elements";
    const OWN_IDP: &str = "requires must name further IdentityProviders, not the one of idpRef";
    let id = |what, id: &str, says| (what, "idpId", json!({ "idpRef": null, "idpId": id }), says);
    let name = |what, name: &str, says| (what, "idpRef.name", json!({ "idpRef": { "name": name } }), says);
    let mut rows: Vec<Row> = vec![
        ("neither idpRef nor idpId", "spec", json!({ "idpRef": null }), EXACTLY_ONE),
        ("both idpRef and idpId", "spec", json!({ "idpId": "1" }), EXACTLY_ONE),
        id("empty", "", Empty),
        id("blank", " ", IDENTIFIER),
        id("white space after", "1 ", IDENTIFIER),
        id("201 characters", &"1".repeat(201), LONGER_THAN_200),
        ("missing", "idpRef.name", json!({ "idpRef": { "name": null } }), REQUIRED),
        name("empty", "", Empty),
        name("upper case", "Login", OBJECT_NAME),
        name("254 characters", &"x".repeat(254), LONGER_THAN_253),
        ("a string", "idpRef", json!({ "idpRef": "login" }), Apply("expected map, got &{login}")),
        ("another namespace", "idpRef.namespace", json!({ "idpRef": { "namespace": "other" } }), UNKNOWN_FIELD),
        (
            "a number",
            "userId",
            json!({ "userId": 69_629_023_906_488_334_u64 }),
            Apply("expected string, got &value.valueUnstructured{Value:69629023906488334}"),
        ),
        ("secret inline", "password", json!({ "password": "c2VjcmV0" }), UNKNOWN_FIELD),
    ];
    let requires =
        |names: &[&str]| json!({ "requires": names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>() });
    let entry = |what, name: &str, says| (what, "requires[0].name", requires(&[name]), says);
    let nine: Vec<String> = (0..9).map(|number| format!("idp{number}")).collect();
    rows.extend([
        ("own IdentityProvider", "spec.requires", requires(&["github", "login"]), Whole(OWN_IDP)),
        ("twice", "requires", requires(&["github", "github"]), Apply(r#"duplicate entries for key [name="github"]"#)),
        (
            "nine entries",
            "requires",
            requires(&nine.iter().map(String::as_str).collect::<Vec<_>>()),
            Own("Too many: 9: must have at most 8 items"),
        ),
        entry("empty", "", Empty),
        entry("upper case", "GitHub", OBJECT_NAME),
        entry("white space after", "github ", OBJECT_NAME),
        entry("of another namespace", "other/github", OBJECT_NAME),
        entry("254 characters", &"x".repeat(254), LONGER_THAN_253),
        ("no name", "requires", json!({ "requires": [{}] }), Apply(NO_KEY)),
        (
            "another namespace",
            r#"requires[name="github"].namespace"#,
            json!({ "requires": [{ "name": "github", "namespace": "other" }] }),
            UNKNOWN_FIELD,
        ),
        ("names", "requires", json!({ "requires": ["github"] }), Apply(NO_MAP)),
        ("one name", "requires", json!({ "requires": "github" }), Apply("expected list, got &{github}")),
    ]);
    for field in ["userId", "idpUserId", "idpUserName"] {
        rows.extend([
            ("missing", field, json!({ field: null }), REQUIRED),
            ("empty", field, json!({ field: "" }), Empty),
            ("blank", field, json!({ field: "   " }), IDENTIFIER),
            ("tab before", field, json!({ field: "\tmini" }), IDENTIFIER),
            ("line break after", field, json!({ field: "mini\n" }), IDENTIFIER),
            ("no-break space before", field, json!({ field: "\u{a0}mini" }), IDENTIFIER),
            ("201 characters", field, json!({ field: "x".repeat(201) }), LONGER_THAN_200),
        ]);
    }
    all_are_refused(Kind::Uia, rows).await;
}

#[tokio::test]
async fn strategy_instances() {
    const TYPE: Says = Must("be a strategy type: lower-case letters and digits, with '-' inside");
    const UUID: Says = Must("be a UUID of 8-4-4-4-12 lower-case hexadecimal digits");
    const NOT_BLANK: Says = Must("be more than white space");
    const KEYS: Says = Whole("config must have keys of 1 to 63 letters, digits, '-', '_' and '.'");
    let policy =
        |what, policy: &str, words| (what, "capabilityPolicy", json!({ "capabilityPolicy": policy }), Own(words));
    let text = |what, field: &'static str, value: &str, says| (what, field, json!({ field: value }), says);
    let secret =
        |what, name: &str, says| (what, "configSecretRef.name", json!({ "configSecretRef": { "name": name } }), says);
    let rows: Vec<Row> = vec![
        ("missing", "type", json!({ "type": null }), REQUIRED),
        text("empty", "type", "", Empty),
        text("upper case", "type", "UserPass", TYPE),
        text("white space before", "type", " userpass", TYPE),
        text("dash at the end", "type", "userpass-", TYPE),
        text("underscore", "type", "github_token", TYPE),
        text("64 characters", "type", &"x".repeat(64), Own("Too long: may not be more than 63 bytes")),
        text("empty", "id", "", UUID),
        text("upper case", "id", "12345678-90AB-CDEF-FEDC-AB0987654321", UUID),
        text("a digit less", "id", "12345678-90ab-cdef-fedc-ab098765432", UUID),
        text(
            "a digit more",
            "id",
            "12345678-90ab-cdef-fedc-ab09876543210",
            Own("Too long: may not be more than 36 bytes"),
        ),
        text(
            "in braces",
            "id",
            "{12345678-90ab-cdef-fedc-ab0987654321}",
            Own("Too long: may not be more than 36 bytes"),
        ),
        text("without dashes", "id", "1234567890abcdeffedcab0987654321", UUID),
        text("other groups", "id", "1234567-890ab-cdef-fedc-ab0987654321", UUID),
        text("line break after", "id", "12345678-90ab-cdef-fedc-ab098765432\n", UUID),
        text("empty", "name", "", Empty),
        text("blank", "name", " \u{a0}\t", NOT_BLANK),
        text("201 characters", "name", &"x".repeat(201), LONGER_THAN_200),
        text("201 characters, 402 bytes", "name", &"é".repeat(201), LONGER_THAN_200),
        text("a string", "isLoginActive", "true", Apply("expected boolean, got &{true}")),
        ("a number", "isSyncActive", json!({ "isSyncActive": 1 }), Apply("expected boolean, got &{1}")),
        ("a string", "doesImplicitRegister", json!({ "doesImplicitRegister": "" }), Apply("expected boolean, got &{}")),
        policy("unknown", "Ignore", r#"Unsupported value: "Ignore": supported values: "Reject", "Clamp""#),
        policy("lower case", "clamp", r#"Unsupported value: "clamp": supported values: "Reject", "Clamp""#),
        policy("empty", "", r#"Unsupported value: "": supported values: "Reject", "Clamp""#),
        (
            "a boolean",
            "capabilityPolicy",
            json!({ "capabilityPolicy": true }),
            Apply("expected string, got &value.valueUnstructured{Value:true}"),
        ),
        ("empty key", "spec.config", json!({ "config": { "": "hunter2" } }), KEYS),
        ("64 characters", "spec.config", json!({ "config": { "x".repeat(64): "hunter2" } }), KEYS),
        ("slash", "spec.config", json!({ "config": { "a/b": "hunter2" } }), KEYS),
        ("other letters", "spec.config", json!({ "config": { "größe": "hunter2" } }), KEYS),
        ("line break after", "spec.config", json!({ "config": { "a\n": "hunter2" } }), KEYS),
        (
            "33",
            "config",
            json!({ "config": (0..33).map(|key| (key.to_string(), "hunter2")).collect::<BTreeMap<_, _>>() }),
            Own("Too many: 33: must have at most 32 items"),
        ),
        (
            "1025 characters",
            "config.a",
            json!({ "config": { "a": "x".repeat(1025) } }),
            Own("Too long: may not be more than 1024 bytes"),
        ),
        (
            "a number",
            "config.a",
            json!({ "config": { "a": 8080 } }),
            Apply("expected string, got &value.valueUnstructured{Value:8080}"),
        ),
        (
            "a boolean",
            "config.a",
            json!({ "config": { "a": true } }),
            Apply("expected string, got &value.valueUnstructured{Value:true}"),
        ),
        (
            "a list",
            "config.a",
            json!({ "config": { "a": ["x"] } }),
            Apply(r#"expected string, got &value.valueUnstructured{Value:[]interface {}{"x"}}"#),
        ),
        (
            "a list",
            "config",
            json!({ "config": [{ "key": "a", "value": "x" }] }),
            Apply("expected map, got &{[map[key:a value:x]]}"),
        ),
        ("a string", "config", json!({ "config": "a=x" }), Apply("expected map, got &{a=x}")),
        (
            "a string",
            "configSecretRef",
            json!({ "configSecretRef": "settings" }),
            Apply("expected map, got &{settings}"),
        ),
        ("missing", "configSecretRef.name", json!({ "configSecretRef": {} }), REQUIRED),
        secret("empty", "", Empty),
        secret("upper case", "Settings", OBJECT_NAME),
        secret("of another namespace", "other/settings", OBJECT_NAME),
        secret("254 characters", &"x".repeat(254), LONGER_THAN_253),
        (
            "another namespace",
            "configSecretRef.namespace",
            json!({ "configSecretRef": { "name": "settings", "namespace": "other" } }),
            UNKNOWN_FIELD,
        ),
        (
            "one key",
            "configSecretRef.key",
            json!({ "configSecretRef": { "name": "settings", "key": "clientId" } }),
            UNKNOWN_FIELD,
        ),
        ("misspelt", "isSelfRegistrationActive", json!({ "isSelfRegistrationActive": true }), UNKNOWN_FIELD),
        ("secret inline", "clientSecret", json!({ "clientSecret": "c2VjcmV0" }), UNKNOWN_FIELD),
    ];
    all_are_refused(Kind::Si, rows).await;
}

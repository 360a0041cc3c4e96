//! `StrategyInstance`s that are accepted and answered in status.

use std::collections::BTreeMap;

use idp_operator::api::StrategyInstance;
use serde_json::{Value, json};

use super::{Answer, Kind, expect_answers};
use crate::support::{Scene, ready};

const IN_FORCE: &str = "the flags in status.effective are in force";

type Row = (&'static str, Value, Answer);

/// Applies them all, and waits for their answers.
async fn all_answer(rows: Vec<Row>) {
    let scene = Scene::new("strategies").await;
    let _operator = scene.operator().await;
    scene.secret_with("full", &[("clientId", "x"), ("clientSecret", "y"), ("more", "z")]).await;
    scene.secret_with("half", &[("clientId", ""), ("clientSecret", "y")]).await;
    let mut expected = BTreeMap::new();
    for (name, change, answer) in rows {
        scene.apply::<StrategyInstance>(name, Kind::Si.with(&change)).await;
        expected.insert(name.to_owned(), answer);
    }
    expect_answers::<StrategyInstance>(&scene, expected).await;
}

#[tokio::test]
async fn of_their_type_and_flags() {
    const LOGIN: &str = "isLoginActive must be false or absent: type 'github-token' has no canLoginRegister";
    const REGISTER: &str = "isSelfRegisterActive must be false or absent: type 'github-token' has no canLoginRegister";
    const SYNC: &str = "isSyncActive must be false or absent: type 'userpass' has no canSync";
    const IMPLICIT: &str = "doesImplicitRegister must be false or absent: type 'userpass' has no allowsImplicitSignup";
    let unknown = |type_: &str| {
        Answer::new(
            "False UnknownStrategyType Stalled",
            &format!(
                "type '{type_}' is not known: it must be one of userpass, github, jira, github-token, jira-token-cloud, \
                 jira-token-datacenter"
            ),
            &["404 unknown-strategy-type /spec/type"],
        )
    };
    let excess = |messages: &[&str], flags: &[&str]| {
        let errors: Vec<String> =
            flags.iter().map(|flag| format!("400 capability-not-supported /spec/{flag}")).collect();
        let errors: Vec<&str> = errors.iter().map(String::as_str).collect();
        Answer::new("False CapabilityNotSupported Stalled", &messages.join("; "), &errors)
    };
    let ready = |more: &str| Answer::new("True Ready", &format!("{IN_FORCE}{more}"), &[]);
    let clamp = "Clamp";
    all_answer(vec![
        ("unknown", json!({ "type": "ldap" }), unknown("ldap")),
        ("unknown-flags", json!({ "type": "userpass2", "isSyncActive": true }), unknown("userpass2")),
        ("unknown-clamped", json!({ "type": "jira-token", "capabilityPolicy": clamp }), unknown("jira-token")),
        ("login", json!({ "type": "github-token", "isLoginActive": true }), excess(&[LOGIN], &["isLoginActive"])),
        (
            "register",
            json!({ "type": "github-token", "isSelfRegisterActive": true }),
            excess(&[REGISTER], &["isSelfRegisterActive"]),
        ),
        ("sync", json!({ "isSyncActive": true }), excess(&[SYNC], &["isSyncActive"])),
        ("implicit", json!({ "doesImplicitRegister": true }), excess(&[IMPLICIT], &["doesImplicitRegister"])),
        (
            "several",
            json!({ "isLoginActive": true, "isSyncActive": true, "doesImplicitRegister": true }),
            excess(&[SYNC, IMPLICIT], &["isSyncActive", "doesImplicitRegister"]),
        ),
        (
            "several-clamped",
            json!({ "isSyncActive": true, "doesImplicitRegister": true, "capabilityPolicy": clamp }),
            ready(
                "; isSyncActive is off: type 'userpass' has no canSync; doesImplicitRegister is off: type 'userpass' has no \
                 allowsImplicitSignup",
            ),
        ),
        (
            "clamped-to-no-effect",
            json!({ "type": "github-token", "isSelfRegisterActive": true, "capabilityPolicy": clamp }),
            ready(
                "; isSelfRegisterActive is off: type 'github-token' has no canLoginRegister; isSelfRegisterActive has no \
                 effect while isLoginActive is off in status.effective",
            ),
        ),
        (
            "without-login",
            json!({ "isLoginActive": false, "isSelfRegisterActive": true }),
            ready("; isSelfRegisterActive has no effect while isLoginActive is off in status.effective"),
        ),
        ("without-login-by-default", json!({ "isLoginActive": false }), ready("")),
        ("off-is-fine", json!({ "isSyncActive": false, "doesImplicitRegister": false }), ready("")),
        ("nothing-to-clamp", json!({ "isSyncActive": false, "capabilityPolicy": clamp }), ready("")),
    ])
    .await;
}

#[tokio::test]
async fn of_their_settings() {
    const URL: &str =
        "config.root-url must be an 'http://' or 'https://' URL with a host, without user info and fragment";
    let invalid = |messages: &[&str], pointers: &[&str]| {
        let errors: Vec<String> = pointers.iter().map(|pointer| format!("400 invalid-config {pointer}")).collect();
        let errors: Vec<&str> = errors.iter().map(String::as_str).collect();
        Answer::new("False InvalidConfig Stalled", &messages.join("; "), &errors)
    };
    let missing = |message: &str| {
        Answer::new(
            "False ConfigSecretNotFound Reconciling",
            message,
            &["404 config-secret-not-found /spec/configSecretRef/name"],
        )
    };
    let nowhere = "configSecretRef must name a Secret of this namespace: there is none of the name 'nowhere'";
    let exposed = |key: &str| {
        format!(
            "config.{key} must be moved to the Secret of configSecretRef; if it is a secret, its value must be replaced"
        )
    };
    let ready = || Answer::new("True Ready", IN_FORCE, &[]);
    let secret = |name: &str| json!({ "type": "github", "configSecretRef": { "name": name } });
    let cloud = |url: &str| json!({ "type": "jira-token-cloud", "config": { "root-url": url } });
    let jira = |config: Value, secret: Value| json!({ "type": "jira", "config": config, "configSecretRef": secret });
    let full = || json!({ "name": "full" });
    all_answer(vec![
        ("good", jira(json!({ "root-url": "https://jira.example.com/jira?a=b" }), full()), ready()),
        ("more-than-needed", json!({ "config": { "colour": "" }, "configSecretRef": { "name": "full" } }), ready()),
        (
            "nothing-set",
            json!({ "type": "jira" }),
            invalid(
                &[
                    "config.root-url must be set: type 'jira' needs it",
                    "configSecretRef must name a Secret with the keys clientId, clientSecret: type 'jira' needs it",
                ],
                &["/spec/config/root-url", "/spec/configSecretRef"],
            ),
        ),
        (
            "blank",
            cloud(" \t"),
            invalid(
                &["config.root-url must be more than white space: type 'jira-token-cloud' needs it"],
                &["/spec/config/root-url"],
            ),
        ),
        ("no-url", cloud("jira.example.com"), invalid(&[URL], &["/spec/config/root-url"])),
        ("password", cloud("https://me:hunter2@jira.example.com"), invalid(&[URL], &["/spec/config/root-url"])),
        (
            "other-case",
            json!({ "type": "jira-token-datacenter", "config": { "Root-URL": "https://jira.example.com" } }),
            invalid(
                &["config.root-url must be set: type 'jira-token-datacenter' needs it"],
                &["/spec/config/root-url"],
            ),
        ),
        (
            "secrets-in-the-open",
            jira(json!({ "root-url": "x", "clientSecret": "hunter2", "clientId": "me" }), full()),
            invalid(
                &[URL, &exposed("clientId"), &exposed("clientSecret")],
                &["/spec/config/root-url", "/spec/config/clientId", "/spec/config/clientSecret"],
            ),
        ),
        // Who can do something about the manifest is told so first, and of capabilities when all else is settled.
        (
            "before-the-secret",
            jira(json!({ "root-url": "x" }), json!({ "name": "nowhere" })),
            invalid(&[URL], &["/spec/config/root-url"]),
        ),
        (
            "before-capabilities",
            json!({ "type": "jira-token-cloud", "config": { "root-url": "x" }, "isLoginActive": true }),
            invalid(&[URL], &["/spec/config/root-url"]),
        ),
        ("no-secret", secret("nowhere"), missing(nowhere)),
        (
            "no-secret-though-none-is-needed",
            json!({ "configSecretRef": { "name": "nowhere" }, "isSyncActive": true }),
            missing(nowhere),
        ),
        (
            "half-a-secret",
            secret("half"),
            missing("Secret 'half' must have the key clientId, and not empty: type 'github' needs it"),
        ),
        ("a-whole-secret", secret("full"), ready()),
    ])
    .await;
}

/// The last manifest is the whole truth: what an earlier one had is gone. A `null` stands for the default where there is
/// one, and is refused elsewhere.
#[tokio::test]
async fn an_empty_map_or_a_null_takes_away_what_was_there() {
    let scene = Scene::new("strategies").await;
    let _operator = scene.operator().await;
    scene.secret_with("full", &[("clientId", "x"), ("clientSecret", "y")]).await;
    let jira = |config: Value| json!({ "type": "jira", "config": config, "configSecretRef": { "name": "full" } });
    let missing = "config.root-url must be set: type 'jira' needs it";
    for nothing in [json!({}), Value::Null] {
        scene.apply::<StrategyInstance>("a", jira(json!({ "root-url": "https://jira.example.com" }))).await;
        scene.verdict::<StrategyInstance>("a", "True", "Ready").await;
        let object: StrategyInstance = scene.apply("a", jira(nothing)).await;
        assert_eq!(object.spec.config, BTreeMap::new());
        scene.until("a", |object: &StrategyInstance| ready(object).is_some_and(|(_, _, told)| told == missing)).await;
    }
    let policy = json!({ "type": "userpass", "capabilityPolicy": null });
    scene.apply::<StrategyInstance>("b", policy).await;
    for (field, type_) in
        [("id", "string"), ("name", "string"), ("isSyncActive", "boolean"), ("configSecretRef", "object")]
    {
        let refused = scene.try_apply::<StrategyInstance>("c", json!({ "type": "userpass", field: null })).await;
        let expected = format!(
            "StrategyInstance.idp-operator.dev \"c\" is invalid: [spec.{field}: Invalid value: \"null\": spec.{field} in body \
             must be of type {type_}: \"null\", <nil>: Invalid value: null: some validation rules were not checked because \
             the object was invalid; correct the existing errors to complete validation]"
        );
        assert_eq!(refused.map(|_| ()), Err(expected));
    }
}

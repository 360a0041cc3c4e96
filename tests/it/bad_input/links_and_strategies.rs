//! `StrategyInstance`s that are accepted and answered in status.

use std::collections::BTreeMap;

use idp_operator::api::StrategyInstance;
use serde_json::{Value, json};

use super::{Answer, Kind, expect_answers};
use crate::support::Scene;

#[tokio::test]
async fn strategies_say_what_their_type_lacks() {
    const LOGIN: &str = "isLoginActive must be false or absent: type 'github-token' has no canLoginRegister";
    const REGISTER: &str = "isSelfRegisterActive must be false or absent: type 'github-token' has no canLoginRegister";
    const SYNC: &str = "isSyncActive must be false or absent: type 'userpass' has no canSync";
    const IMPLICIT: &str = "doesImplicitRegister must be false or absent: type 'userpass' has no allowsImplicitSignup";
    let scene = Scene::new("strategies").await;
    let _operator = scene.operator().await;
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
    let ready = || Answer::new("True Ready", "the flags in status.effective are in force", &[]);
    let rows: Vec<(&str, Value, Answer)> = vec![
        ("unknown", json!({ "type": "ldap" }), unknown("ldap")),
        ("unknown-flags", json!({ "type": "userpass2", "isSyncActive": true }), unknown("userpass2")),
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
            "all-of-jira",
            json!({
                "type": "jira", "isLoginActive": true, "isSelfRegisterActive": true, "isSyncActive": true,
                "doesImplicitRegister": true,
            }),
            ready(),
        ),
        ("off-is-fine", json!({ "isSyncActive": false, "doesImplicitRegister": false }), ready()),
    ];
    let mut expected = BTreeMap::new();
    for (name, change, answer) in rows {
        scene.apply::<StrategyInstance>(name, Kind::Si.with(&change)).await;
        expected.insert(name.to_owned(), answer);
    }
    expect_answers::<StrategyInstance>(&scene, expected).await;
}

//! `StrategyInstance` on the real API server.

mod catalogue;
mod combinations;
mod docs;
mod settings;
mod steady;

use idp_operator::api::StrategyInstance;
use kube::ResourceExt as _;
use serde_json::json;

use crate::support::{
    Scene,
    scene::{conditions, core},
};

#[tokio::test]
async fn the_seed_s_example_is_in_force_as_it_stands() {
    let scene = Scene::new("si").await;
    let _operator = scene.operator().await;
    let example = json!({
        "id": "12345678-90ab-cdef-fedc-ab0987654321",
        "name": "Github-Enterprise-Example",
        "type": "userpass",
        "isLoginActive": true,
        "isSelfRegisterActive": true,
        "isSyncActive": false,
        "doesImplicitRegister": false,
    });
    scene.apply::<StrategyInstance>("example", example.clone()).await;
    let object: StrategyInstance = scene.verdict("example", "True", "Ready").await;
    let status = serde_json::to_value(object.status.as_ref().unwrap()).unwrap();
    for field in ["id", "name", "type"] {
        assert_eq!(status[field], example[field]);
    }
    assert_eq!(
        status["effective"],
        json!({ "isLoginActive": true, "isSelfRegisterActive": true, "isSyncActive": false, "doesImplicitRegister": false })
    );
    assert_eq!(
        conditions(&core(&object)),
        [
            "CapabilitiesSupported=True Succeeded",
            "ConfigValid=True Succeeded",
            "FlagsEffective=True Succeeded",
            "IdUnique=True Succeeded",
            "Ready=True Ready",
            "TypeKnown=True Succeeded",
        ]
    );
}

#[tokio::test]
async fn a_flag_beyond_the_type_s_capability_is_off_and_told() {
    let scene = Scene::new("si").await;
    let _operator = scene.operator().await;
    scene
        .apply::<StrategyInstance>(
            "tokens",
            json!({ "type": "github-token", "isLoginActive": true, "doesImplicitRegister": true }),
        )
        .await;
    let object: StrategyInstance = scene.verdict("tokens", "False", "CapabilityNotSupported").await;
    let status = object.status.clone().unwrap();
    assert_eq!(
        serde_json::to_value(status.effective).unwrap(),
        json!({ "isLoginActive": false, "isSelfRegisterActive": false, "isSyncActive": true, "doesImplicitRegister": false })
    );
    assert_eq!(status.id, object.uid());
    assert_eq!(
        status.core.condition("Ready").unwrap().message,
        "isLoginActive must be false or absent: type 'github-token' has no canLoginRegister; \
         doesImplicitRegister must be false or absent: type 'github-token' has no allowsImplicitSignup"
    );
    let pointers: Vec<&str> = status.core.errors.iter().map(|error| error.source.pointer.as_str()).collect();
    assert_eq!(pointers, ["/spec/isLoginActive", "/spec/doesImplicitRegister"]);
    assert!(conditions(&status.core).contains(&"Stalled=True CapabilityNotSupported".to_owned()));
    scene.event("StrategyInstance/tokens Warning CapabilityNotSupported").await;

    scene.apply::<StrategyInstance>("tokens", json!({ "type": "github-token" })).await;
    let object: StrategyInstance = scene.verdict("tokens", "True", "Ready").await;
    assert_eq!(core(&object).errors, vec![]);
    scene.event("StrategyInstance/tokens Normal Ready").await;
}

#[tokio::test]
async fn an_unknown_type_may_do_nothing() {
    let scene = Scene::new("si").await;
    let _operator = scene.operator().await;
    scene.apply::<StrategyInstance>("ldap", json!({ "type": "ldap", "isLoginActive": true })).await;
    let object: StrategyInstance = scene.verdict("ldap", "False", "UnknownStrategyType").await;
    let status = object.status.unwrap();
    assert_eq!(
        serde_json::to_value(status.effective).unwrap(),
        json!({ "isLoginActive": false, "isSelfRegisterActive": false, "isSyncActive": false, "doesImplicitRegister": false })
    );
    assert_eq!(
        status.core.errors[0].detail,
        "type 'ldap' is not known: it must be one of userpass, github, jira, github-token, jira-token-cloud, jira-token-datacenter"
    );
    assert_eq!(
        conditions(&status.core),
        [
            "CapabilitiesSupported=Unknown NotEvaluated",
            "ConfigValid=Unknown NotEvaluated",
            "FlagsEffective=Unknown NotEvaluated",
            "IdUnique=Unknown NotEvaluated",
            "Ready=False UnknownStrategyType",
            "Stalled=True UnknownStrategyType",
            "TypeKnown=False UnknownStrategyType",
        ]
    );
}

#[tokio::test]
async fn clamped_flags_are_off_and_noted_and_that_is_no_failure() {
    let scene = Scene::new("si").await;
    let _operator = scene.operator().await;
    let spec = |policy: &str| json!({ "type": "userpass", "isSyncActive": true, "capabilityPolicy": policy });
    scene.apply::<StrategyInstance>("clamped", spec("Clamp")).await;
    let object: StrategyInstance = scene.verdict("clamped", "True", "Ready").await;
    let told =
        |object: &StrategyInstance, condition: &str| core(object).condition(condition).map(|told| told.message.clone());
    assert_eq!(
        conditions(&core(&object)),
        [
            "CapabilitiesSupported=True Succeeded",
            "ConfigValid=True Succeeded",
            "FlagsClamped=True FlagsClamped",
            "FlagsEffective=True Succeeded",
            "IdUnique=True Succeeded",
            "Ready=True Ready",
            "TypeKnown=True Succeeded",
        ]
    );
    assert_eq!(core(&object).errors, vec![]);
    let note = "isSyncActive is off: type 'userpass' has no canSync";
    assert_eq!(told(&object, "FlagsClamped").unwrap(), note);
    assert_eq!(told(&object, "Ready").unwrap(), format!("the flags in status.effective are in force; {note}"));
    let effective = object.status.as_ref().unwrap().effective;
    assert_eq!(
        serde_json::to_value(effective).unwrap(),
        json!({ "isLoginActive": true, "isSelfRegisterActive": true, "isSyncActive": false, "doesImplicitRegister": false })
    );

    // The condition is there only while it is True.
    scene.apply::<StrategyInstance>("clamped", spec("Reject")).await;
    let object: StrategyInstance = scene.verdict("clamped", "False", "CapabilityNotSupported").await;
    assert_eq!(told(&object, "FlagsClamped"), None);
    assert_eq!(object.status.as_ref().unwrap().effective, effective);
    scene.apply::<StrategyInstance>("clamped", spec("Clamp")).await;
    let object: StrategyInstance = scene.verdict("clamped", "True", "Ready").await;
    assert_eq!(told(&object, "FlagsClamped").unwrap(), note);
}

#[tokio::test]
async fn a_flag_without_effect_is_told_and_no_failure() {
    let scene = Scene::new("si").await;
    let _operator = scene.operator().await;
    let spec = json!({ "type": "userpass", "isLoginActive": false, "isSelfRegisterActive": true });
    scene.apply::<StrategyInstance>("idle", spec).await;
    let object: StrategyInstance = scene.verdict("idle", "True", "Ready").await;
    let condition = core(&object).condition("FlagsEffective").cloned().unwrap();
    assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "FlagsIneffective"));
    assert_eq!(condition.message, "isSelfRegisterActive has no effect while isLoginActive is off in status.effective");
    assert_eq!(
        serde_json::to_value(object.status.as_ref().unwrap().effective).unwrap(),
        json!({ "isLoginActive": false, "isSelfRegisterActive": true, "isSyncActive": false, "doesImplicitRegister": false })
    );
    let kinds: Vec<String> =
        conditions(&core(&object)).into_iter().filter(|line| line.starts_with(['R', 'S'])).collect();
    assert_eq!(kinds, ["Ready=True Ready"]);
}

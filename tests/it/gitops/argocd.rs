//! The health checks of docs/argocd, run as Argo CD runs them (`util/lua/lua.go`): Lua 5.1 with only the basic and the
//! table library, the object as the global `obj`.

use std::{collections::BTreeMap, path::Path};

use mlua::{Lua, LuaOptions, StdLib, Table};
use serde_json::Value;

use super::{
    kstatus::{Status, compute},
    states::{others, verdicts},
};

const SCRIPT: &str = include_str!("../../../docs/argocd/health.lua");

/// As Argo CD hands it over: every number is a float, null is nothing.
fn lua_value(lua: &Lua, value: &Value) -> mlua::Value {
    match value {
        Value::Null => mlua::Value::Nil,
        Value::Bool(is) => mlua::Value::Boolean(*is),
        Value::Number(number) => mlua::Value::Number(number.as_f64().unwrap()),
        Value::String(text) => mlua::Value::String(lua.create_string(text).unwrap()),
        Value::Array(items) => {
            let items = items.iter().map(|item| lua_value(lua, item));
            mlua::Value::Table(lua.create_sequence_from(items).unwrap())
        }
        Value::Object(members) => {
            let members = members.iter().map(|(name, member)| (name.as_str(), lua_value(lua, member)));
            mlua::Value::Table(lua.create_table_from(members).unwrap())
        }
    }
}

/// Health and message of an object.
pub fn health(object: &Value) -> (String, String) {
    let lua = Lua::new_with(StdLib::TABLE, LuaOptions::default()).unwrap();
    let globals = lua.globals();
    for name in ["string", "math", "io", "os"] {
        assert!(globals.get::<mlua::Value>(name).unwrap().is_nil(), "{name}");
    }
    globals.set("obj", lua_value(&lua, object)).unwrap();
    let health: Table = lua.load(SCRIPT).set_name("health.lua").eval().unwrap();
    (health.get("status").unwrap(), health.get("message").unwrap())
}

#[test]
fn health_is_what_kstatus_tells_of_every_verdict() {
    for state in verdicts() {
        let expected = match compute(&state.object) {
            Status::Current => "Healthy",
            Status::InProgress => "Progressing",
            Status::Failed => "Degraded",
            Status::Terminating => unreachable!(),
        };
        let (health, message) = health(&state.object);
        assert_eq!(health, expected, "{} {}", state.kind, state.reason);
        let ready = &state.object["status"]["conditions"][0];
        let told = ready["message"].as_str().unwrap();
        let reason = ready["reason"].as_str().unwrap();
        let expected = if health == "Healthy" { told.to_owned() } else { format!("{reason}: {told}") };
        assert_eq!(message, expected);
    }
}

#[test]
fn health_tells_what_is_no_verdict_from_one() {
    for (what, object, _, expected) in others() {
        assert_eq!(health(&object).0, expected, "{what}");
    }
    let message =
        |wanted: &str| others().into_iter().find(|(what, ..)| *what == wanted).map(|other| health(&other.1).1);
    let suspended = "spec.suspend is true: set it to false to have this object looked after again";
    assert_eq!(message("unseen").as_deref(), Some("waits for the operator to look at it"));
    assert_eq!(message("unseen and suspended").as_deref(), Some(suspended));
    assert_eq!(message("ready, then suspended"), Some(format!("{suspended}; before that: Ready")));
    assert_eq!(message("stalled, then suspended"), Some(format!("{suspended}; before that: DuplicateId")));
}

/// What is there to be pasted is what is tested.
#[test]
fn the_config_map_has_the_script_for_each_kind_and_nothing_else() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/argocd/argocd-cm.yaml");
    let configmap: Value = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let kinds = ["IdentityProvider", "StrategyInstance", "TenantJwtSecret", "UserIdpAuthenticator"];
    let expected: BTreeMap<String, String> = kinds
        .iter()
        .map(|kind| (format!("resource.customizations.health.idp-operator.dev_{kind}"), SCRIPT.to_owned()))
        .collect();
    assert_eq!(serde_json::from_value::<BTreeMap<String, String>>(configmap["data"].clone()).unwrap(), expected);
}

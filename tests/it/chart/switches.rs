//! What each value changes, and that the API server takes all of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
    thread,
};

use expect_test::expect_file;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, api::PostParams};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Release, monitoring, values};
use crate::support::Plane;

/// Where the release is.
const NAMESPACE: &str = "chart-switches";

/// A change of values.
#[derive(Deserialize)]
struct Switch {
    change: Value,
    #[serde(default = "nothing")]
    given: Value,
}

fn nothing() -> Value {
    json!({})
}

/// The objects without a change, and with it.
struct Rendered {
    switch: Switch,
    before: Vec<Value>,
    after: Vec<Value>,
}

static RENDERED: LazyLock<Vec<Rendered>> = LazyLock::new(|| {
    let mut switches: Vec<Switch> =
        serde_saphyr::from_str(&fs::read_to_string(file("switches.yaml")).unwrap()).unwrap();
    let without_crds = json!({ "crds": { "install": false } });
    for switch in &mut switches {
        switch.given = merged(&without_crds, &switch.given);
    }
    let mut given: Vec<&Value> = Vec::new();
    for switch in &switches {
        if !given.contains(&&switch.given) {
            given.push(&switch.given);
        }
    }
    let changed = switches.iter().map(|switch| merged(&switch.given, &switch.change));
    let all: Vec<Value> = given.iter().map(|value| (*value).clone()).chain(changed).collect();
    let mut rendered =
        in_parallel(&all, |values| Release::render_values(Plane::shared(), "x", NAMESPACE, values).objects);
    let after = rendered.split_off(given.len());
    let before: Vec<Vec<Value>> = switches
        .iter()
        .map(|switch| rendered[given.iter().position(|value| **value == switch.given).unwrap()].clone())
        .collect();
    let both = switches.into_iter().zip(before).zip(after);
    both.map(|((switch, before), after)| Rendered { switch, before, after }).collect()
});

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/chart").join(name)
}

/// The second over the first, maps key by key.
pub fn merged(under: &Value, over: &Value) -> Value {
    let (Value::Object(under), Value::Object(over)) = (under, over) else { return over.clone() };
    let mut all = under.clone();
    for (key, value) in over {
        let value = merged(under.get(key).unwrap_or(&Value::Null), value);
        all.insert(key.clone(), value);
    }
    Value::Object(all)
}

/// Each Helm is a process of its own, so that two CPUs are worth two threads.
pub fn in_parallel<T: Sync, R: Send>(all: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    thread::scope(|scope| {
        let (first, second) = all.split_at(all.len() / 2);
        let second = scope.spawn(|| second.iter().map(&each).collect::<Vec<_>>());
        let mut results: Vec<R> = first.iter().map(&each).collect();
        results.extend(second.join().unwrap());
        results
    })
}

/// Every value in it by its path.
fn flat(object: &Value) -> BTreeMap<String, String> {
    fn walk(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                map.iter().for_each(|(key, inner)| walk(&format!("{path}/{}", key.replace('/', "~1")), inner, found));
            }
            Value::Array(list) if !list.is_empty() => {
                list.iter().enumerate().for_each(|(index, inner)| walk(&format!("{path}/{index}"), inner, found));
            }
            _ => {
                found.insert(path.to_owned(), value.to_string());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", object, &mut found);
    // Rights, alerts and the dashboard are tested where they are at home.
    let elsewhere = ["/rules/", "/spec/groups/", "/data/idp-operator.json"];
    found.retain(|path, _| {
        let is_in_id = ["/apiVersion", "/kind", "/metadata/namespace"].contains(&path.as_str());
        !is_in_id && !elsewhere.iter().any(|start| path.starts_with(start))
    });
    found
}

/// Kind, and namespace and name, with `NAME` for the release's full name.
fn id(object: &Value, full_name: &str) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    let namespace = metadata["namespace"].as_str().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    format!("{} {namespace}{}", text(&object["kind"]), text(&metadata["name"]).replace(full_name, "NAME"))
}

fn by_id(objects: &[Value]) -> BTreeMap<String, BTreeMap<String, String>> {
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
    let full_name = deployment["metadata"]["name"].as_str().unwrap();
    let map: BTreeMap<_, _> = objects.iter().map(|object| (id(object, full_name), flat(object))).collect();
    assert_eq!(map.len(), objects.len(), "two objects of one name: {:?}", map.keys());
    map
}

/// What differs, a line each: `-` and `+` for objects and values that are gone and new.
fn difference(before: &[Value], after: &[Value]) -> String {
    let is_standard = |path: &str| {
        path.starts_with("/metadata/labels/app.kubernetes.io~1") || path == "/metadata/labels/helm.sh~1chart"
    };
    let (before, after) = (by_id(before), by_id(after));
    let mut lines = String::new();
    for id in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        match (before.get(id), after.get(id)) {
            (Some(_), None) => writeln!(lines, "- {id}").unwrap(),
            (None, Some(new)) => {
                writeln!(lines, "+ {id}").unwrap();
                for (path, value) in new.iter().filter(|(path, _)| !is_standard(path)) {
                    writeln!(lines, "    + {path} {value}").unwrap();
                }
            }
            (Some(old), Some(new)) if old != new => {
                writeln!(lines, "  {id}").unwrap();
                for path in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
                    let (old, new) = (old.get(path), new.get(path));
                    if old != new {
                        let _ = old.map(|value| writeln!(lines, "    - {path} {value}"));
                        let _ = new.map(|value| writeln!(lines, "    + {path} {value}"));
                    }
                }
            }
            _ => {}
        }
    }
    lines
}

#[test]
fn golden_each_value_changes_just_this() {
    let mut text =
        "# Generated by `UPDATE_EXPECT=1 cargo test --test it golden` from switches.yaml: read what changed.\n"
            .to_owned();
    for Rendered { switch, before, after } in RENDERED.iter() {
        let Switch { change, given } = switch;
        let difference = difference(before, after);
        assert!(!difference.is_empty(), "{change} changes nothing, given {given}");
        write!(text, "\n{change} given {given}\n{difference}").unwrap();
    }
    expect_file![file("switches.txt")].assert_eq(&text);
}

#[test]
fn each_value_has_its_change() {
    let mut changed = Vec::new();
    RENDERED.iter().for_each(|rendered| values::leaves("", &rendered.switch.change, &mut changed));
    let mut rows: Vec<String> = values::rows().into_iter().map(|row| row.path).collect();
    let of_alerts = ["alertLabels", "disabledAlerts", "severities", "runbookUrl", "thresholds"];
    rows.retain(|row| !of_alerts.iter().any(|key| row.starts_with(&format!("prometheusRule.{key}"))));
    rows.retain(|row| !changed.iter().any(|path| values::is_under(path, row)));
    assert_eq!(rows, Vec::<String>::new());
}

/// All values at once that have objects of their own.
fn everything(watched: &[&str]) -> Value {
    json!({
        "watchNamespaces": watched,
        "tenantClaims": "required",
        "strategyCatalog": { "a": { "canLoginRegister": true, "canSync": true, "allowsImplicitSignup": true } },
        "replicaCount": 3,
        "leaderElection": { "enabled": true },
        "podMonitor": { "enabled": true },
        "prometheusRule": { "enabled": true },
        "grafanaDashboard": { "enabled": true },
        "networkPolicy": { "enabled": true },
        "commonLabels": { "team": "identity" },
        "commonAnnotations": { "example.com/owner": "identity" },
    })
}

#[tokio::test]
async fn the_api_server_takes_all_that_any_value_makes_in_both_modes() {
    let plane = Plane::shared();
    monitoring::install_crds();
    let namespaces = Api::<Namespace>::all(plane.control_plane.client().await.unwrap());
    let namespace = serde_json::from_value(json!({ "metadata": { "name": NAMESPACE } })).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();

    let modes = [&[][..], &[NAMESPACE, "default"]];
    let modes = modes.map(|watched| Release::render_values(plane, "x", NAMESPACE, &everything(watched)).objects);
    let mut objects: Vec<&Value> = modes.iter().flatten().collect();
    objects.extend(RENDERED.iter().flat_map(|rendered| &rendered.after));
    let distinct: BTreeSet<String> = objects.into_iter().map(ToString::to_string).collect();

    let list =
        format!(r#"{{"apiVersion":"v1","kind":"List","items":[{}]}}"#, Vec::from_iter(distinct.clone()).join(","));
    let mut kubectl: Command = plane.control_plane.kubectl();
    // Those of the CRDs that the tests' own release installed are in the way otherwise.
    kubectl.args(["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"]);
    let output = super::with_input(&mut kubectl, list.as_bytes());
    let (said, complaints) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(complaints, "");
    assert_eq!(said.lines().count(), distinct.len(), "{said}");
}

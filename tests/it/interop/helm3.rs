//! The chart with Helm 3.14, the oldest that it is for: everything else in these tests uses Helm 4.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
};

use control_plane::{ControlPlane, report};
use serde_json::{Value, json};

use super::{ENVIRONMENT, lint::VALUES};
use crate::support::{
    Plane,
    plane::{chart, succeed},
};

/// Helm 3, with the settings that Helm 4 has for this control plane, in folders of its own.
pub fn helm3(control_plane: &ControlPlane) -> Command {
    let mut helm = Command::new(ENVIRONMENT.join("bin/helm3"));
    for (name, value) in control_plane.helm().get_envs() {
        let value = value.unwrap();
        if name == "KUBECONFIG" {
            helm.env(name, value);
        } else {
            helm.env(name, Path::new(value).join("helm3"));
        }
    }
    helm.stdin(Stdio::null());
    helm
}

/// Objects that a `helm template` renders, by kind, namespace and name.
fn objects(mut helm: Command, values: &[&str]) -> BTreeMap<String, Value> {
    helm.args(["template", "idp-operator"]).arg(chart()).args(["--namespace", "x", "--kube-version", "1.36.0"]);
    for value in values {
        helm.args(["--set", value]);
    }
    let yaml = String::from_utf8(succeed(&mut helm).stdout).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&yaml).unwrap();
    let named = documents.into_iter().filter(|document| !document.is_null()).map(|object| {
        let metadata = &object["metadata"];
        (format!("{} {} {}", object["kind"], metadata["namespace"], metadata["name"]), object)
    });
    named.collect()
}

#[test]
#[ignore = "needs what tests/interop/install installs: just interop"]
fn renders_the_same_objects_as_helm_4() {
    let control_plane = &Plane::shared().control_plane;
    for (name, values) in VALUES {
        let by_helm_3 = objects(helm3(control_plane), values);
        assert!(by_helm_3.len() > 10, "{name}");
        assert_eq!(by_helm_3, objects(control_plane.helm(), values), "{name}");
    }
}

#[test]
#[ignore = "needs what tests/interop/install installs: just interop"]
fn refuses_wrong_values_by_their_keys_name() {
    for (value, named) in [
        ("concurency=3", "concurency"),
        ("concurrency=0", "concurrency"),
        ("watchNamespaces=team-a", "watchNamespaces"),
        ("allowCidrs={nonsense}", "allowCidrs"),
        ("image.digest=abc", "digest"),
        ("replicaCount=2", "leaderElection.enabled"),
    ] {
        let mut helm = helm3(&Plane::shared().control_plane);
        helm.args(["template", "x"]).arg(chart()).args(["--kube-version", "1.36.0", "--set", value]);
        let output = helm.output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && message.contains(named), "{value}: {message}");
    }
}

#[test]
#[ignore = "needs what tests/interop/install installs: just interop"]
fn installs_upgrades_and_uninstalls_and_objects_stay() {
    let control_plane = ControlPlane::start().unwrap_or_else(|error| panic!("{}", report(&error)));
    let helm = |args: &[&str]| {
        let mut helm = helm3(&control_plane);
        helm.args(args).args(["--namespace", "idp-system"]);
        String::from_utf8(succeed(&mut helm).stdout).unwrap()
    };
    let kubectl = |args: &[&str]| {
        let output = succeed(control_plane.kubectl().args(args));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let args = || {
        let path = "jsonpath={.spec.template.spec.containers[0].args}";
        let args = kubectl(&["get", "deployment", "idp-operator", "-n", "idp-system", "-o", path]);
        serde_json::from_str::<Vec<String>>(&args).unwrap()
    };
    let chart = chart();
    let chart = chart.to_str().unwrap();
    helm(&["install", "idp-operator", chart, "--create-namespace"]);
    assert!(args().contains(&"--concurrency=16".to_owned()));
    kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd/tenantjwtsecrets.idp-operator.dev"]);
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/tenant-jwt-secret.yaml");
    kubectl(&["apply", "-f", example]);
    let uid = ["get", "tenantjwtsecrets", "-A", "-o", "jsonpath={.items[*].metadata.uid}"];
    let before = kubectl(&uid);
    assert!(!before.is_empty());
    helm(&["upgrade", "idp-operator", chart, "--set", "concurrency=3"]);
    assert!(args().contains(&"--concurrency=3".to_owned()));
    helm(&["rollback", "idp-operator", "1"]);
    assert!(args().contains(&"--concurrency=16".to_owned()));
    helm(&["uninstall", "idp-operator"]);
    let left: Value =
        serde_json::from_str(&kubectl(&["get", "all,secrets,configmaps", "-n", "idp-system", "-o", "json"])).unwrap();
    let kinds: Vec<&Value> = left["items"].as_array().unwrap().iter().map(|item| &item["metadata"]["name"]).collect();
    assert_eq!(kinds, [&json!("kube-root-ca.crt")]);
    // The CRDs are kept, so the release that comes next has to take them over.
    helm(&["install", "idp-operator", chart]);
    assert_eq!(kubectl(&uid), before);
}

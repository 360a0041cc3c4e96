//! Wrong values: refused by Helm, by their keys' names.

use std::process::Command;

use serde_json::{Value, json};

use super::{Release, switches::in_parallel, template, with_input};
use crate::support::Plane;

/// Values, and what the message must name.
fn table() -> Vec<(Value, &'static [&'static str])> {
    let both = json!({ "serviceMonitor": { "enabled": true }, "podMonitor": { "enabled": true } });
    let no_service = json!({ "serviceMonitor": { "enabled": true }, "service": { "enabled": false } });
    let block =
        |cidr: &str| json!({ "networkPolicy": { "keyEndpoints": { "to": [{ "ipBlock": { "cidr": cidr } }] } } });
    vec![
        // Keys that there are not.
        (json!({ "concurency": 3 }), &["concurency"]),
        (json!({ "leaderElection": { "enable": true } }), &["leaderElection", "enable"]),
        (json!({ "networkPolicy": { "dns": { "port": 53 } } }), &["networkPolicy/dns", "port"]),
        (json!({ "networkPolicy": { "metricsFrom": [{ "podSelctor": {} }] } }), &["metricsFrom/0", "podSelctor"]),
        (json!({ "tolerations": [{ "efect": "NoExecute" }] }), &["tolerations/0", "efect"]),
        (json!({ "extraEnv": [{ "name": "A", "vaule": "b" }] }), &["extraEnv/0", "vaule"]),
        (json!({ "resources": { "limit": {} } }), &["resources", "limit"]),
        (json!({ "podSecurityContext": { "seccompProfile": { "typ": "x" } } }), &["seccompProfile", "typ"]),
        // Types.
        (json!({ "concurrency": "16" }), &["concurrency"]),
        (json!({ "concurrency": 0 }), &["concurrency"]),
        (json!({ "concurrency": 1025 }), &["concurrency"]),
        (json!({ "concurrency": 1.5 }), &["concurrency"]),
        (json!({ "watchNamespaces": "team-a" }), &["watchNamespaces"]),
        (json!({ "watchNamespaces": ["Team_A"] }), &["watchNamespaces/0"]),
        (json!({ "watchNamespaces": ["a", "a"] }), &["watchNamespaces"]),
        (json!({ "tenantClaims": "on" }), &["tenantClaims"]),
        (json!({ "tenantClaims": false }), &["tenantClaims"]),
        (json!({ "crds": { "install": "yes" } }), &["crds/install"]),
        (json!({ "replicaCount": -1 }), &["replicaCount"]),
        (json!({ "replicaCount": null }), &["replicaCount"]),
        (json!({ "image": null }), &["image"]),
        (json!({ "crds": null }), &["crds"]),
        (json!({ "image": { "digest": "abc" } }), &["image/digest"]),
        (json!({ "image": { "repository": "a b" } }), &["image/repository"]),
        (json!({ "image": { "pullPolicy": "always" } }), &["image/pullPolicy"]),
        (json!({ "service": { "port": 0 } }), &["service/port"]),
        (json!({ "serviceAccount": { "name": "Mine" } }), &["serviceAccount/name"]),
        (json!({ "service": { "annotations": { "a": 1 } } }), &["service/annotations/a"]),
        (json!({ "podLabels": { "a": true } }), &["podLabels/a"]),
        (json!({ "podLabels": { "a": "b c" } }), &["podLabels/a"]),
        (json!({ "commonLabels": { "a b": "c" } }), &["commonLabels"]),
        (json!({ "listenAddress": "localhost" }), &["listenAddress"]),
        (json!({ "logFormat": "yaml" }), &["logFormat"]),
        (json!({ "resources": { "limits": { "memory": "512MB" } } }), &["resources/limits/memory"]),
        (json!({ "resources": { "requests": { "cpu": "-1" } } }), &["resources/requests/cpu"]),
        (json!({ "podDisruptionBudget": { "maxUnavailable": 0 } }), &["podDisruptionBudget/maxUnavailable"]),
        (json!({ "podDisruptionBudget": { "maxUnavailable": "0%" } }), &["podDisruptionBudget/maxUnavailable"]),
        (json!({ "serviceMonitor": { "interval": "30" } }), &["serviceMonitor/interval"]),
        (json!({ "podMonitor": { "scrapeTimeout": "1 m" } }), &["podMonitor/scrapeTimeout"]),
        (json!({ "networkPolicy": { "apiServer": { "ports": [] } } }), &["networkPolicy/apiServer/ports"]),
        (json!({ "networkPolicy": { "apiServer": { "ports": ["https"] } } }), &["networkPolicy/apiServer/ports/0"]),
        (json!({ "topologySpreadConstraints": [{ "maxSkew": 1 }] }), &["topologySpreadConstraints/0", "topologyKey"]),
        (json!({ "strategyCatalog": { "GitLab": {} } }), &["strategyCatalog", "GitLab"]),
        (json!({ "strategyCatalog": { "a": { "canSync": true } } }), &["strategyCatalog/a", "canLoginRegister"]),
        (json!({ "prometheusRule": { "alertLabels": { "a-b": "c" } } }), &["prometheusRule/alertLabels"]),
        (json!({ "prometheusRule": { "thresholds": { "restarts": "3" } } }), &["prometheusRule/thresholds/restarts"]),
        (json!({ "prometheusRule": { "disabledAlerts": ["x y"] } }), &["prometheusRule/disabledAlerts/0"]),
        // Log levels: a lone word would be a target, and silence all others.
        (json!({ "logLevel": "" }), &["logLevel"]),
        (json!({ "logLevel": "inf" }), &["logLevel must be", "\"inf\""]),
        (json!({ "logLevel": "info,kube=lots" }), &["logLevel must be", "\"kube=lots\""]),
        (json!({ "logLevel": "info," }), &["logLevel must be"]),
        (json!({ "logLevel": "info, kube=debug" }), &["logLevel must be", "\" kube=debug\""]),
        // Networks.
        (json!({ "allowCidrs": ["nonsense"] }), &["allowCidrs/0"]),
        (json!({ "allowCidrs": ["10.0.0.1"] }), &["allowCidrs/0"]),
        (json!({ "allowCidrs": ["10.0.0.0/8", "999.1.1.1/99"] }), &["allowCidrs must be", "\"999.1.1.1/99\""]),
        (json!({ "denyCidrs": ["10.0.0.0/33"] }), &["denyCidrs must be", "\"10.0.0.0/33\""]),
        (json!({ "denyCidrs": ["10.0.0/8"] }), &["denyCidrs must be"]),
        (json!({ "denyCidrs": ["010.0.0.0/8"] }), &["denyCidrs must be"]),
        (json!({ "denyCidrs": ["fd00::/129"] }), &["denyCidrs must be"]),
        (json!({ "denyCidrs": ["1::2::3/8"] }), &["denyCidrs must be"]),
        (json!({ "denyCidrs": ["1:2:3:4:5:6:7/8"] }), &["denyCidrs must be"]),
        (json!({ "denyCidrs": ["1:2:3:4:5:6:7:8::/8"] }), &["denyCidrs must be"]),
        (json!({ "denyCidrs": ["12345::/8"] }), &["denyCidrs must be"]),
        (block("300.0.0.0/8"), &["networkPolicy.keyEndpoints.to[0].ipBlock.cidr must be", "\"300.0.0.0/8\""]),
        (
            json!({ "networkPolicy": { "dns": { "to": [{ "ipBlock": { "cidr": "::/0", "except": [":::/8"] } }] } } }),
            &["networkPolicy.dns.to[0].ipBlock.except must be"],
        ),
        (
            json!({ "networkPolicy": { "metricsFrom": [{ "ipBlock": { "cidr": "::/0" }, "podSelector": {} }] } }),
            &["networkPolicy.metricsFrom[0] must have either ipBlock"],
        ),
        // As `helm upgrade --reuse-values` does from a version that had no such value.
        (json!({ "admissionPolicies": null }), &["admissionPolicies is missing", "--reset-then-reuse-values"]),
        // What excludes each other.
        (json!({ "extraEnv": [{ "name": "POD_NAME", "value": "a" }] }), &["extraEnv must not hold POD_NAME"]),
        (json!({ "replicaCount": 2 }), &["replicaCount", "leaderElection.enabled=true"]),
        (both, &["serviceMonitor.enabled", "podMonitor.enabled"]),
        (no_service, &["serviceMonitor.enabled", "service.enabled=true"]),
        (
            json!({ "podMonitor": { "interval": "1m", "scrapeTimeout": "61s" } }),
            &["podMonitor.scrapeTimeout must be at most", "61s"],
        ),
        (json!({ "commonLabels": { "helm.sh/chart": "x" } }), &["commonLabels must not hold helm.sh/chart"]),
        (
            json!({ "podLabels": { "app.kubernetes.io/name": "x" } }),
            &["podLabels must not hold app.kubernetes.io/name"],
        ),
    ]
}

#[test]
fn wrong_values_are_refused_by_their_keys_name() {
    let said = in_parallel(&table(), |(values, named)| {
        let mut helm = template(Plane::shared(), "x", "x");
        let output = with_input(helm.args(["--values", "-"]), values.to_string().as_bytes());
        let message = String::from_utf8(output.stderr).unwrap();
        let is_fine = !output.status.success() && named.iter().all(|name| message.contains(name));
        (!is_fine).then(|| format!("{values}: wanted {named:?}, but it says: {message}"))
    });
    assert_eq!(said.into_iter().flatten().collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn all_forms_of_good_networks_and_log_levels_are_taken_by_the_chart_and_the_program() {
    let networks = [
        "0.0.0.0/0",
        "10.0.0.1/8",
        "255.255.255.255/32",
        "::/0",
        "::1/128",
        "fd00::/8",
        "1::/16",
        "1:2:3:4:5:6:7:8/128",
        "1:2:3:4:5:6:7::/112",
        "::2:3:4:5:6:7:8/128",
        "FE80::a:B/10",
        "::ffff:192.0.2.1/96",
        "64:ff9b::192.0.2.33/96",
        "1:2:3:4:5:6:192.0.2.1/128",
    ];
    let levels = "Info,kube=debug,idp_operator[reconcile]=TRACE,[{name=a}]";
    let values = json!({ "allowCidrs": networks, "denyCidrs": networks, "logLevel": levels });
    let mut args = Release::render_values(Plane::shared(), "x", "x", &values).args();
    args.retain(|arg| !arg.starts_with("--admin-address"));
    let mut program = Command::new(env!("CARGO_BIN_EXE_idp-operator"));
    let output = program.args(args).env_clear().env("KUBECONFIG", "/nowhere").output().unwrap();
    // Wrong usage would be 2.
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

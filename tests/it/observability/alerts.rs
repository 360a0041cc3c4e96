//! The alerts, as the chart renders them.

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::{Value, json};

use super::{page::page, promql, registry};
use crate::{
    chart::{Release, template},
    support::Plane,
};

/// `spec` of the chart's `PrometheusRule`, with these values, as `--set` takes them: a file of rules.
pub fn rules(values: &[&str]) -> Value {
    let values = [&["prometheusRule.enabled=true"][..], values].concat();
    Release::render(Plane::shared(), "idp-operator", "idp-system", &values).object("PrometheusRule")["spec"].clone()
}

fn alerts(rules: &Value) -> Vec<Value> {
    rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn names(alerts: &[Value]) -> Vec<&str> {
    alerts.iter().map(|alert| alert["alert"].as_str().unwrap()).collect()
}

/// Names after each `$labels.`.
fn labels_used(text: &str) -> Vec<&str> {
    text.split("$labels.")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap())
        .collect()
}

#[test]
fn each_has_a_severity_a_runbook_and_metrics_that_there_are() {
    let (registry, alerts) = (registry(), alerts(&rules(&[])));
    for alert in &alerts {
        let expression = alert["expr"].as_str().unwrap();
        assert!(!expression.contains("<<"), "{expression}");
        promql::check(expression, &registry);
        assert!(["critical", "warning"].contains(&alert["labels"]["severity"].as_str().unwrap()), "{alert}");
        let annotations = alert["annotations"].as_object().unwrap();
        assert_eq!(annotations.keys().collect::<Vec<_>>(), ["description", "summary"], "{alert}");
        let grouped = promql::grouped(expression);
        for label in annotations.values().flat_map(|text| labels_used(text.as_str().unwrap())) {
            let is_of_target = grouped.is_empty() && ["namespace", "pod"].contains(&label);
            assert!(is_of_target || grouped.contains(label), "no label {label} in {expression}");
        }
    }
    let page = page("alerts.md");
    let runbooks: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(names(&alerts), runbooks);
}

#[test]
fn values_change_labels_links_thresholds_and_which_alerts_there_are() {
    let values = [
        "prometheusRule.alertLabels.team=identity",
        "prometheusRule.severities.critical=page",
        "prometheusRule.severities.warning=ticket",
        "prometheusRule.runbookUrl=https://docs.example.com/alerts.md",
        "prometheusRule.disabledAlerts={IdpOperatorDown,IdpOperatorObjectsNotReady}",
        "prometheusRule.thresholds.watchSilentSeconds=1200",
        "nameOverride=idp",
    ];
    let (all, changed) = (alerts(&rules(&[])), alerts(&rules(&values)));
    let left_out = ["IdpOperatorDown", "IdpOperatorObjectsNotReady"];
    let kept: Vec<&str> = names(&all).into_iter().filter(|name| !left_out.contains(name)).collect();
    assert_eq!(names(&changed), kept);
    let alert = |name: &str| changed.iter().find(|alert| alert["alert"] == name).unwrap();
    let silent = alert("IdpOperatorWatchSilent");
    let url = "https://docs.example.com/alerts.md#idpoperatorwatchsilent";
    assert_eq!(silent["annotations"]["runbook_url"], url);
    assert_eq!(silent["labels"], json!({ "severity": "page", "team": "identity" }));
    assert_eq!(alert("IdpOperatorRestarting")["labels"]["severity"], "ticket");
    let expected = "time() - min by (job, namespace, pod, kind) (idp_operator_watch_last_event_timestamp_seconds\
                    {job=\"idp\", namespace=\"idp-system\"}) > 1200";
    assert_eq!(silent["expr"], expected);
    let severities: BTreeSet<&str> =
        changed.iter().map(|alert| alert["labels"]["severity"].as_str().unwrap()).collect();
    assert_eq!(severities, BTreeSet::from(["page", "ticket"]));
}

#[test]
fn each_threshold_is_in_one_alert() {
    let all = alerts(&rules(&[]));
    for (threshold, alert) in [
        ("watchSilentSeconds=4321", "IdpOperatorWatchSilent"),
        ("notReadySeconds=4321", "IdpOperatorObjectsNotReady"),
        ("rotationOverdueSeconds=4321", "IdpOperatorRotationOverdue"),
        ("keysStaleSoonPercent=43", "IdpOperatorKeysStaleSoon"),
        ("reconcileErrorPercent=43", "IdpOperatorReconcileErrors"),
        ("restarts=43", "IdpOperatorRestarting"),
    ] {
        let changed = alerts(&rules(&[&format!("prometheusRule.thresholds.{threshold}")]));
        let others: Vec<_> = all.iter().zip(&changed).filter(|(old, new)| old != new).map(|(_, new)| new).collect();
        let number = threshold.split_once('=').unwrap().1;
        assert!(matches!(others[..], [one] if one["alert"] == alert), "{threshold}: {others:#?}");
        assert!(others[0]["expr"].as_str().unwrap().contains(number), "{threshold}: {others:#?}");
    }
}

#[test]
fn both_have_the_labels_and_annotations_by_which_they_are_found() {
    let values = [
        "prometheusRule.enabled=true",
        "prometheusRule.labels.release=prometheus",
        "prometheusRule.annotations.a=b",
        "grafanaDashboard.enabled=true",
        "grafanaDashboard.labels.found=here",
        "grafanaDashboard.annotations.folder=Identity",
    ];
    let release = Release::render(Plane::shared(), "x", "x", &values);
    let metadata = |kind: &str| &release.object(kind)["metadata"];
    assert_eq!(metadata("PrometheusRule")["labels"]["release"], "prometheus");
    assert_eq!(metadata("PrometheusRule")["annotations"], json!({ "a": "b" }));
    let labels = &metadata("ConfigMap")["labels"];
    assert_eq!((&labels["found"], &labels["grafana_dashboard"]), (&json!("here"), &json!("1")));
    assert_eq!(metadata("ConfigMap")["annotations"], json!({ "folder": "Identity" }));
}

#[rstest]
#[case("ServiceMonitor", "serviceMonitor.enabled=true")]
#[case("PodMonitor", "podMonitor.enabled=true")]
fn alerts_ask_for_the_job_by_which_a_monitor_has_the_pods_scraped(#[case] kind: &str, #[case] value: &str) {
    let values = [value, "prometheusRule.enabled=true", "nameOverride=idp", "crds.install=false"];
    let release = Release::render(Plane::shared(), "x", "x", &values);
    let label = release.object(kind)["spec"]["jobLabel"].as_str().unwrap();
    let pod = &release.object("Deployment")["spec"]["template"]["metadata"]["labels"];
    let job = match kind {
        "ServiceMonitor" => &release.object("Service")["metadata"]["labels"][label],
        _ => &pod[label],
    };
    let job = format!("job={job}");
    let alerts = alerts(&release.object("PrometheusRule")["spec"]);
    assert!(alerts.iter().all(|alert| alert["expr"].as_str().unwrap().contains(&job)), "{job}");
}

#[rstest]
#[case("thresholds.watchSilentSeconds=300", "watchSilentSeconds")]
#[case("thresholds.keysStaleSoonPercent=100", "keysStaleSoonPercent")]
#[case("thresholds.restarts=many", "restarts")]
#[case("thresholds.silence=600", "silence")]
#[case("severities.critical=", "critical")]
#[case("severities.info=info", "info")]
#[case("runbookUrl=docs/alerts.md", "runbookUrl")]
#[case("disabledAlerts=IdpOperatorDown", "disabledAlerts")]
#[case("disabledAlerts={Down}", "disabledAlerts/0")]
#[case("disabledAlerts={IdpOperatorDwon}", "IdpOperatorDwon")]
fn wrong_values_are_refused_by_their_keys_name(#[case] value: &str, #[case] named: &str) {
    let mut helm = template(Plane::shared(), "x", "x");
    let output =
        helm.args(["--set", "prometheusRule.enabled=true", "--set", &format!("prometheusRule.{value}")]).output();
    let output = output.unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && errors.contains(named), "{errors}");
}

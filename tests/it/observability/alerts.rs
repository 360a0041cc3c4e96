//! The alerts, as the chart renders them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{page::page, promql, registry};
use crate::{chart::Release, support::Plane};

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

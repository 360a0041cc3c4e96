//! The Grafana dashboard: it can be loaded, and asks for what there is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{promql, registry};
use crate::{chart::Release, support::Plane};

/// The dashboard, as the chart's ConfigMap has it.
fn dashboard() -> Value {
    let release = Release::render(Plane::shared(), "idp-operator", "idp-system", &["grafanaDashboard.enabled=true"]);
    let of_dashboard = |object: &&Value| object["metadata"]["name"] == "idp-operator-dashboard";
    let configmap = release.objects.iter().find(of_dashboard).unwrap();
    assert_eq!(configmap["metadata"]["labels"]["grafana_dashboard"], "1");
    serde_json::from_str(configmap["data"]["idp-operator.json"].as_str().unwrap()).unwrap()
}

/// Every query of every panel, with the panel's title.
pub fn queries() -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets =
        panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten().map(move |target| (panel, target)));
    targets.map(|(panel, target)| (text(&panel["title"]), text(&target["expr"]))).collect()
}

#[test]
fn each_panel_asks_one_question_of_metrics_that_there_are() {
    let dashboard = dashboard();
    let datasource = json!({ "type": "prometheus", "uid": "${datasource}" });
    let mut titles = BTreeSet::new();
    let mut places = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        assert!(titles.insert(panel["title"].as_str().unwrap()), "{panel}");
        let place = &panel["gridPos"];
        let [x, y, w] = ["x", "y", "w"].map(|name| place[name].as_u64().unwrap());
        assert!(places.insert((y, x)) && x + w <= 24, "{place}");
        if panel["type"] == "row" {
            continue;
        }
        assert!(!panel["description"].as_str().unwrap().is_empty(), "{panel}");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{panel}");
        for asked in panel["targets"].as_array().unwrap().iter().chain([panel]) {
            assert_eq!(asked["datasource"], datasource);
        }
    }
    let (registry, queries) = (registry(), queries());
    for (_, query) in &queries {
        promql::check(query, &registry);
        assert!(query.contains("job=\"$job\""), "of whatever job: {query}");
    }
    let is_asked = |name: &str| queries.iter().any(|(_, query)| query.contains(name));
    let forgotten: Vec<_> = registry.keys().filter(|name| !is_asked(name)).collect();
    assert!(forgotten.is_empty(), "no panel shows {forgotten:?}");
}

#[test]
fn its_variables_are_those_that_its_queries_use() {
    let dashboard = dashboard();
    let defined: BTreeSet<&str> =
        dashboard["templating"]["list"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(defined, BTreeSet::from(["datasource", "job", "namespace", "operator"]));
    for (_, query) in queries() {
        let used =
            query.split('$').skip(1).map(|rest| rest.split(|c: char| c != '_' && !c.is_alphanumeric()).next().unwrap());
        for variable in used {
            assert!(variable == "__rate_interval" || defined.contains(variable), "{variable} in {query}");
        }
    }
}

//! Metrics, alerts and the dashboard fit together, and Events are seen by who asks for them.

pub mod alerts;
pub mod dashboard;
mod events;
mod page;
pub mod promql;
mod series;

use std::collections::{BTreeMap, BTreeSet};

use idp_operator::cluster::metrics::{
    ApiRequestLabels, FetchLabels, KindLabels, Metrics, NameLabels, ObjectLabels, ReconcileLabels,
};

/// Type and labels of each metric, by the name of its samples; of a histogram, by its own.
pub type Metric = (String, BTreeSet<String>);

/// A sample: name, labels in the order in which they stand, and value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

/// Samples of a text of either format.
pub fn samples(text: &str) -> Vec<Sample> {
    text.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

/// No value of ours has a comma, an equals sign or a quote in it.
fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("no end: {line}"));
    let label = |label: &str| {
        let (name, value) = label.split_once('=').unwrap();
        (name.to_owned(), value.trim_matches('"').to_owned())
    };
    let labels = labels.split(',').filter(|label| !label.is_empty()).map(label).collect();
    Sample { name: name.to_owned(), labels, value: value.parse().unwrap_or_else(|_| panic!("no value: {line}")) }
}

/// All metrics that there are, each with a value.
pub fn registry() -> BTreeMap<String, Metric> {
    let metrics = Metrics::default();
    let kind = KindLabels { kind: "Secret".into() };
    let name = NameLabels { namespace: "a".into(), name: "b".into() };
    metrics.reconciles.get_or_create(&ReconcileLabels { kind: "a", result: "ok" }).inc();
    metrics.reconcile_duration.get_or_create(&kind).observe(1.0);
    metrics.objects.get_or_create(&ObjectLabels { kind: "a", ready: "True" }).set(1);
    metrics.not_ready_since.get_or_create(&kind).set(1);
    metrics.api_requests.get_or_create(&ApiRequestLabels { verb: "get", kind: "a".into(), code: "200".into() }).inc();
    metrics.keys_fetches.get_or_create(&FetchLabels { result: "ok" }).inc();
    metrics.keys_verified.get_or_create(&name).set(1);
    metrics.keys_stale.get_or_create(&name).set(1);
    metrics.secret_next_rotation.get_or_create(&name).set(1);
    metrics.watch_last_event.get_or_create(&kind).set(1);
    metrics.unreadable_objects.get_or_create(&kind).set(1);
    metrics.strategy_catalog_is_good().set(1);
    let text = metrics.to_text().unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(family, type_)| metric(family, type_, &samples(&text))).collect()
}

fn metric(family: &str, type_: &str, samples: &[Sample]) -> (String, Metric) {
    let (suffix, type_) = match type_ {
        "counter" => ("_total", type_),
        "info" => ("_info", "gauge"),
        _ => ("", type_),
    };
    let mut own = samples.iter().filter(|sample| sample.name.starts_with(&format!("{family}{suffix}"))).peekable();
    assert!(own.peek().is_some(), "{family} has no sample: give it one above");
    let labels = own.flat_map(|sample| sample.labels.iter().map(|(name, _)| name.clone())).filter(|name| name != "le");
    (format!("{family}{suffix}"), (type_.to_owned(), labels.collect()))
}

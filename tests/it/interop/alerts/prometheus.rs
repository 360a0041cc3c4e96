//! What Prometheus makes of series, by promtool.

use std::{io::Write as _, process::Command};

use serde_json::{Value, json};

use super::super::ENVIRONMENT;
use crate::{chart::with_input, observability::Sample};

/// Minutes for which series are given: a day and two hours.
const MINUTES: u32 = 26 * 60;

/// A sample of one process, and how much it grows by a minute.
pub struct Series {
    sample: Sample,
    pod: &'static str,
    growth: f64,
}

/// Samples that one process gave, as Prometheus has them after it scraped the chart's `ServiceMonitor`, held from then on.
pub fn held(samples: &[Sample], pod: &'static str) -> Vec<Series> {
    samples.iter().map(|sample| Series { sample: sample.clone(), pod, growth: 0.0 }).collect()
}

impl Series {
    /// The same, growing by a minute a minute if its name is one of these.
    pub fn that_goes_on(mut self, names: &[&str]) -> Self {
        if names.contains(&self.sample.name.as_str()) {
            self.growth = 60.0;
        }
        self
    }

    /// The same, growing by what it grew since an earlier look, if it is a counter.
    pub fn that_grows_as_since(mut self, earlier: &[Sample]) -> Self {
        let is_it = |before: &&Sample| before.name == self.sample.name && before.labels == self.sample.labels;
        if self.sample.name.ends_with("_total") {
            self.growth = self.sample.value - earlier.iter().find(is_it).map_or(0.0, |before| before.value);
        }
        self
    }

    fn input(&self) -> Value {
        let of_target = [("job", "idp-operator"), ("pod", self.pod), ("namespace", "idp-system")];
        let own = &self.sample.labels;
        // As with honor_labels: the object's own namespace stays.
        let of_target = of_target.into_iter().filter(|(name, _)| own.iter().all(|(label, _)| label != name));
        let labels = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(of_target);
        let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={}", json!(value))).collect();
        json!({
            "series": format!("{}{{{}}}", self.sample.name, labels.join(",")),
            "values": format!("{}+{}x{MINUTES}", self.sample.value, self.growth),
        })
    }
}

/// One `tests` entry for `promtool test rules`: what happens to these series, which begin at this Unix time.
pub struct Story {
    start: i64,
    series: Vec<Value>,
    checks: Vec<Value>,
}

impl Story {
    pub fn of(start: i64, series: impl IntoIterator<Item = Series>) -> Self {
        Self { start, series: series.into_iter().map(|series| series.input()).collect(), checks: Vec::new() }
    }

    /// A series with these values, a minute apart.
    pub fn with(mut self, series: &str, values: &str) -> Self {
        self.series.push(json!({ "series": series, "values": values }));
        self
    }

    /// After so long just these alerts fire: their names, and what tells them apart.
    pub fn fires(mut self, after: &str, alerts: &[String]) -> Self {
        let expression = "count by (alertname, namespace, name, kind, verb, pod) (ALERTS{alertstate=\"firing\"})";
        let samples: Vec<Value> =
            alerts.iter().map(|labels| json!({ "labels": format!("{{{labels}}}"), "value": 1 })).collect();
        self.checks.push(json!({ "expr": expression, "eval_time": after, "exp_samples": samples }));
        self
    }
}

/// Has promtool evaluate the rules on the stories.
pub fn evaluate(rules: &Value, stories: Vec<Story>, alerts: &Value) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("rules.json"), rules.to_string()).unwrap();
    let mut tests: Vec<Value> = stories
        .into_iter()
        .map(|story| {
            json!({
                "interval": "1m",
                "start_timestamp": story.start,
                "input_series": story.series,
                "promql_expr_test": story.checks,
            })
        })
        .collect();
    tests[0]["alert_rule_test"] = alerts.clone();
    let tests = json!({ "rule_files": ["rules.json"], "evaluation_interval": "1m", "tests": tests });
    std::fs::write(dir.path().join("tests.json"), tests.to_string()).unwrap();
    promtool(&["test", "rules", dir.path().join("tests.json").to_str().unwrap()], "");
}

/// Has promtool check a file of rules.
pub fn check_rules(rules: &Value) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(rules.to_string().as_bytes()).unwrap();
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", file.path().to_str().unwrap()], "");
}

/// Has promtool check metrics in the classic format: it complains of nothing.
pub fn check_metrics(text: &str) {
    assert_eq!(promtool(&["check", "metrics"], text), "");
}

/// What promtool prints; it must succeed.
fn promtool(arguments: &[&str], input: &str) -> String {
    let output = with_input(Command::new(ENVIRONMENT.join("bin/promtool")).args(arguments), input.as_bytes());
    let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(output.status.success(), "{arguments:?}: {printed}");
    printed
}

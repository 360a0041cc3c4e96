//! What an expression of `PromQL` names, as far as it can be told without a parser: promtool does the rest.

use std::collections::{BTreeMap, BTreeSet};

use super::Metric;

/// Labels that Prometheus adds to whatever it scrapes.
const OF_TARGETS: [&str; 3] = ["job", "namespace", "pod"];

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// Every name of a metric of ours, each with the text that follows it.
fn named(expression: &str) -> Vec<(&str, &str)> {
    let starts = expression.match_indices("idp_operator_").map(|(start, _)| start);
    let word = |start: usize| {
        let rest = &expression[start..];
        rest.split_at(rest.find(|character| !is_word(character)).unwrap_or(rest.len()))
    };
    starts.map(word).collect()
}

/// The labels of the selector that a text begins with.
fn selected(text: &str) -> Vec<&str> {
    let Some(selector) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) else { return Vec::new() };
    let matchers = selector.0.split('"').step_by(2);
    matchers
        .filter_map(|matcher| matcher.trim_matches([',', ' ']).split(['=', '!']).next())
        .filter(|l| !l.is_empty())
        .collect()
}

/// The labels of all `by (..)` and the like.
pub fn grouped(expression: &str) -> BTreeSet<&str> {
    let lists = ["by (", "ignoring (", "without (", "on ("].into_iter().flat_map(|word| expression.split(word).skip(1));
    let labels = lists.filter_map(|rest| rest.split_once(')')).flat_map(|(list, _)| list.split(','));
    labels.map(str::trim).filter(|label| !label.is_empty()).collect()
}

/// Panics where the expression names a metric or a label that there is not.
pub fn check(expression: &str, registry: &BTreeMap<String, Metric>) {
    let named = named(expression);
    assert!(!named.is_empty(), "names no metric: {expression}");
    let mut known: BTreeSet<&str> = OF_TARGETS.into();
    for (name, rest) in named {
        let histogram = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| name.strip_suffix(suffix));
        let histogram = histogram.filter(|name| registry.get(*name).is_some_and(|(type_, _)| type_ == "histogram"));
        let found = histogram.or(Some(name)).and_then(|name| registry.get(name));
        let (type_, labels) = found.unwrap_or_else(|| panic!("no metric {name}: {expression}"));
        assert!(histogram.is_some() == (type_ == "histogram"), "{name} is no series: {expression}");
        let own: BTreeSet<&str> = labels.iter().map(String::as_str).chain(histogram.map(|_| "le")).collect();
        for label in selected(rest) {
            assert!(own.contains(label) || OF_TARGETS.contains(&label), "{name} has no label {label}: {expression}");
        }
        known.extend(own);
    }
    for label in grouped(expression) {
        assert!(known.contains(label), "no label {label}: {expression}");
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::observability::registry;

    #[rstest]
    #[case("sum by (kind) (rate(idp_operator_reconciles_total{job=\"a\", result!=\"ok\"}[5m]))", true)]
    #[case("histogram_quantile(0.5, sum by (le) (rate(idp_operator_reconcile_duration_seconds_bucket[5m])))", true)]
    #[case("rate(idp_operator_reconcile_duration_seconds[5m])", false)]
    #[case("rate(idp_operator_reconciles[5m])", false)]
    #[case("sum by (name) (rate(idp_operator_reconciles_total[5m]))", false)]
    #[case("sum(rate(idp_operator_reconciles_total{result=\"ok\",nmae=~\"a,b=c\"}[5m]))", false)]
    #[case("up == 0", false)]
    fn it_knows_metrics_and_labels(#[case] expression: &str, #[case] is_right: bool) {
        let outcome = std::panic::catch_unwind(|| check(expression, &registry()));
        assert_eq!(outcome.is_ok(), is_right);
    }
}

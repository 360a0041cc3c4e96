//! The two text formats of metrics, and which one a scraper asks for.

use std::collections::HashMap;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// [OpenMetrics 1.0](https://prometheus.io/docs/specs/om/open_metrics_spec/)
    OpenMetrics,
    /// [Prometheus' own, 0.0.4](https://prometheus.io/docs/instrumenting/exposition_formats/): what older scrapers read.
    Classic,
}

impl Format {
    /// The format that this `Accept` header (RFC 9110, section 12.5.1) prefers. `OpenMetrics`, where it has no preference.
    #[must_use]
    pub fn of(accept: &str) -> Self {
        let weight = |wanted: &str| {
            let (family, _) = wanted.split_once('/').unwrap_or_default();
            let all_of_family = format!("{family}/*");
            let ranges = || accept.split(',').map(range);
            let best = |name: &str| ranges().filter(|(range, _)| range == name).map(|(_, weight)| weight).max();
            best(wanted).or_else(|| best(&all_of_family)).or_else(|| best("*/*")).unwrap_or(0)
        };
        if weight("text/plain") > weight("application/openmetrics-text") { Self::Classic } else { Self::OpenMetrics }
    }

    /// Its `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// A text of `OpenMetrics` in this format.
    #[must_use]
    pub fn render(self, open_metrics: String) -> String {
        match self {
            Self::OpenMetrics => open_metrics,
            Self::Classic => classic(&open_metrics),
        }
    }
}

/// A media range, and its weight in thousandths.
fn range(text: &str) -> (String, u16) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (name, weight.map_or(1000, thousandths))
}

/// `0`, `1`, or with up to three digits after the point. Anything else counts as 0.
fn thousandths(weight: &str) -> u16 {
    let (whole, digits) = weight.split_once('.').unwrap_or((weight, ""));
    format!("{whole}{digits:0<3}").parse().ok().filter(|weight| *weight <= 1000).unwrap_or(0)
}

/// Families are named as their samples there; it knows neither units nor an end, and no type `info`.
fn classic(open_metrics: &str) -> String {
    let kinds: HashMap<&str, &str> =
        open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            text.extend([line, "\n"]);
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        let (Some(keyword @ ("HELP" | "TYPE")), Some(name), Some(rest)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let (suffix, type_) = match kinds.get(name).copied() {
            Some("counter") => ("_total", "counter"),
            Some("info") => ("_info", "gauge"),
            Some("unknown") | None => ("", "untyped"),
            Some(type_) => ("", type_),
        };
        text.extend(["# ", keyword, " ", name, suffix, " ", if keyword == "TYPE" { type_ } else { rest }, "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing("", Format::OpenMetrics)]
    #[case::anything("*/*", Format::OpenMetrics)]
    #[case::something_else("application/json", Format::OpenMetrics)]
    #[case::only_classic("text/plain;version=0.0.4", Format::Classic)]
    #[case::any_text("text/*", Format::Classic)]
    #[case::prometheus(
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;\
         q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        Format::OpenMetrics
    )]
    #[case::prometheus_that_prefers_classic(
        "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.2",
        Format::Classic
    )]
    #[case::refused("application/openmetrics-text;q=0, */*", Format::Classic)]
    #[case::a_browser("text/html, application/xml;q=0.9, */*;q=0.8", Format::OpenMetrics)]
    #[case::three_digits("text/plain; Q=0.501, Application/OpenMetrics-Text; q=0.5", Format::Classic)]
    #[case::nonsense("text/plain;q=2, application/openmetrics-text;q=0.001", Format::OpenMetrics)]
    fn it_is_chosen_by_accept(#[case] accept: &str, #[case] expected: Format) {
        assert_eq!(Format::of(accept), expected);
    }

    #[test]
    fn what_classic_does_not_know_is_told_as_it_knows_it() {
        let open_metrics = "# HELP a A.\n# TYPE a counter\na_total{b=\"# c\"} 1\n# HELP d_seconds D.\n# TYPE d_seconds histogram\n\
                            # UNIT d_seconds seconds\nd_seconds_bucket{le=\"+Inf\"} 1\n# HELP e E.\n# TYPE e info\ne_info{f=\"\"} 1\n\
                            # HELP g G.\n# TYPE g unknown\ng 1\n# EOF\n";
        let expected = "# HELP a_total A.\n# TYPE a_total counter\na_total{b=\"# c\"} 1\n# HELP d_seconds D.\n\
                        # TYPE d_seconds histogram\nd_seconds_bucket{le=\"+Inf\"} 1\n# HELP e_info E.\n# TYPE e_info gauge\n\
                        e_info{f=\"\"} 1\n# HELP g G.\n# TYPE g untyped\ng 1\n";
        assert_eq!(Format::Classic.render(open_metrics.to_owned()), expected);
        assert_eq!(Format::OpenMetrics.render(open_metrics.to_owned()), open_metrics);
    }
}

//! docs/metrics.md lists exactly the metrics that there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{Metric, registry};

pub fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

/// Rows that begin with a metric in backticks: name, type, labels. Every cell is filled.
fn listed(page: &str) -> BTreeMap<String, Metric> {
    let rows = page.lines().filter(|line| line.starts_with("| `idp_operator_"));
    let mut listed = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert!(cells.len() == 6 && cells.iter().all(|cell| !cell.is_empty()), "{row}");
        let labels: BTreeSet<String> = cells[2].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(labels.is_empty(), cells[2] == "none", "{row}");
        let name = cells[0].trim_matches('`').to_owned();
        assert!(listed.insert(name, (cells[1].to_owned(), labels)).is_none(), "{row} twice");
    }
    listed
}

#[test]
fn the_page_lists_every_metric_with_its_type_and_labels_and_no_other() {
    assert_eq!(listed(&page("metrics.md")), registry());
}

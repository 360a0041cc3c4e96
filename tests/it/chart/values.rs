//! values.yaml, its schema, and the README that is made of both.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use expect_test::expect_file;
use serde_json::{Map, Value};

use crate::support::{Plane, plane::chart, plane::succeed};

/// A value as a user looks it up.
pub struct Row {
    /// Its keys, joined by dots.
    pub path: String,
    doc: String,
    default: Value,
}

fn read(file: &str) -> String {
    fs::read_to_string(chart().join(file)).unwrap()
}

fn values() -> Value {
    serde_saphyr::from_str(&read("values.yaml")).unwrap()
}

fn at<'a>(values: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(values, |value, key| value.get(key).unwrap_or_else(|| panic!("no value {path}")))
}

/// All values that have a comment `# --`, in their order. One without is a heading, or part of the one around it.
pub fn rows() -> Vec<Row> {
    let (text, values) = (read("values.yaml"), values());
    let mut rows = Vec::new();
    let mut path: Vec<(usize, &str)> = Vec::new();
    let mut doc: Option<String> = None;
    for line in text.lines() {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        if let Some(first) = content.strip_prefix("# -- ") {
            doc = Some(first.to_owned());
        } else if let Some(more) = content.strip_prefix("# ") {
            if let Some(doc) = &mut doc {
                *doc += " ";
                *doc += more;
            }
        } else if let Some((key, _)) = content.split_once(':').filter(|_| !content.starts_with("- ")) {
            path.retain(|(outer, _)| *outer < indent);
            path.push((indent, key));
            if let Some(doc) = doc.take() {
                let path = path.iter().map(|(_, key)| *key).collect::<Vec<_>>().join(".");
                rows.push(Row { default: at(&values, &path).clone(), path, doc });
            }
        } else {
            assert!(doc.is_none(), "a comment on no value: {doc:?}");
        }
    }
    rows
}

#[test]
fn golden_the_readme_lists_all_values() {
    let mut table = "| Key | Default | |\n|---|---|---|\n".to_owned();
    for Row { path, doc, default } in rows() {
        writeln!(table, "| `{path}` | `{default}` | {} |", doc.replace('|', "\\|")).unwrap();
    }
    let readme = read("README.md");
    let (before, rest) = readme.split_once("<!-- values: ").unwrap();
    let (marker, rest) = rest.split_once(" -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /values -->\n").unwrap();
    let made = format!("{before}<!-- values: {marker} -->\n\n{table}\n<!-- /values -->\n{after}");
    expect_file![chart().join("README.md")].assert_eq(&made);
}

/// Whether a path is this row, or a part of it.
pub fn is_under(path: &str, row: &str) -> bool {
    path.strip_prefix(row).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Every path in these values down to where there is no map, or an empty one.
pub fn leaves(prefix: &str, value: &Value, found: &mut Vec<String>) {
    match value.as_object().filter(|map| !map.is_empty()) {
        Some(map) => {
            for (key, inner) in map {
                leaves(&if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") }, inner, found);
            }
        }
        None => found.push(prefix.to_owned()),
    }
}

#[test]
fn every_value_is_documented() {
    let rows: Vec<String> = rows().into_iter().map(|row| row.path).collect();
    let mut all = Vec::new();
    leaves("", &values(), &mut all);
    all.retain(|leaf| !rows.iter().any(|row| is_under(leaf, row)));
    assert_eq!(all, Vec::<String>::new());
    assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), rows.len(), "one twice");
}

/// The schema itself where it refers to one by `$ref`.
fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let Some(reference) = schema["$ref"].as_str() else { return schema };
    resolved(root.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("no {reference}")), root)
}

/// Where values and schema differ, in keys or types; maps that are one value to the user (`whole`) may have fewer keys than the
/// schema knows.
fn differences(path: &str, value: &Value, schema: &Value, root: &Value, whole: &BTreeSet<String>) -> Vec<String> {
    let schema = resolved(schema, root);
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return vec![format!("{path} has no type in the schema")],
    };
    let is = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) | Value::Null => "number",
    };
    let mut wrong = Vec::new();
    let is_right = types.contains(&is) || (is == "integer" && types.contains(&"number"));
    if !is_right {
        wrong.push(format!("{path} is {is}, and {types:?} in the schema"));
    }
    let nothing = Map::new();
    let (Some(map), properties) = (value.as_object(), schema["properties"].as_object().unwrap_or(&nothing)) else {
        return wrong;
    };
    if !properties.is_empty() && schema["additionalProperties"] != false {
        wrong.push(format!("{path} may have unknown keys"));
    }
    if properties.is_empty() {
        return wrong;
    }
    for (key, inner) in map {
        let path = format!("{path}.{key}");
        match properties.get(key) {
            Some(schema) => wrong.extend(differences(&path, inner, schema, root, whole)),
            None => wrong.push(format!("{path} is not in the schema")),
        }
    }
    let is_whole = whole.iter().any(|row| is_under(path.trim_start_matches('.'), row));
    // Of the chart that depends on this one.
    let is_foreign = |key: &str| path.is_empty() && ["global", "enabled"].contains(&key);
    let absent = properties.keys().filter(|key| !is_whole && !map.contains_key(*key) && !is_foreign(key));
    wrong.extend(absent.map(|key| format!("{path}.{key} is in the schema only")));
    wrong
}

#[test]
fn values_and_schema_have_the_same_keys_and_types() {
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let whole = rows().into_iter().map(|row| row.path).collect();
    assert_eq!(differences("", &values(), &schema, &schema, &whole), Vec::<String>::new());
}

/// Every object schema whose keys are known: a misspelt key is an error at whatever depth.
fn open(path: &str, schema: &Value, found: &mut Vec<String>) {
    if schema["properties"].is_object() && schema["additionalProperties"] != false {
        found.push(path.to_owned());
    }
    match schema {
        Value::Object(map) => map.iter().for_each(|(key, inner)| open(&format!("{path}/{key}"), inner, found)),
        Value::Array(list) => list.iter().for_each(|inner| open(path, inner, found)),
        _ => {}
    }
}

#[test]
fn the_schema_refuses_unknown_keys_at_every_level() {
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let mut found = Vec::new();
    open("", &schema, &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn helm_has_nothing_to_say_against_the_chart() {
    let mut helm = Plane::shared().control_plane.helm();
    let said = String::from_utf8(succeed(helm.args(["lint", "--strict", "--quiet"]).arg(chart())).stdout).unwrap();
    assert!(!said.contains("WARNING") && !said.contains("ERROR"), "{said}");
}

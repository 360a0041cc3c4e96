//! The rights that a chart's roles grant, one by one.

use std::collections::BTreeSet;

use serde_json::Value;

/// One verb on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// In this namespace; none: in all, and on what belongs to none.
    pub namespace: Option<String>,
    /// As `kubectl create role --resource` takes it, e.g. `identityproviders.idp-operator.dev/status`.
    pub resource: String,
    pub verb: String,
    /// On the object of this name only.
    pub name: Option<String>,
    /// By which binding, in the words of the API server's audit log.
    pub by: String,
}

/// Name of a resource with its group and subresource.
pub fn resource_name(group: &str, resource: &str) -> String {
    let (resource, subresource) = resource.split_once('/').map_or((resource, None), |(it, sub)| (it, Some(sub)));
    let group = if group.is_empty() { String::new() } else { format!(".{group}") };
    format!("{resource}{group}{}", subresource.map(|sub| format!("/{sub}")).unwrap_or_default())
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// What these objects grant to the `ServiceAccount` that is among them.
pub fn grants(objects: &[Value]) -> BTreeSet<Grant> {
    let account = objects.iter().find(|object| object["kind"] == "ServiceAccount").expect("a ServiceAccount");
    let (name, home) = (&account["metadata"]["name"], &account["metadata"]["namespace"]);
    let is_bound = |binding: &&Value| {
        let subjects = binding["subjects"].as_array().into_iter().flatten();
        subjects.filter(|subject| subject["name"] == *name && subject["namespace"] == *home).count() > 0
    };
    let bindings = objects.iter().filter(|object| object["kind"].as_str().unwrap().ends_with("Binding"));
    let mut all = BTreeSet::new();
    for binding in bindings.filter(is_bound) {
        let (kind, binding_name) = (binding["kind"].as_str().unwrap(), binding["metadata"]["name"].as_str().unwrap());
        let namespace = binding["metadata"]["namespace"].as_str();
        let role = &binding["roleRef"];
        let is_role = |object: &&Value| {
            object["kind"] == role["kind"]
                && object["metadata"]["name"] == role["name"]
                && (role["kind"] == "ClusterRole" || object["metadata"]["namespace"].as_str() == namespace)
        };
        let rules = &objects.iter().find(is_role).unwrap_or_else(|| panic!("no {role}"))["rules"];
        let place = namespace.map(|namespace| format!("/{namespace}")).unwrap_or_default();
        let by = format!(
            "RBAC: allowed by {kind} \"{binding_name}{place}\" of {} {} to ServiceAccount \"{}/{}\"",
            role["kind"].as_str().unwrap(),
            role["name"],
            name.as_str().unwrap(),
            home.as_str().unwrap(),
        );
        for rule in rules.as_array().unwrap() {
            all.extend(expand(rule, namespace, &by));
        }
    }
    all
}

/// The rights of one rule.
pub fn expand(rule: &Value, namespace: Option<&str>, by: &str) -> Vec<Grant> {
    assert!(rule.get("nonResourceURLs").is_none(), "{rule}");
    let names = strings(&rule["resourceNames"]);
    let names: Vec<Option<String>> = if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
    let mut all = Vec::new();
    for group in strings(&rule["apiGroups"]) {
        for resource in strings(&rule["resources"]) {
            for verb in strings(&rule["verbs"]) {
                assert!([&group, &resource, &verb].iter().all(|text| !text.contains('*')), "{rule}");
                all.extend(names.iter().map(|name| Grant {
                    namespace: namespace.map(str::to_owned),
                    resource: resource_name(&group, &resource),
                    verb: verb.clone(),
                    name: name.clone(),
                    by: by.to_owned(),
                }));
            }
        }
    }
    all
}

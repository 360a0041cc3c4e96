//! Labels and annotations that an output Secret has from `spec.template`.
//!
//! Which ones these are is recorded on the Secret: what is taken out of the template goes from there too, and what others
//! put there stays.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::api::{labels, tenant_jwt_secret::Template};

/// Names of what the template put there.
#[derive(Serialize, Deserialize, Default)]
struct Record {
    #[serde(default)]
    labels: BTreeSet<String>,
    #[serde(default)]
    annotations: BTreeSet<String>,
}

impl Record {
    fn read(meta: &ObjectMeta) -> Self {
        let record = meta.annotations.as_ref().and_then(|all| all.get(labels::TEMPLATE));
        let mut record: Self = record.and_then(|record| serde_json::from_str(record).ok()).unwrap_or_default();
        record.labels.retain(|name| is_the_template_s(name));
        record.annotations.retain(|name| is_the_template_s(name));
        record
    }
}

/// What an output has from the template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied(Template);

impl Applied {
    /// Reads it.
    #[must_use]
    pub fn read(meta: &ObjectMeta) -> Self {
        let record = Record::read(meta);
        let there = |all: &Option<BTreeMap<String, String>>, names: BTreeSet<String>| {
            let all = all.as_ref();
            names
                .into_iter()
                .filter_map(|name| all?.get_key_value(&name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        Self(Template {
            labels: there(&meta.labels, record.labels),
            annotations: there(&meta.annotations, record.annotations),
        })
    }

    /// Whether it is what the template asks for.
    #[must_use]
    pub fn is(&self, template: Option<&Template>) -> bool {
        template.map_or_else(|| self.0 == Template::default(), |template| self.0 == *template)
    }
}

/// Puts the template's labels and annotations there, and takes away what an earlier one put there.
pub fn apply(template: Option<&Template>, meta: &mut ObjectMeta) {
    let record = Record::read(meta);
    let none = Template::default();
    let template = template.unwrap_or(&none);
    let names = |all: &BTreeMap<String, String>| all.keys().cloned().collect();
    set(meta.labels.get_or_insert_default(), &record.labels, &template.labels);
    let annotations = meta.annotations.get_or_insert_default();
    set(annotations, &record.annotations, &template.annotations);
    annotations.remove(labels::TEMPLATE);
    if *template != none {
        let record = Record { labels: names(&template.labels), annotations: names(&template.annotations) };
        annotations.extend(serde_json::to_string(&record).map(|record| (labels::TEMPLATE.to_owned(), record)).ok());
    }
}

fn set(all: &mut BTreeMap<String, String>, before: &BTreeSet<String>, now: &BTreeMap<String, String>) {
    all.retain(|name, _| !before.contains(name));
    all.extend(now.iter().map(|(name, value)| (name.clone(), value.clone())));
}

/// Whether a template can have put it there: a record that somebody else wrote takes nothing away that is ours or
/// Kubernetes', and shows nothing of it.
fn is_the_template_s(name: &str) -> bool {
    !name.starts_with("idp-operator.dev/") && !name.contains("kubernetes.io/") && !name.contains("k8s.io/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_leaves_the_template_leaves_the_secret_and_what_others_put_there_stays() {
        let mut meta = ObjectMeta { labels: Some(map(&[("theirs", "1")])), ..ObjectMeta::default() };
        let first = Template { labels: map(&[("a", "1"), ("b", "2")]), annotations: map(&[("c", "3")]) };
        apply(Some(&first), &mut meta);
        assert!(Applied::read(&meta).is(Some(&first)));
        assert_eq!(meta.labels, Some(map(&[("a", "1"), ("b", "2"), ("theirs", "1")])));

        let second = Template { labels: map(&[("b", "3")]), annotations: map(&[]) };
        assert!(!Applied::read(&meta).is(Some(&second)));
        apply(Some(&second), &mut meta);
        assert!(Applied::read(&meta).is(Some(&second)));
        assert_eq!(meta.labels, Some(map(&[("b", "3"), ("theirs", "1")])));

        apply(None, &mut meta);
        assert!(Applied::read(&meta).is(None));
        assert_eq!((meta.labels, meta.annotations), (Some(map(&[("theirs", "1")])), Some(map(&[]))));
    }

    #[test]
    fn what_somebody_changed_is_seen_and_a_forged_record_takes_nothing_of_ours() {
        let template = Template { labels: map(&[("a", "1")]), annotations: map(&[]) };
        let mut meta = ObjectMeta::default();
        apply(Some(&template), &mut meta);
        meta.labels = Some(map(&[("a", "2"), (labels::MANAGED, "true")]));
        assert!(!Applied::read(&meta).is(Some(&template)));
        meta.annotations = Some(map(&[(labels::TEMPLATE, &format!(r#"{{"labels":["{}"]}}"#, labels::MANAGED))]));
        apply(Some(&template), &mut meta);
        assert_eq!(meta.labels, Some(map(&[("a", "1"), (labels::MANAGED, "true")])));
    }
}

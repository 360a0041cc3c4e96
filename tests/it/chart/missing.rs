//! A right that the role lacks is told, harms nothing and delays nobody; a grant heals it.
//!
//! One operator watches a namespace for each right: the Role there lacks just this one.

mod each;
mod others;
mod watches;

use serde_json::{Value, json};

use super::{Release, audit::grants::resource_name};
use crate::support::{Operator, Plane, Scene};

const GROUP: &str = "idp-operator.dev";

/// A right, as a rule of a Role has it.
#[derive(Clone, Copy, Debug)]
struct Right {
    group: &'static str,
    resource: &'static str,
    verb: &'static str,
}

const fn right(group: &'static str, resource: &'static str, verb: &'static str) -> Right {
    Right { group, resource, verb }
}

impl Right {
    /// Takes it out of a Role.
    fn remove(self, role: &mut Value) {
        let mut rules = Vec::new();
        for rule in role["rules"].as_array().unwrap() {
            let has = |field: &str, text: &str| rule[field].as_array().unwrap().iter().any(|it| it == text);
            if !(has("apiGroups", self.group) && has("resources", self.resource) && has("verbs", self.verb)) {
                rules.push(rule.clone());
                continue;
            }
            for resource in rule["resources"].as_array().unwrap() {
                let mut rest = rule.clone();
                rest["resources"] = json!([resource]);
                if resource == self.resource {
                    rest["verbs"].as_array_mut().unwrap().retain(|verb| verb != self.verb);
                }
                rules.push(rest);
            }
            // A rule without a verb is no rule.
            rules.retain(|rule| rule["verbs"] != json!([]));
        }
        assert_ne!(role["rules"], json!(rules), "{self:?} is not granted");
        role["rules"] = json!(rules);
    }

    /// As messages have it.
    fn words(self, scene: &Scene) -> String {
        let Self { group, resource, verb } = self;
        let resource = resource_name(group, resource);
        let verb = if resource.starts_with("events") { "create and patch" } else { verb };
        format!("the operator's role must allow {verb} on {resource} in namespace '{}'", scene.namespace)
    }
}

/// Namespaces where the operator lacks one right each, and one where it lacks none.
struct Stage {
    whole: Scene,
    limited: Vec<(Right, Scene)>,
    release: Release,
}

impl Stage {
    async fn new(rights: &[Right]) -> Self {
        let whole = Scene::new("whole").await;
        let mut limited = Vec::new();
        for right in rights {
            limited.push((*right, Scene::new("limited").await));
        }
        let namespaces: Vec<&str> =
            limited.iter().map(|(_, scene)| scene).chain([&whole]).map(|scene| scene.namespace.as_str()).collect();
        let watched = format!("watchNamespaces={{{}}}", namespaces.join(","));
        let values = ["crds.install=false", "rbac.aggregate=false", "allowCidrs={127.0.0.0/8}", &watched];
        let release = Release::render(Plane::shared(), "missing", &whole.namespace, &values);
        Self { whole, limited, release }
    }

    /// Starts the operator without these rights.
    async fn start(&self) -> Operator {
        let less = self.release.changed(|object| {
            let is_role = object["kind"] == "Role";
            let here = self.limited.iter().find(|(_, scene)| object["metadata"]["namespace"] == scene.namespace);
            if let (true, Some((right, _))) = (is_role, here) {
                right.remove(object);
            }
        });
        less.apply(Plane::shared());
        self.release.start(Plane::shared(), "missing-idp-operator").await.spawn().await
    }

    /// Grants all.
    fn heal(&self) {
        self.release.apply(Plane::shared());
    }
}

//! What the operator and its users may do.

use std::{collections::BTreeSet, path::Path};

use control_plane::client;
use k8s_openapi::api::{
    authorization::v1::{
        ResourceAttributes, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec, SubjectAccessReview,
        SubjectAccessReviewSpec,
    },
    rbac::v1::{ClusterRole, RoleBinding},
};
use kube::{Api, Client, api::PostParams};
use serde_json::json;

use super::{
    Release,
    audit::grants::{Grant, expand, grants},
};
use crate::{
    program::{so, soon},
    support::{Plane, Scene, plane::SYSTEM},
};

const KINDS: [&str; 4] = ["identityproviders", "tenantjwtsecrets", "useridpauthenticators", "strategyinstances"];

/// Whether a user may do `verb` on `resource[/subresource][.group]` in a namespace; none: in all.
async fn may(client: &Client, user: &str, namespace: Option<&str>, verb: &str, resource: &str) -> bool {
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let attributes = ResourceAttributes {
        namespace: namespace.map(str::to_owned),
        verb: Some(verb.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: Some(subresource.to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: Some(user.to_owned()),
        groups: Some(vec!["system:authenticated".to_owned()]),
        resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let answer = Api::<SubjectAccessReview>::all(client.clone()).create(&PostParams::default(), &review).await.unwrap();
    answer.status.unwrap().allowed
}

const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// The verbs that a user may do, in the order of [`VERBS`].
async fn verbs(client: &Client, user: &str, namespace: Option<&str>, resource: &str) -> String {
    let mut allowed = Vec::new();
    for verb in VERBS {
        if may(client, user, namespace, verb, resource).await {
            allowed.push(verb);
        }
    }
    allowed.join(" ")
}

/// A verb, a resource, and a name where it is only for one.
type Rights = BTreeSet<(String, String, Option<String>)>;

/// What the API server says that who has this kubeconfig may do in a namespace, by whatever role.
async fn rights(kubeconfig: &Path, namespace: &str) -> Rights {
    let client = client(kubeconfig).await.unwrap();
    let spec = SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) };
    let review = SelfSubjectRulesReview { spec, ..SelfSubjectRulesReview::default() };
    let answer = Api::<SelfSubjectRulesReview>::all(client).create(&PostParams::default(), &review).await.unwrap();
    let rules = answer.status.unwrap().resource_rules;
    rules.iter().flat_map(|rule| expand(&serde_json::to_value(rule).unwrap(), None, "")).map(words).collect()
}

fn words(Grant { verb, resource, name, .. }: Grant) -> (String, String, Option<String>) {
    (verb, resource, name)
}

/// In each namespace the operator may do what the chart's objects grant there and what everybody may; none is left out.
async fn assert_just_granted(release: &Release, kubeconfig: &Path, namespaces: &[&str]) {
    let plane = &Plane::shared().control_plane;
    let anybody = plane.service_account_kubeconfig(SYSTEM, "default").await.unwrap();
    let granted = grants(&release.objects);
    for namespace in namespaces {
        let here = |grant: &Grant| grant.namespace.as_deref().is_none_or(|granted| granted == *namespace);
        let chart: Rights = granted.iter().filter(|grant| here(grant)).cloned().map(words).collect();
        let everybody = rights(&anybody, namespace).await;
        soon("the roles are in force", async || so(rights(kubeconfig, namespace).await.is_superset(&chart))).await;
        let more: Rights = rights(kubeconfig, namespace).await.difference(&everybody).cloned().collect();
        assert_eq!(more, chart, "{namespace}");
    }
}

#[tokio::test]
async fn the_operator_may_do_what_the_chart_grants_and_nothing_else() {
    let (plane, scene) = (Plane::shared(), Scene::new("rights").await);
    let release = Release::render(plane, "idp-operator", SYSTEM, &[]);
    assert_just_granted(&release, &plane.operator_kubeconfig, &[&scene.namespace, SYSTEM, "kube-system"]).await;

    let watched = format!("watchNamespaces={{{}}}", scene.namespace);
    let home = Scene::new("rights-home").await;
    let values = ["crds.install=false", "leaderElection.enabled=true", "tenantClaims=required", &watched];
    let release = Release::render(plane, "narrow", &home.namespace, &[&values[..], &["rbac.aggregate=false"]].concat());
    release.apply(plane);
    let account = plane.control_plane.service_account_kubeconfig(&home.namespace, "narrow-idp-operator").await.unwrap();
    assert_just_granted(&release, &account, &[&scene.namespace, &home.namespace, SYSTEM, "kube-system"]).await;
}

#[tokio::test]
async fn users_roles_have_the_kinds_but_no_status_and_tenants_secrets_are_for_admins() {
    let scene = Scene::new("users").await;
    let namespace = Some(scene.namespace.as_str());
    for role in ["view", "edit", "admin"] {
        let binding = json!({
            "metadata": { "name": role },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": format!("a-{role}er") }],
        });
        let binding: RoleBinding = serde_json::from_value(binding).unwrap();
        scene.api().create(&PostParams::default(), &binding).await.unwrap();
        // A controller adds up the roles.
        soon("the role has our kinds", async || {
            let role: ClusterRole = Api::all(scene.client.clone()).get(role).await.unwrap();
            so(serde_json::to_string(&role.rules).unwrap().contains("identityproviders"))
        })
        .await;
    }
    soon("the last binding is in force", async || {
        so(may(&scene.client, "a-adminer", namespace, "get", "identityproviders.idp-operator.dev").await)
    })
    .await;
    let all = VERBS.join(" ");
    for kind in KINDS {
        let is_secret = kind == "tenantjwtsecrets";
        let expected = [
            ("a-viewer", if is_secret { "" } else { "get list watch" }),
            ("a-editer", if is_secret { "" } else { all.as_str() }),
            ("a-adminer", all.as_str()),
        ];
        for (user, verbs_expected) in expected {
            let resource = format!("{kind}.idp-operator.dev");
            assert_eq!(verbs(&scene.client, user, namespace, &resource).await, verbs_expected, "{user} {kind}");
            assert_eq!(verbs(&scene.client, user, Some("default"), &resource).await, "", "{user} {kind} elsewhere");
            let status = format!("{kind}/status.idp-operator.dev");
            assert_eq!(verbs(&scene.client, user, namespace, &status).await, "", "{user} {kind}/status");
        }
    }
}

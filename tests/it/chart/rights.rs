//! What the operator and its users may do.

use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
    rbac::v1::{ClusterRole, RoleBinding},
};
use kube::{Api, Client, api::PostParams};
use serde_json::json;

use crate::{
    program::{so, soon},
    support::{Scene, plane::SYSTEM},
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

#[tokio::test]
async fn the_operator_may_do_what_it_needs_and_nothing_else() {
    let scene = Scene::new("rights").await;
    let account = format!("system:serviceaccount:{SYSTEM}:idp-operator");
    for kind in KINDS {
        let rights = [kind.to_owned(), format!("{kind}/status"), format!("{kind}/finalizers")]
            .map(|resource| format!("{resource}.idp-operator.dev"));
        let reads = if kind == "tenantjwtsecrets" { "get list watch" } else { "list watch" };
        assert_eq!(verbs(&scene.client, &account, None, &rights[0]).await, reads, "{kind}");
        assert_eq!(verbs(&scene.client, &account, None, &rights[1]).await, "patch", "{kind}");
        assert_eq!(verbs(&scene.client, &account, None, &rights[2]).await, "", "{kind}");
    }
    let table = [
        ("secrets", "get list watch create update"),
        ("configmaps", "get list watch create update"),
        ("events.events.k8s.io", "create patch"),
        ("events", ""),
        ("nodes", ""),
        ("pods", ""),
        ("namespaces", ""),
        ("serviceaccounts/token", ""),
        ("leases.coordination.k8s.io", ""),
        ("customresourcedefinitions.apiextensions.k8s.io", ""),
        ("clusterroles.rbac.authorization.k8s.io", ""),
    ];
    for (resource, expected) in table {
        assert_eq!(verbs(&scene.client, &account, None, resource).await, expected, "{resource}");
    }
    for verb in ["impersonate", "bind", "escalate"] {
        for resource in ["users", "groups", "serviceaccounts", "clusterroles.rbac.authorization.k8s.io"] {
            assert!(!may(&scene.client, &account, None, verb, resource).await, "{verb} {resource}");
        }
    }
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

//! What the chart renders, and that it runs.

use std::{collections::BTreeMap, path::Path};

use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret};
use k8s_openapi::{
    api::core::v1::{Namespace, Pod, Secret, ServiceAccount},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{Release, strategy_catalog::GITLAB};
use crate::{
    program::soon,
    support::{
        KeyServer, Plane, Scene,
        key_server::{ED25519, jwks},
    },
};

/// With types, as Helm writes the number 64.0 as 64.
fn sorted(crds: impl IntoIterator<Item = Value>) -> Vec<CustomResourceDefinition> {
    let mut crds: Vec<CustomResourceDefinition> =
        crds.into_iter().map(|crd| serde_json::from_value(crd).unwrap()).collect();
    crds.sort_by_key(|crd| crd.metadata.name.clone());
    crds
}

#[test]
fn its_crds_are_the_committed_ones_and_kept_on_uninstall() {
    let release = Release::render(Plane::shared(), "idp-operator", "x", &[]);
    let is_crd = |object: &&Value| object["kind"] == "CustomResourceDefinition";
    let mut rendered = sorted(release.objects.iter().filter(is_crd).cloned());
    for crd in &mut rendered {
        let kept = BTreeMap::from([("helm.sh/resource-policy".to_owned(), "keep".to_owned())]);
        assert_eq!(crd.metadata.annotations.take(), Some(kept));
        let labels = crd.metadata.labels.take().unwrap();
        assert_eq!(labels["app.kubernetes.io/name"], "idp-operator");
        assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let committed = std::fs::read_dir(folder).unwrap().map(|file| {
        let yaml = std::fs::read_to_string(file.unwrap().path()).unwrap();
        serde_saphyr::from_str(&yaml).unwrap()
    });
    assert_eq!(rendered, sorted(committed));
    assert_eq!(rendered.len(), 4);
}

/// Arguments about claims, and the rules on namespaces of each role by its kind and namespace.
fn claims(values: &[&str]) -> (Vec<String>, BTreeMap<String, Value>) {
    let release = Release::render(Plane::shared(), "c", "x", values);
    let args = release.args().into_iter().filter(|arg| arg.contains("claims")).collect();
    let rules = release.objects.iter().flat_map(|object| {
        let of = format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["namespace"]);
        let rules = object["rules"].as_array().cloned().unwrap_or_default();
        rules.into_iter().filter(|rule| rule["resources"] == json!(["namespaces"])).map(move |rule| (of.clone(), rule))
    });
    (args, rules.collect())
}

#[test]
fn claims_are_off_and_when_required_namespaces_may_be_read_and_no_more_than_are_watched() {
    let rule = |verbs: Value| json!({ "apiGroups": [""], "resources": ["namespaces"], "verbs": verbs });
    let two = "watchNamespaces={a,b}";
    for off in [&["tenantClaims=off"][..], &[], &[two]] {
        assert_eq!(claims(off), (Vec::new(), BTreeMap::new()));
    }
    let required = vec!["--tenant-claims=required".to_owned()];
    let all = BTreeMap::from([("ClusterRole null".to_owned(), rule(json!(["list", "watch"])))]);
    assert_eq!(claims(&["tenantClaims=required"]), (required.clone(), all));
    let each = ["a", "b"].map(|namespace| {
        let mut rule = rule(json!(["get"]));
        rule["resourceNames"] = json!([namespace]);
        (format!("Role \"{namespace}\""), rule)
    });
    assert_eq!(claims(&["tenantClaims=required", two]), (required, BTreeMap::from(each)));
}

#[tokio::test]
async fn pod_security_restricted_has_nothing_to_say() {
    let plane = Plane::shared();
    let scene = Scene::new("restricted").await;
    let labels = json!({
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
    });
    let namespaces = Api::<Namespace>::all(scene.client.clone());
    let patch = Patch::Merge(json!({ "metadata": { "labels": labels } }));
    namespaces.patch(&scene.namespace, &PatchParams::default(), &patch).await.unwrap();
    let catalog = &[&["crds.install=false"][..], &GITLAB].concat();
    let two = &["crds.install=false", "leaderElection.enabled=true", "replicaCount=2", "hostUsers=false"];
    let of_the_platform =
        &["crds.install=false", "podSecurityContext.runAsUser=null", "podSecurityContext.runAsGroup=null"];
    for values in [&["crds.install=false"][..], two, of_the_platform, catalog] {
        let release = Release::render(plane, "safe", &scene.namespace, values);
        let apply = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename", "-"];
        let (ok, printed, complaints) = release.kubectl(&plane.control_plane, &apply);
        assert!(ok && printed.contains("deployment.apps/safe-idp-operator"), "{printed}{complaints}");
        assert_eq!(complaints, "");
    }
    // Deployments are only warned of: Pods are what is refused.
    let release = Release::render(plane, "safe", &scene.namespace, &[]);
    let mut template = release.object("Deployment")["spec"]["template"].clone();
    template["metadata"]["name"] = json!("pod");
    template["spec"]["serviceAccountName"] = json!("default");
    let pods = scene.api::<Pod>();
    let params = PostParams { dry_run: true, ..PostParams::default() };
    // Another test's namespace gets its ServiceAccount just as slowly.
    soon("the namespace's default ServiceAccount", async || {
        scene.api::<ServiceAccount>().get_opt("default").await.unwrap()
    })
    .await;
    pods.create(&params, &serde_json::from_value(template.clone()).unwrap()).await.unwrap();
    template["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    assert!(pods.create(&params, &serde_json::from_value(template).unwrap()).await.is_err());
}

#[tokio::test]
async fn with_watch_namespaces_roles_in_just_these_suffice() {
    let plane = Plane::shared();
    let scene = Scene::new("roles").await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let release = Release::render(
        plane,
        "team",
        &scene.namespace,
        &[
            "crds.install=false",
            "rbac.aggregate=false",
            "admissionPolicies.enabled=false",
            "allowCidrs={127.0.0.0/8}",
            &format!("watchNamespaces={{{}}}", scene.namespace),
        ],
    );
    // Every object is in a namespace: a release of no cluster-scoped object at all.
    assert!(release.objects.iter().all(|object| object["metadata"]["namespace"].is_string()));
    release.apply(plane);
    let operator = release.start(plane, "team-idp-operator").await.ready().await;

    scene.apply::<StrategyInstance>("s", json!({ "type": "userpass", "isSyncActive": true })).await;
    scene.apply::<TenantJwtSecret>("t", json!({ "tenantId": "roles", "signingAlgorithm": "HS256" })).await;
    let idp = json!({
        "issuer": "https://roles.example.com",
        "jwtEndpoint": server.url("/jwt"),
        "keysEndpoint": server.url("/keys"),
        "allowInsecureHttp": true,
    });
    scene.apply::<IdentityProvider>("i", idp).await;
    scene.verdict::<StrategyInstance>("s", "False", "CapabilityNotSupported").await;
    scene.verdict::<TenantJwtSecret>("t", "True", "Ready").await;
    scene.verdict::<IdentityProvider>("i", "True", "Ready").await;
    scene.until::<Secret>("t-jwt", |_| true).await;
    scene.event("StrategyInstance/s Warning CapabilityNotSupported").await;
    let refused = operator.metric("idp_operator_api_requests_total", &["code=\"403\""]).await;
    assert!(refused < 1.0, "{}", operator.log());

    let account = format!("system:serviceaccount:{}:team-idp-operator", scene.namespace);
    for namespace in ["default", "kube-system"] {
        let answer = plane.kubectl(&["auth", "can-i", "list", "secrets", "--as", &account, "--namespace", namespace]);
        assert_eq!(String::from_utf8(answer.stdout).unwrap(), "no\n");
    }
}

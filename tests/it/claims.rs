//! `--tenant-claims=required`: a namespace holds only the tenants that its annotation lists.

use std::{collections::BTreeMap, time::Duration};

use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use crate::{
    chart::Release,
    program::{so, soon},
    support::{
        Operator, Plane, Scene,
        operator::Start,
        ready,
        scene::{conditions, core, version},
    },
};

/// The release's values beside the namespaces.
const VALUES: [&str; 3] = ["crds.install=false", "rbac.aggregate=false", "tenantClaims=required"];

/// The tenants that the namespace may hold from now on.
async fn claim(scene: &Scene, tenants: Option<&str>) {
    let patch = Patch::Merge(json!({ "metadata": { "annotations": { "idp-operator.dev/tenants": tenants } } }));
    let namespaces = Api::<Namespace>::all(scene.client.clone());
    namespaces.patch(&scene.namespace, &PatchParams::default(), &patch).await.unwrap();
}

async fn tenant(scene: &Scene, name: &str, tenant: &str) {
    scene.apply::<TenantJwtSecret>(name, json!({ "tenantId": tenant, "signingAlgorithm": "HS256" })).await;
}

async fn is_ready(scene: &Scene, name: &str) {
    scene.verdict::<TenantJwtSecret>(name, "True", "Ready").await;
}

async fn is_not_claimed(scene: &Scene, name: &str) -> TenantJwtSecret {
    scene.verdict(name, "False", "TenantNotClaimed").await
}

/// resourceVersions of all that the operator could write.
async fn versions(scenes: &[&Scene]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for scene in scenes {
        for object in scene.api::<TenantJwtSecret>().list(&ListParams::default()).await.unwrap() {
            all.insert(format!("{}/{}", scene.namespace, object.name_any()), version(&object));
        }
        for secret in scene.api::<Secret>().list(&ListParams::default()).await.unwrap() {
            all.insert(format!("{}/{}", scene.namespace, secret.name_any()), version(&secret));
        }
    }
    all
}

/// Nothing is written from now on, nor after a restart.
async fn assert_steady(operator: Operator, start: Start, scenes: &[&Scene]) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = versions(scenes).await;
    let writes = operator.writes().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!((operator.writes().await - writes).abs() < f64::EPSILON);
    operator.terminate();
    let operator = start.ready().await;
    soon("every object was looked at", async || {
        let objects = operator.metric("idp_operator_objects", &["TenantJwtSecret"]).await;
        so(objects > 0.5 && operator.metric("idp_operator_reconciles_total", &[]).await >= objects)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(operator.writes().await.abs() < f64::EPSILON, "{}", operator.log());
    assert_eq!(versions(scenes).await, before);
}

fn assert_told(object: &TenantJwtSecret) {
    let status = core(object);
    assert_eq!(
        conditions(&status),
        [
            "AlgorithmConfigured=Unknown NotEvaluated",
            "Ready=False TenantNotClaimed",
            "SecretConfigured=Unknown NotEvaluated",
            "Stalled=True TenantNotClaimed",
            "TenantValid=False TenantNotClaimed",
        ]
    );
    let message = "tenantId must be claimed for its namespace: have it added to the namespace's annotation \
                   'idp-operator.dev/tenants', or create the object in a namespace whose annotation has it";
    assert_eq!(status.condition("Ready").unwrap().message, message);
    let [error] = status.errors.as_slice() else { panic!("{:?}", status.errors) };
    assert_eq!(
        json!([error.status, error.code, error.title, error.detail, error.source]),
        json!(["403", "tenant-not-claimed", "Tenant not claimed", message, { "pointer": "/spec/tenantId" }])
    );
    assert_eq!(object.status.as_ref().unwrap().last_error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_all_namespaces_watched_claims_decide_who_contends_for_a_tenant() {
    let plane = Plane::start();
    let (a, b) = (Scene::on(&plane, "a").await, Scene::on(&plane, "b").await);
    let release = Release::render(&plane, "claiming", &a.namespace, &VALUES);
    let account = "claiming-idp-operator";
    tenant(&a, "older", "acme").await;
    // The chart's own release has no right to read namespaces: nothing is judged before they are known.
    let operator = Start::new(&plane.operator_kubeconfig).env("IDP_OPERATOR_TENANT_CLAIMS", "required").spawn().await;
    let why = "the API server answered 403 Forbidden: the operator's role must allow list and watch";
    soon("it says what it waits for", async || {
        so(operator.get("/readyz").await == (503, format!("waiting for\nnamespaces: {why}\n")))
    })
    .await;
    // Creation times are whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(ready(&a.api::<TenantJwtSecret>().get("older").await.unwrap()), None);
    operator.terminate();

    release.apply(&plane);
    tenant(&b, "younger", "ACME").await;
    claim(&b, Some("globex, Acme")).await;
    let operator = release.start(&plane, account).await.ready().await;
    let account_name = format!("system:serviceaccount:{}:{account}", a.namespace);
    for (verb, expected) in [("list", "yes\n"), ("watch", "yes\n"), ("get", "no\n"), ("patch", "no\n")] {
        let answer = plane.kubectl(&["auth", "can-i", verb, "namespaces", "--as", &account_name]);
        assert_eq!(String::from_utf8(answer.stdout).unwrap(), expected, "{verb}");
    }

    // An older object without a claim keeps nobody from the tenant.
    is_ready(&b, "younger").await;
    assert_told(&is_not_claimed(&a, "older").await);
    a.event("TenantJwtSecret/older Warning TenantNotClaimed").await;
    assert!(a.api::<Secret>().get_opt("older-jwt").await.unwrap().is_none());

    // With one it takes over, and gives way without.
    claim(&a, Some("acme")).await;
    is_ready(&a, "older").await;
    b.verdict::<TenantJwtSecret>("younger", "False", "TenantConflict").await;
    let secrets = [
        version(&a.api::<Secret>().get("older-jwt").await.unwrap()),
        version(&b.api::<Secret>().get("younger-jwt").await.unwrap()),
    ];
    claim(&a, None).await;
    let unclaimed = is_not_claimed(&a, "older").await;
    assert_told(&unclaimed);
    is_ready(&b, "younger").await;
    assert_eq!(unclaimed.status.unwrap().secret_name.as_deref(), Some("older-jwt"));
    let kept = [
        version(&a.api::<Secret>().get("older-jwt").await.unwrap()),
        version(&b.api::<Secret>().get("younger-jwt").await.unwrap()),
    ];
    assert_eq!(kept, secrets);

    wildcards_and_suspension(&a).await;
    assert_steady(operator, release.start(&plane, account).await, &[&a, &b]).await;
}

async fn wildcards_and_suspension(scene: &Scene) {
    for (name, id) in [("apex", "example.com"), ("one", "shop.example.com"), ("two", "eu.shop.Example.com")] {
        tenant(scene, name, id).await;
        is_not_claimed(scene, name).await;
    }
    // Suspended, it keeps its verdict whatever is claimed.
    scene.merge::<TenantJwtSecret>("two", json!({ "spec": { "suspend": true } })).await;
    scene
        .until::<TenantJwtSecret>("two", |object| {
            core(object).condition("Suspended").is_some_and(|suspended| suspended.status == "True")
        })
        .await;
    claim(scene, Some("*,*.example.com")).await;
    is_ready(scene, "one").await;
    tenant(scene, "late", "late.example.com").await;
    is_ready(scene, "late").await;
    is_not_claimed(scene, "apex").await;
    let suspended = scene.api::<TenantJwtSecret>().get("two").await.unwrap();
    assert_eq!(ready(&suspended).unwrap().1, "TenantNotClaimed");
    scene.merge::<TenantJwtSecret>("two", json!({ "spec": { "suspend": false } })).await;
    is_ready(scene, "two").await;
}

#[tokio::test]
async fn with_watch_namespaces_a_read_of_just_these_suffices() {
    let plane = Plane::shared();
    let (a, b) = (Scene::new("claims").await, Scene::new("claims").await);
    let both = format!("watchNamespaces={{{},{}}}", a.namespace, b.namespace);
    let account = "claiming-idp-operator";
    let render = |values: &[&str]| Release::render(plane, "claiming", &a.namespace, values);
    // Roles without the right: it waits, and says so once for each namespace.
    render(&[VALUES[0], VALUES[1], &both]).apply(plane);
    let release = render(&[VALUES[0], VALUES[1], VALUES[2], &both]);
    let operator = release.start(plane, account).await.spawn().await;
    let why = "the API server answered 403 Forbidden: the operator's role must allow get";
    let waiting = [&a, &b].map(|scene| format!("waiting for\nnamespaces: {}: {why}\n", scene.namespace));
    soon("it says what it waits for", async || {
        let (status, body) = operator.get("/readyz").await;
        so(status == 503 && waiting.contains(&body))
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(operator.log().matches("read failed, trying on").count(), 2, "{}", operator.log());
    release.apply(plane);
    operator.wait_ready().await;
    assert_eq!(operator.log().matches("read works again").count(), 2, "{}", operator.log());
    let refused = operator.metric("idp_operator_api_requests_total", &["code=\"403\""]).await;

    tenant(&a, "older", "acme").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    tenant(&b, "younger", "acme").await;
    assert_told(&is_not_claimed(&a, "older").await);
    is_not_claimed(&b, "younger").await;
    claim(&b, Some("acme")).await;
    is_ready(&b, "younger").await;
    let secret = version(&b.api::<Secret>().get("younger-jwt").await.unwrap());
    claim(&b, None).await;
    claim(&a, Some("acme")).await;
    is_not_claimed(&b, "younger").await;
    is_ready(&a, "older").await;
    assert_eq!(version(&b.api::<Secret>().get("younger-jwt").await.unwrap()), secret);
    let refused_since = operator.metric("idp_operator_api_requests_total", &["code=\"403\""]).await - refused;
    assert!(refused_since < 1.0, "{}", operator.log());
    let account_name = format!("system:serviceaccount:{}:{account}", a.namespace);
    let answer = plane.kubectl(&["auth", "can-i", "get", "namespaces/default", "--as", &account_name]);
    assert_eq!(String::from_utf8(answer.stdout).unwrap(), "no\n");
    assert_steady(operator, release.start(plane, account).await, &[&a, &b]).await;
}

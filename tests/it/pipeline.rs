//! What all kinds share: steady state, suspension, failures, deletion.

use std::{collections::BTreeMap, time::Duration};

use idp_operator::{
    api::{IdentityProvider, StrategyInstance, StrategyInstanceStatus, TenantJwtSecret, UserIdpAuthenticator},
    cluster::report::report,
};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace, Secret},
    rbac::v1::RoleBinding,
};
use kube::{
    Api, Resource, ResourceExt as _,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;

use crate::support::{
    KeyServer, Plane, Scene,
    key_server::{ED25519, jwks},
    operator::Start,
    plane::SYSTEM,
    ready,
    scene::{Ours, conditions, core, version},
};

/// One good and one bad object of each kind.
async fn populate(scene: &Scene, server: &KeyServer) {
    let provider = |path: &str| {
        json!({
            "jwtEndpoint": "https://login.example.com/jwt", "issuer": "https://login.example.com",
            "keysEndpoint": server.url(path), "allowInsecureHttp": true,
        })
    };
    let link = |idp: &str| json!({ "userId": "1", "idpRef": { "name": idp }, "idpUserId": "2", "idpUserName": "3" });
    scene.apply::<IdentityProvider>("good", provider("/keys")).await;
    scene
        .apply::<IdentityProvider>(
            "bad",
            json!({
                "jwtEndpoint": "https://login.example.com/jwt", "issuer": "https://bad.example.com",
                "keysEndpoint": "http://169.254.169.254/keys", "allowInsecureHttp": true,
            }),
        )
        .await;
    scene.apply::<TenantJwtSecret>("good", json!({ "tenantId": "good", "signingAlgorithm": "HS256" })).await;
    scene.apply::<TenantJwtSecret>("bad", json!({ "tenantId": "bad" })).await;
    // Two watches have no common order: a link could be seen before its IdentityProvider, and be told so.
    scene.verdict::<IdentityProvider>("good", "True", "Ready").await;
    scene.apply::<UserIdpAuthenticator>("good", link("good")).await;
    scene.apply::<UserIdpAuthenticator>("bad", link("missing")).await;
    scene.apply::<StrategyInstance>("good", json!({ "type": "userpass" })).await;
    scene.apply::<StrategyInstance>("bad", json!({ "type": "userpass", "isSyncActive": true })).await;
}

async fn judged(scene: &Scene) {
    scene.verdict::<IdentityProvider>("good", "True", "Ready").await;
    scene.verdict::<IdentityProvider>("bad", "False", "AddressForbidden").await;
    scene.verdict::<TenantJwtSecret>("good", "True", "Ready").await;
    scene.verdict::<TenantJwtSecret>("bad", "False", "SigningAlgorithmNotConfigured").await;
    scene.verdict::<UserIdpAuthenticator>("good", "True", "IdentitySet").await;
    scene.verdict::<UserIdpAuthenticator>("bad", "False", "IdpNotFound").await;
    scene.verdict::<StrategyInstance>("good", "True", "Ready").await;
    scene.verdict::<StrategyInstance>("bad", "False", "CapabilityNotSupported").await;
}

/// resourceVersions of everything that the operator could write.
async fn versions(scene: &Scene) -> BTreeMap<String, String> {
    async fn of<K>(scene: &Scene) -> Vec<(String, String)>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + serde::de::DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let list = scene.api::<K>().list(&ListParams::default()).await.unwrap();
        list.items.iter().map(|object| (format!("{}/{}", K::kind(&()), object.name_any()), version(object))).collect()
    }
    let mut all = BTreeMap::new();
    all.extend(of::<IdentityProvider>(scene).await);
    all.extend(of::<TenantJwtSecret>(scene).await);
    all.extend(of::<UserIdpAuthenticator>(scene).await);
    all.extend(of::<StrategyInstance>(scene).await);
    all.extend(of::<Secret>(scene).await);
    all.extend(of::<ConfigMap>(scene).await);
    all.extend(of::<k8s_openapi::api::events::v1::Event>(scene).await);
    all
}

#[tokio::test]
async fn a_steady_state_and_a_restart_write_nothing() {
    let scene = Scene::new("steady").await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let operator = scene.operator().await;
    populate(&scene, &server).await;
    judged(&scene).await;
    scene.event("StrategyInstance/bad Warning CapabilityNotSupported").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = versions(&scene).await;
    assert_eq!(before.len(), 8 + 2 + 1 + 4, "{before:?}");
    let (status, _) = operator.terminate();
    assert!(status.success());

    for _ in 0..2 {
        let operator = scene.operator().await;
        // Every object was looked at, and its keys were fetched again.
        while operator.metric("idp_operator_reconciles_total", &[]).await < 10.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        // Labels and annotations wake objects too.
        scene.merge::<StrategyInstance>("good", json!({ "metadata": { "labels": { "a": "b" } } })).await;
        scene.merge::<StrategyInstance>("good", json!({ "metadata": { "labels": { "a": null } } })).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!((operator.writes().await).abs() < f64::EPSILON, "{}", operator.get("/metrics").await.1);
        let mut after = versions(&scene).await;
        // Ours.
        after.insert("StrategyInstance/good".into(), before["StrategyInstance/good"].clone());
        assert_eq!(after, before);
        operator.terminate();
    }
}

#[tokio::test]
async fn each_object_costs_one_child_and_one_status() {
    let scene = Scene::new("cost").await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    for number in 0..10 {
        scene
            .apply::<TenantJwtSecret>(
                &format!("t{number}"),
                json!({ "tenantId": format!("t{number}"), "signingAlgorithm": "HS256" }),
            )
            .await;
        scene
            .apply::<IdentityProvider>(
                &format!("i{number}"),
                json!({
                    "jwtEndpoint": "https://login.example.com/jwt", "issuer": format!("https://{number}.example.com"),
                    "keysEndpoint": server.url("/keys"), "allowInsecureHttp": true,
                }),
            )
            .await;
    }
    let operator = scene.operator().await;
    for number in 0..10 {
        scene.verdict::<TenantJwtSecret>(&format!("t{number}"), "True", "Ready").await;
        scene.verdict::<IdentityProvider>(&format!("i{number}"), "True", "Ready").await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let requests = async |verb: &str, kind: &str| {
        operator
            .metric("idp_operator_api_requests_total", &[&format!("verb=\"{verb}\""), &format!("kind=\"{kind}\"")])
            .await
    };
    let mut counts = BTreeMap::new();
    for (verb, kind) in [
        ("create", "secrets"),
        ("create", "configmaps"),
        ("patch", "tenantjwtsecrets/status"),
        ("patch", "identityproviders/status"),
        ("get", "secrets"),
        ("get", "configmaps"),
        ("update", "secrets"),
        ("update", "configmaps"),
        ("create", "events"),
    ] {
        counts.insert(format!("{verb} {kind}"), requests(verb, kind).await);
    }
    let expected = [
        ("create configmaps", 10.0),
        ("create events", 0.0),
        ("create secrets", 10.0),
        ("get configmaps", 0.0),
        ("get secrets", 0.0),
        ("patch identityproviders/status", 10.0),
        ("patch tenantjwtsecrets/status", 10.0),
        ("update configmaps", 0.0),
        ("update secrets", 0.0),
    ];
    assert_eq!(counts, expected.map(|(what, count)| (what.to_owned(), count)).into());
}

#[tokio::test]
async fn a_suspended_object_keeps_its_verdict_and_goes_on_when_resumed() {
    let scene = Scene::new("suspend").await;
    let _operator = scene.operator().await;
    let spec = |algorithm: &str, suspend: bool| json!({ "tenantId": "acme", "signingAlgorithm": algorithm, "suspend": suspend });
    scene.apply::<TenantJwtSecret>("acme", spec("HS256", false)).await;
    let first: TenantJwtSecret = scene.verdict("acme", "True", "Ready").await;
    scene.apply::<TenantJwtSecret>("acme", spec("HS512", true)).await;
    let suspended = scene
        .until::<TenantJwtSecret>("acme", |object| {
            core(object).condition("Suspended").is_some_and(|condition| condition.status == "True")
        })
        .await;
    let kept = core(&suspended);
    assert_eq!(kept.observed_generation, suspended.metadata.generation);
    // The verdict is the old generation's.
    assert_eq!(kept.condition("Ready"), core(&first).condition("Ready"));
    assert_eq!(suspended.status.as_ref().unwrap().key_id, first.status.unwrap().key_id);
    scene.delete::<Secret>("acme-jwt").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(scene.api::<Secret>().get_opt("acme-jwt").await.unwrap().is_none());

    scene.apply::<TenantJwtSecret>("acme", spec("HS512", false)).await;
    let resumed = scene
        .until::<TenantJwtSecret>("acme", |object| {
            core(object).condition("Suspended").is_none() && ready(object).is_some()
        })
        .await;
    assert_eq!(resumed.status.unwrap().algorithm.as_deref(), Some("HS512"));

    // One that was never judged is neither ready nor not.
    scene.apply::<TenantJwtSecret>("asleep", json!({ "tenantId": "asleep", "suspend": true })).await;
    let asleep: TenantJwtSecret = scene.verdict("asleep", "Unknown", "Suspended").await;
    assert_eq!(
        conditions(&core(&asleep)),
        ["Ready=Unknown Suspended", "Reconciling=True Suspended", "Suspended=True Suspended"]
    );
}

#[tokio::test]
async fn transition_times_move_only_with_the_status() {
    let scene = Scene::new("times").await;
    let _operator = scene.operator().await;
    let since = |object: &StrategyInstance| core(object).condition("Ready").unwrap().last_transition_time.clone();
    scene.apply::<StrategyInstance>("one", json!({ "type": "userpass", "isSyncActive": true })).await;
    let first: StrategyInstance = scene.verdict("one", "False", "CapabilityNotSupported").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    scene.apply::<StrategyInstance>("one", json!({ "type": "userpass", "doesImplicitRegister": true })).await;
    let second: StrategyInstance = scene.verdict("one", "False", "CapabilityNotSupported").await;
    assert_eq!(since(&first), since(&second));
    assert_ne!(core(&first).errors[0].id, core(&second).errors[0].id);
    scene.apply::<StrategyInstance>("one", json!({ "type": "userpass" })).await;
    let third: StrategyInstance = scene.verdict("one", "True", "Ready").await;
    assert!(since(&third).0 > since(&second).0);
}

/// An operator whose rights are the chart's but for one namespace-wide thing, which a test grants and takes away.
async fn without_right_to_secrets(scene: &Scene) -> (Start, String) {
    let account = "limited";
    let plane = Plane::shared();
    plane.kubectl(&["create", "serviceaccount", account, "--namespace", &scene.namespace]);
    let kinds = "identityproviders,tenantjwtsecrets,useridpauthenticators,strategyinstances";
    for (role, verbs, resources) in [
        ("read", "list,watch", format!("{kinds},secrets,configmaps")),
        ("report", "patch", kinds.split(',').map(|kind| format!("{kind}/status")).collect::<Vec<_>>().join(",")),
        ("events", "create,patch", "events.events.k8s.io".to_owned()),
    ] {
        let resources = resources
            .split(',')
            .map(|resource| match resource.split_once('/') {
                _ if ["secrets", "configmaps", "events.events.k8s.io"].contains(&resource) => resource.to_owned(),
                Some((kind, sub)) => format!("{kind}.idp-operator.dev/{sub}"),
                None => format!("{resource}.idp-operator.dev"),
            })
            .collect::<Vec<_>>()
            .join(",");
        let done = plane.kubectl(&[
            "create",
            "role",
            role,
            "--verb",
            verbs,
            "--resource",
            &resources,
            "--namespace",
            &scene.namespace,
        ]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        bind(scene, role, account).await;
    }
    let kubeconfig = plane.control_plane.service_account_kubeconfig(&scene.namespace, account).await.unwrap();
    (Start::new(kubeconfig).arg("--watch-namespace").arg(&scene.namespace), account.to_owned())
}

async fn bind(scene: &Scene, role: &str, account: &str) {
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": { "name": role },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role },
        "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": scene.namespace }],
    }))
    .unwrap();
    scene.api::<RoleBinding>().create(&PostParams::default(), &binding).await.unwrap();
}

#[tokio::test]
async fn a_missing_permission_is_told_in_the_status_and_its_grant_heals() {
    let scene = Scene::new("denied").await;
    let (start, account) = without_right_to_secrets(&scene).await;
    let operator = start.ready().await;
    scene.apply::<TenantJwtSecret>("acme", json!({ "tenantId": "acme", "signingAlgorithm": "HS256" })).await;
    let object: TenantJwtSecret = scene.verdict("acme", "Unknown", "InternalError").await;
    let message = format!(
        "could not create Secret 'acme-jwt': the API server answered 403 Forbidden: the operator's role must allow create \
         on secrets in namespace '{}'",
        scene.namespace
    );
    let status = object.status.clone().unwrap();
    assert_eq!(status.core.condition("Ready").unwrap().message, message);
    assert_eq!(conditions(&status.core), ["Ready=Unknown InternalError", "Reconciling=True InternalError"]);
    assert_eq!(
        serde_json::to_value(&status.last_error).unwrap(),
        json!({ "code": 101_020, "message": "Internal server error", "errors": [message] })
    );
    assert_eq!((status.core.errors[0].status.as_str(), status.core.errors[0].code.as_str()), ("500", "101020"));
    assert!(operator.metric("idp_operator_reconciles_total", &["result=\"error\""]).await >= 1.0);
    assert!(operator.metric("idp_operator_api_requests_total", &["code=\"403\""]).await >= 1.0);

    // It delays nothing else, and is tried again at growing intervals.
    scene.apply::<StrategyInstance>("other", json!({ "type": "userpass" })).await;
    scene.verdict::<StrategyInstance>("other", "True", "Ready").await;
    let before = version(&scene.api::<TenantJwtSecret>().get("acme").await.unwrap());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(version(&scene.api::<TenantJwtSecret>().get("acme").await.unwrap()), before, "the status churns");

    let done = Plane::shared().kubectl(&[
        "create",
        "role",
        "write",
        "--verb",
        "get,create,update",
        "--resource",
        "secrets",
        "--namespace",
        &scene.namespace,
    ]);
    assert!(done.status.success());
    bind(&scene, "write", &account).await;
    let object: TenantJwtSecret = scene.verdict("acme", "True", "Ready").await;
    assert_eq!(object.status.unwrap().last_error, None);
}

#[tokio::test]
async fn an_object_being_deleted_is_left_alone_and_counts_as_missing() {
    let scene = Scene::new("deleting").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    scene.apply::<IdentityProvider>("login", json!({
        "jwtEndpoint": "https://login.example.com/jwt", "issuer": "i", "keysEndpoint": server.url("/keys"), "allowInsecureHttp": true,
    })).await;
    let link = json!({ "userId": "1", "idpRef": { "name": "login" }, "idpUserId": "2", "idpUserName": "3" });
    scene.apply::<UserIdpAuthenticator>("link", link).await;
    scene.verdict::<UserIdpAuthenticator>("link", "True", "IdentitySet").await;
    let held = json!({ "metadata": { "finalizers": ["example.com/hold"] } });
    scene.merge::<IdentityProvider>("login", held).await;
    scene.delete::<IdentityProvider>("login").await;
    scene.verdict::<UserIdpAuthenticator>("link", "False", "IdpNotFound").await;
    // What it made is not healed any more.
    scene.delete::<ConfigMap>("login-jwks").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(scene.api::<ConfigMap>().get_opt("login-jwks").await.unwrap().is_none());
    let idp: IdentityProvider = scene.merge("login", json!({ "metadata": { "finalizers": null } })).await;
    assert!(idp.metadata.deletion_timestamp.is_some());
}

#[tokio::test]
async fn a_terminating_namespace_is_no_error() {
    let scene = Scene::new("terminating").await;
    let operator = scene.operator().await;
    // Its finalizer holds the namespace while it goes.
    scene.apply::<TenantJwtSecret>("acme", json!({ "tenantId": "acme", "signingAlgorithm": "HS256" })).await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    let held = json!({ "metadata": { "finalizers": ["example.com/hold"] } });
    scene.merge::<TenantJwtSecret>("acme", held).await;
    let namespaces: Api<Namespace> = Api::all(scene.client.clone());
    namespaces.delete(&scene.namespace, &DeleteParams::default()).await.unwrap();
    for _ in 0..300 {
        if scene.api::<Secret>().get_opt("acme-jwt").await.unwrap().is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(
        operator.metric("idp_operator_reconciles_total", &["result=\"error\""]).await.abs() < f64::EPSILON,
        "{}",
        operator.log()
    );
    scene.merge::<TenantJwtSecret>("acme", json!({ "metadata": { "finalizers": null } })).await;
}

#[tokio::test]
async fn a_status_of_another_object_of_the_name_is_not_inherited() {
    async fn replaced<K: Ours + serde::Serialize>(scene: &Scene, name: &str, spec: serde_json::Value) -> (K, K) {
        let old: K = scene.apply(name, spec.clone()).await;
        scene.until::<K>(name, |object| ready(object).is_some()).await;
        scene.delete::<K>(name).await;
        let new: K = scene.apply(name, spec).await;
        (old, new)
    }
    let scene = Scene::new("replaced").await;
    let _operator = scene.operator().await;
    let (old, new) = replaced::<StrategyInstance>(&scene, "one", json!({ "type": "userpass" })).await;
    assert_ne!(old.uid(), new.uid());
    let judged: StrategyInstance = scene.verdict("one", "True", "Ready").await;
    assert_eq!(judged.status.unwrap().id, new.uid());
}

#[tokio::test]
async fn a_status_judged_before_an_edit_is_not_written_after_it() {
    let scene = Scene::new("overtaken").await;
    let old: StrategyInstance = scene.apply("one", json!({ "type": "userpass" })).await;
    let new: StrategyInstance = scene.apply("one", json!({ "type": "userpass", "name": "edited" })).await;
    let status = StrategyInstanceStatus { type_: Some("userpass".into()), ..StrategyInstanceStatus::default() };
    let written = report(&scene.client, "StrategyInstance", &old, &status).await.unwrap();
    assert!(written.is_none());
    let written = report(&scene.client, "StrategyInstance", &new, &status).await.unwrap();
    assert_eq!(written.unwrap().spec.name.as_deref(), Some("edited"));
    scene.delete::<StrategyInstance>("one").await;
    assert!(report(&scene.client, "StrategyInstance", &new, &status).await.unwrap().is_none());
}

#[tokio::test]
async fn the_chart_s_service_account_is_what_all_this_runs_under() {
    let whoami = std::process::Command::new(Plane::shared().control_plane.kubectl().get_program())
        .args(["auth", "whoami", "--output", "jsonpath={.status.userInfo.username}"])
        .env("KUBECONFIG", &Plane::shared().operator_kubeconfig)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(whoami.stdout).unwrap(), format!("system:serviceaccount:{SYSTEM}:idp-operator"));
}

//! Warnings about specs that are valid, but risky, as the API server sends them.

use std::path::Path;

use idp_operator::api::IdentityProvider;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{Release, switches::merged};
use crate::{
    program::{so, soon},
    support::{Plane, Scene},
};

const IDP: &str = "identityproviders";
const TENANT: &str = "tenantjwtsecrets";
const STRATEGY: &str = "strategyinstances";

/// A spec without any risk, of each kind.
fn good(plural: &str) -> Value {
    match plural {
        IDP => json!({
            "issuer": "https://login.example.com",
            "jwtEndpoint": "https://login.example.com/jwt",
            "keysEndpoint": "https://login.example.com/keys",
            "audiences": ["api"],
        }),
        TENANT => json!({ "tenantId": "warned", "signingAlgorithm": "HS256" }),
        _ => json!({ "type": "userpass" }),
    }
}

fn object(plural: &str, spec: &Value) -> Value {
    let kind = match plural {
        IDP => "IdentityProvider",
        TENANT => "TenantJwtSecret",
        _ => "StrategyInstance",
    };
    json!({ "apiVersion": "idp-operator.dev/v1alpha1", "kind": kind, "metadata": { "name": "warned" }, "spec": spec })
}

/// Sends an object, which must be taken. Returns the warnings, short.
async fn send(scene: &Scene, method: &str, path: &str, content: &str, object: &Value) -> Vec<String> {
    let url = format!("/apis/idp-operator.dev/v1alpha1/namespaces/{}/{path}", scene.namespace);
    let request = http::Request::builder().method(method).uri(&url).header("content-type", content);
    let response = scene.client.send(request.body(Body::from(object.to_string().into_bytes())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect_bytes().await.unwrap();
    assert!(parts.status.is_success(), "{object}: {}", String::from_utf8_lossy(&body));
    let texts = parts.headers.get_all("warning").iter().map(|text| text.to_str().unwrap().to_owned());
    texts.map(|text| short(&text)).collect()
}

/// `299 - "Validation failed for ValidatingAdmissionPolicy 'P' with binding 'P': spec.a.b: because .."` as `P spec.a.b`.
fn short(warning: &str) -> String {
    let parts: Vec<&str> = warning.split('\'').collect();
    let [_, policy, _, binding, message, ..] = parts[..] else { panic!("{warning}") };
    assert_eq!(policy, binding);
    let message = message.trim_start_matches(": ");
    format!("{policy} {}", message.split([':', ' ']).next().unwrap())
}

/// What is warned of when an object with this spec, over a good one, is created. None is kept.
async fn warned_of(scene: &Scene, plural: &str, spec: &Value) -> Vec<String> {
    let object = object(plural, &merged(&good(plural), spec));
    send(scene, "POST", &format!("{plural}?dryRun=All"), "application/json", &object).await
}

/// A namespace, once the API server obeys the policies that the chart installed.
async fn scene(name: &str) -> Scene {
    static IN_FORCE: OnceCell<()> = OnceCell::const_new();
    let scene = Scene::new(name).await;
    let wait = || async {
        for (plural, spec) in RISKY_OF_EACH {
            let spec = serde_json::from_str(spec).unwrap();
            soon("policies are in force", async || so(!warned_of(&scene, plural, &spec).await.is_empty())).await;
        }
    };
    IN_FORCE.get_or_init(wait).await;
    scene
}

const RISKY_OF_EACH: [(&str, &str); 3] =
    [(IDP, r#"{"suspend":true}"#), (TENANT, r#"{"adopt":true}"#), (STRATEGY, r#"{"config":{"password":"x"}}"#)];

#[tokio::test]
async fn each_risk_is_warned_of_by_its_field_and_nothing_else_is() {
    let scene = scene("risks").await;
    let now = jiff::Timestamp::now();
    let token = |at: &str| json!({ "examples": [{ "name": "a", "token": "a.b.c", "at": at, "expect": "Accept" }] });
    let claims =
        json!({ "examples": [{ "name": "a", "claims": {}, "at": "2999-01-01T00:00:00Z", "expect": "Reject" }] });
    let http = |jwt: &str, keys: &str| json!({ "allowInsecureHttp": true, "jwtEndpoint": jwt, "keysEndpoint": keys });
    let from = json!({ "configMapKeyRef": { "name": "keys", "key": "keys" } });
    let table = [
        (IDP, json!({}), ""),
        (IDP, json!({ "keys": { "refreshInterval": "1h", "staleAfter": "72h" }, "clockSkew": "1m" }), ""),
        (IDP, json!({ "maxTokenAge": "12h", "state": "Inactive", "linkingAllowed": false }), ""),
        (IDP, json!({ "audiences": null }), "spec.audiences"),
        (IDP, json!({ "allowInsecureHttp": true }), "spec.allowInsecureHttp"),
        (IDP, http("http://127.0.0.1:8080/jwt", "http://localhost/keys"), ""),
        (IDP, http("http://[::1]/jwt", "https://127.0.0.1/keys"), ""),
        (IDP, http("http://127.0.0.1/jwt", "http://127.0.0.1.example.com/keys"), "spec.allowInsecureHttp"),
        (IDP, http("http://login/jwt", "http://127.0.0.1/keys"), "spec.allowInsecureHttp"),
        (IDP, json!({ "keys": { "staleAfter": "72h1s" } }), "spec.keys.staleAfter"),
        (IDP, json!({ "keys": { "refreshInterval": "61m" } }), "spec.keys.refreshInterval"),
        (IDP, json!({ "keys": { "refreshInterval": "61m" }, "keysFrom": from }), ""),
        (IDP, json!({ "clockSkew": "61s" }), "spec.clockSkew"),
        (IDP, json!({ "maxTokenAge": "721m" }), "spec.maxTokenAge"),
        (IDP, json!({ "suspend": true }), "spec.suspend"),
        (IDP, token("2026-01-01T00:00:00Z"), ""),
        (IDP, token(&now.to_string()), "spec.examples[].token"),
        (IDP, claims, ""),
        (TENANT, json!({}), ""),
        (TENANT, json!({ "rotation": { "interval": "8760h", "gracePeriod": "720h", "leadTime": "24h" } }), ""),
        (TENANT, json!({ "rotation": { "gracePeriod": "0h0ms" } }), "spec.rotation.gracePeriod"),
        (TENANT, json!({ "rotation": { "gracePeriod": "721h" } }), "spec.rotation.gracePeriod"),
        (TENANT, json!({ "rotation": { "interval": "8761h" } }), "spec.rotation.interval"),
        (TENANT, json!({ "adopt": true }), "spec.adopt"),
        (TENANT, json!({ "suspend": true, "deletionPolicy": "Retain" }), ""),
        (STRATEGY, json!({}), ""),
        (STRATEGY, json!({ "capabilityPolicy": "Clamp", "isSyncActive": true, "suspend": true }), ""),
        (STRATEGY, json!({ "type": "github" }), "spec.doesImplicitRegister"),
        (STRATEGY, json!({ "type": "jira" }), "spec.doesImplicitRegister"),
        (STRATEGY, json!({ "type": "jira", "isLoginActive": false }), ""),
        (STRATEGY, json!({ "type": "github", "doesImplicitRegister": true }), ""),
        (STRATEGY, json!({ "type": "github-token" }), ""),
        (STRATEGY, json!({ "config": { "client-secret": "x" } }), "spec.config"),
        (STRATEGY, json!({ "config": { "root-url": "https://jira", "key": "x" } }), ""),
        (STRATEGY, json!({ "config": { "root-url": "http://127.0.0.1:8080/jira" } }), ""),
        (STRATEGY, json!({ "config": { "root-url": "HTTP://jira" } }), "spec.config"),
    ];
    for (plural, spec, field) in table {
        let expected = Vec::from_iter((!field.is_empty()).then(|| format!("idp-operator-warn-{plural} {field}")));
        assert_eq!(warned_of(&scene, plural, &spec).await, expected, "{plural} {spec}");
    }
}

#[tokio::test]
async fn only_who_changes_a_spec_is_warned() {
    let scene = scene("warned").await;
    let risky = object(IDP, &merged(&good(IDP), &json!({ "suspend": true, "clockSkew": "5m" })));
    let both = ["spec.clockSkew", "spec.suspend"].map(|field| format!("idp-operator-warn-{IDP} {field}"));
    assert_eq!(send(&scene, "POST", IDP, "application/json", &risky).await, both);

    let (apply, merge) = ("application/apply-patch+yaml", "application/merge-patch+json");
    let (path, status) = (format!("{IDP}/warned?fieldManager=it"), format!("{IDP}/warned/status"));
    let applied = format!("{path}&force=true");
    let labels = json!({ "metadata": { "labels": { "team": "identity" }, "finalizers": ["example.com/later"] } });
    let nothing = Vec::<String>::new();
    assert_eq!(send(&scene, "PATCH", &applied, apply, &risky).await, nothing, "the same again");
    assert_eq!(send(&scene, "PATCH", &path, merge, &labels).await, nothing, "labels");
    assert_eq!(send(&scene, "PATCH", &status, merge, &json!({ "status": { "idpId": "a" } })).await, nothing, "status");
    scene.delete::<IdentityProvider>("warned").await;
    let no_finalizer = json!({ "metadata": { "finalizers": null } });
    assert_eq!(send(&scene, "PATCH", &path, merge, &no_finalizer).await, nothing, "its end");

    assert_eq!(send(&scene, "POST", IDP, "application/json", &risky).await, both);
    let better = json!({ "spec": { "suspend": false } });
    assert_eq!(send(&scene, "PATCH", &path, merge, &better).await, both[..1], "one left");
}

#[tokio::test]
async fn examples_are_without_risk_and_kubectl_shows_a_warning() {
    let scene = scene("kubectl").await;
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let apply = ["apply", "--server-side", "--dry-run=server", "-n", &scene.namespace, "-f"];
    let output = Plane::shared().kubectl(&[&apply[..], &[examples.to_str().unwrap()]].concat());
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));

    let risky = object(IDP, &merged(&good(IDP), &json!({ "clockSkew": "5m" })));
    let mut kubectl = Plane::shared().control_plane.kubectl();
    let output = super::with_input(kubectl.args(apply).arg("-"), risky.to_string().as_bytes());
    let warning = "Warning: Validation failed for ValidatingAdmissionPolicy 'idp-operator-warn-identityproviders' with \
                   binding 'idp-operator-warn-identityproviders': spec.clockSkew: expired tokens are taken for so long. Use at \
                   most 1m, and have the clocks set right\n";
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), warning.to_owned()));
}

#[tokio::test]
async fn with_watch_namespaces_only_these_are_warned_and_a_type_that_the_values_change_counts_as_changed() {
    let (inside, outside) = (scene("inside").await, scene("outside").await);
    let can = |implicit: bool| json!({ "canLoginRegister": true, "canSync": false, "allowsImplicitSignup": implicit });
    let values = json!({
        "watchNamespaces": [inside.namespace],
        "crds": { "install": false },
        "rbac": { "create": false },
        "fullnameOverride": "watcher",
        "strategyCatalog": { "github": can(false), "gitlab": can(true) },
    });
    let release = Release::render_values(Plane::shared(), "watcher", &inside.namespace, &values);
    release.apply(Plane::shared());
    let gitlab = json!({ "type": "gitlab" });
    let by_both = ["idp-operator", "watcher"].map(|name| format!("{name}-warn-{TENANT} spec.adopt"));
    soon("the policies are in force", async || {
        let mut warned = warned_of(&inside, TENANT, &json!({ "adopt": true })).await;
        warned.sort();
        let gitlab = warned_of(&inside, STRATEGY, &gitlab).await;
        so(warned == by_both && gitlab == [format!("watcher-warn-{STRATEGY} spec.doesImplicitRegister")])
    })
    .await;
    let github = warned_of(&inside, STRATEGY, &json!({ "type": "github" })).await;
    assert_eq!(github, [format!("idp-operator-warn-{STRATEGY} spec.doesImplicitRegister")]);
    assert_eq!(warned_of(&outside, TENANT, &json!({ "adopt": true })).await, by_both[..1]);
    assert_eq!(warned_of(&outside, STRATEGY, &gitlab).await, Vec::<String>::new());
    for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
        let names = [IDP, TENANT, STRATEGY].map(|plural| format!("watcher-warn-{plural}"));
        let args = ["delete", kind].into_iter().chain(names.iter().map(String::as_str)).collect::<Vec<_>>();
        assert!(Plane::shared().kubectl(&args).status.success());
    }
}

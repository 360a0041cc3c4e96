//! `helm --wait` and `kubectl wait` on a chart of a user's, who has objects of ours in it. Helm asks the real kstatus.

use std::time::{Duration, Instant};

use control_plane::{Supervised, supervise};
use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    argocd::health,
    kstatus::{Status, compute},
};
use crate::{
    program::{so, soon},
    support::{
        KeyServer, Plane, Scene,
        key_server::{ED25519, jwks},
        plane::succeed,
        scene::{Ours, PATIENCE},
    },
};

/// A release of a chart with these objects, by kind, name and spec.
struct Release<'a> {
    scene: &'a Scene,
    dir: TempDir,
}

impl<'a> Release<'a> {
    fn new(scene: &'a Scene) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("Chart.yaml"), "apiVersion: v2\nname: app\nversion: 0.1.0\n").unwrap();
        std::fs::create_dir(dir.path().join("templates")).unwrap();
        Self { scene, dir }
    }

    /// Installs or upgrades it to these objects, and waits for them. It may take ten minutes.
    fn upgrade(&self, objects: &[(&str, &str, Value)]) -> Helm {
        let manifests = objects.iter().map(|(kind, name, spec)| {
            let object = json!({
                "apiVersion": "idp-operator.dev/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec,
            });
            format!("---\n{object}\n")
        });
        std::fs::write(self.dir.path().join("templates/all.yaml"), manifests.collect::<String>()).unwrap();
        let mut helm = Plane::shared().control_plane.helm();
        helm.args(["upgrade", "--install", "app"]).arg(self.dir.path());
        helm.args(["--namespace", &self.scene.namespace, "--wait", "--timeout", "10m", "--debug"]);
        let dir = tempfile::tempdir().unwrap();
        Helm { process: supervise(&helm, &dir.path().join("helm.log")).unwrap(), _dir: dir }
    }
}

/// A Helm that waits.
struct Helm {
    process: Supervised,
    _dir: TempDir,
}

impl Helm {
    fn log(&self) -> String {
        std::fs::read_to_string(self.process.log()).unwrap()
    }

    /// Until it has told that it waits for this object, as kstatus calls it in progress.
    async fn waits_for(&self, name: &str) {
        let told = |line: &str| {
            line.contains("waiting for resource")
                && line.contains(&format!("name={name} "))
                && line.contains("actualStatus=InProgress")
        };
        soon(&format!("a wait for {name}"), async || so(self.log().lines().any(told))).await;
    }

    /// Whether it succeeded; long before its timeout.
    async fn ended(mut self) -> (bool, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return (status.success(), self.log());
            }
            assert!(Instant::now() < deadline, "it still waits:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn succeeded(self) {
        let (ok, log) = self.ended().await;
        assert!(ok, "{log}");
    }

    /// What it has to say of objects when it fails, one a line.
    async fn failed(self) -> Vec<String> {
        let (ok, log) = self.ended().await;
        assert!(!ok, "{log}");
        // The first line of the error has what Helm was about before it.
        let told = log.lines().filter(|line| !line.contains("level=") && line.contains(" not ready. status: "));
        let mut told: Vec<String> = told.map(|line| line[line.find("resource ").unwrap()..].to_owned()).collect();
        told.dedup();
        told
    }
}

/// An object as everybody sees it.
async fn raw<K: Ours>(scene: &Scene, name: &str) -> Value {
    let resource = ApiResource::erase::<K>(&());
    let api = Api::<DynamicObject>::namespaced_with(scene.client.clone(), &scene.namespace, &resource);
    serde_json::to_value(api.get(name).await.unwrap()).unwrap()
}

/// What kstatus and Argo CD call it.
async fn seen<K: Ours>(scene: &Scene, name: &str) -> (Status, String) {
    let object = raw::<K>(scene, name).await;
    (compute(&object), health(&object).0)
}

fn idp(server: &KeyServer) -> Value {
    json!({
        "issuer": "https://helm.example.com", "jwtEndpoint": server.url("/jwt"), "keysEndpoint": server.url("/keys"),
        "allowInsecureHttp": true,
    })
}

fn link() -> Value {
    json!({ "userId": "1", "idpRef": { "name": "login" }, "idpUserId": "mini", "idpUserName": "x" })
}

/// Tenants are the cluster's: each scene has its own.
fn tenant(scene: &Scene) -> String {
    format!("{}.example.com", scene.namespace)
}

fn kubectl_wait(scene: &Scene, condition: &str, object: &str) {
    let condition = format!("--for=condition={condition}");
    let mut kubectl = Plane::shared().control_plane.kubectl();
    kubectl.args(["wait", &condition, "--timeout=20s", "--namespace", &scene.namespace, object]);
    succeed(&mut kubectl);
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_waits_for_the_operator_and_returns_when_all_is_current() {
    let scene = Scene::new("helm").await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let release = Release::new(&scene);
    let secret = json!({ "tenantId": tenant(&scene), "signingAlgorithm": "HS256" });
    let mut objects = [
        ("UserIdpAuthenticator", "mini", link()),
        ("IdentityProvider", "login", idp(&server)),
        ("TenantJwtSecret", "acme", secret),
        ("StrategyInstance", "local", json!({ "type": "userpass" })),
    ];
    let helm = release.upgrade(&objects);
    // Nobody has looked at them yet: what has no status would be taken for ready.
    helm.waits_for("acme").await;
    assert_eq!(seen::<TenantJwtSecret>(&scene, "acme").await, (Status::InProgress, "Progressing".into()));
    let _operator = scene.operator().await;
    helm.succeeded().await;
    let healthy = (Status::Current, "Healthy".to_owned());
    assert_eq!(seen::<UserIdpAuthenticator>(&scene, "mini").await, healthy);
    assert_eq!(seen::<IdentityProvider>(&scene, "login").await, healthy);
    assert_eq!(seen::<TenantJwtSecret>(&scene, "acme").await, healthy);
    assert_eq!(seen::<StrategyInstance>(&scene, "local").await, healthy);
    for object in ["uia/mini", "idp/login", "tjs/acme", "si/local"] {
        kubectl_wait(&scene, "Ready", object);
    }

    // Suspended, it keeps its verdict: no wait for what nobody works on.
    objects[2].2["suspend"] = true.into();
    release.upgrade(&objects).succeeded().await;
    assert_eq!(seen::<TenantJwtSecret>(&scene, "acme").await, (Status::Current, "Suspended".into()));

    let mut helm = Plane::shared().control_plane.helm();
    succeed(helm.args(["uninstall", "app", "--wait", "--timeout", "20s", "--namespace", &scene.namespace]));
    soon("the end of all outputs", async || {
        let secrets = scene.api::<Secret>().list(&ListParams::default()).await.unwrap().items.len();
        let configmaps = scene.api::<ConfigMap>().list(&ListParams::default()).await.unwrap().items.len();
        // kube-root-ca.crt
        so((secrets, configmaps) == (0, 1))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_fails_at_once_on_what_is_stalled_and_says_why() {
    let scene = Scene::new("helm").await;
    let _operator = scene.operator().await;
    let release = Release::new(&scene);
    let mut objects = [
        ("TenantJwtSecret", "unset", json!({ "tenantId": tenant(&scene) })),
        ("StrategyInstance", "local", json!({ "type": "userpass" })),
    ];
    let told = release.upgrade(&objects).failed().await;
    let expected = format!(
        "resource TenantJwtSecret/{}/unset not ready. status: Failed, message: Signing Algorithm not configured: set \
         signingAlgorithm to HS256, HS384 or HS512",
        scene.namespace
    );
    assert_eq!(told, [expected]);
    kubectl_wait(&scene, "Stalled", "tjs/unset");
    assert_eq!(seen::<TenantJwtSecret>(&scene, "unset").await, (Status::Failed, "Degraded".into()));
    // The cure is a next release.
    objects[0].2["signingAlgorithm"] = "HS256".into();
    release.upgrade(&objects).succeeded().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_waits_for_what_the_operator_waits_for_even_where_something_else_is_stalled() {
    let scene = Scene::new("helm").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let release = Release::new(&scene);
    let link = ("UserIdpAuthenticator", "mini", link());
    let stalled = ("StrategyInstance", "unsynced", json!({ "type": "userpass", "isSyncActive": true }));
    let helm = release.upgrade(&[link.clone(), stalled]);
    scene.verdict::<UserIdpAuthenticator>("mini", "False", "IdpNotFound").await;
    scene.verdict::<StrategyInstance>("unsynced", "False", "CapabilityNotSupported").await;
    helm.waits_for("mini").await;
    assert_eq!(seen::<UserIdpAuthenticator>(&scene, "mini").await, (Status::InProgress, "Progressing".into()));
    scene.apply::<IdentityProvider>("login", idp(&server)).await;
    let expected = format!(
        "resource StrategyInstance/{}/unsynced not ready. status: Failed, message: isSyncActive must be false or absent: \
         type 'userpass' has no canSync",
        scene.namespace
    );
    assert_eq!(helm.failed().await, [expected]);

    // Alone, what is waited for lets the release succeed when it comes.
    scene.delete::<IdentityProvider>("login").await;
    scene.verdict::<UserIdpAuthenticator>("mini", "False", "IdpNotFound").await;
    let helm = release.upgrade(&[link]);
    helm.waits_for("mini").await;
    scene.apply::<IdentityProvider>("login", idp(&server)).await;
    helm.succeeded().await;
}

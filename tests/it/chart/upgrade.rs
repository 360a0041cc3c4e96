//! From the first chart to this one, back, forth, away and back again: on a cluster of its own, as CRDs are a cluster's.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator, labels::OPERATOR};
use k8s_openapi::{
    ByteString,
    api::{
        apps::v1::Deployment,
        core::v1::{Namespace, Secret},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    program::{so, soon},
    support::{
        KeyServer, Operator, Plane, Scene,
        operator::Start,
        plane::{SYSTEM, chart, succeed},
        scene::{Ours, PATIENCE, ready, version},
    },
};

/// What the first release's operator wrote.
const WRITTEN: &str = include_str!("../../fixtures/written-by-0.1.0.yaml");

/// The key that it had published.
const KEY: &str = r#"{"keys":[{"kty":"OKP","kid":"plant-2","use":"sig","crv":"Ed25519","x":"RjyoX-bRqNmOTCbe1cBzHQiWAhUvC-b1FcKeaoD5dqk"}]}"#;

/// A cluster, and a namespace of a user's.
struct Cluster {
    plane: Plane,
    scene: Scene,
}

/// UID, data and resourceVersion of each Secret.
type Secrets = BTreeMap<String, (String, BTreeMap<String, ByteString>, String)>;

/// The same without the resourceVersion.
fn contents(secrets: &Secrets) -> BTreeMap<String, (String, BTreeMap<String, ByteString>)> {
    secrets.iter().map(|(name, (uid, data, _))| (name.clone(), (uid.clone(), data.clone()))).collect()
}

fn first_chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/chart-0.1.0")
}

impl Cluster {
    fn helm(&self, args: &[&str], chart: Option<&Path>) {
        let mut helm = self.plane.control_plane.helm();
        helm.args(args).args(["--namespace", SYSTEM]);
        if let Some(chart) = chart {
            helm.arg(chart);
        }
        // A value that an upgrade has to keep: without it no key is fetched.
        match args {
            ["install", ..] => helm.args(["--set", "allowCidrs={127.0.0.0/8}"]),
            ["upgrade", ..] => helm.arg("--reset-then-reuse-values"),
            _ => &mut helm,
        };
        succeed(&mut helm);
    }

    /// The operator as the Deployment in the cluster starts it. Only the admin address is another.
    async fn operator(&self) -> Operator {
        let deployments = Api::<Deployment>::namespaced(self.scene.client.clone(), SYSTEM);
        let deployment = deployments.get("idp-operator").await.unwrap();
        let pod = deployment.spec.unwrap().template.spec.unwrap();
        let args = pod.containers[0].args.clone().unwrap();
        let account = pod.service_account_name.unwrap();
        let kubeconfig = self.plane.control_plane.service_account_kubeconfig(SYSTEM, &account).await.unwrap();
        assert_eq!(args[0], "run");
        let args = args.into_iter().skip(1).filter(|arg| !arg.starts_with("--admin-address="));
        args.fold(Start::new(kubeconfig), Start::arg).ready().await
    }

    async fn secrets(&self) -> Secrets {
        let list = self.scene.api::<Secret>().list(&ListParams::default()).await.unwrap();
        let told = |secret: Secret| {
            let held = (secret.uid().unwrap(), secret.data.clone().unwrap_or_default(), version(&secret));
            (secret.name_any(), held)
        };
        list.items.into_iter().map(told).collect()
    }

    async fn crds(&self) -> BTreeSet<String> {
        let crds = Api::<CustomResourceDefinition>::all(self.scene.client.clone());
        let list = crds.list(&ListParams::default()).await.unwrap();
        assert!(list.items.iter().all(|crd| crd.metadata.deletion_timestamp.is_none()));
        list.items.into_iter().map(|crd| crd.metadata.uid.unwrap()).collect()
    }

    /// Every object of ours, with its verdict on the present generation. None is being deleted.
    async fn verdicts(&self) -> BTreeMap<String, Option<(String, String)>> {
        let mut all = BTreeMap::new();
        self.verdicts_of::<IdentityProvider>(&mut all).await;
        self.verdicts_of::<TenantJwtSecret>(&mut all).await;
        self.verdicts_of::<UserIdpAuthenticator>(&mut all).await;
        self.verdicts_of::<StrategyInstance>(&mut all).await;
        all
    }

    async fn verdicts_of<K: Ours>(&self, all: &mut BTreeMap<String, Option<(String, String)>>) {
        for object in self.scene.api::<K>().list(&ListParams::default()).await.unwrap().items {
            assert_eq!(object.meta().deletion_timestamp, None);
            let verdict = ready(&object).map(|(status, reason, _)| (status, reason));
            all.insert(object.name_any(), verdict);
        }
    }

    async fn settled(&self, expected: &[(&str, &str, &str)]) {
        let expected: BTreeMap<_, _> = expected
            .iter()
            .map(|(name, status, reason)| ((*name).to_owned(), Some(((*status).to_owned(), (*reason).to_owned()))))
            .collect();
        soon(&format!("{expected:#?}"), async || so(self.verdicts().await == expected)).await;
    }
}

/// Has these objects and what was written for them in the namespace, as the first release left them there.
async fn play_back(scene: &Scene, written: &str) {
    let mut uids = BTreeMap::<(String, String), String>::new();
    let documents: Vec<Value> = serde_saphyr::from_multiple(written).unwrap();
    for mut object in documents {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        let (group, version) = match object["apiVersion"].as_str().unwrap().split_once('/') {
            Some((group, version)) => (group.to_owned(), version.to_owned()),
            None => (String::new(), text(&object["apiVersion"])),
        };
        let plural = format!("{}s", kind.to_lowercase());
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(&group, &version, &kind), &plural);
        let api = Api::<DynamicObject>::namespaced_with(scene.client.clone(), &scene.namespace, &resource);
        if let Some(owner) = object.pointer_mut("/metadata/ownerReferences/0") {
            owner["uid"] = json!(uids[&(text(&owner["kind"]), text(&owner["name"]))]);
        }
        let status = object.as_object_mut().unwrap().remove("status");
        let manager = if status.is_some() { "it" } else { OPERATOR };
        let created = api.patch(&name, &PatchParams::apply(manager), &Patch::Apply(&object)).await.unwrap();
        let uid = created.uid().unwrap();
        if let Some(status) = status {
            let status: Value =
                serde_json::from_str(&status.to_string().replace("\"UID\"", &format!("\"{uid}\""))).unwrap();
            let patch = json!({ "apiVersion": object["apiVersion"], "kind": kind, "status": status });
            api.patch_status(&name, &PatchParams::apply(OPERATOR).force(), &Patch::Apply(&patch)).await.unwrap();
        }
        uids.insert((kind, name), uid);
    }
}

/// Verdicts of the first release's objects.
const VERDICTS: [(&str, &str, &str); 8] = [
    ("acme", "True", "Ready"),
    ("broken", "False", "CapabilityNotSupported"),
    ("brought", "True", "Ready"),
    ("local", "True", "Ready"),
    ("login", "True", "Ready"),
    ("lost", "False", "IdpNotFound"),
    ("mini", "True", "IdentitySet"),
    ("unset", "False", "SigningAlgorithmNotConfigured"),
];

/// An object with fields that the first release did not know.
fn retained() -> Value {
    json!({
        "tenantId": "retained.example.com", "signingAlgorithm": "HS256", "deletionPolicy": "Retain",
        "rotation": { "interval": "2160h" },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_lost_or_changed_by_upgrade_rollback_uninstall_or_a_new_install() {
    let control_plane = control_plane::ControlPlane::start().unwrap();
    let plane = Plane { control_plane, operator_kubeconfig: PathBuf::new() };
    let scene = Scene::on(&plane, "kept").await;
    let cluster = Cluster { plane, scene };
    let scene = &cluster.scene;
    let server = KeyServer::http(KEY).await;
    let written = WRITTEN.replace("KEYS", server.url("").trim_end_matches('/'));

    cluster.helm(&["install", "idp-operator", "--create-namespace"], Some(&first_chart()));
    soon("CRDs", async || so(scene.api::<StrategyInstance>().list(&ListParams::default()).await.is_ok())).await;
    play_back(scene, &written).await;
    let (first, crds) = (cluster.secrets().await, cluster.crds().await);
    assert_eq!((first.len(), crds.len()), (3, 4));
    let refused = scene.try_apply::<TenantJwtSecret>("retained", retained()).await.unwrap_err();
    assert!(refused.ends_with(": field not declared in schema"), "{refused}");

    a_newer_operator_on_older_crds_leaves_secrets_alone(&cluster).await;
    assert_eq!(cluster.secrets().await, first);

    // Upgrade: nothing is written to any Secret.
    cluster.helm(&["upgrade", "idp-operator"], Some(&chart()));
    assert_eq!(cluster.crds().await, crds);
    let operator = cluster.operator().await;
    cluster.settled(&VERDICTS).await;
    assert_eq!(cluster.secrets().await, first);
    soon("new fields", async || scene.try_apply::<TenantJwtSecret>("retained", retained()).await.ok()).await;
    scene.verdict::<TenantJwtSecret>("retained", "True", "Ready").await;
    operator.drained().await;
    let upgraded = cluster.secrets().await;
    assert_eq!(upgraded.len(), 4);

    // Back: fields that the first release does not know are gone, and no Secret with them.
    cluster.helm(&["rollback", "idp-operator", "1"], None);
    let is_back = async || {
        let object = scene.api::<TenantJwtSecret>().get("retained").await.unwrap();
        so(object.spec.rotation.interval.is_none())
    };
    soon("the first schema", is_back).await;
    a_newer_operator_on_older_crds_leaves_secrets_alone(&cluster).await;
    assert_eq!(contents(&cluster.secrets().await), contents(&upgraded));

    // Forth, and what was lost is applied again.
    cluster.helm(&["upgrade", "idp-operator"], Some(&chart()));
    let operator = cluster.operator().await;
    soon("new fields", async || scene.try_apply::<TenantJwtSecret>("retained", retained()).await.ok()).await;
    let all: Vec<_> = VERDICTS.into_iter().chain([("retained", "True", "Ready")]).collect();
    cluster.settled(&all).await;
    assert_eq!(contents(&cluster.secrets().await), contents(&upgraded));
    scene.until("retained-jwt", |secret: &Secret| secret.owner_references().is_empty()).await;
    operator.drained().await;

    // Without its CRDs the release leaves them as they are, and takes them up again.
    let before = cluster.secrets().await;
    for install in ["crds.install=false", "crds.install=true"] {
        cluster.helm(&["upgrade", "idp-operator", "--set", install], Some(&chart()));
        assert_eq!(cluster.crds().await, crds);
    }

    // Away, and back: everything is taken up without a write.
    cluster.helm(&["uninstall", "idp-operator", "--wait"], None);
    assert_eq!(cluster.crds().await, crds);
    assert_eq!(cluster.verdicts().await.len(), all.len());
    cluster.helm(&["install", "idp-operator"], Some(&chart()));
    let operator = cluster.operator().await;
    for kind in ["IdentityProvider", "TenantJwtSecret", "UserIdpAuthenticator", "StrategyInstance"] {
        operator.has_reconciled(kind).await;
    }
    let fetched = async || so(operator.metric("idp_operator_keys_fetches_total", &[]).await > 0.0);
    soon("a fetch", fetched).await;
    cluster.settled(&all).await;
    assert!(operator.writes().await < 1.0, "{}", operator.log());
    operator.drained().await;
    assert_eq!((cluster.secrets().await, cluster.crds().await), (before, crds));

    cluster.helm(&["uninstall", "idp-operator"], None);
    nothing_needs_the_operator_to_go(&cluster, &written).await;
}

/// It can't write its status there, says why, and makes nothing of it.
async fn a_newer_operator_on_older_crds_leaves_secrets_alone(cluster: &Cluster) {
    let operator = cluster.operator().await;
    let told = "could not write the status of TenantJwtSecret 'acme': the API server answered 500 Internal Server Error \
                (are the CustomResourceDefinitions of this version installed?)";
    soon(told, async || so(operator.log().contains(told))).await;
    operator.drained().await;
}

/// A namespace, objects and CRDs end with nobody there to take anything off them; with objects all goes that is theirs.
async fn nothing_needs_the_operator_to_go(cluster: &Cluster, written: &str) {
    let other = Scene::on(&cluster.plane, "gone").await;
    play_back(&other, written).await;
    let namespaces = Api::<Namespace>::all(other.client.clone());
    namespaces.delete(&other.namespace, &DeleteParams::default()).await.unwrap();
    let is_gone = async || so(namespaces.get_opt(&other.namespace).await.unwrap().is_none());
    soon("the end of the namespace", is_gone).await;

    // Objects before CRDs, as docs/upgrade.md has it: without the kind, the garbage collector may not find out that an
    // owner is gone. It looks for new kinds every 30 s.
    succeed(cluster.plane.control_plane.kubectl().args(["delete", "identity", "--all", "--all-namespaces"]));
    let left = ["retained-jwt", "source"].map(str::to_owned);
    let is_collected = async || so(cluster.secrets().await.into_keys().eq(left.clone()));
    let deadline = Instant::now() + 2 * PATIENCE;
    while is_collected().await.is_none() {
        assert!(Instant::now() < deadline, "not collected: {:?}", cluster.secrets().await.into_keys());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    let crds = Api::<CustomResourceDefinition>::all(other.client.clone());
    crds.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    let are_gone = async || so(crds.list(&ListParams::default()).await.unwrap().items.is_empty());
    soon("the end of the CRDs", are_gone).await;
    assert!(is_collected().await.is_some());
}

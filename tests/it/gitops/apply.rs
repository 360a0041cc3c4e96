//! Applied, pruned and applied again: nothing is left over, and nothing is left to apply.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator};
use kube::{ResourceExt as _, api::ListParams};
use tempfile::TempDir;

use crate::{
    program::{so, soon},
    support::{
        Plane, Scene, Tenant,
        plane::succeed,
        scene::{Ours, ready, version},
    },
};

/// The manifests of examples/, in a folder where a test can add some.
fn examples() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "yaml") {
            // Tenants are the cluster's, and other tests have the examples too.
            let text = fs::read_to_string(&file).unwrap().replace("tenantId: acme.", "tenantId: acme-applied.");
            fs::write(dir.path().join(file.file_name().unwrap()), text).unwrap();
        }
    }
    dir
}

/// kubectl in the scene's namespace.
fn kubectl(scene: &Scene, args: &[&str], folder: &Path) -> Command {
    let mut kubectl = Plane::shared().control_plane.kubectl();
    kubectl.args(args).args(["--namespace", &scene.namespace, "--filename"]).arg(folder);
    kubectl
}

/// Names and versions of all objects of ours, once each has its verdict.
async fn judged(scene: &Scene) -> BTreeSet<String> {
    async fn of<K: Ours>(scene: &Scene, all: &mut BTreeSet<String>) -> bool {
        let objects = scene.api::<K>().list(&ListParams::default()).await.unwrap().items;
        all.extend(objects.iter().map(|object| format!("{} {} {}", K::kind(&()), object.name_any(), version(object))));
        objects.iter().all(|object| ready(object).is_some())
    }
    soon("verdicts", async || {
        let mut all = BTreeSet::new();
        let are_judged = of::<IdentityProvider>(scene, &mut all).await
            && of::<TenantJwtSecret>(scene, &mut all).await
            && of::<UserIdpAuthenticator>(scene, &mut all).await
            && of::<StrategyInstance>(scene, &mut all).await;
        are_judged.then_some(all)
    })
    .await
}

/// Names of all that a user, the operator or kubectl keeps in the namespace.
fn there(scene: &Scene) -> Vec<String> {
    let mut kubectl = Plane::shared().control_plane.kubectl();
    kubectl.args(["get", "identity,secret,configmap", "--output", "name", "--namespace", &scene.namespace]);
    let names = String::from_utf8(succeed(&mut kubectl).stdout).unwrap();
    names.lines().map(str::to_owned).collect()
}

const RETAINED: &str = r"
apiVersion: idp-operator.dev/v1alpha1
kind: TenantJwtSecret
metadata: {name: retained}
spec: {tenantId: retained-applied.example.com, signingAlgorithm: HS256, deletionPolicy: Retain}
";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pruned_leaves_nothing_behind_but_what_is_to_be_retained() {
    let scene = Scene::new("pruned").await;
    let _operator = scene.operator().await;
    let (whole, empty) = (examples(), tempfile::tempdir().unwrap());
    fs::write(whole.path().join("retained.yaml"), RETAINED).unwrap();
    let nothing = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: nothing}\n";
    fs::write(empty.path().join("nothing.yaml"), nothing).unwrap();
    let prune = |folder: &Path| {
        let args = ["apply", "--server-side", "--prune", "--applyset=applied"];
        succeed(kubectl(&scene, &args, folder).env("KUBECTL_APPLYSET", "true"));
    };
    let retained = Tenant::named(&scene, "retained");
    let mut values = BTreeSet::new();
    for _ in 0..3 {
        prune(whole.path());
        judged(&scene).await;
        for name in ["secret/acme-jwt", "configmap/plant-jwks", "secret/retained-jwt"] {
            assert!(there(&scene).contains(&name.to_owned()), "{name}: {:?}", there(&scene));
        }
        values.insert(retained.settled(|_| true).await.1.current.value);

        prune(empty.path());
        // `applied` is where kubectl keeps what it has applied.
        let left = ["secret/applied", "secret/retained-jwt", "configmap/kube-root-ca.crt", "configmap/nothing"];
        soon("only what is to be left", async || so(there(&scene) == left)).await;
    }
    assert_eq!(values.len(), 1);
}

/// Every field of the two kinds that tests/it/adoption/gitops.rs has not.
const WHOLE: &str = r#"
apiVersion: idp-operator.dev/v1alpha1
kind: UserIdpAuthenticator
metadata: {name: whole}
spec:
  userId: "1"
  idpRef: {name: whole}
  idpUserId: "1"
  idpUserName: "1"
  requires: [{name: b}, {name: a}]
  suspend: false
---
apiVersion: idp-operator.dev/v1alpha1
kind: UserIdpAuthenticator
metadata: {name: by-id}
spec: {userId: "1", idpId: "1", idpUserId: "1", idpUserName: "1", requires: []}
---
apiVersion: idp-operator.dev/v1alpha1
kind: StrategyInstance
metadata: {name: whole}
spec:
  type: jira
  id: 12345678-90ab-cdef-fedc-ab0987654322
  name: Whole
  isLoginActive: false
  isSelfRegisterActive: false
  isSyncActive: false
  doesImplicitRegister: false
  capabilityPolicy: Reject
  config: {root-url: "https://jira.example.com", other: ""}
  configSecretRef: {name: whole}
  suspend: false
---
apiVersion: idp-operator.dev/v1alpha1
kind: StrategyInstance
metadata: {name: least}
spec: {type: userpass, config: {}}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_applied_differs_in_nothing_before_and_after_the_operator_has_looked_at_it() {
    for server_side in ["true", "false"] {
        let scene = Scene::new("diff").await;
        let dir = examples();
        fs::write(dir.path().join("whole.yaml"), WHOLE).unwrap();
        let server_side = format!("--server-side={server_side}");
        // It exits with 1 where there is a difference.
        let is_applied = || assert_eq!(succeed(&mut kubectl(&scene, &["diff", &server_side], dir.path())).stdout, b"");
        let apply = || succeed(&mut kubectl(&scene, &["apply", &server_side], dir.path())).stdout;
        apply();
        is_applied();
        let _operator = scene.operator().await;
        let before = judged(&scene).await;
        is_applied();
        let told = String::from_utf8(apply()).unwrap();
        let verb = if server_side == "--server-side=true" { "serverside-applied" } else { "unchanged" };
        // A Secret with stringData is always patched by a client that compares with what is there.
        let others = told.lines().filter(|line| !line.ends_with(verb)).collect::<Vec<_>>();
        assert!(others.iter().all(|line| line.starts_with("secret/github-oauth ")), "{told}");
        assert_eq!(judged(&scene).await, before);
    }
}

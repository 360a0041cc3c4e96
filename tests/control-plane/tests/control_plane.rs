//! A control plane works, and leaves nothing behind however its user ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are all tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use control_plane::{ControlPlane, KUBECONFIG_VARIABLE, client, report, supervise};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::json;

const LIMIT: Duration = Duration::from_mins(1);

static SHARED: LazyLock<ControlPlane> =
    LazyLock::new(|| ControlPlane::start().unwrap_or_else(|error| panic!("{}", report(&error))));

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Command lines, by process id, of all processes that work in a folder.
fn processes_in(dir: &Path) -> BTreeMap<String, String> {
    fs::read_dir("/proc")
        .expect("these tests look for processes in /proc, which only Linux has")
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let command = String::from_utf8_lossy(&fs::read(entry.path().join("cmdline")).ok()?).replace('\0', " ");
            command.contains(dir.to_str()?).then(|| (entry.file_name().to_string_lossy().into_owned(), command))
        })
        .collect()
}

fn is_running(program: &str, processes: &BTreeMap<String, String>) -> bool {
    processes.values().any(|command| command.split(' ').next().is_some_and(|path| path.ends_with(program)))
}

/// The program that starts a control plane of its own. What it runs is there by then: building it for the first time takes
/// longer than these tests wait for a start.
fn program() -> Command {
    LazyLock::force(&SHARED);
    let mut command = Command::new(env!("CARGO_BIN_EXE_control-plane"));
    command.env_remove(KUBECONFIG_VARIABLE);
    command
}

/// The administrator's kubeconfig and the folder of a control plane whose program writes to `output`.
fn started(output: &Path) -> (PathBuf, PathBuf) {
    let kubeconfig = until("start", || {
        let text = fs::read_to_string(output).ok()?;
        let (_, rest) = text.split_once("export KUBECONFIG='")?;
        rest.split_once('\'').map(|(path, _)| PathBuf::from(path))
    });
    let dir = kubeconfig.ancestors().nth(2).unwrap().to_owned();
    (kubeconfig, dir)
}

async fn namespace(client: &Client, name: &str) {
    let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": name } })).unwrap();
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
}

fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({ "metadata": { "name": name }, "data": { "key": "value" } })).unwrap()
}

#[tokio::test]
async fn a_stopped_control_plane_leaves_no_process_and_no_file() {
    let temp = tempfile::tempdir().unwrap();
    let output = temp.path().join("output");
    let mut running = supervise(program().arg("--profiling=false"), &output).unwrap();
    let (kubeconfig, dir) = started(&output);

    let config_maps = Api::<ConfigMap>::namespaced(client(&kubeconfig).await.unwrap(), "default");
    let created = config_maps.create(&PostParams::default(), &config_map("first")).await.unwrap();
    assert_eq!(created.data, config_map("first").data);
    let processes = processes_in(&dir);
    assert!(processes.values().any(|command| command.contains("--profiling=false")), "{processes:?}");

    assert_eq!(running.terminate().unwrap().code(), Some(0));
    assert_eq!(processes_in(&dir), BTreeMap::new());
    assert!(!dir.exists());
}

#[test]
fn a_killed_program_leaves_no_process_and_no_file() {
    struct KilledOnDrop(Child);
    impl Drop for KilledOnDrop {
        fn drop(&mut self) {
            self.0.kill().and_then(|()| self.0.wait()).unwrap();
        }
    }

    let temp = tempfile::tempdir().unwrap();
    let output = temp.path().join("output");
    let stdout = fs::File::create(&output).unwrap();
    let running = KilledOnDrop(program().stdin(Stdio::null()).stdout(stdout).spawn().unwrap());
    let (_, dir) = started(&output);
    let processes = processes_in(&dir);
    for program in ["etcd", "kube-apiserver", "kube-controller-manager"] {
        assert!(is_running(program, &processes), "{program}: {processes:?}");
    }

    drop(running);
    until("end of all processes", || processes_in(&dir).is_empty().then_some(()));
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_service_account_has_its_own_name_and_rights() {
    let admin = SHARED.client().await.unwrap();
    namespace(&admin, "accounts").await;
    let account: ServiceAccount = serde_json::from_value(json!({ "metadata": { "name": "operator" } })).unwrap();
    Api::namespaced(admin, "accounts").create(&PostParams::default(), &account).await.unwrap();

    let kubeconfig = SHARED.service_account_kubeconfig("accounts", "operator").await.unwrap();
    let client = client(&kubeconfig).await.unwrap();

    assert_eq!(client.default_namespace(), "accounts");
    let review = Api::all(client.clone()).create(&PostParams::default(), &SelfSubjectReview::default()).await.unwrap();
    let user = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
    assert_eq!(user.as_deref(), Some("system:serviceaccount:accounts:operator"));
    let refused = Api::<Secret>::namespaced(client, "accounts").list(&ListParams::default()).await;
    assert!(matches!(&refused, Err(kube::Error::Api(status)) if status.is_forbidden()), "{refused:?}");
}

#[tokio::test]
async fn a_missing_service_account_has_no_kubeconfig() {
    let error = SHARED.service_account_kubeconfig("default", "nobody").await.unwrap_err();
    assert_eq!(error.to_string(), "can't get a token of ServiceAccount default/nobody");
}

#[tokio::test]
async fn a_dependent_vanishes_with_its_owner() {
    let client = SHARED.client().await.unwrap();
    namespace(&client, "owners").await;
    let config_maps = Api::<ConfigMap>::namespaced(client, "owners");
    let owner = config_maps.create(&PostParams::default(), &config_map("owner")).await.unwrap();
    let mut dependent = config_map("dependent");
    dependent.metadata.owner_references = Some(vec![owner.owner_ref(&()).unwrap()]);
    config_maps.create(&PostParams::default(), &dependent).await.unwrap();

    config_maps.delete("owner", &DeleteParams::default()).await.unwrap();

    let start = Instant::now();
    while config_maps.get_opt("dependent").await.unwrap().is_some() {
        assert!(start.elapsed() < LIMIT, "still there after {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn kubectl_and_helm_talk_to_the_control_plane() {
    let kubectl = SHARED.kubectl().args(["auth", "can-i", "*", "*", "--all-namespaces"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&kubectl.stdout), "yes\n", "{kubectl:?}");
    let helm = SHARED.helm().args(["list", "--all-namespaces", "--output", "json"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&helm.stdout).trim(), "[]", "{helm:?}");
}

#[test]
fn an_api_server_that_was_killed_starts_again_where_it_was_with_what_it_had() {
    let mut plane = ControlPlane::start().unwrap_or_else(|error| panic!("{}", report(&error)));
    let kubectl = |plane: &ControlPlane, args: &[&str]| plane.kubectl().args(args).output().unwrap();
    assert!(kubectl(&plane, &["create", "namespace", "kept"]).status.success());
    plane.kill_api_server().unwrap();
    assert!(!kubectl(&plane, &["get", "namespace", "kept"]).status.success());
    plane.start_api_server().unwrap();
    let found = kubectl(&plane, &["get", "namespace", "kept"]);
    assert!(found.status.success(), "{found:?}");
}

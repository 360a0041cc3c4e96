//! Cold start: how long a new operator takes to bring objects to Ready, against the *floor* measured in the same run: a
//! bare kube client that makes the same creates and status writes with the same concurrency.
//!
//! `cargo bench --bench cold_start -- [OBJECTS]` (default 300). Prints both times and their ratio. Compare ratios, never
//! times of different runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench"
)]

#[allow(dead_code, reason = "shared with the tests")]
#[path = "../tests/it/support/plane.rs"]
mod plane;

use std::{
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use control_plane::supervise;
use futures::{StreamExt as _, stream};
use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use plane::Plane;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// As the operator's default.
const CONCURRENCY: usize = 16;

fn main() {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(300);
    let plane = Plane::start();
    tokio::runtime::Runtime::new().unwrap().block_on(run(&plane, count));
}

async fn run(plane: &Plane, count: usize) {
    let client = plane.control_plane.client().await.unwrap();
    for namespace in ["floor", "operator"] {
        let metadata = ObjectMeta { name: Some(namespace.into()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        Api::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
    }
    populate(&client, "floor", count).await;
    populate(&client, "operator", count).await;

    let floor = floor(&client, count).await;
    let operator = operator(plane, count).await;
    println!("{count} TenantJwtSecrets, one Secret and one status each, {CONCURRENCY} at a time");
    println!("floor     {:8.2} s   a bare kube client", floor.as_secs_f64());
    println!("operator  {:8.2} s   from process start to the last Ready", operator.as_secs_f64());
    println!("ratio     {:8.2}", operator.as_secs_f64() / floor.as_secs_f64());
}

async fn populate(client: &Client, namespace: &str, count: usize) {
    let api: Api<TenantJwtSecret> = Api::namespaced(client.clone(), namespace);
    each(count, |name| {
        let api = api.clone();
        async move {
            let object = json!({
                "apiVersion": "idp-operator.dev/v1alpha1", "kind": "TenantJwtSecret", "metadata": { "name": name },
                "spec": { "tenantId": name, "signingAlgorithm": "HS384" },
            });
            api.patch(&name, &PatchParams::apply("bench"), &Patch::Apply(&object)).await.unwrap();
        }
    })
    .await;
}

async fn each<Fut: Future<Output = ()>>(count: usize, work: impl Fn(String) -> Fut) {
    stream::iter(0..count)
        .map(|number| work(format!("object-{number}")))
        .buffer_unordered(CONCURRENCY)
        .collect::<()>()
        .await;
}

/// The same writes, and nothing else.
async fn floor(client: &Client, count: usize) -> Duration {
    let objects: Api<TenantJwtSecret> = Api::namespaced(client.clone(), "floor");
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "floor");
    let started = Instant::now();
    each(count, |name| {
        let (objects, secrets) = (objects.clone(), secrets.clone());
        async move {
            let secret: Secret = serde_json::from_value(json!({
                "metadata": { "name": format!("{name}-jwt"), "labels": { "floor": "true" } },
                "data": { "secret": "eHh4".repeat(30), "algorithm": "SFMzODQ=", "key-id": "eA==", "issued-at": "eA==" },
            }))
            .unwrap();
            secrets.create(&PostParams::default(), &secret).await.unwrap();
            let condition = |type_: &str| json!({
                "type": type_, "status": "True", "reason": "Succeeded", "message": "as long as the operator's would be",
                "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
            });
            let status = json!({
                "apiVersion": "idp-operator.dev/v1alpha1", "kind": "TenantJwtSecret", "metadata": { "name": name },
                "status": {
                    "observedGeneration": 1, "secretName": format!("{name}-jwt"), "algorithm": "HS384",
                    "conditions": [condition("Ready"), condition("AlgorithmConfigured"), condition("SecretConfigured")],
                },
            });
            let params = PatchParams::apply("floor").force();
            objects.patch_status(&name, &params, &Patch::Apply(&status)).await.unwrap();
        }
    })
    .await;
    started.elapsed()
}

async fn operator(plane: &Plane, count: usize) -> Duration {
    let log = plane.control_plane.dir().join("operator.log");
    // Free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_idp-operator"));
    command.args(["run", "--watch-namespace=operator", "--admin-address", &address.to_string()]);
    command.env("KUBECONFIG", &plane.operator_kubeconfig).env_remove("HTTPS_PROXY").env_remove("https_proxy");
    let started = Instant::now();
    let mut process = supervise(&command, &log).unwrap();
    // Asked of the operator, as listing all objects over and over would keep the API server from its work.
    while ready(address).await != Some(count) {
        assert!(started.elapsed() < Duration::from_mins(5), "{}", process.log_tail());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let taken = started.elapsed();
    process.terminate().unwrap();
    taken
}

/// How many objects the operator knows to be ready.
async fn ready(address: SocketAddr) -> Option<usize> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let sample = r#"idp_operator_objects{kind="TenantJwtSecret",ready="True"} "#;
    answer.lines().find_map(|line| line.strip_prefix(sample))?.parse().ok()
}

//! The program in a root of just the image's files: as another user, and nothing can be written.

use std::fs;

use idp_operator::api::{IdentityProvider, TenantJwtSecret};
use serde_json::{Value, json};
use tokio::net::UdpSocket;

use super::sandbox::{SERVICE_ACCOUNT, Sandbox};
use crate::{
    chart::Release,
    support::{
        KeyServer, Operator, Plane, Scene,
        key_server::{ED25519, jwks},
        plane::SYSTEM,
        ready,
    },
};

/// Where its resolver asks. Port 53 is the only one that a resolv.conf can mean.
const DNS: &str = "127.7.7.7";

/// Answers that `keys.dns.test` is 127.0.0.1, and that there is no other name.
async fn serve_names() {
    const NAME: &[u8] = b"\x04keys\x03dns\x04test\0";
    let socket = UdpSocket::bind((DNS, 53)).await.expect("this test has to be root: it serves DNS on port 53");
    tokio::spawn(async move {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            // RFC 1035, section 4.1: header, then one question; without what EDNS adds.
            let end = 12 + query[12..length].iter().position(|byte| *byte == 0).unwrap() + 1;
            let (known, is_a) = (&query[12..end] == NAME, query[end..end + 2] == [0, 1]);
            let mut answer = query[..end + 4].to_vec();
            answer[2..4].copy_from_slice(if known { &[0x81, 0x80] } else { &[0x81, 0x83] });
            answer[6..12].copy_from_slice(&[0, u8::from(known && is_a), 0, 0, 0, 0]);
            if known && is_a {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
            }
            let _ = socket.send_to(&answer, from).await;
        }
    });
}

/// Adds what the kubelet mounts into every container: names, and the ServiceAccount.
async fn mount(sandbox: &Sandbox, authority: &str) {
    let plane = &Plane::shared().control_plane;
    let kubeconfig = plane.service_account_kubeconfig(SYSTEM, "idp-operator").await.unwrap();
    let kubeconfig: Value = serde_json::from_str(&fs::read_to_string(kubeconfig).unwrap()).unwrap();
    let cluster = &kubeconfig["clusters"][0]["cluster"];
    let ca = fs::read_to_string(cluster["certificate-authority"].as_str().unwrap()).unwrap();
    let file = |name: &str, content: &str| sandbox.mount(&format!("{SERVICE_ACCOUNT}/{name}"), content);
    file("ca.crt", &ca);
    file("token", kubeconfig["users"][0]["user"]["token"].as_str().unwrap());
    file("namespace", SYSTEM);
    sandbox.mount("etc/hosts", "127.0.0.1 localhost\n127.0.0.1 keys.hosts.test\n");
    sandbox.mount("etc/resolv.conf", &format!("nameserver {DNS}\noptions timeout:2 attempts:2\n"));
    // Beside the public authorities.
    let bundle = "etc/ssl/certs/ca-certificates.crt";
    let public = fs::read_to_string(sandbox.root().join(bundle)).unwrap();
    sandbox.mount(bundle, &format!("{public}\n{authority}"));
}

/// Starts it with the arguments that the chart gives, and waits until it is ready.
async fn start(sandbox: &Sandbox, scene: &Scene) -> Operator {
    let plane = Plane::shared();
    let (watched, loopback) = (format!("watchNamespaces={{{}}}", scene.namespace), "allowCidrs={127.0.0.0/8}");
    let release = Release::render(plane, "idp-operator", SYSTEM, &[&watched, loopback]);
    let (host, port) = plane.control_plane.server_url().strip_prefix("https://").unwrap().rsplit_once(':').unwrap();
    let start = release.start(plane, "idp-operator").await.by(&sandbox.program());
    start
        .env("KUBERNETES_SERVICE_HOST", host)
        .env("KUBERNETES_SERVICE_PORT", port.trim_end_matches('/'))
        .env("POD_NAME", "idp-operator-0")
        .ready()
        .await
}

/// Value of a line of /proc/PID/status.
fn status(operator: &Operator, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", operator.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What it has open in its root and outside, but for sockets, pipes and the like.
fn open_files(operator: &Operator, sandbox: &Sandbox) -> Vec<String> {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", operator.pid())).unwrap();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let root = sandbox.root();
    let mut files: Vec<String> =
        targets.map(|target| target.to_str().unwrap().trim_start_matches(root.to_str().unwrap()).to_owned()).collect();
    files.retain(|target| target.starts_with('/'));
    files.sort();
    files.dedup();
    files
}

#[tokio::test]
#[ignore = "needs what image/build makes: just image-test"]
async fn it_works_in_a_read_only_root_of_the_images_files_and_finds_names_and_certificates() {
    let scene = Scene::new("image").await;
    serve_names().await;
    let keys = jwks(&[ED25519]);
    let (plain, (tls, authority)) = (KeyServer::http(&keys).await, KeyServer::https(&keys).await);
    let sandbox = Sandbox::unpack();
    mount(&sandbox, &authority).await;
    let operator = start(&sandbox, &scene).await;

    assert_eq!(status(&operator, "Uid"), "65532 65532 65532 65532");
    assert_eq!(status(&operator, "Gid"), "65532 65532 65532 65532");
    assert_eq!((status(&operator, "CapEff"), status(&operator, "NoNewPrivs")), ("0".repeat(16), "1".to_owned()));
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", operator.pid())).unwrap();
    assert!(mounts.lines().any(|line| line.contains(" / / ro,") || line.contains("/root / ro,")), "{mounts}");

    let at = |server: &KeyServer, host: &str| server.url("/keys").replace("127.0.0.1", host);
    for (name, url, insecure) in [
        ("hosts", at(&plain, "keys.hosts.test"), true),
        ("dns", at(&plain, "keys.dns.test"), true),
        ("tls", at(&tls, "localhost"), false),
        ("nowhere", at(&plain, "keys.nowhere.test"), true),
    ] {
        let spec = json!({ "jwtEndpoint": url, "issuer": name, "keysEndpoint": url, "allowInsecureHttp": insecure });
        scene.apply::<IdentityProvider>(name, spec).await;
    }
    for name in ["hosts", "dns", "tls"] {
        scene.verdict::<IdentityProvider>(name, "True", "Ready").await;
    }
    let nowhere = scene.until("nowhere", |object: &IdentityProvider| ready(object).is_some()).await;
    let why =
        "keysEndpoint gives no answer: it must be a host that resolves, accepts connections and answers within 10 s";
    assert_eq!(ready(&nowhere), Some(("False".to_owned(), "KeysUnreachable".to_owned(), why.to_owned())));

    scene.apply::<TenantJwtSecret>("tenant", json!({ "tenantId": scene.namespace, "signingAlgorithm": "HS256" })).await;
    scene.verdict::<TenantJwtSecret>("tenant", "True", "Ready").await;

    let log = fs::canonicalize(operator.log_file()).unwrap().to_str().unwrap().to_owned();
    // No file of its own is open. (It opens the device once, as a static program finds no getrandom by name.)
    assert_eq!(open_files(&operator, &sandbox), ["/dev/null".to_owned(), "/dev/urandom".to_owned(), log]);
    let (code, log) = operator.terminate();
    assert!(code.success(), "{code}\n{log}");
}

#[test]
#[ignore = "needs what image/build makes: just image-test"]
fn its_version_its_exit_codes_and_that_there_is_no_shell() {
    let sandbox = Sandbox::unpack();
    let version = format!("idp-operator {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(sandbox.run(&["--version"]), (Some(0), version, String::new()));
    let (code, output, errors) = sandbox.run(&["run", "--concurency=3"]);
    assert_eq!((code, output.as_str()), (Some(2), ""));
    assert!(errors.contains("--concurency"), "{errors}");
    assert_eq!(sandbox.run(&["crds"]).0, Some(0));
    for shell in ["bin/sh", "bin/bash", "bin/busybox", "usr/bin/env"] {
        assert!(!sandbox.root().join(shell).exists(), "{shell}");
    }
}

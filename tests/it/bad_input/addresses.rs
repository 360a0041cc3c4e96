//! Addresses that may not be called, in all their spellings.

use std::collections::BTreeMap;

use idp_operator::api::IdentityProvider;
use serde_json::json;

use super::{Answer, Kind, expect_answers};
use crate::support::{Plane, Scene, operator::Start};

fn forbidden() -> Answer {
    Answer::new(
        "False AddressForbidden Stalled",
        "keysEndpoint has an address that may not be called: it must be none of the loopback, link-local, multicast, \
         metadata and API server addresses; an operator's administrator can allow some of them with --allow-cidr",
        &["503 address-forbidden /spec/keysEndpoint"],
    )
}

async fn all_are_forbidden(allow: &[&str], endpoints: &[&str]) {
    let scene = Scene::new("addresses").await;
    let plain = Start::new(&Plane::shared().operator_kubeconfig).arg("--watch-namespace").arg(&scene.namespace);
    let _operator = allow.iter().fold(plain, |start, cidr| start.arg(format!("--allow-cidr={cidr}"))).ready().await;
    let mut expected = BTreeMap::new();
    for (number, endpoint) in endpoints.iter().enumerate() {
        let name = format!("idp-{number}");
        let spec = Kind::Idp.with(&json!({ "issuer": endpoint, "keysEndpoint": endpoint, "allowInsecureHttp": true }));
        scene.apply::<IdentityProvider>(&name, spec).await;
        expected.insert(name, forbidden());
    }
    expect_answers::<IdentityProvider>(&scene, expected).await;
}

#[tokio::test]
async fn loopback_and_the_like_are_not_called_by_default() {
    let endpoints = [
        "http://127.0.0.1/keys",
        "http://127.1/keys",
        "http://127.8.8.8:8080/keys",
        "http://0x7f000001/keys",
        "http://2130706433/keys",
        "http://0177.0.0.1/keys",
        "http://0.0.0.0/keys",
        "http://localhost/keys",
        "http://LOCALHOST/keys",
        "https://localhost/keys",
        "http://[::1]/keys",
        "http://[0:0:0:0:0:0:0:1]/keys",
        "http://[::]/keys",
        "http://[::ffff:127.0.0.1]/keys",
        "http://[::ffff:7f00:1]/keys",
        "http://[::127.0.0.1]/keys",
        "http://[64:ff9b::7f00:1]/keys",
        "http://[2002:7f00:1::]/keys",
        "http://[fe80::1]/keys",
        "http://[ff02::1]/keys",
        "http://169.254.1.1/keys",
        "http://169.254.169.254/latest/meta-data",
        "http://224.0.0.1/keys",
        "http://255.255.255.255/keys",
    ];
    all_are_forbidden(&[], &endpoints).await;
}

#[tokio::test]
async fn metadata_and_the_api_server_are_never_called() {
    let kubeconfig = kube::config::Kubeconfig::read_from(&Plane::shared().operator_kubeconfig).unwrap();
    let server = kubeconfig.clusters[0].cluster.as_ref().unwrap().server.as_deref().unwrap();
    let endpoints = [
        server,
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:169.254.169.254]/keys",
        "http://2852039166/keys",
        "http://100.100.100.200/keys",
        "http://168.63.129.16/keys",
        "http://192.0.0.192/keys",
        "http://[fd00:ec2::254]/keys",
        "http://[fd20:ce::254]/keys",
        "http://[64:ff9b::a9fe:a9fe]/keys",
    ];
    all_are_forbidden(&["0.0.0.0/0", "::/0"], &endpoints).await;
}

//! Addresses that may not be called, in all their spellings.

use std::collections::BTreeMap;

use idp_operator::api::IdentityProvider;
use serde_json::json;

use super::{Answer, Kind, endpoints::published, expect_answers};
use crate::support::{
    Plane, RawServer, Scene, Script,
    key_server::{ED25519, jwks},
    operator::Start,
};

fn forbidden() -> Answer {
    Answer::new(
        "False AddressForbidden Stalled",
        "keysEndpoint has an address that may not be called: it must be none of the loopback, unspecified, link-local, \
         multicast, metadata and API server addresses, and none that --deny-cidr names; the operator's administrator can \
         allow some of them with --allow-cidr",
        &["503 address-forbidden /spec/keysEndpoint"],
    )
}

/// Starts an operator with these flags and no others that tell of addresses.
async fn expect_with<S: AsRef<str>>(flags: &[&str], rows: impl IntoIterator<Item = (S, Answer)>) {
    let scene = Scene::new("addresses").await;
    let plain = Start::new(&Plane::shared().operator_kubeconfig).arg("--watch-namespace").arg(&scene.namespace);
    let _operator = flags.iter().fold(plain, |start, flag| start.arg(*flag)).ready().await;
    let mut expected = BTreeMap::new();
    for (number, (endpoint, answer)) in rows.into_iter().enumerate() {
        let (name, endpoint) = (format!("idp-{number}"), endpoint.as_ref());
        let spec = Kind::Idp.with(&json!({ "issuer": endpoint, "keysEndpoint": endpoint, "allowInsecureHttp": true }));
        scene.apply::<IdentityProvider>(&name, spec).await;
        expected.insert(name, answer);
    }
    expect_answers::<IdentityProvider>(&scene, expected).await;
}

/// Servers of keys at one port of all these addresses.
async fn at_one_port<const N: usize>(ips: [&str; N]) -> [RawServer; N] {
    let keys = jwks(&[ED25519]);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{keys}", keys.len()).into_bytes();
    loop {
        let mut servers = vec![RawServer::on(&format!("{}:0", ips[0]), Script::Whole(answer.clone())).await.unwrap()];
        for ip in &ips[1..] {
            let address = format!("{ip}:{}", servers[0].address().port());
            servers.extend(RawServer::on(&address, Script::Whole(answer.clone())).await);
        }
        if let Ok(servers) = servers.try_into() {
            return servers;
        }
    }
}

fn connections<const N: usize>(servers: &[RawServer; N]) -> [usize; N] {
    std::array::from_fn(|place| servers[place].connections())
}

#[tokio::test]
async fn loopback_and_the_like_are_not_called_by_default_however_they_are_spelled() {
    let sinks = at_one_port(["127.0.0.1", "127.8.8.8", "[::1]"]).await;
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "127.8.8.8",
        "0x7f000001",
        "0X7F.0.0.0x1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "0.0.0.0",
        "0",
        "0.1.2.3",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[0000:0000:0000:0000:0000:0000:0000:0001]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:0.0.0.0]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[ff02::1]",
        "169.254.1.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
    ];
    let port = sinks[0].address().port();
    let endpoints = hosts.iter().flat_map(|host| {
        let schemes: &[&str] = if *host == "localhost" { &["http", "https"] } else { &["http"] };
        schemes.iter().map(move |scheme| format!("{scheme}://{host}:{port}/keys"))
    });
    expect_with(&[], endpoints.map(|endpoint| (endpoint, forbidden()))).await;
    assert_eq!(connections(&sinks), [0, 0, 0]);
    // They would have noticed.
    for sink in &sinks {
        tokio::net::TcpStream::connect(sink.address()).await.unwrap();
    }
    while connections(&sinks) != [1, 1, 1] {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_denied_is_not_called_although_it_is_allowed() {
    let servers = at_one_port(["127.0.0.1", "127.8.8.8", "127.9.9.9"]).await;
    let port = servers[0].address().port();
    let flags = ["--allow-cidr=127.0.0.0/8", "--deny-cidr=127.8.0.0/16", "--deny-cidr=127.9.9.9/32"];
    let rows = [
        ("127.0.0.1", published("1 key is published")),
        ("127.8.8.8", forbidden()),
        ("[::ffff:127.8.8.8]", forbidden()),
        ("127.9.9.9", forbidden()),
    ];
    expect_with(&flags, rows.map(|(host, answer)| (format!("http://{host}:{port}/keys"), answer))).await;
    assert_eq!(connections(&servers), [1, 0, 0]);
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
        "http://[2002:a9fe:a9fe::1]/keys",
        "http://[::169.254.169.254]/keys",
        "http://[::ffff:100.100.100.200]/keys",
        "http://0xa9fea9fe/keys",
        "http://169.254.43518/keys",
    ];
    let flags = ["--allow-cidr=0.0.0.0/0", "--allow-cidr=::/0"];
    expect_with(&flags, endpoints.map(|endpoint| (endpoint, forbidden()))).await;
}

//! A rotation, as a service that reads the Secret sees it. No value is shown.

use std::time::{Duration, Instant};

use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt as _};

use crate::{Error, cluster::Cluster};

const OBJECT: &str = "acme";
const SECRET: &str = "acme-jwt";
/// What is shown of the Secret: nothing of it is secret.
const SHOWN: [&str; 5] = ["key-id", "issued-at", "algorithm", "previous-key-id", "previous-expires-at"];

const LIMIT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(100);

/// Asks for a rotation and shows what became of the Secret.
pub async fn show(cluster: &Cluster<'_>, client: &Client, namespace: &str) -> Result<(), Error> {
    let screen = cluster.screen;
    screen.heading("A tenant's secret, rotated");
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    let before = api.get(SECRET).await?;
    screen.text(&format!("Secret {SECRET} before, but for the value itself:"));
    tell(cluster, &before);
    cluster.kubectl(&["annotate", "-n", namespace, &format!("tjs/{OBJECT}"), "idp-operator.dev/rotate=first-time"])?;
    let started = Instant::now();
    let objects = Api::<TenantJwtSecret>::namespaced(client.clone(), namespace);
    let after = loop {
        let secret = api.get(SECRET).await?;
        let told = objects.get(OBJECT).await?.status.and_then(|status| status.key_id);
        if secret.resource_version() != before.resource_version() && told.as_deref() == text(&secret, "key-id") {
            break secret;
        }
        if started.elapsed() > LIMIT {
            return Err(format!("Secret {SECRET} was not rotated in {LIMIT:?}").into());
        }
        tokio::time::sleep(POLL).await;
    };
    screen.text("And after:");
    tell(cluster, &after);
    if value(&after, "previous-secret") != value(&before, "secret")
        || value(&after, "secret") == value(&before, "secret")
    {
        return Err("the value that was replaced is not the previous one now".into());
    }
    screen.text(
        "There is a new value under the key `secret`. The old one is under `previous-secret` for as long as \
         rotation.gracePeriod says, so that tokens signed with it still verify. The token in the annotation is honoured \
         once; with rotation.interval it goes by age. docs/rotation.md tells how a service takes up both.",
    );
    Ok(())
}

fn tell(cluster: &Cluster<'_>, secret: &Secret) {
    for name in SHOWN {
        if let Some(text) = text(secret, name) {
            cluster.screen.output(&format!("{:21}{text}", format!("{name}:")));
        }
    }
}

fn text<'a>(secret: &'a Secret, name: &str) -> Option<&'a str> {
    value(secret, name).and_then(|bytes| std::str::from_utf8(bytes).ok())
}

fn value<'a>(secret: &'a Secret, name: &str) -> Option<&'a [u8]> {
    secret.data.as_ref()?.get(name).map(|bytes| bytes.0.as_slice())
}

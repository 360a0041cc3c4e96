//! A running Envoy.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use control_plane::{Supervised, supervise};
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::ENVIRONMENT;
use crate::support::scene::PATIENCE;

/// Envoy, that answers 200 to requests with a good token, by itself. Dropped, it is killed.
pub struct Gateway {
    address: String,
    admin: String,
    process: Supervised,
    dir: TempDir,
}

/// What is below a path.
pub struct Site<'a> {
    /// The path, without slashes.
    pub name: &'a str,
    /// `envoy-jwt-provider.json`.
    pub provider: &'a str,
    /// The header that is shown in the answer as it would reach a service.
    pub header: &'a str,
}

/// Status and body; with a good token, what a service would see in the header instead of the body.
pub type Answer = (u16, String);

impl Gateway {
    /// One with these sites.
    pub async fn start(sites: &[Site<'_>]) -> Self {
        Self::try_start(sites).await.unwrap_or_else(|log| panic!("Envoy does not start: {log}"))
    }

    /// The same; an error is what it logged when it did not take the sites.
    pub async fn try_start(sites: &[Site<'_>]) -> Result<Self, String> {
        let dir = tempfile::tempdir().unwrap();
        let [config, admin, log] = ["envoy.json", "admin", "envoy.log"].map(|name| dir.path().join(name));
        std::fs::create_dir(dir.path().join("listeners")).unwrap();
        std::fs::write(&config, bootstrap(&dir.path().join("listeners")).to_string()).unwrap();
        let mut command = Command::new(ENVIRONMENT.join("bin/envoy"));
        command.arg("--config-path").arg(&config).arg("--admin-address-path").arg(&admin);
        command.args(["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warn"]);
        let mut gateway =
            Self { address: String::new(), admin: String::new(), process: supervise(&command, &log).unwrap(), dir };
        gateway.deliver(sites);
        let deadline = Instant::now() + PATIENCE;
        loop {
            gateway.admin = std::fs::read_to_string(&admin).unwrap_or_default();
            if let Some(address) = listener(&gateway.admin).await {
                gateway.address = address;
                return Ok(gateway);
            }
            let ended = gateway.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{}", gateway.process.log_tail());
            if gateway.rejections().await > 0 {
                return Err(gateway.process.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Gives it other sites, while it runs.
    pub fn deliver(&self, sites: &[Site<'_>]) {
        let [new, file] = ["new.json", "main.json"].map(|name| self.dir.path().join("listeners").join(name));
        std::fs::write(&new, listeners(sites)).unwrap();
        std::fs::rename(new, file).unwrap();
    }

    /// How often it did not take what it was given.
    pub async fn rejections(&self) -> u64 {
        const NAME: &str = "listener_manager.lds.update_rejected";
        let Some((_, _, stats)) = get(&self.admin, &format!("/stats?filter={NAME}"), &[]).await else {
            return 0;
        };
        stats.trim().strip_prefix(NAME).map_or(0, |rest| rest.trim_start_matches(": ").parse().unwrap())
    }

    /// GET of a site.
    pub async fn get(&self, site: &str, headers: &[(&str, &str)]) -> Answer {
        let (status, seen, body) = get(&self.address, &format!("/{site}"), headers).await.unwrap();
        (status, seen.unwrap_or(body))
    }
}

/// Address of the first listener, when it is there.
async fn listener(admin: &str) -> Option<String> {
    let (_, _, body) = get(admin, "/listeners?format=json", &[]).await?;
    let listeners: Value = serde_json::from_str(&body).ok()?;
    let address = &listeners["listener_statuses"][0]["local_address"]["socket_address"];
    Some(format!("{}:{}", address["address"].as_str()?, address["port_value"].as_u64()?))
}

/// Status, the header `x-seen` and the body.
async fn get(address: &str, path: &str, headers: &[(&str, &str)]) -> Option<(u16, Option<String>, String)> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let request = headers
        .iter()
        .fold(Request::get(path).header("host", address), |request, (name, value)| request.header(*name, *value));
    let answer = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.ok()?;
    let seen = answer.headers().get("x-seen").map(|value| value.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    Some((status, seen, String::from_utf8(body.to_vec()).unwrap()))
}

/// What it starts with: where its listeners come from.
fn bootstrap(listeners: &Path) -> Value {
    let source = json!({ "path": listeners.join("main.json"), "watched_directory": { "path": listeners } });
    json!({
        "node": { "id": "gateway", "cluster": "gateway" },
        "admin": { "address": loopback() },
        "dynamic_resources": { "lds_config": { "resource_api_version": "V3", "path_config_source": source } },
    })
}

fn loopback() -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } })
}

/// Its listener. Each provider stands in it letter by letter.
fn listeners(sites: &[Site<'_>]) -> String {
    let route = |site: &Site<'_>| {
        json!({
            "match": { "path": format!("/{}", site.name) },
            "direct_response": { "status": 200 },
            "response_headers_to_add": [{ "header": { "key": "x-seen", "value": format!("%REQ({})%", site.header) } }],
        })
    };
    let rule = |site: &Site<'_>| json!({ "match": { "path": format!("/{}", site.name) }, "requires": { "provider_name": site.name } });
    let provider = |site: &Site<'_>| format!("{}: {}", json!(site.name), site.provider);
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "sites",
        "route_config": { "virtual_hosts": [
            { "name": "sites", "domains": ["*"], "routes": sites.iter().map(route).collect::<Vec<_>>() },
        ] },
        "http_filters": [
            { "name": "envoy.filters.http.jwt_authn", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
                "providers": "PROVIDERS",
                "rules": sites.iter().map(rule).collect::<Vec<_>>(),
            } },
            { "name": "envoy.filters.http.router", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            } },
        ],
    });
    let filter = json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager });
    let resources = json!({ "resources": [{
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": "main",
        "address": loopback(),
        "filter_chains": [{ "filters": [filter] }],
    }] });
    let providers = sites.iter().map(provider).collect::<Vec<_>>().join(",\n");
    resources.to_string().replace("\"PROVIDERS\"", &format!("{{{providers}}}"))
}

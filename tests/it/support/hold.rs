//! A proxy in front of the API server that holds single requests back until a test lets them go.

use std::{
    io::Write as _,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use control_plane::client;
use http::{Method, StatusCode, response::Parts};
use kube::Client;
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    task::JoinHandle,
};

use super::proxy::{forward, is_write, remove_hop_by_hop};

/// A running proxy. Dropped, it serves no new connections.
pub struct Holding {
    kubeconfig: tempfile::NamedTempFile,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// A request that is held back, or will be. Dropped, it is let go.
pub struct Held {
    reached: watch::Receiver<bool>,
    go: Option<oneshot::Sender<()>>,
    answer: oneshot::Receiver<StatusCode>,
}

struct Shared {
    client: Client,
    to_hold: Mutex<Vec<ToHold>>,
    writes: Mutex<Vec<String>>,
}

struct ToHold {
    method: Method,
    end: String,
    /// Whether the API server has answered by then.
    is_done: bool,
    reached: watch::Sender<bool>,
    go: oneshot::Receiver<()>,
    answer: oneshot::Sender<StatusCode>,
}

impl Holding {
    /// A proxy for who goes by this kubeconfig.
    pub async fn of(kubeconfig: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        // JSON is YAML.
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "proxy", "cluster": { "server": server } }],
            "users": [{ "name": "proxy", "user": {} }],
            "contexts": [{ "name": "proxy", "context": { "cluster": "proxy", "user": "proxy" } }],
            "current-context": "proxy",
        });
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "{config}").unwrap();
        let client = client(kubeconfig).await.unwrap();
        let shared = Arc::new(Shared { client, to_hold: Mutex::default(), writes: Mutex::default() });
        let router = Router::new().fallback(handle).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { kubeconfig: file, shared, server }
    }

    /// Kubeconfig for who is to go through the proxy.
    pub fn kubeconfig(&self) -> &Path {
        self.kubeconfig.path()
    }

    /// Holds the next request with this method whose path ends so, before the API server gets it.
    pub fn hold(&self, method: Method, end: &str) -> Held {
        self.add(method, end, false)
    }

    /// The same, but holds only the API server's answer.
    pub fn hold_answer(&self, method: Method, end: &str) -> Held {
        self.add(method, end, true)
    }

    fn add(&self, method: Method, end: &str, is_done: bool) -> Held {
        let ((reached, is_reached), (go, goes)) = (watch::channel(false), oneshot::channel());
        let (answer, answered) = oneshot::channel();
        let hold = ToHold { method, end: end.to_owned(), is_done, reached, go: goes, answer };
        self.shared.to_hold.lock().unwrap().push(hold);
        Held { reached: is_reached, go: Some(go), answer: answered }
    }

    /// Methods and paths of all writes so far but for those of leases.
    pub fn writes(&self) -> Vec<String> {
        self.shared.writes.lock().unwrap().clone()
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Held {
    /// Waits until there is one.
    pub async fn reached(&mut self) {
        self.reached.wait_for(|is_reached| *is_reached).await.unwrap();
    }

    /// Lets it go. Returns what the API server says.
    pub async fn let_go(mut self) -> StatusCode {
        self.go.take().unwrap().send(()).unwrap();
        (&mut self.answer).await.unwrap()
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    remove_hop_by_hop(&mut parts.headers);
    let path = parts.uri.path().to_owned();
    if is_write(&parts.method) && !path.contains("/leases") {
        shared.writes.lock().unwrap().push(format!("{} {path}", parts.method));
    }
    let hold = {
        let mut to_hold = shared.to_hold.lock().unwrap();
        let found = to_hold.iter().position(|hold| hold.method == parts.method && path.ends_with(&hold.end));
        found.map(|position| to_hold.remove(position))
    };
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let request = http::Request::from_parts(parts, kube::client::Body::from(body));
    // A task of its own: it does not end with who asked.
    tokio::spawn(async move {
        let Some(hold) = hold else { return forward(&shared.client, request).await };
        let (reached, go) = (hold.reached, hold.go);
        let let_go = async move {
            reached.send_replace(true);
            let _ = go.await;
        };
        let (parts, body) = if hold.is_done {
            let answer = whole(&shared.client, request).await;
            let_go.await;
            answer
        } else {
            let_go.await;
            whole(&shared.client, request).await
        };
        let _ = hold.answer.send(parts.status);
        Response::from_parts(parts, body)
    })
    .await
    .unwrap()
}

/// Sends a request and waits for all of the answer, so that it is done.
async fn whole(client: &Client, request: http::Request<kube::client::Body>) -> (Parts, Body) {
    let (parts, body) = forward(client, request).await.into_parts();
    (parts, Body::from(to_bytes(body, usize::MAX).await.unwrap()))
}

//! A proxy in front of the API server that counts an operator's writes and fails those that a test wants to fail.

use std::{
    io::Write as _,
    ops::RangeInclusive,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use control_plane::client;
use futures::stream;
use http::{HeaderMap, Method, StatusCode, header};
use kube::Client;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use super::plane::{Plane, SYSTEM};

/// What happens to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whether the API server gets it, and has done it before the operator learns anything.
    pub done: Done,
    /// What the operator gets.
    pub answer: Answer,
}

/// Whether the API server does the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    No,
    Yes,
}

/// What the operator gets for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// None; and nothing that it sends after this write is forwarded or answered, until [`Proxy::resume`]. With the
    /// operator killed once [`Proxy::silenced`] says so, this was the last that it did.
    Silence,
    /// This status, with a `Status` for a body. Of 429, 503 and 504 the client tries again a few times.
    Status(StatusCode),
    /// The connection breaks before the answer is whole.
    HangUp,
}

/// A running proxy. Dropped, it serves no new connections.
pub struct Proxy {
    kubeconfig: tempfile::NamedTempFile,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    client: Client,
    state: Mutex<Writes>,
    silenced: watch::Sender<bool>,
}

#[derive(Default)]
struct Writes {
    begun: usize,
    ended: usize,
    is_silent: bool,
    fault: Option<(RangeInclusive<usize>, Fault)>,
    read: Vec<Read>,
}

/// A read that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Path and query.
    pub uri: String,
    /// Forms in which the answer may come.
    pub accept: String,
}

impl Proxy {
    /// A proxy that does as it is told under the chart's `ServiceAccount`, and fails nothing yet.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // JSON is YAML.
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "proxy", "cluster": { "server": format!("http://{}", listener.local_addr().unwrap()) } }],
            "users": [{ "name": "proxy", "user": {} }],
            "contexts": [{ "name": "proxy", "context": { "cluster": "proxy", "user": "proxy", "namespace": SYSTEM } }],
            "current-context": "proxy",
        });
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "{kubeconfig}").unwrap();
        let shared = Arc::new(Shared {
            client: client(&Plane::shared().operator_kubeconfig).await.unwrap(),
            state: Mutex::default(),
            silenced: watch::Sender::new(false),
        });
        let router = Router::new().fallback(handle).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { kubeconfig: file, shared, server }
    }

    /// Kubeconfig for who is to go through the proxy.
    pub fn kubeconfig(&self) -> &Path {
        self.kubeconfig.path()
    }

    /// Fails these writes of those that begin from now on. The first is 1.
    pub fn fail(&self, writes: RangeInclusive<usize>, fault: Fault) {
        let mut state = self.shared.state.lock().unwrap();
        let from_now = |number: &usize| number.saturating_add(state.begun);
        state.fault = Some((from_now(writes.start())..=from_now(writes.end()), fault));
    }

    /// Waits for a write that is failed by silence.
    pub async fn silenced(&self) {
        self.shared.silenced.subscribe().wait_for(|is_silenced| *is_silenced).await.unwrap();
    }

    /// Serves again, and fails nothing more. What was sent to a silent proxy stays without an answer.
    pub fn resume(&self) {
        let mut state = self.shared.state.lock().unwrap();
        (state.is_silent, state.fault, state.ended) = (false, None, state.begun);
        self.shared.silenced.send_replace(false);
    }

    /// How many writes were begun, failed ones included.
    pub fn writes(&self) -> usize {
        self.shared.state.lock().unwrap().begun
    }

    /// All reads so far, watches among them.
    pub fn reads(&self) -> Vec<Read> {
        self.shared.state.lock().unwrap().read.clone()
    }

    /// Waits until no write has been under way for so long.
    pub async fn quiet(&self, time: Duration) {
        loop {
            let before = self.writes();
            tokio::time::sleep(time).await;
            let state = self.shared.state.lock().unwrap();
            if state.begun == before && state.ended == before {
                return;
            }
        }
    }
}

/// What becomes of a request.
enum Course {
    Forward,
    Fail(Fault),
    Silence,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    /// Counts a request.
    fn begin(&self, method: &Method) -> Course {
        let mut state = self.state.lock().unwrap();
        if state.is_silent {
            return Course::Silence;
        }
        if !is_write(method) {
            return Course::Forward;
        }
        state.begun += 1;
        let number = state.begun;
        let fault = state.fault.as_ref().filter(|(writes, _)| writes.contains(&number)).map(|(_, fault)| *fault);
        // At once: nothing that begins later may overtake it.
        state.is_silent = fault.is_some_and(|fault| fault.answer == Answer::Silence);
        fault.map_or(Course::Forward, Course::Fail)
    }

    fn note(&self, request: &http::request::Parts) {
        if request.method == Method::GET {
            let accept = request.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
            let read = Read { uri: request.uri.to_string(), accept: accept.unwrap_or_default().to_owned() };
            self.state.lock().unwrap().read.push(read);
        }
    }

    fn end(&self, method: &Method) {
        if is_write(method) {
            self.state.lock().unwrap().ended += 1;
        }
    }
}

/// Sends a request to the API server.
pub async fn forward(client: &Client, request: http::Request<kube::client::Body>) -> Response {
    match client.send(request).await {
        Ok(answer) => {
            let (mut parts, body) = answer.into_parts();
            remove_hop_by_hop(&mut parts.headers);
            Response::from_parts(parts, Body::new(body))
        }
        Err(error) => status(StatusCode::BAD_GATEWAY, &error.to_string()),
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let course = shared.begin(request.method());
    let (mut parts, body) = request.into_parts();
    shared.note(&parts);
    remove_hop_by_hop(&mut parts.headers);
    let method = parts.method.clone();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let request = http::Request::from_parts(parts, kube::client::Body::from(body));
    let answer = match course {
        Course::Silence => std::future::pending().await,
        Course::Forward => forward(&shared.client, request).await,
        Course::Fail(Fault { done, answer }) => {
            if done == Done::Yes {
                // To the last byte, so that it is done.
                let _ = to_bytes(forward(&shared.client, request).await.into_body(), usize::MAX).await;
            }
            match answer {
                Answer::Silence => {
                    shared.silenced.send_replace(true);
                    std::future::pending().await
                }
                Answer::Status(code) => status(code, "as the test wants it"),
                Answer::HangUp => Response::new(Body::from_stream(stream::iter([Err::<Vec<u8>, _>(
                    std::io::Error::other("hung up"),
                )]))),
            }
        }
    };
    shared.end(&method);
    answer
}

/// Whether it may change something.
pub fn is_write(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method)
}

/// What concerns one connection only (RFC 9110, section 7.6.1), and the proxy's own name.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
}

fn status(code: StatusCode, message: &str) -> Response {
    let reason = code.canonical_reason().unwrap_or_default().replace(' ', "");
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure",
        "code": code.as_u16(), "reason": reason, "message": message,
    });
    Response::builder()
        .status(code)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(status.to_string()))
        .unwrap()
}

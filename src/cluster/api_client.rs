//! The Kubernetes client, counting its requests and hearing whether watches live; what is nested too deep in an answer is cut off.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Method, Request, Response};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::body::{Body as HttpBody, Bytes};
use jiff::Timestamp;
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, retry::RetryPolicy},
};
use prometheus_client::metrics::{counter::Counter, family::Family};
use tower::{Layer, Service, buffer::BufferLayer, retry::RetryLayer};

use super::{
    fence::{Fence, FenceLayer},
    metrics::{ApiRequestLabels, Metrics},
    shallow::ShallowLayer,
    signs_of_life::SignsOfLife,
};

/// Longest wait for a connection to the API server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest silence on a connection: more than the 295 s that kube gives a watch, so that only a server that died without a
/// word is given up. kube bounds neither a list nor the start of a watch.
const READ_TIMEOUT: Duration = Duration::from_mins(5);

/// How often an answer 429, 503 or 504 is met by another try, and how long after it at first and at most. Kube's own
/// policy goes on for minutes, beneath whatever counts requests, and beneath every back-off of ours.
const TRIES: u32 = 4;
const FIRST_TRY: Duration = Duration::from_millis(100);
const LAST_TRY: Duration = Duration::from_secs(2);

/// Requests that may wait for a connection's turn.
const WAITING: usize = 1024;

/// A client for this configuration. With a fence, it writes only as long as that lets it.
///
/// # Errors
/// When TLS or credentials can't be set up.
pub fn client(mut config: Config, metrics: Metrics, fence: Option<Fence>) -> kube::Result<Client> {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.default_retry = false;
    let retry = RetryPolicy::new(FIRST_TRY, LAST_TRY, TRIES, true).unwrap_or_default();
    let builder = ClientBuilder::try_from(config)?
        .with_layer(&ShallowLayer)
        .with_layer(&CountLayer(metrics))
        .with_layer(&BufferLayer::new(WAITING))
        .with_layer(&RetryLayer::new(retry));
    Ok(match fence {
        None => builder.build(),
        Some(fence) => builder.with_layer(&FenceLayer(fence)).build(),
    })
}

struct CountLayer(Metrics);

impl<S> Layer<S> for CountLayer {
    type Service = Count<S>;

    fn layer(&self, inner: S) -> Count<S> {
        Count { inner, metrics: self.0.clone() }
    }
}

struct Count<S> {
    inner: S,
    metrics: Metrics,
}

impl<S, B> Service<Request<Body>> for Count<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = Response<UnsyncBoxBody<Bytes, B::Error>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (verb, kind) = describe(request.method(), request.uri());
        let requests = self.metrics.api_requests.clone();
        let watch = (verb == "watch").then(|| (self.metrics.signs_of_life.clone(), request.uri().path().to_owned()));
        let response = self.inner.call(request);
        let mut counted = Counted { requests, labels: ApiRequestLabels { verb, kind, code: "none".to_owned() } };
        Box::pin(async move {
            let response = response.await;
            if let Ok(response) = &response {
                counted.labels.code = response.status().as_u16().to_string();
            }
            drop(counted);
            response.map(|response| match watch {
                Some(watch) if response.status().is_success() => listen(response, watch),
                _ => response.map(BodyExt::boxed_unsync),
            })
        })
    }
}

/// Counts a request when it is dropped: one that nobody waits for any longer got no answer.
struct Counted {
    requests: Family<ApiRequestLabels, Counter>,
    labels: ApiRequestLabels,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.requests.get_or_create(&self.labels).inc();
    }
}

/// Notes that the watch of this path began, and whatever it brings, bookmarks included.
fn listen<B>(response: Response<B>, (life, path): (SignsOfLife, String)) -> Response<UnsyncBoxBody<Bytes, B::Error>>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    let heard = move || life.heard(&path, Timestamp::now());
    heard();
    response.map(|body| {
        body.map_frame(move |frame| {
            heard();
            frame
        })
        .boxed_unsync()
    })
}

/// Verb and resource of a request, as RBAC names them.
fn describe(method: &Method, uri: &http::Uri) -> (&'static str, String) {
    let mut path = uri.path().trim_start_matches('/').split('/');
    // /api/v1/.. or /apis/GROUP/VERSION/..
    let prefix = if path.next() == Some("apis") { 2 } else { 1 };
    let mut rest: Vec<&str> = path.skip(prefix).collect();
    if rest.first() == Some(&"namespaces") && rest.len() > 2 {
        rest.drain(..2);
    }
    let (kind, is_named) = match rest.as_slice() {
        [] => ("none".to_owned(), false),
        [plural] => ((*plural).to_owned(), false),
        [plural, _] => ((*plural).to_owned(), true),
        [plural, _, subresource, ..] => (format!("{plural}/{subresource}"), true),
    };
    let is_watch = uri.query().is_some_and(|query| query.split('&').any(|part| part == "watch=true"));
    let verb = match (method.as_str(), is_named) {
        ("GET", _) if is_watch => "watch",
        ("GET", true) => "get",
        ("GET", false) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", _) => "delete",
        _ => "other",
    };
    (verb, kind)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("GET", "/api/v1/secrets?limit=500", "list", "secrets")]
    #[case("GET", "/api/v1/namespaces/a/secrets?&watch=true&timeoutSeconds=290", "watch", "secrets")]
    #[case("GET", "/api/v1/namespaces/a/secrets/b", "get", "secrets")]
    #[case("GET", "/api/v1/namespaces/a", "get", "namespaces")]
    #[case("POST", "/apis/events.k8s.io/v1/namespaces/a/events?", "create", "events")]
    #[case("PUT", "/api/v1/namespaces/a/configmaps/b?", "update", "configmaps")]
    #[case(
        "PATCH",
        "/apis/idp-operator.dev/v1alpha1/namespaces/a/identityproviders/b/status?",
        "patch",
        "identityproviders/status"
    )]
    #[case("GET", "/version", "list", "none")]
    fn requests_are_counted_as_rbac_names_them(
        #[case] method: &str,
        #[case] uri: &str,
        #[case] verb: &str,
        #[case] kind: &str,
    ) {
        let got = describe(&method.parse().unwrap(), &uri.parse().unwrap());
        assert_eq!(got, (verb, kind.to_owned()));
    }
}

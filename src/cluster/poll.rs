//! Objects that are asked for by name again and again, where no role can allow to watch them.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::future;
use k8s_openapi::ClusterResourceScope;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::{gate::Gate, key::ObjectKey, metrics::Metrics, relist::Change};

/// Pause once there was an answer.
const INTERVAL: Duration = Duration::from_secs(10);

/// Bound on one call. An API server that hangs ends none.
const DEADLINE: Duration = Duration::from_secs(10);

/// Asks for these objects until the process ends. `on` is called for each answer, changed or not; one
/// that says that there is no such object counts as its deletion. After a failure what is known stays. The gate learns
/// when there was an answer for each.
pub async fn poll<K>(
    name: &'static str,
    api: Api<K>,
    objects: Vec<String>,
    gate: Gate,
    metrics: Metrics,
    on: impl Fn(Change<K>) + Send + Sync,
) where
    K: Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + DeserializeOwned + Debug,
{
    let life = &metrics.signs_of_life;
    let unanswered = AtomicUsize::new(objects.len());
    // Each by itself: one that gets no answer delays no other.
    let polls = objects.into_iter().map(async |object| {
        life.expect(&object, &K::kind(&()), jiff::Timestamp::now());
        let mut state = State { name, object: &object, is_known: false, failures: 0, complained: String::new() };
        loop {
            match tokio::time::timeout(DEADLINE, api.get_opt(&object)).await {
                Ok(Ok(found)) => {
                    on(found.map_or_else(|| Change::Deleted(ObjectKey::new("", &object)), Change::Applied));
                    life.heard(&object, jiff::Timestamp::now());
                    if state.answered() && unanswered.fetch_sub(1, Ordering::Relaxed) == 1 {
                        gate.listed(name);
                    }
                }
                Ok(Err(error)) => state.failed(&gate, &explain(&error)),
                Err(_) => state.failed(&gate, "the API server gives no answer"),
            }
            tokio::time::sleep(state.pause()).await;
        }
    });
    future::join_all(polls).await;
}

/// What is known of asking for one object.
struct State<'a> {
    name: &'static str,
    object: &'a str,
    is_known: bool,
    failures: u32,
    /// The failure that was told last, until there is an answer.
    complained: String,
}

impl State<'_> {
    /// Whether this is the first answer.
    fn answered(&mut self) -> bool {
        self.failures = 0;
        if !self.complained.is_empty() {
            tracing::info!(watch = self.name, object = self.object, "read works again");
            self.complained.clear();
        }
        !std::mem::replace(&mut self.is_known, true)
    }

    fn failed(&mut self, gate: &Gate, why: &str) {
        self.failures = self.failures.saturating_add(1);
        if !self.is_known {
            gate.waits(self.name, &format!("{}: {why}", self.object));
        }
        if why == self.complained {
            tracing::debug!(watch = self.name, object = self.object, why, "read failed again, trying on");
        } else {
            tracing::warn!(watch = self.name, object = self.object, why, "read failed, trying on");
            why.clone_into(&mut self.complained);
        }
    }

    /// While the gate waits, failures are tried again after 0.5 s, doubling to 8 s.
    fn pause(&self) -> Duration {
        if self.is_known { INTERVAL } else { Duration::from_millis(500 << self.failures.saturating_sub(1).min(4)) }
    }
}

fn explain(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.is_forbidden() => {
            "the API server answered 403 Forbidden: the operator's role must allow get".to_owned()
        }
        kube::Error::Api(status) => format!("the API server answered {} {}", status.code, status.reason),
        _ => "the API server gives no answer".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{Ready, ready},
        sync::{Arc, Mutex},
        task::{Context, Poll},
    };

    use futures::future::Either;
    use http::{Request, Response};
    use k8s_openapi::api::core::v1::Namespace;
    use kube::{Client, ResourceExt as _, client::Body};
    use tokio::time::Instant;
    use tower::Service;

    use super::*;

    /// An API server that gives these answers to the requests in turn, and none at all for the code 0 or at the end.
    #[derive(Clone)]
    struct Answers(Arc<Mutex<Vec<(u16, &'static str)>>>);

    impl Service<Request<Body>> for Answers {
        type Response = Response<Body>;
        type Error = std::convert::Infallible;
        type Future =
            Either<Ready<Result<Response<Body>, Self::Error>>, future::Pending<Result<Response<Body>, Self::Error>>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Body>) -> Self::Future {
            assert_eq!((request.method().as_str(), request.uri().path()), ("GET", "/api/v1/namespaces/a"));
            match self.0.lock().unwrap().pop() {
                Some((code, body)) if code != 0 => {
                    let answer = Response::builder().status(code).body(Body::from(body.as_bytes().to_vec()));
                    Either::Left(ready(Ok(answer.unwrap())))
                }
                _ => Either::Right(future::pending()),
            }
        }
    }

    const FOUND: &str = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}}"#;

    fn refused(code: u16, reason: &str) -> (u16, &'static str) {
        let status = format!(
            r#"{{"apiVersion":"v1","kind":"Status","metadata":{{}},"status":"Failure","code":{code},"reason":"{reason}","message":"no"}}"#
        );
        (code, status.leak())
    }

    #[tokio::test(start_paused = true)]
    async fn the_gate_waits_for_the_first_answer_and_after_a_failure_what_is_known_stays() {
        let mut answers = vec![
            refused(403, "Forbidden"),
            (200, FOUND),
            refused(500, "InternalError"),
            (0, ""),
            refused(404, "NotFound"),
            (200, FOUND),
        ];
        answers.reverse();
        let client = Client::new(Answers(Arc::new(Mutex::new(answers))), "default");
        let gate = Gate::new(["namespaces"]);
        let started = Instant::now();
        let told = Mutex::new(Vec::new());
        let on = |change: Change<Namespace>| {
            let what = match change {
                Change::Applied(object) => format!("{} is there", object.name_any()),
                Change::Deleted(key) => format!("{} is gone", key.name),
            };
            told.lock().unwrap().push((started.elapsed().as_secs_f64(), what));
        };
        let polling = poll("namespaces", Api::all(client), vec!["a".into()], gate.clone(), Metrics::default(), on);
        let watching = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let why = "namespaces: a: the API server answered 403 Forbidden: the operator's role must allow get";
            assert_eq!(gate.waiting(), [why]);
            tokio::time::sleep(Duration::from_millis(200)).await;
            gate.opened().await;
            tokio::time::sleep(Duration::from_secs(55)).await;
            assert_eq!(gate.waiting(), Vec::<String>::new());
        };
        tokio::select! {
            () = polling => panic!("it never ends"),
            () = watching => {}
        }
        // After the first answer each next question comes 10 s later; the one that got no answer took 10 s itself.
        let told: Vec<(f64, String)> =
            told.lock().unwrap().iter().map(|(at, what)| (at.round(), what.clone())).collect();
        let expected = [(1.0, "a is there"), (41.0, "a is gone"), (51.0, "a is there")];
        assert_eq!(told, expected.map(|(at, what)| (at, what.to_owned())));
    }
}

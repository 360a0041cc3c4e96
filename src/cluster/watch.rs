//! One watch of a kind, over all or some namespaces: delivers every change, deletions that a relist shows included.

use std::fmt::Debug;

use futures::{StreamExt as _, stream};
use kube::{
    Api, Resource,
    runtime::{WatchStreamExt as _, utils::Backoff, watcher},
};
use serde::de::DeserializeOwned;

use super::{
    gate::Gate,
    metrics::{KindLabels, Metrics},
    relist::{Change, Relist},
};

/// Follows the objects until the process ends. `on` is called for every change, in order; the gate learns when all
/// namespaces have listed.
pub async fn follow<K>(
    name: &'static str,
    apis: Vec<Api<K>>,
    gate: Gate,
    metrics: Metrics,
    mut on: impl FnMut(Change<K>) + Send,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    K::DynamicType: Default,
{
    let mut parts: Vec<Part> = apis.iter().map(Part::of).collect();
    let watches = apis.into_iter().enumerate().map(|(position, api)| {
        watcher(api, watcher::Config::default())
            .backoff(Retry::default())
            .map(move |event| (position, event))
            .boxed()
    });
    let mut events = stream::select_all(watches);
    while let Some((position, event)) = events.next().await {
        let Some(part) = parts.get_mut(position) else { continue };
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                let why = format!("{}{}", part.place, explain(&error));
                gate.waits(name, &why);
                if why == part.complained {
                    tracing::debug!(watch = name, why, "watch failed again, trying on");
                } else {
                    tracing::warn!(watch = name, why, "watch failed, trying on");
                    part.complained = why;
                }
                continue;
            }
        };
        metrics
            .watch_last_event
            .get_or_create(&KindLabels { kind: name })
            .set(jiff::Timestamp::now().as_second());
        if !part.complained.is_empty() {
            tracing::info!(watch = name, "{}watch works again", part.place);
            part.complained.clear();
        }
        part.relist.step(event).into_iter().for_each(&mut on);
        if parts.iter().all(|part| part.relist.has_listed()) {
            gate.listed(name);
        }
    }
}

/// The watch of one namespace, or of all.
struct Part {
    /// `in namespace x: `, or nothing for all.
    place: String,
    relist: Relist,
    /// The failure that was told last, until the watch works again.
    complained: String,
}

impl Part {
    fn of<K: Resource>(api: &Api<K>) -> Self {
        let place = api
            .namespace()
            .map(|namespace| format!("in namespace {namespace}: "))
            .unwrap_or_default();
        Self {
            place,
            relist: Relist::default(),
            complained: String::new(),
        }
    }
}

fn explain(error: &watcher::Error) -> String {
    use watcher::Error::{InitialListFailed, NoResourceVersion, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(status)) | WatchStartFailed(kube::Error::Api(status)) => {
            match (status.is_not_found(), status.is_forbidden()) {
                (true, _) => "the CustomResourceDefinition is not installed".to_owned(),
                (_, true) => {
                    "the API server answered 403 Forbidden: the operator's role must allow list and watch".to_owned()
                }
                _ => format!("the API server answered {} {}", status.code, status.reason),
            }
        }
        WatchError(status) => format!("the API server ended the watch: {} {}", status.code, status.reason),
        InitialListFailed(_) | WatchStartFailed(_) | WatchFailed(_) => "the API server gives no answer".to_owned(),
        NoResourceVersion => "the API server gives no resourceVersion".to_owned(),
    }
}

/// Waits 0.5 s, doubling to 8 s: a CRD that is installed later should not be waited for long.
#[derive(Default)]
struct Retry {
    failures: u32,
}

impl Iterator for Retry {
    type Item = std::time::Duration;

    fn next(&mut self) -> Option<Self::Item> {
        let wait = 500u64 << self.failures.min(4);
        self.failures = self.failures.saturating_add(1);
        Some(std::time::Duration::from_millis(wait))
    }
}

impl Backoff for Retry {
    fn reset(&mut self) {
        self.failures = 0;
    }
}

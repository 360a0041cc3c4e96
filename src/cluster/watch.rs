//! One watch of a kind, over all or some namespaces: delivers every change, deletions that a relist shows included.

use std::{fmt::Debug, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use kube::{
    Api, Resource,
    runtime::{watcher, watcher::Event},
};
use serde::de::DeserializeOwned;

use super::{
    gate::Gate,
    metrics::Metrics,
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
    let kind = K::kind(&K::DynamicType::default()).into_owned();
    for api in &apis {
        metrics.signs_of_life.expect(api.resource_url(), &kind, jiff::Timestamp::now());
    }
    let mut parts: Vec<Part> = apis.iter().map(Part::of).collect();
    let watches =
        apis.into_iter().enumerate().map(|(position, api)| retrying(api).map(move |event| (position, event)).boxed());
    let mut events = stream::select_all(watches);
    while let Some((position, event)) = events.next().await {
        let Some(part) = parts.get_mut(position) else { continue };
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                let why = format!("{}{}", part.place, explain(&error, &part.place));
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
        // Each attempt to list begins with an `Init`.
        if !part.complained.is_empty() && !matches!(event, Event::Init) {
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
        let place = api.namespace().map(|namespace| format!("in namespace {namespace}: ")).unwrap_or_default();
        Self { place, relist: Relist::default(), complained: String::new() }
    }
}

fn explain(error: &watcher::Error, place: &str) -> String {
    use watcher::Error::{InitialListFailed, NoResourceVersion, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(status)) | WatchStartFailed(kube::Error::Api(status)) => {
            // Without a CRD there is nobody who would answer 404 with a Status: just the code tells.
            match (status.code == 404, status.is_forbidden()) {
                (true, _) => "the CustomResourceDefinition is not installed".to_owned(),
                (_, true) => {
                    // With a namespace its Role goes too.
                    let is_gone =
                        if place.is_empty() { "" } else { "; or take a namespace that is gone from those to watch" };
                    format!(
                        "the API server answered 403 Forbidden: the operator's role must allow list and watch{is_gone}"
                    )
                }
                _ => format!("the API server answered {} {}", status.code, status.reason),
            }
        }
        WatchError(status) => format!("the API server ended the watch: {} {}", status.code, status.reason),
        InitialListFailed(_) | WatchStartFailed(_) | WatchFailed(_) => "the API server gives no answer".to_owned(),
        NoResourceVersion => "the API server gives no resourceVersion".to_owned(),
    }
}

/// Objects a page of a list: all of a page are held at a time, and each may have more than a megabyte.
const PAGE: u32 = 100;

/// The watch, with a pause after each failure: 0.5 s, doubling to 8 s, as a CRD that is installed later should not be
/// waited for long. (kube's own back-off starts anew with each attempt to list.)
fn retrying<K>(api: Api<K>) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let watch = watcher(api, watcher::Config::default().page_size(PAGE)).boxed();
    stream::unfold((watch, 0u32, false), async |(mut watch, mut failures, has_failed)| {
        if has_failed {
            tokio::time::sleep(Duration::from_millis(500 << failures.saturating_sub(1).min(4))).await;
        }
        let event = watch.next().await?;
        match &event {
            Err(_) => failures = failures.saturating_add(1),
            Ok(Event::Init) => {}
            Ok(_) => failures = 0,
        }
        let has_failed = event.is_err();
        Some((event, (watch, failures, has_failed)))
    })
}

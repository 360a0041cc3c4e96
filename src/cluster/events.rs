//! Events (events.k8s.io), as `kubectl describe` shows them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};

use super::{
    error::{answer, is_terminating},
    sync::lock,
};
use crate::{api::labels::OPERATOR, desired::status::truncate};

/// Bound on publishing: an API server that hangs ends none.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// Longest note of an Event, in bytes. The API server refuses one of more than 1,024.
const MAX_NOTE: usize = 1000;

/// Publishes Events. Clones share their cache of recent ones.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
    /// The failure that was told last, by namespace, until one can be published there again.
    complained: Arc<Mutex<HashMap<String, String>>>,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// A warning, or news.
    pub warning: bool,
    /// Machine-readable reason, PascalCase.
    pub reason: String,
    /// What happened; cut at [`MAX_NOTE`].
    pub note: String,
}

impl Events {
    /// Events reported by this process.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let instance = std::env::var("POD_NAME").ok();
        let reporter = Reporter { controller: OPERATOR.to_owned(), instance };
        Self { recorder: Recorder::new(client, reporter), complained: Arc::default() }
    }

    /// Publishes a notice on an object. An Event is a courtesy: a failure is logged, the same one in a row once, and
    /// changes nothing.
    pub async fn publish(&self, notice: &Notice, object: &ObjectReference) {
        let event = Event {
            type_: if notice.warning { EventType::Warning } else { EventType::Normal },
            reason: notice.reason.clone(),
            note: Some(truncate(&notice.note, MAX_NOTE)),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        match tokio::time::timeout(TIMEOUT, self.recorder.publish(&event, object)).await {
            Ok(Ok(())) => self.works(object),
            Ok(Err(kube::Error::Api(status))) if is_terminating(&status) => self.forget(object),
            Ok(Err(error)) => self.failed(&answer(&error, || right(object)), notice, object),
            Err(_) => self.failed(&format!("the API server gave no answer within {TIMEOUT:?}"), notice, object),
        }
    }

    fn works(&self, object: &ObjectReference) {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        if lock(&self.complained).remove(namespace).is_some() {
            tracing::info!(namespace, "Events can be published again");
        }
    }

    /// Nothing is to be told of a namespace that goes.
    fn forget(&self, object: &ObjectReference) {
        lock(&self.complained).remove(object.namespace.as_deref().unwrap_or_default());
    }

    fn failed(&self, why: &str, notice: &Notice, object: &ObjectReference) {
        let (kind, namespace, name) = (&object.kind, &object.namespace, &object.name);
        let reason = &notice.reason;
        let told = lock(&self.complained).insert(namespace.clone().unwrap_or_default(), why.to_owned());
        if told.as_deref() == Some(why) {
            tracing::debug!(kind, namespace, name, reason, error = why, "could not publish an Event again");
        } else {
            tracing::warn!(kind, namespace, name, reason, error = why, "could not publish an Event");
        }
    }
}

/// The right to publish on this object, in RBAC's words. A repeated Event is patched.
fn right(object: &ObjectReference) -> String {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    format!("create and patch on events.events.k8s.io in namespace '{namespace}'")
}

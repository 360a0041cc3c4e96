//! Events (events.k8s.io), as `kubectl describe` shows them.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};

use crate::{api::labels::OPERATOR, desired::status::truncate};

/// Bound on publishing: kube tries again on its own, for minutes if it is let.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// Longest note of an Event, in bytes. The API server refuses one of more than 1,024.
const MAX_NOTE: usize = 1000;

/// Publishes Events. Clones share their cache of recent ones.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
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
        Self { recorder: Recorder::new(client, Reporter { controller: OPERATOR.to_owned(), instance }) }
    }

    /// Publishes a notice on an object. An Event is a courtesy: a failure is logged and changes nothing.
    pub async fn publish(&self, notice: &Notice, object: &ObjectReference) {
        let event = Event {
            type_: if notice.warning { EventType::Warning } else { EventType::Normal },
            reason: notice.reason.clone(),
            note: Some(truncate(&notice.note, MAX_NOTE)),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let why = match tokio::time::timeout(TIMEOUT, self.recorder.publish(&event, object)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", TIMEOUT.as_secs()),
        };
        let (kind, namespace, name) = (&object.kind, &object.namespace, &object.name);
        tracing::warn!(kind, namespace, name, reason = notice.reason, error = why, "could not publish an Event");
    }
}

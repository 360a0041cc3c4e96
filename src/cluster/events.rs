//! Events (events.k8s.io), as `kubectl describe` shows them.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};

use crate::api::labels::OPERATOR;

/// Longest note that the API server takes is 1 kB.
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
    /// What happened.
    pub note: String,
}

impl Events {
    /// Events reported by this process.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let instance = std::env::var("POD_NAME").ok();
        Self {
            recorder: Recorder::new(
                client,
                Reporter {
                    controller: OPERATOR.to_owned(),
                    instance,
                },
            ),
        }
    }

    /// Publishes a notice on an object. An Event is a courtesy: a failure is logged and changes nothing.
    pub async fn publish(&self, notice: &Notice, object: &ObjectReference) {
        let event = Event {
            type_: if notice.warning {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: notice.reason.clone(),
            note: Some(notice.note.chars().take(MAX_NOTE / 4).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, object).await {
            tracing::warn!(reason = notice.reason, %error, "could not publish an Event");
        }
    }
}

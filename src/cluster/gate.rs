//! The start-up gate: no reconcile starts before every watch has listed. It is also the one truth behind `/readyz`.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

/// What each watch still waits for; a watch that has listed is not in it.
type Waiting = BTreeMap<&'static str, String>;

/// Opens when every watch has listed. Clones share their state.
#[derive(Clone, Debug)]
pub struct Gate {
    state: Arc<watch::Sender<Waiting>>,
}

impl Gate {
    /// A gate that waits for all of these watches.
    #[must_use]
    pub fn new(watches: impl IntoIterator<Item = &'static str>) -> Self {
        let waiting = watches.into_iter().map(|name| (name, "not listed yet".to_owned())).collect();
        Self { state: Arc::new(watch::Sender::new(waiting)) }
    }

    /// This watch has listed.
    pub fn listed(&self, name: &'static str) {
        self.state.send_if_modified(|waiting| waiting.remove(name).is_some());
    }

    /// Why this watch has not listed yet. Says nothing once it has.
    pub fn waits(&self, name: &'static str, why: &str) {
        self.state.send_if_modified(|waiting| match waiting.get_mut(name) {
            Some(old) if old != why => {
                why.clone_into(old);
                true
            }
            _ => false,
        });
    }

    /// What is waited for: empty when the gate is open.
    #[must_use]
    pub fn waiting(&self) -> Vec<String> {
        self.state.borrow().iter().map(|(name, why)| format!("{name}: {why}")).collect()
    }

    /// Returns when the gate is open.
    pub async fn opened(&self) {
        // The sender lives as long as self: waiting can't fail.
        let _ = self.state.subscribe().wait_for(BTreeMap::is_empty).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_opens_when_the_last_watch_has_listed() {
        let gate = Gate::new(["a", "b"]);
        gate.waits("a", "the CRD is not installed");
        gate.listed("b");
        assert_eq!(gate.waiting(), ["a: the CRD is not installed"]);
        gate.listed("a");
        gate.waits("a", "no matter any more");
        gate.opened().await;
        assert_eq!(gate.waiting(), Vec::<String>::new());
    }
}

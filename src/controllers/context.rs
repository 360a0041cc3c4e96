//! What every reconcile has at hand.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Client, api::ObjectMeta};

use super::{pipeline::Reads, strategy_instance::catalogue::CatalogueInForce, world::World};
use crate::{
    cluster::{
        child::{self, Child},
        error::Error,
        events::Events,
        fetcher::Fetcher,
        key::{Kind, ObjectKey, Request},
        meta_store::MetaStore,
        metrics::Metrics,
        sync::lock,
    },
    domain::{examples::ExamplesVerdict, secret_output::OutputFacts},
};

/// What every reconcile has at hand.
pub struct Context {
    /// For all calls to the API server.
    pub client: Client,
    /// What the watches know.
    pub world: Arc<World>,
    /// Keys of identity providers.
    pub fetcher: Fetcher,
    /// Events.
    pub events: Events,
    /// Metrics.
    pub metrics: Metrics,
    /// What was found in, or written to, outputs; good as long as their resourceVersion stays.
    pub outputs: Outputs,
    /// What became of examples.
    pub examples: Examples,
    /// The strategy types.
    pub catalogue: CatalogueInForce,
    /// Failed reconciles in a row.
    pub failures: Failures,
    /// Objects that can't be read.
    pub unreadable: Unreadable,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

impl Context {
    /// The time, as all decisions of one reconcile see it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The object as it is. No call where the watch is believed and says that there is none: if it is wrong, the create that
    /// follows is refused.
    ///
    /// # Errors
    /// When the API server refuses or gives no answer.
    pub async fn get<T: Watched>(&self, key: &ObjectKey, reads: Reads) -> Result<Option<T>, Error> {
        match (reads, T::store(&self.world).version(key)) {
            (Reads::Watched, None) => Ok(None),
            _ => child::get(&self.client, key).await,
        }
    }
}

/// What is watched by its metadata only, and read when it is needed.
pub trait Watched: Child {
    /// Which of them exist.
    fn store(world: &World) -> &MetaStore;
}

impl Watched for Secret {
    fn store(world: &World) -> &MetaStore {
        &world.secrets
    }
}

impl Watched for ConfigMap {
    fn store(world: &World) -> &MetaStore {
        &world.configmaps
    }
}

/// Remembers outputs, so that a steady state costs no GET.
#[derive(Default)]
pub struct Outputs {
    /// Boxed: they are large, and half of a table's places are empty.
    secrets: Mutex<HashMap<ObjectKey, Box<OutputFacts>>>,
    configmaps: Mutex<HashMap<ObjectKey, Published>>,
}

/// A ConfigMap that is as it ought to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its resourceVersion.
    pub version: String,
    /// Digest of what it ought to be.
    pub digest: String,
}

impl Outputs {
    /// What is known of this Secret at this resourceVersion.
    #[must_use]
    pub fn secret(&self, key: &ObjectKey, version: &str) -> Option<OutputFacts> {
        let secrets = lock(&self.secrets);
        secrets.get(key).filter(|facts| facts.resource_version == version).map(|facts| OutputFacts::clone(facts))
    }

    /// What is known of this Secret now; nothing once it is gone.
    pub fn set_secret(&self, key: &ObjectKey, facts: Option<OutputFacts>) {
        match facts {
            Some(facts) => lock(&self.secrets).insert(key.clone(), Box::new(facts)),
            None => lock(&self.secrets).remove(key),
        };
    }

    /// Whether this ConfigMap is known to be as it ought to be.
    #[must_use]
    pub fn is_published(&self, key: &ObjectKey, published: &Published) -> bool {
        lock(&self.configmaps).get(key) == Some(published)
    }

    /// This ConfigMap is as it ought to be; nothing once it is gone.
    pub fn set_published(&self, key: &ObjectKey, published: Option<Published>) {
        match published {
            Some(published) => lock(&self.configmaps).insert(key.clone(), published),
            None => lock(&self.configmaps).remove(key),
        };
    }
}

/// Remembers what became of an object's examples, by a digest of all that this depends on.
#[derive(Default)]
pub struct Examples {
    verdicts: Mutex<HashMap<ObjectKey, (String, ExamplesVerdict)>>,
}

impl Examples {
    /// What became of them, judged if that is not known.
    pub fn judged(&self, key: &ObjectKey, digest: &str, judge: impl FnOnce() -> ExamplesVerdict) -> ExamplesVerdict {
        if let Some((_, verdict)) = lock(&self.verdicts).get(key).filter(|(known, _)| known == digest) {
            return verdict.clone();
        }
        let verdict = judge();
        lock(&self.verdicts).insert(key.clone(), (digest.to_owned(), verdict.clone()));
        verdict
    }

    /// The object is gone.
    pub fn forget(&self, key: &ObjectKey) {
        lock(&self.verdicts).remove(key);
    }
}

/// Remembers which objects can't be read.
#[derive(Default)]
pub struct Unreadable {
    seen: Mutex<HashMap<Request, Unread>>,
}

/// What is known of an object that can't be read.
#[derive(PartialEq, Eq)]
struct Unread {
    version: Option<String>,
    is_going: bool,
}

impl Unreadable {
    /// Whether it was not yet known that this object can't be read at this resourceVersion.
    pub fn is_news(&self, request: &Request, meta: &ObjectMeta) -> bool {
        let is_going = meta.deletion_timestamp.is_some();
        let (new, mut seen) = (Unread { version: meta.resource_version.clone(), is_going }, lock(&self.seen));
        let is_news = seen.get(request) != Some(&new);
        seen.insert(request.clone(), new);
        is_news
    }

    /// Whether there is an object of this name that can't be read, and is not being deleted.
    #[must_use]
    pub fn is_there(&self, request: &Request) -> bool {
        lock(&self.seen).get(request).is_some_and(|unread| !unread.is_going)
    }

    /// How many objects of this kind there are that can't be read.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        lock(&self.seen).keys().filter(|request| request.kind == kind).count()
    }

    /// It can be read, or is gone. Returns whether that is news.
    pub fn forget(&self, request: &Request) -> bool {
        lock(&self.seen).remove(request).is_some()
    }
}

/// Failed reconciles in a row, by object.
#[derive(Default)]
pub struct Failures {
    rows: Mutex<HashMap<Request, Row>>,
}

/// Failures of one object in a row.
#[derive(Default)]
struct Row {
    count: u32,
    /// The last one.
    why: String,
}

/// A failed reconcile among those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// How many there are in a row by now.
    pub count: u32,
    /// Whether the one before, if there was one, had another cause.
    pub is_news: bool,
}

impl Failures {
    /// One more, for this cause.
    pub fn add(&self, request: &Request, why: String) -> Failed {
        let mut rows = lock(&self.rows);
        let row = rows.entry(request.clone()).or_default();
        row.count = row.count.saturating_add(1);
        let is_news = row.count == 1 || row.why != why;
        row.why = why;
        Failed { count: row.count, is_news }
    }

    /// How many.
    #[must_use]
    pub fn count(&self, request: &Request) -> u32 {
        lock(&self.rows).get(request).map_or(0, |row| row.count)
    }

    /// None any more. Returns whether there were some.
    pub fn clear(&self, request: &Request) -> bool {
        lock(&self.rows).remove(request).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::key::Kind;

    #[test]
    fn only_another_cause_is_news_until_a_success() {
        let failures = Failures::default();
        let request = Request { kind: Kind::TenantJwtSecret, key: ObjectKey::new("ns", "a") };
        let add = |why: &str| {
            let failed = failures.add(&request, why.to_owned());
            (failed.count, failed.is_news)
        };
        assert_eq!(["a", "a", "b", "b"].map(add), [(1, true), (2, false), (3, true), (4, false)]);
        assert_eq!([failures.clear(&request), failures.clear(&request)], [true, false]);
        assert_eq!((failures.count(&request), add("b"), failures.count(&request)), (0, (1, true), 1));
    }
}

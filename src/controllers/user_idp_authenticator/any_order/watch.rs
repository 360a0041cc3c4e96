//! One watch: what there is, and what of it was told. The triggers are the real ones.

use std::collections::BTreeMap;

use kube::{
    api::ObjectMeta,
    core::{DeserializeGuard, error_boundary::InvalidObject},
    runtime::watcher::Event,
};

use crate::{
    cluster::relist::Relist,
    controllers::{context::Context, kinds::Managed, triggers::on_change},
};

/// An object, or what can be read of it.
pub type Stored<K> = Result<K, Box<ObjectMeta>>;

pub fn meta<K: Managed>(object: &Stored<K>) -> &ObjectMeta {
    object.as_ref().map_or_else(|meta| &**meta, K::meta)
}

pub struct Watch<K> {
    pub truth: BTreeMap<String, Stored<K>>,
    pub told: BTreeMap<String, Stored<K>>,
    relist: Relist,
    is_gap: bool,
}

impl<K: Managed> Watch<K> {
    pub fn new() -> Self {
        Self { truth: BTreeMap::new(), told: BTreeMap::new(), relist: Relist::default(), is_gap: false }
    }

    /// An object comes, changes or goes.
    pub fn change(&mut self, ctx: &Context, name: String, new: Option<Stored<K>>) {
        let event = match (&new, self.truth.get(&name)) {
            (Some(new), _) => Event::Apply(guarded(new)),
            (None, Some(old)) => Event::Delete(guarded(old)),
            (None, None) => return,
        };
        match new {
            Some(new) => self.truth.insert(name, new),
            None => self.truth.remove(&name),
        };
        if !self.is_gap {
            self.tell(ctx, event);
        }
    }

    fn tell(&mut self, ctx: &Context, event: Event<DeserializeGuard<K>>) {
        self.told = self.truth.clone();
        self.relist.step(event).into_iter().for_each(|change| on_change(ctx, change));
    }

    /// Lists all; with a gap, nothing is told from then on.
    pub fn list(&mut self, ctx: &Context, is_gap: bool) {
        let all: Vec<_> = self.truth.values().map(guarded).collect();
        let all = all.into_iter().map(Event::InitApply);
        std::iter::once(Event::Init).chain(all).chain([Event::InitDone]).for_each(|event| self.tell(ctx, event));
        self.is_gap = is_gap;
    }

    /// Whether it was edited, made anew or deleted, and that was not told.
    pub fn is_stale(&self, name: &str) -> bool {
        let version = |stored: Option<&Stored<K>>| stored.and_then(|stored| meta(stored).resource_version.clone());
        version(self.truth.get(name)) != version(self.told.get(name))
    }
}

fn guarded<K: Clone>(object: &Stored<K>) -> DeserializeGuard<K> {
    let unreadable = |metadata| InvalidObject { error: "expected it".into(), metadata };
    DeserializeGuard(object.clone().map_err(|metadata| unreadable(*metadata)))
}

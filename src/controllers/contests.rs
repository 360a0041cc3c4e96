//! Who holds what only one object can have: a tenant, an issuer, a strategy's id.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use jiff::Timestamp;
use kube::{ResourceExt as _, api::ObjectMeta};

use super::{
    kinds::Managed,
    world::{Relation, World},
};
use crate::{
    api::TenantJwtSecret,
    cluster::{
        index::Index,
        key::{ObjectKey, Request},
    },
    domain::claims::{Claims, NamespaceClaims},
};

/// Who contends, in the order in which they hold it: the oldest, then the one of the smallest UID, whatever its own
/// verdict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Contender {
    created: Option<Timestamp>,
    uid: String,
    request: Request,
}

impl Contender {
    fn of<K: Managed>(object: &K) -> Self {
        Self {
            created: object.creation_timestamp().map(|created| created.0),
            uid: object.uid().unwrap_or_default(),
            request: World::request::<K>(object.key()),
        }
    }
}

/// How an object stands in its contests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it takes part in any.
    pub takes_part: bool,
    /// Who holds what it contends for, if that is one before it.
    pub rival: Option<ObjectKey>,
}

/// Who contends for what, and the claims that this depends on: they change together. A change returns who is to be looked
/// at again by it.
#[derive(Default)]
pub struct Contests {
    claims: NamespaceClaims,
    index: Index<Relation, Contender>,
    /// Who takes part, by name: one that can't be read any more is known by nothing else.
    contenders: HashMap<Request, Contender>,
}

impl Contests {
    /// Nobody contends yet.
    #[must_use]
    pub fn new(claims: NamespaceClaims) -> Self {
        Self { claims, ..Self::default() }
    }

    /// Whether a namespace may hold only the tenants that are claimed for it.
    #[must_use]
    pub fn require_claims(&self) -> bool {
        self.claims.are_required()
    }

    /// Whether this object takes part, and who is before it.
    pub fn standing<K: Managed>(&self, object: &K) -> Standing {
        let (this, contests) = (Contender::of(object), object.contests(&self.claims));
        let before_this = |contest| self.index.get(contest).next().filter(|holder| **holder < this);
        let holder = contests.iter().find_map(before_this);
        Standing { takes_part: !contests.is_empty(), rival: holder.map(|holder| holder.request.key.clone()) }
    }

    /// UID of the object of this name, if it takes part.
    #[must_use]
    pub fn uid(&self, request: &Request) -> Option<String> {
        self.contenders.get(request).map(|contender| contender.uid.clone())
    }

    /// The object of this name changed, came or went. One that is being deleted holds nothing.
    pub fn contend<K: Managed>(&mut self, request: &Request, new: Option<&K>) -> Vec<Request> {
        let live = new.filter(|new| new.meta().deletion_timestamp.is_none());
        let new = live.map(|new| (Contender::of(new), new.contests(&self.claims)));
        let is_another = |old: &Contender| new.as_ref().is_none_or(|(new, _)| new != old);
        let mut woken =
            if self.contenders.get(request).is_some_and(is_another) { self.leave(request) } else { Vec::new() };
        if let Some((contender, wanted)) = new {
            self.contenders.insert(request.clone(), contender.clone());
            woken.extend(self.enter(&contender, wanted));
        }
        woken
    }

    /// The object of this name can't be read any more. If it is still the one that contended, it keeps its place: what it
    /// holds must not become somebody else's by a field that we don't know.
    pub fn unread(&mut self, request: &Request, meta: &ObjectMeta) -> Vec<Request> {
        let is_same =
            |contender: &Contender| meta.deletion_timestamp.is_none() && meta.uid.as_ref() == Some(&contender.uid);
        if self.contenders.get(request).is_some_and(is_same) { Vec::new() } else { self.leave(request) }
    }

    /// The namespace has exactly these claims from now on; `objects` are those of it that depend on them.
    pub fn claim(
        &mut self,
        namespace: &str,
        claims: Claims,
        objects: impl FnOnce() -> Vec<Arc<TenantJwtSecret>>,
    ) -> Vec<Request> {
        if !self.claims.set(namespace, claims) {
            return Vec::new();
        }
        let mut woken = Vec::new();
        for object in objects() {
            let (contender, wanted) = (Contender::of(&*object), object.contests(&self.claims));
            if self.index.keys(&contender) != wanted {
                woken.extend(self.enter(&contender, wanted));
                woken.push(contender.request);
            }
        }
        woken
    }

    fn leave(&mut self, request: &Request) -> Vec<Request> {
        self.contenders.remove(request).map(|gone| self.enter(&gone, Vec::new())).unwrap_or_default()
    }

    /// The contender takes part in exactly these contests from now on; none removes it. Returns all who contend for what
    /// has another holder by it.
    ///
    /// What it took part in before is what the index says: judged anew it could be something else, as claims change.
    fn enter(&mut self, contender: &Contender, wanted: Vec<Relation>) -> Vec<Request> {
        let before = self.index.keys(contender);
        if before == wanted {
            return Vec::new();
        }
        let touched: BTreeSet<Relation> = before.iter().chain(&wanted).cloned().collect();
        let holders: Vec<Option<Contender>> =
            touched.iter().map(|contest| self.index.get(contest).next().cloned()).collect();
        self.index.set(contender, wanted);
        let changed =
            touched.iter().zip(holders).filter(|(contest, before)| self.index.get(contest).next() != before.as_ref());
        changed.flat_map(|(contest, _)| self.index.get(contest)).map(|contender| contender.request.clone()).collect()
    }
}

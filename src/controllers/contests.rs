//! Who holds what only one object can have: a tenant, an issuer, a strategy's id, a user's identity.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use jiff::Timestamp;
use kube::{ResourceExt as _, api::ObjectMeta};

use super::{
    facts::Facts,
    kinds::Managed,
    world::{Relation, World},
};
use crate::{
    api::{TenantJwtSecret, UserIdpAuthenticator, text::Text},
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
    uid: Text,
    request: Request,
}

impl Contender {
    fn of<K: Managed>(object: &K) -> Self {
        Self {
            created: object.creation_timestamp().map(|created| created.0),
            uid: Text::shared(object.meta().uid.as_deref().unwrap_or_default()),
            request: World::request::<K>(object.key()),
        }
    }
}

/// How an object stands in its contests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it takes part in any.
    pub takes_part: bool,
    /// What it contends for and does not hold, each with who is before it and holds it.
    pub lost: Vec<(Relation, ObjectKey)>,
}

impl Standing {
    /// Who holds the first thing that it contends for and does not hold.
    #[must_use]
    pub fn rival(&self) -> Option<&ObjectKey> {
        self.lost.first().map(|(_, holder)| holder)
    }
}

/// Who holds something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Namespace and name.
    pub key: ObjectKey,
    /// Whether it also holds whatever else it contends for.
    pub holds_all: bool,
}

/// What a change of contests means for others: who is to be looked at again by it.
#[derive(Debug, Default)]
pub struct Stir {
    /// Who holds something now and did not before, or the other way round; who loses to another one than before, where that
    /// one is named; and who contends for something else.
    pub contenders: Vec<Request>,
    /// All contests of those who hold something now and did not before, or the other way round.
    pub contests: BTreeSet<Relation>,
}

impl Stir {
    fn and(mut self, other: Self) -> Self {
        self.contenders.extend(other.contenders);
        self.contests.extend(other.contests);
        self
    }
}

/// Who contends for what, and the facts that this depends on: they change together.
#[derive(Default)]
pub struct Contests {
    facts: Facts,
    index: Index<Relation, Contender>,
    /// Who takes part, by name: one that can't be read any more is known by nothing else.
    contenders: HashMap<Request, Contender>,
}

impl Contests {
    /// Nobody contends yet.
    #[must_use]
    pub fn new(claims: NamespaceClaims) -> Self {
        Self { facts: Facts::new(claims), ..Self::default() }
    }

    /// What contests depend on beside the objects.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Whether this object takes part, and who is before it.
    pub fn standing<K: Managed>(&self, object: &K) -> Standing {
        let (this, contests) = (Contender::of(object), object.contests(&self.facts));
        let takes_part = !contests.is_empty();
        let lost = contests.into_iter().filter_map(|contest| {
            let holder = self.index.get(&contest).next().filter(|holder| **holder < this)?;
            Some((contest, holder.request.key.clone()))
        });
        Standing { takes_part, lost: lost.collect() }
    }

    /// Who holds this.
    #[must_use]
    pub fn holder(&self, contest: &Relation) -> Option<Holder> {
        let holder = self.index.get(contest).next()?;
        let holds_all = self.index.keys(holder).all(|other| self.index.get(other).next() == Some(holder));
        Some(Holder { key: holder.request.key.clone(), holds_all })
    }

    /// What the object of this name contends for.
    #[must_use]
    pub fn of(&self, request: &Request) -> Vec<Relation> {
        self.contenders.get(request).map(|contender| self.index.keys(contender).cloned().collect()).unwrap_or_default()
    }

    /// UID of the object of this name, if it takes part.
    #[must_use]
    pub fn uid(&self, request: &Request) -> Option<String> {
        self.contenders.get(request).map(|contender| contender.uid.to_string())
    }

    /// The object of this name changed, came or went. One that is being deleted holds nothing.
    pub fn contend<K: Managed>(&mut self, request: &Request, new: Option<&K>) -> Stir {
        let live = new.filter(|new| new.meta().deletion_timestamp.is_none());
        let new = live.map(|new| (Contender::of(new), new.contests(&self.facts)));
        let is_another = |old: &Contender| new.as_ref().is_none_or(|(new, _)| new != old);
        let left =
            if self.contenders.get(request).is_some_and(is_another) { self.leave(request) } else { Stir::default() };
        let Some((contender, wanted)) = new else { return left };
        self.contenders.insert(request.clone(), contender.clone());
        left.and(self.enter(&contender, wanted))
    }

    /// The object of this name can't be read any more. If it is still the one that contended, it keeps its place: what it
    /// holds must not become somebody else's by a field that we don't know.
    pub fn unread(&mut self, request: &Request, meta: &ObjectMeta) -> Stir {
        let is_same =
            |contender: &Contender| meta.deletion_timestamp.is_none() && meta.uid.as_deref() == Some(&contender.uid);
        if self.contenders.get(request).is_some_and(is_same) { Stir::default() } else { self.leave(request) }
    }

    /// The namespace has exactly these claims from now on; `objects` are those of it that depend on them.
    pub fn claim(
        &mut self,
        namespace: &str,
        claims: Claims,
        objects: impl FnOnce() -> Vec<Arc<TenantJwtSecret>>,
    ) -> Stir {
        if !self.facts.set_claims(namespace, claims) {
            return Stir::default();
        }
        self.enter_anew(&objects())
    }

    /// The `IdentityProvider` of this name has this `metadata.uid` from now on; none: there is no live one. `links` are those
    /// that name one by this id.
    pub fn identify(
        &mut self,
        idp: &ObjectKey,
        uid: Option<String>,
        links: impl Fn(ObjectKey) -> Vec<Arc<UserIdpAuthenticator>>,
    ) -> Stir {
        let ids = self.facts.set_id(idp, uid);
        ids.into_iter().fold(Stir::default(), |stir, id| stir.and(self.enter_anew(&links(id))))
    }

    /// The facts changed on which it depends what these objects contend for.
    fn enter_anew<K: Managed>(&mut self, objects: &[Arc<K>]) -> Stir {
        let mut stir = Stir::default();
        for object in objects {
            let (contender, wanted) = (Contender::of(object.as_ref()), object.contests(&self.facts));
            if !self.index.keys(&contender).eq(&wanted) {
                stir = stir.and(self.enter(&contender, wanted));
                stir.contenders.push(contender.request);
            }
        }
        stir
    }

    fn leave(&mut self, request: &Request) -> Stir {
        self.contenders.remove(request).map(|gone| self.enter(&gone, Vec::new())).unwrap_or_default()
    }

    /// The contender takes part in exactly these contests from now on; none removes it.
    ///
    /// What it took part in before is what the index says: judged anew it could be something else, as facts change.
    fn enter(&mut self, contender: &Contender, wanted: Vec<Relation>) -> Stir {
        let before: Vec<Relation> = self.index.keys(contender).cloned().collect();
        if before == wanted {
            return Stir::default();
        }
        let touched: BTreeSet<Relation> = before.iter().chain(&wanted).cloned().collect();
        let holders: Vec<Option<Contender>> =
            touched.iter().map(|contest| self.index.get(contest).next().cloned()).collect();
        self.index.set(contender, wanted);
        let mut stir = Stir::default();
        for (contest, old) in touched.iter().zip(holders) {
            let new = self.index.get(contest).next();
            if new == old.as_ref() {
                continue;
            }
            if contest.losers_know_its_holder() {
                stir.contenders.extend(self.index.get(contest).map(|party| party.request.clone()));
            } else {
                let is_party = |old: &&Contender| self.index.keys(old).any(|key| key == contest);
                let parties = new.into_iter().chain(old.as_ref().filter(is_party));
                stir.contenders.extend(parties.map(|party| party.request.clone()));
            }
            stir.contests.insert(contest.clone());
            for changed in new.into_iter().chain(&old) {
                stir.contests.extend(self.index.keys(changed).cloned());
            }
        }
        stir
    }

    /// Whether nothing is remembered of anybody.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.index.is_empty() && self.contenders.is_empty()
    }
}

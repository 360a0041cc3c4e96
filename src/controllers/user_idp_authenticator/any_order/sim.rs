//! What there is, what of it was told, and what a scan of that finds.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use jiff::Timestamp;
use kube::{
    Client, Config, ResourceExt as _,
    api::ObjectMeta,
    core::{DeserializeGuard, error_boundary::InvalidObject},
    runtime::watcher::Event,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{
    super::{
        idp_view::IdpView,
        observe::{Observed, Requirement},
        readiness::{Presence, presence},
    },
    Happens, NewLink,
};
use crate::{
    api::{IdentityProvider, UserIdpAuthenticator},
    cluster::{connector::Connector, events::Events, fetcher::Fetcher, key::Kind, metrics::Metrics, relist::Relist},
    controllers::{
        context::{Context, Examples, Failures, Outputs, Unreadable},
        kinds::Managed,
        queues::Requests,
        strategy_instance::catalogue::CatalogueInForce,
        triggers::on_change,
        world::World,
    },
    domain::{
        address::AddressPolicy,
        verdicts::user_idp_authenticator::{Lack, Lost},
    },
};

/// Never called; but a context has them, and they can't be made without a runtime.
static UNUSED: LazyLock<(Runtime, Client, Connector)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let client = {
        let _inside = runtime.enter();
        Client::try_from(Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap()
    };
    (runtime, client, Connector::new(AddressPolicy::default(), Vec::new()))
});

/// What one object contends for: an `IdentityProvider`'s name, the external id and the user.
type Claim = (String, String, String);

/// Age, UID and what it contends for: the oldest holds it.
type Contender = (Option<Timestamp>, String, Claim);

/// An object, or what can be read of it.
type Stored<K> = Result<K, Box<ObjectMeta>>;

fn meta<K: Managed>(object: &Stored<K>) -> &ObjectMeta {
    object.as_ref().map_or_else(|meta| &**meta, K::meta)
}

/// One watch: what there is, and what of it was told.
pub struct Watch<K> {
    truth: BTreeMap<String, Stored<K>>,
    pub told: BTreeMap<String, Stored<K>>,
    relist: Relist,
    is_gap: bool,
}

impl<K: Managed> Watch<K> {
    fn new() -> Self {
        Self { truth: BTreeMap::new(), told: BTreeMap::new(), relist: Relist::default(), is_gap: false }
    }

    fn change(&mut self, ctx: &Context, name: String, new: Option<Stored<K>>) {
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

    fn list(&mut self, ctx: &Context) {
        let all: Vec<_> = self.truth.values().map(guarded).collect();
        let all = all.into_iter().map(Event::InitApply);
        std::iter::once(Event::Init).chain(all).chain([Event::InitDone]).for_each(|event| self.tell(ctx, event));
    }
}

fn guarded<K: Clone>(object: &Stored<K>) -> DeserializeGuard<K> {
    let unreadable = |metadata| InvalidObject { error: "expected it".into(), metadata };
    DeserializeGuard(object.clone().map_err(|metadata| unreadable(*metadata)))
}

/// The watches, what they woke, and a model.
pub struct Sim {
    pub ctx: Context,
    woken: Requests,
    idps: Watch<IdentityProvider>,
    pub links: Watch<UserIdpAuthenticator>,
    /// Who contends, by name, as far as it was told; one that can't be read keeps what it had.
    contenders: BTreeMap<String, Contender>,
    count: u64,
}

impl Sim {
    /// Nothing yet.
    pub fn new() -> Self {
        let world = Arc::new(World::default());
        let woken = world.queue(Kind::UserIdpAuthenticator).open(1).unwrap();
        let (_, client, connector) = &*UNUSED;
        let metrics = Metrics::default();
        let ctx = Context {
            fetcher: Fetcher::new(connector.clone(), Arc::new(|_| ()), metrics.clone()),
            events: Events::new(client.clone()),
            client: client.clone(),
            world,
            metrics,
            outputs: Outputs::default(),
            examples: Examples::default(),
            catalogue: CatalogueInForce::default(),
            failures: Failures::default(),
            unreadable: Unreadable::default(),
            clock: || Timestamp::UNIX_EPOCH,
        };
        Self { ctx, woken, idps: Watch::new(), links: Watch::new(), contenders: BTreeMap::new(), count: 0 }
    }

    fn metadata(&mut self, name: &str, old: Option<&ObjectMeta>, is_another: bool, age: u8, rest: &Value) -> Value {
        self.count += 1;
        let kept = old.filter(|_| !is_another);
        json!({
            "namespace": "ns", "name": name, "resourceVersion": self.count.to_string(), "generation": self.count,
            "uid": kept.and_then(|old| old.uid.clone()).unwrap_or_else(|| format!("uid-{}-{}", 1000 - self.count, name)),
            "creationTimestamp": kept.map_or_else(
                || json!(format!("2026-01-01T00:00:0{age}Z")),
                |old| json!(old.creation_timestamp),
            ),
            "deletionTimestamp": rest["going"],
        })
    }

    fn idp(&mut self, name: u8, is_another: bool, new: Option<Value>) {
        let name = format!("idp{name}");
        let new = new.map(|rest| {
            let old = self.idps.truth.get(&name).map(|old| meta(old).clone());
            let metadata = self.metadata(&name, old.as_ref(), is_another, 0, &rest);
            let spec = json!({ "jwtEndpoint": "j", "issuer": "i", "keysEndpoint": "k", "suspend": rest["suspend"] });
            Ok(object("IdentityProvider", &metadata, &spec, &rest))
        });
        self.idps.change(&self.ctx, name, new);
    }

    fn link(&mut self, name: u8, is_another: bool, age: u8, new: Option<NewLink>) {
        let name = format!("link{name}");
        let new = new.map(|new| {
            let old = self.links.truth.get(&name).map(|old| meta(old).clone());
            let metadata = self.metadata(&name, old.as_ref(), is_another, age, &new.rest);
            let named = format!("idp{}", new.idp);
            let id = self.idps.truth.get(&named).and_then(|idp| idp.as_ref().ok()?.uid());
            let mut spec = json!({
                "userId": format!("user{}", new.user), "idpUserId": format!("id{}", new.id), "idpUserName": "n",
                "requires": new.requires.iter().map(|idp| json!({ "name": format!("idp{idp}") })).collect::<Vec<_>>(),
                "suspend": new.rest["suspend"],
            });
            match id.filter(|_| new.by_id) {
                Some(id) => spec["idpId"] = id.into(),
                None => spec["idpRef"] = json!({ "name": named }),
            }
            let link: UserIdpAuthenticator = object("UserIdpAuthenticator", &metadata, &spec, &new.rest);
            if new.is_readable { Ok(link) } else { Err(Box::new(link.metadata)) }
        });
        self.links.change(&self.ctx, name, new);
    }

    /// Lets it happen.
    pub fn step(&mut self, happens: Happens) {
        match happens {
            Happens::Idp { name, is_another, new } => self.idp(name, is_another, new),
            Happens::Link { name, is_another, age, new } => self.link(name, is_another, age, new),
            Happens::Gap { kind: Kind::IdentityProvider, is_open } => {
                self.idps.is_gap = is_open;
                self.idps.list(&self.ctx);
            }
            Happens::Gap { is_open, .. } => {
                self.links.is_gap = is_open;
                self.links.list(&self.ctx);
            }
        }
        self.recount();
    }

    /// Everything goes, unseen until the watches list again.
    pub fn end(&mut self) {
        self.idps.truth.clear();
        self.links.truth.clear();
        self.idps.list(&self.ctx);
        self.links.list(&self.ctx);
    }

    /// Who was woken since the last time.
    pub fn woken(&mut self) -> BTreeSet<String> {
        self.woken.drain().into_iter().collect()
    }

    /// Who contends for what, from all that was told.
    fn recount(&mut self) {
        let is_known = |name: &String, uid: &str| {
            let told = self.links.told.get(name).map(meta);
            told.is_some_and(|told| told.uid.as_deref() == Some(uid) && told.deletion_timestamp.is_none())
        };
        self.contenders.retain(|name, (_, uid, _)| is_known(name, uid));
        for (name, link) in &self.links.told {
            let Ok(link) = link else { continue };
            let idp = self.idp_of(link).filter(|_| link.metadata.deletion_timestamp.is_none());
            let created = link.creation_timestamp().map(|created| created.0);
            match idp {
                Some(idp) => {
                    let claim = (idp, link.spec.idp_user_id.clone(), link.spec.user_id.clone());
                    self.contenders.insert(name.clone(), (created, link.uid().unwrap(), claim))
                }
                None => self.contenders.remove(name),
            };
        }
    }

    fn idp_of(&self, link: &UserIdpAuthenticator) -> Option<String> {
        let of_this_id =
            |idp: &&IdentityProvider| idp.uid() == link.spec.idp_id && idp.metadata.deletion_timestamp.is_none();
        let by_id = || Some(self.idps.told.values().flatten().find(of_this_id)?.name_any());
        link.spec.idp_ref.as_ref().map(|idp| idp.name.clone()).or_else(by_id)
    }

    fn view(&self, idp: &str) -> Option<IdpView> {
        IdpView::of(self.idps.told.get(idp)?.as_ref().ok()?)
    }

    /// Of all who contend for something of this one's claim, by what tells whether they do, the oldest.
    fn holder(&self, is_same: impl Fn(&Claim) -> bool) -> Option<&String> {
        let all = self.contenders.iter().filter(|(_, (.., claim))| is_same(claim));
        all.min_by_key(|(_, contender)| *contender).map(|(name, _)| name)
    }

    fn lost(&self, name: &String) -> Lost {
        let Some((.., (idp, id, user))) = self.contenders.get(name) else { return Lost::default() };
        Lost {
            external_id: self.holder(|claim| (&claim.0, &claim.1) == (idp, id)) != Some(name),
            user: self.holder(|claim| (&claim.0, &claim.2) == (idp, user)) != Some(name),
        }
    }

    fn requirement(&self, idp: &str, user: &str) -> Requirement {
        let Some(view) = self.view(idp) else { return Requirement::Missing(Lack::Idp) };
        let Some(name) = self.holder(|claim| (claim.0.as_str(), claim.2.as_str()) == (idp, user)) else {
            return Requirement::Missing(Lack::Link);
        };
        let Ok(link) = &self.links.told[name] else { return Requirement::Missing(Lack::Ready) };
        match (presence(link, &view), self.lost(name) == Lost::default()) {
            (Presence::Waits, _) => Requirement::Waits,
            (Presence::NotReady, _) => Requirement::Missing(Lack::Ready),
            (Presence::Recorded { is_unique: true }, _) | (Presence::Ready, true) => Requirement::Met,
            _ => Requirement::Missing(Lack::Unique),
        }
    }

    /// What each link is judged by, and at which version of its own.
    pub fn expected(&self) -> BTreeMap<String, (Option<String>, Observed)> {
        let links = self.links.told.iter().filter_map(|(name, link)| Some((name, link.as_ref().ok()?)));
        let live = links.filter(|(_, link)| link.metadata.deletion_timestamp.is_none());
        let expected = live.map(|(name, link)| {
            let required =
                link.spec.requires.iter().map(|idp| self.requirement(&idp.name, &link.spec.user_id)).collect();
            let idp = self.idp_of(link).and_then(|idp| self.view(&idp));
            let observed = Observed { idp, lost: self.lost(name), required, now: Timestamp::UNIX_EPOCH };
            (name.clone(), (link.resource_version(), observed))
        });
        expected.collect()
    }
}

fn object<K: serde::de::DeserializeOwned>(kind: &str, metadata: &Value, spec: &Value, rest: &Value) -> K {
    let status = json!({ "observedGeneration": metadata["generation"], "conditions": rest["conditions"] });
    serde_json::from_value(json!({
        "apiVersion": "idp-operator.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec, "status": status,
    }))
    .unwrap()
}

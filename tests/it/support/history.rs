//! Every version of a tenant's output Secret that there ever was, and what must be true of it whatever happened.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{Stream, StreamExt as _};
use idp_operator::api::TenantJwtSecret;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Resource, ResourceExt as _,
    runtime::watcher::{self, Event, watcher},
};
use tokio::task::JoinHandle;

use super::scene::{PATIENCE, Scene};

/// What a scene's watches have seen so far. Dropped, it watches no more.
pub struct History {
    seen: Arc<Mutex<Seen>>,
    watches: [JoinHandle<()>; 2],
}

/// What was seen of the Secrets and of the `TenantJwtSecret`s, by name.
#[derive(Default)]
pub struct Seen {
    /// All versions in their order; none where it was deleted.
    secrets: BTreeMap<String, Vec<Option<Secret>>>,
    /// As they are now.
    objects: BTreeMap<String, TenantJwtSecret>,
    versions: BTreeSet<String>,
    lists: usize,
}

impl Seen {
    /// All versions of a Secret in their order; none where it was deleted.
    pub fn versions(&self, name: &str) -> &[Option<Secret>] {
        self.secrets.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The Secret as it is now.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.versions(name).last()?.as_ref()
    }

    /// The object as it is now.
    pub fn object(&self, name: &str) -> Option<&TenantJwtSecret> {
        self.objects.get(name)
    }

    /// Whether this version of anything was seen.
    pub fn saw(&self, version: &str) -> bool {
        self.versions.contains(version)
    }
}

impl History {
    /// Watches a scene from now on, which must be before it has any of what is watched.
    pub async fn of(scene: &Scene) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        // List and watch in one: between the two, a young API server may forget a version.
        let config = || watcher::Config::default().streaming_lists();
        let secrets = watcher(scene.api::<Secret>(), config());
        let objects = watcher(scene.api::<TenantJwtSecret>(), config());
        let watches = [
            tokio::spawn(follow(secrets, seen.clone(), |seen, name, secret| {
                seen.secrets.entry(name).or_default().push(secret);
            })),
            tokio::spawn(follow(objects, seen.clone(), |seen, name, object| {
                match object {
                    Some(object) => seen.objects.insert(name, object),
                    None => seen.objects.remove(&name),
                };
            })),
        ];
        let history = Self { seen, watches };
        history.until("the watches list", |seen| seen.lists == 2).await;
        history
    }

    /// Looks at what was seen so far.
    pub fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }

    /// Waits until this is true of what was seen.
    pub async fn until(&self, what: &str, is_so: impl FnMut(&Seen) -> bool) {
        self.within(PATIENCE, what, is_so).await;
    }

    /// Waits no longer than this.
    pub async fn within(&self, patience: Duration, what: &str, mut is_so: impl FnMut(&Seen) -> bool) {
        let wait = async {
            while !self.look(&mut is_so) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let is_in_time = tokio::time::timeout(patience, wait).await.is_ok();
        assert!(is_in_time, "not in time: {what}; {}", self.look(Seen::describe));
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.watches.iter().for_each(JoinHandle::abort);
    }
}

impl Seen {
    fn describe(&self) -> String {
        let secrets: BTreeMap<_, Vec<_>> = self
            .secrets
            .iter()
            .map(|(name, versions)| (name, versions.iter().map(|version| version.as_ref().map(texts)).collect()))
            .collect();
        format!("Secrets {secrets:#?}, objects {:#?}", self.objects)
    }
}

async fn follow<K: Resource<DynamicType = ()>>(
    watch: impl Stream<Item = watcher::Result<Event<K>>>,
    seen: Arc<Mutex<Seen>>,
    mut on: impl FnMut(&mut Seen, String, Option<K>),
) {
    let mut watch = std::pin::pin!(watch);
    let mut has_listed = false;
    while let Some(event) = watch.next().await {
        if event.is_err() && !has_listed {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        }
        let mut seen = seen.lock().unwrap();
        // Once it has listed it must not break off: another list could leave versions out.
        let (object, is_there) = match event.unwrap() {
            Event::Init => continue,
            Event::InitDone => {
                has_listed = true;
                seen.lists += 1;
                continue;
            }
            Event::InitApply(object) | Event::Apply(object) => (object, true),
            Event::Delete(object) => (object, false),
        };
        seen.versions.extend(object.resource_version());
        on(&mut seen, object.name_any(), is_there.then_some(object));
    }
}

/// A Secret's data as text.
pub fn texts(secret: &Secret) -> BTreeMap<&str, String> {
    let data = secret.data.iter().flatten();
    data.map(|(name, bytes)| (name.as_str(), String::from_utf8_lossy(&bytes.0).into_owned())).collect()
}

/// One key of a Secret's data as text; empty where there is none.
pub fn text(secret: &Secret, key: &str) -> String {
    texts(secret).remove(key).unwrap_or_default()
}

/// A value with what describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    pub value: String,
    pub algorithm: String,
    pub key_id: String,
    /// `issued-at`, `expires-at` or `active-at`.
    pub time: Timestamp,
}

impl Slot {
    fn of(secret: &Secret, keys: [&str; 4]) -> Option<Self> {
        let texts = texts(secret);
        if keys.iter().all(|key| !texts.contains_key(key)) {
            return None;
        }
        let [value, algorithm, key_id, time] = keys.map(|key| texts.get(key).cloned().unwrap_or_default());
        let is_whole = STANDARD.decode(&value).is_ok_and(|raw| raw.len() >= 32)
            && ["HS256", "HS384", "HS512"].contains(&algorithm.as_str())
            && !key_id.is_empty();
        assert!(is_whole, "{keys:?} are not whole: {texts:#?}");
        Some(Self { value, algorithm, key_id, time: time.parse().unwrap() })
    }

    /// The one that signs.
    pub fn current(secret: &Secret) -> Option<Self> {
        Self::of(secret, ["secret", "algorithm", "key-id", "issued-at"])
    }

    /// The one before it.
    pub fn previous(secret: &Secret) -> Option<Self> {
        Self::of(secret, ["previous-secret", "previous-algorithm", "previous-key-id", "previous-expires-at"])
    }

    /// The one after it.
    pub fn next(secret: &Secret) -> Option<Self> {
        Self::of(secret, ["next-secret", "next-algorithm", "next-key-id", "next-active-at"])
    }

    /// Value, algorithm and id.
    fn identity(&self) -> (&str, &str, &str) {
        (&self.value, &self.algorithm, &self.key_id)
    }
}

/// The tokens that were honoured, the latest last.
pub fn tokens(secret: &Secret) -> Vec<String> {
    text(secret, "rotate-tokens").lines().map(str::to_owned).collect()
}

/// Each value that was ever current, in the order in which they became so, but for this broken one.
pub fn values(versions: &[Option<Secret>], broken: &str) -> Vec<String> {
    let mut values: Vec<String> = versions.iter().flatten().map(|secret| text(secret, "secret")).collect();
    values.retain(|value| value != broken);
    values.dedup();
    values
}

/// What the object asks for in the end.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The value that the test puts into the output to be repaired.
    pub broken: &'a str,
    /// What the test puts into the output for `issued-at`.
    pub aged: Timestamp,
    /// How long a good value that is replaced stays published.
    pub grace: SignedDuration,
    /// How long one waits to become current.
    pub lead: SignedDuration,
}

/// Checks every version of an output, and every step from one to the next.
pub fn check(versions: &[Option<Secret>], terms: Terms<'_>) {
    let broken = terms.broken;
    let values = values(versions, broken);
    let distinct: BTreeSet<&String> = values.iter().collect();
    assert_eq!(distinct.len(), values.len(), "a value came back: {versions:#?}");
    let is_made = |secret: &&Secret| {
        secret.labels().get("idp-operator.dev/managed").is_some() && text(secret, "secret") != broken
    };
    for made in versions.iter().flatten().filter(is_made) {
        check_version(made);
    }
    // What is made anew has neither past nor future.
    for (before, after) in std::iter::once(&None).chain(versions).zip(versions) {
        match (before, after) {
            (None, Some(first)) => assert_eq!((Slot::previous(first), Slot::next(first)), (None, None)),
            (Some(before), Some(after)) if is_made(&before) && is_made(&after) => check_step(before, after, terms),
            (Some(before), Some(after)) if is_made(&after) => check_repair(before, after, broken),
            _ => {}
        }
    }
}

/// One value that signs, whole; the others are others; the further forms are of these.
fn check_version(secret: &Secret) {
    let slots = [Slot::current(secret), Slot::previous(secret), Slot::next(secret)];
    assert!(slots[0].is_some(), "no current value: {secret:#?}");
    let ids: BTreeSet<&str> = slots.iter().flatten().map(|slot| slot.key_id.as_str()).collect();
    let values: BTreeSet<&str> = slots.iter().flatten().map(|slot| slot.value.as_str()).collect();
    let count = slots.iter().flatten().count();
    assert_eq!((ids.len(), values.len()), (count, count), "one value in two places: {:#?}", texts(secret));

    let tokens = tokens(secret);
    assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), tokens.len(), "a token is there twice: {tokens:?}");
    if let Some(jwks) = texts(secret).get("jwks.json") {
        let jwks: serde_json::Value = serde_json::from_str(jwks).unwrap();
        let published = jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
        assert_eq!(ids, published);
    }
    if let Some(raw) = secret.data.as_ref().and_then(|data| data.get("raw")) {
        assert_eq!(STANDARD.encode(&raw.0), text(secret, "secret"));
    }
}

/// From one good version to the next.
fn check_step(before: &Secret, after: &Secret, terms: Terms<'_>) {
    let step = format!("{:#?}\nbecame at {}\n{:#?}", texts(before), written_at(after), texts(after));
    let (old, new) = (Slot::current(before).unwrap(), Slot::current(after).unwrap());
    let (next, previous) = (Slot::next(after), Slot::previous(after));
    assert!(tokens(after).starts_with(&tokens(before)), "a token was forgotten: {step}");
    if old.value == new.value {
        let old = if new.time == terms.aged { Slot { time: terms.aged, ..old } } else { old };
        assert_eq!(old, new, "what describes a value changed: {step}");
        if let Some(waiting) = Slot::next(before) {
            assert_eq!(next, Some(waiting), "a next value did not become current: {step}");
        }
        check_kept(Slot::previous(before), previous, after, &step);
        return;
    }
    let demoted = previous.unwrap_or_else(|| panic!("a good value was replaced, and is not previous: {step}"));
    assert_eq!(demoted.identity(), old.identity(), "another value than the replaced one is previous: {step}");
    let kept = demoted.time.duration_since(new.time);
    assert!((terms.grace..=terms.grace + SignedDuration::from_secs(1)).contains(&kept), "kept for {kept}: {step}");
    assert_eq!(next, None, "{step}");
    // One for another algorithm is dropped.
    if let Some(waiting) = Slot::next(before).filter(|waiting| waiting.algorithm == new.algorithm) {
        assert_eq!(new.identity(), waiting.identity(), "a value overtook the next one: {step}");
        assert!(terms.lead.is_zero() || waiting.time <= written_at(after), "promoted too early: {step}");
    }
}

/// From one that somebody damaged, or that was not ours yet.
fn check_repair(before: &Secret, after: &Secret, broken: &str) {
    let step = format!("{:#?}\nbecame at {}\n{:#?}", texts(before), written_at(after), texts(after));
    let new = Slot::current(after).unwrap();
    if text(before, "secret") != broken {
        return assert_eq!(text(before, "secret"), new.value, "a good value was replaced by adoption: {step}");
    }
    if let Some(waiting) = Slot::next(before) {
        assert_eq!(new.identity(), waiting.identity(), "a good next value was left: {step}");
    }
    check_kept(Slot::previous(before), Slot::previous(after), after, &step);
}

/// A previous value that no other takes the place of stays until its time is over.
fn check_kept(before: Option<Slot>, after: Option<Slot>, secret: &Secret, step: &str) {
    match (before, after) {
        (Some(before), None) => assert!(before.time <= written_at(secret), "a previous value went too early: {step}"),
        (before, after) => assert_eq!(before, after, "a previous value changed: {step}"),
    }
}

/// When this version was written, by the API server's clock, in whole seconds.
fn written_at(secret: &Secret) -> Timestamp {
    secret.managed_fields().iter().filter_map(|entry| entry.time.as_ref()).map(|time| time.0).max().unwrap()
}

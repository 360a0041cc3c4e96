//! Where a scenario is gone through, and how to tell that the operator is done.

use std::time::Duration;

use base64::Engine as _;
use idp_operator::{
    api::{
        TenantJwtSecret,
        tenant_jwt_secret::{DeletionPolicy, SigningAlgorithm},
    },
    domain::digest::sha256_hex,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::{ResourceExt as _, api::DeleteParams};
use serde_json::{Value, json};

use super::scenarios::with;
use crate::support::{
    History, Operator, Proxy, Scene,
    history::{Seen, Slot, Terms, check, text, tokens, values},
    ready,
    scene::version,
};

const OBJECT: &str = "acme";
const OUTPUT: &str = "acme-jwt";

/// Too short for any algorithm.
const BROKEN: &str = "too short";

/// When a value that is old by now became current.
const LONG_AGO: &str = "2020-01-01T00:00:00Z";

/// A phase shorter than this is waited for.
const SHORT: SignedDuration = SignedDuration::from_secs(60);

/// How long the garbage collector may take: it learns of new CRDs every 30 s.
const COLLECTION: Duration = Duration::from_secs(90);

/// What a user, or another part of the cluster, does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Applies this spec.
    Apply(Value),
    /// Deletes the object.
    Delete,
    /// Deletes the object as `kubectl delete --cascade=orphan` does.
    Orphan,
    /// Asks for a rotation by this token.
    Token(&'static str),
    /// Puts this value into the Secret that is referenced.
    Source(&'static str),
    /// Puts this value where the output is to be.
    Found(&'static str),
    /// Puts a broken value into the output.
    Break,
    /// Lets the output's value be old.
    Age,
    /// Deletes the output.
    Lose,
    /// Waits for the garbage collector.
    Collected,
}

use Act::{Age, Apply, Break, Collected, Delete, Found, Lose, Orphan, Source, Token};

/// A scenario's namespace, and all that is known of it.
pub struct Stage {
    scene: Scene,
    pub proxy: Proxy,
    history: History,
}

impl Stage {
    pub async fn new() -> Self {
        let scene = Scene::new("crash").await;
        let history = History::of(&scene).await;
        Self { proxy: Proxy::start().await, scene, history }
    }

    pub async fn operator(&self) -> Operator {
        self.scene.start_by(self.proxy.kubeconfig()).ready().await
    }

    /// Does this, and waits until the history has it.
    pub async fn act(&self, act: &Act) {
        let version = match act {
            Apply(spec) => {
                let spec = with(spec.clone(), "tenantId", json!(self.scene.namespace));
                version(&self.scene.apply::<TenantJwtSecret>(OBJECT, spec).await)
            }
            Token(token) => {
                let patch = json!({ "metadata": { "annotations": { "idp-operator.dev/rotate": token } } });
                version(&self.scene.merge::<TenantJwtSecret>(OBJECT, patch).await)
            }
            Source(value) => version(&self.scene.secret("source", "secret", base64(value).as_bytes()).await),
            Found(value) => version(&self.scene.secret(OUTPUT, "secret", base64(value).as_bytes()).await),
            Break => self.edit("secret", &base64(BROKEN)).await,
            Age => self.edit("issued-at", LONG_AGO).await,
            Delete => return self.delete(DeleteParams::default()).await,
            Orphan => return self.delete(DeleteParams::orphan()).await,
            Lose => {
                let there = self.history.look(|seen| seen.versions(OUTPUT).len());
                self.scene.delete::<Secret>(OUTPUT).await;
                return self.history.until("lost", |seen| seen.versions(OUTPUT).len() > there).await;
            }
            Collected => {
                return self.history.within(COLLECTION, "collected", |seen| seen.secret(OUTPUT).is_none()).await;
            }
        };
        self.history.until("acted", |seen| seen.saw(&version)).await;
    }

    async fn delete(&self, how: DeleteParams) {
        let uid = |seen: &Seen| seen.object(OBJECT).and_then(kube::ResourceExt::uid);
        let deleted = self.history.look(uid);
        self.scene.api::<TenantJwtSecret>().delete(OBJECT, &how).await.unwrap();
        self.history.within(COLLECTION, "deleted", |seen| uid(seen) != deleted).await;
    }

    /// Puts this into the output.
    async fn edit(&self, key: &str, text: &str) -> String {
        version(&self.scene.merge::<Secret>(OUTPUT, json!({ "data": { key: base64(text) } })).await)
    }

    /// Waits until the operator is done with all that it was asked for.
    pub async fn settled(&self, values: Option<usize>) {
        self.history.until("settled", |seen| is_settled(seen, values)).await;
    }

    /// Checks all that ever was, and that it is settled now.
    pub async fn check(&self, values: usize) {
        let secret = self.scene.api::<Secret>().get(OUTPUT).await.unwrap();
        self.history.until("all was seen", |seen| seen.saw(&version(&secret))).await;
        self.history.look(|seen| {
            let rotation = &seen.object(OBJECT).unwrap().spec.rotation;
            let (grace, lead) = (signed(rotation.grace_period), signed(rotation.lead_time));
            let aged = LONG_AGO.parse().unwrap();
            check(seen.versions(OUTPUT), Terms { broken: &base64(BROKEN), aged, grace, lead });
            assert!(is_settled(seen, Some(values)), "not settled any more");
        });
    }
}

fn base64(raw: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(raw)
}

/// Whether spec, status and output agree, so many values were current, and short phases are over.
fn is_settled(seen: &Seen, expected: Option<usize>) -> bool {
    let Some(object) = seen.object(OBJECT) else { return true };
    let Some(secret) = seen.secret(OUTPUT) else { return false };
    let broken = base64(BROKEN);
    if text(secret, "secret") == broken || ready(object).is_none_or(|(status, ..)| status != "True") {
        return false;
    }
    let Some(current) = Slot::current(secret) else { return false };
    let (previous, next) = (Slot::previous(secret), Slot::next(secret));
    let status = object.status.clone().unwrap_or_default();
    let is_told = status.secret_name.as_deref() == Some(OUTPUT)
        && status.key_id.as_ref() == Some(&current.key_id)
        && status.algorithm.as_ref() == Some(&current.algorithm)
        && status.issued_time.map(|time| time.0) == Some(current.time)
        && status.previous_expires_time.map(|time| time.0) == previous.as_ref().map(|previous| previous.time)
        && is_foreseen(
            status.next_rotation_time.map(|time| time.0),
            object.spec.rotation.interval,
            &current,
            next.as_ref(),
        )
        && status.rotate_token.as_ref() == tokens(secret).last();

    let is_to_go = object.spec.deletion_policy == DeletionPolicy::Delete && !object.spec.adopt;
    let owners: Vec<&String> = secret.owner_references().iter().map(|owner| &owner.uid).collect();
    let policy = if is_to_go { DeletionPolicy::Delete } else { DeletionPolicy::Retain };
    let is_owned_as_asked = owners == object.metadata.uid.iter().filter(|_| is_to_go).collect::<Vec<_>>()
        && status.deletion_policy == Some(policy);

    let token = object.annotations().get("idp-operator.dev/rotate").map(|token| sha256_hex(&[token.as_bytes()]));
    let is_as_asked = object.spec.signing_algorithm.map(SigningAlgorithm::as_str) == Some(&current.algorithm)
        && token.is_none_or(|token| tokens(secret).contains(&token));
    let is_over = |length: kube::core::Duration, phase: Option<Slot>| phase.is_none() || signed(length) >= SHORT;
    let rotation = &object.spec.rotation;
    is_told
        && is_owned_as_asked
        && is_as_asked
        && is_over(rotation.grace_period, previous)
        && is_over(rotation.lead_time, next)
        && expected.is_none_or(|expected| values(seen.versions(OUTPUT), &broken).len() == expected)
}

/// Whether a rotation is told of for when it is to come: that of the value that waits, or the one for age with its spread.
fn is_foreseen(
    told: Option<Timestamp>,
    interval: Option<kube::core::Duration>,
    current: &Slot,
    next: Option<&Slot>,
) -> bool {
    match (told, next, interval.map(signed)) {
        (told, Some(next), _) => told == Some(next.time),
        (Some(told), None, Some(interval)) => {
            (interval..=interval + interval / 20).contains(&told.duration_since(current.time))
        }
        (told, None, interval) => told.is_none() && interval.is_none(),
    }
}

fn signed(duration: kube::core::Duration) -> SignedDuration {
    std::time::Duration::from(duration).try_into().unwrap()
}

//! A tenant's output Secret, read: whose it is and what its values are good for. It never holds a value.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::OwnerReference};

use super::{
    oct_jwks,
    policy::{self, Traits, Violation},
    template::Applied,
};
use crate::api::{labels, tenant_jwt_secret::SigningAlgorithm};

/// Keys of the output Secret's data.
pub mod key {
    /// Digests of the tokens that were honoured, the latest last, a line each.
    pub const ROTATE_TOKENS: &str = "rotate-tokens";
    /// The values as a JWK Set.
    pub const JWKS: &str = "jwks.json";
    /// The current value's decoded bytes.
    pub const RAW: &str = "raw";
}

/// Most tokens that are remembered.
pub const MAX_TOKENS: usize = 32;

/// Most bytes of a value's id.
const MAX_KEY_ID: usize = 253;

/// How far in the future `issued-at` may lie before it counts as damaged.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// How far beyond the longest that a spec can ask for the end of a phase may lie before it counts as planted: more than a
/// clock is ever behind, as a phase that is cut short locks somebody out.
const DOUBT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Longest `rotation.gracePeriod`.
const MAX_GRACE_PERIOD: SignedDuration = SignedDuration::from_hours(8760);

/// Longest `rotation.leadTime`.
const MAX_LEAD_TIME: SignedDuration = SignedDuration::from_hours(24);

/// Which value of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one that signs.
    Current,
    /// The one before it, still good for verifying.
    Previous,
    /// The one after it, not yet used for signing.
    Next,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Current, Self::Previous, Self::Next];

    /// Data keys of the value in Base64 text, its algorithm, its id, and its time: since when it is current, until when
    /// it is published, or from when on it is current.
    #[must_use]
    pub const fn keys(self) -> [&'static str; 4] {
        match self {
            Self::Current => ["secret", "algorithm", "key-id", "issued-at"],
            Self::Previous => ["previous-secret", "previous-algorithm", "previous-key-id", "previous-expires-at"],
            Self::Next => ["next-secret", "next-algorithm", "next-key-id", "next-active-at"],
        }
    }
}

/// A value of the output and what describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slot {
    /// Whether any of its keys is there.
    pub exists: bool,
    /// What the value is good for; absent when there is none.
    pub value: Option<Result<Traits, Violation>>,
    /// Its algorithm, if it is one of the three.
    pub algorithm: Option<SigningAlgorithm>,
    /// Its id, if there is one.
    pub key_id: Option<String>,
    /// Its time, if it is one.
    pub time: Option<Timestamp>,
}

impl Slot {
    /// Reads one of a Secret's values.
    #[must_use]
    pub fn read(secret: &Secret, role: Role) -> Self {
        let [value, algorithm, _, time] = role.keys();
        Self {
            exists: role.keys().into_iter().any(|name| data(secret, name).is_some()),
            value: data(secret, value).filter(|bytes| !bytes.0.is_empty()).map(|bytes| policy::inspect(&bytes.0)),
            algorithm: text(secret, algorithm).and_then(SigningAlgorithm::parse),
            key_id: key_id(secret, role).map(str::to_owned),
            time: text(secret, time).and_then(|time| time.parse().ok()).and_then(whole_seconds),
        }
    }

    /// Whether the value obeys every rule for the algorithm.
    #[must_use]
    pub fn obeys(&self, algorithm: SigningAlgorithm) -> bool {
        matches!(self.value, Some(Ok(traits)) if policy::violations(traits, algorithm).is_empty())
    }

    /// Whether nothing is missing but perhaps its time, and the value obeys the rules.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.key_id.is_some() && self.algorithm.is_some_and(|algorithm| self.obeys(algorithm))
    }

    /// Its time, if it is whole and that is not later than can be.
    fn whole_until(&self, latest: Timestamp) -> Option<Timestamp> {
        self.time.filter(|time| self.is_whole() && *time >= Timestamp::UNIX_EPOCH && *time <= latest)
    }
}

/// What an existing Secret of the output's name is.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct OutputFacts {
    /// `metadata.resourceVersion` at which this was read.
    pub resource_version: String,
    /// `immutable: true`.
    pub immutable: bool,
    /// `type: Opaque`.
    pub opaque: bool,
    /// Our label is on it. Others' labels and annotations are not kept: one, `kubectl`'s, can hold the value.
    pub is_managed: bool,
    /// It was there before it was ours.
    pub is_adopted: bool,
    /// Our annotation of the tenant.
    pub tenant_id: Option<String>,
    /// Our annotation of the layout.
    pub format: Option<String>,
    /// UID and generation of the object as which it was last written.
    pub written_for: Option<(String, i64)>,
    /// What it has from the template.
    pub template: Applied,
    /// `metadata.ownerReferences`.
    pub owners: Vec<OwnerReference>,
    /// The value that signs.
    pub current: Slot,
    /// The value before it.
    pub previous: Slot,
    /// The value after it.
    pub next: Slot,
    /// Digests of the tokens that were honoured, the latest last.
    pub tokens: Vec<String>,
    /// `jwks.json`
    pub jwks: Form,
    /// `raw`
    pub raw: Form,
}

/// A further form of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Whether it is there.
    pub exists: bool,
    /// Whether it is there and what the values make it.
    pub is_right: bool,
}

impl Form {
    fn read(secret: &Secret, name: &str, made: impl FnOnce() -> Option<oct_jwks::Bytes>) -> Self {
        let there = data(secret, name);
        let is_made = |bytes: &ByteString| made().is_some_and(|made| *made == bytes.0);
        Self { exists: there.is_some(), is_right: there.is_some_and(is_made) }
    }
}

impl OutputFacts {
    /// Reads a Secret.
    #[must_use]
    pub fn read(secret: &Secret) -> Self {
        let meta = &secret.metadata;
        let annotation = |name: &str| meta.annotations.as_ref().and_then(|all| all.get(name)).cloned();
        Self {
            resource_version: meta.resource_version.clone().unwrap_or_default(),
            immutable: secret.immutable.unwrap_or(false),
            opaque: secret.type_.as_deref() == Some("Opaque"),
            is_managed: meta.labels.iter().flatten().any(|(name, value)| name == labels::MANAGED && value == "true"),
            is_adopted: annotation(labels::ADOPTED).as_deref() == Some("true"),
            tenant_id: annotation(labels::TENANT_ID),
            format: annotation(labels::FORMAT),
            written_for: annotation(labels::WRITTEN_FOR)
                .and_then(|text| text.split_once('/').and_then(|(uid, at)| Some((uid.to_owned(), at.parse().ok()?)))),
            template: Applied::read(meta),
            owners: meta.owner_references.clone().unwrap_or_default(),
            current: Slot::read(secret, Role::Current),
            previous: Slot::read(secret, Role::Previous),
            next: Slot::read(secret, Role::Next),
            tokens: tokens(secret),
            jwks: Form::read(secret, key::JWKS, || Some(oct_jwks::jwks(secret))),
            raw: Form::read(secret, key::RAW, || oct_jwks::raw(secret)),
        }
    }

    /// Whether the operator may write it: it bears our label and this tenant's annotation, or is owned by this object;
    /// and has a layout that this operator knows.
    #[must_use]
    pub fn is_ours(&self, tenant_id: &str, uid: &str) -> bool {
        let is_labelled = self.is_managed && self.tenant_id.as_deref() == Some(tenant_id);
        self.opaque && self.is_known_format() && (is_labelled || self.is_owned_by(uid))
    }

    /// Whether an operator of this version can read its layout, if it has one at all.
    #[must_use]
    pub fn is_known_format(&self) -> bool {
        self.format.as_deref().is_none_or(|format| format == labels::FORMAT_V1)
    }

    /// Whether this object's ownerReference is on it.
    #[must_use]
    pub fn is_owned_by(&self, uid: &str) -> bool {
        self.owners.iter().any(|owner| owner.uid == uid)
    }

    /// Whether it was written for a later generation of this object than this one.
    #[must_use]
    pub fn is_ahead_of(&self, uid: &str, generation: i64) -> bool {
        self.written_for.as_ref().is_some_and(|(of, at)| of == uid && *at > generation)
    }

    /// Since when the value is current, if that makes sense: since 1970, and not in the future.
    #[must_use]
    pub fn issued_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.current.time.filter(|issued| *issued >= Timestamp::UNIX_EPOCH && *issued <= later(now, CLOCK_SKEW))
    }

    /// Until when the previous value is published, if it is whole and that is still to come.
    #[must_use]
    pub fn previous_until(&self, now: Timestamp) -> Option<Timestamp> {
        let is_another = self.previous.key_id != self.current.key_id;
        self.previous.whole_until(later(later(now, MAX_GRACE_PERIOD), DOUBT)).filter(|until| is_another && *until > now)
    }

    /// From when on the next value is current, if it is whole.
    #[must_use]
    pub fn next_from(&self, now: Timestamp) -> Option<Timestamp> {
        let is_another = self.next.key_id != self.current.key_id && self.next.key_id != self.previous.key_id;
        self.next.whole_until(later(later(now, MAX_LEAD_TIME), DOUBT)).filter(|_| is_another)
    }
}

/// Id of a value. One that is longer than the status may tell is none.
#[must_use]
pub fn key_id(secret: &Secret, role: Role) -> Option<&str> {
    let [_, _, key_id, _] = role.keys();
    text(secret, key_id).filter(|id| id.len() <= MAX_KEY_ID)
}

/// The tokens that were honoured, the latest last.
#[must_use]
pub fn tokens(secret: &Secret) -> Vec<String> {
    let lines = text(secret, key::ROTATE_TOKENS).unwrap_or_default();
    let is_digest = |line: &&str| line.len() == 64 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    lines.lines().filter(is_digest).map(str::to_owned).collect()
}

/// The moment so much later, or the last that there is.
fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// As Kubernetes writes times.
fn whole_seconds(time: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(time.as_second()).ok()
}

/// A Secret's data as text.
#[must_use]
pub fn text<'a>(secret: &'a Secret, name: &str) -> Option<&'a str> {
    data(secret, name).and_then(|bytes| std::str::from_utf8(&bytes.0).ok()).filter(|text| !text.is_empty())
}

/// A Secret's data.
#[must_use]
pub fn data<'a>(secret: &'a Secret, name: &str) -> Option<&'a ByteString> {
    secret.data.as_ref().and_then(|data| data.get(name))
}

//! A tenant's output Secret, read: whose it is and what its value is good for. It never holds the value.

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::OwnerReference};

use super::policy::{self, Traits, Violation};
use crate::api::{labels, tenant_jwt_secret::SigningAlgorithm};

/// Keys of the output Secret's data.
pub mod key {
    /// The value, in padded Base64 text.
    pub const SECRET: &str = "secret";
    /// `HS256`, `HS384` or `HS512`.
    pub const ALGORITHM: &str = "algorithm";
    /// Random id of the value.
    pub const KEY_ID: &str = "key-id";
    /// When the value became current, RFC 3339.
    pub const ISSUED_AT: &str = "issued-at";
}

/// How far in the future `issued-at` may lie before it counts as damaged.
const CLOCK_SKEW: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

/// What an existing Secret of the output's name is.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputFacts {
    /// `metadata.resourceVersion` at which this was read.
    pub resource_version: String,
    /// `immutable: true`.
    pub immutable: bool,
    /// `type: Opaque`.
    pub opaque: bool,
    /// Our label is on it. Others' labels and annotations are not kept: one, `kubectl`'s, can hold the value.
    pub is_managed: bool,
    /// Our annotation of the tenant.
    pub tenant_id: Option<String>,
    /// Our annotation of the layout.
    pub format: Option<String>,
    /// `metadata.ownerReferences`.
    pub owners: Vec<OwnerReference>,
    /// What the value is good for; absent when there is none.
    pub value: Option<Result<Traits, Violation>>,
    /// `algorithm`, if it is one of the three.
    pub algorithm: Option<SigningAlgorithm>,
    /// `key-id`, if there is one.
    pub key_id: Option<String>,
    /// `issued-at`, if it is a time.
    pub issued_at: Option<Timestamp>,
}

impl OutputFacts {
    /// Reads a Secret.
    #[must_use]
    pub fn read(secret: &Secret) -> Self {
        let meta = &secret.metadata;
        let text = |name: &str| {
            data(secret, name).and_then(|bytes| std::str::from_utf8(&bytes.0).ok()).filter(|text| !text.is_empty())
        };
        let annotation = |name: &str| meta.annotations.as_ref().and_then(|all| all.get(name)).cloned();
        Self {
            resource_version: meta.resource_version.clone().unwrap_or_default(),
            immutable: secret.immutable.unwrap_or(false),
            opaque: secret.type_.as_deref() == Some("Opaque"),
            is_managed: meta.labels.iter().flatten().any(|(name, value)| name == labels::MANAGED && value == "true"),
            tenant_id: annotation(labels::TENANT_ID),
            format: annotation(labels::FORMAT),
            owners: meta.owner_references.clone().unwrap_or_default(),
            value: data(secret, key::SECRET).filter(|bytes| !bytes.0.is_empty()).map(|bytes| policy::inspect(&bytes.0)),
            algorithm: text(key::ALGORITHM).and_then(SigningAlgorithm::parse),
            key_id: text(key::KEY_ID).filter(|id| id.len() <= 253).map(str::to_owned),
            issued_at: text(key::ISSUED_AT).and_then(|time| time.parse().ok()).and_then(whole_seconds),
        }
    }

    /// Whether the operator may write it: it bears our label and this tenant's annotation, or is owned by this object;
    /// and has a layout that this operator knows.
    #[must_use]
    pub fn is_ours(&self, tenant_id: &str, uid: &str) -> bool {
        let is_labelled = self.is_managed && self.tenant_id.as_deref() == Some(tenant_id);
        let is_known_format = self.format.as_deref().is_none_or(|format| format == labels::FORMAT_V1);
        self.opaque && is_known_format && (is_labelled || self.is_owned_by(uid))
    }

    /// Whether this object's ownerReference is on it.
    #[must_use]
    pub fn is_owned_by(&self, uid: &str) -> bool {
        self.owners.iter().any(|owner| owner.uid == uid)
    }

    /// Whether the value obeys every rule for the algorithm.
    #[must_use]
    pub fn obeys(&self, algorithm: SigningAlgorithm) -> bool {
        matches!(self.value, Some(Ok(traits)) if policy::violations(traits, algorithm).is_empty())
    }

    /// `issued-at`, if it makes sense: since 1970, and not in the future.
    #[must_use]
    pub fn sane_issued_at(&self, now: Timestamp) -> Option<Timestamp> {
        let latest = now.saturating_add(CLOCK_SKEW).unwrap_or(now);
        self.issued_at
            .filter(|issued| *issued >= Timestamp::UNIX_EPOCH && *issued <= latest && issued.subsec_nanosecond() == 0)
    }
}

/// As Kubernetes writes times.
fn whole_seconds(time: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(time.as_second()).ok()
}

fn data<'a>(secret: &'a Secret, name: &str) -> Option<&'a ByteString> {
    secret.data.as_ref().and_then(|data| data.get(name))
}

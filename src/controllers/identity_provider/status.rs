//! An identity provider's own fields of its status.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::observe::Observed;
use crate::{
    api::{
        IdentityProvider, IdentityProviderSpec, IdentityProviderStatus,
        identity_provider::{DEFAULT_HEADER_NAME, KeysStatus},
        status::StatusCore,
    },
    cluster::events::Notice,
    desired::status::truncate,
    domain::{
        details,
        digest::sha256_hex,
        jwks::KeySet,
        reasons::IdentityProviderReason as Reason,
        verdicts::identity_provider::{KEYS_REACHABLE, KEYS_VALID},
    },
};

/// The status but for its shared part.
#[must_use]
pub fn status(object: &IdentityProvider, keys: Option<KeysStatus>, now: Timestamp) -> IdentityProviderStatus {
    let details = details::next(
        object.status.as_ref().and_then(|old| old.details.as_ref()),
        &config_digest(object),
        &object.namespace().unwrap_or_default(),
        object.creation_timestamp().map(|created| created.0),
        now,
    );
    IdentityProviderStatus { idp_id: object.uid(), keys, details: Some(details), ..IdentityProviderStatus::default() }
}

/// `status.keys` while these are published.
#[must_use]
pub fn keys_status(object: &IdentityProvider, keys: &KeySet, seen: &Observed) -> KeysStatus {
    let sha256 = seen.source.digest(keys);
    let old = object.status.as_ref();
    let unchanged = old.and_then(|old| old.keys.as_ref()).filter(|told| told.sha256 == sha256);
    let good_at = seen.keys.good.as_ref().map_or(seen.now, |(_, at)| *at);
    // While the source works it would be another status each time: then it is written once, when that ends.
    let verified_time = unchanged
        .filter(|_| seen.keys.last.is_ok())
        .and_then(|told| told.verified_time.clone())
        .unwrap_or_else(|| Time(Timestamp::from_second(good_at.as_second()).unwrap_or(good_at)));
    KeysStatus {
        count: i64::try_from(keys.count()).unwrap_or(i64::MAX),
        key_ids: keys.ids(),
        algorithms: keys.algorithms(),
        change_time: unchanged.map_or_else(|| Time(seen.now), |told| told.change_time.clone()),
        verified_time: Some(verified_time),
        sha256,
    }
}

/// Whether the last verdict was that the source gives good keys. That what it refers to is missing says nothing against it:
/// where keys depend on that, they were not judged.
#[must_use]
pub fn works(core: &StatusCore) -> bool {
    let status = |type_| core.condition(type_).map(|condition| condition.status.as_str());
    // Keys from a ConfigMap are not reached for.
    status(KEYS_VALID) == Some("True") && status(KEYS_REACHABLE).is_none_or(|is| is == "True")
}

/// Whether the last verdict on this very configuration had this reason for this condition.
#[must_use]
pub fn was(object: &IdentityProvider, condition: &str, reason: Reason) -> bool {
    let old = object.status.as_ref();
    let told = old.and_then(|status| status.core.condition(condition));
    let details = old.and_then(|status| status.details.as_ref());
    told.is_some_and(|told| told.reason == reason.as_str())
        && details.is_some_and(|details| details.config_digest == config_digest(object))
}

/// What the spec comes to, spelled in one way: an empty header name is the default, '5m' is '300s', the order of audiences
/// and algorithms means nothing. Examples are no configuration, and a default is as good as nothing: a field that a later
/// version adds changes no digest.
#[must_use]
pub fn config_digest(object: &IdentityProvider) -> String {
    // Required fields have no default that they could equal.
    let plain = json!({ "jwtEndpoint": "", "issuer": "", "keysEndpoint": "" });
    let plain = serde_json::from_value(plain).map(effective).unwrap_or_default();
    sha256_hex(&[but_for(effective(object.spec.clone()), &plain).to_string().as_bytes()])
}

fn effective(mut spec: IdentityProviderSpec) -> Value {
    spec.examples = None;
    spec.suspend = false;
    spec.algorithms.sort_unstable();
    spec.audiences.iter_mut().for_each(|audiences| audiences.sort_unstable());
    if spec.header_name.is_empty() {
        DEFAULT_HEADER_NAME.clone_into(&mut spec.header_name);
    }
    serde_json::to_value(spec).unwrap_or_default()
}

/// The members that are not as they are in `plain`.
fn but_for(value: Value, plain: &Value) -> Value {
    match (value, plain) {
        (Value::Object(members), Value::Object(plain)) => {
            let differ = members.into_iter().filter(|(name, value)| plain.get(name) != Some(value));
            let inside = differ.map(|(name, value)| {
                let value = but_for(value, plain.get(&name).unwrap_or(&Value::Null));
                (name, value)
            });
            Value::Object(inside.collect())
        }
        (value, _) => value,
    }
}

/// Tells of another set of keys; not of the first one, nor of the same keys under another issuer or source.
#[must_use]
pub fn rotation_notice(old: Option<&IdentityProviderStatus>, new: &IdentityProviderStatus) -> Option<Notice> {
    let config = |status: &IdentityProviderStatus| status.details.as_ref().map(|details| details.config_digest.clone());
    let is_reconfigured = config(old?) != config(new);
    let (old, new) = (old?.keys.as_ref()?, new.keys.as_ref()?);
    let is_rotated = old.sha256 != new.sha256 && (!is_reconfigured || old.key_ids != new.key_ids);
    let change = if old.key_ids == new.key_ids {
        "others have the same ids".to_owned()
    } else {
        format!("{} added, {} removed", listed(&new.key_ids, &old.key_ids), listed(&old.key_ids, &new.key_ids))
    };
    is_rotated.then(|| Notice {
        warning: false,
        reason: "SigningKeysRotated".to_owned(),
        note: format!("the published keys changed: {change}, {} now", new.count),
    })
}

/// The ids of these that are not among the others; a few of many.
fn listed(these: &[String], others: &[String]) -> String {
    const MOST: usize = 4;
    let mut ids: Vec<String> =
        these.iter().filter(|id| !others.contains(id)).map(|id| format!("'{}'", truncate(id, 64))).collect();
    let more = ids.len().saturating_sub(MOST);
    ids.truncate(MOST);
    match (ids.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => ids.join(", "),
        (false, more) => format!("{} and {more} more", ids.join(", ")),
    }
}

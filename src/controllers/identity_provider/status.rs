//! An identity provider's own fields of its status.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde_json::json;

use super::observe::Observed;
use crate::{
    api::{
        IdentityProvider, IdentityProviderStatus,
        identity_provider::{DEFAULT_HEADER_NAME, KeysStatus},
        status::StatusCore,
    },
    cluster::events::Notice,
    domain::{
        details,
        digest::sha256_hex,
        jwks::KeySet,
        reasons::IdentityProviderReason as Reason,
        verdicts::identity_provider::{KEYS_REACHABLE, KEYS_VALID, REFERENCES_RESOLVED},
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
    let ends_now = seen.keys.last.is_err() && old.is_some_and(|old| works(&old.core));
    let verified_time = match unchanged {
        Some(told) if !ends_now => told.verified_time.clone(),
        _ => Time(good_at),
    };
    KeysStatus {
        count: i64::try_from(keys.count()).unwrap_or(i64::MAX),
        key_ids: keys.ids(),
        algorithms: keys.algorithms(),
        change_time: unchanged.map_or_else(|| Time(seen.now), |told| told.change_time.clone()),
        verified_time,
        sha256,
    }
}

/// Whether the last verdict was that the source gives good keys.
#[must_use]
pub fn works(core: &StatusCore) -> bool {
    let status = |type_| core.condition(type_).map(|condition| condition.status.as_str());
    // Keys from a ConfigMap are not reached for.
    status(KEYS_VALID) == Some("True")
        && [REFERENCES_RESOLVED, KEYS_REACHABLE].into_iter().all(|type_| status(type_).is_none_or(|is| is == "True"))
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
/// and algorithms means nothing. Examples are no configuration.
#[must_use]
pub fn config_digest(object: &IdentityProvider) -> String {
    let spec = &object.spec;
    let millis = |time: kube::core::Duration| u64::try_from(Duration::from(time).as_millis()).unwrap_or(u64::MAX);
    let mut audiences = spec.audiences.clone().unwrap_or_default();
    audiences.sort_unstable();
    let mut algorithms = spec.algorithms.clone();
    algorithms.sort_unstable();
    let times = [spec.clock_skew, spec.max_token_age, spec.keys.refresh_interval, spec.keys.stale_after];
    let config = json!({
        "jwtEndpoint": spec.jwt_endpoint,
        "issuer": spec.issuer,
        "keysEndpoint": spec.keys_endpoint,
        "headerName": if spec.header_name.is_empty() { DEFAULT_HEADER_NAME } else { &spec.header_name },
        "displayName": spec.display_name,
        "state": spec.state,
        "linkingAllowed": spec.linking_allowed,
        "audiences": audiences,
        "algorithms": algorithms,
        "times": times.map(millis),
        "allowInsecureHttp": spec.allow_insecure_http,
        "tls": spec.tls,
        "keysFrom": spec.keys_from,
    });
    sha256_hex(&[config.to_string().as_bytes()])
}

/// Tells of another set of keys; not of the first one, nor of the same keys under another issuer or source.
#[must_use]
pub fn rotation_notice(old: Option<&IdentityProviderStatus>, new: &IdentityProviderStatus) -> Option<Notice> {
    let config = |status: &IdentityProviderStatus| status.details.as_ref().map(|details| details.config_digest.clone());
    let is_reconfigured = config(old?) != config(new);
    let (old, new) = (old?.keys.as_ref()?, new.keys.as_ref()?);
    let is_rotated = old.sha256 != new.sha256 && (!is_reconfigured || old.key_ids != new.key_ids);
    is_rotated.then(|| Notice {
        warning: false,
        reason: "SigningKeysRotated".to_owned(),
        note: format!(
            "the published keys changed: {} added, {} removed, {} now",
            listed(&new.key_ids, &old.key_ids),
            listed(&old.key_ids, &new.key_ids),
            new.count
        ),
    })
}

/// The ids of these that are not among the others; a few of many.
fn listed(these: &[String], others: &[String]) -> String {
    const MOST: usize = 4;
    let mut ids: Vec<String> = these.iter().filter(|id| !others.contains(id)).map(|id| format!("'{id}'")).collect();
    let more = ids.len().saturating_sub(MOST);
    ids.truncate(MOST);
    match (ids.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => ids.join(", "),
        (false, more) => format!("{} and {more} more", ids.join(", ")),
    }
}

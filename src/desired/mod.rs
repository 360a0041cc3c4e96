//! What ought to exist and be said: infallible builders of outputs and statuses.

pub mod authentication_configuration;
pub mod configmap;
pub mod envoy;
pub mod secret;
pub mod secret_values;
pub mod status;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;

/// An ownerReference for an output: garbage-collected with its owner, with neither `controller` (another tool may
/// adopt the output) nor `blockOwnerDeletion` (which would need rights on finalizers).
pub fn owner<K: Resource<DynamicType = ()>>(object: &K) -> OwnerReference {
    let meta = object.meta();
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
        controller: None,
        block_owner_deletion: None,
    }
}

/// The ownerReferences after ours is set: others' stay, stale ones of our kind go.
#[must_use]
pub fn owned_by<K: Resource<DynamicType = ()>>(existing: &[OwnerReference], object: &K) -> Vec<OwnerReference> {
    disowned::<K>(existing).into_iter().chain([owner(object)]).collect()
}

/// The ownerReferences without any of our kind.
#[must_use]
pub fn disowned<K: Resource<DynamicType = ()>>(existing: &[OwnerReference]) -> Vec<OwnerReference> {
    existing.iter().filter(|owner| !is_of_kind::<K>(owner)).cloned().collect()
}

/// Whether this is an owner of our kind.
#[must_use]
pub fn is_of_kind<K: Resource<DynamicType = ()>>(owner: &OwnerReference) -> bool {
    owner.kind == K::kind(&()) && owner.api_version == K::api_version(&())
}

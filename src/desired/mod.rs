//! What ought to exist and be said: infallible builders of outputs and statuses.

pub mod configmap;
pub mod secret;
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
pub fn owned_by(existing: &[OwnerReference], ours: &OwnerReference) -> Vec<OwnerReference> {
    let is_ours = |owner: &&OwnerReference| owner.kind == ours.kind && owner.api_version == ours.api_version;
    existing.iter().filter(|owner| !is_ours(owner)).chain([ours]).cloned().collect()
}

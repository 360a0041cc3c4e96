//! A tenant's output Secret.

use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{ResourceExt as _, api::ObjectMeta};

use super::{
    disowned, owned_by,
    secret_values::{self as values, Parts},
};
use crate::{
    api::{
        TenantJwtSecret, TenantJwtSecretStatus, labels,
        tenant_jwt_secret::{DeletionPolicy, Outputs},
    },
    domain::{
        secret_output::{Form, OutputFacts},
        template,
        verdicts::tenant_jwt_secret::TENANT_VALID,
    },
};

/// Name of the output.
#[must_use]
pub fn name(object: &TenantJwtSecret) -> String {
    object.spec.secret_name.clone().unwrap_or_else(|| format!("{}-jwt", object.name_any()))
}

/// The output as it ought to be. What others added to an existing one stays. Of an immutable one only metadata changes.
#[must_use]
pub fn desired(object: &TenantJwtSecret, parts: &Parts<'_>, existing: Option<Secret>) -> Secret {
    let mut secret = existing.unwrap_or_else(|| Secret {
        metadata: ObjectMeta { name: Some(name(object)), namespace: object.namespace(), ..ObjectMeta::default() },
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    });
    let before = OutputFacts::read(&secret);
    let mut forms = Outputs { jwks: before.jwks.exists, raw: before.raw.exists };
    if parts.describes {
        describe(object, &before, &mut secret);
        forms = object.spec.outputs;
    }
    if !before.immutable {
        values::change(parts, &before, &mut secret);
        values::set_forms(forms, &mut secret);
    }
    secret
}

/// Whether nothing but the values may be wrong with it.
#[must_use]
pub fn is_described(object: &TenantJwtSecret, output: &OutputFacts) -> bool {
    output.is_managed
        && !output.is_ahead_of(&object.uid().unwrap_or_default(), object.metadata.generation.unwrap_or_default())
        && output.tenant_id.as_ref() == Some(&object.spec.tenant_id)
        && output.format.as_deref() == Some(labels::FORMAT_V1)
        && output.template.is(object.spec.template.as_ref())
        && output.owners == owners(object, &output.owners, is_adopted(object, output))
        && output.is_adopted == is_adopted(object, output)
}

/// Whether the further forms of its values are those that the spec asks for. Made anew from a damaged value they would
/// lose it: as long as it is, those that are asked for are right as they are.
#[must_use]
pub fn has_its_forms(object: &TenantJwtSecret, output: &OutputFacts) -> bool {
    let asked = object.spec.outputs;
    let is = |form: Form, is_asked: bool| match (is_asked, output.current.is_whole()) {
        (true, true) => form.is_right,
        (true, false) => true,
        (false, _) => !form.exists,
    };
    is(output.jwks, asked.jwks) && is(output.raw, asked.raw)
}

/// Sets all that describes it; what others put there stays.
fn describe(object: &TenantJwtSecret, before: &OutputFacts, secret: &mut Secret) {
    let is_new = secret.metadata.resource_version.is_none();
    let is_adopted = !is_new && is_adopted(object, before);
    secret.metadata.owner_references = Some(owners(object, &before.owners, is_adopted));
    template::apply(object.spec.template.as_ref(), &mut secret.metadata);
    secret.labels_mut().insert(labels::MANAGED.to_owned(), "true".to_owned());
    let annotations = secret.annotations_mut();
    annotations.insert(labels::TENANT_ID.to_owned(), object.spec.tenant_id.clone());
    annotations.insert(labels::FORMAT.to_owned(), labels::FORMAT_V1.to_owned());
    let generation = object.metadata.generation.unwrap_or_default();
    annotations.insert(labels::WRITTEN_FOR.to_owned(), format!("{}/{generation}", object.uid().unwrap_or_default()));
    if is_adopted {
        annotations.insert(labels::ADOPTED.to_owned(), "true".to_owned());
    }
}

/// Whether it was there before it was ours.
fn is_adopted(object: &TenantJwtSecret, output: &OutputFacts) -> bool {
    let uid = object.uid().unwrap_or_default();
    output.is_adopted || !output.is_ours(&object.spec.tenant_id, &uid) || lost_its_mark(object, output, &uid)
}

/// Whether somebody took away that it was adopted: when the object held the tenant with this very spec, the Secret was told
/// to be retained, although that is not asked for.
fn lost_its_mark(object: &TenantJwtSecret, output: &OutputFacts, uid: &str) -> bool {
    // A failure stamps the status with a generation that nothing was done for yet; not so its conditions.
    let is_of_this_spec = |status: &&TenantJwtSecretStatus| {
        status.core.condition(TENANT_VALID).is_some_and(|condition| {
            condition.status == "True" && condition.observed_generation == object.metadata.generation
        })
    };
    let told = object.status.as_ref().filter(is_of_this_spec).and_then(|status| status.deletion_policy);
    object.spec.deletion_policy == DeletionPolicy::Delete
        && told == Some(DeletionPolicy::Retain)
        && !output.is_owned_by(uid)
}

/// Who it goes with: this object, unless it is to outlive it.
fn owners(object: &TenantJwtSecret, existing: &[OwnerReference], is_adopted: bool) -> Vec<OwnerReference> {
    let is_to_go = object.spec.deletion_policy == DeletionPolicy::Delete && !is_adopted;
    if is_to_go { owned_by(existing, object) } else { disowned::<TenantJwtSecret>(existing) }
}

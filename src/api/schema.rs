//! The `CustomResourceDefinition`s, as installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use serde_json::{Map, Value, json};

use super::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator};

/// The definitions of all kinds, ready to be installed.
///
/// # Errors
/// When a derived schema is not a `CustomResourceDefinition` any more after our changes to it: a defect that the
/// tests find.
pub fn crds() -> Result<Vec<CustomResourceDefinition>, serde_json::Error> {
    [IdentityProvider::crd(), TenantJwtSecret::crd(), UserIdpAuthenticator::crd(), StrategyInstance::crd()]
        .into_iter()
        .map(finish)
        .collect()
}

/// What the derive can't say:
/// - `Option` means absent, never `null`: no `nullable`;
/// - a description's lines are broken by who shows them, not by the width of our source;
/// - `status` is `{observedGeneration: -1}` until the first verdict, so that kstatus calls a new object `InProgress`
///   (as Flux does).
fn finish(crd: CustomResourceDefinition) -> Result<CustomResourceDefinition, serde_json::Error> {
    let mut value = serde_json::to_value(crd)?;
    tidy(&mut value);
    if let Some(versions) = value.pointer_mut("/spec/versions").and_then(Value::as_array_mut) {
        for version in versions {
            if let Some(status) =
                version.pointer_mut("/schema/openAPIV3Schema/properties/status").and_then(Value::as_object_mut)
            {
                status.insert("default".to_owned(), json!({ "observedGeneration": -1 }));
            }
        }
    }
    serde_json::from_value(value)
}

fn tidy(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // A property of that name is an object; only the schema keyword is a bool.
            if fields.get("nullable").is_some_and(Value::is_boolean) {
                fields.remove("nullable");
            }
            drop_null_variant(fields);
            if let Some(Value::String(description)) = fields.get_mut("description") {
                *description =
                    description.split("\n\n").map(|text| text.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
            }
            fields.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn drop_null_variant(fields: &mut Map<String, Value>) {
    if let Some(variants) = fields.get_mut("enum").and_then(Value::as_array_mut) {
        variants.retain(|variant| !variant.is_null());
    }
}

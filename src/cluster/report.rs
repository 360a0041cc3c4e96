//! Writes of status: server-side apply by one field manager.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ObjectMeta, Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::{Action, Error},
    key::ObjectKey,
};
use crate::api::labels::OPERATOR;

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
struct StatusPatch<'a, S> {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    status: &'a S,
}

/// Writes the status of this very object as it was judged: one that was edited or made anew since then is left alone, as
/// its event is on its way and brings another judgement.
///
/// Returns the object with its new status; nothing where it is not the same any more.
///
/// # Errors
/// When the API server refuses or gives no answer.
pub async fn report<K, S>(client: &Client, kind: &'static str, object: &K, status: &S) -> Result<Option<K>, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    S: Serialize + Debug,
{
    let name = object.name_any();
    let patch = StatusPatch {
        api_version: K::api_version(&()).into_owned(),
        kind: kind.to_owned(),
        metadata: ObjectMeta {
            name: Some(name.clone()),
            uid: object.uid(),
            resource_version: object.resource_version(),
            ..ObjectMeta::default()
        },
        status,
    };
    let api = Api::<K>::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    match api.patch_status(&name, &PatchParams::apply(OPERATOR).force(), &Patch::Apply(patch)).await {
        Ok(written) => Ok(Some(written)),
        // Gone, another object, or edited by now.
        Err(kube::Error::Api(answer)) if answer.is_not_found() || answer.is_conflict() => Ok(None),
        Err(error) => Err(Error::of(Action::WriteStatus, kind, &ObjectKey::of(object), error)),
    }
}

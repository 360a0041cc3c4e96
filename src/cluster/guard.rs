//! Objects that may be unreadable: one of them stops neither a list nor a watch.

use std::borrow::Cow;

use kube::{Resource, api::ObjectMeta, core::error_boundary::InvalidObject};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Value;

/// An object, or why it can't be read. Does what kube's `DeserializeGuard` does without a copy of each object.
#[derive(Clone, Debug)]
pub struct Guard<K>(pub Result<K, InvalidObject>);

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guard<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let error = match K::deserialize(&value) {
            Ok(object) => return Ok(Self(Ok(object))),
            Err(error) => error.to_string(),
        };
        let metadata = value.get("metadata").map(ObjectMeta::deserialize).transpose().map_err(D::Error::custom)?;
        Ok(Self(Err(InvalidObject { error, metadata: metadata.unwrap_or_default() })))
    }
}

impl<K: Resource> Resource for Guard<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &K::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &K::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &K::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &K::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|invalid| &invalid.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|invalid| &mut invalid.metadata, K::meta_mut)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn one_that_is_unreadable_is_known_by_its_metadata_and_does_not_hide_others() {
        let items = json!([
            { "metadata": { "name": "good" }, "data": { "a": "1" } },
            { "metadata": { "name": "bad", "resourceVersion": "7" }, "data": { "a": 1 } },
            { "data": [] },
        ]);
        let items: Vec<Guard<ConfigMap>> = serde_json::from_str(&items.to_string()).unwrap();
        let [Guard(Ok(good)), Guard(Err(bad)), Guard(Err(nameless))] = items.as_slice() else { panic!("{items:?}") };
        assert_eq!((good.name_any().as_str(), good.data.as_ref().map(|data| data["a"].as_str())), ("good", Some("1")));
        let metadata =
            ObjectMeta { name: Some("bad".into()), resource_version: Some("7".into()), ..ObjectMeta::default() };
        assert_eq!((&bad.metadata, bad.error.as_str()), (&metadata, "invalid type: integer `1`, expected a string"));
        assert_eq!(nameless.metadata, ObjectMeta::default());
        assert_eq!(items[1].meta().name.as_deref(), Some("bad"));
    }

    #[test]
    fn without_readable_metadata_nothing_is_known() {
        assert!(serde_json::from_str::<Guard<ConfigMap>>(r#"{"metadata":[1],"data":[]}"#).is_err());
    }
}

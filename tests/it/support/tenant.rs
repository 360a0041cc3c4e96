//! A tenant's object with its output Secret, and what a test does to both.

use std::time::Instant;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use idp_operator::api::TenantJwtSecret;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::Time};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    Scene,
    scene::{PATIENCE, version},
};

/// 48 bytes that obey every rule for HS256 and HS384.
pub const GOOD: &str = "Aa1!Bb2@Cc3#Dd4$Ee5%Ff6^Gg7&Hh8*Ii9(Jj0)Kk-_Ll=+";

/// 48 other bytes that do.
pub const OTHER: &str = "+=lL_-kK)0jJ(9iI*8hH&7gG^6fF%5eE$4dD#3cC@2bB!1aA";

/// In Base64, as the output holds it.
pub fn base64(raw: impl AsRef<[u8]>) -> String {
    STANDARD.encode(raw)
}

/// A key of a Secret's data as text.
pub fn text(secret: &Secret, key: &str) -> Option<String> {
    let bytes = secret.data.as_ref().and_then(|data| data.get(key));
    bytes.map(|bytes| String::from_utf8(bytes.0.clone()).unwrap())
}

/// Now.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// So many seconds from now, as the output has times.
pub fn after(seconds: i64) -> String {
    format!("{:.0}", now() + SignedDuration::from_secs(seconds))
}

/// One value of an output with all that describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub value: String,
    pub algorithm: String,
    pub key_id: String,
    pub time: Timestamp,
}

impl Held {
    /// Whether it is this very value, whatever its part is now.
    pub fn is(&self, other: &Self) -> bool {
        let same = [&self.value, &self.algorithm, &self.key_id] == [&other.value, &other.algorithm, &other.key_id];
        assert!(same || (self.value != other.value && self.key_id != other.key_id), "half of it: {self:?} {other:?}");
        same
    }
}

/// What an output holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    pub current: Held,
    pub previous: Option<Held>,
    pub next: Option<Held>,
}

/// Reads them. Panics where there is half of a set.
pub fn values(secret: &Secret) -> Values {
    whole(secret).unwrap_or_else(|| panic!("half a set: {:?}", secret.data.as_ref().unwrap().keys()))
}

/// Reads them; nothing where there is half of a set, or no current value.
fn whole(secret: &Secret) -> Option<Values> {
    let set = |prefix: &str, time: &str| {
        let keys = [&format!("{prefix}secret"), &format!("{prefix}algorithm"), &format!("{prefix}key-id"), time];
        let [value, algorithm, key_id, time] = keys.map(|key| text(secret, key));
        match (value, algorithm, key_id, time) {
            (Some(value), Some(algorithm), Some(key_id), Some(time)) => {
                Some(Some(Held { value, algorithm, key_id, time: time.parse().ok()? }))
            }
            (None, None, None, None) => Some(None),
            _ => None,
        }
    };
    let (current, previous) = (set("", "issued-at")??, set("previous-", "previous-expires-at")?);
    Some(Values { current, previous, next: set("next-", "next-active-at")? })
}

/// A tenant's object `acme` and its output.
pub struct Tenant<'a> {
    pub scene: &'a Scene,
    pub name: &'static str,
}

impl<'a> Tenant<'a> {
    pub fn new(scene: &'a Scene) -> Self {
        Self { scene, name: "acme" }
    }

    pub fn named(scene: &'a Scene, name: &'static str) -> Self {
        Self { scene, name }
    }

    /// A generated HS256 secret with these fields of the spec; `null` takes one away.
    pub async fn apply(&self, fields: Value) -> TenantJwtSecret {
        self.scene.apply(self.name, self.spec(fields)).await
    }

    pub fn spec(&self, fields: Value) -> Value {
        let mut spec = json!({ "tenantId": format!("{}.example.com", self.name), "signingAlgorithm": "HS256" });
        let Value::Object(fields) = fields else { panic!("no fields: {fields}") };
        for (field, value) in fields {
            if value.is_null() {
                spec.as_object_mut().unwrap().remove(&field);
            } else {
                spec[field] = value;
            }
        }
        spec
    }

    /// The same, and waits until the verdict is `Ready` and the status tells what the output holds.
    pub async fn ready(&self, fields: Value) -> (TenantJwtSecret, Values) {
        self.apply(fields).await;
        self.scene.verdict::<TenantJwtSecret>(self.name, "True", "Ready").await;
        self.settled(|_| true).await
    }

    /// Asks for a rotation.
    pub async fn rotate(&self, token: &str) {
        let annotations = json!({ "idp-operator.dev/rotate": token });
        self.scene.merge::<TenantJwtSecret>(self.name, json!({ "metadata": { "annotations": annotations } })).await;
    }

    pub async fn object(&self) -> TenantJwtSecret {
        self.scene.api().get(self.name).await.unwrap()
    }

    pub fn output_name(&self) -> String {
        format!("{}-jwt", self.name)
    }

    pub async fn output(&self) -> Secret {
        self.scene.api().get(&self.output_name()).await.unwrap()
    }

    /// Waits until the output is so.
    pub async fn until(&self, is_so: impl Fn(&Secret) -> bool) -> Secret {
        self.scene.until(&self.output_name(), is_so).await
    }

    /// Waits until the values are so.
    pub async fn values(&self, are_so: impl Fn(&Values) -> bool) -> Values {
        values(&self.until(|secret| whole(secret).is_some_and(|values| are_so(&values))).await)
    }

    /// Waits until the values are so and the status tells them.
    pub async fn settled(&self, are_so: impl Fn(&Values) -> bool) -> (TenantJwtSecret, Values) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let secret = self.scene.api::<Secret>().get_opt(&self.output_name()).await.unwrap();
            let object = self.object().await;
            let values = secret.as_ref().and_then(whole);
            let wrong = match (&secret, &values) {
                (Some(secret), Some(values)) if are_so(values) => disagreement(&object, secret),
                _ => Some("not so".to_owned()),
            };
            let Some(wrong) = wrong else { return (object, values.unwrap()) };
            assert!(Instant::now() < deadline, "{wrong}\n{values:#?}\n{:#?}", object.status);
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
    }

    /// Sets keys of the output's data; none takes one away.
    pub async fn plant(&self, data: &[(&str, Option<&str>)]) -> Secret {
        let data: serde_json::Map<_, _> =
            data.iter().map(|(key, value)| ((*key).to_owned(), json!(value.map(base64)))).collect();
        self.scene.merge(&self.output_name(), json!({ "data": data })).await
    }

    /// Takes the status away, as a restore from a backup does.
    pub async fn lose_status(&self) {
        let patch = Patch::Merge(json!({ "status": null }));
        self.scene.api::<TenantJwtSecret>().patch_status(self.name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Nothing is written to object and output for a while, though both are looked at.
    pub async fn is_quiet(&self) {
        self.settled(|_| true).await;
        let versions = async || (version(&self.object().await), version(&self.output().await));
        self.poke().await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let before = versions().await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert_eq!(versions().await, before, "written in a steady state");
    }

    /// Has the operator look at it.
    pub async fn poke(&self) {
        let annotations = json!({ "example.com/poke": now().to_string() });
        self.scene.merge::<TenantJwtSecret>(self.name, json!({ "metadata": { "annotations": annotations } })).await;
    }

    /// Creates it with these fields of the spec and a token.
    pub async fn create(&self, fields: Value, token: &str) {
        let mut object = DynamicObject::new(self.name, &ApiResource::erase::<TenantJwtSecret>(&()));
        object.metadata.annotations = Some([("idp-operator.dev/rotate".to_owned(), token.to_owned())].into());
        object.data = json!({ "spec": self.spec(fields) });
        self.dynamic().create(&PostParams::default(), &object).await.unwrap();
    }

    /// The object goes, and another one of its name comes with the same spec and annotations.
    pub async fn recreate(&self) {
        let mut object = self.dynamic().get(self.name).await.unwrap();
        self.scene.delete::<TenantJwtSecret>(self.name).await;
        object.metadata = ObjectMeta {
            name: Some(self.name.to_owned()),
            annotations: object.metadata.annotations,
            ..ObjectMeta::default()
        };
        object.data.as_object_mut().unwrap().remove("status");
        self.dynamic().create(&PostParams::default(), &object).await.unwrap();
    }

    fn dynamic(&self) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<TenantJwtSecret>(&());
        Api::namespaced_with(self.scene.client.clone(), &self.scene.namespace, &resource)
    }
}

/// What the status tells otherwise than the output is, if anything.
fn disagreement(object: &TenantJwtSecret, secret: &Secret) -> Option<String> {
    let time = |time: Option<&Time>| time.map(|time| time.0.to_string());
    let Some(status) = &object.status else { return Some("no status".to_owned()) };
    let Values { current, previous, next } = values(secret);
    let is_owned = secret.owner_references().iter().any(|owner| Some(&owner.uid) == object.uid().as_ref());
    let tokens = text(secret, "rotate-tokens").unwrap_or_default();
    let fields = [
        ("secretName", status.secret_name.clone(), secret.metadata.name.clone()),
        ("keyId", status.key_id.clone(), Some(current.key_id)),
        ("algorithm", status.algorithm.clone(), Some(current.algorithm)),
        ("issuedTime", time(status.issued_time.as_ref()), Some(current.time.to_string())),
        (
            "previousExpiresTime",
            time(status.previous_expires_time.as_ref()),
            previous.map(|previous| previous.time.to_string()),
        ),
        ("rotateToken", status.rotate_token.clone(), tokens.lines().last().map(str::to_owned)),
        (
            "deletionPolicy",
            status.deletion_policy.map(|policy| format!("{policy:?}")),
            Some(if is_owned { "Delete" } else { "Retain" }.to_owned()),
        ),
    ];
    let differs = fields.into_iter().find(|(_, told, is)| told != is);
    let differs = differs.map(|(what, told, is)| format!("{what} is told to be {told:?}, but is {is:?}"));
    let is_foreseen = status.core.condition("AlgorithmConfigured").is_some_and(|condition| condition.status == "True");
    let interval = object.spec.rotation.interval.filter(|_| is_foreseen && next.is_none());
    let rotates = status.next_rotation_time.as_ref().map(|time| time.0);
    let is_right = match interval.map(|interval| SignedDuration::try_from(std::time::Duration::from(interval)).unwrap())
    {
        // A twentieth of spread.
        Some(interval) => rotates.is_some_and(|rotates| {
            rotates >= current.time + interval && rotates <= current.time + interval + interval / 20
        }),
        None => rotates == next.map(|next| next.time),
    };
    differs.or_else(|| (!is_right).then(|| format!("nextRotationTime is told to be {rotates:?}")))
}

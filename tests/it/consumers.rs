//! Services that use a tenant's secret: they sign and verify tokens with what a pod sees of it.

mod reload;

use idp_operator::{api::TenantJwtSecret, domain::secret_output::Role};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
    errors::{Error, ErrorKind},
    get_current_timestamp,
    jwk::JwkSet,
};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use rstest::rstest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::{Mount, Operator, Scene};

/// What is signed.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    pub sub: String,
    pub exp: u64,
}

impl Claims {
    /// Of a user, good for five minutes.
    pub fn of(sub: &str) -> Self {
        Self { sub: sub.to_owned(), exp: get_current_timestamp() + 300 }
    }
}

/// A token of these claims, signed with this value of a mounted Secret.
pub fn sign(mount: &Mount, role: Role, claims: &Claims) -> String {
    let [value, algorithm, key_id, _] = role.keys().map(|name| mount.file(name));
    let text = |bytes: std::io::Result<Vec<u8>>| String::from_utf8(bytes.unwrap()).unwrap();
    let algorithm: Algorithm = text(algorithm).parse().unwrap();
    let header = Header { kid: Some(text(key_id)), ..Header::new(algorithm) };
    encode(&header, claims, &EncodingKey::from_base64_secret(&text(value)).unwrap()).unwrap()
}

/// Verifies a token with this key.
pub fn verify_with(key: &DecodingKey, algorithm: Algorithm, token: &str) -> Result<Claims, Error> {
    decode::<Claims>(token, key, &Validation::new(algorithm)).map(|data| data.claims)
}

/// Verifies a token with the value of a mounted Secret that has the token's `kid`.
pub fn verify(mount: &Mount, token: &str) -> Result<Claims, Error> {
    let kid = decode_header(token)?.kid.unwrap();
    for role in Role::ALL {
        let [value, algorithm, key_id, _] = role.keys();
        if mount.file(key_id).is_ok_and(|id| id == kid.as_bytes()) {
            let key = DecodingKey::from_base64_secret(&mount.text(value))?;
            return verify_with(&key, mount.text(algorithm).parse()?, token);
        }
    }
    Err(ErrorKind::InvalidKeyFormat.into())
}

/// Verifies a token with the key of a mounted `jwks.json` that has the token's `kid`.
pub fn verify_by_set(mount: &Mount, token: &str) -> Result<Claims, Error> {
    let set: JwkSet = serde_json::from_slice(&mount.file("jwks.json").unwrap()).unwrap();
    let kid = decode_header(token)?.kid.unwrap();
    let jwk = set.find(&kid).ok_or(ErrorKind::InvalidKeyFormat)?;
    let algorithm = jwk.common.key_algorithm.unwrap().to_string().parse()?;
    verify_with(&DecodingKey::from_jwk(jwk)?, algorithm, token)
}

/// A tenant whose secret an operator makes, and the secret as a pod sees it.
pub struct Tenant {
    pub mount: Mount,
    scene: Scene,
    spec: Value,
    _operator: Operator,
}

impl Tenant {
    /// One with this algorithm and `rotation`, and with all forms of the value.
    pub async fn new(algorithm: &str, rotation: Value) -> Self {
        let scene = Scene::new("consumers").await;
        let operator = scene.operator().await;
        let spec = json!({
            "tenantId": "acme.example.com",
            "signingAlgorithm": algorithm,
            "rotation": rotation,
            "outputs": { "jwks": true, "raw": true },
        });
        scene.apply::<TenantJwtSecret>("acme", spec.clone()).await;
        scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
        let mount = Mount::new(&scene.api::<Secret>().get("acme-jwt").await.unwrap());
        Self { mount, scene, spec, _operator: operator }
    }

    /// Asks for a rotation, by a token that was not used before, and waits until it is under way.
    pub async fn rotate(&mut self) {
        let known = self.mount.file("rotate-tokens").unwrap_or_default();
        let token = json!({ "metadata": { "annotations": { "idp-operator.dev/rotate": format!("{}", known.len()) } } });
        self.scene.merge::<TenantJwtSecret>("acme", token).await;
        self.follow(|secret| bytes(secret, "rotate-tokens").len() > known.len()).await;
    }

    /// Sets another `rotation`, and waits until the Secret is so.
    pub async fn set(&mut self, rotation: Value, is_so: impl Fn(&Secret) -> bool) {
        self.spec["rotation"] = rotation;
        self.scene.apply::<TenantJwtSecret>("acme", self.spec.clone()).await;
        self.follow(is_so).await;
    }

    async fn follow(&mut self, is_so: impl Fn(&Secret) -> bool) {
        let secret = self.scene.until::<Secret>("acme-jwt", is_so).await;
        self.mount.update(&secret);
    }

    /// The same files, but for one.
    pub fn mount_with(&self, name: &str, bytes: &[u8]) -> Mount {
        let files = self.mount.read().into_iter().chain([(name.to_owned(), bytes.to_vec())]);
        let data = files.map(|(name, bytes)| (name, ByteString(bytes))).collect();
        Mount::new(&Secret { data: Some(data), ..Secret::default() })
    }

    /// Ids of the keys in `jwks.json`.
    pub fn ids(&self) -> Vec<String> {
        let set: JwkSet = serde_json::from_slice(&self.mount.file("jwks.json").unwrap()).unwrap();
        set.keys.into_iter().map(|key| key.common.key_id.unwrap()).collect()
    }
}

/// A value of a Secret; empty where there is none.
pub fn bytes<'a>(secret: &'a Secret, name: &str) -> &'a [u8] {
    secret.data.as_ref().and_then(|data| data.get(name)).map(|bytes| bytes.0.as_slice()).unwrap_or_default()
}

#[rstest]
#[case(Algorithm::HS256)]
#[case(Algorithm::HS384)]
#[case(Algorithm::HS512)]
#[tokio::test]
async fn a_generated_value_signs_and_verifies_from_a_mounted_file_in_each_of_its_forms(#[case] algorithm: Algorithm) {
    let tenant = Tenant::new(&format!("{algorithm:?}"), json!({})).await;
    let mount = &tenant.mount;
    let claims = Claims::of("mini");
    let token = sign(mount, Role::Current, &claims);
    assert_eq!(verify(mount, &token).unwrap(), claims);
    assert_eq!(verify_by_set(mount, &token).unwrap(), claims);

    // The bytes of the file are the key.
    let raw = mount.file("raw").unwrap();
    assert_eq!(verify_with(&DecodingKey::from_secret(&raw), algorithm, &token).unwrap(), claims);
    let header = Header { kid: Some(mount.text("key-id")), ..Header::new(algorithm) };
    let token = encode(&header, &claims, &EncodingKey::from_secret(&raw)).unwrap();
    assert_eq!(verify(mount, &token).unwrap(), claims);

    // Any other bytes are not, the Base64 text included.
    let mut other = raw.clone();
    other[0] ^= 1;
    for key in [other, mount.file("secret").unwrap()] {
        let refused = verify_with(&DecodingKey::from_secret(&key), algorithm, &token).unwrap_err();
        assert_eq!(*refused.kind(), ErrorKind::InvalidSignature);
    }
}

#[tokio::test]
async fn tokens_of_both_values_verify_in_the_grace_period_and_those_of_the_old_one_not_after_it() {
    let mut tenant = Tenant::new("HS256", json!({ "gracePeriod": "1h" })).await;
    let claims = Claims::of("mini");
    let old = sign(&tenant.mount, Role::Current, &claims);
    let old_id = tenant.mount.text("key-id");
    tenant.rotate().await;
    let new = sign(&tenant.mount, Role::Current, &claims);
    let new_id = tenant.mount.text("key-id");
    assert_eq!(tenant.ids(), [new_id.clone(), old_id]);
    for token in [&old, &new] {
        assert_eq!(verify(&tenant.mount, token).unwrap(), claims);
        assert_eq!(verify_by_set(&tenant.mount, token).unwrap(), claims);
    }

    tenant.set(json!({ "gracePeriod": "0s" }), |secret| bytes(secret, "previous-secret").is_empty()).await;
    assert_eq!(tenant.ids(), [new_id]);
    assert_eq!(verify_by_set(&tenant.mount, &new).unwrap(), claims);
    assert!(verify(&tenant.mount, &old).is_err() && verify_by_set(&tenant.mount, &old).is_err());
}

#[tokio::test]
async fn the_next_value_verifies_in_the_lead_time_and_signs_only_after_it() {
    let mut tenant = Tenant::new("HS512", json!({ "gracePeriod": "1h", "leadTime": "1h" })).await;
    let claims = Claims::of("mini");
    let id = tenant.mount.text("key-id");
    tenant.rotate().await;
    let next_id = tenant.mount.text("next-key-id");
    assert_eq!(tenant.mount.text("key-id"), id);
    assert_eq!(tenant.ids(), [id.clone(), next_id.clone()]);
    // As another service does that has seen the promotion before this one.
    let early = sign(&tenant.mount, Role::Next, &claims);
    assert_eq!(verify(&tenant.mount, &early).unwrap(), claims);
    assert_eq!(verify_by_set(&tenant.mount, &early).unwrap(), claims);

    let promoted = next_id.clone();
    tenant.set(json!({ "gracePeriod": "1h" }), |secret| bytes(secret, "key-id") == promoted.as_bytes()).await;
    assert_eq!(tenant.ids(), [next_id.clone(), id]);
    let token = sign(&tenant.mount, Role::Current, &claims);
    assert_eq!(decode_header(&token).unwrap().kid, Some(next_id));
    assert_eq!(verify_by_set(&tenant.mount, &early).unwrap(), claims);
}

#[test]
fn a_mount_swaps_all_files_at_once_and_only_for_a_change() {
    let secret = |pairs: &[(&str, &str)]| {
        let data = pairs.iter().map(|(name, text)| ((*name).to_owned(), ByteString((*text).into())));
        Secret { data: Some(data.collect()), ..Secret::default() }
    };
    let first = secret(&[("a", "1"), ("b", "2")]);
    let mut mount = Mount::new(&first);
    let version = mount.version();
    mount.update(&first);
    assert_eq!(mount.version(), version);
    mount.update(&secret(&[("b", "3"), ("c", "4")]));
    assert_ne!(mount.version(), version);
    assert!(mount.file("a").is_err());
    assert_eq!((mount.text("b"), mount.text("c")), ("3".to_owned(), "4".to_owned()));
}

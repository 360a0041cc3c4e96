//! Keys, and tokens signed with them by `aws-lc-rs` itself.
#![cfg(test)]

use std::sync::LazyLock;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
        RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::domain::jwk::{self, PublicKey};

pub static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
pub static P256: LazyLock<Signer> =
    LazyLock::new(|| Signer::Ecdsa("P-256", EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()));
pub static P384: LazyLock<Signer> =
    LazyLock::new(|| Signer::Ecdsa("P-384", EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()));
pub static ED25519: LazyLock<Signer> = LazyLock::new(Signer::ed25519);
/// A key that is never published.
pub static STRANGER: LazyLock<Signer> = LazyLock::new(Signer::ed25519);

/// The private half of a key.
pub enum Signer {
    Rsa(RsaKeyPair),
    Ecdsa(&'static str, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    pub fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    /// One that can sign with the algorithm.
    pub fn of(algorithm: &str) -> &'static Self {
        match algorithm {
            "ES256" => &P256,
            "ES384" => &P384,
            "EdDSA" => &ED25519,
            _ => &RSA,
        }
    }

    pub fn jwk(&self) -> Map<String, Value> {
        let jwk = match self {
            Self::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({ "kty": "RSA", "n": encode(n), "e": encode(e) })
            }
            Self::Ecdsa(curve, pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Self::Ed25519(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key()) }),
        };
        jwk.as_object().unwrap().clone()
    }

    pub fn public(&self, id: Option<&str>) -> PublicKey {
        let mut jwk = self.jwk();
        if let Some(id) = id {
            jwk.insert("kid".to_owned(), json!(id));
        }
        jwk::read(&jwk).unwrap()
    }

    pub fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match algorithm {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    other => panic!("RSA does not sign with {other}"),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Self::Ecdsa(_, pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token of header and claims as they stand, whatever they are.
    pub fn signed(&self, algorithm: &str, header: &[u8], claims: &[u8]) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = encode(self.sign(algorithm, message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// A token, signed with the header's algorithm.
    pub fn token(&self, header: &Value, claims: &Map<String, Value>) -> String {
        let claims = serde_json::to_vec(claims).unwrap();
        self.signed(header["alg"].as_str().unwrap(), header.to_string().as_bytes(), &claims)
    }
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

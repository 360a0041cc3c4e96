//! Keys of an identity provider, and tokens that it, or somebody else, signs.

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
        RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::get_current_timestamp;
use serde_json::{Value, json};

/// A key pair with its `kid`.
pub struct Key {
    pub id: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(&'static str, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    pub fn rsa(id: &'static str) -> Self {
        Self { id, pair: Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()) }
    }

    pub fn p256(id: &'static str) -> Self {
        Self { id, pair: Pair::Ecdsa("P-256", EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()) }
    }

    pub fn p384(id: &'static str) -> Self {
        Self { id, pair: Pair::Ecdsa("P-384", EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()) }
    }

    pub fn ed25519(id: &'static str) -> Self {
        Self { id, pair: Pair::Ed25519(Ed25519KeyPair::generate().unwrap()) }
    }

    /// Its public half. It does not say for which algorithm it is.
    fn jwk(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({ "kty": "RSA", "kid": self.id, "n": encode(n), "e": encode(e) })
            }
            Pair::Ecdsa(curve, pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "kid": self.id, "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "kid": self.id, "crv": "Ed25519", "x": encode(pair.public_key()) })
            }
        }
    }

    fn public(&self) -> &[u8] {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::Ecdsa(_, pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => {
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
            Pair::Ecdsa(_, pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token, signed with this algorithm.
    pub fn token(&self, algorithm: &str, claims: &Value) -> String {
        self.token_as(self.id, algorithm, claims)
    }

    /// The same, that names another key.
    pub fn token_as(&self, id: &str, algorithm: &str, claims: &Value) -> String {
        let header = json!({ "alg": algorithm, "kid": id });
        compact(&header, claims, |message| self.sign(algorithm, message))
    }

    /// The same, with an extension that must be understood (RFC 7515, section 4.1.11), and nobody does.
    pub fn critical(&self, algorithm: &str, claims: &Value) -> String {
        let header = json!({ "alg": algorithm, "kid": self.id, "crit": ["unheard-of"], "unheard-of": true });
        compact(&header, claims, |message| self.sign(algorithm, message))
    }

    /// A token that says that it needs no signature.
    pub fn unsigned(&self, claims: &Value) -> String {
        compact(&json!({ "alg": "none", "kid": self.id }), claims, |_| Vec::new())
    }

    /// A token whose signature is made with what everybody knows of the key, as a shared secret.
    pub fn confused(&self, claims: &Value) -> String {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, self.public());
        let header = json!({ "alg": "HS256", "kid": self.id });
        compact(&header, claims, |message| hmac::sign(&secret, message).as_ref().to_vec())
    }
}

fn compact(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", encode(signature))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A set of these keys.
pub fn jwks(keys: &[&Key]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}

/// Good claims of the user `mini`, for five minutes.
pub fn claims(issuer: &str, audience: &str) -> Value {
    let now = get_current_timestamp();
    json!({ "iss": issuer, "aud": audience, "sub": "mini", "iat": now, "exp": now + 300 })
}

/// The same, but for one; null: without it.
pub fn but(claims: &Value, name: &str, value: Value) -> Value {
    let mut changed = claims.clone();
    if value.is_null() {
        changed.as_object_mut().unwrap().remove(name);
    } else {
        changed[name] = value;
    }
    changed
}

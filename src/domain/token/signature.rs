//! Signatures (RFC 7518, section 3; RFC 8037, section 3.1).

use jsonwebtoken::{Algorithm as Jwa, DecodingKey, crypto::aws_lc::DEFAULT_PROVIDER};
use serde_json::Value;

use crate::domain::jwk::PublicKey;

/// The supported algorithms, all of them asymmetric: by an HMAC with a public key as its secret anybody could sign
/// (RFC 8725, section 2.1).
pub const ALGORITHMS: [&str; 9] = ["ES256", "ES384", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"];

/// A supported algorithm.
#[derive(Clone, Copy)]
pub struct Algorithm {
    /// Its name, of [`ALGORITHMS`].
    pub name: &'static str,
    jwa: Jwa,
}

impl Algorithm {
    /// The algorithm of this name, in exactly this case.
    pub fn named(name: &str) -> Option<Self> {
        let name = ALGORITHMS.into_iter().find(|known| *known == name)?;
        let jwa = match name {
            "ES256" => Jwa::ES256,
            "ES384" => Jwa::ES384,
            "EdDSA" => Jwa::EdDSA,
            "PS256" => Jwa::PS256,
            "PS384" => Jwa::PS384,
            "PS512" => Jwa::PS512,
            "RS256" => Jwa::RS256,
            "RS384" => Jwa::RS384,
            "RS512" => Jwa::RS512,
            _ => return None,
        };
        Some(Self { name, jwa })
    }

    /// Whether this is the key's signature of the message.
    // A vector, as that is what the crate's trait takes.
    pub fn verifies(self, key: &PublicKey, message: &[u8], signature: &Vec<u8>) -> bool {
        // Not the process's default provider: that panics where two are compiled in and none was chosen.
        decoding_key(key)
            .and_then(|key| (DEFAULT_PROVIDER.verifier_factory)(&self.jwa, &key).ok())
            .is_some_and(|verifier| verifier.verify(message, signature).is_ok())
    }
}

fn decoding_key(key: &PublicKey) -> Option<DecodingKey> {
    let text = |name| key.canonical.get(name).and_then(Value::as_str);
    match text("kty")? {
        "RSA" => DecodingKey::from_rsa_components(text("n")?, text("e")?).ok(),
        "EC" => DecodingKey::from_ec_components(text("x")?, text("y")?).ok(),
        "OKP" => DecodingKey::from_ed_components(text("x")?).ok(),
        _ => None,
    }
}

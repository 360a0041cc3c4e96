//! Signatures (RFC 7518, section 3; RFC 8037, section 3.1).

use jsonwebtoken::{Algorithm as Jwa, DecodingKey, crypto::aws_lc::DEFAULT_PROVIDER};
use serde_json::Value;

use crate::{api::identity_provider::Algorithm, domain::jwk::PublicKey};

/// Whether this is the key's signature of the message, by the algorithm.
// A vector, as that is what the crate's trait takes.
pub fn holds(algorithm: Algorithm, key: &PublicKey, message: &[u8], signature: &Vec<u8>) -> bool {
    let algorithm = match algorithm {
        Algorithm::ES256 => Jwa::ES256,
        Algorithm::ES384 => Jwa::ES384,
        Algorithm::EdDSA => Jwa::EdDSA,
        Algorithm::PS256 => Jwa::PS256,
        Algorithm::PS384 => Jwa::PS384,
        Algorithm::PS512 => Jwa::PS512,
        Algorithm::RS256 => Jwa::RS256,
        Algorithm::RS384 => Jwa::RS384,
        Algorithm::RS512 => Jwa::RS512,
    };
    // Not the process's default provider: that panics where two are compiled in and none was chosen.
    decoding_key(key)
        .and_then(|key| (DEFAULT_PROVIDER.verifier_factory)(&algorithm, &key).ok())
        .is_some_and(|verifier| verifier.verify(message, signature).is_ok())
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

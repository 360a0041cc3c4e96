//! Public keys in the form of RFC 7517, made when they are asked for. Their private halves are dropped at once.

use aws_lc_rs::{
    error::Unspecified,
    rsa::{self, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::Error;

/// `RSAPublicKey` (RFC 8017, appendix A.1.1) in DER, of a 2048-bit modulus and the exponent 65537, but for the modulus.
const RSA_2048_PREFIX: [u8; 9] = [0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00];
const RSA_65537_SUFFIX: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];

/// An RSA key of 2048 bits, for RS256.
pub fn rsa(kid: &str) -> Result<Value, Error> {
    let pair = rsa::KeyPair::generate(KeySize::Rsa2048)?;
    let modulus = pair
        .public_key()
        .as_ref()
        .strip_prefix(&RSA_2048_PREFIX)
        .and_then(|rest| rest.strip_suffix(&RSA_65537_SUFFIX))
        .ok_or("the RSA key is not in the form expected")?;
    Ok(json!({ "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": base64(modulus), "e": "AQAB" }))
}

/// A key on the curve P-256, for ES256.
pub fn p256(kid: &str) -> Result<Value, Error> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    // 4, then both coordinates (SEC 1, section 2.3.3).
    let coordinates =
        pair.public_key().as_ref().strip_prefix(&[4]).ok_or("the P-256 key is not in the form expected")?;
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    Ok(json!({ "kty": "EC", "kid": kid, "use": "sig", "crv": "P-256", "x": base64(x), "y": base64(y) }))
}

/// A key on the curve Ed25519, for `EdDSA`.
pub fn ed25519(kid: &str) -> Result<Value, Unspecified> {
    let pair = Ed25519KeyPair::generate()?;
    let x = base64(pair.public_key().as_ref());
    Ok(json!({ "kty": "OKP", "kid": kid, "use": "sig", "crv": "Ed25519", "x": x }))
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

//! One JSON Web Key (RFC 7517; parameters: RFC 7518, section 6, and RFC 8037): can it verify signatures, and with which
//! algorithms?

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::api::identity_provider::Algorithm;

/// Longest `kid` that is accepted.
pub const MAX_KEY_ID: usize = 256;

const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
const RSA_ALGORITHMS: [&str; 6] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

/// A public key that can verify signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// `kid`.
    pub id: Option<String>,
    /// The algorithms it can be used with.
    pub algorithms: Vec<&'static str>,
    /// The key in its canonical form: known members only, with `alg` where only one is possible.
    pub canonical: Map<String, Value>,
}

impl PublicKey {
    /// The key as it can be used with these algorithms only; nothing where it can't be.
    #[must_use]
    pub fn under(&self, permitted: &[Algorithm]) -> Option<Self> {
        let mut key = self.clone();
        key.algorithms.retain(|name| permitted.iter().any(|algorithm| algorithm.as_str() == *name));
        match key.algorithms.as_slice() {
            [] => return None,
            [only] => key.canonical.insert("alg".to_owned(), json!(only)),
            _ => None,
        };
        Some(key)
    }
}

/// Why a key of a set is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// RSA modulus outside 2048..8192 bits, or a public exponent that makes signatures worthless.
    TooWeak,
    /// A parameter is missing, of the wrong size or not unpadded base64url.
    BadEncoding,
    /// A curve, key type or algorithm that is not known, or a key that is not for signatures.
    Unusable,
}

/// Whether the key is for signatures as far as `use` and `key_ops` say (RFC 7517, sections 4.2 and 4.3).
#[must_use]
pub fn is_for_signatures(key: &Map<String, Value>) -> bool {
    let use_ = key.get("use").is_none_or(|value| value == "sig");
    let operations = key
        .get("key_ops")
        .is_none_or(|value| value.as_array().is_some_and(|all| all.iter().any(|operation| operation == "verify")));
    use_ && operations
}

/// Whether it shows a private parameter (RFC 7518, sections 6.2.2 and 6.3.2; RFC 8037, section 2).
#[must_use]
pub fn is_private(key: &Map<String, Value>) -> bool {
    text(key, "kty") != Some("oct")
        && ["d", "p", "q", "dp", "dq", "qi", "oth"].iter().any(|member| key.contains_key(*member))
}

/// Whether it is a shared secret (RFC 7518, section 6.4).
#[must_use]
pub fn is_symmetric(key: &Map<String, Value>) -> bool {
    key.get("kty").is_some_and(|kty| kty == "oct") || key.contains_key("k")
}

/// Reads a public key.
///
/// # Errors
/// Why it can't be used.
pub fn read(key: &Map<String, Value>) -> Result<PublicKey, Skip> {
    if !is_for_signatures(key) {
        return Err(Skip::Unusable);
    }
    let (possible, mut canonical) = match text(key, "kty") {
        Some("RSA") => rsa(key)?,
        Some("EC") => elliptic_curve(key)?,
        Some("OKP") => edwards_curve(key)?,
        _ => return Err(Skip::Unusable),
    };
    let algorithms = match key.get("alg") {
        None => possible,
        Some(alg) => possible.into_iter().filter(|name| alg == *name).collect(),
    };
    let id = match key.get("kid") {
        None => None,
        Some(Value::String(id)) if id.len() <= MAX_KEY_ID => Some(id.clone()),
        Some(_) => return Err(Skip::BadEncoding),
    };
    match algorithms.as_slice() {
        [] => return Err(Skip::Unusable),
        [only] => {
            canonical.insert("alg".to_owned(), json!(only));
        }
        _ => {}
    }
    if let Some(id) = &id {
        canonical.insert("kid".to_owned(), json!(id));
    }
    canonical.insert("use".to_owned(), json!("sig"));
    Ok(PublicKey { id, algorithms, canonical })
}

type Parameters = (Vec<&'static str>, Map<String, Value>);

fn rsa(key: &Map<String, Value>) -> Result<Parameters, Skip> {
    let modulus = unsigned(&bytes(key, "n")?)?;
    let exponent = unsigned(&bytes(key, "e")?)?;
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    // With an exponent of 1 every text is its own signature.
    if !RSA_BITS.contains(&bits(&modulus)) || !is_odd(&modulus) || !is_odd(&exponent) || bits(&exponent) < 2 {
        return Err(Skip::TooWeak);
    }
    if bits(&exponent) > 33 {
        return Err(Skip::BadEncoding);
    }
    Ok((
        RSA_ALGORITHMS.to_vec(),
        members([
            ("e", URL_SAFE_NO_PAD.encode(exponent)),
            ("kty", "RSA".to_owned()),
            ("n", URL_SAFE_NO_PAD.encode(modulus)),
        ]),
    ))
}

fn elliptic_curve(key: &Map<String, Value>) -> Result<Parameters, Skip> {
    let (curve, size, algorithm) = match text(key, "crv") {
        Some("P-256") => ("P-256", 32, "ES256"),
        Some("P-384") => ("P-384", 48, "ES384"),
        _ => return Err(Skip::Unusable),
    };
    Ok((
        vec![algorithm],
        members([
            ("crv", curve.to_owned()),
            ("kty", "EC".to_owned()),
            ("x", coordinate(key, "x", size)?),
            ("y", coordinate(key, "y", size)?),
        ]),
    ))
}

fn edwards_curve(key: &Map<String, Value>) -> Result<Parameters, Skip> {
    if text(key, "crv") != Some("Ed25519") {
        return Err(Skip::Unusable);
    }
    Ok((
        vec!["EdDSA"],
        members([("crv", "Ed25519".to_owned()), ("kty", "OKP".to_owned()), ("x", coordinate(key, "x", 32)?)]),
    ))
}

fn members<const N: usize>(members: [(&str, String); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
}

fn text<'a>(key: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    key.get(name).and_then(Value::as_str)
}

fn bytes(key: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Skip> {
    text(key, name).and_then(|value| URL_SAFE_NO_PAD.decode(value).ok()).ok_or(Skip::BadEncoding)
}

fn coordinate(key: &Map<String, Value>, name: &str, size: usize) -> Result<String, Skip> {
    let value = bytes(key, name)?;
    if value.len() == size { Ok(URL_SAFE_NO_PAD.encode(value)) } else { Err(Skip::BadEncoding) }
}

/// The number without leading zeros; zero itself is no key parameter.
fn unsigned(number: &[u8]) -> Result<Vec<u8>, Skip> {
    let digits: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
    if digits.is_empty() { Err(Skip::BadEncoding) } else { Ok(digits) }
}

fn bits(number: &[u8]) -> usize {
    let leading = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    number.len() * 8 - leading
}

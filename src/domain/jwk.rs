//! One JSON Web Key (RFC 7517; parameters: RFC 7518, section 6, and RFC 8037): can it verify signatures, and with which
//! algorithms?

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, EcdsaVerificationAlgorithm, ParsedPublicKey,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::api::identity_provider::Algorithm;

/// Longest `kid` that is accepted, in bytes.
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
    /// RSA modulus outside 2048..8192 bits, or parameters by which anybody can sign.
    TooWeak,
    /// A parameter is missing, of the wrong size, not unpadded base64url or no point of its curve; or `kid` is not a text
    /// of at most [`MAX_KEY_ID`] bytes without control or unseen characters.
    BadEncoding,
    /// A curve, key type or algorithm that is not known or not there, or a key that is not for signatures.
    Unusable,
}

/// Whether it steers a terminal, is not seen, or changes how what stands beside it is seen (Unicode Standard Annex 9).
fn steers(character: char) -> bool {
    let unseen = [
        '\u{ad}'..='\u{ad}',
        '\u{61c}'..='\u{61c}',
        '\u{180e}'..='\u{180e}',
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
        '\u{feff}'..='\u{feff}',
        '\u{fff9}'..='\u{fffb}',
        '\u{e0000}'..='\u{e007f}',
    ];
    character.is_control() || unseen.iter().any(|range| range.contains(&character))
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
        && ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"].iter().any(|member| shows(key, member))
}

/// Whether it is a shared secret (RFC 7518, section 6.4).
#[must_use]
pub fn is_symmetric(key: &Map<String, Value>) -> bool {
    key.get("kty").is_some_and(|kty| kty == "oct") || shows(key, "k")
}

/// Some serializers write `null` for a parameter that a key doesn't have: nothing is shown by that.
fn shows(key: &Map<String, Value>, member: &str) -> bool {
    key.get(member).is_some_and(|value| !value.is_null())
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
        // It is shown to people.
        Some(Value::String(id)) if id.len() <= MAX_KEY_ID && !id.contains(steers) => Some(id.clone()),
        Some(_) => return Err(Skip::BadEncoding),
    };
    if let Some(id) = &id {
        canonical.insert("kid".to_owned(), json!(id));
    }
    canonical.insert("use".to_owned(), json!("sig"));
    PublicKey { id, algorithms, canonical }.under(&Algorithm::ALL).ok_or(Skip::Unusable)
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
    let (curve, size, algorithm, verification): (_, _, _, &'static EcdsaVerificationAlgorithm) = match text(key, "crv")
    {
        Some("P-256") => ("P-256", 32, "ES256", &ECDSA_P256_SHA256_FIXED),
        Some("P-384") => ("P-384", 48, "ES384", &ECDSA_P384_SHA384_FIXED),
        _ => return Err(Skip::Unusable),
    };
    let (x, y) = (coordinate(key, "x", size)?, coordinate(key, "y", size)?);
    // Some verifiers refuse the whole set for one point that is not on its curve.
    let point = [&[UNCOMPRESSED], x.as_slice(), y.as_slice()].concat();
    ParsedPublicKey::new(verification, point).map_err(|_| Skip::BadEncoding)?;
    Ok((
        vec![algorithm],
        members([
            ("crv", curve.to_owned()),
            ("kty", "EC".to_owned()),
            ("x", URL_SAFE_NO_PAD.encode(x)),
            ("y", URL_SAFE_NO_PAD.encode(y)),
        ]),
    ))
}

/// What a point begins with that has both coordinates (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;

// That an Ed25519 key is a point at all is not judged: no library that is in use asks when it loads one, and a signature
// never holds with one that is none.
fn edwards_curve(key: &Map<String, Value>) -> Result<Parameters, Skip> {
    if text(key, "crv") != Some("Ed25519") {
        return Err(Skip::Unusable);
    }
    let x = coordinate(key, "x", 32)?;
    if is_of_small_order(&x) {
        return Err(Skip::TooWeak);
    }
    Ok((
        vec!["EdDSA"],
        members([("crv", "Ed25519".to_owned()), ("kty", "OKP".to_owned()), ("x", URL_SAFE_NO_PAD.encode(x))]),
    ))
}

/// Whether it is one of the eight points of edwards25519 by which anybody can sign, in any of its encodings: for one, all
/// bytes zero. (The list: libsodium, `ge25519_has_small_order`; the first bit of the last byte is the sign of x.)
fn is_of_small_order(point: &[u8]) -> bool {
    const OF_ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let Some((last, rest)) = point.split_last() else {
        return false;
    };
    let last = last & 0x7f;
    let Some((first, between)) = rest.split_first() else {
        return false;
    };
    // y is 0 or 1; or -1, or 0 or 1 with the prime 2^255 - 19 added to it.
    let is_small = last == 0 && *first <= 1 && between.iter().all(|byte| *byte == 0);
    let is_near_the_prime = last == 0x7f && (0xec..=0xee).contains(first) && between.iter().all(|byte| *byte == 0xff);
    let is_of_order_8 = OF_ORDER_8.iter().any(|listed| listed.split_last() == Some((&last, rest)));
    is_small || is_near_the_prime || is_of_order_8
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

fn coordinate(key: &Map<String, Value>, name: &str, size: usize) -> Result<Vec<u8>, Skip> {
    let value = bytes(key, name)?;
    if value.len() == size { Ok(value) } else { Err(Skip::BadEncoding) }
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

//! Judges JSON Web Tokens (RFC 7519) in the compact form (RFC 7515, section 7.1) against an identity provider's terms and
//! keys, as RFC 8725 advises.
//!
//! Of `jsonwebtoken` only the signature check is used. What a token says is read and judged here, since that crate accepts
//! a `crit` that nobody understands, claims that are missing unless each is listed, `nbf` of any time by default, and a
//! member that stands twice.
//!
//! A token is judged in this order, and the first thing wrong is told: its size, its three parts, the header, the key,
//! the signature, the claims. So no claim of a token is read before its signature holds.
//!
//! A header's `typ` may say anything but that this is one of the things that are known to be no access or ID token: to ask
//! for the right ones only, as RFC 8725 (section 3.11) advises for new uses, would refuse what providers issue. Claims that
//! are not registered in RFC 7519 are not judged. The headers `jwk`, `jku`, `x5c` and `x5u`, by which a token brings a key along, are never used.

mod claims;
mod header;
mod json;
mod refusal;
mod signature;
#[cfg(test)]
pub(in crate::domain) mod tests;

use std::time::Duration;

use jiff::Timestamp;

use self::header::Header;
pub use self::{
    claims::judge_claims,
    refusal::{Part, Refusal},
};
use super::jwk::PublicKey;
use crate::api::identity_provider::Algorithm;

/// Longest token that is looked at, in bytes.
pub const MAX_BYTES: usize = 8 * 1024;

/// Most keys that are tried for a token that names none.
pub const MAX_ATTEMPTS: usize = 8;

/// What a token must be like.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// What `iss` must be, byte for byte.
    pub issuer: &'a str,
    /// Any one of them must be in `aud`. Empty: `aud` is not checked, but for its type.
    pub audiences: &'a [String],
    /// The algorithms that a token may be signed with, all of them asymmetric: by an HMAC with a public key as its secret
    /// anybody could sign (RFC 8725, section 2.1). Empty: none is permitted.
    pub algorithms: &'a [Algorithm],
    /// By how much the clocks of issuer and judge may differ: each bound in time is relaxed by it.
    pub clock_skew: Duration,
    /// Greatest age by `iat`. None: any.
    pub max_token_age: Option<Duration>,
}

/// How an accepted token was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted<'a> {
    /// The key that its signature holds with.
    pub key: &'a PublicKey,
    /// Its algorithm.
    pub algorithm: Algorithm,
}

/// The token in a header's value: all of it, or what follows the scheme `Bearer`, in upper or lower case, and one or more
/// spaces (RFC 6750, section 2.1; RFC 9110, sections 11.1 and 11.4). Spaces and tabs around the value are no part of it
/// (RFC 9110, section 5.5).
///
/// # Errors
/// [`Refusal::NotABearer`] when it holds nothing, no token, another scheme or other white space.
pub fn judge_header_value(value: &str) -> Result<&str, Refusal> {
    let value = value.trim_matches([' ', '\t']);
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => token.trim_start_matches(' '),
        Some(_) => return Err(Refusal::NotABearer),
        None => value,
    };
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token && !token.eq_ignore_ascii_case("Bearer") { Ok(token) } else { Err(Refusal::NotABearer) }
}

/// Judges a token as it is at a time, by the keys of a judged set.
///
/// A token that names a key by `kid` is judged with that key. For one that names none, up to [`MAX_ATTEMPTS`] keys of its
/// algorithm are tried, in their order. Its work is bounded by that and by [`MAX_BYTES`].
///
/// # Errors
/// The first thing that is wrong. [`Refusal::UnknownKey`] says that no key has the token's `kid`: nothing further is
/// known of such a token.
pub fn judge_token<'a>(
    token: &str,
    terms: &Terms<'_>,
    keys: &'a [PublicKey],
    at: Timestamp,
) -> Result<Accepted<'a>, Refusal> {
    if token.len() > MAX_BYTES {
        return Err(Refusal::TooLarge);
    }
    let parts = Parts::of(token)?;
    let header = Header::read(parts.header)?;
    let permitted = terms.algorithms.iter().find(|permitted| permitted.as_str() == header.algorithm);
    let algorithm = *permitted.ok_or(Refusal::AlgorithmNotAllowed)?;
    let candidates = candidates(&header, algorithm, keys)?;
    let signature = json::decode(parts.signature).ok_or(Refusal::BadEncoding(Part::Signature))?;
    let key = candidates
        .iter()
        .take(MAX_ATTEMPTS)
        .find(|key| signature::holds(algorithm, key, parts.signed.as_bytes(), &signature))
        .ok_or(if candidates.len() > MAX_ATTEMPTS { Refusal::KeyIdRequired } else { Refusal::BadSignature })?;
    judge_claims(&json::read(parts.claims, Part::Claims)?, terms, at)?;
    Ok(Accepted { key, algorithm })
}

/// The keys that a token may be signed with, one at least.
fn candidates<'a>(header: &Header, algorithm: Algorithm, keys: &'a [PublicKey]) -> Result<Vec<&'a PublicKey>, Refusal> {
    let mut named: Vec<&PublicKey> = match &header.key_id {
        Some(id) => keys.iter().filter(|key| key.id.as_ref() == Some(id)).collect(),
        None => keys.iter().collect(),
    };
    if named.is_empty() && header.key_id.is_some() {
        return Err(Refusal::UnknownKey);
    }
    named.retain(|key| key.algorithms.contains(&algorithm.as_str()));
    if named.is_empty() { Err(Refusal::AlgorithmNotAllowed) } else { Ok(named) }
}

/// A token in the compact form.
struct Parts<'a> {
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
    /// Header and claims with the dot between them: what the signature is over.
    signed: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, Refusal> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::NotThreeParts)?;
        let (header, claims) = signed.split_once('.').ok_or(Refusal::NotThreeParts)?;
        if claims.contains('.') { Err(Refusal::NotThreeParts) } else { Ok(Self { header, claims, signature, signed }) }
    }
}

//! The claims (RFC 7519, section 4.1).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::{Terms, refusal::Refusal};

/// Judges a token's claims as they are at a time; a signature is not asked for.
///
/// `iss`, `exp` and `iat` are required, and `aud` where audiences are set. Every claim that RFC 7519 registers must be of
/// its type: strings; for `aud` a string or an array of strings; for `exp`, `iat` and `nbf` a number of seconds since 1970,
/// with or without a fraction, from 0 to the year 9999. `null` is of none of these types.
///
/// Times are compared exactly: a token holds while `at < exp + clock_skew`, from `at >= nbf - clock_skew` and
/// `at >= iat - clock_skew` on, and while `at <= iat + max_token_age + clock_skew`.
///
/// # Errors
/// The first thing that is wrong: what is missing or of the wrong type, then the issuer, the audience, the times.
pub fn judge_claims(claims: &Map<String, Value>, terms: &Terms<'_>, at: Timestamp) -> Result<(), Refusal> {
    let claims = Registered::read(claims)?;
    if claims.issuer != terms.issuer {
        return Err(Refusal::WrongIssuer);
    }
    if !terms.audiences.is_empty() {
        let audiences = claims.audiences.as_deref().ok_or(Refusal::MissingClaim("aud"))?;
        if !audiences.iter().any(|audience| terms.audiences.iter().any(|expected| expected == audience)) {
            return Err(Refusal::WrongAudience);
        }
    }
    let skew = signed(terms.clock_skew);
    if at.duration_since(claims.expires) >= skew {
        return Err(Refusal::Expired);
    }
    if claims.not_before.is_some_and(|not_before| not_before.duration_since(at) > skew) {
        return Err(Refusal::NotYetValid);
    }
    if claims.issued.duration_since(at) > skew {
        return Err(Refusal::IssuedInTheFuture);
    }
    let oldest = terms.max_token_age.map(|age| signed(age).saturating_add(skew));
    if oldest.is_some_and(|oldest| at.duration_since(claims.issued) > oldest) {
        return Err(Refusal::TooOld);
    }
    Ok(())
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// The claims that are judged, each of its type.
struct Registered<'a> {
    issuer: &'a str,
    audiences: Option<Vec<&'a str>>,
    expires: Timestamp,
    issued: Timestamp,
    not_before: Option<Timestamp>,
}

impl<'a> Registered<'a> {
    fn read(claims: &'a Map<String, Value>) -> Result<Self, Refusal> {
        for name in ["sub", "jti"] {
            optional(claims, name, Value::as_str)?;
        }
        Ok(Self {
            issuer: required(claims, "iss", Value::as_str)?,
            audiences: optional(claims, "aud", strings)?,
            expires: required(claims, "exp", numeric_date)?,
            issued: required(claims, "iat", numeric_date)?,
            not_before: optional(claims, "nbf", numeric_date)?,
        })
    }
}

fn required<'a, T>(
    claims: &'a Map<String, Value>,
    name: &'static str,
    read: impl FnOnce(&'a Value) -> Option<T>,
) -> Result<T, Refusal> {
    optional(claims, name, read)?.ok_or(Refusal::MissingClaim(name))
}

fn optional<'a, T>(
    claims: &'a Map<String, Value>,
    name: &'static str,
    read: impl FnOnce(&'a Value) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    claims.get(name).map(|value| read(value).ok_or(Refusal::BadClaim(name))).transpose()
}

fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        value => Some(vec![value.as_str()?]),
    }
}

/// Seconds since 1970 (`NumericDate`: RFC 7519, section 2).
fn numeric_date(value: &Value) -> Option<Timestamp> {
    let seconds = match value.as_i64() {
        Some(whole) => SignedDuration::from_secs(whole),
        None => SignedDuration::try_from_secs_f64(value.as_f64().filter(|seconds| *seconds >= 0.0)?).ok()?,
    };
    Timestamp::from_duration(seconds).ok().filter(|date| *date >= Timestamp::UNIX_EPOCH)
}

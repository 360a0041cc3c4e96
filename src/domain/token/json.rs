//! JSON as a token may hold it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::refusal::{Part, Refusal};
use crate::domain::json;

/// The bytes of a part: base64url without padding, in the one way that there is to write them (RFC 7515, section 2).
pub fn decode(encoded: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(encoded).ok()
}

/// The members of a part that is a JSON object, none of which stands twice.
///
/// # Errors
/// When it is no base64url, or not such an object in UTF-8.
pub fn read(encoded: &str, part: Part) -> Result<Map<String, Value>, Refusal> {
    let text = decode(encoded).ok_or(Refusal::BadEncoding(part))?;
    json::object(&text).ok_or(Refusal::NotAnObject(part))
}

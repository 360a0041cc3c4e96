//! The header (JOSE header of a JWS: RFC 7515, section 4).

use serde_json::{Map, Value};

use super::{
    json,
    refusal::{Part, Refusal},
};

/// What a token says of how it is signed.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// `alg`.
    pub algorithm: String,
    /// `kid`.
    pub key_id: Option<String>,
}

impl Header {
    /// Reads a header as it stands in a token.
    ///
    /// # Errors
    /// When it is not a JSON object in base64url, has no `alg`, has a parameter of the wrong type or asks for something
    /// that is not supported.
    pub fn read(encoded: &str) -> Result<Self, Refusal> {
        let members = json::read(encoded, Part::Header)?;
        let algorithm = text(&members, "alg")?.ok_or(Refusal::BadParameter("alg"))?;
        let key_id = text(&members, "kid")?;
        if text(&members, "typ")?.is_some_and(is_of_another_type) {
            return Err(Refusal::OtherType);
        }
        if text(&members, "cty")?.is_some_and(is_jwt) {
            return Err(Refusal::NestedToken);
        }
        // `b64` changes what is signed (RFC 7797); it is wrong without `crit`, and ignored by who doesn't know it.
        if members.contains_key("crit") || members.get("b64").is_some_and(|b64| *b64 != Value::Bool(true)) {
            return Err(Refusal::UnknownExtension);
        }
        Ok(Self { algorithm: algorithm.to_owned(), key_id: key_id.map(str::to_owned) })
    }
}

/// Whether the content is a token itself (RFC 7519, section 5.2; the prefix: RFC 7515, section 4.1.10).
fn is_jwt(content_type: &str) -> bool {
    content_type.eq_ignore_ascii_case("JWT") || content_type.eq_ignore_ascii_case("application/jwt")
}

/// Whether it is something that providers sign with the same keys, and that is no access or ID token: OpenID Connect
/// Back-Channel Logout, section 2.4; RFC 8417, section 2.3; RFC 9101, section 10.8; RFC 9449, section 4.2; RFC 9701, section
/// 5; OpenID Federation, section 3. A logout token has every claim that an access token must have.
fn is_of_another_type(type_: &str) -> bool {
    let type_ = type_.to_ascii_lowercase();
    ["logout+jwt", "secevent+jwt", "oauth-authz-req+jwt", "dpop+jwt", "token-introspection+jwt", "entity-statement+jwt"]
        .contains(&type_.strip_prefix("application/").unwrap_or(&type_))
}

fn text<'a>(members: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    members.get(name).map(|value| value.as_str().ok_or(Refusal::BadParameter(name))).transpose()
}

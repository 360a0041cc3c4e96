//! Why a token is refused.

/// A part of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first one.
    Header,
    /// The second one.
    Claims,
    /// The third one.
    Signature,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Claims => "claims",
            Self::Signature => "signature",
        }
    }
}

/// Why a token is refused. Nothing in it repeats what stands in the token, but for names that RFCs give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A header's value that is neither a token nor the scheme `Bearer` and a token.
    NotABearer,
    /// More than 8 KiB.
    TooLarge,
    /// Not three parts with dots between: no JWT, or an encrypted one.
    NotThreeParts,
    /// A part is not in base64url without padding.
    BadEncoding(Part),
    /// Header or claims are not a JSON object in UTF-8 with each member once.
    NotAnObject(Part),
    /// This header parameter is missing or of the wrong type.
    BadParameter(&'static str),
    /// The header asks for an extension to be understood (RFC 7515, section 4.1.11; RFC 7797): none is.
    UnknownExtension,
    /// The header says that this is something else than an access or ID token (RFC 8725, section 3.11).
    OtherType,
    /// A token within a token.
    NestedToken,
    /// An algorithm that the terms or the key do not permit, or that no key is for.
    AlgorithmNotAllowed,
    /// No key has the token's `kid`: there is nothing to judge it with.
    UnknownKey,
    /// The token names no key and is of none of those tried, but more than 8 come into question.
    KeyIdRequired,
    /// The signature is of none of the keys that come into question.
    BadSignature,
    /// This claim is required.
    MissingClaim(&'static str),
    /// This claim is of the wrong type, or a time out of bounds.
    BadClaim(&'static str),
    /// `iss` is another.
    WrongIssuer,
    /// None of the audiences is in `aud`.
    WrongAudience,
    /// `exp` is past.
    Expired,
    /// `nbf` is to come.
    NotYetValid,
    /// `iat` is to come.
    IssuedInTheFuture,
    /// `iat` is too long ago.
    TooOld,
}

impl Refusal {
    /// A stable name.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::NotABearer => "not-a-bearer",
            Self::TooLarge => "too-large",
            Self::NotThreeParts => "not-three-parts",
            Self::BadEncoding(_) => "bad-encoding",
            Self::NotAnObject(_) => "not-an-object",
            Self::BadParameter(_) => "bad-parameter",
            Self::UnknownExtension => "unknown-extension",
            Self::OtherType => "other-type",
            Self::NestedToken => "nested-token",
            Self::AlgorithmNotAllowed => "algorithm-not-allowed",
            Self::UnknownKey => "unknown-key",
            Self::KeyIdRequired => "key-id-required",
            Self::BadSignature => "bad-signature",
            Self::MissingClaim(_) => "missing-claim",
            Self::BadClaim(_) => "bad-claim",
            Self::WrongIssuer => "wrong-issuer",
            Self::WrongAudience => "wrong-audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::IssuedInTheFuture => "issued-in-the-future",
            Self::TooOld => "too-old",
        }
    }

    /// What the token must be like.
    #[must_use]
    pub fn detail(self) -> String {
        let fixed = match self {
            Self::BadEncoding(part) => {
                return format!("the token's {} must be in base64url without padding (RFC 7515)", part.name());
            }
            Self::NotAnObject(part) => {
                return format!("the token's {} must be a JSON object in UTF-8 that has no member twice", part.name());
            }
            Self::BadParameter(name) => {
                return format!("the header parameter '{name}' must be {}", type_of_parameter(name));
            }
            Self::MissingClaim(name) => return format!("the claim '{name}' must be there"),
            Self::BadClaim(name) => return format!("the claim '{name}' must be {}", type_of_claim(name)),
            Self::NotABearer => "the value must be a token, or 'Bearer', a space and a token (RFC 6750)",
            Self::TooLarge => "the token must have at most 8 KiB",
            Self::NotThreeParts => {
                "the token must be a signed JWT in the compact form: header, claims and signature with dots between \
                 (RFC 7515); an encrypted one is not supported"
            }
            Self::UnknownExtension => {
                "the header must have no 'crit', and no 'b64' but true: no extension is supported (RFC 7515, RFC 7797)"
            }
            Self::OtherType => {
                "the token must be an access or ID token, but its header's 'typ' says that it is something else, such as \
                 'logout+jwt' (RFC 8725)"
            }
            Self::NestedToken => "the token must hold claims, but its header's 'cty' says that it holds another token",
            Self::AlgorithmNotAllowed => {
                "the token's 'alg' must be one of algorithms, and one that its key is for; never HS256, HS384, HS512 or none"
            }
            Self::UnknownKey => "the token's 'kid' must be that of a published key",
            Self::KeyIdRequired => {
                "the token must name its key by 'kid', as there are more than 8 keys of its algorithm"
            }
            Self::BadSignature => "the token must be signed by a published key, and unchanged since",
            Self::WrongIssuer => "the claim 'iss' must be issuer, byte for byte",
            Self::WrongAudience => "the claim 'aud' must be or hold one of audiences, byte for byte",
            Self::Expired => "the claim 'exp' must be later: the token is expired, even with clockSkew",
            Self::NotYetValid => "the claim 'nbf' must not be in the future by more than clockSkew",
            Self::IssuedInTheFuture => "the claim 'iat' must not be in the future by more than clockSkew",
            Self::TooOld => "the claim 'iat' must be later: the token is older than maxTokenAge, even with clockSkew",
        };
        fixed.to_owned()
    }
}

fn type_of_parameter(name: &str) -> &'static str {
    if name == "alg" { "there, a string" } else { "a string where it is there" }
}

fn type_of_claim(name: &str) -> &'static str {
    match name {
        "exp" | "iat" | "nbf" => "a number of seconds since 1970 (not of milliseconds), from 0 to the year 9999",
        "aud" => "a string or an array of strings",
        _ => "a string",
    }
}

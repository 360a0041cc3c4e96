//! The closed sets of reasons, one a kind. `docs/reasons.md` lists each with cause and cure.

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every reason of the set.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The reason as it stands in a condition.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }
        }

        impl From<$name> for &'static str {
            fn from(reason: $name) -> Self {
                reason.as_str()
            }
        }
    };
}

reasons! {
    /// Reasons that every kind has.
    CommonReason {
        /// Nothing is wrong with what the condition speaks of.
        Succeeded,
        /// A prerequisite fails, so this was not looked at.
        NotEvaluated,
        /// Calls to the API server failed.
        InternalError,
        /// `spec.suspend` is true.
        Suspended,
    }
}

reasons! {
    /// Reasons of an `IdentityProvider`.
    IdentityProviderReason {
        /// Keys are published.
        Ready,
        /// `spec.state` is `Inactive`.
        Inactive,
        /// A ConfigMap or Secret that the spec names, or its key, is missing.
        ReferenceNotFound,
        /// The certificate authorities are no certificates.
        InvalidCaBundle,
        /// No answer from the endpoint: refused, timed out, or no such host.
        KeysUnreachable,
        /// The endpoint's address may not be called.
        AddressForbidden,
        /// The TLS handshake failed.
        TlsFailed,
        /// An HTTP status other than 200.
        UnexpectedStatus,
        /// The endpoint answered with a redirect.
        RedirectRefused,
        /// The answer is larger than 512 KiB.
        BodyTooLarge,
        /// The answer is not a JWK Set of at most 64 keys.
        NotAJwks,
        /// No key of the set can verify signatures.
        NoUsableKey,
        /// The set shows a private key.
        PrivateKeyPublished,
        /// The set shows a symmetric key.
        SymmetricKeyPublished,
        /// Two signing keys have the same `kid`.
        DuplicateKeyId,
        /// The only keys are too weak.
        KeyTooWeak,
        /// The only keys are badly encoded.
        BadKeyEncoding,
        /// No good keys were seen for too long.
        KeysStale,
        /// An example comes out otherwise than its author expects.
        ExampleFailed,
        /// No audience is set.
        NoAudiences,
        /// A ConfigMap of the output's name belongs to somebody else.
        PublishConflict,
        /// An older object of the namespace has the same issuer.
        DuplicateIssuer,
    }
}

reasons! {
    /// Reasons of a `TenantJwtSecret`.
    TenantJwtSecretReason {
        /// The secret is published.
        Ready,
        /// The namespace may not hold the tenant.
        TenantNotClaimed,
        /// An older object holds the tenant.
        TenantConflict,
        /// No signing algorithm is set.
        SigningAlgorithmNotConfigured,
        /// The referenced Secret or its key is missing or empty.
        AuthenticationSecretNotConfigured,
        /// The referenced value breaks rules.
        InvalidRequest,
        /// A Secret of the output's name belongs to somebody else.
        SecretConflict,
        /// The output Secret is immutable and would have to change.
        SecretImmutable,
    }
}

reasons! {
    /// Reasons of a `UserIdpAuthenticator`.
    UserIdpAuthenticatorReason {
        /// The link is in force.
        IdentitySet,
        /// There is no such `IdentityProvider`.
        IdpNotFound,
        /// The `IdentityProvider` is not ready.
        IdpNotReady,
        /// The `IdentityProvider` is inactive.
        IdpInactive,
        /// The `IdentityProvider` allows no links to it.
        LinkingNotAllowed,
        /// An older link has the external id at the `IdentityProvider`.
        AlreadyLinked,
        /// An older link links the user to the `IdentityProvider`.
        UserAlreadyLinked,
        /// The user lacks an identity that is required beside this one.
        MissingLinkedIdentity,
    }
}

reasons! {
    /// Reasons of a `StrategyInstance`.
    StrategyInstanceReason {
        /// The flags are in force.
        Ready,
        /// A flag asks for what the type is not capable of.
        CapabilityNotSupported,
        /// A flag beyond the type's capabilities is off, as `spec.capabilityPolicy` is `Clamp`.
        FlagsClamped,
        /// A flag is set to true, and has no effect while login is off.
        FlagsIneffective,
        /// The type is not in the catalogue.
        UnknownStrategyType,
        /// Settings that the type needs are missing or wrong.
        InvalidConfig,
        /// The Secret of `spec.configSecretRef`, or a key of it that the type needs, is missing.
        ConfigSecretNotFound,
        /// An older object of the namespace has the same id.
        DuplicateId,
    }
}

/// The reason in kebab-case, as the `code` of an error: `IdpNotFound` becomes `idp-not-found`.
#[must_use]
pub fn kebab_case(reason: &str) -> String {
    let mut out = String::with_capacity(reason.len() + 8);
    let mut characters = reason.chars().peekable();
    let mut previous: Option<char> = None;
    while let Some(character) = characters.next() {
        let ends_a_word = previous.is_some_and(|before| before.is_ascii_lowercase());
        let starts_a_word = previous.is_some() && characters.peek().is_some_and(char::is_ascii_lowercase);
        if character.is_ascii_uppercase() && (ends_a_word || starts_a_word) {
            out.push('-');
        }
        out.push(character.to_ascii_lowercase());
        previous = Some(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case() {
        assert_eq!(kebab_case("IdpNotFound"), "idp-not-found");
        assert_eq!(kebab_case("NotAJwks"), "not-a-jwks");
        assert_eq!(kebab_case("TlsFailed"), "tls-failed");
    }
}

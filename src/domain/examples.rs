//! Examples of tokens that an identity provider's author ships with it: does each come out as expected?

use serde_json::Map;

use super::{
    jwk::PublicKey,
    token::{Refusal, Terms, judge_claims, judge_header_value, judge_token},
};
use crate::api::{
    IdentityProviderSpec,
    identity_provider::{Claims, Example, Expectation},
};

/// What a token of this identity provider must be like.
#[must_use]
pub fn terms(spec: &IdentityProviderSpec) -> Terms<'_> {
    Terms {
        issuer: &spec.issuer,
        audiences: spec.audiences.as_deref().unwrap_or_default(),
        algorithms: &spec.algorithms,
        clock_skew: spec.clock_skew.into(),
        max_token_age: Some(spec.max_token_age.into()),
    }
}

/// What became of all examples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExamplesVerdict {
    /// How many come out as expected.
    pub as_expected: usize,
    /// How many are tokens whose `kid` is not that of a published key, so that nothing is known of them.
    pub not_judged: usize,
    /// Those that come out otherwise, in their order.
    pub failed: Vec<FailedExample>,
}

/// An example that comes out otherwise than expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedExample {
    /// Its index in `spec.examples`, from 0.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// What became of it: refused for this, or accepted where there is nothing.
    pub refused: Option<Refusal>,
}

/// Judges every example of a spec as of its `at`, by these published keys.
///
/// A token whose `kid` is no longer published is not judged, whatever is expected of it: that keys are rotated is nobody's
/// mistake.
#[must_use]
pub fn judge(spec: &IdentityProviderSpec, keys: &[PublicKey]) -> ExamplesVerdict {
    let terms = terms(spec);
    let mut verdict = ExamplesVerdict::default();
    for (index, example) in spec.examples.iter().flatten().enumerate() {
        let refused = outcome(example, &terms, keys).err();
        match (refused, example.expect) {
            (Some(Refusal::UnknownKey), _) => verdict.not_judged += 1,
            (None, Expectation::Accept) | (Some(_), Expectation::Reject) => verdict.as_expected += 1,
            _ => verdict.failed.push(FailedExample { index, name: example.name.clone(), refused }),
        }
    }
    verdict
}

/// The schema sees to it that there is a token, or else claims.
fn outcome(example: &Example, terms: &Terms<'_>, keys: &[PublicKey]) -> Result<(), Refusal> {
    match &example.token {
        Some(value) => judge_token(judge_header_value(value)?, terms, keys, example.at.0).map(|_| ()),
        None => match &example.claims {
            Some(Claims::Kept(claims)) => judge_claims(claims, terms, example.at.0),
            Some(Claims::TooLarge) => Err(Refusal::TooLarge),
            None => judge_claims(&Map::new(), terms, example.at.0),
        },
    }
}

#[cfg(test)]
mod tests;

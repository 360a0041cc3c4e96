//! What a fetch that brought nothing to judge tells.

use std::time::Duration;

use crate::domain::key_source::FetchError;

/// Why there is no answer to judge, and what the endpoint asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub error: FetchError,
    /// `Retry-After` of an answer with another status than 200, as time from then on; unbounded.
    pub retry_after: Option<Duration>,
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self { error, retry_after: None }
    }
}

//! What a look at an object came to, in the form that every kind shares.

use std::borrow::Cow;

use super::reasons::{CommonReason, kebab_case};

/// Everything that was found about one object, in the order that decides over `Ready`.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// One finding per condition.
    pub findings: Vec<Finding>,
    /// `Ready`'s reason when no finding stands against it.
    pub ready_reason: &'static str,
    /// `Ready`'s message when no finding stands against it.
    pub ready_message: String,
}

impl Judgement {
    /// The first problem that stands against `Ready`.
    #[must_use]
    pub fn blocker(&self) -> Option<&Problem> {
        self.findings.iter().find_map(|finding| match &finding.outcome {
            Outcome::Failed(problem) if problem.weight != Weight::Advises => Some(problem),
            _ => None,
        })
    }
}

/// What was found about one condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The condition's type.
    pub condition: &'static str,
    /// What its status is, and why.
    pub outcome: Outcome,
}

/// A condition's status and why.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// `True`, with a message.
    Succeeded(String),
    /// `True`, with a reason of its own; `Ready` is not touched. Such a condition is there only when it is True.
    Noted {
        /// A reason of the kind's closed set.
        reason: &'static str,
        /// What is so.
        message: String,
    },
    /// `Unknown`: not looked at, as something before it fails.
    NotEvaluated,
    /// `False`.
    Failed(Problem),
}

impl Finding {
    /// The condition is True.
    pub fn succeeded(condition: &'static str, message: impl Into<String>) -> Self {
        Self { condition, outcome: Outcome::Succeeded(message.into()) }
    }

    /// Conditions in order, with what each says when it is True: those before the failing one are, those after it were
    /// not looked at.
    #[must_use]
    pub fn in_order(order: &[(&'static str, &str)], failing: Option<(&'static str, Problem)>) -> Vec<Self> {
        let mut failing = failing;
        let mut has_failed = false;
        let findings = order
            .iter()
            .map(|(condition, message)| match failing.take_if(|(failing, _)| failing == condition) {
                Some((_, problem)) => {
                    has_failed = true;
                    Self::failed(condition, problem)
                }
                None if has_failed => Self::not_evaluated(condition),
                None => Self::succeeded(condition, *message),
            })
            .collect();
        debug_assert!(failing.is_none(), "the failing condition is none of those");
        findings
    }

    /// The condition was not looked at.
    #[must_use]
    pub fn not_evaluated(condition: &'static str) -> Self {
        Self { condition, outcome: Outcome::NotEvaluated }
    }

    /// The condition is False.
    #[must_use]
    pub fn failed(condition: &'static str, problem: Problem) -> Self {
        Self { condition, outcome: Outcome::Failed(problem) }
    }
}

/// A problem of the user's or of the world's, as it will be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// A reason of the kind's closed set.
    pub reason: &'static str,
    /// What is wrong and what to do.
    pub message: String,
    /// What it means for `Ready`.
    pub weight: Weight,
    /// The errors it is made of, for machines; empty where it only advises.
    pub faults: Vec<Fault>,
}

/// What a problem means for `Ready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Not ready, and nothing but an edit or a deletion helps: `Stalled`.
    Stalls,
    /// Not ready, and the operator works on it or waits for something: `Reconciling`.
    Waits,
    /// Ready all the same.
    Advises,
}

/// One error object before it has an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// HTTP status code.
    pub http: u16,
    /// A seed's code, or the reason in kebab-case.
    pub code: String,
    /// Summary that never varies for the code.
    pub title: &'static str,
    /// What exactly is wrong.
    pub detail: String,
    /// JSON Pointer to the cause.
    pub pointer: Cow<'static, str>,
    /// Tells faults of the same code and pointer apart.
    pub rule: &'static str,
}

impl Problem {
    /// A problem with a single fault, whose code is the reason in kebab-case.
    pub fn new(
        reason: impl Into<&'static str>,
        weight: Weight,
        http: u16,
        title: &'static str,
        pointer: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let (reason, message) = (reason.into(), message.into());
        let fault = Fault {
            http,
            code: kebab_case(reason),
            title,
            detail: message.clone(),
            pointer: pointer.into(),
            rule: reason,
        };
        Self { reason, message, weight, faults: vec![fault] }
    }

    /// Calls to the API server failed: told as `Unknown`.
    pub fn internal_error(message: impl Into<String>) -> Self {
        Self::new(CommonReason::InternalError, Weight::Waits, 500, "Internal server error", "", message)
    }
}

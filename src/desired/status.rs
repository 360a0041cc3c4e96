//! The shared part of a status, from a judgement.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{
    api::status::{Condition, ErrorObject, ErrorSource, StatusCore, condition},
    domain::{
        digest::sha256_hex,
        reasons::CommonReason,
        verdict::{Judgement, Outcome, Problem, Weight},
    },
};

/// Longest message of a condition, in bytes: what an Event's note can hold too.
const MAX_MESSAGE: usize = 1000;

/// Most entries of `errors`.
const MAX_ERRORS: usize = 8;

/// Whose status it is, and when.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// `metadata.uid`
    pub uid: &'a str,
    /// `metadata.generation`
    pub generation: i64,
    /// Now.
    pub now: Timestamp,
}

/// The status that a judgement comes to.
#[must_use]
pub fn judged(old: &StatusCore, judgement: &Judgement, subject: Subject<'_>) -> StatusCore {
    let write = Writer { old, subject };
    let mut conditions = match judgement.blocker() {
        None => vec![write.condition(condition::READY, "True", judgement.ready_reason, &judgement.ready_message)],
        Some(problem) => write.not_ready("False", problem),
    };
    conditions.extend(judgement.findings.iter().map(|finding| match &finding.outcome {
        Outcome::Succeeded(message) => {
            write.condition(finding.condition, "True", CommonReason::Succeeded.into(), message)
        }
        Outcome::Noted { reason, message } => write.condition(finding.condition, "True", reason, message),
        Outcome::NotEvaluated => write.condition(
            finding.condition,
            "Unknown",
            CommonReason::NotEvaluated.into(),
            "not looked at while another condition is False",
        ),
        Outcome::Failed(problem) => write.condition(finding.condition, "False", problem.reason, &problem.message),
    }));
    StatusCore {
        observed_generation: Some(subject.generation),
        conditions,
        errors: judgement.blocker().map(|problem| write.errors(problem)).unwrap_or_default(),
    }
}

/// The status when calls to the API server fail: what was found before stays, `Ready` is Unknown.
#[must_use]
pub fn failed(old: &StatusCore, problem: &Problem, subject: Subject<'_>) -> StatusCore {
    let write = Writer { old, subject };
    let mut conditions = write.not_ready("Unknown", problem);
    conditions.extend(write.findings());
    StatusCore { observed_generation: Some(subject.generation), conditions, errors: write.errors(problem) }
}

/// The status while suspended: the verdict stays as it was. An object without one is told to be neither ready nor not.
#[must_use]
pub fn suspended(old: &StatusCore, subject: Subject<'_>) -> StatusCore {
    const MESSAGE: &str = "spec.suspend is true: set it to false to have this object looked after again";
    let write = Writer { old, subject };
    let mut conditions = vec![write.condition(condition::SUSPENDED, "True", CommonReason::Suspended.into(), MESSAGE)];
    if old.condition(condition::READY).is_some() {
        conditions.extend(old.conditions.iter().filter(|kept| kept.type_ != condition::SUSPENDED).cloned());
    } else {
        let unseen = Problem { reason: CommonReason::Suspended.into(), ..Problem::internal_error(MESSAGE) };
        conditions.extend(write.not_ready("Unknown", &unseen));
    }
    StatusCore { observed_generation: Some(subject.generation), conditions, errors: old.errors.clone() }
}

struct Writer<'a> {
    old: &'a StatusCore,
    subject: Subject<'a>,
}

impl Writer<'_> {
    /// `lastTransitionTime` moves only when the status does.
    fn condition(&self, type_: &str, status: &str, reason: &str, message: &str) -> Condition {
        let since = self
            .old
            .condition(type_)
            .filter(|before| before.status == status)
            .map_or_else(|| Time(self.subject.now), |before| before.last_transition_time.clone());
        Condition {
            type_: type_.into(),
            status: status.into(),
            reason: reason.into(),
            message: truncate(message, MAX_MESSAGE).into(),
            observed_generation: Some(self.subject.generation),
            last_transition_time: since,
        }
    }

    fn not_ready(&self, status: &str, problem: &Problem) -> Vec<Condition> {
        let why = if problem.weight == Weight::Stalls { condition::STALLED } else { condition::RECONCILING };
        vec![
            self.condition(condition::READY, status, problem.reason, &problem.message),
            self.condition(why, "True", problem.reason, &problem.message),
        ]
    }

    /// The kind's own conditions, as they were.
    fn findings(&self) -> impl Iterator<Item = Condition> {
        let shared = [condition::READY, condition::RECONCILING, condition::STALLED, condition::SUSPENDED];
        self.old.conditions.iter().filter(move |kept| !shared.contains(&kept.type_.as_str())).cloned()
    }

    fn errors(&self, problem: &Problem) -> Vec<ErrorObject> {
        problem
            .faults
            .iter()
            .take(MAX_ERRORS)
            .map(|fault| {
                let generation = self.subject.generation.to_string();
                let identity = [self.subject.uid, &generation, &fault.code, &fault.pointer, fault.rule];
                ErrorObject {
                    id: sha256_hex(&identity.map(str::as_bytes)).chars().take(20).collect(),
                    status: fault.http.to_string(),
                    code: fault.code.clone(),
                    title: fault.title.to_owned(),
                    detail: truncate(&fault.detail, MAX_MESSAGE),
                    source: ErrorSource { pointer: fault.pointer.clone().into_owned() },
                }
            })
            .collect()
    }
}

/// The text, cut between characters where it has more bytes.
#[must_use]
pub fn truncate(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most.saturating_sub(3)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::Finding;

    fn subject(generation: i64, second: i64) -> Subject<'static> {
        Subject { uid: "u", generation, now: Timestamp::from_millisecond(second * 1000 + 999).unwrap() }
    }

    fn problem(weight: Weight) -> Problem {
        Problem::new("TooBad", weight, 400, "Too bad", "/spec/a", "a must be good")
    }

    fn judgement(problem: Option<Problem>) -> Judgement {
        let finding =
            problem.map_or_else(|| Finding::succeeded("Good", "it is"), |problem| Finding::failed("Good", problem));
        Judgement { findings: vec![finding], ready_reason: "Ready", ready_message: "all is well".into() }
    }

    /// Type, status, reason, generation and second of transition.
    fn told(core: &StatusCore) -> Vec<(&str, &str, &str, i64, i64)> {
        core.conditions
            .iter()
            .map(|condition| {
                (
                    condition.type_.as_str(),
                    condition.status.as_str(),
                    condition.reason.as_str(),
                    condition.observed_generation.unwrap(),
                    condition.last_transition_time.0.as_second(),
                )
            })
            .collect()
    }

    #[test]
    fn ready_has_neither_stalled_nor_reconciling_and_otherwise_there_is_exactly_one() {
        let first = judged(&StatusCore::default(), &judgement(Some(problem(Weight::Stalls))), subject(1, 10));
        assert_eq!(
            told(&first),
            [
                ("Ready", "False", "TooBad", 1, 10),
                ("Stalled", "True", "TooBad", 1, 10),
                ("Good", "False", "TooBad", 1, 10)
            ]
        );
        let second = judged(&first, &judgement(Some(problem(Weight::Waits))), subject(2, 20));
        assert_eq!(
            told(&second),
            [
                ("Ready", "False", "TooBad", 2, 10),
                ("Reconciling", "True", "TooBad", 2, 20),
                ("Good", "False", "TooBad", 2, 10)
            ]
        );
        let third = judged(&second, &judgement(None), subject(2, 30));
        assert_eq!(told(&third), [("Ready", "True", "Ready", 2, 30), ("Good", "True", "Succeeded", 2, 30)]);
        assert_eq!(third.errors, vec![]);
        assert_eq!(judged(&third, &judgement(None), subject(2, 40)), third);
    }

    #[test]
    fn what_only_advises_leaves_ready_true() {
        let core = judged(&StatusCore::default(), &judgement(Some(problem(Weight::Advises))), subject(1, 10));
        assert_eq!(told(&core), [("Ready", "True", "Ready", 1, 10), ("Good", "False", "TooBad", 1, 10)]);
        assert_eq!(core.errors, vec![]);
    }

    #[test]
    fn what_is_noted_is_true_and_leaves_ready_true() {
        let noted = |message: &str| Judgement {
            findings: vec![Finding {
                condition: "Odd",
                outcome: Outcome::Noted { reason: "AsDeclared", message: message.into() },
            }],
            ..judgement(None)
        };
        let core = judged(&StatusCore::default(), &noted("it is odd"), subject(1, 10));
        assert_eq!(told(&core), [("Ready", "True", "Ready", 1, 10), ("Odd", "True", "AsDeclared", 1, 10)]);
        assert_eq!(core.conditions[1].message, "it is odd");
        assert_eq!(core.errors, vec![]);
        // It is gone when it is no more noted.
        assert_eq!(told(&judged(&core, &judgement(None), subject(2, 20))).last().unwrap().0, "Good");
    }

    #[test]
    fn failed_calls_keep_what_was_found_before() {
        let before = judged(&StatusCore::default(), &judgement(None), subject(1, 10));
        let core = failed(&before, &Problem::internal_error("no answer"), subject(2, 20));
        assert_eq!(
            told(&core),
            [
                ("Ready", "Unknown", "InternalError", 2, 20),
                ("Reconciling", "True", "InternalError", 2, 20),
                ("Good", "True", "Succeeded", 1, 10),
            ]
        );
        assert_eq!(core.errors[0].status, "500");
    }

    #[test]
    fn suspension_keeps_the_verdict_and_its_generation() {
        let before = judged(&StatusCore::default(), &judgement(None), subject(1, 10));
        let core = suspended(&before, subject(2, 20));
        assert_eq!(core.observed_generation, Some(2));
        assert_eq!(
            told(&core),
            [
                ("Suspended", "True", "Suspended", 2, 20),
                ("Ready", "True", "Ready", 1, 10),
                ("Good", "True", "Succeeded", 1, 10)
            ]
        );
        assert_eq!(suspended(&core, subject(2, 30)), core);
        assert_eq!(told(&judged(&core, &judgement(None), subject(3, 40))).len(), 2);
    }

    #[test]
    fn errors_have_ids_that_last_as_long_as_the_problem() {
        let errors = |uid, generation| {
            let subject = Subject { uid, ..subject(generation, 10) };
            judged(&StatusCore::default(), &judgement(Some(problem(Weight::Stalls))), subject).errors
        };
        assert_eq!(errors("u", 1), errors("u", 1));
        assert_ne!(errors("u", 1)[0].id, errors("u", 2)[0].id);
        assert_ne!(errors("u", 1)[0].id, errors("v", 1)[0].id);
        assert_eq!(errors("u", 1)[0].code, "too-bad");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(truncate("short", 5), "short");
        assert_eq!(truncate("äääää", 8), "ää...");
        assert_eq!(truncate(&"ä".repeat(1000), MAX_MESSAGE).len(), 999);
    }
}

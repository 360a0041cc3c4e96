//! What is told of an `IdentityProvider`'s examples. Examples are named; nothing of a token or of its claims is repeated.

use crate::domain::{
    examples::{ExamplesVerdict, FailedExample},
    reasons::{IdentityProviderReason as Reason, kebab_case},
    token::Refusal,
    verdict::{Fault, Problem, Weight},
};

/// Every example that can be judged comes out as expected.
pub const EXAMPLES_PASSED: &str = "ExamplesPassed";

/// Examples that a message tells of: a longer one would be cut, and with it the cure.
const MOST_TOLD: usize = 4;

/// What [`EXAMPLES_PASSED`] says when it is True.
#[must_use]
pub fn examples_message(verdict: &ExamplesVerdict) -> String {
    let (as_expected, not_judged) = (verdict.as_expected, verdict.not_judged);
    let examples = |count: usize| if count == 1 { "1 example".to_owned() } else { format!("{count} examples") };
    let verb = if as_expected == 1 { "comes" } else { "come" };
    let expected = format!("{} {verb} out as expected", examples(as_expected));
    let why = if not_judged == 1 { "is not judged, as its key is" } else { "are not judged, as their keys are" };
    match (as_expected, not_judged) {
        (0, 0) => "there are no examples".to_owned(),
        (_, 0) => expected,
        (0, _) => format!("{} {why} not published", examples(not_judged)),
        _ => format!("{expected}; {not_judged} {why} not published"),
    }
}

/// Some examples come out otherwise than expected; one at least.
#[must_use]
pub fn examples_failed(verdict: &ExamplesVerdict) -> Problem {
    let mut details: Vec<String> = verdict.failed.iter().take(MOST_TOLD).map(detail).collect();
    let more = verdict.failed.len().saturating_sub(MOST_TOLD);
    if more > 0 {
        details.push(format!("and {more} more"));
    }
    let cure = "correct the example, or the field that it tests";
    Problem {
        reason: Reason::ExampleFailed.into(),
        message: format!("{}; {cure}", details.join("; ")),
        weight: Weight::Stalls,
        faults: verdict
            .failed
            .iter()
            .map(|failed| Fault {
                http: 400,
                code: kebab_case(Reason::ExampleFailed.into()),
                title: "Example failed",
                detail: format!("{}; {cure}", detail(failed)),
                pointer: format!("/spec/examples/{}", failed.index).into(),
                rule: failed.refused.map_or("accepted", Refusal::rule),
            })
            .collect(),
    }
}

fn detail(failed: &FailedExample) -> String {
    match failed.refused {
        Some(refusal) => format!("example '{}' must be accepted, but is rejected: {}", failed.name, refusal.detail()),
        None => format!("example '{}' must be rejected, but is accepted", failed.name),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn failed(index: usize, name: &str, refused: Option<Refusal>) -> FailedExample {
        FailedExample { index, name: name.to_owned(), refused }
    }

    #[rstest]
    #[case(0, 0, "there are no examples")]
    #[case(1, 0, "1 example comes out as expected")]
    #[case(2, 0, "2 examples come out as expected")]
    #[case(2, 1, "2 examples come out as expected; 1 is not judged, as its key is not published")]
    #[case(1, 2, "1 example comes out as expected; 2 are not judged, as their keys are not published")]
    #[case(0, 1, "1 example is not judged, as its key is not published")]
    #[case(0, 3, "3 examples are not judged, as their keys are not published")]
    fn examples_are_counted(#[case] as_expected: usize, #[case] not_judged: usize, #[case] message: &str) {
        let verdict = ExamplesVerdict { as_expected, not_judged, failed: Vec::new() };
        assert_eq!(examples_message(&verdict), message);
    }

    #[test]
    fn each_failed_example_is_told_by_name_and_is_an_error() {
        let verdict = ExamplesVerdict {
            as_expected: 1,
            not_judged: 1,
            failed: vec![failed(0, "old", None), failed(15, "from the web", Some(Refusal::WrongAudience))],
        };
        let fault = |detail: &str, pointer: &'static str, rule| Fault {
            http: 400,
            code: "example-failed".to_owned(),
            title: "Example failed",
            detail: detail.to_owned(),
            pointer: pointer.into(),
            rule,
        };
        assert_eq!(
            examples_failed(&verdict),
            Problem {
                reason: "ExampleFailed",
                message:
                    "example 'old' must be rejected, but is accepted; example 'from the web' must be accepted, but \
                          is rejected: the claim 'aud' must be or hold one of audiences, byte for byte; correct the \
                          example, or the field that it tests"
                        .to_owned(),
                weight: Weight::Stalls,
                faults: vec![
                    fault(
                        "example 'old' must be rejected, but is accepted; correct the example, or the field that it tests",
                        "/spec/examples/0",
                        "accepted",
                    ),
                    fault(
                        "example 'from the web' must be accepted, but is rejected: the claim 'aud' must be or hold one of \
                         audiences, byte for byte; correct the example, or the field that it tests",
                        "/spec/examples/15",
                        "wrong-audience",
                    ),
                ],
            }
        );
    }
}

//! Every combination of type, flags and policy, against the seed's rule said once more and differently: by what is on and
//! what is asked in vain for each type, not by its capabilities.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::json;

use super::decide::{Observed, decide};
use crate::{
    api::{StrategyInstance, StrategyInstanceStatus, strategy_instance::EffectiveFlags},
    controllers::pipeline::Verdict,
    domain::{
        strategy_config::ConfigSecret,
        verdict::{Outcome, Weight},
    },
};

const FLAGS: [&str; 4] = ["isLoginActive", "isSelfRegisterActive", "isSyncActive", "doesImplicitRegister"];

/// Of each type, the flags that can be on.
const POSSIBLE: [(&str, &[&str]); 6] = [
    ("userpass", &["isLoginActive", "isSelfRegisterActive"]),
    ("github", &FLAGS),
    ("jira", &FLAGS),
    ("github-token", &["isSyncActive"]),
    ("jira-token-cloud", &["isSyncActive"]),
    ("jira-token-datacenter", &["isSyncActive"]),
];

/// A strategy that lacks nothing but, perhaps, capabilities.
fn strategy(type_: &str, flags: [Option<bool>; 4], policy: &str) -> StrategyInstance {
    let mut spec = json!({
        "type": type_,
        "capabilityPolicy": policy,
        "config": { "root-url": "https://jira.example.com" },
        "configSecretRef": { "name": "settings" },
    });
    for (flag, set) in FLAGS.into_iter().zip(flags) {
        if let Some(set) = set {
            spec[flag] = set.into();
        }
    }
    StrategyInstance::new("a", serde_json::from_value(spec).unwrap())
}

fn judge(object: &StrategyInstance) -> Verdict<StrategyInstanceStatus> {
    decide(object, &Observed { catalogue: Arc::default(), rival: None, secret: ConfigSecret::Lacks(Vec::new()) })
}

fn on(flags: EffectiveFlags) -> BTreeSet<&'static str> {
    let flags =
        [flags.is_login_active, flags.is_self_register_active, flags.is_sync_active, flags.does_implicit_register];
    FLAGS.into_iter().zip(flags).filter(|(_, is_on)| *is_on).map(|(flag, _)| flag).collect()
}

/// Each condition with its status and reason; the reason of `Ready`, and how many errors there are.
fn told(verdict: &Verdict<StrategyInstanceStatus>) -> (Vec<String>, String, usize) {
    let judgement = &verdict.judgement;
    let condition = |outcome: &Outcome| match outcome {
        Outcome::Succeeded(_) => "True Succeeded".to_owned(),
        Outcome::Noted { reason, .. } => format!("True {reason}"),
        Outcome::NotEvaluated => "Unknown NotEvaluated".to_owned(),
        Outcome::Failed(problem) => format!("False {}", problem.reason),
    };
    let findings = judgement.findings.iter();
    let conditions = findings.map(|finding| format!("{}={}", finding.condition, condition(&finding.outcome)));
    let (reason, errors) = match judgement.blocker() {
        None => (judgement.ready_reason.to_owned(), 0),
        Some(problem) => {
            assert_eq!(problem.weight, Weight::Stalls);
            (problem.reason.to_owned(), problem.faults.len())
        }
    };
    (conditions.collect(), reason, errors)
}

#[test]
fn all_972_obey_the_seed() {
    let mut count = 0;
    let mut seen = BTreeSet::new();
    for (type_, possible) in POSSIBLE {
        for number in 0..81 {
            let flags = [1, 3, 9, 27].map(|power| [None, Some(false), Some(true)][number / power % 3]);
            for policy in ["Reject", "Clamp"] {
                let asked: Vec<_> = FLAGS.into_iter().zip(flags).collect();
                let refused: BTreeSet<&str> =
                    asked.iter().filter(|(_, set)| *set == Some(false)).map(|(flag, _)| *flag).collect();
                let wanted: BTreeSet<&str> =
                    asked.iter().filter(|(_, set)| *set == Some(true)).map(|(flag, _)| *flag).collect();
                let possible: BTreeSet<&str> = possible.iter().copied().collect();
                let expected_on: BTreeSet<&str> = possible.difference(&refused).copied().collect();
                let in_vain = wanted.difference(&possible).count();
                let registers = wanted.contains("isSelfRegisterActive") || wanted.contains("doesImplicitRegister");
                let is_idle = registers && !expected_on.contains("isLoginActive");

                let mut conditions =
                    vec!["TypeKnown=True Succeeded", "IdUnique=True Succeeded", "ConfigValid=True Succeeded"];
                let (reason, errors) = if in_vain > 0 && policy == "Reject" {
                    conditions.extend([
                        "CapabilitiesSupported=False CapabilityNotSupported",
                        "FlagsEffective=Unknown NotEvaluated",
                    ]);
                    ("CapabilityNotSupported", in_vain)
                } else {
                    conditions.push("CapabilitiesSupported=True Succeeded");
                    conditions.extend((in_vain > 0).then_some("FlagsClamped=True FlagsClamped"));
                    conditions.push(if is_idle {
                        "FlagsEffective=False FlagsIneffective"
                    } else {
                        "FlagsEffective=True Succeeded"
                    });
                    ("Ready", 0)
                };

                let verdict = judge(&strategy(type_, flags, policy));
                let case = format!("{type_} {flags:?} {policy}");
                assert_eq!(on(verdict.status.effective.unwrap()), expected_on, "{case}");
                let expected = (conditions.iter().map(|line| (*line).to_owned()).collect(), reason.to_owned(), errors);
                assert_eq!(told(&verdict), expected, "{case}");
                seen.insert(expected);
                count += 1;
            }
        }
    }
    assert_eq!(count, 972);
    // Refused for 1 to 3 flags at once; ready, clamped or not, idle or not.
    assert_eq!(seen.len(), 7, "{seen:#?}");
}

#[test]
fn what_is_clamped_and_what_is_idle_is_told_where_the_list_of_objects_shows_it() {
    let all = [Some(true); 4];
    let verdict = judge(&strategy("github-token", all, "Clamp"));
    assert_eq!(
        verdict.judgement.ready_message,
        "the flags in status.effective are in force; isLoginActive is off: type 'github-token' has no canLoginRegister; \
         isSelfRegisterActive is off: type 'github-token' has no canLoginRegister; doesImplicitRegister is off: type \
         'github-token' has no allowsImplicitSignup; isSelfRegisterActive and doesImplicitRegister have no effect while \
         isLoginActive is off in status.effective"
    );
    let verdict = judge(&strategy("userpass", [Some(false), Some(true), None, None], "Reject"));
    assert_eq!(
        verdict.judgement.ready_message,
        "the flags in status.effective are in force; isSelfRegisterActive has no effect while isLoginActive is off in \
         status.effective"
    );
    let verdict = judge(&strategy("userpass", [None; 4], "Clamp"));
    assert_eq!(verdict.judgement.ready_message, "the flags in status.effective are in force");
}

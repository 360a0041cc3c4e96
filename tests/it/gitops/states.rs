//! Every state that an object of each kind can be in, as the operator's own functions make it.

use std::collections::{BTreeMap, BTreeSet};

use idp_operator::{
    api::{status::StatusCore, tenant_jwt_secret::SigningAlgorithm},
    desired::status::{Subject, failed, judged, suspended},
    domain::{
        ca_bundle::CaBundleError,
        capability::Excess,
        examples::{ExamplesVerdict, FailedExample},
        jwks::KeySetError,
        key_source::{FetchError, KeysError, Place},
        policy::Violation,
        reasons::{
            CommonReason, IdentityProviderReason, StrategyInstanceReason, TenantJwtSecretReason,
            UserIdpAuthenticatorReason,
        },
        strategy_config::ConfigFault,
        verdict::{Finding, Judgement, Problem},
        verdicts::{
            identity_provider as idp, identity_provider_examples as examples, identity_provider_keys as keys,
            strategy_instance as si,
            tenant_jwt_secret::{Conflict, TenantProblem},
            user_idp_authenticator as uia,
        },
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::kstatus::{
    Status::{self, Current, Failed, InProgress, Terminating},
    compute,
};

/// What everything of the contract's tables comes to: by `Stalled`, and where `Ready` can be True, that too.
const BY_CONTRACT: [(&str, &str, &[Status]); 46] = [
    ("IdentityProvider", "AddressForbidden", &[Failed, Current]),
    ("IdentityProvider", "BadKeyEncoding", &[InProgress, Current]),
    ("IdentityProvider", "BodyTooLarge", &[InProgress, Current]),
    ("IdentityProvider", "DuplicateIssuer", &[Failed]),
    ("IdentityProvider", "DuplicateKeyId", &[InProgress, Current]),
    ("IdentityProvider", "ExampleFailed", &[Failed]),
    ("IdentityProvider", "Inactive", &[Current]),
    ("IdentityProvider", "InvalidCaBundle", &[Failed]),
    ("IdentityProvider", "KeyTooWeak", &[InProgress, Current]),
    ("IdentityProvider", "KeysStale", &[InProgress]),
    ("IdentityProvider", "KeysUnreachable", &[InProgress, Current]),
    ("IdentityProvider", "NoAudiences", &[Current]),
    ("IdentityProvider", "NoUsableKey", &[InProgress, Current]),
    ("IdentityProvider", "NotAJwks", &[InProgress, Current]),
    ("IdentityProvider", "PrivateKeyPublished", &[InProgress]),
    ("IdentityProvider", "PublishConflict", &[Failed]),
    ("IdentityProvider", "Ready", &[Current]),
    ("IdentityProvider", "RedirectRefused", &[InProgress, Current]),
    ("IdentityProvider", "ReferenceNotFound", &[InProgress, Current]),
    ("IdentityProvider", "SymmetricKeyPublished", &[InProgress, Current]),
    ("IdentityProvider", "TlsFailed", &[InProgress, Current]),
    ("IdentityProvider", "UnexpectedStatus", &[InProgress, Current]),
    ("StrategyInstance", "CapabilityNotSupported", &[Failed]),
    ("StrategyInstance", "ConfigSecretNotFound", &[InProgress]),
    ("StrategyInstance", "DuplicateId", &[Failed]),
    ("StrategyInstance", "FlagsClamped", &[Current]),
    ("StrategyInstance", "FlagsIneffective", &[Current]),
    ("StrategyInstance", "InvalidConfig", &[Failed]),
    ("StrategyInstance", "Ready", &[Current]),
    ("StrategyInstance", "UnknownStrategyType", &[Failed]),
    ("TenantJwtSecret", "AuthenticationSecretNotConfigured", &[InProgress]),
    ("TenantJwtSecret", "InvalidRequest", &[Failed]),
    ("TenantJwtSecret", "Ready", &[Current]),
    ("TenantJwtSecret", "SecretConflict", &[Failed]),
    ("TenantJwtSecret", "SecretImmutable", &[Failed]),
    ("TenantJwtSecret", "SigningAlgorithmNotConfigured", &[Failed]),
    ("TenantJwtSecret", "TenantConflict", &[Failed]),
    ("TenantJwtSecret", "TenantNotClaimed", &[Failed]),
    ("UserIdpAuthenticator", "AlreadyLinked", &[Failed]),
    ("UserIdpAuthenticator", "IdentitySet", &[Current]),
    ("UserIdpAuthenticator", "IdpInactive", &[Failed]),
    ("UserIdpAuthenticator", "IdpNotFound", &[InProgress]),
    ("UserIdpAuthenticator", "IdpNotReady", &[InProgress, Failed]),
    ("UserIdpAuthenticator", "LinkingNotAllowed", &[Failed]),
    ("UserIdpAuthenticator", "MissingLinkedIdentity", &[InProgress]),
    ("UserIdpAuthenticator", "UserAlreadyLinked", &[Failed]),
];

/// An object in some state.
pub struct State {
    pub kind: &'static str,
    pub reason: &'static str,
    pub object: Value,
}

const GENERATION: i64 = 3;

fn subject(generation: i64) -> Subject<'static> {
    Subject { uid: "u", generation, now: Timestamp::UNIX_EPOCH }
}

/// An object of this generation with this status.
pub fn object(kind: &str, generation: i64, status: &StatusCore) -> Value {
    json!({
        "apiVersion": "idp-operator.dev/v1alpha1", "kind": kind,
        "metadata": { "name": "x", "namespace": "x", "uid": "u", "generation": generation },
        "spec": {}, "status": status,
    })
}

fn judgement(findings: Vec<Finding>, ready_reason: &'static str) -> Judgement {
    Judgement { findings, ready_reason, ready_message: "all is well".into() }
}

fn with_problem(condition: &'static str, problem: Problem) -> Judgement {
    judgement(vec![Finding::failed(condition, problem)], "Ready")
}

fn judged_on(old: &StatusCore, judgement: &Judgement) -> StatusCore {
    judged(old, judgement, subject(GENERATION))
}

/// Every verdict of every kind, by the reason that it has.
pub fn verdicts() -> Vec<State> {
    let ready = [
        ("IdentityProvider", IdentityProviderReason::Ready.as_str()),
        ("IdentityProvider", IdentityProviderReason::Inactive.as_str()),
        ("TenantJwtSecret", TenantJwtSecretReason::Ready.as_str()),
        ("UserIdpAuthenticator", UserIdpAuthenticatorReason::IdentitySet.as_str()),
        ("StrategyInstance", StrategyInstanceReason::Ready.as_str()),
    ];
    let ready = ready.map(|(kind, reason)| {
        (kind, reason, judgement(vec![Finding::succeeded("Good", "it is"), Finding::not_evaluated("Other")], reason))
    });
    let clamped = judgement(vec![si::flags_clamped("userpass", &[excess()])], "Ready");
    let clamped = ("StrategyInstance", StrategyInstanceReason::FlagsClamped.as_str(), clamped);
    let problems = [
        ("IdentityProvider", identity_provider_problems()),
        ("TenantJwtSecret", tenant_problems()),
        ("UserIdpAuthenticator", link_problems()),
        ("StrategyInstance", strategy_problems()),
    ];
    let problems = problems.into_iter().flat_map(|(kind, problems)| {
        problems.into_iter().map(move |(condition, problem)| (kind, problem.reason, with_problem(condition, problem)))
    });
    ready
        .into_iter()
        .chain([clamped])
        .chain(problems)
        .map(|(kind, reason, judgement)| {
            let status = judged_on(&StatusCore::default(), &judgement);
            State { kind, reason, object: object(kind, GENERATION, &status) }
        })
        .collect()
}

type Problems = Vec<(&'static str, Problem)>;

fn identity_provider_problems() -> Problems {
    let endpoint = Place::Endpoint("https://login.example.com/keys".into());
    let configmap = Place::ConfigMap("keys".into(), "jwks.json".into());
    let fetches = [
        FetchError::Unreachable,
        FetchError::AddressForbidden,
        FetchError::Tls,
        FetchError::UnexpectedStatus(500),
        FetchError::Encoded,
        FetchError::Redirect(302),
        FetchError::BodyTooLarge,
    ];
    let sets = [
        KeySetError::NotAJwks,
        KeySetError::SymmetricKeyPublished,
        KeySetError::DuplicateKeyId,
        KeySetError::KeyTooWeak,
        KeySetError::BadKeyEncoding,
        KeySetError::NoUsableKey,
    ];
    let errors = fetches.map(KeysError::Fetch).into_iter().chain(sets.map(KeysError::Judged));
    let errors = errors.map(|error| (error, &endpoint)).chain([(KeysError::Unresolved, &configmap)]);
    // Whether the last good keys are still published.
    let both = errors.flat_map(|(error, place)| [true, false].map(|served| keys::keys_problem(error, place, served)));
    // With these, none are.
    let private = KeysError::Judged(KeySetError::PrivateKeyPublished);
    let bundle = keys::TrustError::Inline(CaBundleError::NoCertificate);
    let none = keys::TrustError::NotFound("ConfigMap", "ca".into(), "ca.crt".into());
    let failed = FailedExample { index: 0, name: "good".into(), refused: None };
    let failed = ExamplesVerdict { failed: vec![failed], ..ExamplesVerdict::default() };
    let mut all: Problems = both.chain([keys::keys_problem(private, &endpoint, false)]).map(Option::unwrap).collect();
    all.extend([
        (idp::KEYS_FRESH, keys::keys_stale(&endpoint)),
        (idp::REFERENCES_RESOLVED, keys::trust_problem(&bundle)),
        (idp::REFERENCES_RESOLVED, keys::trust_problem(&none)),
        (idp::PUBLISHED, idp::publish_conflict("x-jwks")),
        (idp::PUBLISHED, idp::publish_immutable("x-jwks")),
        (idp::ISSUER_UNIQUE, idp::duplicate_issuer("older")),
        (idp::ACTIVE, idp::not_active()),
        (idp::AUDIENCE_CHECKED, idp::no_audiences()),
        (examples::EXAMPLES_PASSED, examples::examples_failed(&failed)),
    ]);
    all
}

fn tenant_problems() -> Problems {
    let (secret, key) = (|| "x-jwt".to_owned(), || "secret".to_owned());
    let broken = vec![Violation::TooShort(SigningAlgorithm::Hs256, 3)];
    let all = [
        TenantProblem::TenantNotClaimed,
        TenantProblem::TenantConflict { holder: None },
        TenantProblem::SigningAlgorithmNotConfigured,
        TenantProblem::AuthenticationSecretNotConfigured { secret: secret(), key: key() },
        TenantProblem::InvalidRequest { secret: secret(), key: key(), broken },
        TenantProblem::SecretConflict { secret: secret(), conflict: Conflict::Foreign },
        TenantProblem::SecretImmutable { secret: secret() },
    ];
    all.into_iter().map(|problem| (problem.condition(), problem.problem())).collect()
}

fn link_problems() -> Problems {
    let name = uia::IdpName::Ref("login".into());
    let lost = |external_id, user| uia::not_unique(uia::Lost { external_id, user }).unwrap();
    let missing = uia::Missing { position: 0, idp: "login".into(), lack: uia::Lack::Link };
    vec![
        (uia::IDENTITY_PROVIDER_READY, uia::idp_not_found(&name)),
        (uia::IDENTITY_PROVIDER_READY, uia::idp_not_ready(&name, "login", false)),
        (uia::IDENTITY_PROVIDER_READY, uia::idp_not_ready(&name, "login", true)),
        (uia::IDENTITY_PROVIDER_READY, uia::idp_inactive(&name, "login")),
        (uia::LINKING_ALLOWED, uia::linking_not_allowed(&name, "login")),
        (uia::LINK_UNIQUE, lost(true, false)),
        (uia::LINK_UNIQUE, lost(false, true)),
        (uia::LINKED_IDENTITY, uia::missing_linked_identity(&[missing]).unwrap()),
    ]
}

fn excess() -> Excess {
    Excess { flag: "isSyncActive", pointer: "/spec/isSyncActive", capability: "canSync" }
}

fn strategy_problems() -> Problems {
    vec![
        (si::TYPE_KNOWN, si::unknown_strategy_type("x", ["userpass"].into_iter())),
        (si::CONFIG_VALID, si::invalid_config("jira", &[ConfigFault::Missing("root-url".into())])),
        (si::CONFIG_VALID, si::config_secret_not_found("x")),
        (si::CAPABILITIES_SUPPORTED, si::capability_not_supported("userpass", &[excess()])),
        (si::FLAGS_EFFECTIVE, si::flags_ineffective(&["doesImplicitRegister"])),
        (si::ID_UNIQUE, si::duplicate_id("older")),
    ]
}

/// What is not a verdict: what it is, the object, what kstatus calls it and what Argo CD does.
pub fn others() -> Vec<(&'static str, Value, Status, &'static str)> {
    let kind = "StrategyInstance";
    let of = |status: &StatusCore| object(kind, GENERATION, status);
    let verdict = |reason: &str| {
        let state = verdicts().into_iter().find(|state| state.reason == reason).unwrap();
        serde_json::from_value::<StatusCore>(state.object["status"].clone()).unwrap()
    };
    let (ready, stalled, waiting) = (verdict("Ready"), verdict("DuplicateId"), verdict("ConfigSecretNotFound"));
    let unseen = StatusCore { observed_generation: Some(-1), ..StatusCore::default() };
    let lost = |old: &StatusCore| failed(old, &Problem::internal_error("no answer"), subject(GENERATION));
    let paused = |old: &StatusCore| suspended(old, subject(GENERATION));
    let edited = |status: &StatusCore| object(kind, GENERATION + 1, status);
    let mut none = of(&unseen);
    none.as_object_mut().unwrap().remove("status");
    let mut deleted = of(&ready);
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    vec![
        ("unseen", of(&unseen), InProgress, "Progressing"),
        // What the default of status is for.
        ("unseen, without the default of status", none, Current, "Progressing"),
        ("unseen, and calls fail", of(&lost(&unseen)), InProgress, "Progressing"),
        ("unseen and suspended", of(&paused(&unseen)), InProgress, "Suspended"),
        ("ready, then calls fail", of(&lost(&ready)), InProgress, "Progressing"),
        ("stalled, then calls fail", of(&lost(&stalled)), InProgress, "Progressing"),
        ("ready, then suspended", of(&paused(&ready)), Current, "Suspended"),
        ("stalled, then suspended", of(&paused(&stalled)), Failed, "Suspended"),
        ("waiting, then suspended", of(&paused(&waiting)), InProgress, "Suspended"),
        ("failed calls, then suspended", of(&paused(&lost(&ready))), InProgress, "Suspended"),
        ("ready, then edited", edited(&ready), InProgress, "Progressing"),
        ("stalled, then edited", edited(&stalled), InProgress, "Progressing"),
        ("waiting, then edited", edited(&waiting), InProgress, "Progressing"),
        ("suspended, then edited", edited(&paused(&ready)), InProgress, "Progressing"),
        (
            "resumed, and stalled",
            of(&judged_on(&paused(&ready), &with_problem("Good", si::duplicate_id("older")))),
            Failed,
            "Degraded",
        ),
        // Argo CD runs no health check then: it calls every object Progressing that is being deleted.
        ("deleted", deleted, Terminating, "Healthy"),
    ]
}

#[test]
fn kstatus_tells_of_every_reason_what_the_contract_does() {
    let mut told = BTreeMap::<(&str, &str), BTreeSet<Status>>::new();
    for state in verdicts() {
        told.entry((state.kind, state.reason)).or_default().insert(compute(&state.object));
    }
    let expected: BTreeMap<_, BTreeSet<Status>> = BY_CONTRACT
        .iter()
        .map(|(kind, reason, statuses)| ((*kind, *reason), statuses.iter().copied().collect()))
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn the_table_has_every_reason_there_is() {
    let all = |kind, reasons: Vec<&'static str>| reasons.into_iter().map(move |reason| (kind, reason));
    let names = |reasons: &[CommonReason]| reasons.iter().map(|reason| reason.as_str()).collect::<Vec<_>>();
    let expected: BTreeSet<_> =
        all("IdentityProvider", IdentityProviderReason::ALL.iter().map(|it| it.as_str()).collect())
            .chain(all("TenantJwtSecret", TenantJwtSecretReason::ALL.iter().map(|it| it.as_str()).collect()))
            .chain(all("UserIdpAuthenticator", UserIdpAuthenticatorReason::ALL.iter().map(|it| it.as_str()).collect()))
            .chain(all("StrategyInstance", StrategyInstanceReason::ALL.iter().map(|it| it.as_str()).collect()))
            .collect();
    assert_eq!(BY_CONTRACT.map(|(kind, reason, _)| (kind, reason)).into_iter().collect::<BTreeSet<_>>(), expected);

    let objects = verdicts().into_iter().map(|state| state.object).chain(others().into_iter().map(|other| other.1));
    let conditions = objects.flat_map(|object| object["status"]["conditions"].as_array().cloned().unwrap_or_default());
    let seen: BTreeSet<_> = conditions.map(|condition| condition["reason"].as_str().unwrap().to_owned()).collect();
    for common in names(CommonReason::ALL) {
        assert!(seen.contains(common), "{common}");
    }
}

#[test]
fn kstatus_tells_what_is_no_verdict_from_one() {
    for (what, object, status, _) in others() {
        assert_eq!(compute(&object), status, "{what}");
    }
}

#[test]
fn who_is_not_ready_is_either_stalled_or_reconciling() {
    let objects = verdicts().into_iter().map(|state| state.object).chain(others().into_iter().map(|other| other.1));
    for object in objects {
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let find = |type_: &str| conditions.iter().find(|condition| condition["type"] == type_);
        let Some(ready) = find("Ready") else { continue };
        let why: Vec<_> = [find("Stalled"), find("Reconciling")].into_iter().flatten().collect();
        assert_eq!(why.len(), usize::from(ready["status"] != "True"), "{object}");
        for why in why {
            assert_eq!((&why["status"], &why["reason"]), (&json!("True"), &ready["reason"]), "{object}");
            assert_eq!(why["message"], ready["message"], "{object}");
        }
    }
}

//! Problems of a `TenantJwtSecret`, with the seed's codes and messages.

use crate::{
    api::{labels::TENANTS, tenant_jwt_secret::LastError},
    domain::{
        policy::Violation,
        reasons::TenantJwtSecretReason as Reason,
        verdict::{Fault, Problem, Weight},
    },
};

/// The tenant is this object's to hold.
pub const TENANT_VALID: &str = "TenantValid";
/// `spec.signingAlgorithm` is set.
pub const ALGORITHM_CONFIGURED: &str = "AlgorithmConfigured";
/// The output Secret holds a value that obeys the rules.
pub const SECRET_CONFIGURED: &str = "SecretConfigured";

/// The seed's error codes with their messages.
const SEED_ERRORS: [(i64, &str); 4] = [
    (101_017, "Invalid request"),
    (101_018, "Signing Algorithm not configured"),
    (101_019, "Authentication Secret not configured"),
    (101_020, "Internal server error"),
];

const SECRET_REF: &str = "/spec/secretRef";
const NAME: &str = "/metadata/name";

/// What is wrong with a `TenantJwtSecret`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantProblem {
    /// The namespace may not hold the tenant.
    TenantNotClaimed,
    /// An older object holds the tenant.
    TenantConflict {
        /// Its name, told within its own namespace only.
        holder: Option<String>,
    },
    /// No algorithm is set.
    SigningAlgorithmNotConfigured,
    /// The referenced Secret or its key is missing or empty.
    AuthenticationSecretNotConfigured {
        /// Name of the referenced Secret.
        secret: String,
        /// Its key.
        key: String,
    },
    /// The referenced value breaks rules.
    InvalidRequest {
        /// Name of the referenced Secret.
        secret: String,
        /// Its key.
        key: String,
        /// The rules, at least one.
        broken: Vec<Violation>,
    },
    /// A Secret of the output's name is not ours.
    SecretConflict {
        /// Name of the output.
        secret: String,
        /// Why it is not taken over.
        conflict: Conflict,
    },
    /// The output is immutable and would have to change.
    SecretImmutable {
        /// Name of the output.
        secret: String,
    },
}

/// Why a Secret of the output's name is not taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Nobody asked for it.
    Foreign,
    /// Its layout is of a later version.
    UnknownFormat,
    /// It is of another type.
    NotOpaque,
    /// It is another tenant's.
    OfAnotherTenant,
    /// It has a controller.
    Controlled,
    /// Its value breaks the rules, or there is none.
    BreaksTheRules,
}

impl TenantProblem {
    /// The problem as it is told.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let (reason, weight, http, code) = match self {
            Self::TenantNotClaimed => (Reason::TenantNotClaimed, Weight::Stalls, 403, None),
            Self::TenantConflict { .. } => (Reason::TenantConflict, Weight::Stalls, 403, None),
            Self::SigningAlgorithmNotConfigured => {
                (Reason::SigningAlgorithmNotConfigured, Weight::Stalls, 404, Some(101_018))
            }
            Self::AuthenticationSecretNotConfigured { .. } => {
                (Reason::AuthenticationSecretNotConfigured, Weight::Waits, 404, Some(101_019))
            }
            Self::InvalidRequest { .. } => (Reason::InvalidRequest, Weight::Stalls, 400, Some(101_017)),
            Self::SecretConflict { .. } => (Reason::SecretConflict, Weight::Stalls, 409, None),
            Self::SecretImmutable { .. } => (Reason::SecretImmutable, Weight::Stalls, 409, None),
        };
        let title = match (code.and_then(seed_message), self) {
            (Some(message), _) => message,
            (None, Self::TenantNotClaimed) => "Tenant not claimed",
            (None, Self::TenantConflict { .. }) => "Tenant conflict",
            (None, Self::SecretImmutable { .. }) => "Secret immutable",
            (None, _) => "Secret conflict",
        };
        let mut problem = Problem::new(reason, weight, http, title, self.pointer(), self.message());
        if let Self::InvalidRequest { broken, .. } = self {
            problem.faults = broken.iter().map(|violation| self.fault(*violation, title)).collect();
        }
        for fault in &mut problem.faults {
            if let Some(code) = code {
                fault.code = code.to_string();
            }
        }
        problem
    }

    /// The condition that is False by it.
    #[must_use]
    pub const fn condition(&self) -> &'static str {
        match self {
            Self::TenantNotClaimed | Self::TenantConflict { .. } => TENANT_VALID,
            Self::SigningAlgorithmNotConfigured => ALGORITHM_CONFIGURED,
            _ => SECRET_CONFIGURED,
        }
    }

    fn fault(&self, violation: Violation, title: &'static str) -> Fault {
        Fault {
            http: 400,
            code: String::new(),
            title,
            detail: violation.detail(),
            pointer: self.pointer().into(),
            rule: violation.rule(),
        }
    }

    fn pointer(&self) -> &'static str {
        match self {
            Self::TenantNotClaimed | Self::TenantConflict { .. } => "/spec/tenantId",
            Self::SigningAlgorithmNotConfigured => "/spec/signingAlgorithm",
            Self::AuthenticationSecretNotConfigured { .. } | Self::InvalidRequest { .. } => SECRET_REF,
            Self::SecretConflict { .. } | Self::SecretImmutable { .. } => NAME,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::TenantNotClaimed => format!(
                "tenantId must be claimed for its namespace: have it added to the namespace's annotation '{TENANTS}', \
                 or create the object in a namespace whose annotation has it"
            ),
            Self::TenantConflict { holder: Some(holder) } => format!(
                "tenantId must be held by one object: the older TenantJwtSecret '{holder}' holds it; delete one of them"
            ),
            Self::TenantConflict { holder: None } => {
                "tenantId must be held by one object: an older TenantJwtSecret in another namespace holds it; \
                 delete one of them"
                    .to_owned()
            }
            Self::SigningAlgorithmNotConfigured => {
                "Signing Algorithm not configured: set signingAlgorithm to HS256, HS384 or HS512".to_owned()
            }
            Self::AuthenticationSecretNotConfigured { secret, key } => format!(
                "Authentication Secret not configured: secretRef must name a Secret with a value, \
                 but Secret '{secret}' or its key '{key}' is missing or empty"
            ),
            Self::InvalidRequest { secret, key, broken } => format!(
                "Invalid request: key '{key}' of Secret '{secret}' (secretRef): {}",
                broken.iter().map(|violation| violation.detail()).collect::<Vec<_>>().join("; ")
            ),
            Self::SecretConflict { secret, conflict } => {
                // What may be in use elsewhere is not to be deleted.
                let (why, cure) = match conflict {
                    Conflict::Foreign => ("", "delete it, or set adopt to true to have it taken over, or "),
                    Conflict::UnknownFormat => (", but by another version of the operator", "run that version, or "),
                    Conflict::NotOpaque => (", nor can it be adopted, as its type must be Opaque", "delete it, or "),
                    Conflict::OfAnotherTenant => (", but for another TenantJwtSecret", ""),
                    Conflict::Controlled => {
                        (", nor can it be adopted, as another controller owns it", "delete it, or ")
                    }
                    Conflict::BreaksTheRules => (
                        ", nor can it be adopted, as its key 'secret' must hold a value that obeys the rules",
                        "delete it, or correct its value and set adopt to true, or ",
                    ),
                };
                format!(
                    "Secret '{secret}' was not made for this tenant{why}: {cure}name another one in secretName of a new \
                     TenantJwtSecret"
                )
            }
            Self::SecretImmutable { secret } => format!(
                "Secret '{secret}' is immutable and would have to change: delete it and a new one is made; \
                 until then its value is served as it is"
            ),
        }
    }
}

/// The seed's failure body for a problem; absent where the problem has none of the seed's codes.
#[must_use]
pub fn last_error(problem: &Problem) -> Option<LastError> {
    let code = problem.faults.first()?.code.parse().ok()?;
    Some(LastError {
        code,
        message: seed_message(code)?.to_owned(),
        errors: problem.faults.iter().map(|fault| fault.detail.clone()).collect(),
    })
}

/// Calls to the API server failed.
#[must_use]
pub fn internal_error(message: &str) -> Problem {
    let mut problem = Problem::internal_error(message);
    for fault in &mut problem.faults {
        "101020".clone_into(&mut fault.code);
    }
    problem
}

fn seed_message(code: i64) -> Option<&'static str> {
    SEED_ERRORS.iter().find(|(known, _)| *known == code).map(|(_, message)| *message)
}

//! The operator's looks at one `TenantJwtSecret`, with its output in memory and the time given: quick, and without an API
//! server. It does what `controllers::tenant_jwt_secret::step` does, but for the calls. The fuzz target uses it too.

use std::time::Duration;

use idp_operator::{
    api::TenantJwtSecret,
    controllers::tenant_jwt_secret::{
        apply,
        decide::{self, Plan},
        observe::{Observed, Rival, Source},
        verdict,
    },
    domain::secret_output::OutputFacts,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use rand::{SeedableRng as _, rngs::StdRng};

/// An object, what it depends on, and its output.
pub struct InMemory {
    pub object: TenantJwtSecret,
    pub output: Option<Secret>,
    /// The referenced value.
    pub source: Option<Vec<u8>>,
    /// Whether its namespace may hold the tenant.
    pub claimed: bool,
    pub rival: Option<Rival>,
    rng: StdRng,
    version: u64,
}

/// What a look came to. The output is as it was left.
#[derive(Debug)]
pub struct Look {
    pub plan: Plan,
    pub facts: Option<OutputFacts>,
    /// When to look again.
    pub requeue: Option<Duration>,
}

impl InMemory {
    pub fn new(object: TenantJwtSecret, seed: u64) -> Self {
        let rng = StdRng::seed_from_u64(seed);
        Self { object, output: None, source: None, claimed: true, rival: None, rng, version: 0 }
    }

    /// Observe, decide, apply and report.
    pub fn look(&mut self, now: Timestamp) -> Look {
        let output = self.output.as_ref().map(OutputFacts::read);
        let (claimed, rival) = (self.claimed, self.rival.clone());
        let seen = Observed { claimed, rival, output, has_other_owner: false, source: self.observed(), now };
        let plan = decide::plan(&self.object, &seen);
        if plan.is_written {
            let mut written = apply::output(&self.object, &plan, &seen, self.output.take(), &mut self.rng).unwrap();
            self.version += 1;
            written.metadata.resource_version = Some(self.version.to_string());
            self.output = Some(written);
        }
        let facts = self.output.as_ref().map(OutputFacts::read);
        let verdict = verdict::verdict(&self.object, &seen, &plan, facts.as_ref());
        self.object.status = Some(verdict.status);
        Look { plan, facts, requeue: verdict.requeue }
    }

    fn observed(&self) -> Source {
        if self.object.spec.secret_ref.is_none() {
            return Source::Generated;
        }
        Source::read(self.source.as_deref(), self.output.as_ref())
    }
}

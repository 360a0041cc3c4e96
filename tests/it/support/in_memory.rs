//! The operator's looks at one `TenantJwtSecret`, with its output in memory and the time given: quick, and without an API
//! server. It does what `controllers::tenant_jwt_secret::step` does, but for the calls. The fuzz target uses it too.

use std::time::Duration;

use idp_operator::{
    api::TenantJwtSecret,
    controllers::tenant_jwt_secret::{
        decide::{self, Plan},
        observe::{Observed, Rival, Source},
        verdict,
    },
    desired::{
        secret,
        secret_values::{NewValue, Parts},
    },
    domain::{
        policy,
        rotation::{Change, Current, Next},
        secret_output::{OutputFacts, Role},
    },
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use secrecy::ExposeSecret as _;

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
            let value = self.new_value(&plan.change, &seen.source);
            let parts = Parts { change: &plan.change, value, key_id: self.key_id(), describes: plan.describes, now };
            let mut written = secret::desired(&self.object, &parts, self.output.take());
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
        match self.source.as_deref().filter(|value| !value.is_empty()).map(policy::parse) {
            None => Source::Missing,
            Some(Err(violation)) => Source::Unreadable(violation),
            Some(Ok(value)) => {
                let published = self.bytes(Role::Current).and_then(|bytes| policy::parse(bytes).ok());
                let is_published =
                    published.is_some_and(|published| published.text.expose_secret() == value.text.expose_secret());
                Source::Value { value, is_published }
            }
        }
    }

    fn new_value(&mut self, change: &Change, source: &Source) -> Option<NewValue> {
        let text = match (change.current, change.next, source) {
            (Current::New(..), _, Source::Value { value, .. }) => value.text.clone(),
            (Current::New(algorithm, _), ..) | (_, Next::New(algorithm, _), _) => {
                policy::generate(algorithm, &mut self.rng).unwrap()
            }
            _ => return None,
        };
        Some(NewValue { text, key_id: self.key_id() })
    }

    fn key_id(&mut self) -> String {
        format!("{:032x}", self.rng.random::<u128>())
    }

    /// The value as it stands in the output.
    pub fn bytes(&self, role: Role) -> Option<&[u8]> {
        let [value, ..] = role.keys();
        Some(self.output.as_ref()?.data.as_ref()?.get(value)?.0.as_slice())
    }
}

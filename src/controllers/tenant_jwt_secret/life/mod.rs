//! Years of a tenant's secret in milliseconds: the plan, the output and the verdict, without an API server.

mod any_order;
mod damage;
mod overlaps;
mod rotation;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use rand::rngs::SysRng;

use super::{
    apply::output,
    decide::plan,
    observe::{Observed, Rival, Source},
    verdict::verdict,
};
use crate::{
    api::{
        TenantJwtSecret, TenantJwtSecretSpec, TenantJwtSecretStatus, labels,
        refs::SecretKeyRef,
        tenant_jwt_secret::{DeletionPolicy, Outputs, Rotation, SigningAlgorithm},
    },
    cluster::key::ObjectKey,
    desired::status::{self, Subject},
    domain::{
        policy,
        secret_output::{OutputFacts, Role, text, tokens},
        verdict::Problem,
    },
};
use SigningAlgorithm::{Hs256, Hs384, Hs512};

/// An object, its output, and the time.
struct Sim {
    object: TenantJwtSecret,
    secret: Option<Secret>,
    source: Option<String>,
    has_rival: bool,
    now: Timestamp,
    version: u64,
    /// The spec that the generation counts.
    counted: Option<TenantJwtSecretSpec>,
    /// Reasons of the last look's Events.
    news: Vec<String>,
}

/// The values of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Values {
    current: Option<String>,
    previous: Option<(String, Timestamp)>,
    next: Option<(String, Timestamp)>,
}

impl Sim {
    fn new(rotation: (Option<&str>, &str, &str)) -> Self {
        let spec = TenantJwtSecretSpec {
            tenant_id: "acme".into(),
            signing_algorithm: Some(Hs256),
            ..TenantJwtSecretSpec::default()
        };
        let mut object = TenantJwtSecret::new("acme", spec);
        object.metadata.uid = Some("uid".into());
        object.metadata.namespace = Some("ns".into());
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut sim = Self {
            object,
            secret: None,
            source: None,
            has_rival: false,
            now,
            version: 0,
            counted: None,
            news: Vec::new(),
        };
        sim.set_rotation(rotation);
        sim
    }

    fn set_rotation(&mut self, (interval, grace_period, lead_time): (Option<&str>, &str, &str)) {
        self.object.spec.rotation = Rotation {
            interval: interval.map(|interval| interval.parse().unwrap()),
            grace_period: grace_period.parse().unwrap(),
            lead_time: lead_time.parse().unwrap(),
        };
    }

    fn set_token(&mut self, token: &str) {
        self.object.metadata.annotations = Some([(labels::ROTATE.to_owned(), token.to_owned())].into());
    }

    fn refer(&mut self, source: &str) {
        self.object.spec.secret_ref = Some(SecretKeyRef { name: "source".into(), key: "secret".into() });
        self.source = Some(source.to_owned());
    }

    fn pass(&mut self, time: &str) -> &mut Self {
        self.now += time.parse::<SignedDuration>().unwrap();
        self
    }

    fn tamper(&mut self, change: impl FnOnce(&mut std::collections::BTreeMap<String, ByteString>)) {
        self.version += 1;
        let secret = self.secret.as_mut().unwrap();
        secret.metadata.resource_version = Some(self.version.to_string());
        change(secret.data.as_mut().unwrap());
    }

    fn set(&mut self, name: &str, value: &str) {
        self.tamper(|data| drop(data.insert(name.to_owned(), ByteString(value.as_bytes().to_vec()))));
    }

    fn seen(&self) -> Observed {
        let source = match &self.object.spec.secret_ref {
            None => Source::Generated,
            Some(_) => Source::read(self.source.as_ref().map(String::as_bytes), self.secret.as_ref()),
        };
        let rival = self.has_rival.then(|| Rival { key: ObjectKey::new("ns", "older"), has_output: false });
        Observed {
            claimed: true,
            rival,
            output: self.secret.as_ref().map(OutputFacts::read),
            has_other_owner: false,
            source,
            now: self.now,
        }
    }

    fn subject(&self) -> Subject<'static> {
        Subject { uid: "uid", generation: self.object.metadata.generation.unwrap_or_default(), now: self.now }
    }

    /// A reconcile in which calls to the API server fail: told with the present generation.
    fn fail(&mut self) {
        self.count_generation();
        let old = self.object.status.take().unwrap_or_default();
        let core = status::failed(&old.core, &Problem::internal_error("no answer"), self.subject());
        self.object.status = Some(TenantJwtSecretStatus { core, ..old });
    }

    /// As the API server does with each edit of a spec.
    fn count_generation(&mut self) {
        if self.counted.as_ref() != Some(&self.object.spec) {
            self.counted = Some(self.object.spec.clone());
            self.object.metadata.generation = Some(self.object.metadata.generation.unwrap_or_default() + 1);
        }
    }

    /// One reconcile. It writes once at most: a second look finds nothing to write.
    fn look(&mut self) -> TenantJwtSecretStatus {
        self.count_generation();
        let seen = self.seen();
        let plan = plan(&self.object, &seen);
        if plan.is_written {
            self.version += 1;
            let mut written = output(&self.object, &plan, &seen, self.secret.take(), &mut SysRng).unwrap();
            written.metadata.resource_version = Some(self.version.to_string());
            self.secret = Some(written);
        }
        let verdict = verdict(&self.object, &seen, &plan, self.seen().output.as_ref());
        self.news = verdict.notices.iter().map(|notice| notice.reason.clone()).collect();
        let old = self.object.status.take().unwrap_or_default();
        let core = status::judged(&old.core, &verdict.judgement, self.subject());
        self.object.status = Some(TenantJwtSecretStatus { core, ..verdict.status.clone() });
        let again = super::decide::plan(&self.object, &self.seen());
        assert!(!again.is_written, "{again:?}");
        verdict.status
    }

    fn value(&self, role: Role) -> Option<String> {
        let [value, ..] = role.keys();
        self.secret.as_ref().and_then(|secret| text(secret, value)).map(str::to_owned)
    }

    fn values(&self) -> Values {
        let timed = |role: Role| {
            let [.., time] = role.keys();
            let time = text(self.secret.as_ref()?, time)?.parse().ok()?;
            Some((self.value(role)?, time))
        };
        Values { current: self.value(Role::Current), previous: timed(Role::Previous), next: timed(Role::Next) }
    }

    /// The current value, and until when the previous one is published.
    fn looked(&mut self) -> Values {
        self.look();
        self.values()
    }

    fn after(&self, time: &str) -> Timestamp {
        self.now + time.parse::<SignedDuration>().unwrap()
    }
}

fn good(seed: u64) -> String {
    use rand::SeedableRng as _;
    use secrecy::ExposeSecret as _;
    policy::generate(Hs512, &mut rand::rngs::StdRng::seed_from_u64(seed)).unwrap().expose_secret().to_owned()
}

/// A next value waits; `then` happens.
fn lead(then: impl FnOnce(&mut Sim)) -> (Values, Sim) {
    let mut sim = Sim::new((None, "24h", "2h"));
    sim.look();
    sim.set_token("one");
    let before = sim.looked();
    assert!(before.next.is_some());
    then(&mut sim);
    (before, sim)
}

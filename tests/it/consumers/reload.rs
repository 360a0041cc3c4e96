//! Services that load a secret anew at different times, over 1,000 rotations in simulated time.
//!
//! Whoever keeps to two rules never sees a false refusal: the time between two loads (the kubelet's delay included) is
//! less than `leadTime`, and that time and a token's lifetime together are less than `gracePeriod`.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::Duration,
};

use idp_operator::{
    api::{
        TenantJwtSecret, TenantJwtSecretSpec, labels,
        tenant_jwt_secret::{Rotation, SigningAlgorithm},
    },
    domain::secret_output::{OutputFacts, Role},
};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Mount, in_memory::InMemory};

const INTERVAL: Duration = Duration::from_hours(1);
const LEAD_TIME: Duration = Duration::from_mins(10);
const GRACE_PERIOD: Duration = Duration::from_mins(25);

/// Longest time between two loads.
const RELOAD: Duration = Duration::from_secs(10 * 60 - 1);

/// How long a token is good.
const LIFETIME: Duration = Duration::from_mins(15);

const VERIFIERS: usize = 3;

const SEED: u64 = 1;

/// What happens at a moment.
enum Event {
    /// The operator looks.
    Look,
    /// The signer loads the files.
    SignerLoads,
    /// A verifier loads the files.
    Loads(usize),
    /// The signer signs.
    Sign,
    /// A verifier verifies.
    Verify(usize, Token),
}

struct Token {
    text: String,
    expires: Timestamp,
}

/// A service, with what it loaded last.
#[derive(Default)]
struct Service {
    version: PathBuf,
    keys: HashMap<String, (Role, DecodingKey)>,
    signing: Option<(String, EncodingKey)>,
}

impl Service {
    fn load(&mut self, mount: &Mount) {
        let version = mount.version();
        if version == self.version {
            return;
        }
        let files = mount.read();
        let text = |name: &str| Some(std::str::from_utf8(files.get(name)?).unwrap());
        let keys = Role::ALL.map(|role| {
            let [value, _, key_id, _] = role.keys().map(text);
            Some((key_id?.to_owned(), (role, DecodingKey::from_base64_secret(value?).unwrap())))
        });
        self.keys = keys.into_iter().flatten().collect();
        let key = EncodingKey::from_base64_secret(text("secret").unwrap()).unwrap();
        self.signing = Some((text("key-id").unwrap().to_owned(), key));
        self.version = version;
    }

    fn sign(&self, now: Timestamp) -> Token {
        let (kid, key) = self.signing.as_ref().unwrap();
        let header = Header { kid: Some(kid.clone()), ..Header::new(Algorithm::HS256) };
        Token { text: encode(&header, &json!({ "sub": "mini" }), key).unwrap(), expires: now + LIFETIME }
    }

    /// The role that the token's value has for this service, if it accepts the token.
    fn verify(&self, token: &Token) -> Option<Role> {
        let mut validation = Validation::new(Algorithm::HS256);
        // Time is simulated: only tokens that have not expired come here.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        let (role, key) = self.keys.get(&decode_header(&token.text).ok()?.kid?)?;
        decode::<Value>(&token.text, key, &validation).ok().map(|_| *role)
    }
}

/// What came of it.
#[derive(Debug, Default)]
struct Outcome {
    rotations: u32,
    accepted: [u32; 3],
    refused: u32,
}

struct Simulation {
    now: Timestamp,
    events: BTreeMap<(Timestamp, u64), Event>,
    count: u64,
    rng: StdRng,
    operator: InMemory,
    /// The output as the operator left it.
    seen: Option<OutputFacts>,
    mount: Mount,
    signer: Service,
    verifiers: [Service; VERIFIERS],
    outcome: Outcome,
}

impl Simulation {
    fn new(lead_time: Duration, grace_period: Duration) -> Self {
        let rotation = Rotation {
            interval: Some(INTERVAL.into()),
            grace_period: grace_period.into(),
            lead_time: lead_time.into(),
        };
        let spec = TenantJwtSecretSpec {
            tenant_id: "acme.example.com".to_owned(),
            signing_algorithm: Some(SigningAlgorithm::Hs256),
            rotation,
            ..TenantJwtSecretSpec::default()
        };
        let mut object = TenantJwtSecret::new("acme", spec);
        object.metadata.uid = Some("uid".to_owned());
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut operator = InMemory::new(object, SEED);
        let seen = operator.look(now).facts;
        let mount = Mount::new(operator.output.as_ref().unwrap());
        let mut simulation = Self {
            now,
            events: BTreeMap::new(),
            count: 0,
            rng: StdRng::seed_from_u64(SEED),
            operator,
            seen,
            mount,
            signer: Service::default(),
            verifiers: Default::default(),
            outcome: Outcome::default(),
        };
        // Every service has the first value before a token is signed.
        simulation.signer.load(&simulation.mount);
        simulation.after(Duration::ZERO, Event::SignerLoads);
        for verifier in 0..VERIFIERS {
            simulation.verifiers[verifier].load(&simulation.mount);
            simulation.after(Duration::ZERO, Event::Loads(verifier));
        }
        simulation.after(Duration::ZERO, Event::Look);
        simulation.after(Duration::ZERO, Event::Sign);
        simulation
    }

    fn run(mut self, rotations: u32) -> Outcome {
        while self.outcome.rotations < rotations {
            let ((now, _), event) = self.events.pop_first().unwrap();
            self.now = now;
            match event {
                Event::Look => self.look(),
                Event::Sign => {
                    self.sign();
                    let wait = self.up_to(INTERVAL / 5);
                    self.after(wait, Event::Sign);
                }
                Event::SignerLoads => {
                    // Just before and just after are when it matters.
                    self.sign();
                    self.signer.load(&self.mount);
                    self.sign();
                    let wait = self.until_load();
                    self.after(wait, Event::SignerLoads);
                }
                Event::Loads(verifier) => {
                    // What it loaded last is as old as can be.
                    self.verify(verifier, &self.signer.sign(now));
                    self.verifiers[verifier].load(&self.mount);
                    let wait = self.until_load();
                    self.after(wait, Event::Loads(verifier));
                }
                Event::Verify(verifier, token) => self.verify(verifier, &token),
            }
        }
        self.outcome
    }

    /// The operator looks, and now and then somebody asked for a rotation; then it wakes when it said, or late, as after
    /// it was down, or early, as after it was restarted.
    fn look(&mut self) {
        let is_between = self.seen.as_ref().is_some_and(|seen| !seen.previous.exists && !seen.next.exists);
        if is_between && self.rng.random_bool(0.1) {
            let annotations = self.operator.object.metadata.annotations.get_or_insert_default();
            annotations.insert(labels::ROTATE.to_owned(), self.count.to_string());
        }
        let look = self.operator.look(self.now);
        if look.plan.is_written {
            self.mount.update(self.operator.output.as_ref().unwrap());
        }
        let key_id = |facts: &Option<OutputFacts>| facts.as_ref().and_then(|facts| facts.current.key_id.clone());
        self.outcome.rotations += u32::from(key_id(&look.facts) != key_id(&self.seen));
        self.seen = look.facts;
        let requeue = look.requeue.expect("it ages, so the operator has to look again");
        let wait = match self.rng.random_range(0..20) {
            0 | 1 => self.up_to(requeue),
            2 => requeue + self.up_to(Duration::from_hours(5)),
            3..6 => requeue + self.up_to(Duration::from_mins(20)),
            _ => requeue + self.up_to(Duration::from_secs(2)),
        };
        self.after(wait, Event::Look);
    }

    /// A token, which is verified at some time; half of them when they expire.
    fn sign(&mut self) {
        let token = self.signer.sign(self.now);
        let wait = if self.rng.random() { LIFETIME } else { self.up_to(LIFETIME) };
        let verifier = self.rng.random_range(0..VERIFIERS);
        self.after(wait, Event::Verify(verifier, token));
    }

    fn verify(&mut self, verifier: usize, token: &Token) {
        assert!(self.now <= token.expires);
        match self.verifiers[verifier].verify(token) {
            Some(role) => self.outcome.accepted[Role::ALL.iter().position(|other| *other == role).unwrap()] += 1,
            None => self.outcome.refused += 1,
        }
    }

    /// As late as may be, half of the times.
    fn until_load(&mut self) -> Duration {
        if self.rng.random() { RELOAD } else { self.up_to(RELOAD) }
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        self.rng.random_range(Duration::ZERO..=most)
    }

    fn after(&mut self, wait: Duration, event: Event) {
        self.count += 1;
        self.events.insert((self.now + wait, self.count), event);
    }
}

#[test]
fn services_that_load_at_different_times_refuse_no_token_over_a_thousand_rotations() {
    let outcome = Simulation::new(LEAD_TIME, GRACE_PERIOD).run(1_000);
    assert_eq!(outcome.refused, 0, "{outcome:?}");
    // Each value was used in each of its roles.
    assert!(outcome.accepted.iter().all(|count| *count > 1_000), "{outcome:?}");
}

/// So the test above can fail.
#[rstest]
#[case::neither(Duration::ZERO, Duration::ZERO)]
#[case::no_lead_time(Duration::ZERO, GRACE_PERIOD)]
#[case::no_grace_period(LEAD_TIME, Duration::ZERO)]
#[case::too_little_lead_time(LEAD_TIME / 2, GRACE_PERIOD)]
#[case::too_little_grace_period(LEAD_TIME, GRACE_PERIOD / 5 * 4)]
fn without_lead_time_or_grace_period_services_refuse_tokens(
    #[case] lead_time: Duration,
    #[case] grace_period: Duration,
) {
    let outcome = Simulation::new(lead_time, grace_period).run(100);
    assert!(outcome.refused > 0, "{outcome:?}");
}

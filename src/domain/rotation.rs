//! The life of a tenant's secret: which value signs, which one did before, which one will next.
//!
//! ```text
//!            nothing ──generate / publish──▶ CURRENT ◀──────────────────────────────────┐
//!                                              │                                        │
//!        rotation is due, or a token asks ─────┤                                        │
//!                                              │                                        │
//!                 leadTime > 0                 │               leadTime = 0             │
//!          ┌───────────────────────────────────┴──────────────────────┐                 │
//!          ▼                                                          ▼                 │
//!   CURRENT + NEXT ──active-at, or leadTime = 0──▶ next or new becomes current,         │
//!          │                                       the old current becomes PREVIOUS     │
//!          │                                                          │                 │
//!          │                                                          ▼                 │
//!          │                                       CURRENT + PREVIOUS ──expires-at, or ─┘
//!          │                                                           gracePeriod = 0
//!          └─ another algorithm, or secretRef: NEXT is dropped, CURRENT replaced at once
//! ```
//!
//! The phases overlap: CURRENT, NEXT and PREVIOUS may stand together, until NEXT becomes current and takes PREVIOUS's place.
//! A CURRENT that is missing or breaks the rules is repaired in any state: by NEXT if there is one, else by a new value; it
//! never becomes PREVIOUS. All of it is in the output Secret, so whoever reads that goes on from there.
//!
//! # Guarantees
//! - A good value is replaced only for another algorithm, another referenced value, its age, or a token, once each.
//! - A good value that is replaced is PREVIOUS for `gracePeriod`, or until the value after it becomes PREVIOUS itself.
//! - Times are fixed when they are written: a late operator lengthens a phase, and never shortens one.

use jiff::{SignedDuration, Timestamp};

use super::{schedule, secret_output::OutputFacts};
use crate::api::tenant_jwt_secret::SigningAlgorithm;

/// What the spec asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// `rotation.interval`
    pub interval: Option<SignedDuration>,
    /// `rotation.gracePeriod`
    pub grace_period: SignedDuration,
    /// `rotation.leadTime`
    pub lead_time: SignedDuration,
    /// Spreads rotations of many tenants, always alike for the same one.
    pub spread: u64,
    /// Digest of the token that asks for a rotation, if there is one.
    pub token: Option<String>,
    /// Digest of the token that was honoured last, as the status has it: the output can have lost it.
    pub honoured: Option<String>,
    /// Algorithm of the current value, as the status has it: the output can have lost it.
    pub algorithm: Option<SigningAlgorithm>,
}

/// Where values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are generated for this algorithm.
    Generated(SigningAlgorithm),
    /// The referenced value, which obeys the rules for this algorithm; and whether the output has it.
    Referenced(SigningAlgorithm, bool),
    /// There should be a referenced value, and there is no good one, or none may be published.
    ReferencedBad,
    /// No values are made: phases under way end in time.
    Held,
}

/// What a write does to the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What becomes of the current value.
    pub current: Current,
    /// What becomes of the previous value.
    pub previous: Previous,
    /// What becomes of the next value.
    pub next: Next,
    /// A token's digest that is recorded.
    pub token: Option<String>,
}

/// What becomes of the current value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Current {
    /// It stays as it is.
    Keep,
    /// It stays; what describes it is set right, for this algorithm.
    Describe(SigningAlgorithm),
    /// There is a new one.
    New(SigningAlgorithm, Why),
    /// The next one becomes current.
    Promote(Why),
}

/// Why a value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is none.
    Missing,
    /// It breaks the rules.
    Broken,
    /// `signingAlgorithm` is another one.
    Algorithm,
    /// The referenced value is another one.
    Source,
    /// It is old enough, or a token asked for it.
    Rotation,
}

/// What becomes of the previous value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Previous {
    /// It stays as it is, or there is none.
    Keep,
    /// It goes.
    Remove,
    /// It goes, and the current value, which is for this algorithm, takes its place until then.
    Demote(SigningAlgorithm, Timestamp),
}

/// What becomes of the next value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It stays as it is, or there is none.
    Keep,
    /// It goes; to be current, if that is promoted.
    Remove,
    /// There is a new one, to be current from then on.
    New(SigningAlgorithm, Timestamp),
}

impl Change {
    /// Nothing changes.
    pub const NONE: Self = Self { current: Current::Keep, previous: Previous::Keep, next: Next::Keep, token: None };

    /// Whether nothing is written.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Whether a previous value leaves the output that could be used for verifying.
    #[must_use]
    pub fn removes_previous(&self, output: Option<&OutputFacts>) -> bool {
        self.previous != Previous::Keep && output.is_some_and(|output| output.previous.is_whole())
    }
}

/// What to do now. `output` is what stands there, ours.
#[must_use]
pub fn change(output: Option<&OutputFacts>, terms: &Terms, mode: Mode, now: Timestamp) -> Change {
    let Some(output) = output else {
        return match mode {
            Mode::Generated(algorithm) => {
                Change { current: Current::New(algorithm, Why::Missing), token: terms.token.clone(), ..Change::NONE }
            }
            Mode::Referenced(algorithm, ..) => {
                Change { current: Current::New(algorithm, Why::Missing), ..Change::NONE }
            }
            Mode::ReferencedBad | Mode::Held => Change::NONE,
        };
    };
    let state = State { output, terms, now };
    let mut change = match mode {
        Mode::Generated(algorithm) => state.generated(algorithm),
        Mode::Referenced(algorithm, is_published) => state.referenced(algorithm, is_published),
        Mode::ReferencedBad => state.referenced_bad(),
        Mode::Held => state.held(),
    };
    if change.previous == Previous::Keep && output.previous.exists && !state.previous_stays() {
        change.previous = Previous::Remove;
    }
    if change.next == Next::Remove && !output.next.exists {
        change.next = Next::Keep;
    }
    change
}

/// When something is to be done if nothing happens before.
#[must_use]
pub fn wakes_at(output: &OutputFacts, terms: &Terms, mode: Mode, now: Timestamp) -> Option<Timestamp> {
    let next = output.next_from(now);
    let start = || due(output, terms, mode, now)?.checked_sub(terms.lead_time).ok();
    let begins = if next.is_none() { start() } else { None };
    // What is due by now and was not done can't be done: the Secret is immutable.
    [output.previous_until(now), next, begins].into_iter().flatten().filter(|time| *time > now).min()
}

/// When the next value becomes current, as far as that can be foreseen.
#[must_use]
pub fn rotates_at(output: &OutputFacts, terms: &Terms, mode: Mode, now: Timestamp) -> Option<Timestamp> {
    output.next_from(now).or_else(|| due(output, terms, mode, now))
}

fn due(output: &OutputFacts, terms: &Terms, mode: Mode, now: Timestamp) -> Option<Timestamp> {
    let interval = terms.interval.filter(|_| matches!(mode, Mode::Generated(_)))?;
    output.issued_at(now)?.checked_add(schedule::lengthen(interval, terms.spread)).ok()
}

/// An output that is there, and what is asked of it.
struct State<'a> {
    output: &'a OutputFacts,
    terms: &'a Terms,
    now: Timestamp,
}

impl State<'_> {
    fn generated(&self, algorithm: SigningAlgorithm) -> Change {
        let next = self.output.next_from(self.now).filter(|_| self.output.next.algorithm == Some(algorithm));
        match (self.good_for(Some(algorithm)), next) {
            (Some(other), _) if other != algorithm => {
                Change { next: Next::Remove, ..self.replace(other, Current::New(algorithm, Why::Algorithm)) }
            }
            (Some(_), Some(from)) if !self.is_time_for(from) => {
                Change { current: self.described(algorithm), ..Change::NONE }
            }
            (good, Some(_)) => self.promote(good),
            (Some(_), None) => self.rotated(algorithm),
            (None, None) => Change {
                current: Current::New(algorithm, self.why_repaired()),
                next: Next::Remove,
                token: self.token(),
                ..Change::NONE
            },
        }
    }

    /// The value is good, and none waits: is it time for another?
    fn rotated(&self, algorithm: SigningAlgorithm) -> Change {
        let token = self.token();
        let is_asked_for = token.as_ref().is_some_and(|token| Some(token) != self.terms.honoured.as_ref());
        let is_due = due(self.output, self.terms, Mode::Generated(algorithm), self.now)
            .and_then(|due| due.checked_sub(self.terms.lead_time).ok())
            .is_some_and(|start| start <= self.now);
        if !is_asked_for && !is_due {
            return Change { current: self.described(algorithm), next: Next::Remove, token, ..Change::NONE };
        }
        if self.terms.lead_time.is_zero() {
            return Change { next: Next::Remove, ..self.replace(algorithm, Current::New(algorithm, Why::Rotation)) };
        }
        let next = Next::New(algorithm, ceil(self.now, self.terms.lead_time));
        Change { current: self.described(algorithm), next, token, ..Change::NONE }
    }

    fn referenced(&self, algorithm: SigningAlgorithm, is_published: bool) -> Change {
        let change = match self.good_for(Some(algorithm)) {
            _ if is_published => Change { current: self.described(algorithm), ..Change::NONE },
            Some(good) => Change { token: None, ..self.replace(good, Current::New(algorithm, Why::Source)) },
            None => Change { current: Current::New(algorithm, self.why_repaired()), ..Change::NONE },
        };
        Change { next: Next::Remove, ..change }
    }

    /// What is there stays, but for the next value: unless that is the only good one.
    fn referenced_bad(&self) -> Change {
        let current = match (self.good_for(None), self.output.next_from(self.now)) {
            (None, Some(_)) => Current::Promote(self.why_repaired()),
            _ => self.kept(),
        };
        Change { current, next: Next::Remove, ..Change::NONE }
    }

    /// Phases under way end in time.
    fn held(&self) -> Change {
        match self.output.next_from(self.now) {
            Some(from) if self.is_time_for(from) => self.promote(self.good_for(None)),
            Some(_) => Change { current: self.kept(), ..Change::NONE },
            None => Change { current: self.kept(), next: Next::Remove, ..Change::NONE },
        }
    }

    fn is_time_for(&self, next: Timestamp) -> bool {
        self.terms.lead_time.is_zero() || next <= self.now
    }

    /// The current value, which is good for this algorithm, is replaced, and becomes previous.
    fn replace(&self, good_for: SigningAlgorithm, current: Current) -> Change {
        // Without a grace period an older one goes too, as it would at any other time.
        let previous = match self.terms.grace_period {
            SignedDuration::ZERO => Previous::Keep,
            grace_period => Previous::Demote(good_for, ceil(self.now, grace_period)),
        };
        Change { current, previous, next: Next::Keep, token: self.token() }
    }

    /// The next value becomes current; the current one becomes previous if it is good for an algorithm.
    fn promote(&self, good_for: Option<SigningAlgorithm>) -> Change {
        let change = match good_for {
            Some(algorithm) => self.replace(algorithm, Current::Promote(Why::Rotation)),
            None => Change { current: Current::Promote(self.why_repaired()), token: self.token(), ..Change::NONE },
        };
        Change { next: Next::Remove, ..change }
    }

    fn why_repaired(&self) -> Why {
        if self.output.current.value.is_none() { Why::Missing } else { Why::Broken }
    }

    /// What the current value is for, if it obeys that. Where that got lost: what the spec says, what the status says, or
    /// the strongest, of those that it obeys.
    fn good_for(&self, spec: Option<SigningAlgorithm>) -> Option<SigningAlgorithm> {
        let obeys = |algorithm: &SigningAlgorithm| self.output.current.obeys(*algorithm);
        let known = [spec, self.terms.algorithm].into_iter().flatten();
        match self.output.current.algorithm {
            Some(algorithm) => Some(algorithm).filter(obeys),
            None => known.chain(SigningAlgorithm::ALL.into_iter().rev()).find(obeys),
        }
    }

    /// A value that stays whatever the spec says: what describes it is set right if it is good.
    fn kept(&self) -> Current {
        self.good_for(None).map_or(Current::Keep, |algorithm| self.described(algorithm))
    }

    /// Whether what describes the value is right.
    fn described(&self, algorithm: SigningAlgorithm) -> Current {
        let current = &self.output.current;
        let is_right = current.algorithm == Some(algorithm)
            && current.key_id.is_some()
            && self.output.issued_at(self.now).is_some()
            && matches!(current.value, Some(Ok(traits)) if traits.is_padded());
        if is_right { Current::Keep } else { Current::Describe(algorithm) }
    }

    fn previous_stays(&self) -> bool {
        !self.terms.grace_period.is_zero() && self.output.previous_until(self.now).is_some()
    }

    /// The token, if the output does not know it.
    fn token(&self) -> Option<String> {
        self.terms.token.clone().filter(|token| !self.output.tokens.contains(token))
    }
}

/// So much later, in whole seconds: rather more than less.
fn ceil(now: Timestamp, by: SignedDuration) -> Timestamp {
    let exact = now.saturating_add(by).unwrap_or(Timestamp::MAX);
    let floor = exact.as_second();
    let second = if exact.subsec_nanosecond() > 0 { floor.saturating_add(1) } else { floor };
    Timestamp::from_second(second).unwrap_or(exact)
}

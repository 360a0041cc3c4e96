//! What the contract says a link is told, written out once more: section 4, and of section 1 what it says on deletion,
//! suspension and contests. Nothing here calls the code that is tested; objects are only read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::watch::{Stored, meta};
use crate::api::{
    IdentityProvider, UserIdpAuthenticator, UserIdpAuthenticatorStatus, identity_provider::State, status::Condition,
};

/// The conditions, in the order that decides over `Ready`.
const ORDER: [&str; 4] = ["IdentityProviderReady", "LinkingAllowed", "LinkUnique", "LinkedIdentity"];

/// Reason, whether only an edit helps, HTTP status. Of `IdpNotReady` the `IdentityProvider` says whether only an edit helps.
const REASONS: [(&str, bool, u16); 7] = [
    ("IdpNotFound", false, 404),
    ("IdpNotReady", false, 503),
    ("IdpInactive", true, 403),
    ("LinkingNotAllowed", true, 403),
    ("AlreadyLinked", true, 409),
    ("UserAlreadyLinked", true, 409),
    ("MissingLinkedIdentity", false, 401),
];

/// What a status says, without its prose and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    generation: i64,
    /// By type: status, reason, observed generation.
    conditions: BTreeMap<String, (String, String, i64)>,
    /// HTTP status, code, pointer.
    errors: Vec<(String, String, String)>,
}

impl Told {
    /// Of an object that nobody looked at yet, as the schema has it.
    pub const fn nothing() -> Self {
        Self { generation: -1, conditions: BTreeMap::new(), errors: Vec::new() }
    }

    pub fn of(status: &UserIdpAuthenticatorStatus) -> Self {
        let value =
            |one: &Condition| (one.status.to_string(), one.reason.to_string(), one.observed_generation.unwrap());
        let errors = status.core.errors.iter();
        Self {
            generation: status.core.observed_generation.unwrap(),
            conditions: status.core.conditions.iter().map(|one| (one.type_.to_string(), value(one))).collect(),
            errors: errors.map(|one| (one.status.clone(), one.code.clone(), one.source.pointer.clone())).collect(),
        }
    }

    /// `Ready`'s.
    pub fn reason(&self) -> Option<String> {
        self.conditions.get("Ready").map(|(_, reason, _)| reason.clone())
    }

    fn set(&mut self, type_: &str, status: &str, reason: &str) {
        self.conditions.insert(type_.into(), (status.into(), reason.into(), self.generation));
    }

    fn has(&self, type_: &str, status: &str) -> bool {
        self.conditions.get(type_).is_some_and(|condition| condition.0 == status)
    }

    /// The verdict stays, and so does what was said of which generation.
    fn suspended(&self, generation: i64) -> Self {
        let mut told = Self { generation, ..self.clone() };
        told.set("Suspended", "True", "Suspended");
        if !self.conditions.contains_key("Ready") {
            told.set("Ready", "Unknown", "Suspended");
            told.set("Reconciling", "True", "Suspended");
        }
        told
    }

    fn judged(generation: i64, found: &Found, linked: &Outcome) -> Self {
        let mut told = Self { generation, ..Self::nothing() };
        told.set("Ready", "True", "IdentitySet");
        let outcomes = [&found.idp, &found.allowed, &found.unique, linked];
        for (type_, outcome) in ORDER.into_iter().zip(outcomes).rev() {
            match outcome {
                Outcome::Good => told.set(type_, "True", "Succeeded"),
                Outcome::NotEvaluated => told.set(type_, "Unknown", "NotEvaluated"),
                // From the last to the first: the first has the last word.
                Outcome::Bad(faults) => {
                    let row = |reason| *REASONS.iter().find(|row| row.0 == reason).unwrap();
                    let (reason, stalls, _) = row(faults[0].0);
                    let is_stalled = stalls || (reason == "IdpNotReady" && found.idp_stalls);
                    let why = if is_stalled { "Stalled" } else { "Reconciling" };
                    told.set(type_, "False", reason);
                    told.set("Ready", "False", reason);
                    told.conditions.retain(|type_, _| type_ != "Stalled" && type_ != "Reconciling");
                    told.set(why, "True", reason);
                    let error =
                        |(reason, pointer): &Fault| (row(reason).2.to_string(), kebab_case(reason), pointer.clone());
                    told.errors = faults.iter().map(error).collect();
                }
            }
        }
        told
    }
}

fn kebab_case(reason: &str) -> String {
    let split =
        |letter: char| if letter.is_uppercase() { format!("-{}", letter.to_lowercase()) } else { letter.into() };
    reason.chars().map(split).collect::<String>().trim_start_matches('-').to_owned()
}

/// Reason, and pointer to the cause.
type Fault = (&'static str, String);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Good,
    NotEvaluated,
    Bad(Vec<Fault>),
}

impl Outcome {
    fn bad(reason: &'static str, pointer: &str) -> Self {
        Self::Bad(vec![(reason, pointer.into())])
    }
}

/// What a link is to be told, but for what it requires.
struct Found {
    idp: Outcome,
    idp_stalls: bool,
    allowed: Outcome,
    unique: Outcome,
}

enum Look {
    /// There is no first verdict of its `IdentityProvider` yet.
    Waits,
    /// It or its `IdentityProvider` is suspended.
    Keeps,
    Judges(Found),
}

/// What a link contends for: an `IdentityProvider`'s name, the external id and the user.
type Claim = (String, String, String);

/// Age, UID and claim: the oldest holds it.
type Contender = (Option<Timestamp>, String, Claim);

/// What the watches told, and what the links were told.
#[derive(Default)]
pub struct Model {
    /// Those that are not being deleted.
    idps: BTreeMap<String, Stored<IdentityProvider>>,
    links: BTreeMap<String, Stored<UserIdpAuthenticator>>,
    /// By name; one that can't be read keeps what it had.
    contenders: BTreeMap<String, Contender>,
    /// By UID.
    told: BTreeMap<String, Told>,
}

impl Model {
    /// This is all that there is, as far as it was told.
    pub fn learn(
        &mut self,
        idps: &BTreeMap<String, Stored<IdentityProvider>>,
        links: &BTreeMap<String, Stored<UserIdpAuthenticator>>,
    ) {
        let live = idps.iter().filter(|(_, idp)| meta(idp).deletion_timestamp.is_none());
        self.idps = live.map(|(name, idp)| (name.clone(), idp.clone())).collect();
        self.links.clone_from(links);
        let is_known = |name: &String, uid: &str| {
            let told = links.get(name).map(meta);
            told.is_some_and(|told| told.uid.as_deref() == Some(uid) && told.deletion_timestamp.is_none())
        };
        self.contenders.retain(|name, (_, uid, _)| is_known(name, uid));
        for (name, link) in links {
            let Ok(link) = link else { continue };
            let idp = self.idp_of(link).filter(|_| link.metadata.deletion_timestamp.is_none());
            let created = link.creation_timestamp().map(|created| created.0);
            match idp {
                Some(idp) => {
                    let claim = (idp, link.spec.idp_user_id.clone(), link.spec.user_id.clone());
                    self.contenders.insert(name.clone(), (created, link.uid().unwrap(), claim))
                }
                None => self.contenders.remove(name),
            };
        }
    }

    /// This link was told this.
    pub fn tell(&mut self, uid: String, told: Told) {
        self.told.insert(uid, told);
    }

    /// What this link was told last.
    pub fn last_told(&self, link: &UserIdpAuthenticator) -> Told {
        self.told.get(&link.uid().unwrap()).cloned().unwrap_or(Told::nothing())
    }

    /// What this link is to be told now.
    pub fn expected(&self, name: &str, link: &UserIdpAuthenticator) -> Told {
        let (last, generation) = (self.last_told(link), link.metadata.generation.unwrap());
        let found = match self.look(name, link) {
            Look::Keeps if link.spec.suspend => return last.suspended(generation),
            Look::Keeps | Look::Waits => return last,
            Look::Judges(found) => found,
        };
        if [&found.idp, &found.allowed, &found.unique] != [&Outcome::Good; 3] {
            return Told::judged(generation, &found, &Outcome::NotEvaluated);
        }
        let required = link.spec.requires.iter().map(|required| self.counts(&required.name, &link.spec.user_id));
        let required: Vec<Option<bool>> = required.collect();
        if required.contains(&None) {
            return last;
        }
        let missing = required.iter().enumerate().filter(|(_, counts)| **counts == Some(false));
        let missing = missing.map(|(at, _)| ("MissingLinkedIdentity", format!("/spec/requires/{at}/name")));
        let missing: Vec<Fault> = missing.collect();
        let linked = if missing.is_empty() { Outcome::Good } else { Outcome::Bad(missing) };
        Told::judged(generation, &found, &linked)
    }

    fn look(&self, name: &str, link: &UserIdpAuthenticator) -> Look {
        if link.spec.suspend {
            return Look::Keeps;
        }
        let pointer = if link.spec.idp_ref.is_some() { "/spec/idpRef/name" } else { "/spec/idpId" };
        let Some(idp) = self.idp_of(link).and_then(|idp| self.idps.get(&idp)) else {
            let idp = Outcome::bad("IdpNotFound", pointer);
            let (allowed, unique) = (Outcome::NotEvaluated, Outcome::NotEvaluated);
            return Look::Judges(Found { idp, idp_stalls: false, allowed, unique });
        };
        // Of one that can't be read nothing is known but that it is there.
        let Ok(idp) = idp else { return Look::Waits };
        let Some(ready) = condition(idp, "Ready") else { return Look::Waits };
        let was_judged = condition(idp, "Active").is_some();
        let last = self.last_told(link);
        let has_verdict = last.has("Ready", "True") || last.has("Ready", "False");
        // An edited link is judged all the same, as nothing was said of what it is now.
        if idp.spec.suspend && was_judged && has_verdict && Some(last.generation) == link.metadata.generation {
            return Look::Keeps;
        }
        let (is_ready, idp_stalls) = match ready {
            "True" => (true, false),
            "False" => (false, condition(idp, "Stalled") == Some("True")),
            // Links don't react to Unknown. Where nothing was ever said of it that could stand, it is not ready.
            _ if was_judged => {
                let stalled = last.conditions.get("Stalled").map(|(_, reason, _)| reason.as_str());
                (last.has("IdentityProviderReady", "True"), stalled == Some("IdpNotReady"))
            }
            _ => (false, false),
        };
        let is_inactive = idp.spec.state == State::Inactive || condition(idp, "Active") == Some("False");
        let ready = match (is_inactive, is_ready) {
            (true, _) => Outcome::bad("IdpInactive", pointer),
            (false, true) => Outcome::Good,
            (false, false) => Outcome::bad("IdpNotReady", pointer),
        };
        let allowed = match (&ready, idp.spec.linking_allowed) {
            (Outcome::Good, true) => Outcome::Good,
            (Outcome::Good, false) => Outcome::bad("LinkingNotAllowed", pointer),
            _ => Outcome::NotEvaluated,
        };
        Look::Judges(Found { idp: ready, idp_stalls, allowed, unique: self.unique(name) })
    }

    fn unique(&self, name: &str) -> Outcome {
        let (.., (idp, id, user)) = &self.contenders[name];
        let has_id = self.holder(|claim| (&claim.0, &claim.1) == (idp, id)) == Some(name);
        let has_user = self.holder(|claim| (&claim.0, &claim.2) == (idp, user)) == Some(name);
        let id = (!has_id).then(|| ("AlreadyLinked", "/spec/idpUserId".to_owned()));
        let user = (!has_user).then(|| ("UserAlreadyLinked", "/spec/userId".to_owned()));
        let lost: Vec<Fault> = id.into_iter().chain(user).collect();
        if lost.is_empty() { Outcome::Good } else { Outcome::Bad(lost) }
    }

    /// Whether the user has this identity; nothing if that is not known before the first verdict of its `IdentityProvider`.
    /// It is asked of the link that holds the user's place, and of no other, even if that one's verdict stays as it was.
    fn counts(&self, idp: &str, user: &str) -> Option<bool> {
        let link = self.holder(|claim| (claim.0.as_str(), claim.2.as_str()) == (idp, user));
        let (Some(_), Some(name)) = (self.idps.get(idp), link) else { return Some(false) };
        // Of one that can't be read nothing is known but its place.
        let Ok(link) = &self.links[name] else { return Some(false) };
        match self.look(name, link) {
            Look::Waits => None,
            Look::Keeps => {
                let last = self.last_told(link);
                Some(last.has("IdentityProviderReady", "True") && last.has("LinkUnique", "True"))
            }
            Look::Judges(found) => Some((found.idp, found.unique) == (Outcome::Good, Outcome::Good)),
        }
    }

    /// Of all whose claim is the same, the oldest.
    fn holder(&self, is_same: impl Fn(&Claim) -> bool) -> Option<&str> {
        let all = self.contenders.iter().filter(|(_, (.., claim))| is_same(claim));
        all.min_by_key(|(_, contender)| *contender).map(|(name, _)| name.as_str())
    }

    /// By name, whether there is one or not; by id, the live one.
    fn idp_of(&self, link: &UserIdpAuthenticator) -> Option<String> {
        let is_it = |(_, idp): &(&String, &Stored<IdentityProvider>)| meta(idp).uid == link.spec.idp_id;
        let by_id = || self.idps.iter().find(is_it).map(|(name, _)| name.clone());
        link.spec.idp_ref.as_ref().map(|idp| idp.name.clone()).or_else(by_id)
    }
}

fn condition<'a>(idp: &'a IdentityProvider, type_: &str) -> Option<&'a str> {
    let conditions = &idp.status.as_ref()?.core.conditions;
    conditions.iter().find(|one| one.type_ == type_).map(|one| one.status.as_str())
}

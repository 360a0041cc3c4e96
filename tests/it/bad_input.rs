//! Wrong manifests: refused by the API server, or answered in status, with a message that names the field and the cure.
//!
//! Every table compares whole messages. A new rule's message is read here before it is written here.

mod accepted;
mod addresses;
mod changed;
mod deep;
mod endpoints;
mod hostile;
mod keys;
mod links;
mod refused;
mod refused_idp;
mod refused_idp_tokens;
mod refused_others;
mod refused_tenant;
mod secrets;
mod strategies;

use std::{collections::BTreeMap, time::Instant};

use Says::Must;

use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator};
use serde_json::{Value, json};

use crate::support::{
    Scene, ready,
    scene::{Ours, PATIENCE, core},
};

/// One of the four kinds.
#[derive(Clone, Copy)]
enum Kind {
    Idp,
    Tjs,
    Uia,
    Si,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Idp => "IdentityProvider",
            Self::Tjs => "TenantJwtSecret",
            Self::Uia => "UserIdpAuthenticator",
            Self::Si => "StrategyInstance",
        }
    }

    /// A good spec.
    fn good(self) -> Value {
        match self {
            Self::Idp => json!({
                "jwtEndpoint": "https://login.example.com/jwt",
                "issuer": "https://login.example.com",
                "keysEndpoint": "https://login.example.com/keys",
            }),
            Self::Tjs => json!({ "tenantId": "acme.example.com", "signingAlgorithm": "HS384" }),
            Self::Uia => json!({
                "userId": "69629023906488334",
                "idpRef": { "name": "login" },
                "idpUserId": "mini",
                "idpUserName": "mini@example.com",
            }),
            Self::Si => json!({ "type": "userpass", "name": "userpass-local" }),
        }
    }

    /// A good spec with this changed in it: `null` takes a field away.
    fn with(self, change: &Value) -> Value {
        let mut spec = self.good();
        merge(&mut spec, change);
        spec
    }

    /// Applies a spec. An error is the API server's message.
    async fn apply(self, scene: &Scene, name: &str, spec: Value) -> Result<(), String> {
        match self {
            Self::Idp => scene.try_apply::<IdentityProvider>(name, spec).await.map(drop),
            Self::Tjs => scene.try_apply::<TenantJwtSecret>(name, spec).await.map(drop),
            Self::Uia => scene.try_apply::<UserIdpAuthenticator>(name, spec).await.map(drop),
            Self::Si => scene.try_apply::<StrategyInstance>(name, spec).await.map(drop),
        }
    }
}

/// What the API server says about a field.
#[derive(Clone, Copy)]
enum Says {
    /// A rule of ours: `<field> must <this>`.
    Must(&'static str),
    /// The same, of a rule that stands on the parent: the value, which may hold a password, is not repeated.
    Unrepeated(&'static str),
    /// A rule of ours that stands on the whole spec or object. Nothing of the object is repeated.
    Whole(&'static str),
    /// The API server's words for an empty string.
    Empty,
    /// The API server's own words on missing, too long and unknown values, after which it judges no rules.
    Own(&'static str),
    /// The words of server-side apply on unknown fields and wrong types.
    Apply(&'static str),
}

/// The rule on identifiers.
const IDENTIFIER: Says = Must("be without white space around it, and not blank");
const OBJECT_NAME: Says = Must(
    "be the name of an object: parts of lower-case letters, digits and '-', each with a letter or digit at both ends, \
     with '.' between them",
);
const DURATION: Says = Must("be a duration such as '36h' or '1h30m': whole numbers with the units h, m, s and ms");
const REQUIRED: Says = Says::Own("Required value");
const LONGER_THAN_200: Says = Says::Own("Too long: may not be more than 200 bytes");
const LONGER_THAN_253: Says = Says::Own("Too long: may not be more than 253 bytes");
const UNKNOWN_FIELD: Says = Says::Apply("field not declared in schema");

impl Says {
    /// The whole message on an object of this kind, name and spec; the field is a path below `spec`, such as `a.b[0].c`.
    fn message(&self, kind: Kind, name: &str, spec: &Value, field: &str) -> String {
        const UNCHECKED: &str = "<nil>: Invalid value: null: some validation rules were not checked because the object \
                                 was invalid; correct the existing errors to complete validation";
        let pointer = || format!("/{}", field.replace(['.', '['], "/").replace(']', ""));
        let value = || quoted(spec.pointer(&pointer()).unwrap().as_str().unwrap());
        let cause = match self {
            Self::Must(rest) => {
                let last = field.rsplit('.').next().unwrap();
                format!("spec.{field}: Invalid value: {}: {last} must {rest}", value())
            }
            Self::Unrepeated(rest) => {
                let last = field.rsplit('.').next().unwrap();
                format!("spec.{field}: Invalid value: {last} must {rest}")
            }
            Self::Whole(words) => format!("{field}: Invalid value: {words}"),
            Self::Empty => {
                format!("spec.{field}: Invalid value: \"\": spec.{field} in body should be at least 1 chars long")
            }
            Self::Own(words) => format!("[spec.{field}: {words}, {UNCHECKED}]"),
            Self::Apply(words) => {
                let object = format!("/{name}; idp-operator.dev/v1alpha1, Kind={}", kind.name());
                return format!("failed to create typed patch object ({object}): .spec.{field}: {words}");
            }
        };
        format!("{}.idp-operator.dev \"{name}\" is invalid: {cause}", kind.name())
    }
}

/// A string as Go's `%q` writes it.
fn quoted(text: &str) -> String {
    let escape = |character: char| match character {
        '\u{a0}' => "\\u00a0".to_owned(),
        '"' | '\\' | '\n' | '\r' | '\t' => character.escape_default().to_string(),
        other => other.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// JSON merge patch (RFC 7386).
pub fn merge(target: &mut Value, change: &Value) {
    let Value::Object(changes) = change else {
        *target = change.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (field, change) in changes {
        if change.is_null() {
            target.as_object_mut().unwrap().remove(field);
        } else {
            merge(&mut target[field], change);
        }
    }
}

/// What an object's status answers.
#[derive(Debug, PartialEq)]
struct Answer {
    /// Status and reason of `Ready`, and which of `Stalled` and `Reconciling` is beside it.
    verdict: String,
    message: String,
    /// HTTP status, code and pointer of each of `errors`.
    errors: Vec<String>,
}

impl Answer {
    fn new(verdict: &str, message: &str, errors: &[&str]) -> Self {
        Self {
            verdict: verdict.to_owned(),
            message: message.to_owned(),
            errors: errors.iter().map(|error| (*error).to_owned()).collect(),
        }
    }

    fn of<K: Ours>(object: &K) -> Option<Self> {
        let (status, reason, message) = ready(object)?;
        let core = core(object);
        let beside = ["Stalled", "Reconciling"].map(|type_| core.condition(type_).map_or("", |_| type_)).concat();
        let error = |error: &idp_operator::api::status::ErrorObject| {
            format!("{} {} {}", error.status, error.code, error.source.pointer)
        };
        Some(Self {
            verdict: format!("{status} {reason} {beside}").trim_end().to_owned(),
            message,
            errors: core.errors.iter().map(error).collect(),
        })
    }
}

/// Waits until every object's status answers so. Told apart by name, all at once; a message may hold `<name>`.
async fn expect_answers<K: Ours>(scene: &Scene, expected: BTreeMap<String, Answer>) {
    let deadline = Instant::now() + PATIENCE;
    let named = |(name, answer): (String, Answer)| {
        let message = answer.message.replace("<name>", &name);
        (name, Answer { message, ..answer })
    };
    let expected: BTreeMap<String, Answer> = expected.into_iter().map(named).collect();
    loop {
        let list = scene.api::<K>().list(&kube::api::ListParams::default()).await.unwrap();
        let is: BTreeMap<_, _> =
            list.iter().map(|object| (object.meta().name.clone().unwrap(), Answer::of(object))).collect();
        let differ: Vec<_> =
            expected.iter().filter(|(name, answer)| is.get(*name).and_then(Option::as_ref) != Some(*answer)).collect();
        if differ.is_empty() {
            return;
        }
        if Instant::now() > deadline {
            let told: Vec<String> = differ
                .iter()
                .map(|(name, answer)| format!("{name}\n  is   {:?}\n  not  {answer:?}", is.get(*name)))
                .collect();
            panic!("{} of {} answers differ:\n{}", told.len(), expected.len(), told.join("\n"));
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Fails with every row that came out otherwise.
fn all_as_expected(rows: usize, differ: &[String]) {
    assert!(differ.is_empty(), "{} of {rows} rows differ:\n{}", differ.len(), differ.join("\n"));
}

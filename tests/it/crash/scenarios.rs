//! What the operator is stopped in the midst of.

use serde_json::{Value, json};

use super::stage::Act::{self, Age, Apply, Break, Collected, Delete, Found, Lose, Orphan, Source, Token};

/// 48 bytes that obey every rule for HS256 and HS384.
const GOOD: &str = "Aa1!Bb2@Cc3#Dd4$Ee5%Ff6^Gg7&Hh8*Ii9(Jj0)Kk-_Ll=+";

/// Another one.
const OTHER: &str = "Mm1!Nn2@Oo3#Pp4$Qq5%Rr6^Ss7&Tt8*Uu9(Vv0)Ww-_Xx=+";

/// What is gone through.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    pub name: &'static str,
    /// What is done before, each until the operator is done with it.
    pub given: Vec<Act>,
    /// What the operator is stopped in the midst of.
    pub when: Vec<Act>,
    /// What is done until it starts again.
    pub meanwhile: Vec<Act>,
    /// How many values are current in all, one after the other.
    pub values: usize,
}

/// A spec without its tenant.
fn spec(algorithm: &str, grace: &str, lead: &str) -> Value {
    let rotation = json!({ "gracePeriod": grace, "leadTime": lead });
    json!({ "signingAlgorithm": algorithm, "rotation": rotation, "outputs": { "jwks": true, "raw": true } })
}

/// With another field.
pub fn with(mut spec: Value, field: &str, value: Value) -> Value {
    spec[field] = value;
    spec
}

pub fn scenarios() -> Vec<Scenario> {
    let plain = || spec("HS256", "1h", "0s");
    let waiting = || spec("HS256", "1h", "1h");
    let aging = |lead| {
        let rotation = json!({ "interval": "1h", "gracePeriod": "30m", "leadTime": lead });
        with(plain(), "rotation", rotation)
    };
    let referenced = |spec: Value| with(spec, "secretRef", json!({ "name": "source" }));
    let retained = || with(plain(), "deletionPolicy", json!("Retain"));
    let scenario = |name, given: &[Act], when: &[Act], values| Scenario {
        name,
        given: given.to_vec(),
        when: when.to_vec(),
        meanwhile: vec![],
        values,
    };
    vec![
        // The longest first.
        scenario("rotation with a lead time", &[Apply(spec("HS256", "3s", "2s"))], &[Token("a")], 2),
        scenario("deletion under Delete", &[Apply(plain())], &[Delete, Collected, Apply(plain())], 2),
        scenario(
            "deletion that leaves the output",
            &[Apply(plain()), Token("a")],
            &[Orphan, Apply(plain()), Token("a")],
            2,
        ),
        scenario("rotation", &[Apply(spec("HS256", "2s", "0s"))], &[Token("a")], 2),
        scenario("rotation for age", &[Apply(aging("0s"))], &[Age], 2),
        scenario("rotation for age with a lead time", &[Apply(aging("2s"))], &[Age], 2),
        scenario("rotation while a previous stands", &[Apply(plain()), Token("a")], &[Token("b")], 3),
        scenario("generation", &[], &[Apply(plain())], 1),
        Scenario {
            meanwhile: vec![Delete, Apply(retained())],
            ..scenario("generation, made anew", &[], &[Apply(retained())], 1)
        },
        Scenario {
            meanwhile: vec![Delete, Apply(retained()), Token("a")],
            ..scenario("rotation, made anew", &[Apply(retained())], &[Token("a")], 2)
        },
        scenario("another algorithm", &[Apply(plain())], &[Apply(spec("HS512", "1h", "0s"))], 2),
        scenario(
            "another algorithm while a next waits",
            &[Apply(waiting()), Token("a")],
            &[Apply(spec("HS512", "1h", "1h"))],
            2,
        ),
        scenario("repair", &[Apply(plain())], &[Break], 2),
        scenario("repair while a previous stands", &[Apply(plain()), Token("a")], &[Break], 3),
        scenario("repair while a next waits", &[Apply(waiting()), Token("a")], &[Break], 2),
        scenario("no lead time while a next waits", &[Apply(waiting()), Token("a")], &[Apply(plain())], 2),
        scenario("another source value", &[Source(GOOD), Apply(referenced(plain()))], &[Source(OTHER)], 2),
        scenario("a reference set", &[Source(GOOD), Apply(plain())], &[Apply(referenced(plain()))], 2),
        scenario("a lost output", &[Apply(plain()), Token("a")], &[Lose], 3),
        scenario("deletion under Retain", &[Apply(retained()), Token("a")], &[Delete, Apply(plain()), Token("a")], 2),
        scenario("Delete to Retain", &[Apply(plain())], &[Apply(retained())], 1),
        scenario("Retain to Delete", &[Apply(retained())], &[Apply(plain())], 1),
        scenario("adoption", &[Found(GOOD)], &[Apply(with(plain(), "adopt", json!(true)))], 1),
    ]
}

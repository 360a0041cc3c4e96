//! What holds for every set.
#![cfg(test)]

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select, subsequence},
};

use super::{ALL, Algorithm, KeySet, KeySetError, Value, json};

/// Keys of every kind, good and bad, each with an id that is not its neighbour's.
fn keys() -> impl Strategy<Value = Vec<Value>> {
    let key = (
        select(vec![
            json!({ "kty": "RSA", "e": "AQAB", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw" }),
            json!({ "kty": "RSA", "e": "AQAB", "n": "vrjOfz9Ccdgx5nQudyhdoR17V-IubWMeOZCwX_jj0hgAsz2J_pqYW08PLbK_PdiVGKPrqzmDIsLI7sA25VEnHU1uCLNwBuUiCO11_-7dYbsr4iJmG0Qu2j8DsVyT1azpJC_NG84Ty5KKthuCaPod7iI7w0LK9orSMhBEwwZDCxTWq4aYWAchc8t-emd9qOvWtVMDC2BXksRngh6X5bUYLy6AyHKvj-nUy1wgzjYQDwHMTplCoLtU-o-8SNnZ1tmRoGE9uJkBLdh5gFENabWnU5m1ZqZPdwS-qo-meMvVfJb6jJVWRpl2SUtCnYG2C32qvbWbjZ_jBPD5eunqsIo1vQ" }),
            json!({ "kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM" }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }),
            json!({ "kty": "EC", "crv": "P-521", "x": "AA", "y": "AA" }),
            json!({ "kty": "RSA", "e": "AQAB", "n": "0vx7" }),
            json!({}),
        ]),
        select(vec![None, None, Some("RS256"), Some("PS384"), Some("ES256"), Some("RSA-OAEP")]),
        select(vec![None, None, Some("sig"), Some("enc")]),
        any::<bool>(),
    );
    vec(key, 0..8).prop_map(|keys| {
        let named = keys.into_iter().enumerate().map(|(number, (mut key, alg, use_, has_id))| {
            let texts = [("alg", alg.map(str::to_owned)), ("use", use_.map(str::to_owned))];
            for (name, text) in texts.into_iter().chain([("kid", has_id.then(|| number.to_string()))]) {
                if let Some(text) = text {
                    key[name] = json!(text);
                }
            }
            key
        });
        named.collect()
    })
}

fn algorithms() -> impl Strategy<Value = Vec<Algorithm>> {
    subsequence(ALL.to_vec(), 0..=ALL.len())
}

fn judge(keys: &[Value], permitted: &[Algorithm]) -> Result<KeySet, KeySetError> {
    KeySet::judge(json!({ "keys": keys }).to_string().as_bytes(), permitted)
}

fn again(set: &KeySet, permitted: &[Algorithm]) -> Option<KeySet> {
    KeySet::judge(set.to_json().as_bytes(), permitted).ok()
}

proptest! {
    #[test]
    fn what_is_published_is_judged_to_itself(keys in keys(), permitted in algorithms()) {
        if let Ok(set) = judge(&keys, &permitted) {
            prop_assert_eq!(again(&set, &permitted), Some(set.clone()));
            // Taken up after a restart, when nobody knows under which algorithms it was judged.
            prop_assert_eq!(again(&set, ALL).and_then(|all| all.under(&permitted)), Some(set));
        }
    }

    #[test]
    fn narrowing_a_set_is_judging_it_under_fewer_algorithms(keys in keys(), one in algorithms(), other in algorithms()) {
        let both: Vec<Algorithm> = one.iter().copied().filter(|algorithm| other.contains(algorithm)).collect();
        let judged = judge(&keys, &both).ok();
        prop_assert_eq!(judge(&keys, ALL).ok().and_then(|all| all.under(&both)), judged.clone());
        prop_assert_eq!(judge(&keys, &one).ok().and_then(|set| set.under(&other)), judged.clone());
        // What is published tells no more of an RSA key's algorithms than whether there is only one.
        prop_assert_eq!(judge(&keys, &one).ok().and_then(|set| again(&set, &both)), judged);
    }

    #[test]
    fn a_set_has_only_permitted_algorithms_and_each_key_has_one(keys in keys(), permitted in algorithms()) {
        if let Ok(set) = judge(&keys, &permitted) {
            prop_assert!((1..=keys.len()).contains(&set.count()));
            for key in set.keys() {
                prop_assert!(!key.algorithms.is_empty());
                prop_assert!(key.algorithms.iter().all(|name| permitted.iter().any(|known| known.as_str() == *name)));
                let alg = key.canonical.get("alg").and_then(Value::as_str);
                prop_assert_eq!(alg, (key.algorithms.len() == 1).then(|| key.algorithms[0]));
            }
        }
    }

    #[test]
    fn order_white_space_unknown_members_and_unused_keys_change_nothing(
        keys in keys(), permitted in algorithms(), moves in vec(any::<(Index, Index)>(), 0..8), junk in "[a-c]{2,4}",
    ) {
        let Ok(set) = judge(&keys, &permitted) else { return Ok(()) };
        let mut changed = keys.clone();
        for (from, to) in moves {
            let (from, to) = (from.index(changed.len()), to.index(changed.len()));
            changed.swap(from, to);
            changed[from][&junk] = json!({ "d": [null, junk] });
        }
        changed.push(json!({ "kty": "OKP", "crv": "X25519", "x": "" }));
        let body = serde_json::to_string_pretty(&json!({ "keys": changed, junk: { "keys": [] } })).unwrap();
        let other = KeySet::judge(body.as_bytes(), &permitted).unwrap();
        prop_assert_eq!(other.digest("issuer", "source"), set.digest("issuer", "source"));
        prop_assert_eq!(other, set);
    }

    #[test]
    fn no_bytes_make_it_panic(body in vec(any::<u8>(), 0..2000), permitted in algorithms()) {
        let _ = KeySet::judge(&body, &permitted);
    }

    #[test]
    fn no_values_of_members_make_it_panic(
        kty in "RSA|EC|OKP|oct", crv in "P-256|P-384|Ed25519|", x in ".{0,60}", y in "[A-Za-z0-9_=-]{0,60}",
    ) {
        let key = json!({"kty": kty, "crv": crv, "x": &x, "y": &y, "n": &y, "e": &x, "kid": &x});
        let _ = KeySet::judge(json!({"keys": [key]}).to_string().as_bytes(), ALL);
    }
}

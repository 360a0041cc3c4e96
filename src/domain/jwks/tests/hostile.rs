//! Keys that look good, and sets that are made to be trouble.
#![cfg(test)]

use aws_lc_rs::signature::{ED25519 as VERIFICATION, UnparsedPublicKey};
use rstest::rstest;
use serde_json::Map;

use super::{ALL, ED25519, KeySet, KeySetError, P256, URL_SAFE_NO_PAD, Value, json, rsa, set};
use crate::domain::jwk::MAX_KEY_ID;
use base64::Engine as _;

/// What becomes of an Ed25519 key with these members.
fn judge(members: &Value) -> Result<String, KeySetError> {
    let mut key: Map<String, Value> = serde_json::from_str(ED25519).unwrap();
    key.extend(members.as_object().unwrap().clone());
    KeySet::judge(json!({ "keys": [key] }).to_string().as_bytes(), ALL).map(|keys| keys.to_json())
}

/// How the key is published, with these members before `kty`.
fn published(members: &str) -> String {
    const KEY: &str = r#""kty":"OKP","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    format!(r#"{{"keys":[{{"alg":"EdDSA","crv":"Ed25519",{members}{KEY}}}]}}"#)
}

#[rstest]
#[case::certificates(json!({ "x5c": ["AA"], "x5t": "AA", "x5t#S256": "AA", "x5u": "https://a" }))]
#[case::unknown(json!({ "D": "AA", "iat": 1.5e300, "ext": true, "": null, "nested": { "d": "AA", "k": "AA" } }))]
#[case::private_members_that_are_null(json!({ "d": null, "p": null, "q": null, "oth": null, "k": null }))]
#[case::for_signatures(json!({ "use": "sig", "key_ops": ["verify"] }))]
#[case::operation_twice(json!({ "key_ops": ["verify", "verify"] }))]
#[case::operation_among_others(json!({ "key_ops": ["sign", 1, null, "verify"] }))]
#[case::algorithm(json!({ "alg": "EdDSA" }))]
fn members_that_say_nothing_new_are_dropped(#[case] members: Value) {
    assert_eq!(judge(&members), Ok(published("")));
}

#[rstest]
#[case::use_number(json!({ "use": 1 }))]
#[case::use_null(json!({ "use": null }))]
#[case::use_list(json!({ "use": ["sig"] }))]
#[case::use_in_upper_case(json!({ "use": "SIG" }))]
#[case::operations_string(json!({ "key_ops": "verify" }))]
#[case::operations_null(json!({ "key_ops": null }))]
#[case::no_operations(json!({ "key_ops": [] }))]
#[case::algorithm_number(json!({ "alg": 1 }))]
#[case::algorithm_null(json!({ "alg": null }))]
#[case::algorithm_in_lower_case(json!({ "alg": "eddsa" }))]
#[case::no_algorithm(json!({ "alg": "none" }))]
#[case::of_a_secret(json!({ "alg": "HS256" }))]
fn a_key_that_says_something_else_is_not_for_signatures(#[case] members: Value) {
    assert_eq!(judge(&members), Err(KeySetError::NoUsableKey));
}

#[rstest]
#[case::empty("")]
#[case::blank(" ")]
#[case::any_text("\u{1f511}/\"\\{}")]
#[case::longest(&"x".repeat(MAX_KEY_ID))]
fn a_key_id_is_published_as_it_is(#[case] id: &str) {
    assert_eq!(judge(&json!({ "kid": id })), Ok(published(&format!(r#""kid":{},"#, json!(id)))));
}

#[rstest]
#[case::too_long(json!("x".repeat(MAX_KEY_ID + 1)))]
#[case::too_long_in_bytes(json!("\u{e9}".repeat(MAX_KEY_ID / 2 + 1)))]
#[case::zero_byte(json!("a\0b"))]
#[case::line_break(json!("a\nb"))]
#[case::escape_sequence(json!("\u{1b}[2J"))]
#[case::control_of_one_byte_in_latin_1(json!("\u{9b}2J"))]
#[case::turned_around(json!("a\u{202e}b"))]
#[case::isolated(json!("a\u{2066}b"))]
#[case::unseen(json!("a\u{200b}b"))]
#[case::byte_order_mark(json!("\u{feff}a"))]
#[case::number(json!(1))]
#[case::null(json!(null))]
#[case::list(json!(["a"]))]
fn a_key_id_that_is_no_plain_text_is_badly_encoded(#[case] id: Value) {
    assert_eq!(judge(&json!({ "kid": id })), Err(KeySetError::BadKeyEncoding));
}

#[test]
fn zeros_before_a_modulus_and_an_exponent_are_no_part_of_them() {
    let plain = KeySet::judge(set(&[&rsa(256, "AQAB")]).as_bytes(), ALL).unwrap();
    let n = URL_SAFE_NO_PAD.encode([&[0, 0], [0xff; 256].as_slice()].concat());
    let padded = json!({ "keys": [{ "kty": "RSA", "n": n, "e": "AAEAAQ" }] });
    assert_eq!(KeySet::judge(padded.to_string().as_bytes(), ALL), Ok(plain));
    // Nor do they make a weak one strong.
    let n = URL_SAFE_NO_PAD.encode([&[0; 128], [0xff; 128].as_slice()].concat());
    let weak = json!({ "keys": [{ "kty": "RSA", "n": n, "e": "AQAB" }] });
    assert_eq!(KeySet::judge(weak.to_string().as_bytes(), ALL), Err(KeySetError::KeyTooWeak));
}

#[rstest]
#[case::empty_modulus(json!({ "kty": "RSA", "n": "", "e": "AQAB" }))]
#[case::modulus_zero(json!({ "kty": "RSA", "n": "AAAA", "e": "AQAB" }))]
#[case::no_modulus(json!({ "kty": "RSA", "e": "AQAB" }))]
#[case::modulus_number(json!({ "kty": "RSA", "n": 65537, "e": "AQAB" }))]
#[case::exponent_of_34_bits(json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0xff; 256]), "e": "AgAAAAE" }))]
#[case::white_space(json!({ "kty": "RSA", "n": "AQAB\n", "e": "AQAB" }))]
#[case::standard_alphabet(json!({ "kty": "RSA", "n": "++//", "e": "AQAB" }))]
#[case::bits_left_over(json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp" }))]
#[case::of_31_bytes(json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode([2; 31]) }))]
#[case::of_33_bytes(json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode([2; 33]) }))]
fn what_is_badly_encoded_is_told(#[case] key: Value) {
    let body = json!({ "keys": [key] }).to_string();
    assert_eq!(KeySet::judge(body.as_bytes(), ALL), Err(KeySetError::BadKeyEncoding));
}

/// The lengths of its coordinates are those of the curve, so nothing else gives it away.
#[rstest]
#[case::beside_the_curve(
    "P-256",
    "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyA"
)]
#[case::exchanged(
    "P-256",
    "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
)]
#[case::zero("P-256", &URL_SAFE_NO_PAD.encode([0; 32]), &URL_SAFE_NO_PAD.encode([0; 32]))]
#[case::beyond_the_prime("P-256", &URL_SAFE_NO_PAD.encode([0xff; 32]), &URL_SAFE_NO_PAD.encode([0xff; 32]))]
#[case::beside_the_larger_curve("P-384", &URL_SAFE_NO_PAD.encode([1; 48]), &URL_SAFE_NO_PAD.encode([1; 48]))]
fn a_point_that_is_not_on_its_curve_is_badly_encoded(#[case] curve: &str, #[case] x: &str, #[case] y: &str) {
    let body = json!({ "keys": [{ "kty": "EC", "crv": curve, "x": x, "y": y }] }).to_string();
    assert_eq!(KeySet::judge(body.as_bytes(), ALL), Err(KeySetError::BadKeyEncoding));
}

/// The fourteen encodings, of which libsodium lists seven, without the sign.
fn of_small_order() -> Vec<[u8; 32]> {
    let hex = |text: &str| -> [u8; 32] {
        let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect();
        bytes.try_into().unwrap()
    };
    let zeros = "00".repeat(31);
    let ones = "ff".repeat(30);
    let listed = [
        format!("00{zeros}"),
        format!("01{zeros}"),
        format!("ec{ones}7f"),
        format!("ed{ones}7f"),
        format!("ee{ones}7f"),
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05".to_owned(),
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a".to_owned(),
    ];
    listed
        .iter()
        .flat_map(|text| {
            let mut signed = hex(text);
            signed[31] |= 0x80;
            [hex(text), signed]
        })
        .collect()
}

#[test]
fn an_ed25519_key_by_which_anybody_can_sign_is_too_weak() {
    for point in of_small_order() {
        let body = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(point) }] });
        assert_eq!(KeySet::judge(body.to_string().as_bytes(), ALL), Err(KeySetError::KeyTooWeak), "{point:x?}");
        let neighbour = {
            let mut near = point;
            near[15] ^= 1;
            near
        };
        let body = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(neighbour) }] });
        assert!(KeySet::judge(body.to_string().as_bytes(), ALL).is_ok(), "{point:x?}");
    }
}

/// Why that is so: signatures of R = one and S = 0, made without any secret, hold for one in eight texts.
#[test]
fn with_such_a_key_signatures_hold_that_nobody_made() {
    let mut forged = [0; 64];
    forged[0] = 1;
    for point in of_small_order() {
        let key = UnparsedPublicKey::new(&VERIFICATION, point);
        let holds = (0..=u8::MAX).any(|text| key.verify(&[text], &forged).is_ok());
        assert_eq!(holds, !is_refused_by_the_library(&point), "{point:x?}");
    }
}

/// Other libraries take these: y not below the prime, and the sign of an x that is 0.
fn is_refused_by_the_library(point: &[u8; 32]) -> bool {
    let y = point[0];
    let is_beyond = point[31] & 0x7f == 0x7f && matches!(y, 0xed | 0xee);
    let has_x_zero = (y == 1 && point[31] == 0x80) || (y == 0xec && point[31] == 0xff);
    is_beyond || has_x_zero
}

#[test]
fn values_may_be_nested_deep_but_not_without_end() {
    let nested = |depth: usize| {
        let value = "[".repeat(depth) + &"]".repeat(depth);
        let body = format!(r#"{{"keys":[{ED25519}],"x":{value}}}"#);
        KeySet::judge(body.as_bytes(), ALL).map(|keys| keys.count())
    };
    assert_eq!(
        (nested(126), nested(127), nested(200_000)),
        (Ok(1), Err(KeySetError::NotAJwks), Err(KeySetError::NotAJwks))
    );
}

#[test]
fn half_a_mebibyte_of_junk_is_read_and_dropped() {
    let body = |keys: &str, members: &str| format!(r#"{{"keys":[{keys}]{members}}}"#).into_bytes();
    let expected = KeySet::judge(&body(ED25519, ""), ALL);
    let members = (0..45_000).map(|number| format!(r#","{number}":0"#)).collect::<Vec<_>>().concat();
    assert!(members.len() > 400_000);
    assert_eq!(KeySet::judge(&body(ED25519, &members), ALL), expected);
    assert_eq!(KeySet::judge(&body(&ED25519.replace('}', &format!("{members}}}")), ""), ALL), expected);
    let long = "A".repeat(500_000);
    assert_eq!(
        KeySet::judge(&body(&format!(r#"{{"kty":"RSA","n":"{long}","e":"AQAB"}},{ED25519}"#), ""), ALL),
        expected
    );
    let keys = vec!["{}"; 170_000].join(",");
    assert_eq!(KeySet::judge(&body(&keys, ""), ALL), Err(KeySetError::NotAJwks));
}

#[test]
fn a_key_beside_hostile_ones_is_used() {
    let off_curve = P256.replace("4Etl6SRW", "4Etl6SRX") + "}";
    let body =
        set(&[&off_curve, &rsa(2000, "AQAB"), r#"{"kty":1}"#, ED25519, r#"{"kty":"OKP","crv":"Ed25519","x":""}"#]);
    assert_eq!(KeySet::judge(body.as_bytes(), ALL), KeySet::judge(set(&[ED25519]).as_bytes(), ALL));
}

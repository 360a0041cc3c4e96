//! Input that is no token, or is made to do harm.
#![cfg(test)]

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use rstest::rstest;
use serde_json::json;

use super::{
    AT, ISSUER, Part, Refusal, USUAL, at, claims, judge_header, judge_raw, judge_text,
    signer::{ED25519, encode},
    usual_claims,
};
use crate::domain::token::{MAX_BYTES, judge_token};

#[rstest]
#[case::empty("", Refusal::NotThreeParts)]
#[case::blank(" ", Refusal::NotThreeParts)]
#[case::one_dot(".", Refusal::NotThreeParts)]
#[case::two_dots("..", Refusal::NotAnObject(Part::Header))]
#[case::three_dots("...", Refusal::NotThreeParts)]
#[case::one_part("eyJhbGciOiJFZERTQSJ9", Refusal::NotThreeParts)]
#[case::two_parts("eyJhbGciOiJFZERTQSJ9.e30", Refusal::NotThreeParts)]
#[case::four_parts("eyJhbGciOiJFZERTQSJ9.e30.AA.AA", Refusal::NotThreeParts)]
#[case::encrypted("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AA.AA.AA.AA", Refusal::NotThreeParts)]
#[case::json_form(r#"{"payload":"e30","signatures":[]}"#, Refusal::NotThreeParts)]
#[case::scheme_left_in("Bearer eyJhbGciOiJFZERTQSJ9.e30.AA", Refusal::BadEncoding(Part::Header))]
#[case::no_header(".e30.AA", Refusal::NotAnObject(Part::Header))]
#[case::padded_header("e30=.e30.AA", Refusal::BadEncoding(Part::Header))]
#[case::line_break_in_header("eyJhbGci\nOiJFZERTQSJ9.e30.AA", Refusal::BadEncoding(Part::Header))]
#[case::no_ascii("\u{e9}.e30.AA", Refusal::BadEncoding(Part::Header))]
#[case::half_a_byte("e.e30.AA", Refusal::BadEncoding(Part::Header))]
#[case::bits_left_over("e31.e30.AA", Refusal::BadEncoding(Part::Header))]
#[case::signature_padded("eyJhbGciOiJFZERTQSJ9.e30.AA==", Refusal::BadEncoding(Part::Signature))]
#[case::signature_in_the_other_alphabet("eyJhbGciOiJFZERTQSJ9.e30.+/+/", Refusal::BadEncoding(Part::Signature))]
#[case::signature_with_line_break("eyJhbGciOiJFZERTQSJ9.e30.AAAA\n", Refusal::BadEncoding(Part::Signature))]
#[case::no_signature("eyJhbGciOiJFZERTQSJ9.e30.", Refusal::BadSignature)]
fn what_is_no_token_is_refused(#[case] token: &str, #[case] expected: Refusal) {
    assert_eq!(judge_raw(token), Err(expected));
}

/// Signed as it stands, so that only the encoding is wrong.
#[test]
fn claims_in_another_encoding_are_refused() {
    let header = encode(r#"{"alg":"EdDSA"}"#);
    let text = format!(r#"{{"iss":"{ISSUER}","iat":{AT},"exp":{},"a":"~~~???>>>"}}"#, AT + 60);
    for (claims, expected) in [
        (URL_SAFE_NO_PAD.encode(&text), Ok(())),
        (STANDARD_NO_PAD.encode(&text), Err(Refusal::BadEncoding(Part::Claims))),
        (format!("{}=", URL_SAFE_NO_PAD.encode(&text)), Err(Refusal::BadEncoding(Part::Claims))),
        (String::new(), Err(Refusal::NotAnObject(Part::Claims))),
    ] {
        let message = format!("{header}.{claims}");
        let signature = encode(ED25519.sign("EdDSA", message.as_bytes()));
        assert_eq!(judge_raw(&format!("{message}.{signature}")), expected, "{claims}");
    }
}

#[test]
fn a_token_has_at_most_8_kib() {
    let mut seen = 0;
    for filler in 5700..6100 {
        for more in ["", "x", "xx"] {
            let header = json!({ "alg": "EdDSA", "x": more });
            let token = ED25519.token(&header, &claims(json!({ "filler": "x".repeat(filler) })));
            let expected = match token.len() {
                8192 => Ok(()),
                8193 => Err(Refusal::TooLarge),
                _ => continue,
            };
            assert_eq!(judge_raw(&token), expected, "{} bytes", token.len());
            seen += 1;
        }
    }
    assert!(seen >= 2);
    for large in [".".repeat(MAX_BYTES + 1), "a".repeat(1 << 24)] {
        assert_eq!(judge_raw(&large), Err(Refusal::TooLarge));
    }
}

#[rstest]
#[case::empty("")]
#[case::null("null")]
#[case::list("[]")]
#[case::string(r#""{}""#)]
#[case::number("1")]
#[case::unfinished("{")]
#[case::two_objects("{}{}")]
#[case::trailing_comma(r#"{"a":1,}"#)]
#[case::comment("{}//")]
#[case::byte_order_mark("\u{feff}{}")]
#[case::trailing_zero_byte("{}\0")]
#[case::line_break_in_string("{\"a\":\"\n\"}")]
#[case::half_a_surrogate("{\"a\":\"\\ud800\"}")]
#[case::half_a_surrogate_as_name("{\"\\ud800\":1}")]
#[case::twice(r#"{"a":1,"a":1}"#)]
#[case::twice_by_escape("{\"ab\":1,\"\\u0061b\":1}")]
#[case::twice_and_null(r#"{"a":null,"a":null}"#)]
#[case::twice_deep_inside(r#"{"a":[{"b":{"c":1,"c":2}}]}"#)]
fn what_is_no_object_is_refused(#[case] text: &str) {
    assert_eq!(judge_header(text), Err(Refusal::NotAnObject(Part::Header)));
    assert_eq!(judge_text(text), Err(Refusal::NotAnObject(Part::Claims)));
}

#[test]
fn invalid_utf_8_is_refused_even_where_nobody_looks() {
    for bytes in [b"\xff".as_slice(), b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"] {
        let with = |text: &str| {
            let mut text = text.as_bytes().to_vec();
            let at = text.iter().position(|byte| *byte == b'?').unwrap();
            text.splice(at..=at, bytes.iter().copied());
            text
        };
        let claims = with(&format!(r#"{{"iss":"{ISSUER}","iat":{AT},"exp":{},"unused":"?"}}"#, AT + 60));
        assert_eq!(judge_text(claims), Err(Refusal::NotAnObject(Part::Claims)));
        let token = ED25519.signed("EdDSA", &with(r#"{"alg":"EdDSA","?":1}"#), usual_claims().as_bytes());
        assert_eq!(judge_raw(&token), Err(Refusal::NotAnObject(Part::Header)));
    }
}

/// Whichever of the two a reader takes, one would be good.
#[rstest]
#[case("iss", r#""https://attacker.example.com""#)]
#[case("exp", "9999999999")]
#[case("\\u0065xp", "9999999999")]
#[case("sub", r#""admin""#)]
fn a_claim_that_stands_twice_is_refused(#[case] name: &str, #[case] value: &str) {
    let usual = usual_claims();
    assert_eq!(judge_text(format!(r#"{{"{name}":{value},{}"#, &usual[1..])), Err(Refusal::NotAnObject(Part::Claims)));
    assert_eq!(
        judge_text(format!(r#"{},"{name}":{value}}}"#, &usual[..usual.len() - 1])),
        Err(Refusal::NotAnObject(Part::Claims))
    );
}

#[test]
fn names_may_be_escaped() {
    assert_eq!(judge_text(usual_claims().replace("iss", "\\u0069\\u0073s")), Ok(()));
    assert_eq!(judge_header("{\"alg\":\"EdDSA\",\"\\u0063rit\":[]}"), Err(Refusal::UnknownExtension));
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize, open: &str, close: &str| {
        let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        judge_text(format!("{},\"x\":{value}}}", &usual_claims()[..usual_claims().len() - 1]))
    };
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        assert_eq!(nested(126, open, close), Ok(()));
        assert_eq!(nested(127, open, close), Err(Refusal::NotAnObject(Part::Claims)));
        assert_eq!(nested(900, open, close), Err(Refusal::NotAnObject(Part::Claims)));
    }
    let open = format!("{{\"x\":{}", "[".repeat(5000));
    assert_eq!(judge_text(open), Err(Refusal::NotAnObject(Part::Claims)));
}

#[test]
fn many_members_are_only_read() {
    let members: Vec<String> = (0..700).map(|number| format!(r#""{number}":[0,0]"#)).collect();
    let text = format!("{},{}}}", &usual_claims()[..usual_claims().len() - 1], members.join(","));
    let verdict = judge_text(text);
    assert!(verdict == Ok(()) || verdict == Err(Refusal::TooLarge), "{verdict:?}");
}

/// Messages and Debug text are written to status and logs.
#[test]
fn a_refusal_repeats_nothing_of_the_token() {
    let marked = |changes| ED25519.token(&json!({ "alg": "EdDSA" }), &claims(changes));
    let tokens = [
        marked(json!({ "iss": "MARK" })),
        marked(json!({ "sub": ["MARK"] })),
        marked(json!({ "aud": { "MARK": "MARK" } })),
        marked(json!({ "exp": "MARK" })),
        ED25519.token(&json!({ "alg": "EdDSA", "kid": "MARK" }), &claims(json!({}))),
        ED25519.signed("EdDSA", br#"{"alg":"MARK"}"#, b"{}"),
        ED25519.signed("EdDSA", br#"{"alg":"EdDSA"}"#, br#"{"MARK":"#),
        "MARK".to_owned(),
        "MARK.MARK.MARK".to_owned(),
    ];
    for token in tokens {
        let refusal = judge_token(&token, &USUAL, &[ED25519.public(None)], at(AT)).unwrap_err();
        let told = format!("{refusal:?} {} {}", refusal.rule(), refusal.detail());
        assert!(!told.contains("MARK"), "{told}");
    }
}

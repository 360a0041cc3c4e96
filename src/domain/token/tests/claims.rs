//! What claims must be.
#![cfg(test)]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use super::{AT, ISSUER, Part, Refusal, Terms, USUAL, at, claims, judge, judge_text};

#[rstest]
#[case::usual(json!({}))]
#[case::without_subject(json!({ "sub": null }))]
#[case::empty_subject(json!({ "sub": "" }))]
#[case::fractions(json!({ "exp": 1_800_000_060.5, "iat": 1_799_999_940.25, "nbf": 1_799_999_940.75 }))]
#[case::whole_numbers_as_fractions(json!({ "exp": 1_800_000_060.0 }))]
#[case::issued_in_1970(json!({ "iat": 0 }))]
#[case::minus_zero(json!({ "iat": -0.0 }))]
#[case::expires_in_9999(json!({ "exp": 253_402_207_200_i64 }))]
#[case::unknown_claims_of_any_type(json!({ "roles": [1, { "a": true }], "email": 7, "azp": [] }))]
#[case::audience_that_nobody_asked_for(json!({ "aud": "other" }))]
#[case::audiences_that_nobody_asked_for(json!({ "aud": [] }))]
fn these_claims_are_accepted(#[case] changes: Value) {
    assert_eq!(judge(&claims(changes), &USUAL, at(AT)), Ok(()));
}

#[rstest]
#[case::no_issuer(json!({ "iss": null }), Refusal::MissingClaim("iss"))]
#[case::no_expiry(json!({ "exp": null }), Refusal::MissingClaim("exp"))]
#[case::no_issue_time(json!({ "iat": null }), Refusal::MissingClaim("iat"))]
#[case::issuer_number(json!({ "iss": 1 }), Refusal::BadClaim("iss"))]
#[case::issuer_list(json!({ "iss": [ISSUER] }), Refusal::BadClaim("iss"))]
#[case::subject_number(json!({ "sub": 1 }), Refusal::BadClaim("sub"))]
#[case::token_id_number(json!({ "jti": 1 }), Refusal::BadClaim("jti"))]
#[case::expiry_string(json!({ "exp": "1800000060" }), Refusal::BadClaim("exp"))]
#[case::expiry_bool(json!({ "exp": true }), Refusal::BadClaim("exp"))]
#[case::expiry_list(json!({ "exp": [AT + 60] }), Refusal::BadClaim("exp"))]
#[case::expiry_in_milliseconds(json!({ "exp": (AT + 60) * 1000 }), Refusal::BadClaim("exp"))]
#[case::expiry_beyond_9999(json!({ "exp": 253_402_300_800_i64 }), Refusal::BadClaim("exp"))]
#[case::expiry_i64_max(json!({ "exp": i64::MAX }), Refusal::BadClaim("exp"))]
#[case::expiry_u64_max(json!({ "exp": u64::MAX }), Refusal::BadClaim("exp"))]
#[case::expiry_f64_max(json!({ "exp": f64::MAX }), Refusal::BadClaim("exp"))]
#[case::issued_before_1970(json!({ "iat": -1 }), Refusal::BadClaim("iat"))]
#[case::issued_a_moment_before_1970(json!({ "iat": -1e-300 }), Refusal::BadClaim("iat"))]
#[case::issued_i64_min(json!({ "iat": i64::MIN }), Refusal::BadClaim("iat"))]
#[case::issued_f64_min(json!({ "iat": f64::MIN }), Refusal::BadClaim("iat"))]
#[case::not_before_string(json!({ "nbf": "0" }), Refusal::BadClaim("nbf"))]
#[case::not_before_negative(json!({ "nbf": -5 }), Refusal::BadClaim("nbf"))]
#[case::audience_number(json!({ "aud": 1 }), Refusal::BadClaim("aud"))]
#[case::audience_object(json!({ "aud": {} }), Refusal::BadClaim("aud"))]
#[case::audience_of_mixed_types(json!({ "aud": ["api", 1] }), Refusal::BadClaim("aud"))]
#[case::audience_in_a_list_in_a_list(json!({ "aud": [["api"]] }), Refusal::BadClaim("aud"))]
#[case::other_issuer(json!({ "iss": "https://other.example.com" }), Refusal::WrongIssuer)]
#[case::issuer_with_slash(json!({ "iss": format!("{ISSUER}/") }), Refusal::WrongIssuer)]
#[case::issuer_in_capitals(json!({ "iss": "https://LOGIN.example.com" }), Refusal::WrongIssuer)]
#[case::issuer_with_port(json!({ "iss": "https://login.example.com:443" }), Refusal::WrongIssuer)]
#[case::issuer_with_zero_byte(json!({ "iss": format!("{ISSUER}\0") }), Refusal::WrongIssuer)]
#[case::empty_issuer(json!({ "iss": "" }), Refusal::WrongIssuer)]
fn these_claims_are_refused(#[case] changes: Value, #[case] expected: Refusal) {
    assert_eq!(judge(&claims(changes), &USUAL, at(AT)), Err(expected));
}

#[rstest]
#[case("iss")]
#[case("sub")]
#[case("jti")]
#[case("aud")]
#[case("exp")]
#[case("iat")]
#[case("nbf")]
fn null_is_of_no_claim_s_type(#[case] name: &'static str) {
    let mut claims = claims(json!({}));
    claims.insert(name.to_owned(), Value::Null);
    assert_eq!(judge(&claims, &USUAL, at(AT)), Err(Refusal::BadClaim(name)));
}

#[test]
fn no_claims_at_all_miss_the_issuer() {
    assert_eq!(judge_text("{}"), Err(Refusal::MissingClaim("iss")));
}

#[rstest]
#[case::the_one(json!("api"), Ok(()))]
#[case::another_one_of_those_expected(json!("web"), Ok(()))]
#[case::one_of_several(json!(["other", "web"]), Ok(()))]
#[case::none(Value::Null, Err(Refusal::MissingClaim("aud")))]
#[case::other(json!("other"), Err(Refusal::WrongAudience))]
#[case::prefix(json!("ap"), Err(Refusal::WrongAudience))]
#[case::longer(json!("api2"), Err(Refusal::WrongAudience))]
#[case::capitals(json!("API"), Err(Refusal::WrongAudience))]
#[case::both_in_one(json!("api web"), Err(Refusal::WrongAudience))]
#[case::others(json!(["other", "another"]), Err(Refusal::WrongAudience))]
#[case::empty_list(json!([]), Err(Refusal::WrongAudience))]
#[case::empty(json!(""), Err(Refusal::WrongAudience))]
#[case::right_one_beside_a_number(json!(["api", 1]), Err(Refusal::BadClaim("aud")))]
fn any_audience_that_is_expected_will_do(#[case] aud: Value, #[case] expected: Result<(), Refusal>) {
    let audiences = ["api".to_owned(), "web".to_owned()];
    let terms = Terms { audiences: &audiences, ..USUAL };
    assert_eq!(judge(&claims(json!({ "aud": aud })), &terms, at(AT)), expected);
}

/// Each bound in time with the skew of 3 s, to the second and the nanosecond.
#[rstest]
#[case::before_expiry(json!({ "exp": AT }), AT + 2, Ok(()))]
#[case::at_expiry(json!({ "exp": AT }), AT + 3, Err(Refusal::Expired))]
#[case::fraction_before_expiry(json!({ "exp": 1_800_000_000.5 }), AT + 3, Ok(()))]
#[case::fraction_after_expiry(json!({ "exp": 1_799_999_999.5 }), AT + 3, Err(Refusal::Expired))]
#[case::expired_in_1970(json!({ "exp": 0 }), AT, Err(Refusal::Expired))]
#[case::before_start(json!({ "nbf": AT + 4 }), AT, Err(Refusal::NotYetValid))]
#[case::at_start(json!({ "nbf": AT + 3 }), AT, Ok(()))]
#[case::fraction_before_start(json!({ "nbf": 1_800_000_003.5 }), AT, Err(Refusal::NotYetValid))]
#[case::starts_in_9999(json!({ "nbf": 253_402_207_200_i64 }), AT, Err(Refusal::NotYetValid))]
#[case::before_issue(json!({ "iat": AT + 4 }), AT, Err(Refusal::IssuedInTheFuture))]
#[case::at_issue(json!({ "iat": AT + 3 }), AT, Ok(()))]
#[case::at_greatest_age(json!({ "iat": AT - 123 }), AT, Ok(()))]
#[case::beyond_greatest_age(json!({ "iat": AT - 124 }), AT, Err(Refusal::TooOld))]
#[case::fraction_beyond_greatest_age(json!({ "iat": 1_799_999_876.5 }), AT, Err(Refusal::TooOld))]
fn bounds_in_time_hold_to_the_second(
    #[case] changes: Value,
    #[case] second: i64,
    #[case] expected: Result<(), Refusal>,
) {
    let terms = Terms { max_token_age: Some(Duration::from_mins(2)), ..USUAL };
    assert_eq!(judge(&claims(changes), &terms, at(second)), expected);
}

#[test]
fn bounds_in_time_hold_to_the_nanosecond() {
    let nanosecond = SignedDuration::from_nanos(1);
    let strict = Terms { clock_skew: Duration::ZERO, max_token_age: Some(Duration::from_mins(1)), ..USUAL };
    let claims = claims(json!({ "iat": AT, "nbf": AT, "exp": AT + 60 }));
    let judge = |time: Timestamp| judge(&claims, &strict, time);

    assert_eq!(judge(at(AT) - nanosecond), Err(Refusal::NotYetValid));
    assert_eq!(judge(at(AT)), Ok(()));
    assert_eq!(judge(at(AT + 60) - nanosecond), Ok(()));
    assert_eq!(judge(at(AT + 60)), Err(Refusal::Expired));
}

#[test]
fn without_a_greatest_age_any_age_will_do() {
    let old = claims(json!({ "iat": 0 }));
    assert_eq!(judge(&old, &USUAL, at(AT)), Ok(()));
    let terms = Terms { max_token_age: Some(Duration::from_hours(24)), ..USUAL };
    assert_eq!(judge(&old, &terms, at(AT)), Err(Refusal::TooOld));
}

#[test]
fn no_terms_and_no_time_overflow() {
    let endless = Terms { clock_skew: Duration::MAX, max_token_age: Some(Duration::MAX), ..USUAL };
    let strict = Terms { clock_skew: Duration::ZERO, max_token_age: Some(Duration::ZERO), ..USUAL };
    for time in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        for second in [0, AT, 253_402_207_200] {
            let claims = claims(json!({ "iat": second, "exp": second, "nbf": second }));
            assert_eq!(judge(&claims, &endless, time), Ok(()));
            assert!(judge(&claims, &strict, time).is_err());
        }
    }
}

/// A token may expire before it is issued: it is never good, and nothing more need be said.
#[test]
fn expiry_before_issue_is_told_by_the_time_alone() {
    let claims = claims(json!({ "iat": AT, "exp": AT - 1 }));
    assert_eq!(judge(&claims, &USUAL, at(AT + 1)), Ok(()));
    assert_eq!(judge(&claims, &USUAL, at(AT + 2)), Err(Refusal::Expired));
}

#[rstest]
#[case::beyond_f64("1e400", Err(Refusal::NotAnObject(Part::Claims)))]
#[case::beyond_u64("184467440737095516160", Err(Refusal::BadClaim("exp")))]
#[case::many_digits("1800000060.00000000000000000000000000000000000000000000001", Ok(()))]
#[case::exponent("18000000600e-1", Ok(()))]
#[case::not_a_number("NaN", Err(Refusal::NotAnObject(Part::Claims)))]
#[case::hexadecimal("0x7fffffff", Err(Refusal::NotAnObject(Part::Claims)))]
#[case::leading_zero("01800000060", Err(Refusal::NotAnObject(Part::Claims)))]
fn numbers_are_read_as_json_has_them(#[case] number: &str, #[case] expected: Result<(), Refusal>) {
    assert_eq!(judge_text(format!(r#"{{"iss":"{ISSUER}","iat":{AT},"exp":{number}}}"#)), expected);
}

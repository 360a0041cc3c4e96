//! What a header must be, and the header's value that a token comes in.
#![cfg(test)]

use rstest::rstest;

use super::{super::judge_header_value, Refusal, judge_header};

#[rstest]
#[case::bare("a.b.c", Ok("a.b.c"))]
#[case::bearer("Bearer a.b.c", Ok("a.b.c"))]
#[case::lower_case("bearer a.b.c", Ok("a.b.c"))]
#[case::upper_case("BEARER a.b.c", Ok("a.b.c"))]
#[case::several_spaces("Bearer   a.b.c", Ok("a.b.c"))]
#[case::around(" \tBearer a.b.c\t ", Ok("a.b.c"))]
#[case::around_a_bare_one(" a.b.c ", Ok("a.b.c"))]
#[case::scheme_and_token_are_one_word("Bearera.b.c", Ok("Bearera.b.c"))]
#[case::empty("", Err(Refusal::NotABearer))]
#[case::blank(" \t ", Err(Refusal::NotABearer))]
#[case::scheme_only("Bearer", Err(Refusal::NotABearer))]
#[case::scheme_and_space("bearer ", Err(Refusal::NotABearer))]
#[case::tab_between("Bearer\ta.b.c", Err(Refusal::NotABearer))]
#[case::space_and_tab_between("Bearer \ta.b.c", Err(Refusal::NotABearer))]
#[case::other_scheme("Basic YTpi", Err(Refusal::NotABearer))]
#[case::scheme_twice("Bearer Bearer a.b.c", Err(Refusal::NotABearer))]
#[case::two_tokens("Bearer a.b.c d.e.f", Err(Refusal::NotABearer))]
#[case::list("Bearer a.b.c, Bearer d.e.f", Err(Refusal::NotABearer))]
#[case::line_break_after("Bearer a.b.c\n", Err(Refusal::NotABearer))]
#[case::line_break_before("\r\nBearer a.b.c", Err(Refusal::NotABearer))]
#[case::zero_byte("Bearer a.b\0.c", Err(Refusal::NotABearer))]
#[case::no_break_space("Bearer\u{a0}a.b.c", Err(Refusal::NotABearer))]
#[case::no_ascii("Bearer a.b.\u{e9}", Err(Refusal::NotABearer))]
fn a_token_is_taken_from_a_header_s_value(#[case] value: &str, #[case] expected: Result<&str, Refusal>) {
    assert_eq!(judge_header_value(value), expected);
}

#[rstest]
#[case::least(r#"{"alg":"EdDSA"}"#)]
#[case::usual(r#"{"alg":"EdDSA","typ":"JWT","kid":"a"}"#)]
#[case::access_token(r#"{"alg":"EdDSA","typ":"at+jwt"}"#)]
#[case::access_token_as_media_type(r#"{"alg":"EdDSA","typ":"application/at+jwt"}"#)]
#[case::type_in_lower_case(r#"{"alg":"EdDSA","typ":"jwt"}"#)]
#[case::type_of_the_serialization(r#"{"alg":"EdDSA","typ":"JOSE"}"#)]
#[case::type_of_a_provider_s_own(r#"{"alg":"EdDSA","typ":"application/okta-internal-at+jwt"}"#)]
#[case::empty_type(r#"{"alg":"EdDSA","typ":""}"#)]
#[case::other_content(r#"{"alg":"EdDSA","cty":"json"}"#)]
#[case::unknown_parameters(r#"{"alg":"EdDSA","zip":"DEF","x":[1,{}],"nonce":null}"#)]
#[case::encoded_payload(r#"{"alg":"EdDSA","b64":true}"#)]
#[case::escaped_name("{\"al\\u0067\":\"EdDSA\"}")]
#[case::white_space(" {\n\"alg\" : \"EdDSA\"\t}\r\n")]
fn these_headers_are_accepted(#[case] header: &str) {
    assert_eq!(judge_header(header), Ok(()));
}

#[rstest]
#[case::no_algorithm("{}", Refusal::BadParameter("alg"))]
#[case::null_algorithm(r#"{"alg":null}"#, Refusal::BadParameter("alg"))]
#[case::algorithm_number(r#"{"alg":1}"#, Refusal::BadParameter("alg"))]
#[case::algorithms(r#"{"alg":["EdDSA"]}"#, Refusal::BadParameter("alg"))]
#[case::key_id_number(r#"{"alg":"EdDSA","kid":1}"#, Refusal::BadParameter("kid"))]
#[case::null_key_id(r#"{"alg":"EdDSA","kid":null}"#, Refusal::BadParameter("kid"))]
#[case::type_number(r#"{"alg":"EdDSA","typ":1}"#, Refusal::BadParameter("typ"))]
#[case::type_null(r#"{"alg":"EdDSA","typ":null}"#, Refusal::BadParameter("typ"))]
#[case::logout_token(r#"{"alg":"EdDSA","typ":"logout+jwt"}"#, Refusal::OtherType)]
#[case::logout_token_as_media_type(r#"{"alg":"EdDSA","typ":"application/logout+jwt"}"#, Refusal::OtherType)]
#[case::logout_token_in_upper_case(r#"{"alg":"EdDSA","typ":"Application/Logout+JWT"}"#, Refusal::OtherType)]
#[case::security_event(r#"{"alg":"EdDSA","typ":"secevent+jwt"}"#, Refusal::OtherType)]
#[case::authorization_request(r#"{"alg":"EdDSA","typ":"oauth-authz-req+jwt"}"#, Refusal::OtherType)]
#[case::proof_of_possession(r#"{"alg":"EdDSA","typ":"dpop+jwt"}"#, Refusal::OtherType)]
#[case::answer_on_a_token(r#"{"alg":"EdDSA","typ":"token-introspection+jwt"}"#, Refusal::OtherType)]
#[case::statement_on_a_provider(r#"{"alg":"EdDSA","typ":"entity-statement+jwt"}"#, Refusal::OtherType)]
#[case::content_type_number(r#"{"alg":"EdDSA","cty":{}}"#, Refusal::BadParameter("cty"))]
#[case::nested(r#"{"alg":"EdDSA","cty":"JWT"}"#, Refusal::NestedToken)]
#[case::nested_in_lower_case(r#"{"alg":"EdDSA","cty":"jwt"}"#, Refusal::NestedToken)]
#[case::nested_as_media_type(r#"{"alg":"EdDSA","cty":"application/jwt"}"#, Refusal::NestedToken)]
#[case::unknown_extension(r#"{"alg":"EdDSA","crit":["x"],"x":1}"#, Refusal::UnknownExtension)]
#[case::extension_that_is_known(r#"{"alg":"EdDSA","crit":["exp"],"exp":1}"#, Refusal::UnknownExtension)]
#[case::no_extension(r#"{"alg":"EdDSA","crit":[]}"#, Refusal::UnknownExtension)]
#[case::null_extension(r#"{"alg":"EdDSA","crit":null}"#, Refusal::UnknownExtension)]
#[case::extension_string(r#"{"alg":"EdDSA","crit":"x"}"#, Refusal::UnknownExtension)]
#[case::raw_payload(r#"{"alg":"EdDSA","b64":false,"crit":["b64"]}"#, Refusal::UnknownExtension)]
#[case::raw_payload_unsaid(r#"{"alg":"EdDSA","b64":false}"#, Refusal::UnknownExtension)]
#[case::none(r#"{"alg":"none"}"#, Refusal::AlgorithmNotAllowed)]
#[case::no_algorithm_name(r#"{"alg":""}"#, Refusal::AlgorithmNotAllowed)]
#[case::other_case(r#"{"alg":"EDDSA"}"#, Refusal::AlgorithmNotAllowed)]
#[case::unsupported(r#"{"alg":"ES512"}"#, Refusal::AlgorithmNotAllowed)]
#[case::no_key_for_it(r#"{"alg":"RS256"}"#, Refusal::AlgorithmNotAllowed)]
fn these_headers_are_refused(#[case] header: &str, #[case] expected: Refusal) {
    assert_eq!(judge_header(header), Err(expected));
}

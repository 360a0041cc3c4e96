//! Signatures that RFCs publish, with their keys.
#![cfg(test)]

use rstest::rstest;
use serde_json::{Value, json};

use super::{Part, Refusal, Terms, USUAL, at};
use crate::{
    api::identity_provider::Algorithm,
    domain::{
        jwk,
        token::{json::decode, judge_token, signature::holds},
    },
};

/// RFC 7515, appendix A.2.
const A2_RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/// RFC 7515, appendix A.3.
const A3_ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

/// RFC 8037, appendix A.4.
const A4_EDDSA: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

fn rsa() -> Value {
    json!({
        "kty": "RSA", "e": "AQAB",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
    })
}

fn p256() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
    })
}

fn ed25519() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
}

#[rstest]
#[case::rfc_7515_a_2(Algorithm::RS256, A2_RS256, rsa())]
#[case::rfc_7515_a_3(Algorithm::ES256, A3_ES256, p256())]
#[case::rfc_8037_a_4(Algorithm::EdDSA, A4_EDDSA, ed25519())]
fn the_rfc_s_signature_holds(#[case] algorithm: Algorithm, #[case] token: &str, #[case] key: Value) {
    let key = jwk::read(key.as_object().unwrap()).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = decode(signature).unwrap();
    assert!(holds(algorithm, &key, message.as_bytes(), &signature));
    assert!(!holds(algorithm, &key, &message.as_bytes()[1..], &signature));
}

/// They were made to show signatures: two have no `iat`, one has no claims at all.
#[rstest]
#[case::rfc_7515_a_2(A2_RS256, rsa(), Refusal::MissingClaim("iat"))]
#[case::rfc_7515_a_3(A3_ES256, p256(), Refusal::MissingClaim("iat"))]
#[case::rfc_8037_a_4(A4_EDDSA, ed25519(), Refusal::NotAnObject(Part::Claims))]
fn the_rfc_s_token_is_judged_to_its_claims(#[case] token: &str, #[case] key: Value, #[case] expected: Refusal) {
    let key = jwk::read(key.as_object().unwrap()).unwrap();
    let terms = Terms { issuer: "joe", ..USUAL };
    assert_eq!(judge_token(token, &terms, &[key], at(1_300_819_000)).map(|_| ()), Err(expected));
}

//! Any bytes as a tenant's value: nothing panics, the ways to read a value agree, and what is published reads back alike.
#![no_main]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use idp_operator::{
    api::tenant_jwt_secret::SigningAlgorithm,
    domain::policy::{self, MAX_BYTES, Violation},
};
use libfuzzer_sys::fuzz_target;
use secrecy::ExposeSecret as _;

fuzz_target!(|data: &[u8]| {
    check(data);
    // Few bytes are Base64 text by chance.
    check(STANDARD.encode(data).as_bytes());
});

fn check(value: &[u8]) {
    match (policy::inspect(value), policy::parse(value), policy::decode(value)) {
        (Ok(traits), Ok(parsed), Ok(decoded)) => {
            assert_eq!(parsed.traits, traits);
            assert!(decoded.len() <= MAX_BYTES);
            let published = policy::parse(parsed.text.expose_secret().as_bytes()).expect("what is published is read");
            assert_eq!(published.text.expose_secret(), parsed.text.expose_secret());
            assert!(published.traits.is_padded());
            assert_eq!(*policy::decode(published.text.expose_secret().as_bytes()).unwrap(), *decoded);
            for algorithm in SigningAlgorithm::ALL {
                let violations = policy::violations(traits, algorithm);
                assert_eq!(policy::violations(published.traits, algorithm), violations);
                let is_short = violations.contains(&Violation::TooShort(algorithm, decoded.len()));
                assert_eq!(is_short, decoded.len() < policy::min_bytes(algorithm));
                assert!(
                    violations.iter().all(|violation| !violation.rule().is_empty() && !violation.detail().is_empty())
                );
            }
        }
        (Err(inspected), Err(parsed), Err(decoded)) => {
            assert_eq!((inspected, inspected), (parsed, decoded));
            assert!(!inspected.rule().is_empty() && !inspected.detail().is_empty());
        }
        read => panic!("one way to read a value fails and another does not: {read:?}"),
    }
}

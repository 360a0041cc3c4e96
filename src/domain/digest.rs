//! SHA-256 (FIPS 180-4) over several fields, each with its length, so that ("1", "23") and ("12", "3") differ.

use std::fmt::Write as _;

use aws_lc_rs::digest::{Context, SHA256};

/// Lower-case hexadecimal SHA-256 of the fields as a tuple.
#[must_use]
pub fn sha256_hex(fields: &[&[u8]]) -> String {
    let mut context = Context::new(&SHA256);
    for field in fields {
        context.update(&(field.len() as u64).to_be_bytes());
        context.update(field);
    }
    context.finish().as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String never fails.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_that_join_to_the_same_text_differ() {
        assert_ne!(sha256_hex(&[b"1", b"23"]), sha256_hex(&[b"12", b"3"]));
        assert_ne!(sha256_hex(&[]), sha256_hex(&[b""]));
    }

    #[test]
    fn a_digest_is_64_lower_case_hexadecimal_digits() {
        let digest = sha256_hex(&[b"x"]);
        assert_eq!(digest.len(), 64);
        assert!(digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
    }
}

//! The rules for a tenant's secret, and a generator whose values obey them by construction
//! (seed: `Set JWT Authentication Secret`; lengths: RFC 7518, section 3.2).
//!
//! The rules speak of the *decoded* value, whose bytes are the HMAC key.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use rand::TryRng;
use secrecy::{SecretString, zeroize::Zeroizing};

use crate::api::tenant_jwt_secret::SigningAlgorithm;

/// Most bytes of a decoded value.
pub const MAX_BYTES: usize = 4096;

/// Fewest distinct bytes of a value that is not obviously weak.
pub const MIN_DISTINCT: usize = 12;

/// Values that stand in public documentation (the seed's examples).
const PUBLISHED_EXAMPLES: [&str; 3] = [
    r#"2deC;p<V:3#p85?S3T#,4S][qpJ6&7R-7KT(C"rET(:<HPr3"#,
    "13gb5Zi3sDzs8oNAUiHlvd2SjBRZnnoAlQ3l1eIbEFlbsciNCglGuFw8sNNLyAEZb",
    "asdfasdfasfLXZlcnktbG9uZy1zZWNyZXQta2V5LWZvci1zaWduaW5nLWp3dC10b2tlbnM=",
];

/// Standard Base64 (RFC 4648, section 4): padded when written, with or without padding when read.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const CAPITALS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const SPECIALS: &[u8] = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// What is known of a value once it has been looked at. Nothing in it tells the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Traits {
    bytes: usize,
    distinct: usize,
    has_capital: bool,
    has_special: bool,
    is_example: bool,
    is_padded: bool,
}

impl Traits {
    /// Whether the value is written as it is published: in Base64 with padding.
    #[must_use]
    pub const fn is_padded(self) -> bool {
        self.is_padded
    }
}

/// A value that was read.
#[derive(Debug)]
pub struct Parsed {
    /// The form in which it is published: Base64 with padding.
    pub text: SecretString,
    /// What it is good for.
    pub traits: Traits,
}

/// A rule that a value breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// It ends with a line break, as `kubectl create secret --from-file` leaves it.
    TrailingNewline,
    /// It is written in the URL-safe alphabet.
    UrlSafeAlphabet,
    /// It is not Base64 text.
    NotBase64,
    /// Fewer bytes than the algorithm needs.
    TooShort(SigningAlgorithm, usize),
    /// More than [`MAX_BYTES`].
    TooLong,
    /// No capital letter.
    NoCapital,
    /// No special character.
    NoSpecial,
    /// One of the seed's published examples.
    PublishedExample,
    /// Fewer than [`MIN_DISTINCT`] distinct bytes.
    TooUniform,
}

impl Violation {
    /// The rule's name, stable for machines.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::TrailingNewline => "trailing-newline",
            Self::UrlSafeAlphabet => "url-safe-alphabet",
            Self::NotBase64 => "not-base64",
            Self::TooShort(..) => "too-short",
            Self::TooLong => "too-long",
            Self::NoCapital => "no-capital-letter",
            Self::NoSpecial => "no-special-character",
            Self::PublishedExample => "published-example",
            Self::TooUniform => "too-uniform",
        }
    }

    /// What the value must be.
    #[must_use]
    pub fn detail(self) -> String {
        match self {
            Self::TrailingNewline => "the value must be Base64 without a line break at its end \
                 (`kubectl create secret --from-file` keeps the file's: write it with `printf %s`)"
                .to_owned(),
            Self::UrlSafeAlphabet => {
                "the value must be in standard Base64, with '+' and '/' where the URL-safe alphabet has '-' and '_'"
                    .to_owned()
            }
            Self::NotBase64 => {
                "the value must be encoded in Base64, in the standard alphabet, with or without padding".to_owned()
            }
            Self::TooShort(algorithm, bytes) => format!(
                "the value must be at least {} bytes for {}, decoded, but is {bytes}",
                min_bytes(algorithm),
                algorithm.as_str()
            ),
            Self::TooLong => format!("the value must be at most {MAX_BYTES} bytes, decoded"),
            Self::NoCapital => "the value must hold at least one capital letter (A-Z), decoded".to_owned(),
            Self::NoSpecial => {
                "the value must hold at least one special character (ASCII punctuation), decoded".to_owned()
            }
            Self::PublishedExample => {
                "the value must be none that stands as an example in public documentation".to_owned()
            }
            Self::TooUniform => format!("the value must hold at least {MIN_DISTINCT} different bytes, decoded"),
        }
    }
}

/// Fewest bytes of a key for this algorithm: the hash's output (RFC 7518, section 3.2).
#[must_use]
pub const fn min_bytes(algorithm: SigningAlgorithm) -> usize {
    match algorithm {
        SigningAlgorithm::Hs256 => 32,
        SigningAlgorithm::Hs384 => 48,
        SigningAlgorithm::Hs512 => 64,
    }
}

/// Characters of a generated value: at log2(94) bits each, at least the strength of the algorithm's hash.
#[must_use]
pub const fn generated_characters(algorithm: SigningAlgorithm) -> usize {
    match algorithm {
        SigningAlgorithm::Hs256 => 40,
        SigningAlgorithm::Hs384 => 59,
        SigningAlgorithm::Hs512 => 79,
    }
}

/// Decodes a value and looks at it.
///
/// # Errors
/// When it is not standard Base64, or is larger than [`MAX_BYTES`].
pub fn inspect(value: &[u8]) -> Result<Traits, Violation> {
    Ok(traits(value, &decode(value)?))
}

/// Reads a value.
///
/// # Errors
/// As [`inspect`].
pub fn parse(value: &[u8]) -> Result<Parsed, Violation> {
    let decoded = decode(value)?;
    Ok(Parsed { text: SecretString::from(BASE64.encode(decoded.as_slice())), traits: traits(value, &decoded) })
}

fn traits(value: &[u8], decoded: &[u8]) -> Traits {
    let mut seen = [false; 256];
    for byte in decoded {
        if let Some(slot) = seen.get_mut(usize::from(*byte)) {
            *slot = true;
        }
    }
    Traits {
        bytes: decoded.len(),
        distinct: seen.iter().filter(|slot| **slot).count(),
        has_capital: decoded.iter().any(u8::is_ascii_uppercase),
        has_special: decoded.iter().any(u8::is_ascii_punctuation),
        // `echo` adds a line break.
        is_example: PUBLISHED_EXAMPLES
            .iter()
            .any(|example| example.as_bytes() == value || example.as_bytes() == decoded.trim_ascii()),
        is_padded: value.len().is_multiple_of(4),
    }
}

/// Every rule that a value of these traits breaks as a key for the algorithm.
#[must_use]
pub fn violations(traits: Traits, algorithm: SigningAlgorithm) -> Vec<Violation> {
    [
        (traits.bytes < min_bytes(algorithm), Violation::TooShort(algorithm, traits.bytes)),
        (!traits.has_capital, Violation::NoCapital),
        (!traits.has_special, Violation::NoSpecial),
        (traits.distinct < MIN_DISTINCT, Violation::TooUniform),
        (traits.is_example, Violation::PublishedExample),
    ]
    .into_iter()
    .filter_map(|(broken, violation)| broken.then_some(violation))
    .collect()
}

/// The bytes of the HMAC key.
///
/// # Errors
/// As [`inspect`].
pub fn decode(value: &[u8]) -> Result<Zeroizing<Vec<u8>>, Violation> {
    // 4 characters for 3 bytes, so anything longer than this is too long whatever it holds.
    if value.len() > MAX_BYTES.div_ceil(3) * 4 + 4 {
        return Err(Violation::TooLong);
    }
    let decoded = BASE64.decode(value).map(Zeroizing::new).map_err(|_| why_not_base64(value))?;
    if decoded.len() > MAX_BYTES { Err(Violation::TooLong) } else { Ok(decoded) }
}

fn why_not_base64(value: &[u8]) -> Violation {
    if PUBLISHED_EXAMPLES.iter().any(|example| example.as_bytes() == value) {
        return Violation::PublishedExample;
    }
    let trimmed = value.trim_ascii_end();
    if trimmed.len() < value.len() && BASE64.decode(trimmed).map(Zeroizing::new).is_ok() {
        return Violation::TrailingNewline;
    }
    let url_safe = |byte: &u8| matches!(byte, b'-' | b'_');
    let text = |byte: &u8| byte.is_ascii_alphanumeric() || url_safe(byte) || *byte == b'=';
    if value.iter().any(url_safe) && value.iter().all(text) { Violation::UrlSafeAlphabet } else { Violation::NotBase64 }
}

/// A new value for the algorithm, in padded Base64.
///
/// A capital letter and a special character come first, then others until [`MIN_DISTINCT`] differ, then any printable
/// ones; the order is shuffled. So every value obeys [`violations`] without being tried.
///
/// # Errors
/// When the random source fails.
pub fn generate<R: TryRng>(algorithm: SigningAlgorithm, rng: &mut R) -> Result<SecretString, R::Error> {
    let length = generated_characters(algorithm);
    let mut dice = Dice::new(rng);
    let mut value = Zeroizing::new(Vec::with_capacity(length));
    value.push(dice.pick(CAPITALS)?);
    value.push(dice.pick(SPECIALS)?);
    while value.len() < length {
        let character = b'!' + dice.below(94)?;
        if value.len() >= MIN_DISTINCT || !value.contains(&character) {
            value.push(character);
        }
    }
    for position in (1..value.len()).rev() {
        let bound = u8::try_from(position + 1).unwrap_or(u8::MAX);
        value.swap(position, usize::from(dice.below(bound)?));
    }
    Ok(SecretString::from(BASE64.encode(value.as_slice())))
}

/// Draws numbers. Random bytes are fetched in blocks, as each fetch is a call of the operating system's.
struct Dice<'a, R> {
    rng: &'a mut R,
    block: Zeroizing<[u8; 128]>,
    used: usize,
}

impl<'a, R: TryRng> Dice<'a, R> {
    fn new(rng: &'a mut R) -> Self {
        Self { rng, block: Zeroizing::new([0; 128]), used: 128 }
    }

    fn byte(&mut self) -> Result<u8, R::Error> {
        loop {
            if let Some(byte) = self.block.get(self.used) {
                self.used += 1;
                return Ok(*byte);
            }
            self.rng.try_fill_bytes(self.block.as_mut_slice())?;
            self.used = 0;
        }
    }

    /// A number below the bound, each equally likely: bytes beyond its largest multiple are drawn again.
    fn below(&mut self, bound: u8) -> Result<u8, R::Error> {
        let limit = u8::MAX - u8::MAX % bound;
        loop {
            let drawn = self.byte()?;
            if drawn < limit {
                return Ok(drawn % bound);
            }
        }
    }

    fn pick(&mut self, from: &[u8]) -> Result<u8, R::Error> {
        let index = self.below(u8::try_from(from.len()).unwrap_or(u8::MAX))?;
        Ok(from.get(usize::from(index)).copied().unwrap_or(b'!'))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng as _, rngs::StdRng};
    use rstest::rstest;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn judge(raw: &[u8], algorithm: SigningAlgorithm) -> Vec<Violation> {
        match inspect(BASE64.encode(raw).as_bytes()) {
            Ok(traits) => violations(traits, algorithm),
            Err(violation) => vec![violation],
        }
    }

    /// Two threads, as that is the longest of the tests here.
    #[test]
    fn a_million_generated_values_obey_at_their_promised_length() {
        const EACH: usize = 1_000_000 / 6 + 1;
        let generated = std::thread::scope(|scope| {
            let threads = [7, 8].map(|seed| {
                scope.spawn(move || {
                    let mut rng = StdRng::seed_from_u64(seed);
                    let mut generated = 0usize;
                    for algorithm in SigningAlgorithm::ALL {
                        for _ in 0..EACH {
                            let value = generate(algorithm, &mut rng).unwrap();
                            let traits = inspect(value.expose_secret().as_bytes()).unwrap();
                            assert_eq!(traits.bytes, generated_characters(algorithm));
                            assert!(violations(traits, algorithm).is_empty());
                            generated += 1;
                        }
                    }
                    generated
                })
            });
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert!(generated >= 1_000_000);
    }

    #[test]
    fn every_printable_character_is_generated() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let value = generate(SigningAlgorithm::Hs512, &mut rng).unwrap();
            seen.extend(decode(value.expose_secret().as_bytes()).unwrap().iter().copied());
        }
        assert_eq!(seen, (b'!'..=b'~').collect());
    }

    #[test]
    fn every_broken_rule_is_listed_at_once() {
        assert_eq!(
            judge(b"abcabcabc", SigningAlgorithm::Hs384),
            [
                Violation::TooShort(SigningAlgorithm::Hs384, 9),
                Violation::NoCapital,
                Violation::NoSpecial,
                Violation::TooUniform
            ]
        );
    }

    #[rstest]
    #[case(SigningAlgorithm::Hs256, 32)]
    #[case(SigningAlgorithm::Hs384, 48)]
    #[case(SigningAlgorithm::Hs512, 64)]
    fn the_shortest_value_is_the_hash_s_output(#[case] algorithm: SigningAlgorithm, #[case] least: usize) {
        let raw: Vec<u8> = (b'@'..=b'~').cycle().take(least).collect();
        assert_eq!(judge(&raw, algorithm), []);
        assert_eq!(judge(&raw[..least - 1], algorithm), [Violation::TooShort(algorithm, least - 1)]);
    }

    #[test]
    fn the_longest_value_is_4096_bytes() {
        let raw: Vec<u8> = (b'!'..=b'~').cycle().take(4097).collect();
        assert_eq!(judge(&raw[..4096], SigningAlgorithm::Hs512), []);
        assert_eq!(judge(&raw, SigningAlgorithm::Hs512), [Violation::TooLong]);
        assert_eq!(judge(&vec![b'A'; 1 << 20], SigningAlgorithm::Hs512), [Violation::TooLong]);
    }

    #[rstest]
    #[case::the_seed_s_raw_example(PUBLISHED_EXAMPLES[0], Violation::PublishedExample)]
    #[case::the_seed_s_base64_example(PUBLISHED_EXAMPLES[1], Violation::PublishedExample)]
    #[case::line_break("QUJD\n", Violation::TrailingNewline)]
    #[case::windows_line_break("QUJD\r\n", Violation::TrailingNewline)]
    #[case::url_safe("QUJD-_8=", Violation::UrlSafeAlphabet)]
    #[case::wrong_length("QUJDR", Violation::NotBase64)]
    #[case::white_space_inside("QU JD", Violation::NotBase64)]
    #[case::binary("\u{1}\u{2}", Violation::NotBase64)]
    fn text_that_is_not_standard_base64_is_told_apart(#[case] text: &str, #[case] expected: Violation) {
        assert_eq!(inspect(text.as_bytes()), Err(expected));
    }

    #[test]
    fn the_seed_s_examples_are_refused_however_they_are_given() {
        let echoed = format!("{}\n", PUBLISHED_EXAMPLES[0]);
        assert_eq!(judge(echoed.as_bytes(), SigningAlgorithm::Hs384), [Violation::PublishedExample]);
        assert!(
            judge(PUBLISHED_EXAMPLES[0].as_bytes(), SigningAlgorithm::Hs384).contains(&Violation::PublishedExample)
        );
        assert_eq!(inspect(PUBLISHED_EXAMPLES[2].as_bytes()), Err(Violation::PublishedExample));
    }

    #[test]
    fn padding_is_optional_when_read_and_always_written() {
        for (given, is_padded) in [(b"QUI".as_slice(), false), (b"QUI=", true)] {
            let parsed = parse(given).unwrap();
            assert_eq!((parsed.text.expose_secret(), parsed.traits.is_padded()), ("QUI=", is_padded));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..6000)) {
            let _ = inspect(&bytes);
            let _ = parse(&bytes);
        }

        #[test]
        fn any_bytes_come_back_with_and_without_padding(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            let padded = BASE64.encode(&raw);
            for text in [padded.as_str(), padded.trim_end_matches('=')] {
                let parsed = parse(text.as_bytes()).unwrap();
                prop_assert_eq!(parsed.text.expose_secret(), &padded);
                prop_assert_eq!(decode(text.as_bytes()).unwrap().to_vec(), raw.clone());
            }
        }

        /// Against the rules as the contract words them, on values on both sides of every bound.
        #[test]
        fn every_violation_is_found_and_no_other(
            raw in proptest::collection::vec(prop_oneof![Just(b'A'), Just(b'!'), b'a'..b'q', b'0'..=b'9', any::<u8>()], 0..80),
            ends in proptest::bool::ANY,
        ) {
            let raw = if ends { raw } else { raw.into_iter().filter(u8::is_ascii_lowercase).collect() };
            for algorithm in SigningAlgorithm::ALL {
                let least = match algorithm { SigningAlgorithm::Hs256 => 32, SigningAlgorithm::Hs384 => 48, SigningAlgorithm::Hs512 => 64 };
                let distinct: std::collections::HashSet<u8> = raw.iter().copied().collect();
                let expected = [
                    raw.len() < least,
                    !raw.iter().any(u8::is_ascii_uppercase),
                    !raw.iter().any(|byte| b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".contains(byte)),
                    distinct.len() < 12,
                ];
                let found = judge(&raw, algorithm);
                let is = |rule: &str| found.iter().any(|violation| violation.rule() == rule);
                prop_assert_eq!([is("too-short"), is("no-capital-letter"), is("no-special-character"), is("too-uniform")], expected);
                prop_assert_eq!(found.len(), expected.iter().filter(|broken| **broken).count());
            }
        }
    }
}

//! Certificate authorities that a user names for an endpoint: `tls.caBundle`, in the text form of RFC 7468.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio_rustls::rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// Longest bundle, in bytes.
pub const MAX_LENGTH: usize = 256 * 1024;

/// Most certificates in a bundle.
pub const MAX_CERTIFICATES: usize = 256;

const BEGIN: &str = "-----BEGIN ";
const CERTIFICATE: &str = "CERTIFICATE-----";
const PRIVATE_KEY: &str = "PRIVATE KEY-----";

/// Certificate authorities to be trusted in place of the system's: 1 to [`MAX_CERTIFICATES`], each fit for it, no two the
/// same, in the order that they were given in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaBundle {
    certificates: Vec<CertificateDer<'static>>,
}

/// Why a text is no bundle. None of it repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaBundleError {
    /// More than [`MAX_LENGTH`] bytes.
    TooLarge,
    /// A private key, which everybody who may read the object has seen.
    PrivateKey,
    /// A PEM block of another kind.
    OtherBlock,
    /// PEM that can't be decoded.
    Malformed,
    /// No certificate.
    NoCertificate,
    /// More than [`MAX_CERTIFICATES`].
    TooMany,
    /// A block CERTIFICATE that is no X.509 certificate.
    NotACertificate,
}

impl CaBundleError {
    /// What the bundle must be, to follow its name.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::TooLarge => "must be at most 256 KiB: the certificates of the endpoint's authorities are enough",
            Self::PrivateKey => {
                "must not hold a private key: replace that key, as everybody who may read this has seen it, and give \
                 certificates only"
            }
            Self::OtherBlock => "must hold PEM blocks 'CERTIFICATE' only",
            Self::Malformed => {
                "must be PEM: each block with its lines '-----BEGIN CERTIFICATE-----' and '-----END CERTIFICATE-----', \
                 not indented, and base64 between them"
            }
            Self::NoCertificate => "must hold at least one PEM block 'CERTIFICATE'",
            Self::TooMany => "must hold at most 256 certificates: those of the endpoint's authorities are enough",
            Self::NotACertificate => "must hold X.509 certificates of authorities: one of its blocks is none",
        }
    }
}

impl CaBundle {
    /// Reads a bundle. Text around the blocks, as bundles have it to name their certificates, is passed over.
    ///
    /// # Errors
    /// When it is not wholly what it must be: half a bundle would fail later and elsewhere.
    pub fn parse(pem: &[u8]) -> Result<Self, CaBundleError> {
        if pem.len() > MAX_LENGTH {
            return Err(CaBundleError::TooLarge);
        }
        // What is no UTF-8 can only be a comment, or no base64.
        let text = String::from_utf8_lossy(pem);
        if text.contains(PRIVATE_KEY) {
            return Err(CaBundleError::PrivateKey);
        }
        let mut blocks = 0;
        for block in text.split(BEGIN).skip(1) {
            if !block.starts_with(CERTIFICATE) {
                return Err(CaBundleError::OtherBlock);
            }
            blocks += 1;
        }
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let read = read.map_err(|_| CaBundleError::Malformed)?;
        // The reader passes over a block that is indented, or has no end before the next one begins.
        if read.len() != blocks {
            return Err(CaBundleError::Malformed);
        }
        Self::of(read)
    }

    fn of(read: Vec<CertificateDer<'static>>) -> Result<Self, CaBundleError> {
        if read.len() > MAX_CERTIFICATES {
            return Err(CaBundleError::TooMany);
        }
        let mut certificates = Vec::with_capacity(read.len());
        for certificate in read {
            RootCertStore::empty().add(certificate.clone()).map_err(|_| CaBundleError::NotACertificate)?;
            if !certificates.contains(&certificate) {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(CaBundleError::NoCertificate);
        }
        Ok(Self { certificates })
    }

    /// The certificates, each fit to be a trust anchor.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// The certificates as PEM in its strict form (RFC 7468, section 3): blocks of 64 characters a line and nothing else.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.certificates.iter().map(block).collect()
    }
}

fn block(certificate: &CertificateDer<'_>) -> String {
    let mut pem = format!("{BEGIN}{CERTIFICATE}\n");
    for (place, character) in STANDARD.encode(certificate).chars().enumerate() {
        if place > 0 && place % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem + "\n-----END CERTIFICATE-----\n"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// A certificate of its own authority.
    fn certificate(name: &str) -> (String, String) {
        let issued = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        (issued.cert.pem().replace("\r\n", "\n"), issued.signing_key.serialize_pem())
    }

    fn block_of(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    #[test]
    fn comments_line_ends_and_doubles_make_no_difference() {
        let (one, two) = (certificate("one").0, certificate("two").0);
        let plain = CaBundle::parse(format!("{one}{two}").as_bytes()).unwrap();
        assert_eq!(plain.certificates().len(), 2);
        assert_eq!(plain.to_pem(), format!("{one}{two}"));
        let mut commented = b"# One\xff\n=====\n".to_vec();
        commented.extend(format!("{one}\nTwo:\n{two}{one}end").replace('\n', "\r\n").bytes());
        assert_eq!(CaBundle::parse(&commented).unwrap(), plain);
        let turned = CaBundle::parse(format!("{two}{one}").as_bytes()).unwrap();
        assert_ne!(turned, plain);
    }

    #[rstest]
    #[case::empty("", CaBundleError::NoCertificate)]
    #[case::comment("just text", CaBundleError::NoCertificate)]
    #[case::base64_alone("AAAA", CaBundleError::NoCertificate)]
    #[case::no_base64(&block_of("CERTIFICATE", "?"), CaBundleError::Malformed)]
    #[case::no_end("-----BEGIN CERTIFICATE-----\nAAAA\n", CaBundleError::Malformed)]
    #[case::wrong_end("-----BEGIN CERTIFICATE-----\nAAAA\n-----END PUBLIC KEY-----\n", CaBundleError::Malformed)]
    #[case::indented(" -----BEGIN CERTIFICATE-----\nAAAA\n -----END CERTIFICATE-----\n", CaBundleError::Malformed)]
    #[case::no_certificate(&block_of("CERTIFICATE", "AAAA"), CaBundleError::NotACertificate)]
    #[case::empty_block(&block_of("CERTIFICATE", ""), CaBundleError::NotACertificate)]
    #[case::public_key(&block_of("PUBLIC KEY", "AAAA"), CaBundleError::OtherBlock)]
    #[case::trusted(&block_of("TRUSTED CERTIFICATE", "AAAA"), CaBundleError::OtherBlock)]
    #[case::request(&block_of("CERTIFICATE REQUEST", "AAAA"), CaBundleError::OtherBlock)]
    #[case::rsa(&block_of("RSA PRIVATE KEY", "AAAA"), CaBundleError::PrivateKey)]
    #[case::encrypted(&block_of("ENCRYPTED PRIVATE KEY", "AAAA"), CaBundleError::PrivateKey)]
    #[case::openssh(&block_of("OPENSSH PRIVATE KEY", "AAAA"), CaBundleError::PrivateKey)]
    fn what_is_no_bundle_is_refused_alone_and_beside_a_good_certificate(
        #[case] text: &str,
        #[case] error: CaBundleError,
    ) {
        assert_eq!(CaBundle::parse(text.as_bytes()), Err(error));
        if error != CaBundleError::NoCertificate {
            let good = certificate("good").0;
            assert_eq!(CaBundle::parse(format!("{good}{text}").as_bytes()), Err(error));
        }
    }

    #[test]
    fn a_private_key_is_refused_as_such_wherever_it_stands() {
        let (certificate, key) = certificate("one");
        for text in [format!("{certificate}{key}"), format!("{key}{certificate}"), key.replace('\n', "\n  ")] {
            assert_eq!(CaBundle::parse(text.as_bytes()), Err(CaBundleError::PrivateKey));
        }
    }

    #[test]
    fn a_block_without_end_does_not_swallow_the_next_one() {
        let good = certificate("good").0;
        let headless = good.replace("-----END CERTIFICATE-----\n", "");
        assert_eq!(CaBundle::parse(format!("{headless}{good}").as_bytes()), Err(CaBundleError::Malformed));
    }

    #[test]
    fn there_are_bounds() {
        let pem = certificate("one").0;
        let padded = |length: usize| format!("{pem}{}", "#".repeat(length - pem.len()));
        assert!(CaBundle::parse(padded(MAX_LENGTH).as_bytes()).is_ok());
        assert_eq!(CaBundle::parse(padded(MAX_LENGTH + 1).as_bytes()), Err(CaBundleError::TooLarge));
        assert!(CaBundle::parse(pem.repeat(MAX_CERTIFICATES).as_bytes()).is_ok());
        assert_eq!(CaBundle::parse(pem.repeat(MAX_CERTIFICATES + 1).as_bytes()), Err(CaBundleError::TooMany));
    }

    proptest! {
        #[test]
        fn whatever_comes_nothing_breaks(bytes in prop::collection::vec(any::<u8>(), 0..256), place in 0usize..600) {
            let _ = CaBundle::parse(&bytes);
            let mut damaged = certificate("one").0.into_bytes();
            let place = place.min(damaged.len());
            damaged.splice(place..place, bytes);
            let _ = CaBundle::parse(&damaged);
        }

        #[test]
        fn what_is_given_back_is_the_same_bundle(names in prop::collection::vec("[a-z]{1,8}", 1..4)) {
            let pem: String = names.iter().map(|name| certificate(name).0).collect();
            let bundle = CaBundle::parse(pem.as_bytes()).unwrap();
            prop_assert_eq!(bundle.to_pem(), pem);
            prop_assert_eq!(CaBundle::parse(bundle.to_pem().as_bytes()), Ok(bundle));
        }
    }
}

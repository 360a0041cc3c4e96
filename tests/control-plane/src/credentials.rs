//! Keys and tokens that the API server is started with.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rcgen::KeyPair;
use thiserror::Error;

/// Why there are no credentials.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// No key could be generated.
    #[error("can't generate a key for ServiceAccount tokens")]
    Key(#[from] rcgen::Error),
    /// There is no randomness, or a file can't be written.
    #[error("can't write credentials to {}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Files for the API server's and the controller manager's arguments.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// PEM, PKCS #8, ECDSA P-256: signs `ServiceAccount` tokens.
    pub(crate) signing_key: PathBuf,
    /// PEM: verifies them.
    pub(crate) public_key: PathBuf,
    /// The administrator's token, in the format of `--token-auth-file`.
    pub(crate) tokens: PathBuf,
    /// The administrator's token itself, of 128 random bits.
    pub(crate) admin_token: String,
}

impl Credentials {
    pub(crate) fn generate(folder: &Path) -> Result<Self, CredentialsError> {
        let key = KeyPair::generate()?;
        Self::write(folder, &key).map_err(|source| CredentialsError::Io { path: folder.to_owned(), source })
    }

    fn write(folder: &Path, key: &KeyPair) -> io::Result<Self> {
        let mut random = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        let credentials = Self {
            signing_key: folder.join("service-account.key"),
            public_key: folder.join("service-account.pub"),
            tokens: folder.join("tokens.csv"),
            admin_token: format!("{:032x}", u128::from_ne_bytes(random)),
        };
        fs::write(&credentials.signing_key, key.serialize_pem())?;
        fs::write(&credentials.public_key, key.public_key_pem())?;
        fs::write(&credentials.tokens, format!("{},admin,admin,system:masters\n", credentials.admin_token))?;
        Ok(credentials)
    }
}

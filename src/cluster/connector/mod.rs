//! One HTTP GET to an endpoint that a user named: guarded where it dials, bounded in time and size.
//!
//! Built on hyper rather than on a full client, as the address must be judged between name resolution and dialling, on
//! every connection, together with the port. No redirect is followed, no proxy used, no cookie or credential sent.

mod capped;
mod dial;
mod exchange;
mod failure;
mod lookup;
mod tls;

#[cfg(test)]
mod tests;

use std::time::Duration;

use dial::Dialler;
use tls::Tls;
use url::Url;

pub use dial::MAX_ADDRESSES;
pub use exchange::{MAX_BODY, MAX_HEAD, MAX_READ};
pub use failure::Failure;
pub use lookup::Lookup;
pub use tls::Trust;

use crate::domain::{address::AddressPolicy, key_source::FetchError};

/// Bound on a whole fetch, name resolution to last byte.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Fetches documents within an address policy. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    dialler: Dialler,
    tls: Tls,
}

impl Connector {
    /// A connector within this policy that never calls the API server, by whichever of these hosts and ports it is known,
    /// and trusts the system's certificate authorities (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured).
    #[must_use]
    pub fn new(policy: AddressPolicy, api_server: Vec<(String, u16)>) -> Self {
        Self::with_lookup(policy, api_server, lookup::system())
    }

    /// The same, with another way from names to addresses.
    #[must_use]
    pub fn with_lookup(policy: AddressPolicy, api_server: Vec<(String, u16)>, lookup: Lookup) -> Self {
        Self { dialler: Dialler::new(policy, api_server, lookup), tls: Tls::new() }
    }

    /// The body of the answer to a GET, at most [`MAX_BODY`] bytes, within [`TIMEOUT`].
    ///
    /// # Errors
    /// Why there is none, without a word of the answer or its address.
    pub async fn get(&self, url: &str, trust: &Trust) -> Result<Vec<u8>, Failure> {
        let fetch = self.fetch(url, trust);
        tokio::time::timeout(TIMEOUT, fetch).await.unwrap_or(Err(FetchError::Unreachable.into()))
    }

    async fn fetch(&self, url: &str, trust: &Trust) -> Result<Vec<u8>, Failure> {
        // What the API server took for a URL may still be none (a host of 127.0.0.256): nothing answers there.
        let url = Url::parse(url).map_err(|_| FetchError::Unreachable)?;
        let host = url.host().ok_or(FetchError::Unreachable)?;
        let port = url.port_or_known_default().ok_or(FetchError::Unreachable)?;
        match url.scheme() {
            "https" => {
                let stream = self.dialler.dial(&host, port).await?;
                exchange::exchange(self.tls.connect(&host, stream, trust).await?, &url).await
            }
            "http" => exchange::exchange(self.dialler.dial(&host, port).await?, &url).await,
            _ => Err(FetchError::Unreachable.into()),
        }
    }
}

//! From a host to a connection: every address that its name has is judged, each time anew, and only what was judged is
//! called. So a name that has a good address at first and a forbidden one later (DNS rebinding) gains nothing.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures::{StreamExt as _, future::try_join_all, stream::FuturesUnordered};
use tokio::{net::TcpStream, time::timeout};
use url::Host;

use super::lookup::Lookup;
use crate::domain::{address::AddressPolicy, key_source::FetchError};

/// Addresses of a name that are called; the others are as good as absent. All of them together get the time of a fetch.
pub const MAX_ADDRESSES: usize = 8;

/// How long an address is called alone before the next one is called beside it (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Calls hosts within an address policy. Cheap to clone.
#[derive(Clone)]
pub struct Dialler {
    policy: Arc<AddressPolicy>,
    api_server: Arc<[(String, u16)]>,
    lookup: Lookup,
}

impl Dialler {
    /// One that calls what this policy permits, but never the API server, known by these hosts and ports.
    #[must_use]
    pub fn new(policy: AddressPolicy, api_server: Vec<(String, u16)>, lookup: Lookup) -> Self {
        Self { policy: Arc::new(policy), api_server: api_server.into(), lookup }
    }

    /// A connection to the host. Of several addresses, forbidden ones are passed over.
    ///
    /// # Errors
    /// `AddressForbidden` where every address that the host has is forbidden: then waiting is of no use. `Unreachable`
    /// where there is none, or none of the permitted ones can be connected to.
    pub async fn dial(&self, host: &Host<&str>, port: u16) -> Result<TcpStream, FetchError> {
        let (mut addresses, api_server) = tokio::try_join!(self.addresses(host, port), self.api_server())?;
        if addresses.is_empty() {
            return Err(FetchError::Unreachable);
        }
        addresses.retain(|address| self.policy.permits(*address, &api_server));
        if addresses.is_empty() {
            return Err(FetchError::AddressForbidden);
        }
        addresses.truncate(MAX_ADDRESSES);
        first_connected(addresses, TcpStream::connect).await.ok_or(FetchError::Unreachable)
    }

    async fn addresses(&self, host: &Host<&str>, port: u16) -> Result<Vec<SocketAddr>, FetchError> {
        match host {
            Host::Ipv4(ip) => Ok(vec![SocketAddr::new((*ip).into(), port)]),
            Host::Ipv6(ip) => Ok(vec![SocketAddr::new((*ip).into(), port)]),
            Host::Domain(name) => self.resolve(name, port).await,
        }
    }

    /// Addresses of the API server. Looked up each time, as it may move. Where it can't be, nothing is called: one answer
    /// could be it.
    async fn api_server(&self) -> Result<Vec<SocketAddr>, FetchError> {
        let lookups = self.api_server.iter().map(async |(host, port)| match host.parse() {
            Ok(ip) => Ok(vec![SocketAddr::new(ip, *port)]),
            Err(_) => self.resolve(host, *port).await,
        });
        Ok(try_join_all(lookups).await?.concat())
    }

    async fn resolve(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, FetchError> {
        (self.lookup)(name.to_owned(), port).await.map_err(|_| FetchError::Unreachable)
    }
}

/// The first connection that comes about. An address that never answers costs the next one a head start, no more.
async fn first_connected<T, F>(addresses: Vec<SocketAddr>, connect: impl Fn(SocketAddr) -> F) -> Option<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut uncalled = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    loop {
        attempts.extend(uncalled.next().map(&connect));
        match timeout(HEAD_START, attempts.next()).await {
            Ok(Some(Ok(connected))) => return Some(connected),
            Ok(None) => return None,
            Ok(Some(Err(_))) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::new([192, 0, 2, 1].into(), port)
    }

    /// Port 1 never answers, 2 refuses, others connect at once, or after as many milliseconds above 1000.
    async fn connect(address: SocketAddr) -> io::Result<u16> {
        match address.port() {
            1 => std::future::pending().await,
            2 => Err(io::ErrorKind::ConnectionRefused.into()),
            port => {
                sleep(Duration::from_millis(u64::from(port).saturating_sub(1000))).await;
                Ok(port)
            }
        }
    }

    /// Which of these ports answers first, after how many milliseconds.
    async fn first(ports: &[u16]) -> (Option<u16>, u128) {
        let start = Instant::now();
        let connected = first_connected(ports.iter().copied().map(at).collect(), connect).await;
        (connected, start.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_never_answers_costs_the_next_one_a_quarter_of_a_second() {
        assert_eq!(first(&[3, 4]).await, (Some(3), 0));
        assert_eq!(first(&[1, 3]).await, (Some(3), 250));
        assert_eq!(first(&[1, 1, 1, 1, 1, 1, 1, 3]).await, (Some(3), 1750));
        assert_eq!(first(&[2, 2, 3]).await, (Some(3), 0));
        assert_eq!(first(&[1, 2, 3]).await, (Some(3), 250));
        // The slow first one is not given up.
        assert_eq!(first(&[1400, 1]).await, (Some(1400), 400));
        assert_eq!(first(&[2, 2]).await, (None, 0));
        assert_eq!(first(&[]).await, (None, 0));
    }
}

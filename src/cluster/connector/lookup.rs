//! Names to addresses, by the system's resolver.
//!
//! The resolver blocks, and can't be told to stop: where no DNS server answers, glibc waits 5 s for each of two attempts at
//! each name of the search list (40 s in a pod), long after the fetch was given up. Each wait holds one of the 512
//! threads that tokio has for all blocking work, name resolution for the API server among it. So a lookup holds its place
//! here until its thread is done, and who finds no place within the time of the fetch gets no addresses.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs as _},
    sync::Arc,
};

use futures::future::{BoxFuture, FutureExt as _};
use tokio::sync::Semaphore;

/// Addresses of a host, each with the port. Boxed so that a test can answer in place of the system.
pub type Lookup = Arc<dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// Lookups under way: as many as the 80 fetches at a time can leave behind in 40 s of a dead server, and no more than leave
/// tokio a quarter of its threads.
const AT_ONCE: usize = 384;

/// The system's resolver.
#[must_use]
pub fn system() -> Lookup {
    bounded(Arc::new(Semaphore::new(AT_ONCE)), |host, port| Ok((host, port).to_socket_addrs()?.collect()))
}

fn bounded<F>(places: Arc<Semaphore>, blocking: F) -> Lookup
where
    F: Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
{
    let blocking = Arc::new(blocking);
    Arc::new(move |host, port| {
        let (places, blocking) = (places.clone(), blocking.clone());
        async move {
            let place = places.acquire_owned().await.map_err(io::Error::other)?;
            let lookup = tokio::task::spawn_blocking(move || {
                let _place = place;
                blocking(&host, port)
            });
            lookup.await.map_err(io::Error::other)?
        }
        .boxed()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;

    #[tokio::test]
    async fn a_lookup_that_was_given_up_holds_its_place_until_its_thread_is_done() {
        let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let places = Arc::new(Semaphore::new(2));
        let lookup = bounded(places.clone(), move |host, _| {
            started.send(host.to_owned()).unwrap();
            let _ = released.lock().unwrap().recv();
            Ok(Vec::new())
        });
        for name in ["a", "b"] {
            let given_up = tokio::spawn(lookup(name.to_owned(), 1));
            starts.recv().await.unwrap();
            given_up.abort();
            assert!(given_up.await.unwrap_err().is_cancelled());
        }
        assert_eq!(places.available_permits(), 0);
        let waiting = tokio::spawn(lookup("c".to_owned(), 1));
        release.send(()).unwrap();
        assert_eq!(starts.recv().await.unwrap(), "c");
        drop(release);
        assert_eq!(waiting.await.unwrap().unwrap(), []);
        // The other one may still be about to end.
        while places.available_permits() < 2 {
            tokio::task::yield_now().await;
        }
    }
}

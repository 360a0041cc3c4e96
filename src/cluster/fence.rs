//! Keeps a process that was stopped for a while, or cut off, from writing as if it still led.
//!
//! A leader checks its lease again and again; but between two checks it may be paused for any time: by SIGSTOP, by the
//! debugger, with its virtual machine. What it was about to write is refused here once it goes on.
//!
//! Nothing can close the gap between this check and the arrival of a write at the API server. So correctness does not
//! rest on it, but on what each write names: the resourceVersion that it was decided on, or that there was no such object.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use http::{Method, Request};
use kube::client::Body;
use tower::{BoxError, Layer, Service};

use super::sync::lock;

/// A moment by two clocks. The one that never jumps stands still, on Linux, while the machine is suspended; the time of
/// day is put right after that, even where a whole virtual machine was paused.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// How long ago it was, by whichever clock says more. A time of day that was set back says nothing.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

/// Lets writes pass for so long after each renewal of the lease. Clones share their state.
#[derive(Clone, Debug)]
pub struct Fence {
    lease: Duration,
    renewed: Arc<Mutex<Option<Moment>>>,
}

/// What a write gets for an answer that does not pass.
#[derive(Debug, thiserror::Error)]
#[error("this process does not hold the lease, or could not renew it in time")]
pub struct Fenced;

impl Fence {
    /// One that lets no write pass until the first renewal of a lease of this duration.
    #[must_use]
    pub fn new(lease: Duration) -> Self {
        Self { lease, renewed: Arc::default() }
    }

    /// The lease is ours, as of this moment: that before the call that renewed it.
    pub fn renewed(&self, at: Moment) {
        *lock(&self.renewed) = Some(at);
    }

    /// The lease is ours no longer.
    pub fn close(&self) {
        *lock(&self.renewed) = None;
    }

    fn is_open(&self) -> bool {
        lock(&self.renewed).is_some_and(|renewed| renewed.elapsed() < self.lease)
    }
}

/// Puts the fence before a client.
pub struct FenceLayer(pub Fence);

impl<S> Layer<S> for FenceLayer {
    type Service = FencedService<S>;

    fn layer(&self, inner: S) -> FencedService<S> {
        FencedService { inner, fence: self.0.clone() }
    }
}

/// See [`FenceLayer`].
pub struct FencedService<S> {
    inner: S,
    fence: Fence,
}

impl<S> Service<Request<Body>> for FencedService<S>
where
    S: Service<Request<Body>, Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let fence = (request.method() != Method::GET).then(|| self.fence.clone());
        let mut answer = Box::pin(self.inner.call(request));
        // Whenever it goes on, and not only at its start: kube waits, and connects, and sends again, within this.
        Box::pin(poll_fn(move |cx| match &fence {
            Some(fence) if !fence.is_open() => Poll::Ready(Err(Fenced.into())),
            _ => answer.as_mut().poll(cx).map_err(Into::into),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::Response;
    use rstest::rstest;
    use tower::service_fn;

    use super::*;

    const LEASE: Duration = Duration::from_secs(15);

    fn ago(steady: u64, wall: i64) -> Moment {
        let now = Moment::now();
        let by = Duration::from_secs(wall.unsigned_abs());
        Moment {
            steady: now.steady.checked_sub(Duration::from_secs(steady)).unwrap(),
            wall: if wall < 0 { now.wall + by } else { now.wall - by },
        }
    }

    /// Sends a request; whether it passed.
    async fn passes(fence: &Fence, method: Method) -> bool {
        let inner = service_fn(|_: Request<Body>| async { Ok::<_, BoxError>(Response::new(())) });
        let request = Request::builder().method(method).body(Body::empty()).unwrap();
        match FenceLayer(fence.clone()).layer(inner).call(request).await {
            Ok(_) => true,
            Err(error) => {
                assert!(error.is::<Fenced>(), "{error}");
                false
            }
        }
    }

    #[rstest]
    #[case::just_renewed(0, 0, true)]
    #[case::nearly_lapsed(14, 14, true)]
    #[case::paused(16, 16, false)]
    #[case::suspended_and_its_clock_stood_still(1, 16, false)]
    #[case::the_time_of_day_was_set_back(1, -3600, true)]
    #[case::set_back_while_paused(16, -3600, false)]
    #[tokio::test]
    async fn a_write_passes_for_the_duration_of_the_lease_by_either_clock(
        #[case] steady: u64,
        #[case] wall: i64,
        #[case] expected: bool,
    ) {
        let fence = Fence::new(LEASE);
        fence.renewed(ago(steady, wall));
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(passes(&fence, method).await, expected);
        }
        assert!(passes(&fence, Method::GET).await, "reads always pass");
    }

    #[tokio::test]
    async fn before_the_first_renewal_and_once_it_is_closed_only_reads_pass() {
        let fence = Fence::new(LEASE);
        assert!(!passes(&fence, Method::POST).await && passes(&fence, Method::GET).await);
        fence.renewed(Moment::now());
        assert!(passes(&fence, Method::POST).await);
        fence.close();
        assert!(!passes(&fence, Method::POST).await && passes(&fence, Method::GET).await);
    }

    #[tokio::test]
    async fn what_is_begun_before_a_pause_is_not_gone_on_with_after_it() {
        let (fence, steps) = (Fence::new(LEASE), Arc::new(AtomicUsize::new(0)));
        fence.renewed(Moment::now());
        let inner = service_fn(|_: Request<Body>| {
            let steps = steps.clone();
            async move {
                steps.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                steps.fetch_add(1, Ordering::Relaxed);
                Ok::<_, BoxError>(Response::new(()))
            }
        });
        let request = Request::post("/").body(Body::empty()).unwrap();
        let mut answer = FenceLayer(fence.clone()).layer(inner).call(request);
        assert!(futures::poll!(&mut answer).is_pending());
        fence.renewed(ago(16, 16));
        assert!(answer.await.unwrap_err().is::<Fenced>());
        assert_eq!(steps.load(Ordering::Relaxed), 1);
    }
}

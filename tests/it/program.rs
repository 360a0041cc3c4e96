//! The program: flags, admin server, start-up, shutdown, what it shows of itself.

mod command_line;
pub mod kubectl;
mod life;
mod namespaces;
mod observability;

use std::{future::Future, time::Instant};

use crate::support::scene::PATIENCE;

/// Waits until something is there.
pub async fn soon<T, Fut>(what: &str, look: impl Fn() -> Fut) -> T
where
    Fut: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// `then_some(())` of a comparison, for [`soon`].
pub fn so(is_so: bool) -> Option<()> {
    is_so.then_some(())
}

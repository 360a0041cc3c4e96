//! Leader election by a Lease. Every write is safe without it all the same; it keeps replicas from working twice.

use std::time::Duration;

use kube::Client;
use kube_lease_manager::{LeaseManagerBuilder, LeaseManagerError};
use tokio::{sync::watch, task::JoinHandle};

use crate::api::labels::OPERATOR;

/// How long a lease that is not renewed keeps others out.
const DURATION_SECONDS: u64 = 15;

/// How long before its end a lease is renewed.
const GRACE_SECONDS: u64 = 5;

/// How long the release of the lease may take at shutdown.
const RELEASE: Duration = Duration::from_secs(5);

/// A share in the election.
pub struct Leader {
    is_leader: watch::Receiver<bool>,
    task: JoinHandle<Result<kube_lease_manager::LeaseManager, LeaseManagerError>>,
}

impl Leader {
    /// Takes part in the election for the lease `idp-operator` of this namespace.
    ///
    /// # Errors
    /// When the lease can neither be read nor made.
    pub async fn join(client: Client, namespace: &str) -> Result<Self, LeaseManagerError> {
        let mut builder = LeaseManagerBuilder::new(client, OPERATOR)
            .with_namespace(namespace)
            .with_duration(DURATION_SECONDS)
            .with_grace(GRACE_SECONDS);
        if let Ok(pod) = std::env::var("POD_NAME") {
            builder = builder.with_identity(format!("{pod}-{}", uuid::Uuid::new_v4()));
        }
        let manager = builder.build().await?;
        let (is_leader, task) = manager.watch().await;
        Ok(Self { is_leader, task })
    }

    /// Returns when this process is the leader. False: the election has ended.
    pub async fn elected(&mut self) -> bool {
        self.is_leader.wait_for(|is_leader| *is_leader).await.is_ok()
    }

    /// Returns when this process is the leader no longer.
    pub async fn lost(&mut self) {
        // An error is the end of the election: that is a loss as well.
        let _ = self.is_leader.wait_for(|is_leader| !*is_leader).await;
    }

    /// Leaves the election and releases the lease, so that another can take over at once.
    pub async fn release(self) {
        drop(self.is_leader);
        if tokio::time::timeout(RELEASE, self.task).await.is_err() {
            tracing::warn!("the lease could not be released in time: it ends by itself");
        }
    }
}

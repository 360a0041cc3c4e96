//! The watches that the operator has, of a client that does nothing with what they tell.

use http_body_util::BodyExt as _;
use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Client,
    api::{Request, WatchParams},
};
use tokio::task::JoinSet;

use crate::objects::Ours;

/// Watches of a namespace; they end when this is dropped.
pub struct Watches {
    _tasks: JoinSet<()>,
}

impl Watches {
    /// Starts them, and waits until each of them is accepted.
    pub async fn start(client: &Client, namespace: &str) -> Self {
        // From the beginning: what is there is told first, as by a list.
        let (all, from) = (WatchParams::default(), "0");
        let mut tasks = JoinSet::new();
        for request in [
            resource::<IdentityProvider>(namespace).watch(&all, from),
            resource::<TenantJwtSecret>(namespace).watch(&all, from),
            resource::<UserIdpAuthenticator>(namespace).watch(&all, from),
            resource::<StrategyInstance>(namespace).watch(&all, from),
            resource::<Secret>(namespace).watch_metadata(&all, from),
            resource::<ConfigMap>(namespace).watch_metadata(&all, from),
        ] {
            let response = client.send(request.unwrap().map(Into::into)).await.unwrap();
            assert!(response.status().is_success(), "{}", response.status());
            let mut body = response.into_body();
            tasks.spawn(async move { while body.frame().await.is_some() {} });
        }
        Self { _tasks: tasks }
    }
}

fn resource<K: Ours>(namespace: &str) -> Request {
    Request::new(K::url_path(&(), Some(namespace)))
}

//! A leader that the network cuts off, while its standby is not.

use std::time::Instant;

use kube::ResourceExt as _;
use serde_json::json;

use super::{Candidates, LAPSE, events, gives_up, is_next_after, leads, lease};
use crate::support::{History, Link, Network, Scene, Tenant, history::values};

pub async fn ends_before_another_takes_over(network: Network) {
    let scene = Scene::new("cut").await;
    let candidates = Candidates::of(&scene).await;
    let history = History::of(&scene).await;
    let link = Link::of(&candidates.account).await;
    let first = candidates.start_leader("first", link.kubeconfig()).await;
    let second = candidates.start("second").await;
    let (old, new) = (Tenant::named(&scene, "old"), Tenant::named(&scene, "new"));
    let (_, before) = old.ready(json!({})).await;

    link.set(network);
    let cut = Instant::now();
    // Nothing can be done now. Where the leader still hears of it, it tries: its write arrives when it is long gone.
    new.apply(json!({})).await;
    old.rotate("meanwhile").await;
    let end = async {
        gives_up(first, LAPSE).await;
        cut.elapsed()
    };
    let take_over = async {
        let what = format!("network {network:?}");
        candidates.takes_over(cut, &what, &second, "second", LAPSE).await;
        cut.elapsed()
    };
    let (ended, taken) = tokio::join!(end, take_over);
    println!("network {network:?}: the leader ended by itself after {ended:.1?}");
    assert!(ended < taken, "{ended:?} {taken:?}");

    old.settled(is_next_after(&before)).await;
    new.settled(|_| true).await;
    link.set(Network::Works);
    let first = candidates.start_by("first", link.kubeconfig()).ready().await;
    for (tenant, count) in [(&old, 2), (&new, 1)] {
        tenant.is_quiet().await;
        let version = tenant.output().await.resource_version().unwrap();
        history.until("all was seen", |seen| seen.saw(&version)).await;
        let made = history.look(|seen| values(seen.versions(&tenant.output_name()), "").len());
        assert_eq!(made, count, "{}", tenant.name);
    }
    assert!(!leads(&first).await && first.writes().await < 1.0 && leads(&second).await);
    assert_eq!(events(&scene, "SecretRotated").await, [("old".to_owned(), 1)]);
    assert_eq!(lease(&scene).await.1, 1);
}

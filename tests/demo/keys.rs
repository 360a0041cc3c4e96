//! An identity provider's keys, as a service that reads the ConfigMap sees them: one key more, and an outage.

use std::time::{Duration, Instant};

use idp_operator::api::IdentityProvider;
use k8s_openapi::api::{core::v1::ConfigMap, events::v1::Event};
use kube::{Api, Client, api::ListParams};

use crate::{Error, cluster::Cluster, objects::key_ids, provider::Provider};

const NAME: &str = "login";
const RESOURCE: &str = "idp/login";
const CONFIG_MAP: &str = "login-jwks";
const ANOTHER: &str = "login-next";
const ROTATED: &str = "SigningKeysRotated";

const LIMIT: Duration = Duration::from_secs(15);
/// The same for kubectl.
const TIMEOUT: &str = "--timeout=15s";
const POLL: Duration = Duration::from_millis(100);

/// What is looked at.
pub struct Scene<'a> {
    /// To run kubectl on.
    pub cluster: &'a Cluster<'a>,
    /// To wait with.
    pub client: &'a Client,
    /// Where the objects are.
    pub namespace: &'a str,
    /// Serves the keys.
    pub provider: &'a Provider,
}

impl Scene<'_> {
    /// Has the provider publish one key more, and shows what becomes of it.
    pub async fn rotate(&self) -> Result<(), Error> {
        let screen = self.cluster.screen;
        screen.heading("An identity provider's keys, rotated");
        let mut expected = self.published().await?;
        expected.push(ANOTHER.to_owned());
        expected.sort();
        self.provider.publish_another(ANOTHER)?;
        screen.text(&format!(
            "The provider publishes one key more, {ANOTHER}. The operator would see it within keys.refreshInterval. The \
             annotation makes it look now:"
        ));
        self.look_now("one-key-more")?;
        self.until("status.keys, the ConfigMap and the Event tell of the new key", async || {
            Ok(self.told().await? == expected && self.published().await? == expected && self.is_rotated().await?)
        })
        .await?;
        self.show("get", &["events", "--field-selector", &format!("reason={ROTATED}")])?;
        self.show_value(RESOURCE, "{.status.keys.keyIds}")?;
        self.tell_published("For the services,").await
    }

    /// Has the provider fail for a while, and shows that its last good keys stay.
    pub async fn outage(&self) -> Result<(), Error> {
        let screen = self.cluster.screen;
        screen.heading("An outage");
        let before = self.published().await?;
        self.provider.set_down(true);
        screen.text("The provider answers with HTTP status 503 now.");
        self.look_now("outage")?;
        self.show("wait", &[RESOURCE, "--for=condition=KeysReachable=False", TIMEOUT])?;
        self.show_value(RESOURCE, &message("KeysReachable"))?;
        self.show("get", &[RESOURCE])?;
        self.must_be_ready().await?;
        self.tell_published("The last good keys serve, for keys.staleAfter (24h) at most:").await?;
        if self.published().await? != before {
            return Err(format!("ConfigMap {CONFIG_MAP} was to hold {} all the same", before.join(", ")).into());
        }
        self.provider.set_down(false);
        screen.text("The provider serves keys again, and the operator looks again by itself, after 1 s, 2 s, 4 s ..:");
        self.show("wait", &[RESOURCE, "--for=condition=KeysReachable=True", TIMEOUT])?;
        self.must_be_ready().await
    }

    /// Shows what became of the examples of an object that is in order, and of one that is not.
    pub fn examples(&self, broken: &str) -> Result<(), Error> {
        let screen = self.cluster.screen;
        screen.heading("An identity provider's examples");
        screen.text(
            "They are tests of its configuration: claims or tokens, and whether these are to be accepted. Those of \
             login come out as its author expects, and one of an author who mistyped the audience does not:",
        );
        for name in [NAME, broken] {
            self.show_value(&format!("idp/{name}"), &message("ExamplesPassed"))?;
        }
        Ok(())
    }

    fn look_now(&self, token: &str) -> Result<(), Error> {
        self.show("annotate", &["--overwrite", RESOURCE, &format!("idp-operator.dev/refresh={token}")])
    }

    /// Runs kubectl in the namespace and shows what it prints.
    fn show(&self, verb: &str, args: &[&str]) -> Result<(), Error> {
        self.cluster.screen.output(&self.kubectl(verb, args)?);
        Ok(())
    }

    /// Shows one value of an object. There must be one.
    fn show_value(&self, object: &str, path: &str) -> Result<(), Error> {
        let value = self.kubectl("get", &[object, "-o", &format!("jsonpath={path}")])?;
        if value.trim().is_empty() {
            return Err(format!("{object} has no {path}").into());
        }
        self.cluster.screen.indented(4, &value);
        Ok(())
    }

    fn kubectl(&self, verb: &str, args: &[&str]) -> Result<String, Error> {
        self.cluster.kubectl(&[&[verb, "-n", self.namespace], args].concat())
    }

    async fn tell_published(&self, start: &str) -> Result<(), Error> {
        let published = self.published().await?.join(", ");
        self.cluster.screen.text(&format!("{start} ConfigMap {CONFIG_MAP} holds {published}."));
        Ok(())
    }

    /// The key ids in the ConfigMap, sorted.
    async fn published(&self) -> Result<Vec<String>, Error> {
        let api = Api::<ConfigMap>::namespaced(self.client.clone(), self.namespace);
        let mut ids = key_ids(&api.get(CONFIG_MAP).await?);
        ids.sort();
        Ok(ids)
    }

    /// The key ids in the status, sorted.
    async fn told(&self) -> Result<Vec<String>, Error> {
        let status = self.object().await?.status;
        Ok(status.and_then(|status| status.keys).map(|keys| keys.key_ids).unwrap_or_default())
    }

    async fn is_rotated(&self) -> Result<bool, Error> {
        let api = Api::<Event>::namespaced(self.client.clone(), self.namespace);
        let events = api.list(&ListParams::default().fields(&format!("reason={ROTATED}"))).await?;
        let is_ours = |event: &Event| event.regarding.as_ref().is_some_and(|it| it.name.as_deref() == Some(NAME));
        Ok(events.items.iter().any(is_ours))
    }

    async fn must_be_ready(&self) -> Result<(), Error> {
        let status = self.object().await?.status.unwrap_or_default();
        let ready = status.core.condition("Ready").map(|ready| ready.status.as_str());
        if ready == Some("True") {
            return Ok(());
        }
        Err(format!("IdentityProvider {NAME} was to be Ready all the time").into())
    }

    async fn object(&self) -> Result<IdentityProvider, Error> {
        let api = Api::<IdentityProvider>::namespaced(self.client.clone(), self.namespace);
        Ok(api.get(NAME).await?)
    }

    async fn until(&self, what: &str, is_so: impl AsyncFn() -> Result<bool, Error>) -> Result<(), Error> {
        let start = Instant::now();
        while !is_so().await? {
            if start.elapsed() > LIMIT {
                return Err(format!("this did not come about in {LIMIT:?}: {what}").into());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

fn message(condition: &str) -> String {
    format!("{{.status.conditions[?(@.type==\"{condition}\")].message}}")
}

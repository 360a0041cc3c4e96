//! What a tenant's secret depends on: the output Secret, and the referenced one.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    api::TenantJwtSecret,
    cluster::{child, error::Error, key::ObjectKey},
    controllers::{context::Context, kinds::Managed as _, pipeline::Reads, world::Standing},
    desired,
    domain::{
        policy::{self, Traits, Violation},
        secret_output::{OutputFacts, key},
    },
};

/// What is known when a tenant's secret is judged. It holds no value but a referenced one, which tells nothing in `Debug`.
#[derive(Debug)]
pub struct Observed {
    /// Whether its namespace may hold the tenant.
    pub claimed: bool,
    /// The object that holds the tenant, if it is another one.
    pub rival: Option<ObjectKey>,
    /// The Secret of the output's name, if there is one.
    pub output: Option<OutputFacts>,
    /// Where the value comes from.
    pub source: Source,
    /// Now.
    pub now: Timestamp,
}

/// Where the value comes from.
#[derive(Debug)]
pub enum Source {
    /// It is generated.
    Generated,
    /// The referenced Secret or its key is missing or empty.
    Missing,
    /// The referenced value is no Base64 text, or too large.
    Unreadable(Violation),
    /// The referenced value.
    Value {
        /// In padded Base64.
        text: SecretString,
        /// What it is good for.
        traits: Traits,
        /// Whether the output holds the same.
        is_published: bool,
    },
}

/// Reads what is not known. In a steady state that is nothing for a generated secret.
///
/// # Errors
/// When calls to the API server fail.
pub async fn observe(object: &TenantJwtSecret, ctx: &Context, reads: Reads) -> Result<Observed, Error> {
    let now = ctx.now();
    let Standing { takes_part: claimed, rival } = ctx.world.standing(object);
    let Some(reference) = &object.spec.secret_ref else {
        let output = output_facts(object, ctx, reads).await?;
        return Ok(Observed { claimed, rival, output, source: Source::Generated, now });
    };
    let output = get(object, ctx, reads, &desired::secret::name(&object.name_any())).await?;
    let source = get(object, ctx, reads, &reference.name).await?;
    let value = source.as_ref().and_then(|secret| data(secret, &reference.key)).filter(|value| !value.is_empty());
    let source = match value.map(|value| Ok((policy::canonical(value)?, policy::inspect(value)?))) {
        None => Source::Missing,
        Some(Err(violation)) => Source::Unreadable(violation),
        Some(Ok((text, traits))) => {
            let published = output.as_ref().and_then(|secret| data(secret, key::SECRET));
            let is_published = published == Some(text.expose_secret().as_bytes());
            Source::Value { text, traits, is_published }
        }
    };
    Ok(Observed { claimed, rival, output: output.as_ref().map(OutputFacts::read), source, now })
}

async fn output_facts(object: &TenantJwtSecret, ctx: &Context, reads: Reads) -> Result<Option<OutputFacts>, Error> {
    let name = desired::secret::name(&object.name_any());
    let key = object.sibling(&name);
    if let (Reads::Watched, Some(version)) = (reads, ctx.world.secrets.version(&key))
        && let Some(facts) = ctx.outputs.secret(&key, &version)
    {
        return Ok(Some(facts));
    }
    let facts = get(object, ctx, reads, &name).await?.as_ref().map(OutputFacts::read);
    ctx.outputs.set_secret(&key, facts.clone());
    Ok(facts)
}

/// No call where the watch says that there is nothing: if it is wrong, the create that follows is refused.
async fn get(object: &TenantJwtSecret, ctx: &Context, reads: Reads, name: &str) -> Result<Option<Secret>, Error> {
    let key = object.sibling(name);
    match (reads, ctx.world.secrets.version(&key)) {
        (Reads::Watched, None) => Ok(None),
        _ => child::get(&ctx.client, &key).await,
    }
}

fn data<'a>(secret: &'a Secret, key: &str) -> Option<&'a [u8]> {
    secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.as_slice())
}

//! What a tenant's secret depends on: the output Secret, and the referenced one.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use secrecy::ExposeSecret as _;

use crate::{
    api::TenantJwtSecret,
    cluster::{child, error::Error, key::ObjectKey},
    controllers::{context::Context, kinds::Managed as _, pipeline::Reads, world::World},
    desired,
    domain::{
        policy::{self, Parsed, Violation},
        secret_output::{self, OutputFacts, Role},
    },
};

/// What is known when a tenant's secret is judged. It holds no value but a referenced one, which tells nothing in `Debug`.
#[derive(Debug)]
pub struct Observed {
    /// Whether its namespace may hold the tenant.
    pub claimed: bool,
    /// The object that holds the tenant, if it is another one.
    pub rival: Option<Rival>,
    /// The Secret of the output's name, if there is one.
    pub output: Option<OutputFacts>,
    /// Whether that Secret goes with another object of our kind.
    pub has_other_owner: bool,
    /// Where the value comes from.
    pub source: Source,
    /// Now.
    pub now: Timestamp,
}

impl Observed {
    /// Whether the tenant is this object's to hold.
    #[must_use]
    pub fn holds_tenant(&self) -> bool {
        self.claimed && self.rival.is_none()
    }
}

/// An older object with the same tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// Its namespace and name.
    pub key: ObjectKey,
    /// Whether its output is the very Secret that this object would write.
    pub has_output: bool,
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
        /// The value, and what it is good for.
        value: Parsed,
        /// Whether the output holds the same.
        is_published: bool,
    },
}

impl Source {
    /// Reads a referenced value, and whether the output holds it.
    #[must_use]
    pub fn read(value: Option<&[u8]>, output: Option<&Secret>) -> Self {
        match value.filter(|value| !value.is_empty()).map(policy::parse) {
            None => Self::Missing,
            Some(Err(violation)) => Self::Unreadable(violation),
            Some(Ok(value)) => Self::Value { is_published: holds(output, &value), value },
        }
    }
}

/// Reads what is not known. In a steady state that is nothing for a generated secret.
///
/// # Errors
/// When calls to the API server fail.
pub async fn observe(object: &TenantJwtSecret, ctx: &Context, reads: Reads) -> Result<Observed, Error> {
    let now = ctx.now();
    let standing = ctx.world.standing(object);
    let claimed = standing.takes_part;
    let rival = standing.rival().map(|key| rival(object, ctx, key.clone()));
    let Some(reference) = &object.spec.secret_ref else {
        let output = output_facts(object, ctx, reads).await?;
        let has_other_owner = has_other_owner(object, ctx, output.as_ref());
        return Ok(Observed { claimed, rival, output, has_other_owner, source: Source::Generated, now });
    };
    let output: Option<Secret> = ctx.get(&object.sibling(&desired::secret::name(object)), reads).await?;
    let source: Option<Secret> = ctx.get(&object.sibling(&reference.name), reads).await?;
    let value = source.as_ref().and_then(|secret| secret_output::data(secret, &reference.key));
    let source = Source::read(value.map(|value| value.0.as_slice()), output.as_ref());
    let output = output.as_ref().map(OutputFacts::read);
    let has_other_owner = has_other_owner(object, ctx, output.as_ref());
    Ok(Observed { claimed, rival, output, has_other_owner, source, now })
}

/// Whether an object that exists owns it: the ownerReference of one that is gone says nothing.
fn has_other_owner(object: &TenantJwtSecret, ctx: &Context, output: Option<&OutputFacts>) -> bool {
    let owners = output.into_iter().flat_map(|output| &output.owners);
    let mut others = owners.filter(|owner| {
        desired::is_of_kind::<TenantJwtSecret>(owner) && Some(&owner.uid) != object.metadata.uid.as_ref()
    });
    others.any(|owner| {
        let key = object.sibling(&owner.name);
        let known = ctx.world.tenant_jwt_secrets.known(&key).and_then(|known| known.uid());
        // One that can't be read any more is known by the place that it keeps.
        let known = known.or_else(|| ctx.world.contender(&World::request::<TenantJwtSecret>(key)));
        known.as_ref() == Some(&owner.uid)
    })
}

fn rival(object: &TenantJwtSecret, ctx: &Context, key: ObjectKey) -> Rival {
    let is_near = object.metadata.namespace.as_deref() == Some(&key.namespace);
    let rival = ctx.world.tenant_jwt_secrets.known(&key);
    // Of one that can't be read any more nobody knows.
    let has_same = rival.is_none_or(|rival| desired::secret::name(&rival) == desired::secret::name(object));
    let has_output = is_near && has_same;
    Rival { key, has_output }
}

/// Whether the output's value is this one, with or without padding.
fn holds(output: Option<&Secret>, value: &Parsed) -> bool {
    let [secret, ..] = Role::Current.keys();
    let published =
        output.and_then(|output| secret_output::data(output, secret)).and_then(|bytes| policy::parse(&bytes.0).ok());
    published.is_some_and(|published| published.text.expose_secret() == value.text.expose_secret())
}

/// Makes sure that no other process wrote the output for a later spec, which this one must not take back. Only where the
/// output says so, and not falsely: that costs a call.
///
/// # Errors
/// [`Error::Behind`] where it was, others when calls to the API server fail.
pub async fn is_latest(object: &TenantJwtSecret, ctx: &Context, seen: &Observed) -> Result<(), Error> {
    let (uid, generation) = (object.uid().unwrap_or_default(), object.metadata.generation.unwrap_or_default());
    let is_ours = |output: &&OutputFacts| output.is_ours(&object.spec.tenant_id, &uid);
    if !seen.output.as_ref().filter(is_ours).is_some_and(|output| output.is_ahead_of(&uid, generation)) {
        return Ok(());
    }
    let latest: Option<TenantJwtSecret> = child::get(&ctx.client, &object.key()).await?;
    let is_latest = latest.is_some_and(|latest| latest.metadata.generation == Some(generation));
    if is_latest { Ok(()) } else { Err(Error::Behind { name: desired::secret::name(object) }) }
}

async fn output_facts(object: &TenantJwtSecret, ctx: &Context, reads: Reads) -> Result<Option<OutputFacts>, Error> {
    let name = desired::secret::name(object);
    let key = object.sibling(&name);
    if let (Reads::Watched, Some(version)) = (reads, ctx.world.secrets.version(&key))
        && let Some(facts) = ctx.outputs.secret(&key, &version)
    {
        return Ok(Some(facts));
    }
    let output: Option<Secret> = ctx.get(&key, reads).await?;
    let facts = output.as_ref().map(OutputFacts::read);
    ctx.outputs.set_secret(&key, facts.clone());
    Ok(facts)
}

//! The catalogue that is in force, and what another one means for objects.

use std::sync::{Arc, RwLock};

use crate::{
    api::StrategyInstance,
    cluster::sync::{read, write},
    controllers::{context::Context, kinds::Managed as _, queues::Cause, world::World},
    domain::catalogue::Catalogue,
};

/// The catalogue that is in force.
#[derive(Default)]
pub struct CatalogueInForce {
    catalogue: RwLock<Arc<Catalogue>>,
}

impl CatalogueInForce {
    /// This one, from the start.
    #[must_use]
    pub fn new(catalogue: Catalogue) -> Self {
        Self { catalogue: RwLock::new(Arc::new(catalogue)) }
    }

    /// The one that is in force now.
    #[must_use]
    pub fn now(&self) -> Arc<Catalogue> {
        read(&self.catalogue).clone()
    }

    fn replace(&self, new: Arc<Catalogue>) -> Arc<Catalogue> {
        std::mem::replace(&mut *write(&self.catalogue), new)
    }
}

/// Puts another catalogue in force, whole, and has all objects looked at again for which it can make a difference.
/// Returns how many these are.
///
/// All objects are gone through, as there is no index by type: catalogues change once in months.
pub fn replace(ctx: &Context, new: Catalogue) -> usize {
    let new = Arc::new(new);
    let old = ctx.catalogue.replace(new.clone());
    let objects = StrategyInstance::objects(&ctx.world).store().state();
    let woken = objects.iter().filter(|object| new.differs_on(&object.spec.type_, &old));
    woken.map(|object| ctx.world.wake_by(&Cause::Catalogue, &World::request::<StrategyInstance>(object.key()))).count()
}

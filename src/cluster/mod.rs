//! The only place that talks to anything: the API server and key endpoints.

pub mod api_client;
pub mod child;
pub mod connector;
pub mod error;
pub mod events;
pub mod fence;
pub mod fetcher;
pub mod gate;
pub mod index;
pub mod key;
pub mod meta_store;
pub mod metrics;
pub mod objects;
pub mod poll;
pub mod pools;
pub mod refusal;
pub mod relist;
pub mod report;
pub mod shallow;
pub mod signs_of_life;
pub mod sync;
pub mod watch;
